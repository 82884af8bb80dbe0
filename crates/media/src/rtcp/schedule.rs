//! [`Schedule`]: when reports leave (RFC 3550 §6.2, §6.3).

use std::time::{Duration, Instant};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;

/// The least time between reports. Two who share 5 % of a telephone stream never reach the traffic that asks for more.
const INTERVAL: Duration = Duration::from_secs(5);
/// What reconsideration makes of an interval on average (RFC 3550 §6.3.1: e − 3/2).
const COMPENSATION: f64 = 1.218_28;

/// When the next report of a session of two leaves.
#[derive(Debug)]
pub(super) struct Schedule {
    rng: ChaCha12Rng,
    last: Instant,
    next: Instant,
    /// Nothing has been reported yet: the first interval is half as long.
    initial: bool,
}

impl Schedule {
    pub fn new(now: Instant, rng: ChaCha12Rng) -> Self {
        let mut schedule = Self { rng, last: now, next: now, initial: true };
        schedule.next = now + schedule.draw();
        schedule
    }

    /// Whether it is worth asking if a report is due.
    pub fn may_be_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// Whether a report is due; if so, it has to be sent now.
    pub fn is_due(&mut self, now: Instant) -> bool {
        if !self.may_be_due(now) {
            return false;
        }
        // RFC 3550 §6.3.6: drawn anew when the time has come, so that crowds do not speak at once.
        let reconsidered = self.last + self.draw();
        if reconsidered > now {
            self.next = reconsidered;
            return false;
        }
        self.initial = false;
        self.last = now;
        self.next = now + self.draw();
        true
    }

    fn draw(&mut self) -> Duration {
        let interval = if self.initial { INTERVAL / 2 } else { INTERVAL };
        let uniform = f64::from(self.rng.next_u32()) / f64::from(u32::MAX);
        interval.mul_f64((0.5 + uniform) / COMPENSATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    /// When reports leave in so many seconds, in ms.
    fn reports(seed: u8, seconds: u64) -> Vec<u64> {
        let start = crate::testing::any_instant();
        let mut schedule = Schedule::new(start, ChaCha12Rng::from_seed([seed; 32]));
        (0..seconds * 50)
            .map(|slot| slot * 20)
            .filter(|ms| schedule.is_due(start + Duration::from_millis(*ms)))
            .collect()
    }

    // RFC 3550 §6.2, §6.3.1, §6.3.6.
    #[test]
    fn reports_leave_every_five_seconds_on_average_and_never_in_step() {
        for seed in 0..10 {
            let times = reports(seed, 1000);
            assert!((1020..3100).contains(&times[0]), "seed {seed}: {}", times[0]);
            let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(gaps.iter().all(|gap| (2050..6200).contains(gap)), "seed {seed}: {gaps:?}");
            let mean = gaps.iter().sum::<u64>() / gaps.len() as u64;
            assert!((4500..5500).contains(&mean), "seed {seed}: {mean}");
        }
        assert_ne!(reports(1, 60), reports(2, 60));
    }
}
