//! Our own challenges: nonces that need no memory until they are used, and what callers make of them (RFC 7616 §3.3).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{ha1, hex, quoted, response};
use crate::message::Uri;
use crate::message::headers::{AuthParams, HeaderName, Headers, auth_values};
use crate::{DigestAlgorithm, Registrar};

/// How long a nonce of ours is good.
pub(super) const NONCE_LIFETIME: Duration = Duration::from_secs(60);
/// Nonces whose use is remembered; beyond it the oldest is no longer good.
const MAX_USED: usize = 4096;
/// Most credentials of one request that are looked at.
const MAX_CREDENTIALS: usize = 4;

/// Whether a request may pass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may, as this user.
    Passed(String),
    /// Challenge it; `stale` when all was right but the nonce was old, or its count had been used.
    Challenge { stale: bool },
}

/// Makes nonces, and checks what is made of them.
#[derive(Debug)]
pub(crate) struct Challenger {
    secret: [u8; 32],
    /// Nonces hold the time since this moment.
    epoch: Option<Instant>,
    /// How many have been given out; each holds its number.
    issued: u64,
    /// Those that were used, by their number.
    used: BTreeMap<u64, Used>,
    /// Up to this number it is no longer known which were used.
    forgotten: u64,
}

/// A nonce of ours.
#[derive(Debug, Clone, Copy)]
struct Nonce {
    number: u64,
    /// In milliseconds since the epoch.
    made_at: u64,
}

#[derive(Debug)]
struct Used {
    made_at: u64,
    /// The highest nonce count so far.
    count: u32,
}

impl Challenger {
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, epoch: None, issued: 0, used: BTreeMap::new(), forgotten: 0 }
    }

    /// The challenges, best algorithm first.
    pub fn challenges(
        &mut self,
        now: Instant,
        registrar: &Registrar,
        source: IpAddr,
        stale: bool,
    ) -> Vec<(String, String)> {
        self.issued += 1;
        let nonce = Nonce { number: self.issued, made_at: self.age(now) };
        let nonce = self.text_of(nonce, source);
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
        uri: &str,
        headers: &Headers<'_>,
    ) -> Verdict {
        let offered = headers.all(HeaderName::Authorization).flat_map(auth_values).take(MAX_CREDENTIALS);
        let mut stale = false;
        for credentials in offered {
            // First what costs least: a stranger's nonce is none of ours.
            let nonce = credentials.get("nonce").and_then(|text| self.parse(text, source));
            let (Some(nonce), Some(count)) = (nonce, credentials.get("nc").and_then(nonce_count)) else {
                continue;
            };
            let is_for_this = credentials.get("uri").is_some_and(|covered| is_same_user(covered, uri));
            let Some(username) = check_response(registrar, method, &credentials).filter(|_| is_for_this) else {
                continue;
            };
            if self.take_count(now, nonce, count) {
                return Verdict::Passed(username);
            }
            stale = true;
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

    /// It is bound to whom it is for.
    fn text_of(&self, Nonce { number, made_at }: Nonce, source: IpAddr) -> String {
        let mac = self.mac(format!("{number} {made_at} {source}").as_bytes());
        format!("{number:x}.{made_at:x}.{}", hex(&mac[..16]))
    }

    /// The nonce, if we made it for this source.
    fn parse(&self, text: &str, source: IpAddr) -> Option<Nonce> {
        let mut parts = text.split('.').map(|part| u64::from_str_radix(part, 16));
        let nonce = Nonce { number: parts.next()?.ok()?, made_at: parts.next()?.ok()? };
        bool::from(self.text_of(nonce, source).as_bytes().ct_eq(text.as_bytes())).then_some(nonce)
    }

    /// Whether a nonce is fresh and this count of it was never used (RFC 7616 §3.4: `nc`).
    fn take_count(&mut self, now: Instant, nonce: Nonce, count: u32) -> bool {
        let age = self.age(now);
        let is_old = |made_at: u64| u128::from(age.saturating_sub(made_at)) > NONCE_LIFETIME.as_millis();
        while let Some(oldest) = self.used.first_entry()
            && is_old(oldest.get().made_at)
        {
            oldest.remove();
        }
        if is_old(nonce.made_at) || nonce.number <= self.forgotten {
            return false;
        }
        let used = self.used.entry(nonce.number).or_insert(Used { made_at: nonce.made_at, count: 0 });
        let is_new = count > used.count;
        used.count = used.count.max(count);
        if self.used.len() > MAX_USED
            && let Some((number, _)) = self.used.pop_first()
        {
            self.forgotten = number;
        }
        is_new
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

/// RFC 7616 §3.4.6: what is proven must be for what is asked. Proxies change hosts, but not whom a request is for.
fn is_same_user(covered: &str, uri: &str) -> bool {
    let user = |text| Uri::parse(text).ok().and_then(Uri::sip).map(|uri| uri.user);
    covered == uri || (user(covered).is_some() && user(covered) == user(uri))
}

/// `nc`: eight hexadecimal digits (RFC 7616 §3.4).
fn nonce_count(text: &str) -> Option<u32> {
    let is_well_formed = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_well_formed.then(|| u32::from_str_radix(text, 16).ok()).flatten()
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
    // For an unknown user as much work is done, so that time does not tell who is known.
    let known = registrar.users.iter().find(|(user, _)| user == username);
    let ha1 = ha1(algorithm, username, &registrar.realm, known.map_or("", |(_, password)| password.as_str()));
    let qop = (credentials.get("nc")?, credentials.get("cnonce")?, "auth");
    let expected = response(
        algorithm,
        &ha1,
        credentials.get("nonce")?,
        Some(qop),
        &format!("{method}:{}", credentials.get("uri")?),
    );
    let given = credentials.get("response")?.to_ascii_lowercase();
    let is_right = bool::from(expected.as_bytes().ct_eq(given.as_bytes()));
    (is_right && known.is_some()).then(|| username.to_owned())
}
