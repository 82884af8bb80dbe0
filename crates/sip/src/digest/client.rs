//! Our answers to challenges, and the nonces each trunk gave us (RFC 7616 §3.4, RFC 3261 §22.2).

use std::net::IpAddr;

use super::{ha1, quoted, response};
use crate::message::headers::{AuthParams, HeaderName, Headers, auth_values};
use crate::{Credentials, DigestAlgorithm};

/// Trunks whose nonces are remembered; beyond it the one longest unused is forgotten.
const MAX_TRUNKS: usize = 64;
/// Protection spaces of one trunk: one for each realm and kind (401, 407).
const MAX_SPACES: usize = 4;
/// How often one request is sent again for a challenge, `stale` included.
const MAX_ATTEMPTS: u32 = 4;

/// What the trunks gave us, so that later requests need no challenge (RFC 3261 §22.3). A trunk is an address and the
/// credentials used there: what one of them gave is never shown to another.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    trunks: Vec<Trunk>,
}

#[derive(Debug)]
struct Trunk {
    address: IpAddr,
    credentials: Credentials,
    spaces: Vec<Space>,
}

/// Our side of the challenges of one call or registration.
#[derive(Debug)]
pub(crate) struct Authenticator {
    /// Whom alone they are for.
    identity: Option<Identity>,
    /// Answers to challenges since the last success.
    attempts: u32,
    /// Realms whose challenge to the request in hand has been answered.
    answered: Vec<(bool, String)>,
    /// The nonces that the request in hand used.
    used: Vec<String>,
}

/// A trunk: its addresses, of which the lowest names it to the keyring, and who we are there.
#[derive(Debug)]
struct Identity {
    addresses: Vec<IpAddr>,
    credentials: Credentials,
}

/// Whose challenges are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Realms {
    /// Whatever comes from the trunk; its credentials may name one realm.
    Any,
    /// Within a call only what the trunk has asked for before: its kind, realm and algorithm. And no 401 where it has asked
    /// with 407, as a proxy does: that is the callee's, passed on.
    Known,
}

/// The parts of a request that its credentials cover.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Covered<'a> {
    pub method: &'a str,
    pub uri: &'a str,
    pub body: &'a [u8],
}

/// One protection space (RFC 7235 §2.2) and the nonce it gave us.
#[derive(Debug)]
struct Space {
    proxy: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: DigestAlgorithm,
    /// `-sess`: the first answer makes a session key that later ones keep (RFC 7616 §3.4.2).
    session: bool,
    session_cnonce: Option<String>,
    qop: Option<&'static str>,
    nonce_count: u32,
}

impl Keyring {
    /// The spaces of a trunk, which becomes the one used last.
    fn of(&mut self, address: IpAddr, credentials: &Credentials) -> &mut Vec<Space> {
        let known = self.trunks.iter().position(|trunk| trunk.address == address && trunk.credentials == *credentials);
        let trunk = match known {
            Some(known) => self.trunks.remove(known),
            None => Trunk { address, credentials: credentials.clone(), spaces: Vec::new() },
        };
        if self.trunks.len() >= MAX_TRUNKS {
            self.trunks.remove(0);
        }
        self.trunks.push(trunk);
        let last = self.trunks.len() - 1;
        &mut self.trunks[last].spaces
    }
}

impl Identity {
    fn named(&self) -> Option<(IpAddr, &Credentials)> {
        Some((*self.addresses.first()?, &self.credentials))
    }
}

impl Authenticator {
    /// For requests to these addresses, all of one trunk.
    pub fn new(mut addresses: Vec<IpAddr>, credentials: Option<Credentials>) -> Self {
        addresses.sort_unstable();
        let identity = credentials.map(|credentials| Identity { addresses, credentials });
        Self { identity, attempts: 0, answered: Vec::new(), used: Vec::new() }
    }

    /// For the calls of others: there is nothing to give away.
    pub fn without_credentials() -> Self {
        Self { identity: None, attempts: 0, answered: Vec::new(), used: Vec::new() }
    }

