//! [`Sdes`]: offer and answer with keys of SRTP in `a=crypto` (RFC 4568).

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

use super::negotiation::{self, Capabilities, Negotiated, Theirs};
use super::{Crypto, CryptoLine, Error, MasterKey, SessionDescription, Suite};

/// Whether a call is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// Never: no key is offered, RTP/SAVP is refused.
    Off,
    /// Where the other side can. We offer RTP/AVP with keys, though RFC 4568 §3 wants RTP/SAVP for them: who knows
    /// `a=crypto` takes a key, who does not ignores it as any unknown attribute, and one INVITE serves both. The
    /// alternative, RTP/SAVP and once more without after a 488, costs a second call attempt on trunks that count them,
    /// and some answer RTP/SAVP with a 4xx that says nothing of media. An offer of theirs is answered with SRTP if it
    /// has a key that we can use.
    Preferred,
    /// Always, or there is no call. We offer RTP/SAVP.
    Required,
}

/// The keys of both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrtpKeys {
    /// Of our packets: the key in our description.
    pub send: MasterKey,
    /// Of their packets: the key in their description; always of the same suite.
    pub receive: MasterKey,
}

/// The keys of one call, and what offers and answers did with them.
///
/// Ours stay the same from description to description until theirs change. Then the answer has a new one, for it may be
/// somebody else who does not know how far we have counted (RFC 4568 §7.1.4). What is refused with an [`Error`] leaves
/// everything as it was.
#[derive(Debug)]
pub struct Sdes {
    policy: SrtpPolicy,
    rng: ChaCha12Rng,
    /// One for each suite, in the order of [`Suite::ALL`].
    ours: [MasterKey; Suite::ALL.len()],
    /// Theirs, latest known.
    theirs: Option<MasterKey>,
    /// The stream has the profile RTP/SAVP.
    is_secure: bool,
    /// Our latest description had it.
    offered_secure: bool,
    /// Tag and suite of our latest answer: a session is refreshed by offering what stands (RFC 4028 §7.4).
    answered: Option<(u32, Suite)>,
    /// The stream went on without SRTP: our keys must not be used again.
    is_spent: bool,
}

impl Sdes {
    /// Keys for one call, drawn from a seed that serves nothing else.
    pub fn new(policy: SrtpPolicy, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let ours = Suite::ALL.map(|suite| MasterKey::draw(suite, &mut rng));
        let is_secure = policy == SrtpPolicy::Required;
        Self { policy, rng, ours, theirs: None, is_secure, offered_secure: is_secure, answered: None, is_spent: false }
    }

    /// Our offer: the suite in use first, then the others.
    pub fn offer(&mut self, capabilities: &Capabilities) -> SessionDescription {
        if self.policy == SrtpPolicy::Off {
            return negotiation::offer(capabilities);
        }
        if self.is_spent {
            self.draw_all();
        }
        self.offered_secure = self.is_secure;
        let protocol = if self.is_secure { "RTP/SAVP" } else { "RTP/AVP" };
        let in_use = self.theirs.as_ref().map(MasterKey::suite);
        let mut lines: Vec<_> = (1..).zip(&self.ours).map(|(tag, key)| Crypto { tag, key: key.clone() }).collect();
        lines.sort_by_key(|crypto| in_use != Some(crypto.key.suite()));
        negotiation::offer_with(capabilities, protocol, lines.into_iter().map(CryptoLine::Usable).collect())
    }

