//! [`UserAgent`]: the one public machine. It owns every transaction, dialog and registration.

mod addressed;
mod input;
mod registrar;
mod requests;
mod responses;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::core::Core;
use crate::deadlines::Waiting;
use crate::dialog::{Invite, InviteSession};
use crate::message::{self, Message, Uri};
use crate::registration::{Register, Registration};
use crate::route::Route;
use crate::sdp::SessionDescription;
use crate::transaction::{Owner, TransactionKey};
use crate::{Config, Event, Flow, Hop, Registrar, RegistrationId, SessionEnd, SessionId, Transmit};

pub use input::{Deadline, Input, WrongState};

/// Methods allowed, for Allow.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK";
/// Extensions understood when others require them.
pub(crate) const UNDERSTOOD: [&str; 2] = ["timer", "100rel"];

/// A SIP user agent.
///
/// After each call drain [`poll_transmit`](Self::poll_transmit) and
/// [`poll_event`](Self::poll_event), then sleep until [`poll_timeout`](Self::poll_timeout).
/// Commands return the id at once; their outcome is an event.
#[derive(Debug)]
pub struct UserAgent {
    core: Core,
    sessions: BTreeMap<SessionId, Box<InviteSession>>,
    /// By our tag, which no two have in common: the forks of one INVITE of ours are one session. Only looked up.
    dialogs: HashMap<String, SessionId>,
    registrations: BTreeMap<RegistrationId, Registration>,
    next_id: u64,
    /// Retry-After of the 503 that every new INVITE gets.
    refusing: Option<Duration>,
}

// The machine's contract.
impl UserAgent {
    /// A user agent; all its randomness comes from the seed.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            core: Core::new(config, seed),
            sessions: BTreeMap::new(),
            dialogs: HashMap::new(),
            registrations: BTreeMap::new(),
            next_id: 0,
            refusing: None,
        }
    }

    /// Takes what happened. Time never goes backwards.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Received { flow, payload } => self.handle_datagram(now, flow, payload, None),
            Input::Guarded { flow, payload, realm } => self.handle_datagram(now, flow, payload, Some(realm)),
            Input::Timeout => self.handle_timeout(now),
            Input::Unreachable { flow } => self.handle_unreachable(now, flow),
            Input::Closed { flow, why } => self.handle_closed(now, flow, why),
        }
    }

    /// When to call again with [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.core.deadlines.next()
    }

    /// What to send next.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.core.transmits.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.core.events.pop_front()
    }
}

// Commands.
impl UserAgent {
    /// Registers, and keeps the binding fresh.
    pub fn register(&mut self, now: Instant, register: Register) -> RegistrationId {
        let id = RegistrationId(self.take_id());
        let Some(route) = Route::new(register.hops.clone()) else {
            let reason = "nowhere to send it".to_owned();
            let failed = Event::RegistrationFailed { registration: id, status: None, reason, retry_in: None };
            self.core.emit(failed);
            return id;
        };
        let registration = Registration::start(&mut self.core, now, id, register, route);
        self.registrations.insert(id, registration);
        self.settle_registration(id);
        id
    }

    /// Other hops for a registration, from its next refresh or retry on.
    pub fn reroute(&mut self, registration: RegistrationId, hops: Vec<Hop>) {
        if let Some(known) = self.registrations.get_mut(&registration) {
            known.reroute(hops);
        }
    }

    /// Removes the binding; `Event::Unregistered` follows.
    pub fn unregister(&mut self, now: Instant, registration: RegistrationId) {
        match self.registrations.get_mut(&registration) {
            Some(known) => known.unregister(&mut self.core, now),
            None => self.core.emit(Event::Unregistered { registration }),
        }
        self.settle_registration(registration);
    }

