//! Reliable provisional responses of ours (RFC 3262 §3): one at a time, repeated until its PRACK.

use std::collections::VecDeque;
use std::time::Instant;

use super::InviteSession;
use super::established::{OfferState, Remote};
use super::in_dialog::InDialog;
use super::offers::offer_refusal;
use super::session::{SDP, State};
use super::session_timer::Grant;
use crate::core::Core;
use crate::message::headers::{HeaderName, RAck};
use crate::message::{Headers, OutgoingResponse, SdpPart, sdp_part};
use crate::sdp::SessionDescription;
use crate::transaction::Retransmit;
use crate::{Deadline, Event, SessionEnd};

/// RFC 3262 §3: the first RSeq is below 2^31, so that it can rise.
const HIGHEST_FIRST_RSEQ: u32 = 0x7fff_ffff;
/// Most responses that wait for the PRACK of the one before.
const MAX_QUEUED: usize = 4;

/// The reliable provisional responses to one INVITE.
#[derive(Debug)]
pub(super) struct Reliable {
    /// Whether responses above 100 go out reliably: the peer demands it, or knows it and we want it.
    pub on: bool,
    rseq: u32,
    outstanding: Option<Outstanding>,
    queued: VecDeque<OutgoingResponse>,
    pub description: Exchange,
}

/// How far the descriptions of the INVITE have been exchanged by reliable means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    Open,
    /// Ours is in a reliable response; when it was an offer, the PRACK answers it.
    Sent,
    /// Nothing is left for the 2xx and its ACK.
    Settled,
}

#[derive(Debug)]
struct Outstanding {
    payload: Vec<u8>,
    has_description: bool,
    retransmit: Retransmit,
    give_up_at: Instant,
}

impl Reliable {
    pub fn new(core: &mut Core, headers: &Headers<'_>, has_offer: bool) -> Self {
        let demanded = headers.lists(HeaderName::Require, "100rel");
        // Where they leave the offer to us, a reliable response would have to make it (RFC 3262 §5), and there may be none
        // before the answer.
        let on = demanded || (has_offer && core.config.reliable_provisionals && headers.supports("100rel"));
        let rseq = core.random_below(HIGHEST_FIRST_RSEQ);
        Self { on, rseq, outstanding: None, queued: VecDeque::new(), description: Exchange::Open }
    }

    /// RFC 3262 §3: no 2xx while a description waits for its PRACK.
    pub fn holds_answer(&self) -> bool {
        self.outstanding.as_ref().is_some_and(|outstanding| outstanding.has_description)
            || self.queued.iter().any(|response| response.content.is_some())
    }

    pub fn is_idle(&self) -> bool {
        self.outstanding.is_none()
    }

    /// The RSeq still unacknowledged, whose PRACK may come after the final response.
    pub fn unacknowledged(&self) -> Option<u32> {
        self.outstanding.as_ref().map(|_| self.rseq)
    }

    pub fn deadline(&self) -> Option<Deadline> {
        let Outstanding { retransmit, give_up_at, .. } = self.outstanding.as_ref()?;
        Some(match retransmit.at < *give_up_at {
            true => Deadline { at: retransmit.at, timer: "reliable provisional retransmission" },
            false => Deadline { at: *give_up_at, timer: "64*T1 (wait for PRACK)" },
        })
    }

    fn queue(&mut self, response: OutgoingResponse) {
        if self.queued.len() < MAX_QUEUED {
            self.queued.push_back(response);
        }
    }
}

impl InviteSession {
    /// Sends a provisional response reliably, or keeps it until the one before is acknowledged.
    pub(super) fn progress_reliably(&mut self, core: &mut Core, now: Instant, response: OutgoingResponse) {
        let State::Ringing(ringing) = &mut self.state else {
            return;
        };
        if response.content.is_some() && ringing.reliable.description == Exchange::Open {
            ringing.reliable.description = Exchange::Sent;
        }
        if !ringing.reliable.is_idle() {
            return ringing.reliable.queue(response);
        }
        let reliable = &mut ringing.reliable;
        reliable.rseq += 1;
        let has_description = response.content.is_some();
        let response = response.with("Require", "100rel").with("RSeq", reliable.rseq.to_string());
        core.respond(now, ringing.transaction, &ringing.echo, &ringing.local_tag, &response);
        let payload = response.to_bytes(&ringing.echo, &ringing.local_tag, &core.config.user_agent);
        let timers = &core.config.timers;
        let (retransmit, give_up_at) = (Retransmit::first(now, timers.t1), now + timers.patience());
        reliable.outstanding = Some(Outstanding { payload, has_description, retransmit, give_up_at });
    }

