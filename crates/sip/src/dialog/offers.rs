//! Offers of ours within a dialog, by re-INVITE or UPDATE, and our answers to theirs (RFC 3261 §14, RFC 3311).

use std::time::{Duration, Instant};

use super::established::{AwaitingAck, OfferState, Proposal};
use super::session::{SDP, State, wrong_state};
use super::{InviteSession, Lost, Reply};
use crate::core::Core;
use crate::message::headers::HeaderName;
use crate::message::{Method, OutgoingRequest, OutgoingResponse, Response, SdpPart, sdp_part};
use crate::sdp::SessionDescription;
use crate::transaction::TransactionKey;
use crate::{Config, Event, SessionEnd, WrongState};

/// How often one request is put off because it met one of theirs.
const MAX_ATTEMPTS: u32 = 10;
/// Longest Retry-After of a 500 of ours.
const LATEST_RETRY: Duration = Duration::from_secs(10);
/// Longest Retry-After of a 500 that a request within a dialog waits for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

// What the shell asks for.
impl InviteSession {
    /// A re-INVITE of ours.
    pub fn offer(&mut self, core: &mut Core, now: Instant, offer: SessionDescription) -> Result<(), WrongState> {
        self.propose_if_idle(core, now, "offer", Proposal::asked(Method::Invite, Some(offer)))
    }

    /// An UPDATE of ours.
    pub fn update(
        &mut self,
        core: &mut Core,
        now: Instant,
        offer: Option<SessionDescription>,
    ) -> Result<(), WrongState> {
        self.propose_if_idle(core, now, "update", Proposal::asked(Method::Update, offer))
    }

    fn propose_if_idle(
        &mut self,
        core: &mut Core,
        now: Instant,
        command: &'static str,
        proposal: Proposal,
    ) -> Result<(), WrongState> {
        let over = self.is_over();
        match self.established() {
            // RFC 3261 §14.1: not while another INVITE is open in either direction.
            Some(established) if !over && established.may_offer() && established.update.is_none() => {
                self.propose(core, now, proposal);
                Ok(())
            }
            _ => wrong_state(command),
        }
    }

    pub fn answer_offer(
        &mut self,
        core: &mut Core,
        now: Instant,
        description: SessionDescription,
    ) -> Result<(), WrongState> {
        let Some(remote) = self.take_remote_offer() else {
            return wrong_state("answer_offer");
        };
        let response = remote.grant.apply(self.dialog_response(&core.config, 200, Some(&description)));
        core.respond(now, remote.transaction, &remote.echo, &self.dialog.local_tag, &response);
        if matches!(self.state, State::Established(_)) {
            self.timer.start_granted(now, &remote.grant);
        }
        self.local = Some(description);
        let wants_answer = remote.offer.is_none();
        if remote.offer.is_some() {
            self.remote = remote.offer;
        }
        if remote.is_invite {
            let payload = response.to_bytes(&remote.echo, &self.dialog.local_tag, &core.config.user_agent);
            let (timers, cseq) = (core.config.timers, remote.cseq);
            self.await_ack(AwaitingAck::new(now, &timers, remote.transaction, payload, cseq, false, wants_answer));
        }
        self.answer_when_settled(core, now);
        Ok(())
    }

    pub fn reject_offer(&mut self, core: &mut Core, now: Instant, status: u16) -> Result<(), WrongState> {
        if !(300..700).contains(&status) || !self.refuse_open_offer(core, now, status) {
            return wrong_state("reject_offer");
        }
        self.answer_when_settled(core, now);
        Ok(())
    }

    /// Refuses an offer of theirs that waits for the shell, if there is one.
    pub(super) fn refuse_open_offer(&mut self, core: &mut Core, now: Instant, status: u16) -> bool {
        let Some(remote) = self.take_remote_offer() else {
            return false;
        };
        let response = offer_refusal(core, status);
        core.respond(now, remote.transaction, &remote.echo, &self.dialog.local_tag, &response);
        true
    }
}

