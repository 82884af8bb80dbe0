//! Our own challenges: nonces that need no memory, and what callers make of them (RFC 7616 §3.3).

use std::net::IpAddr;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{ha1, hex, quoted, response};
use crate::message::headers::{AuthParams, HeaderName, Headers, auth_values};
use crate::{DigestAlgorithm, Registrar};

/// How long a nonce of ours is good.
pub(super) const NONCE_LIFETIME: Duration = Duration::from_secs(60);

/// Whether a request may pass our registrar.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may, as this user.
    Passed(String),
    /// Challenge it; `stale` when all but the age of the nonce was right.
    Challenge { stale: bool },
}

/// Makes nonces that need no memory, and checks what is made of them.
#[derive(Debug)]
pub(crate) struct Challenger {
    secret: [u8; 32],
    /// Nonces hold the time since this moment.
    epoch: Option<Instant>,
}

impl Challenger {
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, epoch: None }
    }

    /// The challenges, best algorithm first.
    pub fn challenges(
        &mut self,
        now: Instant,
        registrar: &Registrar,
        source: IpAddr,
        stale: bool,
    ) -> Vec<(String, String)> {
        let age = self.age(now);
        let nonce = self.nonce(age, source);
        let challenge = |algorithm: &DigestAlgorithm| {
            let stale = if stale { ", stale=true" } else { "" };
            let (realm, algorithm) = (quoted(&registrar.realm), algorithm.name());
            let value =
                format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}");
            ("WWW-Authenticate".to_owned(), value)
        };
        registrar.algorithms.iter().map(challenge).collect()
    }

    /// Looks for valid credentials in a request.
    pub fn verify(
        &mut self,
        now: Instant,
        registrar: &Registrar,
        source: IpAddr,
        method: &str,
        headers: &Headers<'_>,
    ) -> Verdict {
        let offered = headers.all(HeaderName::Authorization).flat_map(auth_values);
        let mut stale = false;
        for credentials in offered {
            let Some(username) = check_response(registrar, method, &credentials) else {
                continue;
            };
            match self.check_nonce(now, credentials.get("nonce").unwrap_or_default(), source) {
                NonceAge::Fresh => return Verdict::Passed(username),
                NonceAge::Old => stale = true,
                NonceAge::Foreign => {}
            }
        }
        Verdict::Challenge { stale }
    }

    /// A short text that only we can make out of another, the same each time.
    pub fn seal(&self, text: &str) -> String {
        hex(&self.mac(text.as_bytes())[..8])
    }

    fn age(&mut self, now: Instant) -> u64 {
        let epoch = *self.epoch.get_or_insert(now);
        now.saturating_duration_since(epoch).as_millis() as u64
    }

    fn nonce(&self, milliseconds: u64, source: IpAddr) -> String {
        let mac = self.mac(format!("{milliseconds} {source}").as_bytes());
        format!("{milliseconds:x}.{}", hex(&mac[..16]))
    }

    fn check_nonce(&mut self, now: Instant, nonce: &str, source: IpAddr) -> NonceAge {
        let made_at = nonce.split_once('.').and_then(|(time, _)| u64::from_str_radix(time, 16).ok());
        let Some(made_at) = made_at else {
            return NonceAge::Foreign;
        };
        if !bool::from(self.nonce(made_at, source).as_bytes().ct_eq(nonce.as_bytes())) {
            return NonceAge::Foreign;
        }
        let age = self.age(now).saturating_sub(made_at);
        if u128::from(age) <= NONCE_LIFETIME.as_millis() { NonceAge::Fresh } else { NonceAge::Old }
    }

    /// HMAC-SHA-256 (RFC 2104).
    fn mac(&self, text: &[u8]) -> [u8; 32] {
        let pad = |with: u8| {
            let mut block = [with; 64];
            for (byte, secret) in block.iter_mut().zip(self.secret) {
                *byte ^= secret;
            }
            block
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
        Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
    }
}

enum NonceAge {
    Fresh,
    Old,
    Foreign,
}

/// The user whose password made this response; the nonce is checked apart.
fn check_response(registrar: &Registrar, method: &str, credentials: &AuthParams) -> Option<String> {
    let algorithm = credentials.get("algorithm").map_or(Some(DigestAlgorithm::Md5), DigestAlgorithm::named)?;
    if !registrar.algorithms.contains(&algorithm) || credentials.get("realm")? != registrar.realm {
        return None;
    }
    // We challenge with qop, so its absence is a downgrade.
    if !credentials.get("qop")?.eq_ignore_ascii_case("auth") {
        return None;
    }
    let username = credentials.get("username")?;
    let (_, password) = registrar.users.iter().find(|(user, _)| user == username)?;
    let ha1 = ha1(algorithm, username, &registrar.realm, password);
    let qop = (credentials.get("nc")?, credentials.get("cnonce")?, "auth");
    let expected = response(
        algorithm,
        &ha1,
        credentials.get("nonce")?,
        Some(qop),
        &format!("{method}:{}", credentials.get("uri")?),
    );
    let given = credentials.get("response")?.to_ascii_lowercase();
    bool::from(expected.as_bytes().ct_eq(given.as_bytes())).then(|| username.to_owned())
}
