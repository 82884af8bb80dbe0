//! Pure: no I/O, no clock.
//! What follows an attempt to tell a webhook of an event.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 2xx.
    Taken(u16),
    /// 410: nothing is wanted there any more.
    Gone,
    /// They answered that they do not take it: 3xx and 4xx. Others they may take.
    Refused(u16),
    /// No answer, or one that they can take nothing now: 5xx, 408, 425, 429.
    Ailing {
        /// What they answered.
        status: Option<u16>,
        /// How long they ask us to wait.
        retry_after: Option<Duration>,
        /// What went wrong, where they answered nothing.
        error: Option<String>,
    },
}

impl Outcome {
    /// What an answer means.
    pub(super) fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            200..=299 => Self::Taken(status),
            410 => Self::Gone,
            408 | 425 | 429 | 500.. => Self::Ailing { status: Some(status), retry_after, error: None },
            _ => Self::Refused(status),
        }
    }

    /// What they answered.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Taken(status) | Self::Refused(status) => Some(*status),
            Self::Gone => Some(410),
            Self::Ailing { status, .. } => *status,
        }
    }

    /// Why it was not taken, in words.
    pub(super) fn error(&self) -> Option<String> {
        match self {
            Self::Taken(_) => None,
            Self::Gone => Some("they answered 410: nothing is wanted there any more".to_owned()),
            Self::Refused(status @ 300..=399) => {
                Some(format!("they answered {status}: redirects are not followed; give the webhook its new url"))
            }
            Self::Refused(status) | Self::Ailing { status: Some(status), .. } => {
                Some(format!("they answered {status}"))
            }
            Self::Ailing { error, .. } => Some(error.clone().unwrap_or_else(|| "they did not answer".to_owned())),
        }
    }
}

/// From an attempt for one event to the next: those that Standard Webhooks proposes, of ten attempts in three days.
const WAITS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(14 * 3600),
    Duration::from_secs(20 * 3600),
    Duration::from_secs(24 * 3600),
];
/// No attempt for one event is made later than so long after the first.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(4 * 24 * 3600);
/// From an attempt to one that ails to the next, of whatever event.
const AILING_WAITS: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3600),
];
/// Longest wait that they may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Waits are longer by up to so many thousandths, so that those that failed together do not come together.
const JITTER: u64 = 200;
/// One that ails may ail because of an event: at every so many attempts in a row, that event is set aside.
const SET_ASIDE_EVERY: u32 = 5;

/// When an event that was not taken is sent again, or `None` when it is given up; `attempts` so far, the first of them
/// then. Any `random` number will do.
pub(super) fn next_attempt(attempts: u32, first: Timestamp, now: Timestamp, random: u64) -> Option<Timestamp> {
    let at = after(now, with_jitter(nth(&WAITS, attempts), random));
    (at.duration_since(first) <= signed(GIVEN_UP_AFTER)).then_some(at)
}

/// When one that ails is tried again, after so many attempts in a row.
pub(super) fn next_look(failures: u32, retry_after: Option<Duration>, now: Timestamp, random: u64) -> Timestamp {
    let wait = with_jitter(nth(&AILING_WAITS, failures), random);
    after(now, wait.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)))
}

/// Whether the event of this attempt, one of so many in a row that failed, is set aside, so that another is tried.
pub(super) fn is_set_aside(failures: u32) -> bool {
    failures.is_multiple_of(SET_ASIDE_EVERY)
}

fn nth(waits: &[Duration], attempts: u32) -> Duration {
    let n = (attempts.max(1) as usize - 1).min(waits.len() - 1);
    waits[n]
}

fn with_jitter(wait: Duration, random: u64) -> Duration {
    let more = u32::try_from(random % (JITTER + 1)).unwrap_or_default();
    wait + wait * more / 1000
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(signed(wait)).unwrap_or(Timestamp::MAX)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_sent_ten_times_in_three_days_and_given_up() {
        for (random, hours) in [(0, 75.58), (200, 90.7)] {
            let first: Timestamp = "2026-12-01T09:00:00Z".parse().unwrap();
            let (mut now, mut attempts) = (first, 1);
            while let Some(at) = next_attempt(attempts, first, now, random) {
                (now, attempts) = (at, attempts + 1);
            }
            let last = now.duration_since(first).as_secs_f64() / 3600.0;
            assert_eq!(attempts, 10);
            assert!((last - hours).abs() < 0.01, "{last} hours");
        }
    }

    #[test]
    fn one_that_ails_is_looked_at_ever_less_often_and_at_least_every_hour() {
        let now = Timestamp::UNIX_EPOCH;
        let seconds = |failures, retry_after: Option<u64>| {
            next_look(failures, retry_after.map(Duration::from_secs), now, 0).as_second()
        };
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 4000].map(|n| seconds(n, None)), [5, 30, 120, 600, 1800, 3600, 3600, 3600]);
        assert_eq!([Some(2), Some(60), Some(u64::MAX)].map(|wait| seconds(1, wait)), [5, 60, 24 * 3600]);
        assert_eq!(next_look(6, None, now, 200).as_second(), 4320);
        assert_eq!([1, 4, 5, 6, 10].map(is_set_aside), [false, false, true, false, true]);
    }

    #[test]
    fn each_answer_has_its_meaning() {
        let of = |status| Outcome::of_status(status, None);
        for status in [200, 202, 204, 299] {
            assert_eq!((of(status), of(status).error()), (Outcome::Taken(status), None));
        }
        for status in [301, 302, 307, 400, 401, 404, 413] {
            assert_eq!(of(status), Outcome::Refused(status));
        }
        for status in [408, 425, 429, 500, 503, 599] {
            assert!(matches!(of(status), Outcome::Ailing { status: Some(told), .. } if told == status), "{status}");
        }
        assert_eq!(of(410), Outcome::Gone);
        assert!(of(308).error().unwrap().contains("redirects are not followed"));
    }
}
