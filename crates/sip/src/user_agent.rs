//! [`UserAgent`]: the one public machine. It owns every transaction, dialog and registration.

use std::time::{Duration, Instant};

use crate::sdp::SessionDescription;
use crate::{Flow, Transmit};

/// What a user agent is, apart from the calls it makes.
#[derive(Debug, Clone)]
pub struct Config {
    /// `User-Agent` in requests, `Server` in responses.
    pub user_agent: String,
    /// RFC 3261 §17 timer values.
    pub timers: Timers,
    /// When set, REGISTER and INVITE are challenged and REGISTER is accepted: the far end of a trunk.
    pub registrar: Option<Registrar>,
}

/// RFC 3261 table 4.
#[derive(Debug, Clone, Copy)]
pub struct Timers {
    /// Round-trip estimate, 500 ms.
    pub t1: Duration,
    /// Longest retransmission interval, 4 s.
    pub t2: Duration,
    /// Longest time a message stays in the network, 5 s.
    pub t4: Duration,
}

/// A digest-protected registrar for a simulated trunk (RFC 3261 §10.3, RFC 7616).
#[derive(Debug, Clone)]
pub struct Registrar {
    /// Digest realm.
    pub realm: String,
    /// User name → password.
    pub users: Vec<(String, String)>,
    /// Algorithms offered, best first.
    pub algorithms: Vec<DigestAlgorithm>,
}

/// Digest algorithms (RFC 8760).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// `MD5`
    Md5,
    /// `SHA-256`
    Sha256,
}

/// Who we are to a challenge.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password; never printed.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.username)
    }
}

/// What the shell tells the machine.
#[derive(Debug)]
pub enum Input<'a> {
    /// One datagram arrived.
    Received {
        /// Its path.
        flow: Flow,
        /// Its bytes.
        payload: &'a [u8],
    },
    /// The time asked for by [`UserAgent::poll_timeout`] has come (late or repeated is harmless).
    Timeout,
    /// The network refused a message on this path (ICMP, no route).
    Unreachable {
        /// The path.
        flow: Flow,
    },
}

/// The next moment at which the machine wants [`Input::Timeout`], and which timer that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// For example `"Timer B (INVITE timeout)"`.
    pub timer: &'static str,
}

/// One INVITE session, ours or theirs, from the first message to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One registration of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationId(pub u64);

/// A REGISTER to send and keep fresh.
#[derive(Debug, Clone)]
pub struct Register {
    /// The path to the registrar.
    pub flow: Flow,
    /// Request-URI, such as `sip:trunk.test`.
    pub registrar: String,
    /// Address of record, such as `sip:gateway@trunk.test`.
    pub address_of_record: String,
    /// User part of our Contact.
    pub contact_user: String,
    /// For the challenge.
    pub credentials: Option<Credentials>,
    /// How long to ask for; the granted time rules.
    pub expires: Duration,
}

/// An INVITE to send.
#[derive(Debug, Clone)]
pub struct Invite {
    /// The path to the next hop.
    pub flow: Flow,
    /// Request-URI and To: `sip:+15550100@trunk.test`.
    pub request_uri: String,
    /// From, such as `sip:+15550199@trunk.test`.
    pub from: String,
    /// Display name in From.
    pub display_name: Option<String>,
    /// User part of our Contact.
    pub contact_user: String,
    /// For challenges on this call only.
    pub credentials: Option<Credentials>,
    /// Our offer.
    pub offer: SessionDescription,
    /// Further header fields.
    pub headers: Vec<(String, String)>,
}

