//! One INVITE session, from its first message to its last, in either role.
//!
//! ```text
//!   ours     Calling ──2xx──▶ Established ──BYE──▶ Closing
//!               └─hang up─▶ Canceling ───────────────▲
//!   theirs   Ringing ──2xx──▶ Established ──BYE──────┘
//! ```

use std::collections::BTreeSet;
use std::time::Instant;

use super::Dialog;
use super::early::Early;
use super::established::Established;
use super::farewell;
use super::incoming::Ringing;
use super::outgoing::{Calling, Canceling};
use super::session_timer::SessionTimer;
use crate::core::Core;
use crate::digest::{Authenticator, Covered};
use crate::message::headers::RAck;
use crate::message::{Method, OutgoingRequest, OutgoingResponse, Response};
use crate::sdp::SessionDescription;
use crate::transaction::{Owner, TransactionKey};
use crate::{Config, Deadline, Event, Flow, SessionEnd, SessionId, Transmit, WrongState};

/// Content type of a session description.
pub(super) const SDP: &str = "application/sdp";
/// Most answers to one INVITE that are acknowledged (forks).
const MAX_FORKS: usize = 16;

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
    /// Our transactions in progress.
    transactions: BTreeSet<TransactionKey>,
    /// The ACKs of the 2xx we got, to be sent again with each repetition.
    acks: Vec<Ack>,
}

#[derive(Debug)]
pub(super) enum State {
    Calling(Calling),
    Canceling(Canceling),
    Ringing(Box<Ringing>),
    Established(Box<Established>),
    /// Over; answers to our last requests may still come, for a while.
    Closing {
        abandon_at: Instant,
    },
}

