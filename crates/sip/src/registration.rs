//! One binding of ours at a registrar, kept fresh (RFC 3261 §10.2).

mod granted;
mod keep_alive;
mod learnt;

use std::time::{Duration, Instant};

use crate::core::Core;
use crate::dialog::{contact, is_secure, tagged};
use crate::digest::{Authenticator, Covered};
use crate::disposition::retry_after;
use crate::message::headers::HeaderName;
use crate::message::{Method, OutgoingRequest, Request, Response, Uri, readable};
use crate::options::options;
use crate::route::{Left, Route};
use crate::transaction::{Owner, Silence, TransactionKey};
use crate::{Credentials, Deadline, Event, Flow, Hop, RegistrationId};
use granted::{foreign_contact, granted_time, service_route};
use keep_alive::KeepAlive;
pub(crate) use learnt::Learnt;

/// A REGISTER to send and keep fresh.
#[derive(Debug, Clone)]
pub struct Register {
    /// The registrar's addresses in the order in which to try them, all of one trunk. When none answers, the next
    /// attempt starts with the first.
    pub hops: Vec<Hop>,
    /// Request-URI, such as `sip:trunk.test`.
    pub registrar: String,
    /// Address of record, such as `sip:gateway@trunk.test`.
    pub address_of_record: String,
    /// User part of our Contact.
    pub contact_user: String,
    /// For the challenge.
    pub credentials: Option<Credentials>,
    /// How long to ask for; the granted time rules.
    pub expires: Duration,
    /// How often an OPTIONS keeps the path open over datagrams; two unanswered ones register again. Connections are
    /// kept by the shell.
    pub keep_alive: Option<Duration>,
    /// Whether our Contact is where the registrar sees us, which `Event::AddressLearnt` tells; else it is as `hops` say.
    pub learns_address: bool,
}

/// First wait after a failure; doubled with each further one (RFC 5626 §4.5).
const BACK_OFF: Duration = Duration::from_secs(30);
/// Longest wait after failures.
const BACK_OFF_MOST: Duration = Duration::from_secs(600);
/// A path that dies sooner after a registration is not replaced at once (RFC 5626 §4.5).
const SETTLED: Duration = BACK_OFF;
/// Longest time asked for because of a 423.
const EXPIRES_MOST: Duration = Duration::from_secs(86_400);
/// Soonest refresh, so that a registrar that grants a second is not flooded.
const REFRESH_SOONEST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Registration {
    id: RegistrationId,
    register: Register,
    route: Route,
    /// Whether the hops have changed since.
    is_rerouted: bool,
    /// The path of the last request.
    flow: Flow,
    learnt: Option<Learnt>,
    /// Learnt at most once a refresh, so that a NAT with ever other ports leads to no flood.
    may_learn: bool,
    /// The Contact last granted.
    bound: Option<String>,
    /// Whether another's binding beside ours has been told.
    foreign_told: bool,
    /// Route values of the last 2xx, brackets included.
    service_route: Vec<String>,
    call_id: String,
    local_tag: String,
    cseq: u32,
    authenticator: Authenticator,
    failures: u32,
    state: State,
}

/// What a call by a registration takes from it.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// Where the registrar sees us.
    pub learnt: Option<Learnt>,
    /// Route values (RFC 3608), brackets included.
    pub routes: Vec<String>,
}

#[derive(Debug)]
enum State {
    Registering {
        transaction: TransactionKey,
        /// When the next hop gets its turn, unless this one has said anything.
        first_reply_at: Option<Instant>,
    },
    Registered {
        since: Instant,
        refresh_at: Instant,
        keep_alive: Option<KeepAlive>,
    },
    Waiting {
        retry_at: Instant,
    },
    Unregistering {
        transaction: TransactionKey,
    },
    /// Removed, or refused for good.
    Done,
}

impl Registration {
    pub fn start(core: &mut Core, now: Instant, id: RegistrationId, register: Register, route: Route) -> Self {
        let (call_id, local_tag) = (core.token(), core.token());
        let authenticator = Authenticator::new(route.addresses(), register.credentials.clone());
        let (flow, state) = (route.first(), State::Waiting { retry_at: now });
        let mut registration = Self {
            id,
            register,
            route,
            is_rerouted: false,
            flow,
            learnt: None,
            may_learn: true,
            bound: None,
            foreign_told: false,
            service_route: Vec::new(),
            call_id,
            local_tag,
            cseq: 0,
            authenticator,
            failures: 0,
            state,
        };
        registration.send_register(core, now);
        registration
    }

