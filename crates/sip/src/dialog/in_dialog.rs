//! What the peer asks for within a dialog: BYE, INFO, re-INVITE, UPDATE, and the ACK of our 2xx.

use std::time::Instant;

use super::InviteSession;
use super::established::{OfferState, Remote};
use super::offers::offer_refusal;
use super::session::{SDP, State};
use super::session_timer::Demand;
use crate::core::Core;
use crate::message::headers::HeaderName;
use crate::message::{Echo, Method, OutgoingResponse, Request, SdpPart, sdp_part};
use crate::sdp::SessionDescription;
use crate::transaction::TransactionKey;
use crate::{Event, SessionEnd};

/// A request of theirs within the dialog, with all that answers it.
pub(crate) struct InDialog<'a> {
    pub request: &'a Request<'a>,
    pub cseq: u32,
    pub transaction: TransactionKey,
    pub echo: Echo,
}

impl InDialog<'_> {
    /// The tag of its sender; an empty one is none.
    pub fn remote_tag(&self) -> Option<&str> {
        self.request.headers.from().ok().and_then(|from| from.tag())
    }
}

impl InviteSession {
    /// Whether a To and From tag name this dialog, as seen by its peer.
    pub fn is_between(&self, remote_tag: Option<&str>) -> bool {
        // Before the final response to our INVITE there may be several remote tags.
        matches!(self.state, State::Calling(_) | State::Redirected(_) | State::Canceling(_))
            || self.dialog.remote_tag == remote_tag.unwrap_or_default()
    }

    /// An OPTIONS changes nothing, but its CSeq counts.
    pub fn handle_options(&mut self, remote_tag: Option<&str>, cseq: u32) {
        self.dialog_with(remote_tag).advance(cseq);
    }

    pub fn handle_request(&mut self, core: &mut Core, now: Instant, in_dialog: InDialog<'_>) {
        let dialog = self.dialog_with(in_dialog.remote_tag());
        dialog.reached_by(in_dialog.echo.reply_to);
        // RFC 3261 §12.2.2: out of order.
        if !dialog.advance(in_dialog.cseq) {
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
            Method::Prack => self.handle_prack(core, now, in_dialog),
            Method::Info => self.handle_info(core, now, &in_dialog),
            _ => self.respond(core, now, &in_dialog, OutgoingResponse::new(200)),
        }
    }

    pub(super) fn respond(&self, core: &mut Core, now: Instant, to: &InDialog<'_>, response: OutgoingResponse) {
        core.respond(now, to.transaction, &to.echo, &self.dialog.local_tag, &response);
    }

    fn handle_bye(&mut self, core: &mut Core, now: Instant, bye: &InDialog<'_>) {
        let end = SessionEnd::Bye { reason_header: bye.request.headers.joined(HeaderName::Reason) };
        match &self.state {
            // RFC 3261 §15: the callee must not BYE an early dialog; there is no call to end.
            State::Calling(_) | State::Redirected(_) | State::Canceling(_) => {
                self.respond(core, now, bye, OutgoingResponse::new(481));
            }
            State::Ringing(_) => {
                self.respond(core, now, bye, OutgoingResponse::new(200));
                let _ = self.refuse_invite(core, now, OutgoingResponse::new(487), end);
            }
            State::Established(_) | State::Closing { .. } => {
                self.respond(core, now, bye, OutgoingResponse::new(200));
                self.close(core, now);
                self.end(core, end);
            }
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
        if negotiates && let Some(status) = self.offer_obstacle(is_invite, in_dialog.remote_tag()) {
            let response = offer_refusal(core, status);
            return self.respond(core, now, &in_dialog, response);
        }
        let grant = match self.timer.demand(&in_dialog.request.headers) {
            Demand::Granted(grant) => grant,
            refused => return self.respond(core, now, &in_dialog, refused.refusal()),
        };
        self.note_peer(&in_dialog.request.headers);
        self.dialog_with(in_dialog.remote_tag()).refresh_target(&in_dialog.request.headers);
        if !negotiates {
            let response = grant.apply(self.dialog_response(&core.config, 200, None));
            self.respond(core, now, &in_dialog, response);
            return self.timer.start_granted(now, &grant);
        }
        let InDialog { cseq, transaction, echo, .. } = in_dialog;
        let remote = Remote { transaction, echo, cseq, is_invite, offer: offer.clone(), grant };
        self.set_offer(OfferState::Remote(Box::new(remote)));
        core.emit(Event::Offer { session: self.id, offer });
    }

    /// Why an offer of theirs cannot be taken now.
    fn offer_obstacle(&self, is_invite: bool, remote_tag: Option<&str>) -> Option<u16> {
        match &self.state {
            State::Established(_) if self.is_over() => Some(487),
            State::Established(established) => match &established.offer {
                OfferState::Local(..) => Some(491),
                OfferState::Remote(_) => Some(500),
                OfferState::Idle => {
                    // RFC 5407 §3.1.4: our 2xx may be lost; its offer and answer must be settled first.
                    let unsettled = established.awaiting_ack.as_ref().is_some_and(|ack| is_invite || ack.wants_answer);
                    unsettled.then_some(491)
                }
            },
            // RFC 3311 §5.2: once a reliable response has settled the first, there may be another.
            State::Ringing(ringing) if ringing.may_be_offered() && !is_invite => None,
            State::Ringing(_) => Some(500),
            // The same from the callee, who has answered our offer reliably.
            State::Calling(calling) if !is_invite && self.has_settled_early(remote_tag) => {
                calling.offered.is_some().then_some(500)
            }
            State::Calling(_) | State::Redirected(_) | State::Canceling(_) => Some(491),
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
            return self.fail(core, now, None, 488, "no usable answer to our offer");
        }
        if description.is_some() {
            self.remote.clone_from(&description);
        }
        if ack.is_first || description.is_some() {
            core.emit(Event::Acknowledged { session: self.id, description });
        }
    }
}