#[derive(Debug)]
struct Ack {
    invite: TransactionKey,
    to_tag: String,
    transmit: Transmit,
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
            transactions: BTreeSet::new(),
            acks: Vec::new(),
        }
    }

    pub fn call_id(&self) -> &str {
        &self.dialog.call_id
    }

    pub fn key(&self) -> super::DialogKey {
        (self.dialog.call_id.clone(), self.dialog.local_tag.clone())
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

    fn abandon(&mut self, core: &mut Core, now: Instant) {
        for transaction in &self.transactions {
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
        self.authorize(core, &mut bye);
        self.send(core, now, bye);
    }

    /// Sends a request of this session along its dialog.
    pub(super) fn send(&mut self, core: &mut Core, now: Instant, request: OutgoingRequest) -> TransactionKey {
        let key = core.start(now, self.dialog.next_hop(), request, Owner::Session(self.id));
        self.track(key.clone());
        key
    }

    /// A transaction of ours began, by whichever path.
    pub(super) fn track(&mut self, key: TransactionKey) {
        self.transactions.insert(key);
    }

    /// Replaces the credentials of a request that goes along the dialog: those for the challenges met so far, and
    /// for whom they are, only.
    pub(super) fn authorize(&mut self, core: &mut Core, request: &mut OutgoingRequest) {
        self.reauthorize(core, request, self.dialog.next_hop());
    }

    /// The same for a request that takes another path.
    pub(super) fn reauthorize(&mut self, core: &mut Core, request: &mut OutgoingRequest, path: Flow) {
        request.headers.retain(|(name, _)| !is_authorization(name));
        if !self.authenticator.is_for(path.remote.ip()) {
            return;
        }
        let cnonce = core.token();
        let body = request.content.as_ref().map_or(&[][..], |(_, body)| body);
        let covered = Covered { method: request.method.as_str(), uri: &request.uri, body };
        let credentials = self.authenticator.headers(&mut core.keyring, covered, &cnonce);
        request.headers.extend(credentials);
    }

    /// Sends a challenged request again with credentials; `None` when that makes no sense.
    ///
    /// Calls of others have no credentials here, so a callee cannot extract ours.
    pub(super) fn answer_challenge(
        &mut self,
        core: &mut Core,
        now: Instant,
        refused: &OutgoingRequest,
        response: &Response<'_>,
    ) -> Option<TransactionKey> {
        let answers = matches!(response.status, 401 | 407)
            && self.authenticator.is_for(self.dialog.next_hop().remote.ip())
            && self.authenticator.challenged(&mut core.keyring, response.status, &response.headers);
        if !answers {
            return None;
        }
        let fresh = self.dialog.request(refused.method);
        let mut request = OutgoingRequest { cseq: fresh.cseq, ..refused.clone() };
        self.authorize(core, &mut request);
        Some(self.send(core, now, request))
    }

    /// ACK for a 2xx: kept, because each repetition of the 2xx gets it again (RFC 3261 §13.2.2.4).
    pub(super) fn acknowledge(
        &mut self,
        core: &mut Core,
        invite: &TransactionKey,
        request: &OutgoingRequest,
        dialog: &Dialog,
    ) {
        let mut ack = dialog.ack(request.cseq);
        ack.headers.extend(request.headers.iter().filter(|(name, _)| is_authorization(name)).cloned());
        let flow = dialog.next_hop();
        let branch = core.branch();
        let payload = ack.to_bytes(&flow, &branch, &core.config.user_agent);
        let transmit = Transmit { flow, payload };
        core.transmits.push_back(transmit.clone());
        if self.acks.len() < MAX_FORKS {
            self.acks.push(Ack { invite: invite.clone(), to_tag: dialog.remote_tag.clone(), transmit });
        }
    }

    /// A 2xx after the one that made the dialog: a repetition gets its ACK again, an answer of another fork
    /// an ACK and a BYE.
    pub(super) fn handle_late_2xx(
        &mut self,
        core: &mut Core,
        now: Instant,
        invite: &TransactionKey,
        request: &OutgoingRequest,
        response: &Response<'_>,
    ) {
        let to_tag = response.headers.to().ok().and_then(|to| to.tag()).unwrap_or_default();
        if let Some(ack) = self.acks.iter().find(|ack| ack.invite == *invite && ack.to_tag == to_tag) {
            core.transmits.push_back(ack.transmit.clone());
            return;
        }
        if self.acks.len() >= MAX_FORKS {
            return;
        }
        let mut fork = self.dialog_of_2xx(response);
        self.acknowledge(core, invite, request, &fork);
        let mut bye = fork.request(Method::Bye);
        bye.headers.push(("Reason".to_owned(), farewell::COMPLETED_ELSEWHERE.to_owned()));
        core.start(now, fork.next_hop(), bye, Owner::Nobody);
    }

    /// A response to a request of ours.
    pub fn handle_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        key: &TransactionKey,
        request: &OutgoingRequest,
        response: &Response<'_>,
    ) {
        let initial = match &self.state {
            State::Calling(calling) => calling.transaction == *key,
            State::Canceling(canceling) => canceling.transaction == *key,
            _ => false,
        };
        match (request.method, response.status) {
            (Method::Invite, _) if initial => self.handle_invite_response(core, now, key, request, response),
            (_, ..200) => {}
            _ if self.is_proposal(key) => self.handle_proposal_response(core, now, key, request, response),
            (Method::Invite, 200..300) => self.handle_late_2xx(core, now, key, request, response),
            (Method::Invite, _) => {}
            (Method::Prack, _) => self.handle_prack_response(core, now, request, response),
            (_, 401 | 407) => {
                let _ = self.answer_challenge(core, now, request, response);
            }
            // RFC 3261 §12.2.1.2: these say that the dialog is gone.
            (Method::Bye, _) => {}
            (_, 481) => {
                self.close(core, now);
                self.end(core, SessionEnd::Failed { status: Some(481), why: "the peer knows no such call" });
            }
            (_, 408) => self.fail(core, now, Some(408), 408, "request timeout within the call"),
            _ => self.authenticator.succeeded(&mut core.keyring, &response.headers),
        }
    }

    /// A request of ours got no answer, or the network refused it.
    pub fn handle_silence(
        &mut self,
        core: &mut Core,
        now: Instant,
        key: &TransactionKey,
        method: Method<'_>,
        why: &'static str,
    ) {
        match &mut self.state {
            State::Calling(calling) if calling.transaction == *key => {
                self.close(core, now);
                self.end(core, SessionEnd::Unanswered { why });
            }
            State::Canceling(canceling) if canceling.transaction == *key => {
                self.close(core, now);
            }
            State::Established(_) if !matches!(method, Method::Bye | Method::Prack) => {
                self.fail(core, now, None, 408, "no answer within the call")
            }
            _ => {}
        }
    }

    /// A transaction of ours is gone.
    pub fn transaction_ended(&mut self, key: &TransactionKey) {
        self.transactions.remove(key);
        self.acks.retain(|ack| ack.invite != *key);
        if key.is_invite() && !matches!(self.state, State::Calling(_) | State::Canceling(_)) {
            self.early = Vec::new();
        }
    }

    pub fn deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::Canceling(canceling) => canceling.deadline(),
            State::Ringing(ringing) => Some(ringing.deadline()),
            State::Established(established) => {
                let timer = self.timer.deadline().filter(|_| !self.over);
                established.deadline().into_iter().chain(timer).min_by_key(|deadline| deadline.at)
            }
            State::Closing { abandon_at } => Some(Deadline { at: *abandon_at, timer: "end of a closing session" }),
            State::Calling(_) => None,
        }
    }

    pub fn handle_timeout(&mut self, core: &mut Core, now: Instant) {
        match &mut self.state {
            State::Canceling(canceling) if canceling.has_expired(now) => {
                self.close(core, now);
                self.abandon(core, now);
            }
            State::Closing { abandon_at } if *abandon_at <= now => self.abandon(core, now),
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

fn is_authorization(name: &str) -> bool {
    matches!(name, "Authorization" | "Proxy-Authorization")
}

/// The complaint about a command that the state does not allow.
pub(super) fn wrong_state<T>(command: &'static str) -> Result<T, WrongState> {
    Err(WrongState { command })
}
