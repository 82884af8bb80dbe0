//! Which targets have failed of late, so that others are tried first.
//!
//! A target that fails is put behind the others for a while, longer each time, or for as long as its Retry-After
//! says. It returns when that time is over, or sooner: after three OPTIONS in a row that it answered, or one request.
//! What it asked for by Retry-After is kept in any case. Nothing is ever ruled out: when all have failed, all are
//! tried, the one that returns soonest first.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::Peer;

/// Penalty for the first failure; doubled with each further one.
const FIRST: Duration = Duration::from_secs(30);
/// Longest penalty that we give.
const LONGEST: Duration = Duration::from_secs(600);
/// Longest Retry-After that is kept.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// How long a target without failures is remembered for those it had.
const MEMORY: Duration = Duration::from_secs(1800);
/// Time between two probes of one target.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// Probes in a row that a target must answer to return before its time.
const PROBES_TO_RETURN: u32 = 3;
/// Most targets remembered.
const MAX_PEERS: usize = 256;

/// The targets that have failed.
#[derive(Debug, Default)]
pub struct Penalties {
    peers: BTreeMap<Peer, Penalty>,
}

#[derive(Debug)]
struct Penalty {
    failures: u32,
    until: Instant,
    /// Whether the peer itself said how long.
    asked_for: bool,
    good_probes: u32,
    probe_at: Instant,
}

impl Penalties {
    /// A request got no answer, or a 503 with perhaps a Retry-After.
    pub fn failed(&mut self, now: Instant, peer: Peer, retry_after: Option<Duration>) {
        self.make_room(now, peer);
        let before = self.peers.get(&peer);
        // What fails while it is in the box, fails for the same reason.
        let failures = before.map_or(1, |known| known.failures + u32::from(known.until <= now));
        let own = (FIRST * 2u32.saturating_pow((failures - 1).min(16))).min(LONGEST);
        let length = retry_after.map_or(own, |asked| asked.min(LONGEST_RETRY_AFTER));
        let until = before.map_or(now, |known| known.until).max(now + length);
        let asked_for = retry_after.is_some() || before.is_some_and(|known| known.asked_for && known.until > now);
        let probe_at = now + PROBE_INTERVAL;
        self.peers.insert(peer, Penalty { failures, until, asked_for, good_probes: 0, probe_at });
    }

    /// A request got an answer other than 503.
    pub fn answered(&mut self, now: Instant, peer: Peer) {
        if self.peers.get(&peer).is_some_and(|known| !(known.asked_for && known.until > now)) {
            self.peers.remove(&peer);
        }
    }

    /// An OPTIONS of [`poll_probe`](Self::poll_probe) was answered, or not.
    pub fn probed(&mut self, now: Instant, peer: Peer, answered: bool) {
        let Some(known) = self.peers.get_mut(&peer) else {
            return;
        };
        known.good_probes = if answered { known.good_probes + 1 } else { 0 };
        if known.good_probes >= PROBES_TO_RETURN {
            self.answered(now, peer);
        }
    }

    /// A target to send an OPTIONS to now. Those that said when to come back are left in peace.
    pub fn poll_probe(&mut self, now: Instant) -> Option<Peer> {
        let (peer, known) = self.peers.iter_mut().find(|(_, known)| known.probe_due().is_some_and(|at| at <= now))?;
        known.probe_at = now + PROBE_INTERVAL;
        Some(*peer)
    }

    /// When to ask for a probe again.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.peers.values().filter_map(Penalty::probe_due).min()
    }

    /// Whether a target is behind the others now.
    pub fn is_penalised(&self, now: Instant, peer: Peer) -> bool {
        self.peers.get(&peer).is_some_and(|known| known.until > now)
    }

    /// Puts targets in the order in which to try them: as they came, and behind them those that have failed.
    pub fn sort<T>(&self, now: Instant, targets: &mut [T], peer: impl Fn(&T) -> Peer) {
        targets.sort_by_key(|target| {
            self.peers.get(&peer(target)).map(|known| known.until.saturating_duration_since(now)).unwrap_or_default()
        });
    }

    fn make_room(&mut self, now: Instant, peer: Peer) {
        self.peers.retain(|_, known| known.until + MEMORY > now);
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&peer) {
            let soonest = self.peers.iter().min_by_key(|(_, known)| known.until).map(|(peer, _)| *peer);
            soonest.map(|peer| self.peers.remove(&peer));
        }
    }
}

