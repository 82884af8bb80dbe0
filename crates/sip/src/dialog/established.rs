//! A session after its 2xx: offers both ways, INFO, BYE, and the ACK of every 2xx of ours.

use std::time::{Duration, Instant};

use super::InviteSession;
use super::session::{SDP, State, wrong_state};
use crate::core::Core;
use crate::message::headers::HeaderName;
use crate::message::{Echo, Method, OutgoingRequest, OutgoingResponse, Request, Response, SdpPart, sdp_part};
use crate::sdp::SessionDescription;
use crate::transaction::{Retransmit, TransactionKey};
use crate::{Deadline, Event, Flow, SessionEnd, Timers, WrongState};

#[derive(Debug)]
pub(super) struct Established {
    awaiting_ack: Option<AwaitingAck>,
    offer: OfferState,
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
enum OfferState {
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
struct Remote {
    transaction: TransactionKey,
    echo: Echo,
    cseq: u32,
    is_invite: bool,
    has_offer: bool,
}

/// Our 2xx, repeated until its ACK over any transport (RFC 3261 §13.3.1.4).
#[derive(Debug)]
pub(super) struct AwaitingAck {
    flow: Flow,
    payload: Vec<u8>,
    cseq: u32,
    /// Of the INVITE that made the session.
    is_first: bool,
    /// Whether the ACK must bring the answer to our offer.
    wants_answer: bool,
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

    fn established(&mut self) -> Option<&mut Established> {
        match &mut self.state {
            State::Established(established) => Some(established),
            _ => None,
        }
    }

