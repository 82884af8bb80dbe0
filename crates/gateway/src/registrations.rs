//! The registrations of all trunks: where each is held, and what became of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use sip::locate::Target;
use sip::{Flow, Hop, RegistrationId, UserAgent};
use tokio::sync::watch;

use crate::resolver::{Place, Resolver};
use crate::{Config, Registration, Trunk};

/// How long a registration is asked for.
const EXPIRES: Duration = Duration::from_secs(3600);

/// How the registration of a trunk stands.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) state: Registration,
    pub(crate) id: Option<RegistrationId>,
    /// Where the registrar sees us, when not where we are.
    seen_at: Option<IpAddr>,
}

impl Standing {
    pub(crate) fn new(state: Registration) -> Self {
        Self { state, id: None, seen_at: None }
    }

    /// A path with the address that we are to tell the trunk.
    pub(crate) fn seen(&self, flow: Flow) -> Flow {
        let ip = self.seen_at.unwrap_or(flow.local.ip());
        Flow { local: SocketAddr::new(ip, flow.local.port()), ..flow }
    }
}

#[derive(Debug)]
pub(crate) struct Registrations {
    states: BTreeMap<String, watch::Sender<Standing>>,
    held: BTreeMap<RegistrationId, Held>,
}

#[derive(Debug)]
struct Held {
    trunk: String,
    targets: Vec<Target>,
}

impl Registrations {
    pub(crate) fn new(states: BTreeMap<String, watch::Sender<Standing>>) -> Self {
        Self { states, held: BTreeMap::new() }
    }

    /// Registers each trunk that wants it where it now is; the next refresh goes there too.
    pub(crate) fn settle(
        &mut self,
        now: Instant,
        agent: &mut UserAgent,
        config: &Config,
        resolver: &Resolver,
        hops: impl Fn(&[Target]) -> Vec<Hop>,
    ) {
        for trunk in config.trunks.iter().filter(|trunk| trunk.register) {
            let held = self.held.iter_mut().find(|(_, held)| held.trunk == trunk.name);
            match (held, resolver.place(&trunk.name)) {
                (Some((registration, held)), Place::Known(targets)) => {
                    if held.targets != targets {
                        agent.reroute(*registration, hops(&targets));
                        held.targets = targets;
                    }
                }
                (None, Place::Known(targets)) => {
                    let hops = hops(&targets);
                    if hops.is_empty() {
                        self.set_failed(&trunk.name, format!("no listening address can reach {}", trunk.domain));
                        continue;
                    }
                    let registration = agent.register(now, register(config, trunk, hops));
                    self.change(&trunk.name, |standing| standing.id = Some(registration));
                    self.held.insert(registration, Held { trunk: trunk.name.clone(), targets });
                }
                (None, Place::Unknown { why }) => self.set_failed(&trunk.name, why),
                (None, Place::Nowhere) => self.set_failed(&trunk.name, "the trunk has no uri".to_owned()),
                (None, Place::Pending) | (Some(_), _) => {}
            }
        }
    }

    pub(crate) fn granted(&self, registration: RegistrationId, expires: Duration) {
        if let Some(Held { trunk, .. }) = self.held.get(&registration) {
            tracing::info!(trunk, expires_s = expires.as_secs(), "registered");
            self.set(trunk, Registration::Registered);
        }
    }

    pub(crate) fn failed(
        &self,
        registration: RegistrationId,
        status: Option<u16>,
        reason: String,
        retry_in: Option<Duration>,
    ) {
        if let Some(Held { trunk, .. }) = self.held.get(&registration) {
            tracing::warn!(trunk, status, reason, ?retry_in, "registration failed");
            self.set(trunk, Registration::Failed { status, reason });
        }
    }

    /// Calls by that trunk tell this address from now on.
    pub(crate) fn learnt(&self, registration: RegistrationId, address: SocketAddr) {
        if let Some(Held { trunk, .. }) = self.held.get(&registration) {
            tracing::info!(trunk, %address, "the registrar sees us at another address");
            self.change(trunk, |standing| standing.seen_at = Some(address.ip()));
        }
    }

    pub(crate) fn shared(&self, registration: RegistrationId, contact: &str) {
        if let Some(Held { trunk, .. }) = self.held.get(&registration) {
            tracing::warn!(trunk, contact, "somebody else is registered as us; calls may go there");
        }
    }

    pub(crate) fn removed(&mut self, registration: RegistrationId) {
        if let Some(Held { trunk, .. }) = self.held.remove(&registration) {
            self.change(&trunk, |standing| (standing.id, standing.seen_at) = (None, None));
        }
    }

    pub(crate) fn remove_all(&self, now: Instant, agent: &mut UserAgent) {
        for registration in self.held.keys() {
            agent.unregister(now, *registration);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    fn set_failed(&self, trunk: &str, reason: String) {
        self.set(trunk, Registration::Failed { status: None, reason });
    }

    fn set(&self, trunk: &str, state: Registration) {
        self.change(trunk, |standing| standing.state = state);
    }

    fn change(&self, trunk: &str, change: impl FnOnce(&mut Standing)) {
        if let Some(sender) = self.states.get(trunk) {
            sender.send_modify(change);
        }
    }
}

fn register(config: &Config, trunk: &Trunk, hops: Vec<Hop>) -> sip::Register {
    let user = trunk.credentials.as_ref().map_or(&trunk.caller_id, |credentials| &credentials.username);
    sip::Register {
        hops,
        registrar: format!("sip:{}", trunk.domain),
        address_of_record: format!("sip:{user}@{}", trunk.domain),
        contact_user: user.clone(),
        credentials: trunk.credentials.clone(),
        expires: EXPIRES,
        keep_alive: config.keep_alive,
        learns_address: config.advertise.is_none(),
    }
}
