//! Where each trunk is: its name looked up in the background, and again while the gateway runs.
//!
//! Nothing on the way of a message waits for a name server; only a call that is to be dialed waits for the first answer.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::{Error, Network, NextHop, Trunk};

/// An answer is asked for again after this time.
const FRESH: Duration = Duration::from_secs(60);
/// First wait after a failure; doubled with each further one.
const BACK_OFF: Duration = Duration::from_secs(1);
/// Longest wait of a call for the first answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of where a trunk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// There has been no answer yet.
    Pending,
    /// The first is in use; never empty.
    Known(Vec<SocketAddr>),
    /// Its name has never been found.
    Unknown { why: String },
    /// It has no address: it only sends us calls.
    Nowhere,
}

/// Trunk names and their addresses, kept fresh; clones see the same.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    places: watch::Receiver<BTreeMap<String, Place>>,
}

impl Resolver {
    /// Starts to look up what has a name. The tasks end when nobody looks at the answers any more.
    pub(crate) fn start(network: &Network, trunks: &[Trunk]) -> Self {
        let places = trunks.iter().map(|trunk| (trunk.name.clone(), Place::of(&trunk.next_hop))).collect();
        let (sender, receiver) = watch::channel(places);
        let sender = Arc::new(sender);
        for trunk in trunks {
            if let NextHop::Name { host, port } = &trunk.next_hop {
                let name = Name { trunk: trunk.name.clone(), host: host.clone(), port: *port };
                tokio::spawn(keep_fresh(network.clone(), name, sender.clone()));
            }
        }
        Self { places: receiver }
    }

    /// Where to send to for a call by that trunk, waiting for the first answer.
    pub(crate) async fn address(&self, trunk: &Trunk) -> Result<SocketAddr, Error> {
        let mut places = self.places.clone();
        let settled = places.wait_for(|places| places.get(&trunk.name) != Some(&Place::Pending));
        // Silence, or the end of the task that looks, leaves what is known.
        let _ = tokio::time::timeout(PATIENCE, settled).await;
        self.place(&trunk.name).address(trunk)
    }

    /// What is known now.
    pub(crate) fn place(&self, trunk: &str) -> Place {
        self.places.borrow().get(trunk).cloned().unwrap_or(Place::Nowhere)
    }

    /// Whether that trunk sends from this address.
    pub(crate) fn is_at(&self, trunk: &str, source: IpAddr) -> bool {
        matches!(
            self.places.borrow().get(trunk),
            Some(Place::Known(addresses)) if addresses.iter().any(|address| address.ip() == source)
        )
    }

    /// Waits until something else is known. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        if self.places.changed().await.is_err() {
            // No trunk has a name.
            std::future::pending().await
        }
    }
}

/// A name to look up.
#[derive(Debug)]
struct Name {
    trunk: String,
    host: String,
    port: u16,
}

async fn keep_fresh(network: Network, name: Name, places: Arc<watch::Sender<BTreeMap<String, Place>>>) {
    let mut failures = 0;
    loop {
        let answer = network.lookup(&name.host, name.port).await.map_err(|error| error.to_string());
        failures = if answer.is_ok() { 0 } else { failures + 1 };
        places.send_if_modified(|places| {
            let place = places.entry(name.trunk.clone()).or_insert(Place::Pending);
            let changed = place.learn(&name.host, answer);
            if changed {
                tell(&name.trunk, place);
            }
            changed
        });
        tokio::select! { biased;
            () = places.closed() => return,
            () = tokio::time::sleep(next_lookup(failures)) => {}
        }
    }
}

fn tell(trunk: &str, place: &Place) {
    match place {
        Place::Known(addresses) => tracing::info!(trunk, ?addresses, "trunk found"),
        Place::Unknown { why } => tracing::error!(trunk, why, "trunk cannot be found; trying again"),
        Place::Pending | Place::Nowhere => {}
    }
}

/// How long to wait after so many failures in a row.
fn next_lookup(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => FRESH,
        Some(before) => (BACK_OFF * 2_u32.saturating_pow(before.min(16))).min(FRESH),
    }
}

