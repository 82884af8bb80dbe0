//! [`Slack`]: how early packets have been coming, and the latest moment to play that almost none of them misses.

/// Packets remembered: ten seconds.
const WINDOW: usize = 512;
/// Of so many packets one may be late.
const ONE_LATE_IN: usize = 128;
/// Packets that may be late when there are few: one alone is no trend.
const ALWAYS_SPARED: usize = 1;
/// The most that may be late, and the next one, which must not.
const MOST_SPARED: usize = WINDOW / ONE_LATE_IN + 1;
/// Packets after which the target is reckoned anew.
const RECKON_EVERY: u32 = 50;
/// No packet waits longer than this: 220 ms in samples, a frame below the longest wait.
const MAX_SPREAD: i16 = 220 * 8;
/// So far slack may move from where it began: two seconds in samples.
const MAX_DRIFT: i64 = 2 * 8000;

/// Slack is the timestamp of a packet less the timestamp of the frames taken when it came: a position that was ahead of the
/// frames taken by no more would have had it in time.
#[derive(Debug)]
pub(super) struct Slack {
    /// Relative to `origin`.
    window: Box<[i16; WINDOW]>,
    origin: i64,
    len: usize,
    next: usize,
    unreckoned: u32,
    target: Option<i64>,
}

impl Slack {
    pub fn new() -> Self {
        Self { window: Box::new([0; WINDOW]), origin: 0, len: 0, next: 0, unreckoned: 0, target: None }
    }

    /// Takes note of a packet.
    pub fn note(&mut self, slack: i64) {
        if self.len == 0 {
            self.origin = slack;
        }
        if (slack - self.origin).abs() > MAX_DRIFT {
            self.move_origin(slack);
        }
        // Timestamps that jump further than this restart the buffer.
        self.window[self.next] = narrowed(slack - self.origin);
        self.next = (self.next + 1) % WINDOW;
        self.len = (self.len + 1).min(WINDOW);
        self.unreckoned += 1;
        if self.unreckoned >= RECKON_EVERY || self.target.is_none_or(|target| slack < target) {
            self.reckon();
        }
    }

    /// How far ahead of the frames taken the position may be; `None` before enough is known.
    pub fn target(&self) -> Option<i64> {
        self.target
    }

    /// Packets remembered.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Begins anew.
    pub fn forget(&mut self) {
        self.len = 0;
        self.next = 0;
        self.unreckoned = 0;
        self.target = None;
    }

    /// Clocks that drift for hours take what is remembered with them.
    fn move_origin(&mut self, origin: i64) {
        let change = origin - self.origin;
        self.window.iter_mut().for_each(|slack| *slack = narrowed(i64::from(*slack) - change));
        self.origin = origin;
    }

    fn reckon(&mut self) {
        self.unreckoned = 0;
        let spared = (self.len / ONE_LATE_IN).max(ALWAYS_SPARED);
        if self.len <= spared {
            return;
        }
        // The least of all, in order.
        let mut least = [i16::MAX; MOST_SPARED];
        let least = &mut least[..=spared];
        let mut most = i16::MIN;
        for slack in &self.window[..self.len] {
            most = most.max(*slack);
            if *slack < least[spared] {
                let place = least.partition_point(|other| other <= slack);
                least[place..].rotate_right(1);
                least[place] = *slack;
            }
        }
        self.target = Some(self.origin + i64::from(least[spared].max(most.saturating_sub(MAX_SPREAD))));
    }
}

fn narrowed(slack: i64) -> i16 {
    slack.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(slacks: impl IntoIterator<Item = i64>) -> Option<i64> {
        let mut slack = Slack::new();
        slacks.into_iter().for_each(|packet| slack.note(packet));
        slack.reckon();
        slack.target()
    }

    #[test]
    fn one_packet_in_128_may_be_late_and_one_alone_is_no_trend() {
        assert_eq!(target([1000]), None);
        assert_eq!(target([1000, 200]), Some(1000));
        assert_eq!(target([1000, 200, 300]), Some(300));
        let lossy = |late: i64| (0..512).map(move |n| if n % 100 < late { 10 * n } else { 10_000 });
        assert_eq!(target(lossy(0)), Some(10_000));
        assert_eq!(target((0..512).map(|n| if n < 4 { 9_900 } else { 10_000 })), Some(10_000));
        assert_eq!(target((0..512).map(|n| if n < 5 { 9_900 } else { 10_000 })), Some(9_900));
    }

    #[test]
    fn clocks_may_drift_for_hours() {
        assert_eq!(target(0..200_000), Some(199_999 - 511 + 4));
        assert_eq!(target((0..200_000).map(|n| -n)), Some(-199_999 + 4));
    }

    #[test]
    fn only_the_last_ten_seconds_count_and_no_wait_is_longer_than_the_bound() {
        assert_eq!(target((0..1024).map(|n| if n < 500 { 1000 } else { 2000 })), Some(2000));
        assert_eq!(target((0..512).map(|n| if n < 50 { 0 } else { 10_000 })), Some(10_000 - i64::from(MAX_SPREAD)));
    }
}
