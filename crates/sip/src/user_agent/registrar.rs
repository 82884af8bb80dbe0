//! Challenges to those who call or register (RFC 3261 §22.2), and a registrar that grants every binding (§10.3): the
//! far end of a trunk.

use std::time::Instant;

use super::UserAgent;
use crate::digest::Verdict;
use crate::message::headers::HeaderName;
use crate::message::{Echo, OutgoingResponse, Request, number};
use crate::transaction::TransactionKey;
use crate::{Event, Flow, Registrar};

/// Longest binding granted, and that of a REGISTER that names no time, in seconds.
const EXPIRES_MOST: u32 = 3600;
/// Most bindings taken from one REGISTER.
const MAX_CONTACTS: usize = 16;

impl UserAgent {
    /// The user behind a request, or nothing once it has been challenged. Without users of its own a trunk has those of
    /// our registrar, and without one everybody passes.
    pub(super) fn authenticated(
        &mut self,
        now: Instant,
        flow: Flow,
        key: TransactionKey,
        echo: &Echo,
        request: &Request<'_>,
        realm: Option<&Registrar>,
    ) -> Option<String> {
        let Some(realm) = realm.or(self.core.config.registrar.as_ref()) else {
            return Some(String::new());
        };
        let (source, method) = (flow.remote.ip(), request.method.as_str());
        match self.core.challenger.verify(now, realm, source, method, request.uri, &request.headers) {
            Verdict::Passed(username) => Some(username),
            Verdict::Challenge { stale } => {
                let mut response = OutgoingResponse::new(401);
                response.headers = self.core.challenger.challenges(now, realm, source, stale);
                self.respond(now, key, echo, &response);
                None
            }
        }
    }

    pub(super) fn handle_register(
        &mut self,
        now: Instant,
        flow: Flow,
        key: TransactionKey,
        echo: &Echo,
        request: &Request<'_>,
    ) {
        let Some(username) = self.authenticated(now, flow, key, echo, request, None) else {
            return;
        };
        let headers = &request.headers;
        let common = headers.optional_number(HeaderName::Expires).ok().flatten().unwrap_or(EXPIRES_MOST);
        let mut response = OutgoingResponse::new(200);
        for contact in headers.name_addrs(HeaderName::Contact).unwrap_or_default().iter().take(MAX_CONTACTS) {
            let own = contact.params.get("expires").and_then(|text| number(text.as_bytes()));
            let expires = own.unwrap_or(common).min(EXPIRES_MOST);
            if contact.uri == "*" || expires == 0 {
                continue;
            }
            response = response.with("Contact", format!("<{}>;expires={expires}", contact.uri));
            let (username, contact) = (username.clone(), contact.uri.to_owned());
            self.core.emit(Event::Bound { username, flow, contact });
        }
        self.respond(now, key, echo, &response);
    }
}
