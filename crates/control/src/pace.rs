//! Pure: no I/O, no clock.
//! [`Pace`]: how fast new calls may follow each other on a trunk.

use std::time::{Duration, Instant};

/// A bucket that holds one call and is full again after `every`. It holds no more, because a carrier that allows
/// two calls a second refuses the third however quiet the minute before was.
#[derive(Debug)]
pub(crate) struct Pace {
    every: Duration,
    full_at: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, full_at: None }
    }

    /// When the next call may be dialed: now, or later.
    pub(crate) fn ready_at(&self, now: Instant) -> Instant {
        self.full_at.map_or(now, |at| at.max(now))
    }

    /// A call is dialed.
    pub(crate) fn dialed(&mut self, now: Instant) {
        self.full_at = Some(now + self.every);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_follow_each_other_at_the_pace_and_a_quiet_time_is_not_saved_up() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::new(Duration::from_millis(500));
        assert_eq!(pace.ready_at(at(0)), at(0));
        pace.dialed(at(0));
        assert_eq!((pace.ready_at(at(0)), pace.ready_at(at(499)), pace.ready_at(at(500))), (at(500), at(500), at(500)));
        pace.dialed(at(10_000));
        assert_eq!(pace.ready_at(at(10_001)), at(10_500));
    }
}
