//! A call of ours that tries the hops of its trunk one after the other (RFC 3263 §4.3).

use std::time::{Duration, Instant};

use super::outgoing::Calling;
use super::session::State;
use super::{InviteSession, Reply};
use crate::SessionEnd;
use crate::core::Core;
use crate::message::{Method, OutgoingRequest};
use crate::route::{Left, Route};
use crate::transaction::{Owner, Silence, TransactionKey};

impl InviteSession {
    /// Sends the INVITE to the hop in use, which its Via and Contact name.
    pub(super) fn attempt(&mut self, core: &mut Core, now: Instant, route: Route, mut request: OutgoingRequest) {
        // RFC 3261 §8.1.2: where the shell says, be it an outbound proxy; the Request-URI stays as it is.
        let flow = route.first();
        self.reauthorize(core, &mut request, flow);
        let flow = route.path(|| core.size_of(&request, flow));
        self.dialog.start_over(flow);
        self.dialog.has_stream(route.stream());
        request.contact = Some(self.dialog.contact.clone());
        let transaction = core.start(now, flow, request, Owner::Session(self.id));
        self.track(transaction);
        self.refuse_open_offer(core, now, 500);
        self.early.clear();
        let first_reply_at = route.has_more(flow).then(|| now + core.config.first_reply);
        self.state =
            State::Calling(Calling { transaction, route, flow, first_reply_at, provisional: false, offered: None });
    }

    /// Leaves the hop in use for the next; whether there is one. What the old one may still say is dealt with by
    /// [`handle_stray_reply`](Self::handle_stray_reply).
    pub(super) fn try_next(&mut self, core: &mut Core, now: Instant, why: Left, retry_after: Option<Duration>) -> bool {
        let State::Calling(calling) = &mut self.state else {
            return false;
        };
        // What a hop has passed on to us is not its own failure.
        if why != Left::Declined {
            core.target_failed(calling.flow, why, retry_after);
        }
        let Some(request) = core.table.clients.get(&calling.transaction).map(|client| client.request.clone()) else {
            return false;
        };
        if !calling.route.leave(calling.flow, why) {
            return false;
        }
        let route = calling.route.clone();
        core.supersede(now, calling.transaction);
        self.authenticator.start_anew();
        let cseq = self.dialog.request(Method::Invite).cseq;
        self.attempt(core, now, route, OutgoingRequest { cseq, ..OutgoingRequest::clone(&request) });
        true
    }

    /// The hop in use took the INVITE, if at all, and said nothing.
    pub(super) fn attempt_lost(&mut self, core: &mut Core, now: Instant, why: Silence) {
        let State::Calling(calling) = &self.state else {
            return;
        };
        let request = core.table.clients.get(&calling.transaction).map(|client| client.request.clone());
        if self.try_next(core, now, Left::Silence(why), None) {
            return;
        }
        let end = SessionEnd::Unanswered { why: why.phrase() };
        match request {
            Some(request) => self.redirect_or_end(core, now, OutgoingRequest::clone(&request), end),
            None => {
                self.close(core, now);
                self.end(core, end);
            }
        }
    }

    pub(super) fn handle_calling_timeout(&mut self, core: &mut Core, now: Instant) {
        if let State::Calling(calling) = &mut self.state
            && calling.first_reply_at.take_if(|at| *at <= now).is_some()
        {
            self.try_next(core, now, Left::NoReply, None);
        }
    }

    /// A response to an INVITE that was left for another hop, or has had its 2xx: nobody may go on ringing or talking
    /// there.
    pub(super) fn handle_stray_reply(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>) {
        match reply.response.status {
            ..200 => self.cancel_stray(core, now, reply.transaction),
            200..300 => self.handle_late_2xx(core, now, reply),
            _ => {}
        }
    }

    fn cancel_stray(&mut self, core: &mut Core, now: Instant, invite: TransactionKey) {
        if !core.is_canceled(invite) {
            core.cancel(now, invite, None);
        }
    }
}
