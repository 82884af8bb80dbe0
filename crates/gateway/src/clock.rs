//! The only place in the workspace that asks what time it is.
//!
//! Under a paused tokio runtime this is simulated time; everywhere else it is the monotonic clock.

use std::time::Instant;

/// The time now.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
