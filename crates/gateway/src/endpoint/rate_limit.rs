//! Pure: no I/O, no clock.
//!
//! [`RateLimit`]: how many requests that begin something may come from each source, and from all together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Of one source: more than a large trunk begins, even after an outage.
const SOURCE: Rate = Rate { per_second: 2000, burst: 4000 };
/// Of all sources together.
const ALL: Rate = Rate { per_second: 4000, burst: 8000 };
/// Sources remembered at once: more than can spend what all may have.
const MAX_SOURCES: usize = 16_384;

/// So many a second for as long as one likes, and so many at once.
#[derive(Debug, Clone, Copy)]
struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// What one request costs, in the time in which it is made up for.
    fn cost(self) -> Duration {
        Duration::from_secs(1) / self.per_second
    }
}

/// A token bucket, as the moment when it will be full again: never taken from, it is full.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    full_at: Option<Instant>,
}

impl Bucket {
    /// The bucket with one taken, if one is left.
    fn less_one(self, now: Instant, rate: Rate) -> Option<Self> {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + rate.cost();
        (full_at <= now + rate.cost() * rate.burst).then_some(Self { full_at: Some(full_at) })
    }

    fn is_full(self, now: Instant) -> bool {
        self.full_at.is_none_or(|at| at <= now)
    }
}

/// What each source has left.
#[derive(Debug, Default)]
pub(super) struct RateLimit {
    all: Bucket,
    /// Those of whom something has been taken.
    sources: BTreeMap<IpAddr, Bucket>,
}

impl RateLimit {
    /// Whether one more may come from there. One that may not costs nothing.
    pub(super) fn admit(&mut self, now: Instant, source: IpAddr) -> bool {
        let own = self.sources.get(&source).copied().unwrap_or_default();
        let (Some(all), Some(own)) = (self.all.less_one(now, ALL), own.less_one(now, SOURCE)) else {
            return false;
        };
        if self.sources.len() >= MAX_SOURCES {
            // Who has a full bucket again need not be remembered.
            self.sources.retain(|_, bucket| !bucket.is_full(now));
        }
        self.all = all;
        self.sources.insert(source, own);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_may_burst_and_then_has_its_rate() {
        let start = Instant::now();
        let mut limit = RateLimit::default();
        assert_eq!(admitted(&mut limit, start, source(1), 10_000), SOURCE.burst);
        let soon = start + Duration::from_millis(100);
        assert_eq!(admitted(&mut limit, soon, source(1), 10_000), SOURCE.per_second / 10);
        assert_eq!(admitted(&mut limit, start + Duration::from_secs(3600), source(1), 10_000), SOURCE.burst);
    }

    #[test]
    fn a_source_over_its_limit_leaves_the_others_theirs() {
        let now = Instant::now();
        let mut limit = RateLimit::default();
        assert_eq!(admitted(&mut limit, now, source(1), 100_000), SOURCE.burst);
        assert_eq!(admitted(&mut limit, now, source(2), 100), 100);
    }

    #[test]
    fn all_sources_together_have_a_limit_too() {
        let start = Instant::now();
        let mut limit = RateLimit::default();
        let burst = |limit: &mut RateLimit, now| (0..20).map(|n| admitted(limit, now, source(n), 1000)).sum::<u32>();
        assert_eq!(burst(&mut limit, start), ALL.burst);
        assert_eq!(burst(&mut limit, start + Duration::from_secs(1)), ALL.per_second);
    }

    #[test]
    fn sources_without_number_take_no_more_room_than_there_is() {
        let start = Instant::now();
        let mut limit = RateLimit::default();
        for n in 0..100_000 {
            limit.admit(start + Duration::from_micros(100) * n, source(n));
            assert!(limit.sources.len() <= MAX_SOURCES);
        }
        assert_eq!(admitted(&mut limit, start + Duration::from_secs(60), source(1), 100), 100);
    }

    fn source(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    /// How many of so many at once are admitted.
    fn admitted(limit: &mut RateLimit, now: Instant, source: IpAddr, requests: u32) -> u32 {
        (0..requests).map(|_| u32::from(limit.admit(now, source))).sum()
    }
}