    /// Whether credentials may go to this address at all.
    pub fn is_for(&self, address: IpAddr) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.addresses.contains(&address))
    }

    /// Takes the challenges of a 401 or 407; whether it makes sense to send the request again.
    ///
    /// Credentials that were refused are never sent again: a second challenge for the same request is answered
    /// only when it says `stale` with another nonce, or when the first try used a nonce of an earlier request.
    pub fn challenged(&mut self, keyring: &mut Keyring, status: u16, headers: &Headers<'_>, realms: Realms) -> bool {
        let Some((address, credentials)) = self.identity.as_ref().and_then(Identity::named) else {
            return false;
        };
        if self.attempts >= MAX_ATTEMPTS {
            return false;
        }
        let spaces = keyring.of(address, credentials);
        let proxy = status == 407;
        let is_past_proxy = !proxy && spaces.iter().any(|space| space.proxy);
        let is_answered = |asked: &Space| match realms {
            Realms::Any => credentials.realms.is_empty() || credentials.realms.contains(&asked.realm),
            Realms::Known => !is_past_proxy && spaces.iter().any(|known| known.is_same(asked)),
        };
        let name = if proxy { HeaderName::ProxyAuthenticate } else { HeaderName::WwwAuthenticate };
        // RFC 8760 §2.4: of each realm the topmost challenge that we support.
        let mut chosen: Vec<(Space, bool)> = Vec::new();
        for challenge in headers.all(name).flat_map(auth_values) {
            if let Some(found) = Space::of(proxy, &challenge)
                && chosen.len() < MAX_SPACES
                && is_answered(&found.0)
                && chosen.iter().all(|(space, _)| space.realm != found.0.realm)
            {
                chosen.push(found);
            }
        }
        chosen.retain(|(space, stale)| {
            let refused = self.answered.iter().any(|(kind, realm)| *kind == proxy && *realm == space.realm) && !stale;
            !refused && !self.used.contains(&space.nonce)
        });
        if chosen.is_empty() {
            return false;
        }
        for (space, _) in chosen {
            self.answered.push((proxy, space.realm.clone()));
            let is_same = |known: &Space| known.proxy == proxy && known.realm == space.realm;
            // A nonce given to several requests is counted on, not anew.
            if spaces.iter().any(|known| is_same(known) && known.nonce == space.nonce) {
                continue;
            }
            spaces.retain(|known| !is_same(known));
            if spaces.len() >= MAX_SPACES {
                spaces.remove(0);
            }
            spaces.push(space);
        }
        self.attempts += 1;
        true
    }

    /// The request was accepted: what comes next is another request, whose nonces may have aged. The answer may
    /// bring the next one (RFC 7616 §3.5).
    pub fn succeeded(&mut self, keyring: &mut Keyring, headers: &Headers<'_>) {
        self.start_anew();
        let Some((address, credentials)) = self.identity.as_ref().and_then(Identity::named) else {
            return;
        };
        for (proxy, name) in [(false, HeaderName::AuthenticationInfo), (true, HeaderName::ProxyAuthenticationInfo)] {
            let Some(info) = headers.first(name) else { continue };
            let params = auth_values(&[b"Digest ", info].concat());
            let next = params.first().and_then(|params| params.get("nextnonce")).filter(|next| !next.is_empty());
            let spaces = keyring.of(address, credentials);
            if let (Some(next), Some(space)) = (next, spaces.iter_mut().rev().find(|space| space.proxy == proxy)) {
                space.renew(next);
            }
        }
    }

    /// Whatever became of the last request, the next one is another.
    pub fn start_anew(&mut self) {
        self.attempts = 0;
        self.answered.clear();
        self.used.clear();
    }

    /// The header fields for a request, counting each nonce up: also for one that nobody has challenged yet.
    pub fn headers(&mut self, keyring: &mut Keyring, covered: Covered<'_>, cnonce: &str) -> Vec<(String, String)> {
        let Some((address, credentials)) = self.identity.as_ref().and_then(Identity::named) else {
            return Vec::new();
        };
        let spaces = keyring.of(address, credentials);
        // What the request before this one used says nothing about this one's.
        self.used = spaces.iter().map(|space| space.nonce.clone()).collect();
        spaces.iter_mut().map(|space| space.header(credentials, covered, cnonce)).collect()
    }
}

