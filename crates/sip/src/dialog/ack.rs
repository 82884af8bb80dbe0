//! The ACKs of the 2xx that our INVITEs get (RFC 3261 §13.2.2.4), those of forks included.

use std::time::Instant;

use super::authorization::is_authorization;
use super::locating::Held;
use super::{Dialog, InviteSession, Reply, farewell};
use crate::Transmit;
use crate::core::Core;
use crate::message::{Method, OutgoingRequest};
use crate::transaction::{Owner, TransactionKey};

/// Most answers to one INVITE that are acknowledged (forks).
const MAX_FORKS: usize = 16;

/// What each repetition of a 2xx gets again.
#[derive(Debug)]
pub(super) struct Ack {
    pub invite: TransactionKey,
    pub to_tag: String,
    pub transmit: Transmit,
}

impl InviteSession {
    /// ACK for the 2xx that made or refreshed the dialog.
    pub(super) fn acknowledge(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>) {
        let (request, branch) = (ack_of(reply, &self.dialog), core.branch());
        self.send_or_hold(core, now, Held { request, branch, ack_of: Some(reply.transaction) });
    }

    /// An ACK is kept, because each repetition of the 2xx gets it again (RFC 3261 §13.2.2.4).
    pub(super) fn keep_ack(&mut self, ack: Ack) {
        if self.acks.len() < MAX_FORKS {
            self.acks.push(ack);
        }
    }

    /// A 2xx after the one that made the dialog: a repetition gets its ACK again, an answer of another fork
    /// an ACK and a BYE.
    pub(super) fn handle_late_2xx(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>) {
        let known = |ack: &&Ack| ack.invite == reply.transaction && ack.to_tag == reply.to_tag();
        if let Some(ack) = self.acks.iter().find(known) {
            core.transmits.push_back(ack.transmit.clone());
            return;
        }
        let waits = self.locating.as_ref().is_some_and(|locating| locating.holds_ack_of(reply.transaction));
        if self.acks.len() >= MAX_FORKS || (waits && reply.to_tag() == self.dialog.remote_tag) {
            return;
        }
        let mut fork = self.dialog_of_2xx(reply);
        let (mut ack, branch, flow) = (ack_of(reply, &fork), core.branch(), fork.next_hop());
        self.keep_secrets(&mut ack, flow);
        let transmit = Transmit { flow, payload: ack.to_bytes(&flow, branch, &core.config.user_agent) };
        core.transmits.push_back(transmit.clone());
        self.keep_ack(Ack { invite: reply.transaction, to_tag: fork.remote_tag.clone(), transmit });
        let mut bye = fork.request(Method::Bye);
        bye.headers.push(("Reason".to_owned(), farewell::COMPLETED_ELSEWHERE.to_owned()));
        core.start(now, flow, bye, Owner::Nobody);
    }
}

/// RFC 3261 §22.1: an ACK repeats the credentials of its INVITE.
fn ack_of(reply: Reply<'_>, dialog: &Dialog) -> OutgoingRequest {
    let mut ack = dialog.ack(reply.request.cseq);
    ack.headers.extend(reply.request.headers.iter().filter(|(name, _)| is_authorization(name)).cloned());
    ack
}
