//! Requests of theirs: which transaction, which dialog, and the refusals of RFC 3261 §8.2.

use std::time::{Duration, Instant};

use super::addressed::Addressed;
use super::{ALLOW, UNDERSTOOD, UserAgent};
use crate::deadlines::Waiting;
use crate::dialog::{InDialog, InviteSession, NewInvite, session_grant};
use crate::message::headers::HeaderName;
use crate::message::{Echo, Invalid, Method, OutgoingResponse, Request, SdpPart, Uri, sdp_part};
use crate::sdp::SessionDescription;
use crate::transaction::{MergeKey, RequestName, Server, ServerInvite, ServerMachine, ServerNonInvite, TransactionKey};
use crate::{Config, Flow, Registrar, SessionId};

/// Transactions of others at a time beyond which requests outside calls are refused without remembering them.
const MAX_SERVER_TRANSACTIONS: usize = 32_768;
/// The same for a request that belongs to a call or cancels one: a flood must not keep calls from ending.
const MAX_SERVER_TRANSACTIONS_IN_CALLS: usize = 65_536;
/// Retry-After of a 503 for want of room.
const OVERLOAD_RETRY: Duration = Duration::from_secs(10);
/// Bodies that we read.
const ACCEPT: &str = "application/sdp";

impl UserAgent {
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Request<'_>,
        realm: Option<&Registrar>,
    ) {
        let is_ack = request.method == Method::Ack;
        let Some(echo) = Echo::of(request, &flow) else {
            return self.core.discard(flow, "request without a usable Via");
        };
        let addressed = match (request.version_ok, request.defect, Addressed::of(request, realm)) {
            (true, None, Ok(addressed)) => addressed,
            _ if is_ack => return self.core.discard(flow, "malformed ACK"),
            (false, ..) => {
                self.core.respond_statelessly(&echo, &OutgoingResponse::new(505));
                return self.core.discard(flow, "unsupported SIP version");
            }
            (true, defect, outcome) => {
                let why = defect.or(outcome.err().map(|Invalid(why)| why)).unwrap_or("malformed");
                let mut response = OutgoingResponse::new(400);
                response.reason = Some(format!("Bad Request ({why})"));
                self.core.respond_statelessly(&echo, &response);
                return self.core.discard(flow, why);
            }
        };
        let name = RequestName::of(request, &addressed.via);
        let known = self.core.table.find(&name);
        if is_ack {
            return self.handle_ack(now, flow, known, request, &addressed);
        }
        if let Some(server) = known.and_then(|key| self.core.table.servers.get_mut(&key)) {
            let again = match &mut server.machine {
                ServerMachine::Invite(invite) => invite.handle_invite(),
                ServerMachine::NonInvite(other) => other.handle_request(),
            };
            let path = server.flow;
            if let Some(payload) = again {
                self.core.transmit(path, payload);
            }
            return;
        }
        if self.core.table.servers.len() >= self.room_for(request, &addressed) {
            return self.refuse_for_overload(flow, &echo, OVERLOAD_RETRY);
        }
        self.handle_new_request(now, flow, name, echo, request, &addressed);
    }

    /// Most transactions beside which a request still gets one of its own. A tag or branch that is only claimed
    /// earns no more room.
    fn room_for(&self, request: &Request<'_>, addressed: &Addressed<'_>) -> usize {
        let belongs = match request.method {
            Method::Cancel => self.core.table.find(&RequestName::canceled_by(request, &addressed.via)).is_some(),
            _ => self.session_between(addressed).is_some(),
        };
        if belongs { MAX_SERVER_TRANSACTIONS_IN_CALLS } else { MAX_SERVER_TRANSACTIONS }
    }

    fn handle_ack(
        &mut self,
        now: Instant,
        flow: Flow,
        invite: Option<TransactionKey>,
        request: &Request<'_>,
        addressed: &Addressed<'_>,
    ) {
        if let Some(key) = invite
            && let Some(ServerMachine::Invite(invite)) =
                self.core.table.servers.get_mut(&key).map(|server| &mut server.machine)
            && invite.handle_ack(now)
        {
            return self.settle_server(key);
        }
        let Some(id) = self.session_between(addressed) else {
            return self.core.discard(flow, "ACK for no INVITE");
        };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.handle_ack(&mut self.core, now, addressed.cseq.number, request);
            self.settle_session(id);
        }
    }

    /// The session whose dialog a request names.
    fn session_between(&self, addressed: &Addressed<'_>) -> Option<SessionId> {
        let id = *self.dialogs.get(addressed.to.tag()?)?;
        let session = self.sessions.get(&id)?;
        (session.call_id() == addressed.call_id && session.is_between(addressed.from.tag())).then_some(id)
    }

    fn handle_new_request(
        &mut self,
        now: Instant,
        flow: Flow,
        name: RequestName,
        echo: Echo,
        request: &Request<'_>,
        addressed: &Addressed<'_>,
    ) {
        let in_dialog = addressed.to.tag().is_some();
        let is_new_invite = request.method == Method::Invite && !in_dialog;
        if is_new_invite && let Some(wait) = self.obstacle_to_new_session() {
            return self.refuse_for_overload(flow, &echo, wait);
        }
        let merge_key = (!in_dialog).then(|| {
            let from_tag = addressed.from.tag().unwrap_or_default();
            MergeKey::of(addressed.call_id, from_tag, addressed.cseq.number, &request.method)
        });
        let is_merged = merge_key.as_ref().is_some_and(|key| self.core.table.is_merged(key));
        let key = self.open_transaction(now, name, &echo, request, merge_key.filter(|_| !is_merged));
        if request.method == Method::Cancel {
            return self.handle_cancel(now, key, &echo, request, addressed);
        }
        let refusal = if is_merged { Some(OutgoingResponse::new(482)) } else { self.refusal(request, addressed) };
        if let Some(refusal) = refusal {
            return self.respond(now, key, &echo, &refusal);
        }
        if in_dialog {
            return self.handle_in_dialog(now, key, echo, request, addressed);
        }
        match request.method {
            Method::Invite => self.handle_invite(now, flow, key, echo, request, addressed.realm),
            Method::Register => self.handle_register(now, flow, key, &echo, request),
            Method::Options => self.respond(now, key, &echo, &capabilities(&self.core.config)),
            // BYE, INFO, UPDATE belong in dialogs.
            _ => self.respond(now, key, &echo, &OutgoingResponse::new(481)),
        }
    }

    fn obstacle_to_new_session(&self) -> Option<Duration> {
        let full = self.core.live_sessions >= self.core.config.max_sessions;
        self.refusing.or(full.then_some(OVERLOAD_RETRY))
    }

    fn refuse_for_overload(&mut self, flow: Flow, echo: &Echo, wait: Duration) {
        let response = OutgoingResponse::new(503).with("Retry-After", wait.as_secs().max(1).to_string());
        self.core.respond_statelessly(echo, &response);
        self.core.discard(flow, "no room for a new call");
    }

    fn open_transaction(
        &mut self,
        now: Instant,
        name: RequestName,
        echo: &Echo,
        request: &Request<'_>,
        merge_key: Option<MergeKey>,
    ) -> TransactionKey {
        let (timers, flow, reopen) = (self.core.config.timers, echo.reply_to, echo.reopen);
        let reliable = flow.transport.is_reliable();
        let machine = if request.method == Method::Invite {
            let trying = OutgoingResponse::new(100).to_bytes(echo, "", &self.core.config.user_agent);
            ServerMachine::Invite(ServerInvite::new(now, timers, reliable, trying))
        } else {
            ServerMachine::NonInvite(ServerNonInvite::new(timers, reliable))
        };
        let deadline = machine.deadline();
        let key = self.core.table.insert_server(Server { machine, name, flow, reopen, session: None, merge_key });
        self.core.deadlines.set(Waiting::Transaction(key), deadline);
        key
    }

    pub(super) fn respond(&mut self, now: Instant, key: TransactionKey, echo: &Echo, response: &OutgoingResponse) {
        let to_tag = self.core.token();
        self.core.respond(now, key, echo, &to_tag, response);
    }

    /// RFC 3261 §9.2: the CANCEL is answered by itself; the INVITE it names perhaps too.
    fn handle_cancel(
        &mut self,
        now: Instant,
        key: TransactionKey,
        echo: &Echo,
        request: &Request<'_>,
        addressed: &Addressed<'_>,
    ) {
        let invite = self.core.table.find(&RequestName::canceled_by(request, &addressed.via));
        let Some(server) = invite.and_then(|invite| self.core.table.servers.get(&invite)) else {
            return self.respond(now, key, echo, &OutgoingResponse::new(481));
        };
        let session = server.session;
        self.respond(now, key, echo, &OutgoingResponse::new(200));
        if let Some(id) = session
            && let Some(session) = self.sessions.get_mut(&id)
        {
            session.handle_cancel(&mut self.core, now, request);
            self.settle_session(id);
        }
    }

    /// The checks of RFC 3261 §8.2.1 to §8.2.3 that any request must pass, in their order.
    fn refusal(&self, request: &Request<'_>, addressed: &Addressed<'_>) -> Option<OutgoingResponse> {
        let headers = &request.headers;
        let registers = self.core.config.registrar.is_some();
        match request.method {
            Method::Register if registers => {}
            Method::Register | Method::Other(_) => {
                let status = if request.method.is_known() { 405 } else { 501 };
                return Some(OutgoingResponse::new(status).with("Allow", self.allow()));
            }
            _ => {}
        }
        if !matches!(request.parsed_uri(), Some(Uri::Sip(_))) && !is_telephone(request.parsed_uri()) {
            return Some(OutgoingResponse::new(416));
        }
        if headers.max_forwards() == Ok(Some(0)) {
            return Some(OutgoingResponse::new(483));
        }
        let required = headers.tokens(HeaderName::Require).map(String::from_utf8_lossy);
        let required: Vec<_> = required.filter(|option| !is_supported(option)).collect();
        if !required.is_empty() {
            return Some(OutgoingResponse::new(420).with("Unsupported", required.join(", ")));
        }
        let in_dialog = addressed.to.tag().is_some();
        if in_dialog && self.session_between(addressed).is_none() {
            return Some(OutgoingResponse::new(481));
        }
        if request.method == Method::Invite {
            let unsupported = sdp_part(headers, request.body) == SdpPart::Unsupported;
            if unsupported {
                return Some(OutgoingResponse::new(415).with("Accept", ACCEPT));
            }
            if !accepts_sdp(request) {
                return Some(OutgoingResponse::new(406));
            }
        }
        None
    }

    pub(super) fn allow(&self) -> String {
        if self.core.config.registrar.is_some() { format!("{ALLOW}, REGISTER") } else { ALLOW.to_owned() }
    }

    fn handle_in_dialog(
        &mut self,
        now: Instant,
        key: TransactionKey,
        echo: Echo,
        request: &Request<'_>,
        addressed: &Addressed<'_>,
    ) {
        if request.method == Method::Options {
            // It changes nothing, but its CSeq counts.
            if let Some(session) = self.session_between(addressed).and_then(|id| self.sessions.get_mut(&id)) {
                session.handle_options(addressed.from.tag(), addressed.cseq.number);
            }
            return self.respond(now, key, &echo, &capabilities(&self.core.config));
        }
        let Some(id) = self.session_between(addressed) else {
            return;
        };
        let in_dialog = InDialog { request, cseq: addressed.cseq.number, transaction: key, echo };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.handle_request(&mut self.core, now, in_dialog);
            self.settle_session(id);
        }
    }

    fn handle_invite(
        &mut self,
        now: Instant,
        flow: Flow,
        key: TransactionKey,
        echo: Echo,
        request: &Request<'_>,
        realm: Option<&Registrar>,
    ) {
        if self.authenticated(now, flow, key, &echo, request, realm).is_none() {
            return;
        }
        let offer = match sdp_part(&request.headers, request.body) {
            SdpPart::Found(body) => match SessionDescription::parse(body) {
                Ok(offer) => Some(offer),
                Err(error) => {
                    let warning = format!("399 offhook \"{error}\"");
                    return self.respond(now, key, &echo, &OutgoingResponse::new(488).with("Warning", warning));
                }
            },
            SdpPart::Absent | SdpPart::Unsupported => None,
        };
        let grant = match session_grant(&self.core.config, &request.headers) {
            Ok(grant) => grant,
            Err(refusal) => return self.respond(now, key, &echo, &refusal),
        };
        let learnt = self.registrations.values().find_map(|registration| registration.seen_by(flow, request));
        let id = SessionId(self.take_id());
        if let Some(server) = self.core.table.servers.get_mut(&key) {
            server.session = Some(id);
        }
        let invite = NewInvite { request, flow, transaction: key, echo, offer, grant, learnt };
        let session = InviteSession::ring(&mut self.core, now, id, invite);
        self.keep(id, session);
        self.settle_session(id);
    }
}

/// A number dialled as `tel:` is one we can be asked for.
fn is_telephone(uri: Option<Uri<'_>>) -> bool {
    matches!(uri, Some(Uri::Other { scheme, .. }) if scheme.eq_ignore_ascii_case("tel"))
}

fn is_supported(option: &str) -> bool {
    UNDERSTOOD.iter().any(|known| known.eq_ignore_ascii_case(option))
}

/// What an OPTIONS learns (RFC 3261 §11.2).
fn capabilities(config: &Config) -> OutgoingResponse {
    OutgoingResponse::new(200).with("Allow", ALLOW).with("Accept", ACCEPT).with("Supported", config.supported())
}

/// Whether the caller takes a session description in the answer (RFC 3261 §20.1).
fn accepts_sdp(request: &Request<'_>) -> bool {
    let mut accepted = request.headers.tokens(HeaderName::Accept).peekable();
    accepted.peek().is_none()
        || accepted.any(|range| {
            let range = range.split(|byte| *byte == b';').next().unwrap_or(range);
            [&b"application/sdp"[..], b"application/*", b"*/*"]
                .iter()
                .any(|wanted| range.trim_ascii().eq_ignore_ascii_case(wanted))
        })
}