    fn set_offer(&mut self, offer: OfferState) {
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

    fn offer_answered(&mut self, core: &mut Core, status: u16, description: Option<SessionDescription>) {
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
                ack.retransmit = ack.retransmit.next(Some(core.config.timers.t2));
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

/// A request of theirs within the dialog, with all that answers it.
pub(crate) struct InDialog<'a> {
    pub request: &'a Request<'a>,
    pub cseq: u32,
    pub transaction: TransactionKey,
    pub echo: Echo,
}

// What they ask for.
impl InviteSession {
    /// Whether a To and From tag name this dialog, as seen by its peer.
    pub fn is_between(&self, remote_tag: Option<&str>) -> bool {
        // Before the final response to our INVITE there may be several remote tags.
        matches!(self.state, State::Calling(_) | State::Canceling(_))
            || self.dialog.remote_tag == remote_tag.unwrap_or_default()
    }

    /// An OPTIONS changes nothing, but its CSeq counts.
    pub fn handle_options(&mut self, cseq: u32) {
        self.dialog.advance(cseq);
    }

    pub fn handle_request(&mut self, core: &mut Core, now: Instant, in_dialog: InDialog<'_>) {
        // RFC 3261 §12.2.2: out of order.
        if !self.dialog.advance(in_dialog.cseq) {
            return self.respond(core, now, &in_dialog, OutgoingResponse::new(500));
        }
        if self.is_over() && matches!(self.state, State::Closing { .. }) {
            // BYE crosses BYE: theirs is as good as ours.
            let status = if in_dialog.request.method == Method::Bye { 200 } else { 481 };
            return self.respond(core, now, &in_dialog, OutgoingResponse::new(status));
        }
        match in_dialog.request.method {
            Method::Bye => self.handle_bye(core, now, &in_dialog),
            Method::Invite | Method::Update => self.handle_offer(core, now, in_dialog),
            Method::Info => self.handle_info(core, now, &in_dialog),
            _ => self.respond(core, now, &in_dialog, OutgoingResponse::new(200)),
        }
    }

    fn respond(&self, core: &mut Core, now: Instant, to: &InDialog<'_>, response: OutgoingResponse) {
        core.respond(now, &to.transaction, &to.echo, &self.dialog.local_tag, &response);
    }

    fn handle_bye(&mut self, core: &mut Core, now: Instant, bye: &InDialog<'_>) {
        let end = SessionEnd::Bye { reason_header: bye.request.headers.text(HeaderName::Reason) };
        match &self.state {
            // RFC 3261 §15: the callee must not BYE an early dialog; there is no call to end.
            State::Calling(_) | State::Canceling(_) => self.respond(core, now, bye, OutgoingResponse::new(481)),
            State::Ringing(_) => {
                self.respond(core, now, bye, OutgoingResponse::new(200));
                let _ = self.refuse_invite(core, now, OutgoingResponse::new(487), end);
            }
            State::Established(_) | State::Closing { .. } => {
                self.respond(core, now, bye, OutgoingResponse::new(200));
                // RFC 3261 §15.1.2: pending requests are answered all the same.
                self.refuse_open_offer(core, now, 487);
                self.close(core, now);
                self.end(core, end);
            }
        }
    }

    fn handle_info(&mut self, core: &mut Core, now: Instant, info: &InDialog<'_>) {
        self.respond(core, now, info, OutgoingResponse::new(200));
        if !info.request.body.is_empty() && !self.is_over() {
            let content_type = info.request.headers.content_type().unwrap_or_default();
            core.emit(Event::Info { session: self.id, content_type, body: info.request.body.to_vec() });
        }
    }

    /// A re-INVITE (RFC 3261 §14.2) or an UPDATE (RFC 3311 §5.2).
    fn handle_offer(&mut self, core: &mut Core, now: Instant, in_dialog: InDialog<'_>) {
        let is_invite = in_dialog.request.method == Method::Invite;
        let part = sdp_part(&in_dialog.request.headers, in_dialog.request.body);
        let offer = match part {
            SdpPart::Absent => None,
            SdpPart::Found(body) => match SessionDescription::parse(body) {
                Ok(offer) => Some(offer),
                Err(_) => return self.respond(core, now, &in_dialog, OutgoingResponse::new(488)),
            },
            SdpPart::Unsupported => {
                return self.respond(core, now, &in_dialog, OutgoingResponse::new(415).with("Accept", SDP));
            }
        };
        let negotiates = is_invite || offer.is_some();
        if negotiates && let Some(status) = self.offer_obstacle(is_invite) {
            let mut response = OutgoingResponse::new(status);
            if status == 500 {
                let wait = core.random_between(Duration::ZERO, Duration::from_secs(10)).as_secs();
                response = response.with("Retry-After", wait.to_string());
            }
            return self.respond(core, now, &in_dialog, response);
        }
        self.dialog.refresh_target(&in_dialog.request.headers);
        if !negotiates {
            let response = self.dialog_response(200, None);
            return self.respond(core, now, &in_dialog, response);
        }
        let InDialog { cseq, transaction, echo, .. } = in_dialog;
        let has_offer = offer.is_some();
        self.set_offer(OfferState::Remote(Remote { transaction, echo, cseq, is_invite, has_offer }));
        core.emit(Event::Offer { session: self.id, offer });
    }

    /// Why an offer of theirs cannot be taken now.
    fn offer_obstacle(&self, is_invite: bool) -> Option<u16> {
        match &self.state {
            State::Established(_) if self.is_over() => Some(487),
            State::Established(established) => match &established.offer {
                OfferState::Local { .. } => Some(491),
                OfferState::Remote(_) => Some(500),
                OfferState::Idle => {
                    // RFC 5407 §3.1.4: our 2xx may be lost; its offer and answer must be settled first.
                    let unsettled = established.awaiting_ack.as_ref().is_some_and(|ack| is_invite || ack.wants_answer);
                    unsettled.then_some(491)
                }
            },
            State::Ringing(_) => Some(500),
            State::Calling(_) | State::Canceling(_) => Some(491),
            State::Closing { .. } => Some(481),
        }
    }

    /// An ACK for a 2xx of ours.
    pub fn handle_ack(&mut self, core: &mut Core, now: Instant, cseq: u32, request: &Request<'_>) {
        let over = self.is_over();
        let Some(established) = self.established() else {
            return;
        };
        let Some(ack) = established.awaiting_ack.take_if(|ack| ack.cseq == cseq) else {
            return;
        };
        if over {
            return self.bye(core, now);
        }
        let description = match sdp_part(&request.headers, request.body) {
            SdpPart::Found(body) if ack.wants_answer => SessionDescription::parse(body).ok(),
            _ => None,
        };
        if ack.wants_answer && description.is_none() {
            return self.fail(core, now, None, "no usable answer to our offer");
        }
        if ack.is_first || description.is_some() {
            core.emit(Event::Acknowledged { session: self.id, description });
        }
    }
}
