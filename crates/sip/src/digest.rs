//! Digest authentication (RFC 7616, RFC 8760; RFC 3261 §22): answers to challenges, and challenges.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::message::headers::{AuthParams, HeaderName, Headers, auth_values};
use crate::{Credentials, DigestAlgorithm, Registrar};

/// Challenges from one realm, and one of each kind (401, 407), at most this many kept.
const MAX_SPACES: usize = 4;
/// How often one request is sent again for a challenge, `stale` included.
const MAX_ATTEMPTS: u32 = 4;
/// How long a nonce of ours is good.
const NONCE_LIFETIME: Duration = Duration::from_secs(60);

/// Our side of the challenges of one call or registration.
#[derive(Debug)]
pub(crate) struct Authenticator {
    credentials: Option<Credentials>,
    spaces: Vec<Space>,
    /// Answers to challenges since the last success.
    attempts: u32,
}

/// One protection space (RFC 7235 §2.2) and the nonce it gave us.
#[derive(Debug)]
struct Space {
    proxy: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: DigestAlgorithm,
    qop: bool,
    nonce_count: u32,
    /// Whether credentials over this very nonce answered a challenge of the request in hand.
    answered: bool,
}

impl Authenticator {
    pub fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, spaces: Vec::new(), attempts: 0 }
    }

    /// Takes the challenges of a 401 or 407; whether it makes sense to send the request again.
    ///
    /// Credentials that were refused are never sent again: a second challenge for the same request is answered
    /// only when it says `stale` with another nonce, or when the first try used a nonce of an earlier request.
    pub fn challenged(&mut self, status: u16, headers: &Headers<'_>) -> bool {
        if self.credentials.is_none() || self.attempts >= MAX_ATTEMPTS {
            return false;
        }
        let proxy = status == 407;
        let name = if proxy { HeaderName::ProxyAuthenticate } else { HeaderName::WwwAuthenticate };
        // RFC 8760 §2.4: the topmost challenge that we support.
        let Some(mut space) =
            headers.all(name).flat_map(auth_values).find_map(|challenge| Space::of(proxy, &challenge))
        else {
            return false;
        };
        if let Some(known) = self.spaces.iter().position(|known| known.proxy == proxy && known.realm == space.0.realm) {
            let known = self.spaces.remove(known);
            let refused = known.answered && !space.1;
            if known.nonce == space.0.nonce || refused {
                return false;
            }
        }
        if self.spaces.len() == MAX_SPACES {
            self.spaces.remove(0);
        }
        space.0.answered = true;
        self.spaces.push(space.0);
        self.attempts += 1;
        true
    }

    /// The request was accepted: what comes next is another request, whose nonces may have aged.
    pub fn succeeded(&mut self) {
        self.attempts = 0;
        for space in &mut self.spaces {
            space.answered = false;
        }
    }

    /// The header fields for a request, counting each nonce up.
    pub fn headers(&mut self, method: &str, uri: &str, cnonce: impl Fn() -> String) -> Vec<(String, String)> {
        let Some(credentials) = &self.credentials else {
            return Vec::new();
        };
        self.spaces.iter_mut().map(|space| space.header(credentials, method, uri, &cnonce())).collect()
    }
}

impl Space {
    /// The space and whether the challenge said `stale`; `None` for what we do not support.
    fn of(proxy: bool, challenge: &AuthParams) -> Option<(Self, bool)> {
        let algorithm = match challenge.get("algorithm") {
            None => DigestAlgorithm::Md5,
            Some(name) => DigestAlgorithm::named(name)?,
        };
        let qop = match challenge.get("qop") {
            None => false,
            Some(list) if list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return None,
        };
        let space = Self {
            proxy,
            realm: challenge.get("realm")?.to_owned(),
            nonce: challenge.get("nonce")?.to_owned(),
            opaque: challenge.get("opaque").map(str::to_owned),
            algorithm,
            qop,
            nonce_count: 0,
            answered: false,
        };
        Some((space, challenge.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"))))
    }

    fn header(&mut self, credentials: &Credentials, method: &str, uri: &str, cnonce: &str) -> (String, String) {
        self.nonce_count = self.nonce_count.saturating_add(1);
        let nc = format!("{:08x}", self.nonce_count);
        let ha1 = ha1(self.algorithm, &credentials.username, &self.realm, &credentials.password);
        let qop = self.qop.then_some((nc.as_str(), cnonce, "auth"));
        let response = response(self.algorithm, &ha1, &self.nonce, qop, method, uri);
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\", algorithm={}",
            quoted(&credentials.username),
            quoted(&self.realm),
            quoted(&self.nonce),
            self.algorithm.name()
        );
        if self.qop {
            value.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\""));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque=\"{}\"", quoted(opaque)));
        }
        let name = if self.proxy { "Proxy-Authorization" } else { "Authorization" };
        (name.to_owned(), value)
    }
}

impl DigestAlgorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Md5, Self::Sha256].into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    fn hex_of(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 => hex(&Sha256::digest(text.as_bytes())),
        }
    }
}

fn ha1(algorithm: DigestAlgorithm, username: &str, realm: &str, password: &str) -> String {
    algorithm.hex_of(&format!("{username}:{realm}:{password}"))
}