/// A refusal of an offer; where it is only too early for it, it says when to come again (RFC 3311 §5.2, RFC 3261 §14.2).
pub(super) fn offer_refusal(core: &mut Core, status: u16) -> OutgoingResponse {
    let refusal = OutgoingResponse::new(status);
    if status != 500 {
        return refusal;
    }
    let wait = core.random_between(Duration::ZERO, LATEST_RETRY).as_secs();
    refusal.with("Retry-After", wait.to_string())
}

// What goes out.
impl InviteSession {
    /// Keeps the session alive (RFC 4028 §7.4): by UPDATE where the peer allows it, else by re-INVITE with the
    /// description that stands.
    pub(super) fn refresh(&mut self, core: &mut Core, now: Instant) {
        let by_update = self.peer_allows_update;
        let offer = if by_update { None } else { self.local.clone() };
        let method = if by_update { Method::Update } else { Method::Invite };
        match self.established() {
            Some(established)
                if established.update.is_none()
                    && (by_update || established.may_offer())
                    && (by_update || offer.is_some()) =>
            {
                self.propose(core, now, Proposal { method, offer, asked: false, attempts: 0 });
            }
            // Another request is on its way; most of them refresh as well.
            _ => self.timer.retry(now),
        }
    }

    fn propose(&mut self, core: &mut Core, now: Instant, proposal: Proposal) {
        let mut request = self.dialog.request(proposal.method);
        announce(&core.config, &mut request);
        self.timer.ask(&mut request);
        request.content = proposal.offer.as_ref().map(|offer| (SDP.to_owned(), offer.to_bytes()));
        let transaction = self.send(core, now, request);
        self.await_outcome(transaction, proposal);
    }

    fn await_outcome(&mut self, transaction: TransactionKey, proposal: Proposal) {
        let Some(established) = self.established() else {
            return;
        };
        if proposal.offer.is_none() && proposal.method == Method::Update {
            established.update = Some((transaction, proposal));
        } else {
            established.offer = OfferState::Local(transaction, proposal);
        }
    }

    pub(super) fn try_again(&mut self, core: &mut Core, now: Instant) {
        let Some(established) = self.established() else {
            return;
        };
        let Some((_, proposal)) = established.retry.take_if(|(at, _)| *at <= now) else {
            return;
        };
        if established.may_offer() && established.update.is_none() {
            self.propose(core, now, proposal);
        } else {
            established.retry = Some((now + core.config.timers.t1, proposal));
        }
    }
}

/// What a request that makes or refreshes a dialog says of us.
pub(super) fn announce(config: &Config, request: &mut OutgoingRequest) {
    request.headers.push(("Allow".to_owned(), crate::user_agent::ALLOW.to_owned()));
    request.headers.push(("Supported".to_owned(), config.supported().to_owned()));
}

// What our own requests bring back.
impl InviteSession {
    pub(super) fn is_proposal(&self, key: TransactionKey) -> bool {
        let State::Established(established) = &self.state else {
            return false;
        };
        matches!(&established.offer, OfferState::Local(transaction, _) if *transaction == key)
            || matches!(&established.update, Some((transaction, _)) if *transaction == key)
    }

    fn take_proposal(&mut self, key: TransactionKey) -> Option<Proposal> {
        let established = self.established()?;
        if let Some((_, proposal)) = established.update.take_if(|(transaction, _)| *transaction == key) {
            return Some(proposal);
        }
        match std::mem::replace(&mut established.offer, OfferState::Idle) {
            OfferState::Local(transaction, proposal) if transaction == key => Some(proposal),
            other => {
                established.offer = other;
                None
            }
        }
    }

