//! The called side until the final response, and the ACK of a 2xx.

use std::time::{Duration, Instant};

use super::established::{AwaitingAck, Established, Remote};
use super::reliable::{Exchange, Reliable};
use super::session::{State, wrong_state};
use super::session_timer::{Demand, Grant, SessionTimer};
use super::{Dialog, InviteSession};
use crate::core::Core;
use crate::digest::Authenticator;
use crate::message::headers::{HeaderName, RAck};
use crate::message::{Echo, Headers, OutgoingResponse, Request};
use crate::registration::Learnt;
use crate::sdp::SessionDescription;
use crate::transaction::TransactionKey;
use crate::{CallerIdentity, Config, Deadline, Event, Flow, SessionEnd, SessionId, WrongState};

/// RFC 3261 §13.3.1.1: a provisional response at least every minute keeps proxies from giving up.
const REPEAT_PROVISIONAL: Duration = Duration::from_secs(60);

/// Their INVITE waits for our final response.
#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) transaction: TransactionKey,
    pub(super) echo: Echo,
    pub(super) local_tag: String,
    /// That of the INVITE: its ACK repeats it, whatever came in between.
    pub(super) cseq: u32,
    pub(super) has_offer: bool,
    grant: Grant,
    provisional: OutgoingResponse,
    repeat_at: Instant,
    pub(super) reliable: Reliable,
    /// An offer of theirs in a PRACK or UPDATE that waits for the shell.
    pub(super) offered: Option<Box<Remote>>,
    /// The answer of the shell, until a PRACK lets it go out.
    held_answer: Option<SessionDescription>,
}

impl Ringing {
    pub fn deadline(&self) -> Deadline {
        let repeat = Deadline { at: self.repeat_at, timer: "provisional response, repeated" };
        match self.reliable.deadline() {
            Some(reliable) if reliable.at < repeat.at => reliable,
            _ => repeat,
        }
    }

    /// Whether a PRACK or UPDATE of theirs may bring an offer.
    pub fn may_be_offered(&self) -> bool {
        self.reliable.description == Exchange::Settled && self.offered.is_none() && self.held_answer.is_none()
    }
}

/// What the user agent knows of a new INVITE once it has checked it.
pub(crate) struct NewInvite<'a> {
    pub request: &'a Request<'a>,
    pub flow: Flow,
    pub transaction: TransactionKey,
    pub echo: Echo,
    pub offer: Option<SessionDescription>,
    pub grant: Grant,
    /// Where its trunk sees us.
    pub learnt: Option<Learnt>,
}

/// What the session timer of a new INVITE will be, or why it is refused (RFC 4028 §9).
pub(crate) fn session_grant(config: &Config, headers: &Headers<'_>) -> Result<Grant, OutgoingResponse> {
    match SessionTimer::new(config).demand(headers) {
        Demand::Granted(grant) => Ok(grant),
        refused => Err(refused.refusal()),
    }
}

impl InviteSession {
    /// Their INVITE: the shell is told, and decides.
    pub fn ring(core: &mut Core, now: Instant, id: SessionId, invite: NewInvite<'_>) -> Self {
        let local_tag = core.token();
        let dialog = Dialog::called(invite.flow, invite.request, local_tag.clone(), invite.learnt);
        let headers = &invite.request.headers;
        let from = headers.from().ok();
        core.emit(Event::Incoming {
            session: id,
            flow: invite.flow,
            request_uri: invite.request.uri.to_owned(),
            from: from.map(|from| from.uri.to_owned()).unwrap_or_default(),
            display_name: from.and_then(|from| from.display_name()),
            to: headers.to().map(|to| to.uri.to_owned()).unwrap_or_default(),
            call_id: dialog.call_id.clone(),
            caller: CallerIdentity::of(headers),
            offer: invite.offer.clone(),
        });
        let ringing = Ringing {
            transaction: invite.transaction,
            echo: invite.echo,
            local_tag,
            cseq: dialog.remote_cseq.unwrap_or_default(),
            has_offer: invite.offer.is_some(),
            grant: invite.grant,
            provisional: OutgoingResponse::new(100),
            repeat_at: now + REPEAT_PROVISIONAL,
            reliable: Reliable::new(core, headers, invite.offer.is_some()),
            offered: None,
            held_answer: None,
        };
        let state = State::Ringing(Box::new(ringing));
        let mut session = Self::new(core, id, dialog, state, false, Authenticator::without_credentials());
        session.note_peer(headers);
        session.remote = invite.offer;
        session
    }

