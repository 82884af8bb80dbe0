//! Pure: no I/O, no clock.
//! [`Secret`]: what a webhook's signatures are made with, by Standard Webhooks (version `v1`: HMAC with SHA-256).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Bytes of a secret: of 24 to 64 that are allowed, as many as the digest has.
const LENGTH: usize = 32;
const PREFIX: &str = "whsec_";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A secret that a webhook and we share.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Vec<u8>);

/// It is not shown.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// A secret of bytes that nobody can guess.
    pub(crate) fn new(bytes: [u8; LENGTH]) -> Self {
        Self(bytes.to_vec())
    }

    /// As it is kept.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// To be kept.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As it is shown, once.
    pub(crate) fn text(&self) -> String {
        format!("{PREFIX}{}", base64(&self.0))
    }

    /// What it is known by where it is not kept; of bytes that nobody can guess, it tells nothing.
    pub(crate) fn digest(&self) -> String {
        format!("sha256:{}", base64(&Sha256::digest(&self.0)))
    }

    /// The signature of a message: of its id, its time (seconds since 1970) and its bytes.
    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body.as_bytes());
        format!("v1,{}", base64(&mac.finalize().into_bytes()))
    }
}

/// `webhook-signature`: one of each secret, so that receivers may know either.
pub(crate) fn signatures(secrets: &[Secret], id: &str, timestamp: i64, body: &str) -> String {
    let each: Vec<String> = secrets.iter().map(|secret| secret.sign(id, timestamp, body)).collect();
    each.join(" ")
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().enumerate().fold(0u32, |bits, (n, byte)| bits | u32::from(*byte) << (16 - 8 * n));
        for n in 0..4 {
            // So many bytes have one digit more.
            let digit = if n <= three.len() { ALPHABET[(bits >> (18 - 6 * n) & 63) as usize] } else { b'=' };
            text.push(char::from(digit));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_is_that_of_the_rfc() {
        // RFC 4648 §10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn a_signature_is_that_of_the_reference() {
        // The example of the reference libraries of Standard Webhooks: secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw.
        let secret = Secret::from_bytes(EXAMPLE.to_vec());
        assert_eq!(secret.text(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(
            signatures(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn two_secrets_give_two_signatures_and_neither_is_shown() {
        let (new, old) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let both = signatures(&[new.clone(), old.clone()], "evt_1", 7, "{}");
        assert_eq!(both, format!("{} {}", new.sign("evt_1", 7, "{}"), old.sign("evt_1", 7, "{}")));
        assert_ne!(new.sign("evt_1", 7, "{}"), new.sign("evt_1", 8, "{}"));
        assert_eq!(format!("{:?}", [&new, &old]), "[Secret, Secret]");
        // printf '\1%.0s' $(seq 32) | openssl dgst -sha256 -binary | base64
        assert_eq!(new.digest(), "sha256:cs1uhCLEB/ttCYaQ8RMLfe1+wvf14dML2dUh8BU2N5M=");
    }

    const EXAMPLE: [u8; 24] = [
        0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a, 0xab, 0x4f, 0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c, 0xf6, 0x48,
        0xa3, 0x62, 0xda, 0x2d, 0xa4, 0xb0,
    ];
}
