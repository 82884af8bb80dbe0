//! Where each trunk is: looked up in the background, and again while the gateway runs.
//!
//! Nothing on the way of a message waits for a name server; only a call that is to be dialed waits for an answer, and then
//! not for long.

mod whereabouts;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sip::Peer;
use sip::locate::{Answer, Answers, Locate, Means, Question, Target, Unlocatable};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::dns::Dns;
use crate::{Error, Network, NextHop, Trunk, clock};
pub(crate) use whereabouts::Place;
use whereabouts::{Whereabouts, not_found};

/// Trunks are looked up again after this time; answers that still hold cost nothing.
const FRESH: Duration = Duration::from_secs(30);
/// First wait after a failure; doubled with each further one.
const BACK_OFF: Duration = Duration::from_secs(1);
/// Longest wait of a call for the first answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait of a call for a newer answer than the one at hand.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// Names of peers being looked up at once.
const MAX_SEARCHES: usize = 32;

/// By the names of the trunks.
type Places = BTreeMap<String, Whereabouts>;

/// Trunks and their addresses, kept fresh; clones see the same.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    places: watch::Receiver<Places>,
    found: Arc<watch::Sender<Places>>,
    finder: Finder,
    searches: Arc<Semaphore>,
}

impl Resolver {
    /// Starts to look for the trunks. The tasks end when nobody looks at the answers any more.
    pub(crate) fn start(network: &Network, dns: Dns, trunks: &[Trunk], means: Means, seed: [u8; 32]) -> Self {
        let finder = Finder {
            network: network.clone(),
            dns,
            means,
            answers: Arc::default(),
            rng: Arc::new(Mutex::new(ChaCha12Rng::from_seed(seed))),
        };
        let places = trunks.iter().map(|trunk| (trunk.name.clone(), Whereabouts::of(&trunk.next_hop))).collect();
        let (sender, receiver) = watch::channel(places);
        let sender = Arc::new(sender);
        for trunk in trunks {
            if let NextHop::Uri(uri) = &trunk.next_hop {
                tokio::spawn(keep_fresh(finder.clone(), trunk.name.clone(), uri.clone(), sender.clone()));
            }
        }
        Self { places: receiver, found: sender, finder, searches: Arc::new(Semaphore::new(MAX_SEARCHES)) }
    }

    /// Where to send to for a call by that trunk, in order, with the lots drawn anew (RFC 2782).
    pub(crate) async fn targets(&self, trunk: &Trunk) -> Result<Vec<Target>, Error> {
        let mut places = self.places.clone();
        let settled =
            places.wait_for(|places| places.get(&trunk.name).is_none_or(|known| known.place != Place::Pending));
        // Silence, or the end of the task that looks, leaves what is known.
        let _ = timeout(PATIENCE, settled).await;
        if let NextHop::Uri(uri) = &trunk.next_hop
            && let Ok(Ok(targets)) = timeout(IMPATIENCE, self.finder.find(uri)).await
        {
            // Whoever is called there may answer from there.
            publish(&self.found, &trunk.name, uri, Ok(targets.clone()));
            return Ok(targets);
        }
        match self.place(&trunk.name) {
            Place::Known(targets) => Ok(targets),
            Place::Unknown { why } => Err(Error::Unresolved(why)),
            Place::Pending => Err(Error::Unresolved(not_found(&trunk.next_hop, Unlocatable::NoAnswer))),
            Place::Nowhere => Err(Error::NoNextHop(trunk.name.clone())),
        }
    }

    /// The first place of any URI; `None` when there is none, or too many are being looked up.
    pub(crate) async fn locate(&self, uri: &str) -> Option<Target> {
        let _turn = self.searches.try_acquire().ok()?;
        self.finder.find(uri).await.ok()?.into_iter().next()
    }

    /// What is known now.
    pub(crate) fn place(&self, trunk: &str) -> Place {
        self.places.borrow().get(trunk).map_or(Place::Nowhere, |known| known.place.clone())
    }

    /// Whether that trunk sends from this address: it is there, or was of late.
    pub(crate) fn is_at(&self, trunk: &str, source: IpAddr) -> bool {
        self.places.borrow().get(trunk).is_some_and(|known| known.is_at(clock::now(), source))
    }

    /// The domain of a trunk's target, for its certificate; of one that it has left of late, too.
    pub(crate) fn domain_of(&self, peer: Peer) -> Option<String> {
        let now = clock::now();
        self.places.borrow().values().find_map(|known| known.domain_of(now, peer)).map(str::to_owned)
    }

    /// Waits until something else is known. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        // We hold a sender ourselves, so that there is always one.
        let _ = self.places.changed().await;
    }
}

/// Asks what [`Locate`] wants to know.
#[derive(Debug, Clone)]
struct Finder {
    network: Network,
    dns: Dns,
    means: Means,
    answers: Arc<Mutex<Answers>>,
    rng: Arc<Mutex<ChaCha12Rng>>,
}

impl Finder {
    async fn find(&self, uri: &str) -> Result<Vec<Target>, Unlocatable> {
        let mut seed = [0; 32];
        lock(&self.rng).fill_bytes(&mut seed);
        let mut locate = Locate::new(uri, &self.means, seed);
        loop {
            if let Some(outcome) = locate.outcome() {
                return outcome.map(<[Target]>::to_vec);
            }
            let questions: Vec<_> = std::iter::from_fn(|| locate.poll_question()).collect();
            if questions.is_empty() {
                return Err(Unlocatable::NoAnswer);
            }
            let answers = join_all(questions.iter().map(|question| self.ask(question))).await;
            for (question, answer) in questions.iter().zip(answers) {
                locate.handle_answer(question, answer);
            }
        }
    }

    async fn ask(&self, question: &Question) -> Answer {
        if let Some(answer) = lock(&self.answers).fresh(clock::now(), question) {
            return answer.clone();
        }
        let (answer, holds) = self.network.ask(&self.dns, question).await;
        lock(&self.answers).learn(clock::now(), question.clone(), answer, holds)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn keep_fresh(finder: Finder, trunk: String, uri: String, places: Arc<watch::Sender<Places>>) {
    let mut failures = 0;
    loop {
        let found = finder.find(&uri).await;
        failures = if found.is_ok() { 0 } else { failures + 1 };
        publish(&places, &trunk, &uri, found);
        tokio::select! { biased;
            () = places.closed() => return,
            () = tokio::time::sleep(next_lookup(failures)) => {}
        }
    }
}

/// Lets all know what is new in an answer.
fn publish(places: &watch::Sender<Places>, trunk: &str, uri: &str, found: Result<Vec<Target>, Unlocatable>) {
    places.send_if_modified(|places| {
        let Some(known) = places.get_mut(trunk) else { return false };
        let changed = known.learn(clock::now(), uri, found);
        if changed {
            tell(trunk, &known.place);
        }
        changed
    });
}

fn tell(trunk: &str, place: &Place) {
    match place {
        Place::Known(targets) => {
            let peers: Vec<_> = targets.iter().map(|target| target.peer).collect();
            tracing::info!(trunk, ?peers, "trunk found");
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_followed_by_longer_and_longer_waits_up_to_that_after_a_success() {
        let waits = [0, 1, 2, 3, 6, 7, 1000].map(|failures| next_lookup(failures).as_secs());
        assert_eq!(waits, [30, 1, 2, 4, 30, 30, 30]);
    }
}