    pub fn progress(
        &mut self,
        core: &mut Core,
        now: Instant,
        status: u16,
        description: Option<SessionDescription>,
    ) -> Result<(), WrongState> {
        let response = self.dialog_response(&core.config, status, description.as_ref());
        let State::Ringing(ringing) = &mut self.state else {
            return wrong_state("progress");
        };
        if !(101..200).contains(&status) || ringing.held_answer.is_some() {
            return wrong_state("progress");
        }
        ringing.repeat_at = now + REPEAT_PROVISIONAL;
        if !ringing.reliable.on {
            core.respond(now, ringing.transaction, &ringing.echo, &ringing.local_tag, &response);
            ringing.provisional = response;
            return Ok(());
        }
        // RFC 3262 §5: what a reliable response has described is not described again.
        let described = ringing.reliable.description != Exchange::Open;
        // RFC 3261 §13.2.1: the first reliable response makes the offer, or there is none.
        if !ringing.has_offer && !described && description.is_none() {
            return Ok(());
        }
        let response = OutgoingResponse { content: response.content.filter(|_| !described), ..response };
        ringing.provisional = OutgoingResponse { content: None, ..response.clone() };
        if !described && let Some(description) = description {
            self.local = Some(description);
        }
        self.progress_reliably(core, now, response);
        Ok(())
    }

    pub(super) fn handle_ringing_timeout(&mut self, core: &mut Core, now: Instant) {
        self.handle_reliable_timeout(core, now);
        let State::Ringing(ringing) = &mut self.state else {
            return;
        };
        if ringing.repeat_at > now {
            return;
        }
        ringing.repeat_at = now + REPEAT_PROVISIONAL;
        if !ringing.reliable.on || ringing.provisional.status == 100 {
            core.respond(now, ringing.transaction, &ringing.echo, &ringing.local_tag, &ringing.provisional);
        } else if ringing.reliable.is_idle() {
            let response = ringing.provisional.clone();
            self.progress_reliably(core, now, response);
        }
    }

    /// Answers, at once or as soon as a PRACK allows it.
    pub fn answer(&mut self, core: &mut Core, now: Instant, description: SessionDescription) -> Result<(), WrongState> {
        match &mut self.state {
            State::Ringing(ringing) if ringing.held_answer.is_none() && ringing.offered.is_none() => {
                ringing.held_answer = Some(description);
            }
            _ => return wrong_state("answer"),
        }
        self.answer_when_settled(core, now);
        Ok(())
    }

    pub(super) fn answer_when_settled(&mut self, core: &mut Core, now: Instant) {
        let State::Ringing(ringing) = &mut self.state else {
            return;
        };
        if ringing.reliable.holds_answer() || ringing.offered.is_some() {
            return;
        }
        let Some(description) = ringing.held_answer.take() else {
            return;
        };
        let State::Ringing(ringing) = &self.state else {
            return;
        };
        let settled = ringing.reliable.description == Exchange::Settled;
        let description = Some(description).filter(|_| !settled);
        let response = ringing.grant.apply(self.dialog_response(&core.config, 200, description.as_ref()));
        self.timer.start_granted(now, &ringing.grant);
        core.respond(now, ringing.transaction, &ringing.echo, &ringing.local_tag, &response);
        let payload = response.to_bytes(&ringing.echo, &ringing.local_tag, &core.config.user_agent);
        let (timers, transaction) = (core.config.timers, ringing.transaction);
        let wants_answer = !ringing.has_offer && !settled;
        let ack = AwaitingAck::new(now, &timers, transaction, payload, ringing.cseq, true, wants_answer);
        self.unacknowledged = ringing.reliable.unacknowledged().map(|rseq| RAck { rseq, cseq: ringing.cseq });
        self.local = description.or(self.local.take());
        self.state = State::Established(Box::new(Established::awaiting(ack)));
    }

    pub fn reject(
        &mut self,
        core: &mut Core,
        now: Instant,
        status: u16,
        headers: Vec<(String, String)>,
    ) -> Result<(), WrongState> {
        if !(300..700).contains(&status) {
            return wrong_state("reject");
        }
        self.refuse_invite(core, now, OutgoingResponse { headers, ..OutgoingResponse::new(status) }, SessionEnd::Local)
    }

    /// Their CANCEL, already answered 200: without effect once there is a final response (RFC 3261 §9.2).
    pub fn handle_cancel(&mut self, core: &mut Core, now: Instant, request: &Request<'_>) {
        let reason_header = request.headers.joined(HeaderName::Reason);
        let _ = self.refuse_invite(core, now, OutgoingResponse::new(487), SessionEnd::Canceled { reason_header });
    }

    pub(super) fn refuse_invite(
        &mut self,
        core: &mut Core,
        now: Instant,
        response: OutgoingResponse,
        end: SessionEnd,
    ) -> Result<(), WrongState> {
        let State::Ringing(ringing) = &self.state else {
            return wrong_state("reject");
        };
        core.respond(now, ringing.transaction, &ringing.echo, &ringing.local_tag, &response);
        self.close(core, now);
        self.end(core, end);
        Ok(())
    }
}