impl Space {
    /// The space and whether the challenge said `stale`; `None` for what we do not support.
    fn of(proxy: bool, challenge: &AuthParams) -> Option<(Self, bool)> {
        let name = challenge.get("algorithm").unwrap_or("MD5");
        let plain = name
            .len()
            .checked_sub(SESSION.len())
            .filter(|at| name.get(*at..).is_some_and(|end| end.eq_ignore_ascii_case(SESSION)));
        let algorithm = DigestAlgorithm::named(plain.map_or(name, |end| &name[..end]))?;
        let qop = match challenge.get("qop") {
            None => None,
            // Proxies rewrite bodies, so `auth-int` is for those who offer nothing else.
            Some(list) => {
                let offers = |wanted: &str| list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case(wanted));
                Some(["auth", "auth-int"].into_iter().find(|qop| offers(qop))?)
            }
        };
        let session = plain.is_some();
        if session && qop.is_none() {
            return None;
        }
        let space = Self {
            proxy,
            realm: challenge.get("realm")?.to_owned(),
            nonce: challenge.get("nonce")?.to_owned(),
            opaque: challenge.get("opaque").map(str::to_owned),
            algorithm,
            session,
            session_cnonce: None,
            qop,
            nonce_count: 0,
        };
        Some((space, challenge.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"))))
    }

    /// Whether another nonce is all that differs in what is asked for.
    fn is_same(&self, asked: &Self) -> bool {
        let what = |space: &Self| (space.proxy, space.algorithm, space.session, space.qop);
        what(self) == what(asked) && self.realm == asked.realm
    }

    fn renew(&mut self, nonce: &str) {
        self.nonce = nonce.to_owned();
        self.nonce_count = 0;
        self.session_cnonce = None;
    }

    fn header(&mut self, credentials: &Credentials, covered: Covered<'_>, cnonce: &str) -> (String, String) {
        self.nonce_count = self.nonce_count.saturating_add(1);
        let (algorithm, nonce, nc) = (self.algorithm, &self.nonce, format!("{:08x}", self.nonce_count));
        let mut ha1 = ha1(algorithm, &credentials.username, &self.realm, &credentials.password);
        let mut cnonce = cnonce.to_owned();
        if self.session {
            cnonce.clone_from(self.session_cnonce.get_or_insert(cnonce.clone()));
            ha1 = algorithm.hex_of(format!("{ha1}:{nonce}:{cnonce}"));
        }
        let Covered { method, uri, body } = covered;
        let a2 = match self.qop {
            Some("auth-int") => format!("{method}:{uri}:{}", algorithm.hex_of(body)),
            _ => format!("{method}:{uri}"),
        };
        let qop = self.qop.map(|qop| (nc.as_str(), cnonce.as_str(), qop));
        let response = response(algorithm, &ha1, nonce, qop, &a2);
        let session = if self.session { SESSION } else { "" };
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\", algorithm={}{session}",
            quoted(&credentials.username),
            quoted(&self.realm),
            quoted(nonce),
            algorithm.name()
        );
        if let Some(qop) = self.qop {
            value.push_str(&format!(", qop={qop}, nc={nc}, cnonce=\"{cnonce}\""));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque=\"{}\"", quoted(opaque)));
        }
        let name = if self.proxy { "Proxy-Authorization" } else { "Authorization" };
        (name.to_owned(), value)
    }
}

/// End of the name of an algorithm with a session key.
const SESSION: &str = "-sess";
