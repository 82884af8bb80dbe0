//! The REGISTER that goes out: by which hop, from where, and with which Contact.

use std::time::{Duration, Instant};

use super::{Learnt, Registration, State, Way};
use crate::core::Core;
use crate::dialog::{contact, is_secure, tagged};
use crate::digest::{Authenticator, Covered};
use crate::message::{Method, OutgoingRequest, Request, Response, Uri};
use crate::route::{Left, Route};
use crate::transaction::{Owner, TransactionKey};
use crate::{Event, Flow};

impl Registration {
    pub(super) fn send_register(&mut self, core: &mut Core, now: Instant) {
        let transaction = self.send(core, now, self.register.expires);
        let first_reply_at = self.route.has_more(self.flow).then(|| now + core.config.first_reply);
        self.state = State::Registering { transaction, first_reply_at };
    }

    /// Begins with the first hop again.
    pub(super) fn start_route(&mut self) {
        if let Some(route) = Route::new(self.register.hops.clone()) {
            self.authenticator = Authenticator::new(route.addresses(), self.register.credentials.clone());
            self.route = route;
        }
    }

    /// Leaves the hop in use for the next (RFC 3263 §4.3); whether there is one.
    pub(super) fn try_next(&mut self, core: &mut Core, now: Instant, why: Left, retry_after: Option<Duration>) -> bool {
        let State::Registering { transaction, .. } = &self.state else {
            return false;
        };
        core.target_failed(self.flow, why, retry_after);
        if !self.route.leave(self.flow, why) {
            return false;
        }
        core.supersede(now, *transaction);
        self.authenticator.start_anew();
        self.send_register(core, now);
        true
    }

    /// RFC 3261 §10.2: the same Call-ID for all, the CSeq one higher each time.
    pub(super) fn send(&mut self, core: &mut Core, now: Instant, expires: Duration) -> TransactionKey {
        self.cseq += 1;
        let register = &self.register;
        let address = format!("<{}>", register.address_of_record);
        // RFC 3327 §5.1: proxies before the registrar may put themselves in the way of calls to us, whoever they are.
        let supported = ("Supported".to_owned(), "path".to_owned());
        let mut request = OutgoingRequest {
            method: Method::Register,
            uri: register.registrar.clone(),
            routes: Vec::new(),
            from: tagged(&address, &self.local_tag),
            to: address,
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            contact: None,
            headers: vec![("Expires".to_owned(), expires.as_secs().to_string()), supported],
            content: None,
        };
        let cnonce = core.token();
        let covered = Covered { method: "REGISTER", uri: &request.uri, body: &[] };
        let credentials = self.authenticator.headers(&mut core.keyring, covered, &cnonce);
        request.headers.extend(credentials);
        self.flow = self.route.path(|| core.size_of(&request, self.flow));
        request.contact = Some(self.contacts());
        core.start(now, self.flow, request, Owner::Registration(self.id))
    }

    pub(super) fn contact(&self) -> String {
        contact(&self.seen(self.flow), &self.register.contact_user, is_secure(&self.register.registrar))
    }

    /// Ours, and beside it the one that it replaces.
    fn contacts(&self) -> String {
        let ours = self.contact();
        match &self.bound {
            Some(old) if *old != ours => format!("{ours}, {old};expires=0"),
            _ => ours,
        }
    }

    /// How a call by this registration is to go.
    pub fn way(&self) -> Way {
        Way { learnt: self.learnt, routes: self.service_route.clone() }
    }

    /// Where the trunk of an INVITE sees us: if it is the one that we have registered with, or calls us just there.
    pub fn seen_by(&self, flow: Flow, invite: &Request<'_>) -> Option<Learnt> {
        let mut paths = self.register.hops.iter().flat_map(|hop| [Some(hop.flow), hop.stream]).flatten();
        let is_of_trunk = paths.any(|path| path.remote.ip() == flow.remote.ip());
        let called = invite.parsed_uri().and_then(Uri::sip).and_then(|uri| uri.socket_addr());
        self.learnt.filter(|learnt| is_of_trunk || called == Some(learnt.address()))
    }

    /// A path as the registrar sees it.
    fn seen(&self, flow: Flow) -> Flow {
        self.learnt.map_or(flow, |learnt| learnt.seen(flow))
    }

    /// Whether an answer says that we are seen elsewhere than we thought.
    pub(super) fn learn(&mut self, core: &mut Core, response: &Response<'_>) -> bool {
        let found = Learnt::of(response, self.flow).filter(|_| self.register.learns_address);
        let Some(learnt) = found.filter(|learnt| learnt.address() != self.seen(self.flow).local) else {
            return false;
        };
        let learns = std::mem::take(&mut self.may_learn);
        if learns {
            self.learnt = Some(learnt);
            core.emit(Event::AddressLearnt { registration: self.id, address: learnt.address() });
        }
        learns
    }
}
