//! Next hops that are names, and streams to those that are not: what is to be sent waits until the shell has looked
//! them up (RFC 3261 §12.2.1.1, §18.1.1, RFC 3263).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::InviteSession;
use super::ack::Ack;
use crate::core::Core;
use crate::message::OutgoingRequest;
use crate::route::MAX_OVER_UDP;
use crate::transaction::{Branch, Owner, TransactionKey};
use crate::{Deadline, Event, Flow, Transmit};

/// How long the shell may take; then the path of the dialog is taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most requests that wait; further ones take the path of the dialog.
const MAX_HELD: usize = 16;
/// What credentials may add to a request.
const ROOM_FOR_CREDENTIALS: usize = 400;

/// The shell has been asked.
#[derive(Debug)]
pub(super) struct Locating {
    uri: String,
    /// Where a stream is sought to, if that was the question.
    stream_to: Option<SocketAddr>,
    give_up_at: Instant,
    held: Vec<Held>,
}

/// A request that goes along the dialog.
#[derive(Debug)]
pub(super) struct Held {
    pub request: OutgoingRequest,
    pub branch: Branch,
    /// For an ACK: the INVITE that was answered.
    pub ack_of: Option<TransactionKey>,
}

impl Locating {
    pub fn deadline(&self) -> Deadline {
        Deadline { at: self.give_up_at, timer: "name of the next hop" }
    }

    /// Whether the ACK of an INVITE is among what waits.
    pub fn holds_ack_of(&self, invite: TransactionKey) -> bool {
        self.held.iter().any(|held| held.ack_of == Some(invite))
    }
}

impl InviteSession {
    /// Sends a request along the dialog, as soon as it is known where that leads.
    pub(super) fn send_or_hold(&mut self, core: &mut Core, now: Instant, request: Held) {
        if self.locating.is_none()
            && let Some((uri, stream_to)) = self.question(core, &request.request)
        {
            core.emit(Event::Locate { session: self.id, uri: uri.clone() });
            self.locating = Some(Locating { uri, stream_to, give_up_at: now + PATIENCE, held: Vec::new() });
        }
        match &mut self.locating {
            Some(locating) if locating.held.len() < MAX_HELD => locating.held.push(request),
            _ => self.send_now(core, now, request),
        }
    }

    /// What has to be known before a request can be sent: where a name leads, and where a stream does if the request
    /// may be too long for a datagram.
    fn question(&self, core: &Core, request: &OutgoingRequest) -> Option<(String, Option<SocketAddr>)> {
        if let Some(uri) = self.dialog.unlocated() {
            return Some((uri.to_owned(), None));
        }
        let flow = self.dialog.lacks_stream()?;
        let room = if self.authenticator.is_for(flow.remote.ip()) { ROOM_FOR_CREDENTIALS } else { 0 };
        // Nearly every request is far from it, and need not be written to be measured.
        let may_be_long = request.size_at_most(&core.config.user_agent) + room > MAX_OVER_UDP;
        let is_long = may_be_long && core.size_of(request, flow) + room > MAX_OVER_UDP;
        is_long.then(|| (format!("sip:{};transport=tcp", flow.remote), Some(flow.remote)))
    }

    fn send_now(&mut self, core: &mut Core, now: Instant, Held { mut request, branch, ack_of }: Held) {
        match ack_of {
            Some(invite) => {
                let flow = self.dialog.next_hop_for(|flow| core.size_of(&request, flow));
                self.keep_secrets(&mut request, flow);
                let payload = request.to_bytes(&flow, branch, &core.config.user_agent);
                let transmit = Transmit { flow, payload };
                core.transmits.push_back(transmit.clone());
                self.keep_ack(Ack { invite, to_tag: self.dialog.remote_tag.clone(), transmit });
            }
            None => {
                self.reauthorize(core, &mut request, self.dialog.next_hop());
                let flow = self.dialog.next_hop_for(|flow| core.size_of(&request, flow));
                core.start_with(now, flow, request, Owner::Session(self.id), branch);
            }
        }
    }

    /// What the shell has found; without a path that of the dialog is taken, and without a stream datagrams.
    pub fn located(&mut self, core: &mut Core, now: Instant, uri: &str, flow: Option<Flow>) {
        if self.redirection_located(core, now, uri, flow) {
            return;
        }
        let locating = self.locating.take();
        match locating.as_ref().filter(|locating| locating.uri == uri).and_then(|locating| locating.stream_to) {
            Some(to) => self.dialog.has_stream(Some((to, flow))),
            None => self.dialog.located(uri, flow),
        }
        // A target that has changed meanwhile is asked for in its turn.
        for held in locating.map(|locating| locating.held).unwrap_or_default() {
            self.send_or_hold(core, now, held);
        }
    }

    pub(super) fn handle_locating_timeout(&mut self, core: &mut Core, now: Instant) {
        let due = self.locating.as_ref().filter(|locating| locating.give_up_at <= now);
        if let Some(uri) = due.map(|locating| locating.uri.clone()) {
            self.located(core, now, &uri, None);
        }
    }
}
