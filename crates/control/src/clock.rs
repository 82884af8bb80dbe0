//! Wall-clock time, as records and events have it. The only place of this crate that asks for it.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

/// How soon a clock that was set is noticed.
const LOOK: Duration = Duration::from_secs(10);

/// The clock that scheduled calls go by.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The system's.
    #[default]
    System,
    /// One that somebody sets.
    Set(watch::Receiver<Timestamp>),
}

impl Clock {
    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::System => now(),
            Self::Set(time) => *time.borrow(),
        }
    }

    /// Resolves when it is so late.
    pub(crate) async fn reaches(&self, at: Timestamp) {
        match self {
            // The wait is on a clock that nobody sets, so the one on the wall is looked at now and then.
            Self::System => loop {
                let left = at.duration_since(now());
                if !left.is_positive() {
                    return;
                }
                sleep(left.unsigned_abs().min(LOOK)).await;
            },
            Self::Set(time) => {
                if time.clone().wait_for(|now| *now >= at).await.is_err() {
                    std::future::pending().await
                }
            }
        }
    }
}

/// Now.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// RFC 3339 in UTC with milliseconds: of fixed length, so that text order is time order.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// The same of what the system's clock said.
pub(crate) fn rfc3339_of(time: SystemTime) -> String {
    // Only years that nobody has a calendar for do not fit.
    rfc3339(Timestamp::try_from(time).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_time_is_waited_for_by_the_clock_on_the_wall() {
        let nine: Timestamp = "2026-12-01T09:00:00Z".parse().unwrap();
        let minutes = jiff::SignedDuration::from_mins;
        let (set, time) = watch::channel(nine);
        let clock = Clock::Set(time);
        let mut waits = std::pin::pin!(clock.reaches(nine + minutes(2)));
        for too_early in [0, 1, -60] {
            set.send_replace(nine + minutes(too_early));
            assert!(timeout(Duration::ZERO, &mut waits).await.is_err());
        }
        set.send_replace(nine + minutes(60));
        waits.await;
        assert_eq!(clock.now(), nine + minutes(60));
        // What is over is not waited for.
        Clock::System.reaches(nine - minutes(1_000_000)).await;
    }

    #[test]
    fn times_have_exactly_three_decimals() {
        let time = |text: &str| rfc3339(text.parse().unwrap());
        assert_eq!(time("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05.000Z");
        assert_eq!(time("2026-01-02T03:04:05.123999+01:00"), "2026-01-02T02:04:05.123Z");
    }
}