impl Place {
    fn of(next_hop: &NextHop) -> Self {
        match next_hop {
            NextHop::Address(address) => Self::Known(vec![*address]),
            NextHop::Name { .. } => Self::Pending,
            NextHop::Nowhere => Self::Nowhere,
        }
    }

    /// Takes an answer in; true if it says something new. What was found once is not forgotten for want of an answer,
    /// and the address in use stays in use for as long as it is among the answers: name servers shuffle them.
    fn learn(&mut self, host: &str, answer: Result<Vec<SocketAddr>, String>) -> bool {
        let known = match self {
            Self::Known(addresses) => addresses.as_slice(),
            _ => &[],
        };
        let learned = match answer {
            Ok(mut addresses) if !addresses.is_empty() => {
                addresses.sort_by_key(|address| (known.first() != Some(address), !known.contains(address)));
                Self::Known(addresses)
            }
            _ if !known.is_empty() => return false,
            Ok(_) => Self::Unknown { why: format!("trunk host {host} does not resolve: it has no address") },
            Err(error) => Self::Unknown { why: format!("trunk host {host} does not resolve: {error}") },
        };
        let is_news = match (&*self, &learned) {
            (Self::Known(before), Self::Known(now)) => {
                before.first() != now.first()
                    || !now.iter().all(|address| before.contains(address))
                    || before.len() != now.len()
            }
            (before, now) => before != now,
        };
        if is_news {
            *self = learned;
        }
        is_news
    }

    fn address(&self, trunk: &Trunk) -> Result<SocketAddr, Error> {
        match (self, &trunk.next_hop) {
            (Self::Known(addresses), _) => {
                addresses.first().copied().ok_or_else(|| Error::NoNextHop(trunk.name.clone()))
            }
            (Self::Unknown { why }, _) => Err(Error::Unresolved(why.clone())),
            (Self::Pending, NextHop::Name { host, .. }) => {
                Err(Error::Unresolved(format!("trunk host {host} does not resolve: the name server is silent")))
            }
            (Self::Pending | Self::Nowhere, _) => Err(Error::NoNextHop(trunk.name.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_in_use_stays_while_it_is_among_the_answers_and_gives_way_when_it_is_not() {
        let mut place = Place::Pending;
        assert!(place.learn(HOST, Ok(addresses(&[1, 2]))));
        assert!(!place.learn(HOST, Ok(addresses(&[2, 1]))), "shuffled is the same");
        assert_eq!(place, Place::Known(addresses(&[1, 2])));
        assert!(place.learn(HOST, Ok(addresses(&[3, 1]))));
        assert_eq!(place, Place::Known(addresses(&[1, 3])));
        assert!(place.learn(HOST, Ok(addresses(&[4, 3]))));
        assert_eq!(place, Place::Known(addresses(&[3, 4])));
    }

    #[test]
    fn what_was_found_is_kept_when_no_answer_comes() {
        let mut place = Place::Pending;
        assert!(place.learn(HOST, Err("no such host".to_owned())));
        let why = "trunk host trunk.test does not resolve: no such host".to_owned();
        assert_eq!(place, Place::Unknown { why });
        assert!(place.learn(HOST, Ok(addresses(&[1]))));
        assert!(!place.learn(HOST, Err("no such host".to_owned())));
        assert!(!place.learn(HOST, Ok(Vec::new())));
        assert_eq!(place, Place::Known(addresses(&[1])));
    }

    #[test]
    fn failures_are_followed_by_longer_and_longer_waits_up_to_that_after_a_success() {
        let waits = [0, 1, 2, 3, 7, 8, 1000].map(|failures| next_lookup(failures).as_secs());
        assert_eq!(waits, [60, 1, 2, 4, 60, 60, 60]);
    }

    const HOST: &str = "trunk.test";

    fn addresses(last: &[u8]) -> Vec<SocketAddr> {
        last.iter().map(|last| SocketAddr::from(([192, 0, 2, *last], 5060))).collect()
    }
}
