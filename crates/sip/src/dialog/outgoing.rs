//! The calling side until the first 2xx: early dialogs, challenges, CANCEL and its races.

use std::time::{Duration, Instant};

use super::established::{Established, Remote};
use super::offers::announce;
use super::redirection::{Redirection, Redirects};
use super::remedies::add_100rel;
use super::session::{SDP, State};
use super::{Dialog, InviteSession, Reply};
use crate::core::Core;
use crate::digest::{Authenticator, Realms};
use crate::message::headers::HeaderName;
use crate::message::{Method, OutgoingRequest, Response, SdpPart, push_ip, readable, sdp_part};
use crate::registration::Way;
use crate::route::{Left, Route};
use crate::sdp::SessionDescription;
use crate::transaction::TransactionKey;
use crate::{
    Credentials, Deadline, Disposition, Event, Flow, Hop, Presentation, RegistrationId, SessionEnd, SessionId,
};

/// An INVITE to send.
#[derive(Debug, Clone)]
pub struct Invite {
    /// The next hop's addresses in the order in which to try them: all of one trunk, to all of which the credentials
    /// may go and all of which can reach the address in the offer.
    pub hops: Vec<Hop>,
    /// Request-URI and To: `sip:+15550100@trunk.test`.
    pub request_uri: String,
    /// From, such as `sip:+15550199@trunk.test`.
    pub from: String,
    /// Display name in From.
    pub display_name: Option<String>,
    /// User part of our Contact.
    pub contact_user: String,
    /// For challenges on this call only.
    pub credentials: Option<Credentials>,
    /// The registration whose learnt address our Contact is to have, and whose Service-Route (RFC 3608) is
    /// our Route.
    pub registration: Option<RegistrationId>,
    /// Our offer.
    pub offer: SessionDescription,
    /// How the caller is presented, and whether at all.
    pub presentation: Presentation,
    /// Whether a 3xx may send the call elsewhere.
    pub redirects: Redirects,
    /// Further header fields.
    pub headers: Vec<(String, String)>,
}

impl Invite {
    /// All that must be a URI.
    pub(crate) fn uris(&self) -> impl Iterator<Item = &str> {
        [&self.request_uri, &self.from].into_iter().chain(&self.presentation.asserted).map(String::as_str)
    }
}

/// Our INVITE waits for its final response.
#[derive(Debug)]
pub(super) struct Calling {
    pub transaction: TransactionKey,
    /// Where the INVITE may go, the hop in use first, and the path that it took.
    pub route: Route,
    pub flow: Flow,
    /// When the next hop gets its turn, unless this one has said anything.
    pub first_reply_at: Option<Instant>,
    /// Whether a provisional response came, so that a CANCEL may follow it.
    pub provisional: bool,
    /// An UPDATE of theirs waits for the shell.
    pub offered: Option<Box<Remote>>,
}

impl Calling {
    pub fn deadline(&self) -> Option<Deadline> {
        self.first_reply_at.map(|at| Deadline { at, timer: "first reply" })
    }
}

/// We gave up; the INVITE still waits for its final response.
#[derive(Debug)]
pub(super) struct Canceling {
    pub transaction: TransactionKey,
    cancel: Cancel,
    /// Reason of the CANCEL.
    reason: Option<String>,
}

#[derive(Debug)]
enum Cancel {
    /// RFC 3261 §9.1: hold the CANCEL until a provisional response; sent earlier, it may overtake its INVITE.
    Held,
    Sent {
        give_up_at: Instant,
    },
}

impl Canceling {
    pub fn deadline(&self) -> Option<Deadline> {
        match self.cancel {
            Cancel::Held => None,
            Cancel::Sent { give_up_at } => Some(Deadline { at: give_up_at, timer: "64*T1 after CANCEL" }),
        }
    }

    pub fn has_expired(&self, now: Instant) -> bool {
        matches!(self.cancel, Cancel::Sent { give_up_at } if give_up_at <= now)
    }
}

impl InviteSession {
    /// Sends the INVITE.
    pub fn call(core: &mut Core, now: Instant, id: SessionId, invite: Invite, route: Route, way: Way) -> Self {
        let flow = route.first();
        let (call_id, local_tag) = (core.token(), core.token());
        let mut call_id = call_id + "@";
        push_ip(&mut call_id, flow.local.ip());
        let presentation = &invite.presentation;
        let from = presentation.sender(invite.display_name.as_deref(), &invite.from);
        let contact_user = presentation.contact_user(&invite.contact_user);
        let mut dialog = Dialog::calling(flow, call_id, local_tag, from, &invite.request_uri, contact_user);
        dialog.begin_by(way);
        let mut request = dialog.request(Method::Invite);
        request.headers = presentation.headers(&invite.from);
        request.headers.extend(invite.headers);
        announce(&core.config, &mut request);
        request.content = Some((SDP.to_owned(), invite.offer.to_bytes()));
        let authenticator = Authenticator::new(route.addresses(), invite.credentials);
        let mut session = Self::new(core, id, dialog, State::Closing { abandon_at: now }, true, authenticator);
        session.local = Some(invite.offer);
        session.redirection = Redirection::new(invite.redirects, &invite.request_uri);
        session.timer.ask(&mut request);
        session.attempt(core, now, route, request);
        session
    }

    /// Sends the refused INVITE again, changed, to the same hop.
    fn ask_again(&mut self, core: &mut Core, now: Instant, request: OutgoingRequest) {
        let State::Calling(calling) = &self.state else {
            return;
        };
        let route = calling.route.clone();
        let request = OutgoingRequest { cseq: self.dialog.request(Method::Invite).cseq, ..request };
        self.attempt(core, now, route, request);
    }

