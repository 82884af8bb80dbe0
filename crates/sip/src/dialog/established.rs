//! A session after its 2xx: offers both ways, INFO, BYE, and the ACK of every 2xx of ours.

use std::time::{Duration, Instant};

use super::InviteSession;
use super::session::{SDP, State, wrong_state};
use crate::core::Core;
use crate::message::{Echo, Method, OutgoingRequest, OutgoingResponse, Response, SdpPart, sdp_part};
use crate::sdp::SessionDescription;
use crate::transaction::{Retransmit, TransactionKey};
use crate::{Deadline, Event, Flow, SessionEnd, Timers, WrongState};

#[derive(Debug)]
pub(super) struct Established {
    pub(super) awaiting_ack: Option<AwaitingAck>,
    pub(super) offer: OfferState,
    /// Our re-INVITE met one of theirs; we try again, after theirs.
    retry: Option<Retry>,
}

#[derive(Debug)]
struct Retry {
    at: Instant,
    offer: SessionDescription,
}

/// One offer at a time (RFC 3264 §4): a second cannot be represented.
#[derive(Debug)]
pub(super) enum OfferState {
    Idle,
    /// Our re-INVITE waits for its answer.
    Local {
        transaction: TransactionKey,
        offer: SessionDescription,
    },
    /// Their re-INVITE or UPDATE waits for the shell.
    Remote(Remote),
}

#[derive(Debug)]
pub(super) struct Remote {
    pub transaction: TransactionKey,
    pub echo: Echo,
    pub cseq: u32,
    pub is_invite: bool,
    pub has_offer: bool,
}

/// Our 2xx, repeated until its ACK over any transport (RFC 3261 §13.3.1.4).
#[derive(Debug)]
pub(super) struct AwaitingAck {
    flow: Flow,
    payload: Vec<u8>,
    pub cseq: u32,
    /// Of the INVITE that made the session.
    pub is_first: bool,
    /// Whether the ACK must bring the answer to our offer.
    pub wants_answer: bool,
    retransmit: Retransmit,
    give_up_at: Instant,
}

impl AwaitingAck {
    pub fn new(
        now: Instant,
        timers: &Timers,
        flow: Flow,
        payload: Vec<u8>,
        cseq: u32,
        is_first: bool,
        wants_answer: bool,
    ) -> Self {
        let (retransmit, give_up_at) = (Retransmit::first(now, timers.t1), now + timers.patience());
        Self { flow, payload, cseq, is_first, wants_answer, retransmit, give_up_at }
    }
}

impl Established {
    /// Our INVITE was answered.
    pub fn confirmed() -> Self {
        Self { awaiting_ack: None, offer: OfferState::Idle, retry: None }
    }

    /// We answered theirs.
    pub fn awaiting(ack: AwaitingAck) -> Self {
        Self { awaiting_ack: Some(ack), offer: OfferState::Idle, retry: None }
    }

    pub fn awaits_first_ack(&self) -> bool {
        self.awaiting_ack.as_ref().is_some_and(|ack| ack.is_first)
    }

    fn has_open_offer(&self) -> bool {
        self.awaiting_ack.as_ref().is_some_and(|ack| ack.wants_answer)
            || !matches!(self.offer, OfferState::Idle)
            || self.retry.is_some()
    }

    pub fn deadline(&self) -> Option<Deadline> {
        let ack = self.awaiting_ack.as_ref().map(|ack| match ack.retransmit.at < ack.give_up_at {
            true => Deadline { at: ack.retransmit.at, timer: "2xx retransmission" },
            false => Deadline { at: ack.give_up_at, timer: "64*T1 (wait for ACK)" },
        });
        let retry = self.retry.as_ref().map(|retry| Deadline { at: retry.at, timer: "re-INVITE after 491" });
        [ack, retry].into_iter().flatten().min_by_key(|deadline| deadline.at)
    }
}

// What the shell asks for.
impl InviteSession {
    /// A re-INVITE of ours.
    pub fn offer(&mut self, core: &mut Core, now: Instant, offer: SessionDescription) -> Result<(), WrongState> {
        match &self.state {
            // RFC 3261 §14.1: not while another INVITE is open in either direction.
            State::Established(established)
                if !self.is_over() && !established.has_open_offer() && established.awaiting_ack.is_none() =>
            {
                self.reinvite(core, now, offer);
                Ok(())
            }
            _ => wrong_state("offer"),
        }
    }

    fn reinvite(&mut self, core: &mut Core, now: Instant, offer: SessionDescription) {
        let mut request = self.dialog.request(Method::Invite);
        request.headers.push(("Allow".to_owned(), crate::user_agent::ALLOW.to_owned()));
        request.content = Some((SDP.to_owned(), offer.to_bytes()));
        self.authorize(core, &mut request);
        let transaction = self.send(core, now, request);
        self.set_offer(OfferState::Local { transaction, offer });
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
        let response = self.dialog_response(200, Some(&description));
        core.respond(now, &remote.transaction, &remote.echo, &self.dialog.local_tag, &response);
        if remote.is_invite {
            let payload = response.to_bytes(&remote.echo, &self.dialog.local_tag, &core.config.user_agent);
            let (timers, flow) = (core.config.timers, remote.echo.reply_to);
            self.await_ack(AwaitingAck::new(now, &timers, flow, payload, remote.cseq, false, !remote.has_offer));
        }
        Ok(())
    }

