//! What the machine tells the shell, and the names it uses.

use std::net::SocketAddr;
use std::time::Duration;

use crate::sdp::SessionDescription;
use crate::{CallerIdentity, Disposition, Flow};

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
        /// What it says of the caller beside From. Only a trunk is to be believed.
        caller: CallerIdentity,
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
    /// (`None`) the answer carries a fresh offer of ours. It may come before the call is answered, in a PRACK or
    /// an early UPDATE.
    Offer {
        /// The call.
        session: SessionId,
        /// Their offer.
        offer: Option<SessionDescription>,
    },
    /// Our own re-INVITE or UPDATE ended: their answer, or `None` if refused (the session stays as it was) or if
    /// the UPDATE made no offer. Also unasked, with what they now describe, when the answer to a session refresh
    /// differs from what stood, and when a PRACK answers our offer in a provisional response.
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
    /// An INFO of ours has its final answer, so that the next may follow.
    InfoAnswered {
        /// The call.
        session: SessionId,
        /// Status code; `None` when there was no answer or no way to send it.
        status: Option<u16>,
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
    /// A registrar sees us elsewhere than we thought: our Contact there, and in INVITEs by that registration, is this.
    AddressLearnt {
        /// Which.
        registration: RegistrationId,
        /// Over a connection, with the port on which we listen.
        address: SocketAddr,
    },
    /// Somebody else has registered as us: calls may go there as well. Told once.
    ForeignBinding {
        /// Which.
        registration: RegistrationId,
        /// The other's Contact URI.
        contact: String,
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
    /// The next hop of a call is a name, or wants another transport, or is that of a redirection: look it up and say
    /// `located`. So it is with a stream for a request that is too long for a datagram, to an address with
    /// `transport=tcp`. What is to be sent there waits, for 5 s at most; it may be the last of a call that has `Ended`.
    Locate {
        /// The call.
        session: SessionId,
        /// The URI, for `locate::Locate`.
        uri: String,
    },
    /// A hop of an INVITE or REGISTER of ours failed; whether or not there is another. OPTIONS say so themselves.
    TargetFailed {
        /// The path that was tried.
        flow: Flow,
        /// In a static phrase.
        why: &'static str,
        /// From a 503: how long to leave it alone.
        retry_after: Option<Duration>,
    },
    /// A hop that had failed has answered a request.
    TargetAnswered {
        /// The path by which it answered.
        flow: Flow,
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
        /// What all that, and a Retry-After, says of the next try.
        disposition: Disposition,
    },
    /// Our INVITE got no answer at all (Timer B) or could not be sent.
    Unanswered {
        /// `"timeout"`, `"unreachable"`, `"connection lost"` or what [`Input::Closed`](crate::Input::Closed) said, …
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

/// One INVITE session, ours or theirs, from the first message to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One registration of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationId(pub u64);
