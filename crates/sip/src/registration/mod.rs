//! One binding of ours at a registrar, kept fresh (RFC 3261 §10.2).

mod granted;
mod keep_alive;
mod learnt;
mod outcome;
mod request;

use std::time::{Duration, Instant};

use crate::core::Core;
use crate::digest::Authenticator;
use crate::options::options;
use crate::route::{Left, Route};
use crate::transaction::{Owner, Silence, TransactionKey};
use crate::{Credentials, Deadline, Event, Flow, Hop, RegistrationId};
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
    /// Another's binding beside ours, as told last.
    foreign: Option<String>,
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
            foreign: None,
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

    /// From the next refresh or retry on; none is no change.
    pub fn reroute(&mut self, hops: Vec<Hop>) {
        if !hops.is_empty() {
            self.register.hops = hops;
            self.is_rerouted = true;
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
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