    /// A final response to our re-INVITE or UPDATE (RFC 3261 §14.1, RFC 3311 §5.1, RFC 4028 §7.3).
    pub(super) fn handle_proposal_response(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>) {
        let response = reply.response;
        let Some(proposal) = self.take_proposal(reply.transaction) else {
            return;
        };
        match response.status {
            200..300 => self.proposal_accepted(core, now, reply, proposal),
            401 | 407 => match self.answer_challenge(core, now, reply) {
                Some(transaction) => self.await_outcome(transaction, proposal),
                None => self.proposal_refused(core, now, response.status, proposal),
            },
            422 if self.timer.raise(&response.headers) => self.propose(core, now, proposal),
            // Whoever answers so to an UPDATE says in Allow what is not so.
            405 | 501 if proposal.method == Method::Update && !proposal.asked => {
                self.peer_allows_update = false;
                self.refresh(core, now);
            }
            481 => {
                self.close(core, now);
                self.end(core, SessionEnd::Failed { status: Some(481), why: "the peer knows no such call" });
            }
            408 => self.fail(core, now, Some(408), 408, "request timeout within the call"),
            status => match self.wait_before_retry(core, response).filter(|_| proposal.attempts < MAX_ATTEMPTS) {
                Some(wait) => {
                    if let Some(established) = self.established() {
                        let proposal = Proposal { attempts: proposal.attempts + 1, ..proposal };
                        established.retry = Some((now + wait, proposal));
                    }
                }
                None => self.proposal_refused(core, now, status, proposal),
            },
        }
    }

    /// How long to wait when the request met one of theirs: after 491 by who owns the Call-ID (RFC 3261 §14.1),
    /// after 500 as it says (§14.2).
    fn wait_before_retry(&self, core: &mut Core, response: &Response<'_>) -> Option<Duration> {
        match (response.status, response.headers.retry_after()) {
            (491, _) => {
                let (least, most) = if self.ours { (2100, 4000) } else { (0, 2000) };
                Some(core.random_between(Duration::from_millis(least), Duration::from_millis(most)))
            }
            (500, Some(seconds)) => Some(Duration::from_secs(seconds.into())).filter(|wait| *wait <= LONGEST_WAIT),
            _ => None,
        }
    }

    fn proposal_accepted(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>, proposal: Proposal) {
        let response = reply.response;
        self.authenticator.succeeded(&mut core.keyring, &response.headers);
        self.dialog.refresh_target(&response.headers);
        self.note_peer(&response.headers);
        self.timer.granted(now, &response.headers);
        if proposal.method == Method::Invite {
            self.acknowledge(core, now, reply);
        }
        if proposal.offer.is_none() {
            if proposal.asked {
                self.offer_answered(core, response.status, None);
            }
            return;
        }
        let answer = match sdp_part(&response.headers, response.body) {
            SdpPart::Found(body) => SessionDescription::parse(body).map_err(|_| "unusable answer to our offer"),
            _ => Err("no answer to our offer"),
        };
        match answer {
            Ok(description) => {
                self.local = proposal.offer;
                let changed = self.remote.as_ref() != Some(&description);
                self.remote = Some(description.clone());
                if proposal.asked || changed {
                    self.offer_answered(core, response.status, Some(description));
                }
            }
            Err(why) => self.fail(core, now, Some(response.status), 488, why),
        }
    }

    /// The session stays as it was; a refresh has time for another try.
    fn proposal_refused(&mut self, core: &mut Core, now: Instant, status: u16, proposal: Proposal) {
        if proposal.asked {
            self.offer_answered(core, status, None);
        } else {
            self.timer.retry(now);
        }
    }

    /// The transport failed (RFC 3261 §8.1.3.1: as good as a 503), which ends no dialog. What a connection took down
    /// with it goes by another.
    pub(super) fn proposal_lost(&mut self, core: &mut Core, now: Instant, lost: Lost<'_>) {
        let Some(proposal) = self.take_proposal(lost.transaction) else {
            return;
        };
        if self.has_other_path(lost) {
            self.propose(core, now, proposal);
        } else {
            self.proposal_refused(core, now, 503, proposal);
        }
    }

    fn offer_answered(&mut self, core: &mut Core, status: u16, description: Option<SessionDescription>) {
        core.emit(Event::OfferAnswered { session: self.id, status, description });
    }

    /// What a message of theirs says of what they can.
    pub(super) fn note_peer(&mut self, headers: &crate::message::Headers<'_>) {
        if headers.first(HeaderName::Allow).is_some() {
            self.peer_allows_update = headers.lists(HeaderName::Allow, "UPDATE");
        }
    }
}

impl Proposal {
    fn asked(method: Method<'static>, offer: Option<SessionDescription>) -> Self {
        Self { method, offer, asked: true, attempts: 0 }
    }
}
