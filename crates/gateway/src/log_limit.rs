//! Pure: no I/O, no clock.
//!
//! [`LogLimit`]: what others can bring about at will fills no log.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// From one line of a class to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// What others can bring about at will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Somebody whom no trunk allows.
    Stranger,
    /// Too many requests.
    OverLimit,
    /// A message that cannot be used.
    Discarded,
    /// A connection that was not taken, or none that could be.
    Declined,
    /// A connection that ended, its handshake too.
    Closed,
    /// A call for which there is no port, thread or file.
    NoRoom,
}

/// One line of each class a second, with the count of those left out before it.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    lines: BTreeMap<Class, Line>,
}

#[derive(Debug)]
struct Line {
    next_at: Instant,
    left_out: u64,
}

impl LogLimit {
    /// How many lines were left out before this one; `None` if it is to be left out itself.
    pub(crate) fn admit(&mut self, now: Instant, class: Class) -> Option<u64> {
        let line = self.lines.entry(class).or_insert(Line { next_at: now, left_out: 0 });
        if now < line.next_at {
            line.left_out += 1;
            return None;
        }
        line.next_at = now + INTERVAL;
        Some(std::mem::take(&mut line.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_one_line_a_second_with_the_count_of_those_left_out() {
        let start = Instant::now();
        let mut limit = LogLimit::default();
        let mut line = |ms, class| limit.admit(start + Duration::from_millis(ms), class);
        assert_eq!(line(0, Class::Stranger), Some(0));
        assert_eq!((1..=999).filter_map(|ms| line(ms, Class::Stranger)).count(), 0);
        assert_eq!(line(999, Class::OverLimit), Some(0), "of another class");
        assert_eq!(line(1000, Class::Stranger), Some(999));
        assert_eq!(line(5000, Class::Stranger), Some(0));
    }
}
