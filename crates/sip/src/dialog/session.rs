//! One INVITE session, from its first message to its last, in either role.
//!
//! ```text
//!   ours     Calling ──2xx──▶ Established ──BYE──▶ Closing
//!             │ ▲└─hang up─▶ Canceling ──────────────▲
//!          3xx│ │host found                          │
//!             ▼ │                                    │
//!          Redirected ──hang up──────────────────────┘
//!   theirs   Ringing ──2xx──▶ Established ──BYE──────┘
//! ```

use std::collections::BTreeSet;
use std::time::Instant;

use super::ack::Ack;
use super::early::Early;
use super::established::Established;
use super::farewell;
use super::incoming::Ringing;
use super::locating::{Held, Locating};
use super::outgoing::{Calling, Canceling};
use super::redirection::{Redirected, Redirection};
use super::remedies::Remedies;
use super::session_timer::SessionTimer;
use super::{Dialog, Lost, Reply};
use crate::core::Core;
use crate::digest::Authenticator;
use crate::message::headers::RAck;
use crate::message::{Method, OutgoingRequest, OutgoingResponse};
use crate::sdp::SessionDescription;
use crate::transaction::{Silence, TransactionKey};
use crate::{Config, Deadline, Event, Flow, SessionEnd, SessionId, WrongState};

/// Content type of a session description.
pub(super) const SDP: &str = "application/sdp";
/// Most requests of one session that are sent again because the transport has lost them.
const MAX_RESENT: u32 = 3;

#[derive(Debug)]
pub(crate) struct InviteSession {
    pub(super) id: SessionId,
    pub(super) dialog: Dialog,
    pub(super) state: State,
    /// Whether we made the Call-ID (RFC 3261 §14.1 gives its owner the longer wait).
    pub(super) ours: bool,
    /// Whether `Event::Ended` is out; what follows is only good manners.
    over: bool,
    pub(super) authenticator: Authenticator,
    pub(super) timer: SessionTimer,
    pub(super) peer_allows_update: bool,
    /// Our description that stands, and theirs.
    pub(super) local: Option<SessionDescription>,
    pub(super) remote: Option<SessionDescription>,
    /// Reason of our BYE or CANCEL, once there is one.
    pub(super) farewell: Option<String>,
    /// Early dialogs of our INVITE, until its transaction is over.
    pub(super) early: Vec<Early>,
    /// A reliable response of ours that had no PRACK before the final one.
    pub(super) unacknowledged: Option<RAck>,
    /// While the shell looks up the next hop.
    pub(super) locating: Option<Locating>,
    /// Where our INVITE has been sent by its answers.
    pub(super) redirection: Redirection,
    /// What our INVITE has been sent again with.
    pub(super) remedies: Remedies,
    /// Requests sent again because the transport has lost them.
    resent: u32,
    /// Our transactions in progress.
    transactions: BTreeSet<TransactionKey>,
    /// The ACKs of the 2xx we got, to be sent again with each repetition.
    pub(super) acks: Vec<Ack>,
}

#[derive(Debug)]
pub(super) enum State {
    Calling(Calling),
    Redirected(Box<Redirected>),
    Canceling(Canceling),
    Ringing(Box<Ringing>),
    Established(Box<Established>),
    /// Over; answers to our last requests may still come, for a while.
    Closing {
        abandon_at: Instant,
    },
}

impl InviteSession {
    pub(super) fn new(
        core: &mut Core,
        id: SessionId,
        dialog: Dialog,
        state: State,
        ours: bool,
        authenticator: Authenticator,
    ) -> Self {
        core.live_sessions += 1;
        Self {
            id,
            dialog,
            state,
            ours,
            over: false,
            authenticator,
            timer: SessionTimer::new(&core.config),
            peer_allows_update: false,
            local: None,
            remote: None,
            farewell: None,
            early: Vec::new(),
            unacknowledged: None,
            locating: None,
            redirection: Redirection::default(),
            remedies: Remedies::default(),
            resent: 0,
            transactions: BTreeSet::new(),
            acks: Vec::new(),
        }
    }

    pub fn call_id(&self) -> &str {
        &self.dialog.call_id
    }

    pub fn local_tag(&self) -> &str {
        &self.dialog.local_tag
    }