    pub(super) fn handle_reliable_timeout(&mut self, core: &mut Core, now: Instant) {
        let State::Ringing(ringing) = &mut self.state else {
            return;
        };
        let Some(outstanding) = &mut ringing.reliable.outstanding else {
            return;
        };
        if outstanding.give_up_at <= now {
            let end = SessionEnd::Failed { status: None, why: "no PRACK for our provisional response" };
            let _ = self.refuse_invite(core, now, OutgoingResponse::new(504), end);
        } else if outstanding.retransmit.at <= now {
            // Unlike a final response it is repeated at doubling intervals without an upper bound.
            outstanding.retransmit = outstanding.retransmit.next(now, None);
            core.respond_again(ringing.transaction, outstanding.payload.clone());
        }
    }

    /// Their PRACK (RFC 3262 §3): 481 unless it names the response that waits for it.
    pub(super) fn handle_prack(&mut self, core: &mut Core, now: Instant, prack: InDialog<'_>) {
        let named = prack.request.headers.first(HeaderName::RAck).and_then(RAck::parse);
        let (State::Ringing(ringing), Some(named)) = (&mut self.state, named) else {
            let late = named.is_some_and(|named| self.unacknowledged.take_if(|left| *left == named).is_some());
            let status = if late { 200 } else { 481 };
            return self.respond(core, now, &prack, OutgoingResponse::new(status));
        };
        let reliable = &mut ringing.reliable;
        if reliable.unacknowledged() != Some(named.rseq) || named.cseq != ringing.cseq {
            return self.respond(core, now, &prack, OutgoingResponse::new(481));
        }
        let description = match sdp_part(&prack.request.headers, prack.request.body) {
            SdpPart::Absent => None,
            SdpPart::Found(body) => match SessionDescription::parse(body) {
                Ok(description) => Some(description),
                Err(_) => return self.respond(core, now, &prack, OutgoingResponse::new(488)),
            },
            SdpPart::Unsupported => {
                return self.respond(core, now, &prack, OutgoingResponse::new(415).with("Accept", SDP));
            }
        };
        if description.is_some() && ringing.offered.is_some() {
            let again = offer_refusal(core, 500);
            return self.respond(core, now, &prack, again);
        }
        let carried = reliable.outstanding.take().is_some_and(|outstanding| outstanding.has_description);
        let answers_us = carried && !ringing.has_offer && reliable.description == Exchange::Sent;
        if carried {
            reliable.description = Exchange::Settled;
        }
        let settled = reliable.description == Exchange::Settled;
        let next = reliable.queued.pop_front();
        match description {
            Some(answer) if answers_us => {
                self.respond(core, now, &prack, OutgoingResponse::new(200));
                self.remote = Some(answer.clone());
                core.emit(Event::OfferAnswered { session: self.id, status: 200, description: Some(answer) });
            }
            Some(offer) if settled => self.hold_offer(core, prack, offer, Grant::default()),
            // Before our answer they have nothing to offer anew.
            Some(_) => self.respond(core, now, &prack, OutgoingResponse::new(488)),
            None if answers_us => {
                self.respond(core, now, &prack, OutgoingResponse::new(200));
                let end = SessionEnd::Failed { status: None, why: "no usable answer to our offer" };
                let _ = self.refuse_invite(core, now, OutgoingResponse::new(488), end);
                return;
            }
            None => self.respond(core, now, &prack, OutgoingResponse::new(200)),
        }
        if let Some(response) = next {
            self.progress_reliably(core, now, response);
        }
        self.answer_when_settled(core, now);
    }

    /// Leaves an offer in a PRACK or UPDATE to the shell.
    pub(super) fn hold_offer(&mut self, core: &mut Core, from: InDialog<'_>, offer: SessionDescription, grant: Grant) {
        let InDialog { cseq, transaction, echo, .. } = from;
        let remote = Remote { transaction, echo, cseq, is_invite: false, offer: Some(offer.clone()), grant };
        self.set_offer(OfferState::Remote(Box::new(remote)));
        core.emit(Event::Offer { session: self.id, offer: Some(offer) });
    }
}
