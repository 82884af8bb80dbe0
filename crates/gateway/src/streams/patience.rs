//! Pure: no I/O, no clock.
//!
//! [`Patience`]: how long a connection may stay as it is.

use std::time::{Duration, Instant};

/// Who connects to us says what for in this time, the handshake of TLS not counted.
const FIRST_MESSAGE: Duration = Duration::from_secs(30);
/// A message that has begun must be whole by then: a trickle holds no connection.
const WHOLE_MESSAGE: Duration = Duration::from_secs(20);
/// A connection on which nothing at all comes is closed, so that forgotten ones do not pile up.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// What a connection is waited for.
#[derive(Debug)]
pub(super) struct Patience {
    heard_at: Instant,
    /// When a peer that connected to us must have sent a message.
    first_due: Option<Instant>,
    /// Since when a message has been begun and not ended.
    begun_at: Option<Instant>,
}

impl Patience {
    /// Of a connection that is now open; `inbound` if the peer opened it.
    pub(super) fn new(now: Instant, inbound: bool) -> Self {
        Self { heard_at: now, first_due: inbound.then(|| now + FIRST_MESSAGE), begun_at: None }
    }

    /// Something came: whole messages perhaps, and perhaps the beginning of one.
    pub(super) fn heard(&mut self, now: Instant, has_message: bool, within_message: bool) {
        self.heard_at = now;
        if has_message {
            (self.first_due, self.begun_at) = (None, None);
        }
        self.begun_at = if within_message { self.begun_at.or(Some(now)) } else { None };
    }

    /// When it is over, and what will have been waited for in vain.
    pub(super) fn deadline(&self) -> (Instant, &'static str) {
        let whole = self.begun_at.map(|at| (at + WHOLE_MESSAGE, "the rest of a message"));
        let first = self.first_due.map(|at| (at, "a first message"));
        let idle = (self.heard_at + IDLE, "a message");
        std::iter::once(idle).chain(whole).chain(first).min_by_key(|(at, _)| *at).unwrap_or(idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_connects_and_says_nothing_is_soon_given_up_and_one_we_connect_to_is_not() {
        let start = Instant::now();
        let mut theirs = Patience::new(start, true);
        assert_eq!(left(&theirs, start), (30, "a first message"));
        let ours = Patience::new(start, false);
        assert_eq!(left(&ours, start), (900, "a message"));
        // Keep-alives are no message.
        let later = start + Duration::from_secs(25);
        theirs.heard(later, false, false);
        assert_eq!(left(&theirs, later), (5, "a first message"));
        theirs.heard(later, true, false);
        assert_eq!(left(&theirs, later), (900, "a message"));
    }

    #[test]
    fn a_message_that_trickles_in_is_not_waited_for_however_often_a_byte_comes() {
        let start = Instant::now();
        let mut patience = Patience::new(start, false);
        for second in 0..=10 {
            patience.heard(start + Duration::from_secs(second), false, true);
        }
        assert_eq!(left(&patience, start + Duration::from_secs(10)), (10, "the rest of a message"));
        let mut first = Patience::new(start, true);
        first.heard(start + Duration::from_secs(15), false, true);
        assert_eq!(left(&first, start + Duration::from_secs(15)), (15, "a first message"));
    }

    #[test]
    fn a_busy_connection_on_which_some_message_is_always_half_there_goes_on() {
        let start = Instant::now();
        let mut patience = Patience::new(start, true);
        for second in 0..=100 {
            patience.heard(start + Duration::from_secs(second), true, true);
        }
        assert_eq!(left(&patience, start + Duration::from_secs(100)), (20, "the rest of a message"));
    }

    /// Seconds that are left, and for what.
    fn left(patience: &Patience, now: Instant) -> (u64, &'static str) {
        let (at, what) = patience.deadline();
        (at.duration_since(now).as_secs(), what)
    }
}