    /// Whether the shell has been told that it ended.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Whether it can be forgotten.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Closing { .. }) && self.transactions.is_empty()
    }

    /// Ends the session in whatever way its state asks.
    pub fn hang_up(&mut self, core: &mut Core, now: Instant, reason: Option<&str>) {
        if self.over {
            return;
        }
        self.farewell = reason.and_then(farewell::given);
        match &mut self.state {
            State::Calling(_) => self.cancel(core, now),
            State::Redirected(_) => self.close(core, now),
            State::Ringing(_) => {
                let _ = self.reject(core, now, 603, Vec::new());
                return;
            }
            State::Established(established) => {
                // RFC 3261 §15: the callee must not send BYE before the ACK of its 2xx, or its timeout.
                let must_wait = established.awaits_first_ack();
                self.farewell.get_or_insert_with(|| farewell::NORMAL_CLEARING.to_owned());
                self.refuse_open_offer(core, now, 487);
                if !must_wait {
                    self.bye(core, now);
                }
            }
            State::Canceling(_) | State::Closing { .. } => {}
        }
        self.end(core, SessionEnd::Local);
    }

    /// Tells the shell, once.
    pub(super) fn end(&mut self, core: &mut Core, end: SessionEnd) {
        if !self.over {
            self.over = true;
            core.live_sessions = core.live_sessions.saturating_sub(1);
            core.emit(Event::Ended { session: self.id, end });
        }
    }

    /// From here on only answers to what we have sent matter. An INVITE that never gets its final response
    /// must not keep the session for ever.
    pub(super) fn close(&mut self, core: &mut Core, now: Instant) {
        // RFC 3261 §15.1.2: what waits for the shell is answered all the same, lest its transaction stay for ever.
        self.refuse_open_offer(core, now, 487);
        self.state = State::Closing { abandon_at: now + 2 * core.config.timers.patience() };
    }

    /// Gives up all that is still waited for, so that nothing keeps the session.
    fn abandon(&mut self, core: &mut Core, now: Instant) {
        for transaction in std::mem::take(&mut self.transactions) {
            core.abandon(now, transaction);
        }
    }

    /// The dialog cannot go on: BYE, and the shell learns why.
    pub(super) fn fail(&mut self, core: &mut Core, now: Instant, status: Option<u16>, cause: u16, why: &'static str) {
        self.farewell.get_or_insert_with(|| farewell::failure(cause, why));
        self.bye(core, now);
        self.end(core, SessionEnd::Failed { status, why });
    }

    pub(super) fn bye(&mut self, core: &mut Core, now: Instant) {
        self.close(core, now);
        let mut bye = self.dialog.request(Method::Bye);
        bye.headers.extend(self.farewell.clone().map(|reason| ("Reason".to_owned(), reason)));
        self.send(core, now, bye);
    }

    /// Sends a request of this session along its dialog, with credentials for the challenges met so far.
    pub(super) fn send(&mut self, core: &mut Core, now: Instant, request: OutgoingRequest) -> TransactionKey {
        let branch = core.branch();
        let key = TransactionKey::client(branch, &request.method);
        self.track(key);
        self.send_or_hold(core, now, Held { request, branch, ack_of: None });
        key
    }

    /// A transaction of ours began, by whichever path.
    pub(super) fn track(&mut self, key: TransactionKey) {
        self.transactions.insert(key);
    }

    /// A response to a request of ours.
    pub fn handle_response(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>) {
        let (key, response) = (reply.transaction, reply.response);
        let initial = match &self.state {
            State::Calling(calling) => calling.transaction == key,
            State::Canceling(canceling) => canceling.transaction == key,
            _ => false,
        };
        match (reply.request.method, response.status) {
            (Method::Invite, _) if initial => self.handle_invite_response(core, now, reply),
            (Method::Invite, _) if !self.is_proposal(key) => self.handle_stray_reply(core, now, reply),
            (_, ..200) => {}
            _ if self.is_proposal(key) => self.handle_proposal_response(core, now, reply),
            (Method::Prack, _) => self.handle_prack_response(core, now, reply),
            (Method::Info, _) => self.handle_info_response(core, now, reply),
            (_, 401 | 407) => {
                let _ = self.answer_challenge(core, now, reply);
            }
            _ => {}
        }
    }

    /// A request of ours got no answer, or the network refused it.
    pub fn handle_silence(&mut self, core: &mut Core, now: Instant, lost: Lost<'_>) {
        let Lost { transaction: key, method, flow, why } = lost;
        if why != Silence::Timeout {
            self.dialog.stream_lost(flow);
        }
        match method {
            Method::Bye if self.has_other_path(lost) => return self.bye(core, now),
            Method::Prack => return self.prack_lost(core, now, lost),
            _ => {}
        }
        match &self.state {
            State::Calling(calling) if calling.transaction == key => self.attempt_lost(core, now, why),
            State::Canceling(canceling) if canceling.transaction == key => {
                self.close(core, now);
            }
            State::Established(_) if method == Method::Info => self.info_lost(core, now, why),
            State::Established(_) if why != Silence::Timeout => self.proposal_lost(core, now, lost),
            // An INVITE that another hop has answered may stay without.
            State::Established(_) if self.is_proposal(key) => {
                self.fail(core, now, None, 408, "no answer within the call")
            }
            _ => {}
        }
    }

    /// What a name led to cannot be reached: the path of the dialog is taken.
    pub fn unreachable(&mut self, flow: Flow) {
        self.dialog.unreachable(flow);
    }

    /// A connection died: what follows in the dialog opens another.
    pub fn connection_closed(&mut self, flow: Flow) {
        self.dialog.connection_closed(flow);
        for early in &mut self.early {
            early.dialog.connection_closed(flow);
        }
        let hop = self.dialog.next_hop();
        for ack in self.acks.iter_mut().filter(|ack| ack.transmit.flow == flow) {
            ack.transmit.flow = hop;
        }
    }

    /// Whether a request that the transport has lost is sent once more: by a new connection, or by the path that is
    /// left.
    pub(super) fn has_other_path(&mut self, lost: Lost<'_>) -> bool {
        let other = match lost.why {
            Silence::Timeout => false,
            Silence::Unreachable => lost.flow != self.dialog.next_hop(),
            Silence::ConnectionLost(_) => true,
        };
        self.resent += u32::from(other);
        other && self.resent <= MAX_RESENT
    }

    /// A transaction of ours is gone.
    pub fn transaction_ended(&mut self, key: TransactionKey, method: Method<'_>) {
        self.transactions.remove(&key);
        self.acks.retain(|ack| ack.invite != key);
        if method == Method::Invite && !matches!(self.state, State::Calling(_) | State::Canceling(_)) {
            self.early = Vec::new();
        }
    }

    pub fn deadline(&self) -> Option<Deadline> {
        let locating = self.locating.as_ref().map(Locating::deadline);
        self.state_deadline().into_iter().chain(locating).min_by_key(|deadline| deadline.at)
    }

    fn state_deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::Canceling(canceling) => canceling.deadline(),
            State::Ringing(ringing) => Some(ringing.deadline()),
            State::Established(established) => {
                let timer = self.timer.deadline().filter(|_| !self.over);
                established.deadline().into_iter().chain(timer).min_by_key(|deadline| deadline.at)
            }
            State::Closing { abandon_at } => Some(Deadline { at: *abandon_at, timer: "end of a closing session" }),
            State::Calling(calling) => calling.deadline(),
            State::Redirected(redirected) => Some(redirected.deadline()),
        }
    }

    pub fn handle_timeout(&mut self, core: &mut Core, now: Instant) {
        self.handle_locating_timeout(core, now);
        match &mut self.state {
            State::Canceling(canceling) if canceling.has_expired(now) => {
                self.close(core, now);
                self.abandon(core, now);
            }
            State::Closing { abandon_at } if *abandon_at <= now => self.abandon(core, now),
            State::Calling(_) => self.handle_calling_timeout(core, now),
            State::Redirected(_) => self.handle_redirected_timeout(core, now),
            State::Ringing(_) => self.handle_ringing_timeout(core, now),
            State::Established(_) => self.handle_established_timeout(core, now),
            _ => {}
        }
    }

    /// A response of ours that makes or refreshes the dialog.
    pub(super) fn dialog_response(
        &self,
        config: &Config,
        status: u16,
        description: Option<&SessionDescription>,
    ) -> OutgoingResponse {
        let mut response = OutgoingResponse::new(status).with("Contact", self.dialog.contact.clone());
        if status >= 200 {
            response = response.with("Allow", crate::user_agent::ALLOW).with("Supported", config.supported());
        }
        response.in_dialog = true;
        response.content = description.map(|description| (SDP.to_owned(), description.to_bytes()));
        response
    }
}

/// The complaint about a command that the state does not allow.
pub(super) fn wrong_state<T>(command: &'static str) -> Result<T, WrongState> {
    Err(WrongState { command })
}
