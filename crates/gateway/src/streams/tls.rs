//! Certificates: ours, and whose word we take for a peer's.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Files in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate and its chain, with its key: shown to who connects, and to trunks that ask for one.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Authorities that peers' certificates must come from; `None` trusts those of the system.
    pub authorities: Option<PathBuf>,
}

/// Why TLS cannot be had from these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable or not PEM of the right kind.
    #[error("{path}: {why}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Certificate and key do not fit together, or are of a kind that is not supported.
    #[error("the certificate cannot be used: {0}")]
    Certificate(#[source] rustls::Error),
}

/// What TLS connections are made with; clones share it, and connections that stand keep what they began with.
#[derive(Clone)]
pub(crate) struct Tls {
    current: Arc<RwLock<Current>>,
}

struct Current {
    client: Arc<ClientConfig>,
    server: Option<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { current: Arc::new(RwLock::new(Current::load(files)?)) })
    }

    /// Reads the files again; when they are bad nothing changes.
    pub(crate) fn reload(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let fresh = Current::load(files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// For connections to us; `None` without a certificate.
    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.server.clone().map(TlsAcceptor::from)
    }

    /// For connections of ours.
    pub(super) fn connector(&self) -> TlsConnector {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsConnector::from(current.client.clone())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Current {
    fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let ours = files.certificate.as_ref().map(|(chain, key)| read_certificate(chain, key)).transpose()?;
        let roots = read_authorities(files.authorities.as_deref())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Certificate)?
            .with_root_certificates(roots);
        let client = match &ours {
            Some((chain, key)) => {
                client.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(TlsError::Certificate)?
            }
            None => client.with_no_client_auth(),
        };
        let server = match ours {
            Some((chain, key)) => Some(Arc::new(
                ServerConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .map_err(TlsError::Certificate)?
                    .with_no_client_auth()
                    .with_single_cert(chain, key)
                    .map_err(TlsError::Certificate)?,
            )),
            None => None,
        };
        Ok(Self { client: Arc::new(client), server })
    }
}

fn read_certificate(
    chain: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let certificates = read_certificates(chain)?;
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| TlsError::File { path: key.to_owned(), why: error.to_string() })?;
    Ok((certificates, key))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |why: String| TlsError::File { path: path.to_owned(), why };
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("no certificate is in this file".to_owned()));
    }
    Ok(certificates)
}

/// The system's authorities may be none at all: then no peer can be believed, and each handshake says so.
fn read_authorities(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let certificates = match file {
        Some(path) => read_certificates(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(certificates);
    if let Some(path) = file
        && added == 0
    {
        return Err(TlsError::File {
            path: path.to_owned(),
            why: format!("none of its {ignored} certificates can be used"),
        });
    }
    Ok(roots)
}