    /// Calls somebody.
    pub fn invite(&mut self, now: Instant, invite: Invite) -> SessionId {
        let id = SessionId(self.take_id());
        let route = Route::new(invite.hops.clone());
        let obstacle = if self.core.live_sessions >= self.core.config.max_sessions {
            Some("too many sessions")
        } else if invite.uris().any(|uri| Uri::parse(uri).is_err()) {
            Some("not a URI")
        } else {
            None
        };
        let (Some(route), None) = (route, obstacle) else {
            let why = obstacle.unwrap_or("nowhere to send it");
            self.core.emit(Event::Ended { session: id, end: SessionEnd::Unanswered { why } });
            return id;
        };
        let registration = invite.registration.and_then(|id| self.registrations.get(&id));
        let way = registration.map(Registration::way).unwrap_or_default();
        let session = InviteSession::call(&mut self.core, now, id, invite, route, way);
        self.keep(id, session);
        self.settle_session(id);
        id
    }

    fn keep(&mut self, id: SessionId, session: InviteSession) {
        self.dialogs.insert(session.local_tag().to_owned(), id);
        self.sessions.insert(id, Box::new(session));
    }

    /// 180, or 183 with early media.
    pub fn progress(
        &mut self,
        now: Instant,
        session: SessionId,
        status: u16,
        description: Option<SessionDescription>,
    ) -> Result<(), WrongState> {
        self.command(session, "progress", |session, core| session.progress(core, now, status, description))
    }

    /// 200 to an `Incoming`; retransmitted until its ACK. It waits for the PRACK of a description in `progress`, and
    /// does not repeat it.
    pub fn answer(
        &mut self,
        now: Instant,
        session: SessionId,
        description: SessionDescription,
    ) -> Result<(), WrongState> {
        self.command(session, "answer", |session, core| session.answer(core, now, description))
    }

    /// A final refusal of an `Incoming`.
    pub fn reject(
        &mut self,
        now: Instant,
        session: SessionId,
        status: u16,
        headers: Vec<(String, String)>,
    ) -> Result<(), WrongState> {
        self.command(session, "reject", |session, core| session.reject(core, now, status, headers))
    }

    /// Ends a session in whatever way its state asks: CANCEL, BYE, 603 or 487. `Event::Ended` follows.
    ///
    /// It follows at once: what the peer still has to say is dealt with here.
    pub fn hang_up(&mut self, now: Instant, session: SessionId) {
        self.end(now, session, None);
    }

    /// The same with a Reason (RFC 3326) for the BYE or CANCEL, such as `Q.850;cause=31` or
    /// `SIP;cause=200;text="Call completed elsewhere"`.
    pub fn hang_up_because(&mut self, now: Instant, session: SessionId, reason: &str) {
        self.end(now, session, Some(reason));
    }