    pub fn reject_offer(&mut self, core: &mut Core, now: Instant, status: u16) -> Result<(), WrongState> {
        if !(300..700).contains(&status) || !self.refuse_open_offer(core, now, status) {
            return wrong_state("reject_offer");
        }
        Ok(())
    }

    /// Refuses an offer of theirs that waits for the shell, if there is one.
    pub(super) fn refuse_open_offer(&mut self, core: &mut Core, now: Instant, status: u16) -> bool {
        let Some(remote) = self.take_remote_offer() else {
            return false;
        };
        let response = OutgoingResponse::new(status);
        core.respond(now, &remote.transaction, &remote.echo, &self.dialog.local_tag, &response);
        true
    }

    pub fn info(&mut self, core: &mut Core, now: Instant, content_type: &str, body: &[u8]) -> Result<(), WrongState> {
        if self.is_over() || !matches!(self.state, State::Established(_)) {
            return wrong_state("info");
        }
        let mut request = self.dialog.request(Method::Info);
        request.content = Some((content_type.to_owned(), body.to_vec()));
        self.authorize(core, &mut request);
        self.send(core, now, request);
        Ok(())
    }

    pub(super) fn established(&mut self) -> Option<&mut Established> {
        match &mut self.state {
            State::Established(established) => Some(established),
            _ => None,
        }
    }

    pub(super) fn set_offer(&mut self, offer: OfferState) {
        if let Some(established) = self.established() {
            established.offer = offer;
        }
    }

    fn await_ack(&mut self, ack: AwaitingAck) {
        if let Some(established) = self.established() {
            established.awaiting_ack = Some(ack);
        }
    }

    fn take_remote_offer(&mut self) -> Option<Remote> {
        let established = self.established()?;
        match std::mem::replace(&mut established.offer, OfferState::Idle) {
            OfferState::Remote(remote) => Some(remote),
            other => {
                established.offer = other;
                None
            }
        }
    }
}

// What our own requests bring back.
impl InviteSession {
    pub(super) fn is_pending_offer(&self, key: &TransactionKey) -> bool {
        let State::Established(established) = &self.state else {
            return false;
        };
        matches!(&established.offer, OfferState::Local { transaction, .. } if transaction == key)
    }

    /// A final response to our re-INVITE (RFC 3261 §14.1).
    pub(super) fn handle_reinvite_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        key: &TransactionKey,
        request: &OutgoingRequest,
        response: &Response<'_>,
    ) {
        if !self.is_pending_offer(key) {
            return;
        }
        let Some(established) = self.established() else {
            return;
        };
        let OfferState::Local { offer, .. } = std::mem::replace(&mut established.offer, OfferState::Idle) else {
            return;
        };
        match response.status {
            200..300 => {
                self.authenticator.succeeded();
                self.dialog.refresh_target(&response.headers);
                let dialog = self.dialog.clone();
                self.acknowledge(core, key, request, &dialog);
                match sdp_part(&response.headers, response.body) {
                    SdpPart::Found(body) => match SessionDescription::parse(body) {
                        Ok(description) => self.offer_answered(core, response.status, Some(description)),
                        Err(_) => self.fail(core, now, Some(response.status), "unusable answer to our offer"),
                    },
                    _ => self.fail(core, now, Some(response.status), "no answer to our offer"),
                }
            }
            401 | 407 => match self.answer_challenge(core, now, request, response) {
                Some(transaction) => self.set_offer(OfferState::Local { transaction, offer }),
                None => self.offer_answered(core, response.status, None),
            },
            491 => {
                let (least, most) = if self.ours { (2100, 4000) } else { (0, 2000) };
                let wait = core.random_between(Duration::from_millis(least), Duration::from_millis(most));
                if let Some(established) = self.established() {
                    established.retry = Some(Retry { at: now + wait, offer });
                }
            }
            481 => {
                self.close(core, now);
                self.end(core, SessionEnd::Failed { status: Some(481), why: "the peer knows no such call" });
            }
            408 => self.fail(core, now, Some(408), "request timeout within the call"),
            status => self.offer_answered(core, status, None),
        }
    }

    pub(super) fn offer_answered(&mut self, core: &mut Core, status: u16, description: Option<SessionDescription>) {
        core.emit(Event::OfferAnswered { session: self.id, status, description });
    }

    pub(super) fn handle_established_timeout(&mut self, core: &mut Core, now: Instant) {
        let Some(established) = self.established() else {
            return;
        };
        if let Some(ack) = &mut established.awaiting_ack {
            if ack.give_up_at <= now {
                return self.fail(core, now, None, "no ACK for our answer");
            }
            if ack.retransmit.at <= now {
                ack.retransmit = ack.retransmit.next(now, Some(core.config.timers.t2));
                core.transmit(ack.flow, ack.payload.clone());
            }
        }
        let Some(retry) = established.retry.take_if(|retry| retry.at <= now) else { return };
        if matches!(established.offer, OfferState::Idle) && established.awaiting_ack.is_none() {
            self.reinvite(core, now, retry.offer);
        } else {
            let at = now + core.config.timers.t1;
            established.retry = Some(Retry { at, ..retry });
        }
    }
}