impl Penalty {
    /// Once its time is over, requests show what it is worth.
    fn probe_due(&self) -> Option<Instant> {
        (!self.asked_for && self.probe_at < self.until).then_some(self.probe_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;

    fn peer(number: u16) -> Peer {
        Peer { transport: Transport::Udp, address: ([192, 0, 2, 1], number).into() }
    }

    fn order(penalties: &Penalties, now: Instant) -> Vec<u16> {
        let mut targets = vec![peer(1), peer(2), peer(3)];
        penalties.sort(now, &mut targets, |target| *target);
        targets.iter().map(|target| target.address.port()).collect()
    }

    #[test]
    fn what_failed_goes_behind_until_its_time_is_over() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut penalties = Penalties::default();
        penalties.failed(start, peer(1), None);
        assert_eq!(order(&penalties, start), [2, 3, 1]);
        penalties.failed(at(1), peer(2), None);
        assert_eq!(order(&penalties, at(1)), [3, 1, 2]);
        assert_eq!(order(&penalties, at(30)), [1, 3, 2]);
        assert_eq!(order(&penalties, at(31)), [1, 2, 3]);
    }

    #[test]
    fn each_failure_after_the_penalty_doubles_it_and_one_within_does_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut penalties = Penalties::default();
        penalties.failed(start, peer(1), None);
        penalties.failed(at(1), peer(1), None);
        assert!(penalties.is_penalised(at(30), peer(1)) && !penalties.is_penalised(at(31), peer(1)));
        penalties.failed(at(31), peer(1), None);
        assert!(penalties.is_penalised(at(90), peer(1)) && !penalties.is_penalised(at(91), peer(1)));
        let mut now = at(91);
        for _ in 0..10 {
            penalties.failed(now, peer(1), None);
            now += LONGEST;
        }
        assert!(!penalties.is_penalised(now, peer(1)));
        penalties.answered(now, peer(1));
        penalties.failed(now, peer(1), None);
        assert!(!penalties.is_penalised(now + FIRST, peer(1)), "an answer forgives all");
    }

    #[test]
    fn retry_after_is_kept_whatever_is_answered_meanwhile() {
        let start = Instant::now();
        let mut penalties = Penalties::default();
        penalties.failed(start, peer(1), Some(Duration::from_secs(120)));
        penalties.answered(start, peer(1));
        assert_eq!((penalties.poll_probe(start + PROBE_INTERVAL), penalties.poll_timeout()), (None, None));
        assert!(penalties.is_penalised(start + Duration::from_secs(119), peer(1)));
        assert!(!penalties.is_penalised(start + Duration::from_secs(120), peer(1)));
        penalties.failed(start, peer(2), Some(Duration::from_secs(u64::MAX / 4)));
        assert!(!penalties.is_penalised(start + LONGEST_RETRY_AFTER, peer(2)));
    }

    #[test]
    fn three_probes_in_a_row_bring_it_back() {
        let start = Instant::now();
        let mut penalties = Penalties::default();
        penalties.failed(start, peer(1), None);
        penalties.failed(start, peer(1), None);
        for (turn, answered) in [true, false, true, true, true].into_iter().enumerate() {
            let now = penalties.poll_timeout().unwrap();
            assert_eq!(now, start + PROBE_INTERVAL * (turn as u32 + 1));
            assert_eq!((penalties.poll_probe(now), penalties.poll_probe(now)), (Some(peer(1)), None));
            assert!(penalties.is_penalised(now, peer(1)));
            penalties.probed(now, peer(1), answered);
        }
        assert!(!penalties.is_penalised(start + PROBE_INTERVAL * 5, peer(1)));
        assert_eq!(penalties.poll_timeout(), None);
    }

    #[test]
    fn the_number_of_targets_is_bounded() {
        let start = Instant::now();
        let mut penalties = Penalties::default();
        for number in 0..1000 {
            penalties.failed(start, peer(number), None);
        }
        assert_eq!(penalties.peers.len(), MAX_PEERS);
        penalties.failed(start + LONGEST + MEMORY, peer(1), None);
        assert_eq!(penalties.peers.len(), 1);
    }
}
