//! Pure: no I/O, no clock.
//!
//! Why a connection is no more, in words for whoever waits for a call over it.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// What to say of a connection that ended this way; `None` where there is no more to say than that it is lost.
pub(crate) fn phrase(ended: &io::Result<()>) -> Option<&'static str> {
    let error = ended.as_ref().err()?;
    match error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(why)) => Some(certificate(why)),
        Some(Error::AlertReceived(AlertDescription::CertificateRequired)) => {
            Some("the peer wants a certificate of ours")
        }
        Some(Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate,
        )) => Some("the peer does not accept our certificate"),
        Some(_) => Some("TLS failed"),
        None if error.kind() == io::ErrorKind::ConnectionRefused => Some("the peer refuses connections"),
        None if error.kind() == io::ErrorKind::TimedOut => Some("the peer is too slow or silent"),
        None => None,
    }
}

fn certificate(why: &CertificateError) -> &'static str {
    match why {
        // Another authority of the same name shows by its signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the peer's certificate is not from an authority that we trust"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the peer's certificate is for another name"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the peer's certificate has expired",
        _ => "the peer's certificate is not valid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_told_in_words() {
        let check = |error: io::Error, expected| assert_eq!(phrase(&Err(error)), expected);
        let tls = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let untrusted = Some("the peer's certificate is not from an authority that we trust");
        check(tls(Error::InvalidCertificate(CertificateError::UnknownIssuer)), untrusted);
        check(tls(Error::InvalidCertificate(CertificateError::BadSignature)), untrusted);
        check(
            tls(Error::InvalidCertificate(CertificateError::NotValidForName)),
            Some("the peer's certificate is for another name"),
        );
        check(
            tls(Error::AlertReceived(AlertDescription::CertificateRequired)),
            Some("the peer wants a certificate of ours"),
        );
        check(tls(Error::AlertReceived(AlertDescription::UnknownCA)), Some("the peer does not accept our certificate"));
        check(tls(Error::DecryptError), Some("TLS failed"));
        check(io::ErrorKind::ConnectionRefused.into(), Some("the peer refuses connections"));
        check(io::ErrorKind::ConnectionReset.into(), None);
        assert_eq!(phrase(&Ok(())), None);
    }
}
