//! The registrations of all trunks: where each is held, and what became of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use sip::locate::Target;
use sip::{Flow, Hop, RegistrationId, UserAgent};
use tokio::sync::{broadcast, watch};

use crate::resolver::{Place, Resolver};
use crate::{Config, Registration, RegistrationChanged, Trunk, clock, setup};

/// How long a registration is asked for.
const EXPIRES: Duration = Duration::from_secs(3600);

/// How the registration of a trunk stands.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) state: Registration,
    /// Since when it is so.
    pub(crate) since: SystemTime,
    /// When what was granted last runs out.
    pub(crate) expires_at: Option<SystemTime>,
    /// When it is tried again after a failure.
    pub(crate) retry_at: Option<SystemTime>,
    pub(crate) id: Option<RegistrationId>,
    /// The Contact of somebody else who has registered as us.
    pub(crate) foreign_contact: Option<String>,
    /// Where the registrar sees us, when not where we are.
    seen_at: Option<SocketAddr>,
}

impl Standing {
    pub(crate) fn new(state: Registration) -> Self {
        Self {
            state,
            since: clock::wall(),
            expires_at: None,
            retry_at: None,
            id: None,
            foreign_contact: None,
            seen_at: None,
        }
    }

    /// A path with the address that we are to tell the trunk.
    pub(crate) fn seen(&self, flow: Flow) -> Flow {
        let ip = self.seen_at.unwrap_or(flow.local).ip();
        Flow { local: SocketAddr::new(ip, flow.local.port()), ..flow }
    }

    /// Our address as the registrar sees it, when that is not our own.
    pub(crate) fn learnt_address(&self) -> Option<SocketAddr> {
        self.seen_at
    }
}

#[derive(Debug)]
pub(crate) struct Registrations {
    states: BTreeMap<String, watch::Sender<Standing>>,
    changes: broadcast::Sender<RegistrationChanged>,
    held: BTreeMap<RegistrationId, Held>,
}

#[derive(Debug)]
struct Held {
    trunk: String,
    targets: Vec<Target>,
}

impl Registrations {
    pub(crate) fn new(
        states: BTreeMap<String, watch::Sender<Standing>>,
        changes: broadcast::Sender<RegistrationChanged>,
    ) -> Self {
        Self { states, changes, held: BTreeMap::new() }
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
            let expires_s = expires.as_secs();
            if self.set(trunk, Registration::Registered, Some(expires), None) {
                tracing::info!(trunk, expires_s, "registered");
            } else {
                tracing::debug!(trunk, expires_s, "registered again");
            }
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
            self.set(trunk, Registration::Failed { status, reason }, None, retry_in);
        }
    }

    /// Calls by that trunk tell this address from now on.
    pub(crate) fn learnt(&self, registration: RegistrationId, address: SocketAddr) {
        if let Some(Held { trunk, .. }) = self.held.get(&registration) {
            tracing::info!(trunk, %address, "the registrar sees us at another address");
            self.change(trunk, |standing| standing.seen_at = Some(address));
        }
    }

    pub(crate) fn shared(&self, registration: RegistrationId, contact: &str) {
        if let Some(Held { trunk, .. }) = self.held.get(&registration) {
            tracing::warn!(trunk, contact, "somebody else is registered as us; calls may go there");
            let foreign_contact = Some(contact.to_owned());
            self.change(trunk, |standing| standing.foreign_contact.clone_from(&foreign_contact));
            let state = self.states.get(trunk).map_or(Registration::Off, |standing| standing.borrow().state.clone());
            self.tell(RegistrationChanged {
                trunk: trunk.clone(),
                state,
                expires: None,
                retry_in: None,
                foreign_contact,
                at: clock::wall(),
            });
        }
    }

    pub(crate) fn removed(&mut self, registration: RegistrationId) {
        if let Some(Held { trunk, .. }) = self.held.remove(&registration) {
            self.change(&trunk, |standing| {
                (standing.id, standing.seen_at, standing.foreign_contact) = (None, None, None);
            });
            self.set(&trunk, Registration::Unregistered, None, None);
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
        self.set(trunk, Registration::Failed { status: None, reason }, None, None);
    }

    /// Tells it where it was otherwise before; whether it was.
    fn set(&self, trunk: &str, state: Registration, expires: Option<Duration>, retry_in: Option<Duration>) -> bool {
        let at = clock::wall();
        let mut is_news = false;
        self.change(trunk, |standing| {
            is_news = standing.state != state;
            if is_news {
                (standing.state, standing.since) = (state.clone(), at);
            }
            standing.expires_at = expires.and_then(|expires| at.checked_add(expires));
            standing.retry_at = retry_in.and_then(|wait| at.checked_add(wait));
        });
        if is_news {
            let (trunk, foreign_contact) = (trunk.to_owned(), None);
            self.tell(RegistrationChanged { trunk, state, expires, retry_in, foreign_contact, at });
        }
        is_news
    }

    fn tell(&self, change: RegistrationChanged) {
        // Nobody has to listen.
        let _ = self.changes.send(change);
    }

    fn change(&self, trunk: &str, change: impl FnOnce(&mut Standing)) {
        if let Some(sender) = self.states.get(trunk) {
            sender.send_modify(change);
        }
    }
}

