//! Where each trunk is: looked up in the background, and again while the gateway runs.
//!
//! Nothing on the way of a message waits for a name server; only a call that is to be dialed waits for an answer, and then
//! not for long.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sip::locate::{Answer, Answers, Locate, Means, Question, Target, Unlocatable};
use sip::{Peer, Transport};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::dns::Dns;
use crate::{Error, Network, NextHop, Trunk, clock};

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

/// What is known of where a trunk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// There has been no answer yet.
    Pending,
    /// In the order in which to try them; never empty.
    Known(Vec<Target>),
    /// It has never been found.
    Unknown { why: String },
    /// It has no address: it only sends us calls.
    Nowhere,
}

/// Trunks and their addresses, kept fresh; clones see the same.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    places: watch::Receiver<BTreeMap<String, Place>>,
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
        let places = trunks.iter().map(|trunk| (trunk.name.clone(), Place::of(&trunk.next_hop))).collect();
        let (sender, receiver) = watch::channel(places);
        let sender = Arc::new(sender);
        for trunk in trunks {
            if let NextHop::Uri(uri) = &trunk.next_hop {
                tokio::spawn(keep_fresh(finder.clone(), trunk.name.clone(), uri.clone(), sender.clone()));
            }
        }
        Self { places: receiver, finder, searches: Arc::new(Semaphore::new(MAX_SEARCHES)) }
    }

    /// Where to send to for a call by that trunk, in order, with the lots drawn anew (RFC 2782).
    pub(crate) async fn targets(&self, trunk: &Trunk) -> Result<Vec<Target>, Error> {
        let mut places = self.places.clone();
        let settled = places.wait_for(|places| places.get(&trunk.name) != Some(&Place::Pending));
        // Silence, or the end of the task that looks, leaves what is known.
        let _ = timeout(PATIENCE, settled).await;
        if let NextHop::Uri(uri) = &trunk.next_hop
            && let Ok(Ok(targets)) = timeout(IMPATIENCE, self.finder.find(uri)).await
        {
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
        self.places.borrow().get(trunk).cloned().unwrap_or(Place::Nowhere)
    }

    /// Whether that trunk sends from this address.
    pub(crate) fn is_at(&self, trunk: &str, source: IpAddr) -> bool {
        matches!(
            self.places.borrow().get(trunk),
            Some(Place::Known(targets)) if targets.iter().any(|target| target.peer.address.ip() == source)
        )
    }

    /// The domain of a trunk's target, for its certificate.
    pub(crate) fn domain_of(&self, peer: Peer) -> Option<String> {
        self.places.borrow().values().find_map(|place| match place {
            Place::Known(targets) => {
                targets.iter().find(|target| target.peer == peer).map(|target| target.domain.clone())
            }
            _ => None,
        })
    }

    /// Waits until something else is known. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        if self.places.changed().await.is_err() {
            // No trunk has a name.
            std::future::pending().await
        }
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

async fn keep_fresh(finder: Finder, trunk: String, uri: String, places: Arc<watch::Sender<BTreeMap<String, Place>>>) {
    let mut failures = 0;
    loop {
        let found = finder.find(&uri).await;
        failures = if found.is_ok() { 0 } else { failures + 1 };
        places.send_if_modified(|places| {
            let place = places.entry(trunk.clone()).or_insert(Place::Pending);
            let changed = place.learn(&uri, found);
            if changed {
                tell(&trunk, place);
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

fn not_found(next_hop: &NextHop, why: Unlocatable) -> String {
    match next_hop {
        NextHop::Uri(uri) => format!("trunk host {} does not resolve: {why}", uri.trim_start_matches("sip:")),
        NextHop::Address(_) | NextHop::Nowhere => why.to_string(),
    }
}

impl Place {
    fn of(next_hop: &NextHop) -> Self {
        match next_hop {
            NextHop::Address(address) => {
                let peer = Peer { transport: Transport::Udp, address: *address };
                Self::Known(vec![Target { peer, domain: address.ip().to_string() }])
            }
            NextHop::Uri(_) => Self::Pending,
            NextHop::Nowhere => Self::Nowhere,
        }
    }

    /// Takes an answer in; true if it says something new. What was found once is not forgotten for want of an answer,
    /// and the target in use stays in use for as long as it is among the answers: name servers shuffle them.
    fn learn(&mut self, uri: &str, found: Result<Vec<Target>, Unlocatable>) -> bool {
        let known = match self {
            Self::Known(targets) => targets.as_slice(),
            _ => &[],
        };
        let learned = match found {
            Ok(mut targets) => {
                targets.sort_by_key(|target| (known.first() != Some(target), !known.contains(target)));
                Self::Known(targets)
            }
            Err(_) if !known.is_empty() => return false,
            Err(why) => Self::Unknown { why: not_found(&NextHop::Uri(uri.to_owned()), why) },
        };
        let is_news = match (&*self, &learned) {
            (Self::Known(before), Self::Known(now)) => {
                before.first() != now.first()
                    || !now.iter().all(|target| before.contains(target))
                    || before.len() != now.len()
            }
            (before, now) => before != now,
        };
        if is_news {
            *self = learned;
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn the_target_in_use_stays_while_it_is_among_the_answers_and_gives_way_when_it_is_not() {
        let mut place = Place::Pending;
        assert!(place.learn(URI, Ok(targets(&[1, 2]))));
        assert!(!place.learn(URI, Ok(targets(&[2, 1]))), "shuffled is the same");
        assert_eq!(place, Place::Known(targets(&[1, 2])));
        assert!(place.learn(URI, Ok(targets(&[3, 1]))));
        assert_eq!(place, Place::Known(targets(&[1, 3])));
        assert!(place.learn(URI, Ok(targets(&[4, 3]))));
        assert_eq!(place, Place::Known(targets(&[3, 4])));
    }

    #[test]
    fn what_was_found_is_kept_when_no_answer_comes() {
        let mut place = Place::Pending;
        assert!(place.learn(URI, Err(Unlocatable::NoAddress)));
        let why = "trunk host trunk.test does not resolve: DNS knows no address".to_owned();
        assert_eq!(place, Place::Unknown { why });
        assert!(place.learn(URI, Ok(targets(&[1]))));
        assert!(!place.learn(URI, Err(Unlocatable::NoAnswer)));
        assert_eq!(place, Place::Known(targets(&[1])));
    }

    #[test]
    fn failures_are_followed_by_longer_and_longer_waits_up_to_that_after_a_success() {
        let waits = [0, 1, 2, 3, 6, 7, 1000].map(|failures| next_lookup(failures).as_secs());
        assert_eq!(waits, [30, 1, 2, 4, 30, 30, 30]);
    }

    const URI: &str = "sip:trunk.test";

    fn targets(last: &[u8]) -> Vec<Target> {
        let target = |last: &u8| Target {
            peer: Peer { transport: Transport::Udp, address: SocketAddr::from(([192, 0, 2, *last], 5060)) },
            domain: "trunk.test".to_owned(),
        };
        last.iter().map(target).collect()
    }
}
