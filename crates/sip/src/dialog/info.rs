//! INFO within a call (RFC 6086), both ways: digits, mostly.

use std::time::Instant;

use super::in_dialog::InDialog;
use super::session::{State, wrong_state};
use super::{InviteSession, Reply};
use crate::core::Core;
use crate::message::{Method, OutgoingResponse};
use crate::transaction::Silence;
use crate::{Event, SessionEnd, WrongState};

impl InviteSession {
    /// An INFO of ours; `InfoAnswered` follows, unless the call ends first.
    pub fn info(&mut self, core: &mut Core, now: Instant, content_type: &str, body: &[u8]) -> Result<(), WrongState> {
        if self.is_over() || !matches!(self.state, State::Established(_)) {
            return wrong_state("info");
        }
        let mut request = self.dialog.request(Method::Info);
        request.content = Some((content_type.to_owned(), body.to_vec()));
        self.send(core, now, request);
        Ok(())
    }

    /// A final response to our INFO.
    pub(super) fn handle_info_response(&mut self, core: &mut Core, now: Instant, reply: Reply<'_>) {
        let response = reply.response;
        if matches!(response.status, 401 | 407) && self.answer_challenge(core, now, reply).is_some() {
            return;
        }
        self.info_answered(core, Some(response.status));
        match response.status {
            // RFC 3261 §12.2.1.2: these say that the dialog is gone.
            481 => {
                self.close(core, now);
                self.end(core, SessionEnd::Failed { status: Some(481), why: "the peer knows no such call" });
            }
            408 => self.fail(core, now, Some(408), 408, "request timeout within the call"),
            401 | 407 => {}
            _ => self.authenticator.succeeded(&mut core.keyring, &response.headers),
        }
    }

    /// Our INFO got no answer. Unlike a time-out, a failure of the transport ends no dialog; but the INFO may have
    /// arrived, and a digit must not be pressed twice.
    pub(super) fn info_lost(&mut self, core: &mut Core, now: Instant, why: Silence) {
        self.info_answered(core, None);
        if why == Silence::Timeout {
            self.fail(core, now, None, 408, "no answer within the call");
        }
    }

    fn info_answered(&mut self, core: &mut Core, status: Option<u16>) {
        if !self.is_over() {
            core.emit(Event::InfoAnswered { session: self.id, status });
        }
    }

    /// An INFO of theirs: digits and the like, as before there were packages. We take none of those (RFC 6086 §4.2.2).
    pub(super) fn handle_info(&mut self, core: &mut Core, now: Instant, info: &InDialog<'_>) {
        if info.request.headers.iter().any(|field| field.raw_name.eq_ignore_ascii_case(b"Info-Package")) {
            return self.respond(core, now, info, OutgoingResponse::new(469).with("Recv-Info", ""));
        }
        self.respond(core, now, info, OutgoingResponse::new(200));
        if !info.request.body.is_empty() && !self.is_over() {
            let content_type = info.request.headers.content_type().unwrap_or_default();
            core.emit(Event::Info { session: self.id, content_type, body: info.request.body.to_vec() });
        }
    }
}
