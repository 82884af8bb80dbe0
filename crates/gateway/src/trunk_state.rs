//! How each trunk stands, for whoever embeds the gateway.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use sip::{Peer, Transport};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;

use crate::endpoint::EndpointCommand;
use crate::gateway::Inner;
use crate::resolver::Place;
use crate::{Gateway, Trunk};

/// Changes of registrations waiting for their reader; of more the oldest are forgotten.
pub(crate) const MAX_CHANGES: usize = 64;

/// The registration state of a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// The trunk does not register.
    Off,
    /// No answer yet.
    Pending,
    /// Registered.
    Registered,
    /// Refused or silent; tried again unless it is final.
    Failed {
        /// The registrar's answer; `None` for silence.
        status: Option<u16>,
        /// Its words.
        reason: String,
    },
    /// Removed by us, because we are stopping.
    Unregistered,
}

/// The registration of a trunk is no longer as it was. A refresh that is granted is no change, nor is a failure for
/// the same reason as before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationChanged {
    /// The trunk's name.
    pub trunk: String,
    /// What it is now; never `Off` or `Pending`.
    pub state: Registration,
    /// For how long it was granted, where it was.
    pub expires: Option<Duration>,
    /// When it is tried again after a failure; `None` for never, or for when the trunk has been found.
    pub retry_in: Option<Duration>,
    /// The Contact of somebody else who has registered as us; then that is the news, and the state is as it was.
    pub foreign_contact: Option<String>,
    /// When it changed.
    pub at: SystemTime,
}

/// A trunk as it stands at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkStatus {
    /// Its name in configuration and records.
    pub name: String,
    /// Domain for Request-URI and From.
    pub host: String,
    /// By which it is reached; `None` while it is not found, and for a trunk that only sends us calls.
    pub transport: Option<Transport>,
    /// Where it is reached, in the order in which DNS has them tried.
    pub targets: Vec<Peer>,
    /// Those of them that failed of late, so that the others are tried first.
    pub penalised: Vec<Peer>,
    /// Its registration.
    pub registration: Registration,
    /// Since when the registration is so.
    pub since: SystemTime,
    /// When what was granted last runs out; `None` unless registered.
    pub expires_at: Option<SystemTime>,
    /// When a registration that failed is tried again.
    pub retry_at: Option<SystemTime>,
    /// The Contact of somebody else who has registered as us since we have: calls may go there as well.
    pub foreign_contact: Option<String>,
    /// Our address as the registrar sees it, where that is not our own.
    pub learnt_address: Option<SocketAddr>,
    /// Calls under way, both directions.
    pub calls: usize,
    /// Calls at once at most.
    pub max_calls: usize,
}

impl Gateway {
    /// All trunks as they stand, in the order of the configuration.
    pub async fn trunks(&self) -> Vec<TrunkStatus> {
        let inner = &self.inner;
        let mut trunks: Vec<_> = inner.config.trunks.iter().map(|trunk| inner.status_of(trunk)).collect();
        let targets = trunks.iter().flat_map(|trunk| trunk.targets.iter().copied()).collect();
        let penalised = inner.penalised(targets).await;
        for trunk in &mut trunks {
            trunk.penalised = trunk.targets.iter().filter(|peer| penalised.contains(peer)).copied().collect();
        }
        trunks
    }

    /// The next change of a registration, those since the start first; `None` when the gateway has stopped. One reader
    /// at a time; a reader that is 64 changes behind misses the oldest.
    pub async fn registration_changed(&self) -> Option<RegistrationChanged> {
        let mut changes = self.inner.changes.lock().await;
        loop {
            match changes.recv().await {
                Ok(change) => return Some(change),
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "changes of registrations were read too late"),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The state of a trunk's registration; `None` for a trunk that is not configured.
    pub fn registration(&self, trunk: &str) -> Option<Registration> {
        self.inner.registrations.get(trunk).map(|state| state.borrow().state.clone())
    }

    /// Waits until all trunks that register are registered or have failed.
    pub async fn registered(&self) {
        for state in self.inner.registrations.values() {
            // An error means that the endpoint is gone, and with it any hope of news.
            let _ = state.clone().wait_for(|standing| standing.state != Registration::Pending).await;
        }
    }
}

impl Inner {
    fn status_of(&self, trunk: &Trunk) -> TrunkStatus {
        let standing = self.standing(&trunk.name);
        let targets: Vec<_> = match self.resolver.place(&trunk.name) {
            Place::Known(targets) => targets.iter().map(|target| target.peer).collect(),
            Place::Pending | Place::Unknown { .. } | Place::Nowhere => Vec::new(),
        };
        TrunkStatus {
            name: trunk.name.clone(),
            host: trunk.domain.clone(),
            transport: targets.first().map(|peer| peer.transport),
            targets,
            penalised: Vec::new(),
            learnt_address: standing.learnt_address(),
            registration: standing.state,
            since: standing.since,
            expires_at: standing.expires_at,
            retry_at: standing.retry_at,
            foreign_contact: standing.foreign_contact,
            calls: self.calls_by(trunk),
            max_calls: trunk.max_calls,
        }
    }

    /// Those that have failed of late; none once the endpoint has ended.
    async fn penalised(&self, peers: Vec<Peer>) -> Vec<Peer> {
        let (answer, penalised) = oneshot::channel();
        let _ = self.endpoint.send(EndpointCommand::Penalised { peers, answer }).await;
        penalised.await.unwrap_or_default()
    }
}
