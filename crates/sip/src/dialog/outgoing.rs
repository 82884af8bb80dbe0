//! The calling side until the first 2xx: early dialogs, challenges, CANCEL and its races.

use std::time::Instant;

use super::established::Established;
use super::offers::announce;
use super::session::{SDP, State};
use super::{Dialog, InviteSession};
use crate::core::Core;
use crate::digest::Authenticator;
use crate::message::headers::HeaderName;
use crate::message::{Method, OutgoingRequest, Response, SdpPart, readable, sdp_part};
use crate::sdp::SessionDescription;
use crate::transaction::TransactionKey;
use crate::{Credentials, Deadline, Event, Flow, SessionEnd, SessionId};

/// An INVITE to send.
#[derive(Debug, Clone)]
pub struct Invite {
    /// The path to the next hop.
    pub flow: Flow,
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
    /// Our offer.
    pub offer: SessionDescription,
    /// Further header fields.
    pub headers: Vec<(String, String)>,
}

/// Our INVITE waits for its final response.
#[derive(Debug)]
pub(super) struct Calling {
    pub transaction: TransactionKey,
    /// Whether a provisional response came, so that a CANCEL may follow it.
    provisional: bool,
    /// Descriptions in provisional responses, by To tag: some peers do not repeat theirs in the 2xx.
    early: Vec<(String, SessionDescription)>,
}

/// Most early dialogs remembered.
const MAX_EARLY: usize = 16;

/// We gave up; the INVITE still waits for its final response.
#[derive(Debug)]
pub(super) struct Canceling {
    pub transaction: TransactionKey,
    cancel: Cancel,
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
    pub fn call(core: &mut Core, now: Instant, id: SessionId, invite: Invite) -> Self {
        let (call_id, local_tag) = (core.token(), core.token());
        let call_id = format!("{call_id}@{}", invite.flow.local.ip());
        let from = match &invite.display_name {
            Some(name) => format!("\"{}\" <{}>", name.replace('\\', "\\\\").replace('"', "\\\""), invite.from),
            None => format!("<{}>", invite.from),
        };
        let mut dialog =
            Dialog::calling(invite.flow, call_id, local_tag, from, &invite.request_uri, &invite.contact_user);
        let mut request = dialog.request(Method::Invite);
        request.headers = invite.headers;
        announce(&mut request);
        request.content = Some((SDP.to_owned(), invite.offer.to_bytes()));
        let mut session = Self::new(
            core,
            id,
            dialog,
            State::Closing { abandon_at: now },
            true,
            Authenticator::new(invite.credentials),
        );
        session.local = Some(invite.offer);
        session.timer.ask(&mut request);
        session.send_invite(core, now, request);
        session
    }

    fn send_invite(&mut self, core: &mut Core, now: Instant, request: OutgoingRequest) {
        let transaction = self.send(core, now, request);
        self.state = State::Calling(Calling { transaction, provisional: false, early: Vec::new() });
    }

    pub(super) fn cancel(&mut self, core: &mut Core, now: Instant) {
        let State::Calling(calling) = &self.state else { return };
        let mut canceling = Canceling { transaction: calling.transaction.clone(), cancel: Cancel::Held };
        if calling.provisional {
            canceling.send(core, now);
        }
        self.state = State::Canceling(canceling);
    }

    /// A response to the INVITE that is to make the session.
    pub(super) fn handle_invite_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        key: &TransactionKey,
        request: &OutgoingRequest,
        response: &Response<'_>,
    ) {
        match (&mut self.state, response.status) {
            (State::Calling(calling), ..200) => {
                calling.provisional = true;
                if response.status > 100 {
                    self.progressed(core, response);
                }
            }
            (State::Calling(_), 200..300) => self.answered(core, now, key, request, response),
            (State::Calling(_), 422) if self.timer.raise(&response.headers) => {
                let mut request = OutgoingRequest { cseq: self.dialog.request(Method::Invite).cseq, ..request.clone() };
                self.timer.ask(&mut request);
                self.reauthorize(core, &mut request);
                self.send_invite(core, now, request);
            }
            (State::Calling(_), _) => match self.answer_challenge(core, now, request, response) {
                Some(transaction) => {
                    self.state = State::Calling(Calling { transaction, provisional: false, early: Vec::new() });
                }
                None => {
                    self.close(core, now);
                    self.end(core, rejection(response));
                }
            },
            (State::Canceling(canceling), ..200) => canceling.send(core, now),
            // The 200 crossed our CANCEL (RFC 3261 §15).
            (State::Canceling(_), 200..300) => {
                self.dialog.adopt(response);
                let dialog = self.dialog.clone();
                self.acknowledge(core, key, request, &dialog);
                self.bye(core, now);
            }
            (State::Canceling(_), _) => self.close(core, now),
            _ => {}
        }
    }

    fn progressed(&mut self, core: &mut Core, response: &Response<'_>) {
        let State::Calling(calling) = &mut self.state else {
            return;
        };
        // A broken description of early media is no reason to lose the call.
        let description = match sdp_part(&response.headers, response.body) {
            SdpPart::Found(body) => SessionDescription::parse(body).ok(),
            SdpPart::Absent | SdpPart::Unsupported => None,
        };
        // The To tag may be missing on a 183; such a dialog has none.
        let tag = response.headers.to().ok().and_then(|to| to.tag()).unwrap_or_default();
        if let Some(description) = &description {
            calling.early.retain(|(known, _)| known != tag);
            if calling.early.len() < MAX_EARLY {
                calling.early.push((tag.to_owned(), description.clone()));
            }
        }
        let (status, reason) = (response.status, readable(response.reason));
        core.emit(Event::Progress { session: self.id, status, reason, description });
    }

    fn answered(
        &mut self,
        core: &mut Core,
        now: Instant,
        key: &TransactionKey,
        request: &OutgoingRequest,
        response: &Response<'_>,
    ) {
        let State::Calling(calling) = &mut self.state else {
            return;
        };
        let early = std::mem::take(&mut calling.early);
        self.dialog.adopt(response);
        self.authenticator.succeeded();
        let dialog = self.dialog.clone();
        self.acknowledge(core, key, request, &dialog);
        let description = match sdp_part(&response.headers, response.body) {
            SdpPart::Found(body) => SessionDescription::parse(body).ok(),
            SdpPart::Absent => {
                early.into_iter().find(|(tag, _)| *tag == dialog.remote_tag).map(|(_, description)| description)
            }
            SdpPart::Unsupported => None,
        };
        let Some(description) = description else {
            return self.fail(core, now, Some(response.status), "answer without a usable session description");
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
            core.cancel(now, &self.transaction);
            self.cancel = Cancel::Sent { give_up_at: now + core.config.timers.patience() };
        }
    }
}

fn rejection(response: &Response<'_>) -> SessionEnd {
    SessionEnd::Rejected {
        status: response.status,
        reason: readable(response.reason),
        reason_header: response.headers.text(HeaderName::Reason),
    }
}