    fn end(&mut self, now: Instant, session: SessionId, reason: Option<&str>) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.hang_up(&mut self.core, now, reason);
            self.settle_session(session);
        }
    }

    /// A re-INVITE of ours; `OfferAnswered` follows.
    pub fn offer(&mut self, now: Instant, session: SessionId, offer: SessionDescription) -> Result<(), WrongState> {
        self.command(session, "offer", |session, core| session.offer(core, now, offer))
    }

    /// An UPDATE of ours (RFC 3311), with or without an offer; `OfferAnswered` follows.
    pub fn update(
        &mut self,
        now: Instant,
        session: SessionId,
        offer: Option<SessionDescription>,
    ) -> Result<(), WrongState> {
        self.command(session, "update", |session, core| session.update(core, now, offer))
    }

    /// 200 to an `Offer`, with our answer, or with our offer when theirs was `None`.
    pub fn answer_offer(
        &mut self,
        now: Instant,
        session: SessionId,
        description: SessionDescription,
    ) -> Result<(), WrongState> {
        self.command(session, "answer_offer", |session, core| session.answer_offer(core, now, description))
    }

    /// A refusal of an `Offer`, such as 488; the session stays as it was.
    pub fn reject_offer(&mut self, now: Instant, session: SessionId, status: u16) -> Result<(), WrongState> {
        self.command(session, "reject_offer", |session, core| session.reject_offer(core, now, status))
    }

    /// An INFO within the call, such as a digit as `application/dtmf-relay`.
    pub fn info(
        &mut self,
        now: Instant,
        session: SessionId,
        content_type: &str,
        body: &[u8],
    ) -> Result<(), WrongState> {
        self.command(session, "info", |session, core| session.info(core, now, content_type, body))
    }

    /// Where the name of an `Event::Locate` leads; `None` leaves the call to the path that it has.
    pub fn located(&mut self, now: Instant, session: SessionId, uri: &str, flow: Option<Flow>) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.located(&mut self.core, now, uri, flow);
            self.settle_session(session);
        }
    }

    /// Asks whether somebody is there; `OptionsAnswered` follows.
    pub fn options(&mut self, now: Instant, flow: Flow, uri: &str) {
        let from = format!("<sip:{}>", flow.local);
        let request = crate::options::options(&mut self.core, &flow, uri, &from);
        self.core.start(now, flow, request, Owner::Options);
    }

    /// The Call-ID of a session (RFC 3261 §20.8); `None` once it is forgotten.
    pub fn call_id(&self, session: SessionId) -> Option<&str> {
        self.sessions.get(&session).map(|session| session.call_id())
    }

    /// Sessions that have not ended.
    pub fn session_count(&self) -> usize {
        self.core.live_sessions
    }

    /// Transactions that still wait for something: 0 when nothing remains to be sent or absorbed.
    pub fn transaction_count(&self) -> usize {
        self.core.table.clients.len() + self.core.table.servers.len()
    }

    /// While true, every new INVITE outside a dialog is refused with 503 and this Retry-After.
    pub fn refuse_new(&mut self, retry_after: Option<Duration>) {
        self.refusing = retry_after;
    }

    fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn command(
        &mut self,
        id: SessionId,
        command: &'static str,
        run: impl FnOnce(&mut InviteSession, &mut Core) -> Result<(), WrongState>,
    ) -> Result<(), WrongState> {
        let session = self.sessions.get_mut(&id).ok_or(WrongState { command })?;
        let outcome = run(session, &mut self.core);
        self.settle_session(id);
        outcome
    }
}

// Dispatch.
impl UserAgent {
    fn handle_datagram(&mut self, now: Instant, flow: Flow, payload: &[u8], realm: Option<&Registrar>) {
        match Message::parse(payload) {
            Ok(Message::Request(request)) => self.handle_request(now, flow, &request, realm),
            Ok(Message::Response(response)) => self.handle_response(now, flow, &response),
            Err(message::Error::KeepAlive) => {}
            Err(message::Error::TooLarge) => self.core.discard(flow, "message too large"),
            Err(message::Error::TooManyHeaders) => self.core.discard(flow, "too many header fields"),
            Err(message::Error::NotSip) => self.core.discard(flow, "not a SIP message"),
            Err(message::Error::MalformedResponse(why)) => self.core.discard(flow, why),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(who) = self.core.deadlines.pop_due(now) {
            match who {
                Waiting::Transaction(key @ TransactionKey::Ours { .. }) => self.handle_client_timeout(now, key),
                Waiting::Transaction(key @ TransactionKey::Theirs(_)) => self.handle_server_timeout(now, key),
                Waiting::Session(id) => {
                    if let Some(session) = self.sessions.get_mut(&id) {
                        session.handle_timeout(&mut self.core, now);
                        self.settle_session(id);
                    }
                }
                Waiting::Registration(id) => {
                    if let Some(registration) = self.registrations.get_mut(&id) {
                        registration.handle_timeout(&mut self.core, now);
                        self.settle_registration(id);
                    }
                }
            }
        }
    }

    /// After anything that touched a session: its deadline is noted, and it is forgotten when it is finished.
    fn settle_session(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        if session.is_finished() {
            self.dialogs.remove(session.local_tag());
            self.sessions.remove(&id);
            self.core.deadlines.set(Waiting::Session(id), None);
        } else {
            self.core.deadlines.set(Waiting::Session(id), session.deadline());
        }
    }

    fn settle_registration(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get(&id) else {
            return;
        };
        self.core.deadlines.set(Waiting::Registration(id), registration.deadline());
        if registration.is_done() {
            self.registrations.remove(&id);
        }
    }
}
