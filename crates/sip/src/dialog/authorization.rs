//! Credentials in the requests of a call (RFC 3261 §22.1): for its trunk, and for nobody else.

use std::time::Instant;

use super::{InviteSession, Reply};
use crate::Flow;
use crate::core::Core;
use crate::digest::{Covered, Realms};
use crate::message::OutgoingRequest;
use crate::transaction::TransactionKey;

impl InviteSession {
    /// Replaces the credentials of a request: those for the challenges met so far, and for whom they are, only.
    pub(super) fn reauthorize(&mut self, core: &mut Core, request: &mut OutgoingRequest, path: Flow) {
        request.headers.retain(|(name, _)| !is_authorization(name));
        if !self.authenticator.is_for(path.remote.ip()) {
            return;
        }
        let cnonce = core.token();
        let body = request.content.as_ref().map_or(&[][..], |(_, body)| body);
        let covered = Covered { method: request.method.as_str(), uri: &request.uri, body };
        let credentials = self.authenticator.headers(&mut core.keyring, covered, &cnonce);
        request.headers.extend(credentials);
    }

    /// An ACK has the credentials of its INVITE, but not for a callee to whom it goes past the trunk.
    pub(super) fn keep_secrets(&self, ack: &mut OutgoingRequest, path: Flow) {
        if !self.authenticator.is_for(path.remote.ip()) {
            ack.headers.retain(|(name, _)| !is_authorization(name));
        }
    }

    /// Whether it makes sense to answer a challenge: it comes from the trunk, and we have not answered it before.
    pub(super) fn takes_challenge(&mut self, core: &mut Core, reply: Reply<'_>, realms: Realms) -> bool {
        let response = reply.response;
        self.authenticator.is_for(reply.flow.remote.ip())
            && self.authenticator.challenged(&mut core.keyring, response.status, &response.headers, realms)
    }

    /// Sends a challenged request again with credentials; `None` when that makes no sense.
    ///
    /// Calls of others have no credentials here, so a callee cannot extract ours.
    pub(super) fn answer_challenge(
        &mut self,
        core: &mut Core,
        now: Instant,
        reply: Reply<'_>,
    ) -> Option<TransactionKey> {
        let refused = reply.request;
        if !matches!(reply.response.status, 401 | 407) || !self.takes_challenge(core, reply, Realms::Known) {
            return None;
        }
        let fresh = self.dialog.request(refused.method);
        Some(self.send(core, now, OutgoingRequest { cseq: fresh.cseq, ..refused.clone() }))
    }
}

pub(super) fn is_authorization(name: &str) -> bool {
    matches!(name, "Authorization" | "Proxy-Authorization")
}
