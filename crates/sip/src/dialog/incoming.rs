//! The called side until the final response, and the ACK of a 2xx.

use std::time::{Duration, Instant};

use super::established::{AwaitingAck, Established};
use super::session::{State, wrong_state};
use super::session_timer::{Demand, Grant, SessionTimer};
use super::{Dialog, InviteSession};
use crate::core::Core;
use crate::digest::Authenticator;
use crate::message::headers::HeaderName;
use crate::message::{Echo, Headers, OutgoingResponse, Request};
use crate::sdp::SessionDescription;
use crate::transaction::TransactionKey;
use crate::{Config, Deadline, Event, Flow, SessionEnd, SessionId, WrongState};

/// RFC 3261 §13.3.1.1: a provisional response at least every minute keeps proxies from giving up.
const REPEAT_PROVISIONAL: Duration = Duration::from_secs(60);

/// Their INVITE waits for our final response.
#[derive(Debug)]
pub(super) struct Ringing {
    transaction: TransactionKey,
    echo: Echo,
    local_tag: String,
    /// That of the INVITE: its ACK repeats it, whatever came in between.
    cseq: u32,
    has_offer: bool,
    grant: Grant,
    provisional: OutgoingResponse,
    repeat_at: Instant,
}

impl Ringing {
    pub fn deadline(&self) -> Deadline {
        Deadline { at: self.repeat_at, timer: "provisional response, repeated" }
    }

    pub fn handle_timeout(&mut self, core: &mut Core, now: Instant) {
        if self.repeat_at <= now {
            self.repeat_at = now + REPEAT_PROVISIONAL;
            core.respond(now, &self.transaction, &self.echo, &self.local_tag, &self.provisional);
        }
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
        let dialog = Dialog::called(invite.flow, invite.request, local_tag.clone());
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
        };
        let state = State::Ringing(Box::new(ringing));
        let mut session = Self::new(core, id, dialog, state, false, Authenticator::new(None));
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
        let response = self.dialog_response(status, description.as_ref());
        let State::Ringing(ringing) = &mut self.state else {
            return wrong_state("progress");
        };
        if !(101..200).contains(&status) {
            return wrong_state("progress");
        }
        core.respond(now, &ringing.transaction, &ringing.echo, &ringing.local_tag, &response);
        ringing.provisional = response;
        ringing.repeat_at = now + REPEAT_PROVISIONAL;
        Ok(())
    }

    pub fn answer(&mut self, core: &mut Core, now: Instant, description: SessionDescription) -> Result<(), WrongState> {
        let response = self.dialog_response(200, Some(&description));
        let State::Ringing(ringing) = &self.state else {
            return wrong_state("answer");
        };
        let response = ringing.grant.apply(response);
        self.timer.start_granted(now, &ringing.grant);
        self.local = Some(description);
        core.respond(now, &ringing.transaction, &ringing.echo, &ringing.local_tag, &response);
        let payload = response.to_bytes(&ringing.echo, &ringing.local_tag, &core.config.user_agent);
        let (timers, flow) = (core.config.timers, ringing.echo.reply_to);
        let ack = AwaitingAck::new(now, &timers, flow, payload, ringing.cseq, true, !ringing.has_offer);
        self.state = State::Established(Box::new(Established::awaiting(ack)));
        Ok(())
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
        let reason_header = request.headers.text(HeaderName::Reason);
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
        core.respond(now, &ringing.transaction, &ringing.echo, &ringing.local_tag, &response);
        self.close(core, now);
        self.end(core, end);
        Ok(())
    }
}