    /// Our answer to an offer, and what the stream became: the first protected stream with a key that we can use;
    /// without one, where the policy lets us, the first that may be unprotected.
    pub fn answer(
        &mut self,
        offer: &SessionDescription,
        capabilities: &Capabilities,
    ) -> Result<(SessionDescription, Negotiated), Error> {
        if self.policy == SrtpPolicy::Off {
            return negotiation::answer(offer, capabilities);
        }
        let streams = negotiation::usable(offer, capabilities);
        let protected = streams.iter().find_map(|theirs| Some((theirs, first_key(theirs)?)));
        if let Some((theirs, crypto)) = protected {
            let key = self.key_against(&crypto.key)?;
            let line = Crypto { tag: crypto.tag, key: key.clone() };
            let keys = SrtpKeys { send: key, receive: crypto.key.clone() };
            self.is_secure = theirs.is_secure;
            self.offered_secure = theirs.is_secure;
            self.answered = Some((line.tag, line.key.suite()));
            return Ok(negotiation::answer_with(offer, capabilities, theirs, Some((line, keys))));
        }
        let plain = streams.iter().find(|theirs| !theirs.is_secure);
        match plain {
            Some(theirs) if self.policy == SrtpPolicy::Preferred => {
                self.go_on_without();
                self.offered_secure = false;
                Ok(negotiation::answer_with(offer, capabilities, theirs, None))
            }
            _ if streams.is_empty() => Err(Error::NoCommonCodec),
            _ => Err(Error::Srtp("no usable key in the offer")),
        }
    }

    /// What the stream became by their answer to our latest offer, or to our latest description offered again.
    pub fn accept(&mut self, capabilities: &Capabilities, answer: &SessionDescription) -> Result<Negotiated, Error> {
        if self.policy == SrtpPolicy::Off {
            return negotiation::accept(capabilities, answer);
        }
        let streams = negotiation::usable(answer, capabilities);
        let theirs = streams.first().ok_or(Error::NoCommonCodec)?;
        if self.offered_secure && !theirs.is_secure {
            return Err(Error::Srtp("RTP/AVP answers RTP/SAVP"));
        }
        let crypto = match theirs.media.cryptos.as_slice() {
            [] if theirs.is_secure || self.policy == SrtpPolicy::Required => {
                return Err(Error::Srtp("no key in the answer"));
            }
            [] => {
                self.go_on_without();
                return Ok(negotiation::accept_with(capabilities, theirs, None));
            }
            [CryptoLine::Usable(crypto)] => crypto,
            [CryptoLine::Unusable] => return Err(Error::Srtp("no usable key in the answer")),
            _ => return Err(Error::Srtp("several keys in the answer")),
        };
        let suite = crypto.key.suite();
        let ours = (1..).zip(&self.ours).find(|(_, ours)| ours.suite() == suite);
        let ours = ours.filter(|(tag, _)| *tag == crypto.tag || self.answered == Some((crypto.tag, suite)));
        let (_, ours) = ours.ok_or(Error::Srtp("the answer takes a key that was not offered"))?;
        let ours = ours.clone();
        if ours == crypto.key {
            return Err(ECHOED);
        }
        self.theirs = Some(crypto.key.clone());
        self.is_secure = theirs.is_secure;
        self.is_spent = false;
        let keys = SrtpKeys { send: ours, receive: crypto.key.clone() };
        Ok(negotiation::accept_with(capabilities, theirs, Some(keys)))
    }

    /// Our key in an answer to theirs.
    fn key_against(&mut self, theirs: &MasterKey) -> Result<MasterKey, Error> {
        if self.ours.contains(theirs) {
            return Err(ECHOED);
        }
        if self.is_spent || self.theirs.as_ref().is_some_and(|known| known != theirs) {
            self.draw_all();
        }
        self.theirs = Some(theirs.clone());
        let ours = self.ours.iter().find(|ours| ours.suite() == theirs.suite());
        ours.cloned().ok_or(Error::Srtp("no key of that suite"))
    }

    fn go_on_without(&mut self) {
        self.is_spent |= self.theirs.take().is_some();
        self.is_secure = false;
    }

    fn draw_all(&mut self) {
        self.ours = Suite::ALL.map(|suite| MasterKey::draw(suite, &mut self.rng));
        self.is_spent = false;
    }
}

/// RFC 3711 §9.1: one key for both directions would encrypt twice with the same stream.
const ECHOED: Error = Error::Srtp("the other side took our key for its own");

/// The first key of a stream that we can use.
fn first_key<'a>(theirs: &Theirs<'a>) -> Option<&'a Crypto> {
    theirs.media.cryptos.iter().find_map(CryptoLine::usable)
}

#[cfg(test)]
mod tests;
