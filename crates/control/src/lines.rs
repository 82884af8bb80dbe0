//! [`Lines`]: which outbound call may dial now.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use crate::TrunkInfo;
use crate::pace::Pace;

/// The lines of this program, and the pace of its trunks.
#[derive(Debug)]
pub(crate) struct Lines {
    free: Arc<Semaphore>,
    /// Rings when a call has ended, so that one that waits for the gateway tries again.
    freed: Notify,
    /// Of trunks that have one.
    paces: BTreeMap<String, Mutex<Pace>>,
}

impl Lines {
    /// So many outbound calls at once, each trunk's as far apart as it wants.
    pub(crate) fn new(most: usize, trunks: &[TrunkInfo]) -> Self {
        let pace = |trunk: &TrunkInfo| Some((trunk.name.clone(), Mutex::new(Pace::new(trunk.calls_apart?))));
        Self {
            free: Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))),
            freed: Notify::new(),
            paces: trunks.iter().filter_map(pace).collect(),
        }
    }

    /// Waits until this trunk may dial and a line is free. Calls of a trunk with a pace go in the order they came.
    pub(crate) async fn turn(&self, trunk: &str) -> OwnedSemaphorePermit {
        let mut pace = match self.paces.get(trunk) {
            Some(pace) => Some(pace.lock().await),
            None => None,
        };
        if let Some(pace) = &pace {
            sleep_until(pace.ready_at(Instant::now().into_std()).into()).await;
        }
        let line = Arc::clone(&self.free).acquire_owned().await.expect("the lines are never closed");
        if let Some(pace) = &mut pace {
            pace.dialed(Instant::now().into_std());
        }
        line
    }

    /// Tells the calls that wait for the gateway that one has ended.
    pub(crate) fn free(&self) {
        self.freed.notify_waiters();
    }

    /// Resolves when a call has ended.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_trunk_dials_at_its_pace_and_holds_up_no_other() {
        let lines = lines();
        let start = Instant::now();
        let mut dialed = Vec::new();
        for trunk in ["slow", "fast", "fast", "slow", "fast", "slow"] {
            drop(lines.turn(trunk).await);
            dialed.push(start.elapsed().as_secs());
        }
        assert_eq!(dialed, [0, 0, 0, 2, 2, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_gives_up_while_it_waits_costs_the_next_one_nothing() {
        let lines = lines();
        let start = Instant::now();
        drop(lines.turn("slow").await);
        assert!(tokio::time::timeout(Duration::from_secs(1), lines.turn("slow")).await.is_err());
        drop(lines.turn("slow").await);
        assert_eq!(start.elapsed().as_secs(), 2);
    }

    fn lines() -> Lines {
        let slow = TrunkInfo { name: "slow".into(), calls_apart: Some(Duration::from_secs(2)), ..TrunkInfo::default() };
        Lines::new(10, &[slow, TrunkInfo { name: "fast".into(), ..TrunkInfo::default() }])
    }
}
