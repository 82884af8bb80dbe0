//! What the tests of this crate share.

use std::time::Instant;

/// Some instant to count from; only differences matter.
pub(crate) fn start() -> Instant {
    Instant::now()
}