fn register(config: &Config, trunk: &Trunk, hops: Vec<Hop>) -> sip::Register {
    let user = trunk.credentials.as_ref().map_or(&trunk.caller_id, |credentials| &credentials.username);
    let user = setup::escaped_user(user);
    sip::Register {
        hops,
        registrar: format!("sip:{}", trunk.domain),
        address_of_record: format!("sip:{user}@{}", trunk.domain),
        contact_user: user,
        credentials: trunk.credentials.clone(),
        expires: EXPIRES,
        keep_alive: config.keep_alive,
        learns_address: config.advertise.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once_with_what_belongs_to_it() {
        let (mut registrations, state, mut changes) = registrations();
        let mut told = || {
            let change = changes.try_recv().ok()?;
            assert_eq!(change.trunk, "carrier");
            Some((change.state, change.expires, change.retry_in))
        };
        let second = Duration::from_secs(1);
        let failed = |status, reason: &str| Registration::Failed { status, reason: reason.to_owned() };

        registrations.failed(ID, Some(503), "Busy".to_owned(), Some(30 * second));
        assert_eq!(told(), Some((failed(Some(503), "Busy"), None, Some(30 * second))));
        registrations.failed(ID, Some(503), "Busy".to_owned(), Some(60 * second));
        assert_eq!(told(), None, "for the same reason again");
        registrations.failed(ID, None, "timeout".to_owned(), None);
        assert_eq!(told(), Some((failed(None, "timeout"), None, None)));
        registrations.granted(ID, 600 * second);
        assert_eq!(told(), Some((Registration::Registered, Some(600 * second), None)));
        let (since, expires_at) = (state.borrow().since, state.borrow().expires_at);
        registrations.granted(ID, 1200 * second);
        assert_eq!(told(), None, "a refresh");
        assert_eq!(state.borrow().since, since);
        assert!(state.borrow().expires_at > expires_at, "it lasts longer now");
        registrations.removed(ID);
        assert_eq!(told(), Some((Registration::Unregistered, None, None)));
        assert_eq!(state.borrow().expires_at, None);
    }

    // RFC 3261 §10.3: a registrar tells all bindings of the address, those of others too.
    #[test]
    fn somebody_else_who_is_registered_as_us_is_told_and_shown_until_we_are_so_no_longer() {
        let (mut registrations, state, mut changes) = registrations();
        registrations.granted(ID, Duration::from_secs(600));
        assert_eq!(changes.try_recv().map(|change| change.foreign_contact), Ok(None));
        registrations.shared(ID, "sip:us@192.0.2.9");
        let told = changes.try_recv().expect("news");
        assert_eq!((told.state, told.foreign_contact.as_deref()), (Registration::Registered, Some("sip:us@192.0.2.9")));
        assert_eq!(state.borrow().foreign_contact.as_deref(), Some("sip:us@192.0.2.9"));
        registrations.removed(ID);
        assert_eq!(state.borrow().foreign_contact, None);
    }

    #[test]
    fn changes_that_nobody_reads_do_no_harm() {
        let (registrations, state, changes) = registrations();
        drop(changes);
        registrations.granted(ID, Duration::MAX);
        assert_eq!(state.borrow().state, Registration::Registered);
        assert_eq!(state.borrow().expires_at, None, "no time is so late");
    }

    const ID: RegistrationId = RegistrationId(7);

    /// Those of one trunk.
    fn registrations() -> (Registrations, watch::Receiver<Standing>, broadcast::Receiver<RegistrationChanged>) {
        let (sender, state) = watch::channel(Standing::new(Registration::Pending));
        let (changed, changes) = broadcast::channel(8);
        let mut registrations = Registrations::new([("carrier".to_owned(), sender)].into(), changed);
        registrations.held.insert(ID, Held { trunk: "carrier".to_owned(), targets: Vec::new() });
        (registrations, state, changes)
    }
}