    pub fn unregister(&mut self, core: &mut Core, now: Instant) {
        match self.state {
            State::Unregistering { .. } => {}
            State::Done => core.emit(Event::Unregistered { registration: self.id }),
            _ => {
                let transaction = self.send(core, now, Duration::ZERO);
                self.state = State::Unregistering { transaction };
            }
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn send_register(&mut self, core: &mut Core, now: Instant) {
        let transaction = self.send(core, now, self.register.expires);
        let first_reply_at = self.route.has_more(self.flow).then(|| now + core.config.first_reply);
        self.state = State::Registering { transaction, first_reply_at };
    }

    /// From the next refresh or retry on; none is no change.
    pub fn reroute(&mut self, hops: Vec<Hop>) {
        if !hops.is_empty() {
            self.register.hops = hops;
            self.is_rerouted = true;
        }
    }

    /// Begins with the first hop again.
    fn start_route(&mut self) {
        if let Some(route) = Route::new(self.register.hops.clone()) {
            self.authenticator = Authenticator::new(route.addresses(), self.register.credentials.clone());
            self.route = route;
        }
    }

    /// Leaves the hop in use for the next (RFC 3263 §4.3); whether there is one.
    fn try_next(&mut self, core: &mut Core, now: Instant, why: Left, retry_after: Option<Duration>) -> bool {
        let State::Registering { transaction, .. } = &self.state else {
            return false;
        };
        core.target_failed(self.flow, why, retry_after);
        if !self.route.leave(self.flow, why) {
            return false;
        }
        core.supersede(now, transaction);
        self.authenticator.start_anew();
        self.send_register(core, now);
        true
    }

    /// RFC 3261 §10.2: the same Call-ID for all, the CSeq one higher each time.
    fn send(&mut self, core: &mut Core, now: Instant, expires: Duration) -> TransactionKey {
        self.cseq += 1;
        let register = &self.register;
        let address = format!("<{}>", register.address_of_record);
        let mut request = OutgoingRequest {
            method: Method::Register,
            uri: register.registrar.clone(),
            routes: Vec::new(),
            from: tagged(&address, &self.local_tag),
            to: address,
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            contact: None,
            headers: vec![("Expires".to_owned(), expires.as_secs().to_string())],
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

    fn contact(&self) -> String {
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
    fn learn(&mut self, core: &mut Core, response: &Response<'_>) -> bool {
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

    fn is_current(&self, key: &TransactionKey) -> bool {
        match &self.state {
            State::Registering { transaction, .. } | State::Unregistering { transaction } => transaction == key,
            _ => false,
        }
    }

    pub fn handle_response(&mut self, core: &mut Core, now: Instant, key: &TransactionKey, response: &Response<'_>) {
        if let State::Registered { keep_alive: Some(keep_alive), .. } = &mut self.state {
            keep_alive.answered(key);
        }
        if !self.is_current(key) {
            return;
        }
        if response.status < 200 {
            if let State::Registering { first_reply_at, .. } = &mut self.state {
                *first_reply_at = None;
            }
            return;
        }
        let removing = matches!(self.state, State::Unregistering { .. });
        match response.status {
            200..300 if removing => self.removed(core),
            200..300 => self.granted(core, now, response),
            status @ (401 | 407) => {
                if self.authenticator.challenged(&mut core.keyring, status, &response.headers) {
                    if removing {
                        let transaction = self.send(core, now, Duration::ZERO);
                        self.state = State::Unregistering { transaction };
                    } else {
                        self.learn(core, response);
                        self.send_register(core, now);
                    }
                } else if removing {
                    self.removed(core);
                } else {
                    self.refused_for_good(core, status, readable(response.reason));
                }
            }
            // A binding that cannot be removed runs out by itself.
            _ if removing => self.removed(core),
            status @ 423 => {
                let least = response.headers.optional_number(HeaderName::MinExpires).ok().flatten();
                let least = Duration::from_secs(least.unwrap_or(0).into());
                if least > self.register.expires && least <= EXPIRES_MOST {
                    self.register.expires = least;
                    self.send_register(core, now);
                } else {
                    self.failed(core, now, Some(status), readable(response.reason), None);
                }
            }
            status @ 403 => self.refused_for_good(core, status, readable(response.reason)),
            status => {
                let retry_after = retry_after(response);
                if status == 503 && self.try_next(core, now, Left::Refused, retry_after) {
                    return;
                }
                self.failed(core, now, Some(status), readable(response.reason), retry_after);
            }
        }
    }

    /// No answer, or the network refused the request.
    pub fn handle_silence(&mut self, core: &mut Core, now: Instant, key: &TransactionKey, why: Silence) {
        match &mut self.state {
            State::Unregistering { transaction } if transaction == key => self.removed(core),
            State::Registering { transaction, .. } if transaction == key => self.attempt_lost(core, now, why),
            State::Registered { keep_alive: Some(keep_alive), .. } => {
                keep_alive.lost(key);
                if keep_alive.is_dead() {
                    self.path_lost(core, now, why);
                }
            }
            _ => {}
        }
    }

    /// A connection died.
    pub fn connection_closed(&mut self, core: &mut Core, now: Instant, flow: Flow, why: Silence) {
        if self.flow == flow {
            self.path_lost(core, now, why);
        }
    }

    /// Whoever calls us can no longer reach us: another path, at once or soon (RFC 5626 §4.5).
    fn path_lost(&mut self, core: &mut Core, now: Instant, why: Silence) {
        let State::Registered { since, .. } = self.state else {
            return;
        };
        if now < since + SETTLED {
            return self.failed(core, now, None, why.phrase().to_owned(), None);
        }
        self.is_rerouted = false;
        self.may_learn = true;
        self.start_route();
        self.send_register(core, now);
    }

    fn attempt_lost(&mut self, core: &mut Core, now: Instant, why: Silence) {
        if !self.try_next(core, now, Left::Silence(why), None) {
            self.failed(core, now, None, why.phrase().to_owned(), None);
        }
    }

    fn granted(&mut self, core: &mut Core, now: Instant, response: &Response<'_>) {
        self.failures = 0;
        self.authenticator.succeeded(&mut core.keyring, &response.headers);
        let ours = self.contact();
        let expires = granted_time(response, &ours).unwrap_or(self.register.expires).min(EXPIRES_MOST);
        // Between half and four fifths of the time granted, so that many clients do not come at once.
        let share = core.random_between(Duration::from_millis(500), Duration::from_millis(800)).as_millis() as u32;
        let refresh_in = (expires * share / 1000).max(REFRESH_SOONEST);
        let keep_alive = self.register.keep_alive.filter(|_| !self.flow.transport.is_reliable());
        let keep_alive = keep_alive.map(|interval| KeepAlive::new(core, now, interval));
        self.state = State::Registered { since: now, refresh_at: now + refresh_in, keep_alive };
        core.emit(Event::Registered { registration: self.id, expires });
        if let Some(contact) = foreign_contact(response, &ours).filter(|_| !self.foreign_told) {
            self.foreign_told = true;
            core.emit(Event::ForeignBinding { registration: self.id, contact });
        }
        self.service_route = service_route(response);
        self.bound = Some(ours);
        if self.learn(core, response) {
            self.send_register(core, now);
        }
    }

    fn failed(
        &mut self,
        core: &mut Core,
        now: Instant,
        status: Option<u16>,
        reason: String,
        retry_after: Option<Duration>,
    ) {
        let most = (BACK_OFF * 2u32.saturating_pow(self.failures.min(16))).min(BACK_OFF_MOST);
        self.failures += 1;
        self.start_route();
        let wait = core.random_between(most / 2, most).max(retry_after.unwrap_or_default()).min(EXPIRES_MOST);
        self.state = State::Waiting { retry_at: now + wait };
        core.emit(Event::RegistrationFailed { registration: self.id, status, reason, retry_in: Some(wait) });
    }

    fn refused_for_good(&mut self, core: &mut Core, status: u16, reason: String) {
        self.state = State::Done;
        core.emit(Event::RegistrationFailed { registration: self.id, status: Some(status), reason, retry_in: None });
    }

    fn removed(&mut self, core: &mut Core) {
        self.state = State::Done;
        core.emit(Event::Unregistered { registration: self.id });
    }

    pub fn deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::Registered { refresh_at, keep_alive, .. } => {
                let refresh = Deadline { at: *refresh_at, timer: "registration refresh" };
                let keep_alive = keep_alive.as_ref();
                let keep_alive = keep_alive.map(|it| Deadline { at: it.next_at(), timer: "registration keep-alive" });
                keep_alive.filter(|deadline| deadline.at < refresh.at).or(Some(refresh))
            }
            State::Waiting { retry_at } => Some(Deadline { at: *retry_at, timer: "registration retry" }),
            State::Registering { first_reply_at: Some(at), .. } => Some(Deadline { at: *at, timer: "first reply" }),
            _ => None,
        }
    }

    pub fn handle_timeout(&mut self, core: &mut Core, now: Instant) {
        if matches!(self.state, State::Registered { refresh_at: at, .. } | State::Waiting { retry_at: at } if at <= now)
        {
            if std::mem::take(&mut self.is_rerouted) {
                self.start_route();
            }
            self.may_learn = true;
            self.send_register(core, now);
        }
        self.keep_alive(core, now);
        if let State::Registering { first_reply_at, .. } = &mut self.state
            && first_reply_at.take_if(|at| *at <= now).is_some()
        {
            self.try_next(core, now, Left::NoReply, None);
        }
    }

    fn keep_alive(&mut self, core: &mut Core, now: Instant) {
        let State::Registered { keep_alive: Some(keep_alive), .. } = &mut self.state else {
            return;
        };
        if now < keep_alive.next_at() {
            return;
        }
        keep_alive.interval_over(core, now);
        if keep_alive.is_dead() {
            return self.path_lost(core, now, Silence::Timeout);
        }
        let from = format!("<{}>", self.register.address_of_record);
        let request = options(core, &self.flow, &self.register.registrar, &from);
        keep_alive.asked(core.start(now, self.flow, request, Owner::Registration(self.id)));
    }
}