/// RFC 7616 §3.4.1; without qop that of RFC 2069.
fn response(
    algorithm: DigestAlgorithm,
    ha1: &str,
    nonce: &str,
    qop: Option<(&str, &str, &str)>,
    method: &str,
    uri: &str,
) -> String {
    let ha2 = algorithm.hex_of(&format!("{method}:{uri}"));
    match qop {
        Some((nc, cnonce, qop)) => algorithm.hex_of(&format!("{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}")),
        None => algorithm.hex_of(&format!("{ha1}:{nonce}:{ha2}")),
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

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
    let expected = response(algorithm, &ha1, credentials.get("nonce")?, Some(qop), method, credentials.get("uri")?);
    let given = credentials.get("response")?.to_ascii_lowercase();
    bool::from(expected.as_bytes().ct_eq(given.as_bytes())).then(|| username.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn with_headers<T>(fields: &str, then: impl FnOnce(&Headers<'_>) -> T) -> T {
        let text = format!("SIP/2.0 401 Unauthorized\r\n{fields}\r\n\r\n");
        let Ok(Message::Response(response)) = Message::parse(text.as_bytes()) else { panic!("{text}") };
        then(&response.headers)
    }

    fn authenticator() -> Authenticator {
        Authenticator::new(Some(Credentials { username: "Mufasa".into(), password: "Circle of Life".into() }))
    }

    fn header(authenticator: &mut Authenticator) -> String {
        authenticator.headers("GET", "/dir/index.html", || "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ".into())[0]
            .1
            .clone()
    }

    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        // §3.9.1
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let mut authenticator = authenticator();
            let field = format!(
                "WWW-Authenticate: Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, nonce=\"{nonce}\""
            );
            assert!(with_headers(&field, |headers| authenticator.challenged(401, headers)));
            let value = header(&mut authenticator);
            assert!(value.contains(&format!("response=\"{response}\"")), "{value}");
            assert!(value.contains("nc=00000001") && value.contains("qop=auth,"), "{value}");
            assert!(header(&mut authenticator).contains("nc=00000002"));
        }
    }

    #[test]
    fn the_topmost_supported_challenge_is_answered() {
        let mut authenticator = authenticator();
        let fields = "WWW-Authenticate: Digest realm=\"r\", nonce=\"1\", algorithm=SHA-512-256\r\n\
            WWW-Authenticate: Digest realm=\"r\", nonce=\"2\", algorithm=SHA-256\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"3\"";
        assert!(with_headers(fields, |headers| authenticator.challenged(401, headers)));
        let value = header(&mut authenticator);
        assert!(
            value.contains("nonce=\"2\"") && value.contains("algorithm=SHA-256") && !value.contains("qop"),
            "{value}"
        );
    }

    #[test]
    fn refused_credentials_are_not_sent_again() {
        let challenge =
            |nonce: &str, more: &str| format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\"{more}");
        let mut authenticator = authenticator();
        let mut challenged =
            |nonce, more| with_headers(&challenge(nonce, more), |headers| authenticator.challenged(401, headers));
        assert!(challenged("1", ""));
        assert!(challenged("2", ", stale=true"));
        assert!(!challenged("3", ""));
        assert!(!with_headers(&challenge("1", ""), |headers| { Authenticator::new(None).challenged(401, headers) }));
    }

    #[test]
    fn a_nonce_of_an_earlier_request_may_age_without_stale() {
        let challenge = |nonce: &str| format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\"");
        let mut authenticator = authenticator();
        assert!(with_headers(&challenge("1"), |headers| authenticator.challenged(401, headers)));
        authenticator.succeeded();
        assert!(with_headers(&challenge("2"), |headers| authenticator.challenged(401, headers)));
        assert!(!with_headers(&challenge("2"), |headers| authenticator.challenged(401, headers)));
    }

    #[test]
    fn our_challenges_are_met_by_our_answers_until_the_nonce_is_old() {
        let registrar = Registrar {
            realm: "trunk \"x\"".into(),
            users: vec![("Mufasa".into(), "Circle of Life".into())],
            algorithms: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5],
        };
        let (start, source) = (Instant::now(), "192.0.2.9".parse().unwrap());
        let mut challenger = Challenger::new([7; 32]);
        let challenges = challenger.challenges(start, &registrar, source, false);
        let fields = challenges.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\r\n");
        let mut authenticator = authenticator();
        assert!(with_headers(&fields, |headers| authenticator.challenged(401, headers)));
        let (name, value) = authenticator.headers("REGISTER", "sip:x", || "c".into()).remove(0);
        let field = format!("{name}: {value}");
        let mut verify = |at, source, method| {
            with_headers(&field, |headers| challenger.verify(at, &registrar, source, method, headers))
        };
        assert_eq!(verify(start, source, "REGISTER"), Verdict::Passed("Mufasa".into()));
        assert_eq!(verify(start, source, "INVITE"), Verdict::Challenge { stale: false });
        assert_eq!(verify(start, "192.0.2.10".parse().unwrap(), "REGISTER"), Verdict::Challenge { stale: false });
        let later = start + NONCE_LIFETIME + Duration::from_millis(1);
        assert_eq!(verify(later, source, "REGISTER"), Verdict::Challenge { stale: true });
    }
}
