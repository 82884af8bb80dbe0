//! Keeps the path of a registration open through NATs, and notices when it is dead (RFC 5626 §4.4, with OPTIONS, which
//! every registrar answers, in place of STUN).

use std::time::{Duration, Instant};

use crate::core::Core;
use crate::transaction::TransactionKey;

/// So many unanswered ones in a row, and the path is dead.
const MOST_UNANSWERED: u32 = 2;

/// Asks again and again whether the registrar is there.
#[derive(Debug)]
pub(super) struct KeepAlive {
    interval: Duration,
    next_at: Instant,
    asked: Option<TransactionKey>,
    unanswered: u32,
}

impl KeepAlive {
    pub fn new(core: &mut Core, now: Instant, interval: Duration) -> Self {
        Self { interval, next_at: next(core, now, interval), asked: None, unanswered: 0 }
    }

    pub fn next_at(&self) -> Instant {
        self.next_at
    }

    /// Any answer will do; whether this is one to what was asked.
    pub fn answered(&mut self, key: TransactionKey) -> bool {
        let is_answer = self.asked.take_if(|asked| *asked == key).is_some();
        if is_answer {
            self.unanswered = 0;
        }
        is_answer
    }

    /// The network refused it, or nobody answered.
    pub fn lost(&mut self, key: TransactionKey) {
        if self.asked.take_if(|asked| *asked == key).is_some() {
            self.unanswered += 1;
        }
    }

    /// The interval is over; what has not been answered by now will not be waited for.
    pub fn interval_over(&mut self, core: &mut Core, now: Instant) {
        if let Some(key) = self.asked.take() {
            self.unanswered += 1;
            core.abandon(now, key);
        }
        self.next_at = next(core, now, self.interval);
    }

    pub fn asked(&mut self, key: TransactionKey) {
        self.asked = Some(key);
    }

    pub fn is_dead(&self) -> bool {
        self.unanswered >= MOST_UNANSWERED
    }
}

/// RFC 5626 §4.4: between 80 % and 100 % of the interval, so that many clients do not come at once.
fn next(core: &mut Core, now: Instant, interval: Duration) -> Instant {
    now + core.random_between(interval * 4 / 5, interval)
}
