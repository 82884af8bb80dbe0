//! Early dialogs of a call of ours, and the PRACKs that reliable responses get (RFC 3262 §4).

use std::time::Instant;

use super::session::State;
use super::{Dialog, InviteSession, Lost, Reply};
use crate::Event;
use crate::core::Core;
use crate::digest::Realms;
use crate::message::headers::HeaderName;
use crate::message::{Method, OutgoingRequest, SdpPart, readable, sdp_part};
use crate::sdp::SessionDescription;
use crate::transaction::{Owner, Silence};

/// Most early dialogs remembered: forks of one INVITE.
const MAX_EARLY: usize = 16;

/// What one fork of our INVITE said before its final response.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) dialog: Dialog,
    /// Some peers do not repeat their description in the 2xx.
    description: Option<SessionDescription>,
    /// RSeq of the last reliable response taken.
    rseq: Option<u32>,
    /// Whether a reliable response has answered our offer (RFC 3262 §5).
    settled: bool,
}

impl InviteSession {
    /// A provisional response above 100.
    pub(super) fn progressed(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>) {
        let Reply { request, response, .. } = reply;
        let early = self.early_dialog(reply);
        let rseq = response.headers.optional_number(HeaderName::RSeq).ok().flatten();
        let rseq = rseq.filter(|_| response.headers.lists(HeaderName::Require, "100rel"));
        if let (Some(index), Some(rseq)) = (early, rseq) {
            let early = &mut self.early[index];
            // RFC 3262 §4: a repetition, or one after a gap, is not acknowledged and goes no further.
            if early.rseq.is_some_and(|last| last.checked_add(1) != Some(rseq)) {
                return;
            }
            early.rseq = Some(rseq);
            let mut prack = early.dialog.request(Method::Prack);
            prack.headers.push(("RAck".to_owned(), format!("{rseq} {} INVITE", request.cseq)));
            self.send_prack(core, now, index, prack);
        }
        // A broken description of early media is no reason to lose the call.
        let description = match sdp_part(&response.headers, response.body) {
            SdpPart::Found(body) => SessionDescription::parse(body).ok(),
            SdpPart::Absent | SdpPart::Unsupported => None,
        };
        if let (Some(index), Some(_)) = (early, &description) {
            self.early[index].description.clone_from(&description);
            self.early[index].settled |= rseq.is_some();
        }
        let (status, reason) = (response.status, readable(response.reason));
        core.emit(Event::Progress { session: self.id, status, reason, description });
    }

    /// The early dialog of a response; the To tag may be missing on a 183, which is a dialog too.
    fn early_dialog(&mut self, reply: Reply<'_>) -> Option<usize> {
        if let Some(known) = self.early.iter().position(|early| early.dialog.remote_tag == reply.to_tag()) {
            return Some(known);
        }
        if self.early.len() >= MAX_EARLY {
            return None;
        }
        let mut dialog = self.dialog.clone();
        dialog.adopt(reply.response);
        self.early.push(Early { dialog, description: None, rseq: None, settled: false });
        Some(self.early.len() - 1)
    }

    fn send_prack(&mut self, core: &mut Core, now: Instant, index: usize, mut prack: OutgoingRequest) {
        let flow = self.early[index].dialog.next_hop();
        self.reauthorize(core, &mut prack, flow);
        let key = core.start(now, flow, prack, Owner::Session(self.id));
        self.track(key);
    }

    /// A final response to a PRACK. Only a challenge asks for anything: a refusal is followed by that of the
    /// INVITE, if it matters.
    pub(super) fn handle_prack_response(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>) {
        let Reply { request, response, .. } = reply;
        let known = self.early.iter().position(|early| early.dialog.remote_tag == reply.to_tag());
        if let Some(index) = known
            && matches!(response.status, 401 | 407)
            && self.authenticator.is_for(self.early[index].dialog.next_hop().remote.ip())
            && self.authenticator.challenged(&mut core.keyring, response.status, &response.headers, Realms::Known)
        {
            let cseq = self.early[index].dialog.request(Method::Prack).cseq;
            self.send_prack(core, now, index, OutgoingRequest { cseq, ..request.clone() });
        }
    }

    /// A PRACK that went down with its connection goes by another, while the INVITE still waits: what it acknowledges
    /// is repeated until the callee gives up.
    pub(super) fn prack_lost(&mut self, core: &mut Core, now: Instant, lost: Lost<'_>) {
        let is_worth_it = matches!((&self.state, lost.why), (State::Calling(_), Silence::ConnectionLost(_)));
        let request = core.table.clients.get(&lost.transaction).map(|client| client.request.clone());
        let Some(request) = request.filter(|_| is_worth_it && self.has_other_path(lost)) else {
            return;
        };
        let index = self.early.iter().position(|early| early.dialog.is_to(&request.to));
        if let Some(index) = index {
            let cseq = self.early[index].dialog.request(Method::Prack).cseq;
            self.send_prack(core, now, index, OutgoingRequest { cseq, ..OutgoingRequest::clone(&request) });
        }
    }

    /// The dialog that a 2xx makes: with what its early dialog has counted up.
    pub(super) fn dialog_of_2xx(&self, reply: Reply<'_>) -> Dialog {
        let early = self.early.iter().find(|early| early.dialog.remote_tag == reply.to_tag());
        let mut dialog = early.map_or(&self.dialog, |early| &early.dialog).clone();
        dialog.start_over(reply.flow);
        dialog.adopt(reply.response);
        dialog
    }

    /// The dialog that a request of theirs belongs to: before the 2xx there is one with each fork (RFC 3261 §12.2.2).
    pub(super) fn dialog_with(&mut self, remote_tag: Option<&str>) -> &mut Dialog {
        let is_early = matches!(self.state, State::Calling(_) | State::Redirected(_) | State::Canceling(_));
        let tag = remote_tag.unwrap_or_default();
        let early = self.early.iter_mut().find(|early| is_early && early.dialog.remote_tag == tag);
        early.map_or(&mut self.dialog, |early| &mut early.dialog)
    }

    /// Whether the offer of our INVITE is answered for good by that fork, so that it may make one of its own.
    pub(super) fn has_settled_early(&self, remote_tag: Option<&str>) -> bool {
        let tag = remote_tag.unwrap_or_default();
        self.early.iter().any(|early| early.settled && early.dialog.remote_tag == tag)
    }

    /// What a fork described before its 2xx.
    pub(super) fn early_description(&self, tag: &str) -> Option<SessionDescription> {
        self.early.iter().find(|early| early.dialog.remote_tag == tag)?.description.clone()
    }
}