/// What the machine tells the shell.
#[derive(Debug)]
pub enum Event {
    /// A new INVITE, its offer parsed; answer with `progress`, `answer` or `reject`.
    Incoming {
        /// Its session.
        session: SessionId,
        /// Whence.
        flow: Flow,
        /// Request-URI as text.
        request_uri: String,
        /// From URI as text.
        from: String,
        /// From display name.
        display_name: Option<String>,
        /// To URI as text.
        to: String,
        /// Their Call-ID.
        call_id: String,
        /// The offer; `None` means we offer in the answer (late offer).
        offer: Option<SessionDescription>,
    },
    /// A 1xx above 100 for our INVITE.
    Progress {
        /// Our call.
        session: SessionId,
        /// Status code.
        status: u16,
        /// Reason phrase as sent.
        reason: String,
        /// Early media.
        description: Option<SessionDescription>,
    },
    /// Our INVITE was answered; the ACK is already on its way.
    Answered {
        /// Our call.
        session: SessionId,
        /// Status code.
        status: u16,
        /// Reason phrase as sent.
        reason: String,
        /// Their answer.
        description: SessionDescription,
    },
    /// The ACK for our 2xx arrived (with their answer, when we offered).
    Acknowledged {
        /// Their call.
        session: SessionId,
        /// Answer to a late offer.
        description: Option<SessionDescription>,
    },
    /// A re-INVITE or UPDATE with an offer: `answer_offer` or `reject_offer` it. Without an offer
    /// (`None`) the answer carries a fresh offer of ours.
    Offer {
        /// The call.
        session: SessionId,
        /// Their offer.
        offer: Option<SessionDescription>,
    },
    /// Our own re-INVITE ended: their answer, or `None` if refused (the session stays as it was).
    OfferAnswered {
        /// The call.
        session: SessionId,
        /// Status code.
        status: u16,
        /// Their answer.
        description: Option<SessionDescription>,
    },
    /// An INFO inside the call, already answered 200.
    Info {
        /// The call.
        session: SessionId,
        /// `application/dtmf-relay`, `application/dtmf`, …
        content_type: String,
        /// Its body.
        body: Vec<u8>,
    },
    /// The session is over and nothing more follows for it.
    Ended {
        /// The call.
        session: SessionId,
        /// Why.
        end: SessionEnd,
    },
    /// A registration was granted or refreshed.
    Registered {
        /// Which.
        registration: RegistrationId,
        /// Granted time.
        expires: Duration,
    },
    /// A registration attempt failed; the machine tries again on its own unless it is final.
    RegistrationFailed {
        /// Which.
        registration: RegistrationId,
        /// The peer's answer; `None` for silence.
        status: Option<u16>,
        /// Its reason phrase, or our own words.
        reason: String,
        /// When it tries again; `None` for never (403, refused credentials).
        retry_in: Option<Duration>,
    },
    /// A registration was removed by us.
    Unregistered {
        /// Which.
        registration: RegistrationId,
    },
    /// Somebody registered with our registrar.
    Bound {
        /// The authenticated user.
        username: String,
        /// The path by which to reach it.
        flow: Flow,
        /// Its Contact URI.
        contact: String,
    },
    /// An answer to `options`, or `None` for silence.
    OptionsAnswered {
        /// The path asked.
        flow: Flow,
        /// Status code.
        status: Option<u16>,
    },
    /// A message that was dropped or refused; for the log and counters, at most one a message.
    Discarded {
        /// Whence.
        flow: Flow,
        /// Why, in a static phrase.
        why: &'static str,
    },
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// Our INVITE got a final refusal (3xx to 6xx).
    Rejected {
        /// Status code, never remapped.
        status: u16,
        /// Reason phrase as sent.
        reason: String,
        /// `Reason` header (RFC 3326), as sent.
        reason_header: Option<String>,
    },
    /// Our INVITE got no answer at all (Timer B) or could not be sent.
    Unanswered {
        /// `"timeout"`, `"unreachable"`, …
        why: &'static str,
    },
    /// We gave up (CANCEL, BYE or a refusal of ours).
    Local,
    /// They canceled before we answered.
    Canceled {
        /// `Reason` header, as sent.
        reason_header: Option<String>,
    },
    /// They hung up.
    Bye {
        /// `Reason` header, as sent.
        reason_header: Option<String>,
    },
    /// The dialog failed: no ACK, 481, 408, an unusable answer.
    Failed {
        /// Status code if there was one.
        status: Option<u16>,
        /// In a static phrase.
        why: &'static str,
    },
}

/// A command for a session that is not in a state for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongState {
    /// What was asked.
    pub command: &'static str,
}

/// A SIP user agent.
///
/// After each call drain [`poll_transmit`](Self::poll_transmit) and
/// [`poll_event`](Self::poll_event), then sleep until [`poll_timeout`](Self::poll_timeout).
/// Commands return the id at once; their outcome is an event.
#[derive(Debug)]
pub struct UserAgent {
    _todo: (),
}

#[allow(missing_docs, unused_variables)]
impl UserAgent {
    pub fn new(config: Config, seed: [u8; 32]) -> Self { todo!() }
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) { todo!() }
    pub fn poll_timeout(&self) -> Option<Deadline> { todo!() }
    pub fn poll_transmit(&mut self) -> Option<Transmit> { todo!() }
    pub fn poll_event(&mut self) -> Option<Event> { todo!() }

    pub fn register(&mut self, now: Instant, register: Register) -> RegistrationId { todo!() }
    /// Removes the binding; `Event::Unregistered` follows.
    pub fn unregister(&mut self, now: Instant, registration: RegistrationId) { todo!() }
    pub fn invite(&mut self, now: Instant, invite: Invite) -> SessionId { todo!() }
    /// 180, or 183 with early media.
    pub fn progress(&mut self, now: Instant, session: SessionId, status: u16, description: Option<SessionDescription>) -> Result<(), WrongState> { todo!() }
    /// 200 to an `Incoming`; retransmitted until its ACK.
    pub fn answer(&mut self, now: Instant, session: SessionId, description: SessionDescription) -> Result<(), WrongState> { todo!() }
    /// A final refusal of an `Incoming`.
    pub fn reject(&mut self, now: Instant, session: SessionId, status: u16, headers: Vec<(String, String)>) -> Result<(), WrongState> { todo!() }
    /// Ends a session in whatever way its state asks: CANCEL, BYE, 603 or 487. `Event::Ended` follows.
    pub fn hang_up(&mut self, now: Instant, session: SessionId) { todo!() }
    /// A re-INVITE of ours; `OfferAnswered` follows.
    pub fn offer(&mut self, now: Instant, session: SessionId, offer: SessionDescription) -> Result<(), WrongState> { todo!() }
    pub fn answer_offer(&mut self, now: Instant, session: SessionId, description: SessionDescription) -> Result<(), WrongState> { todo!() }
    pub fn reject_offer(&mut self, now: Instant, session: SessionId, status: u16) -> Result<(), WrongState> { todo!() }
    pub fn info(&mut self, now: Instant, session: SessionId, content_type: &str, body: &[u8]) -> Result<(), WrongState> { todo!() }
    pub fn options(&mut self, now: Instant, flow: Flow, uri: &str) { todo!() }
    /// Sessions that have not ended.
    pub fn session_count(&self) -> usize { todo!() }
    /// While true, every new INVITE outside a dialog is refused with 503 and this Retry-After.
    pub fn refuse_new(&mut self, retry_after: Option<Duration>) { todo!() }
}
