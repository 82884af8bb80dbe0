//! A session after its 2xx: which offer is open, the ACK it waits for, and its deadlines.

use std::time::Instant;

use super::InviteSession;
use super::session::State;
use super::session_timer::{Due, Grant};
use crate::core::Core;
use crate::message::{Echo, Method};
use crate::sdp::SessionDescription;
use crate::transaction::{Retransmit, TransactionKey};
use crate::{Deadline, Timers};

#[derive(Debug)]
pub(super) struct Established {
    pub(super) awaiting_ack: Option<AwaitingAck>,
    pub(super) offer: OfferState,
    /// An UPDATE of ours without offer: it stands in nobody's way.
    pub(super) update: Option<(TransactionKey, Proposal)>,
    /// What met a request of theirs, and is tried again after it.
    pub(super) retry: Option<(Instant, Proposal)>,
}

/// What a re-INVITE or UPDATE of ours is to bring about.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    /// INVITE or UPDATE.
    pub method: Method<'static>,
    pub offer: Option<SessionDescription>,
    /// Whether the shell asked for it; the session timer's refreshes are nobody else's business.
    pub asked: bool,
    /// How often it has been put off.
    pub attempts: u32,
}

/// One offer at a time (RFC 3264 §4): a second cannot be represented.
#[derive(Debug)]
pub(super) enum OfferState {
    Idle,
    /// Our re-INVITE, or UPDATE with an offer, waits for its answer.
    Local(TransactionKey, Proposal),
    /// Their re-INVITE or UPDATE waits for the shell.
    Remote(Box<Remote>),
}

#[derive(Debug)]
pub(super) struct Remote {
    pub transaction: TransactionKey,
    pub echo: Echo,
    pub cseq: u32,
    pub is_invite: bool,
    pub offer: Option<SessionDescription>,
    pub grant: Grant,
}

/// Our 2xx, repeated until its ACK over any transport (RFC 3261 §13.3.1.4).
#[derive(Debug)]
pub(super) struct AwaitingAck {
    transaction: TransactionKey,
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
        transaction: TransactionKey,
        payload: Vec<u8>,
        cseq: u32,
        is_first: bool,
        wants_answer: bool,
    ) -> Self {
        let (retransmit, give_up_at) = (Retransmit::first(now, timers.t1), now + timers.patience());
        Self { transaction, payload, cseq, is_first, wants_answer, retransmit, give_up_at }
    }
}

impl Established {
    /// Our INVITE was answered.
    pub fn confirmed() -> Self {
        Self { awaiting_ack: None, offer: OfferState::Idle, update: None, retry: None }
    }

    /// We answered theirs.
    pub fn awaiting(ack: AwaitingAck) -> Self {
        Self { awaiting_ack: Some(ack), offer: OfferState::Idle, update: None, retry: None }
    }

    pub fn awaits_first_ack(&self) -> bool {
        self.awaiting_ack.as_ref().is_some_and(|ack| ack.is_first)
    }

    /// RFC 3261 §14.1, RFC 3311 §5.1: whether an offer of ours may go out now.
    pub fn may_offer(&self) -> bool {
        self.awaiting_ack.is_none() && matches!(self.offer, OfferState::Idle) && self.retry.is_none()
    }

    pub fn deadline(&self) -> Option<Deadline> {
        let ack = self.awaiting_ack.as_ref().map(|ack| match ack.retransmit.at < ack.give_up_at {
            true => Deadline { at: ack.retransmit.at, timer: "2xx retransmission" },
            false => Deadline { at: ack.give_up_at, timer: "64*T1 (wait for ACK)" },
        });
        let retry = self.retry.as_ref().map(|(at, _)| Deadline { at: *at, timer: "offer put off" });
        [ack, retry].into_iter().flatten().min_by_key(|deadline| deadline.at)
    }
}

impl InviteSession {
    pub(super) fn established(&mut self) -> Option<&mut Established> {
        match &mut self.state {
            State::Established(established) => Some(established),
            _ => None,
        }
    }

    pub(super) fn set_offer(&mut self, offer: OfferState) {
        match (&mut self.state, offer) {
            (State::Established(established), offer) => established.offer = offer,
            (State::Ringing(ringing), OfferState::Remote(remote)) => ringing.offered = Some(remote),
            (State::Calling(calling), OfferState::Remote(remote)) => calling.offered = Some(remote),
            _ => {}
        }
    }

    pub(super) fn await_ack(&mut self, ack: AwaitingAck) {
        if let Some(established) = self.established() {
            established.awaiting_ack = Some(ack);
        }
    }

    pub(super) fn take_remote_offer(&mut self) -> Option<Remote> {
        let established = match &mut self.state {
            State::Established(established) => established,
            State::Ringing(ringing) => return ringing.offered.take().map(|remote| *remote),
            State::Calling(calling) => return calling.offered.take().map(|remote| *remote),
            _ => return None,
        };
        match std::mem::replace(&mut established.offer, OfferState::Idle) {
            OfferState::Remote(remote) => Some(*remote),
            other => {
                established.offer = other;
                None
            }
        }
    }

    pub(super) fn handle_established_timeout(&mut self, core: &mut Core, now: Instant) {
        let Some(established) = self.established() else {
            return;
        };
        if let Some(ack) = &mut established.awaiting_ack {
            if ack.give_up_at <= now {
                return self.fail(core, now, None, 408, "no ACK for our answer");
            }
            if ack.retransmit.at <= now {
                ack.retransmit = ack.retransmit.next(now, Some(core.config.timers.t2));
                core.respond_again(ack.transaction, ack.payload.clone());
            }
        }
        if self.is_over() {
            return;
        }
        self.try_again(core, now);
        match self.timer.due(now) {
            Some(Due::Expired) => self.fail(core, now, None, 408, "session timer expired"),
            Some(Due::Refresh) => self.refresh(core, now),
            None => {}
        }
    }
}
