//! The only place of this crate that asks what time it is.

use std::time::{Instant, SystemTime};

/// The time now: simulated under a paused tokio runtime, everywhere else of the monotonic clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The time of day, for records of what was on the wire; nothing is decided by it.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