    pub(super) fn cancel(&mut self, core: &mut Core, now: Instant) {
        self.refuse_open_offer(core, now, 487);
        let State::Calling(calling) = &self.state else { return };
        let mut canceling =
            Canceling { transaction: calling.transaction, cancel: Cancel::Held, reason: self.farewell.clone() };
        if calling.provisional {
            canceling.send(core, now);
        }
        self.state = State::Canceling(canceling);
    }

    /// A response to the INVITE that is to make the session.
    pub(super) fn handle_invite_response(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>) {
        let response = reply.response;
        match (&self.state, response.status) {
            (State::Calling(_), ..200) => {
                if let State::Calling(calling) = &mut self.state {
                    calling.provisional = true;
                    calling.first_reply_at = None;
                }
                if response.status > 100 {
                    self.progressed(core, now, reply);
                }
            }
            (State::Calling(_), 200..300) => self.answered(core, now, reply),
            (State::Calling(_), _) => self.refused(core, now, reply),
            (State::Canceling(_), ..200) => self.send_cancel(core, now),
            // The 200 crossed our CANCEL (RFC 3261 §15).
            (State::Canceling(_), 200..300) => {
                self.dialog = self.dialog_of_2xx(reply);
                self.acknowledge(core, now, reply);
                self.bye(core, now);
            }
            (State::Canceling(_), _) => self.close(core, now),
            _ => {}
        }
    }

    /// A refusal: by some the callee asks for another INVITE, by others a hop for another hop.
    fn refused(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>) {
        let response = reply.response;
        let mut request = reply.request.clone();
        let disposition = Disposition::of_response(response);
        let asks_again = match disposition {
            Disposition::Credentials => self.takes_challenge(core, reply, Realms::Any),
            Disposition::Interval => self.timer.raise(&response.headers),
            Disposition::Extension if response.status == 421 => add_100rel(&mut request, &response.headers),
            Disposition::Extension => self.remedies.drop_options(&mut request, &response.headers),
            Disposition::Media => self.offers_plainly(&mut request),
            _ => false,
        };
        if asks_again {
            if disposition == Disposition::Interval {
                self.timer.ask(&mut request);
            }
            // Who looks at more than our credentials has accepted them.
            if disposition != Disposition::Credentials {
                self.authenticator.start_anew();
            }
            return self.ask_again(core, now, request);
        }
        let end = rejection(response, disposition);
        match disposition {
            Disposition::Target { after } if self.refused_by_hop(core, now, response.status, after) => {}
            Disposition::Target { .. } if self.early.is_empty() => self.redirect_or_end(core, now, request, end),
            Disposition::Redirected => {
                self.redirection.take(response);
                self.redirect_or_end(core, now, request, end);
            }
            _ => {
                self.close(core, now);
                self.end(core, end);
            }
        }
    }

    /// Leaves the hop that refused for the next; whether there is one.
    fn refused_by_hop(&mut self, core: &mut Core, now: Instant, status: u16, after: Option<Duration>) -> bool {
        match status {
            // Whoever has rung is not called a second time.
            _ if !self.early.is_empty() => false,
            // RFC 3263 §4.3: of all refusals this one is certain to be that of a hop and not of a callee.
            503 => self.try_next(core, now, Left::Refused, after),
            _ => self.try_next(core, now, Left::Declined, None),
        }
    }

    /// Whether the INVITE has a plainer offer, which it then makes.
    fn offers_plainly(&mut self, request: &mut OutgoingRequest) -> bool {
        let plain =
            self.local.as_ref().and_then(SessionDescription::plain).filter(|_| self.remedies.may_offer_plainly());
        let Some(plain) = plain else {
            return false;
        };
        request.content = Some((SDP.to_owned(), plain.to_bytes()));
        self.local = Some(plain);
        true
    }

    /// The CANCEL that waited for a provisional response.
    fn send_cancel(&mut self, core: &mut Core, now: Instant) {
        if let State::Canceling(canceling) = &mut self.state {
            canceling.send(core, now);
        }
    }

    fn answered(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>) {
        let response = reply.response;
        // RFC 3311 §5.2: what has not been answered by now comes again.
        self.refuse_open_offer(core, now, 500);
        self.dialog = self.dialog_of_2xx(reply);
        self.authenticator.succeeded(&mut core.keyring, &response.headers);
        self.acknowledge(core, now, reply);
        let description = match sdp_part(&response.headers, response.body) {
            SdpPart::Found(body) => SessionDescription::parse(body).ok(),
            SdpPart::Absent => self.early_description(&self.dialog.remote_tag),
            SdpPart::Unsupported => None,
        };
        let Some(description) = description else {
            return self.fail(core, now, Some(response.status), 488, "answer without a usable session description");
        };
        self.note_peer(&response.headers);
        self.timer.granted(now, &response.headers);
        self.remote = Some(description.clone());
        self.state = State::Established(Box::new(Established::confirmed()));
        let (status, reason) = (response.status, readable(response.reason));
        core.emit(Event::Answered { session: self.id, status, reason, description });
    }
}

impl Canceling {
    fn send(&mut self, core: &mut Core, now: Instant) {
        if matches!(self.cancel, Cancel::Held) {
            core.cancel(now, self.transaction, self.reason.take());
            self.cancel = Cancel::Sent { give_up_at: now + core.config.timers.patience() };
        }
    }
}

fn rejection(response: &Response<'_>, disposition: Disposition) -> SessionEnd {
    SessionEnd::Rejected {
        status: response.status,
        reason: readable(response.reason),
        reason_header: response.headers.joined(HeaderName::Reason),
        disposition,
    }
}
