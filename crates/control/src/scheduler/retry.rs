//! Pure: no I/O, no clock.
//! [`Retry`]: whether a call that has ended is made again, and when.
//!
//! Nobody who answered is called again unless the rule says so. A call that a crash left in doubt (`interrupted`) was
//! perhaps made: it is made again only with `interrupted`.

use std::time::Duration;

/// Ends of calls that nobody answered, which a rule may name.
pub(crate) const UNANSWERED: [&str; 4] = ["busy", "no_answer", "failed", "rejected"];
/// Ends of calls that somebody or something answered, which a rule may name.
pub(crate) const ANSWERED: [&str; 6] =
    ["voicemail", "message_left", "fax", "callee_hung_up", "silence", "media_timeout"];
/// What a refusal may say and still be worth another try; the others want something changed first.
const PASSING: [&str; 4] = ["busy", "unavailable", "target", "declined"];

/// When somebody is called again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Retry {
    /// Calls to one recipient, the first included.
    pub(crate) max_attempts: u32,
    /// From the end of the first call to the second; doubled with each call after it.
    pub(crate) backoff: Duration,
    /// Longest wait.
    pub(crate) max_backoff: Duration,
    /// After which ends: of [`UNANSWERED`] and [`ANSWERED`].
    pub(crate) on: Vec<String>,
    /// Also when we do not know what became of the call.
    pub(crate) interrupted: bool,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End<'a> {
    /// `end_reason` of the API.
    pub(crate) reason: &'a str,
    /// Somebody answered.
    pub(crate) answered: bool,
    /// It left its queue.
    pub(crate) dialed: bool,
    /// What a refusal says of the next try.
    pub(crate) disposition: Option<&'a str>,
    /// How long they ask us to wait.
    pub(crate) retry_after: Option<Duration>,
}

/// What follows the end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// They were reached: there is no more to do.
    Reached,
    /// They were not, and are not called again.
    GivenUp,
    /// They are called again so long after the end.
    Again(Duration),
}

impl Retry {
    /// What follows the end of the call of this number, counted from 1.
    pub(crate) fn next(&self, attempt: u32, end: &End<'_>) -> Next {
        let gone = if end.answered { Next::Reached } else { Next::GivenUp };
        match end.reason {
            // The service stopped before anything was sent: nobody has noticed.
            "shutdown" if !end.dialed => return Next::Again(Duration::ZERO),
            "shutdown" | "interrupted" if end.answered || !self.interrupted => return gone,
            "shutdown" | "interrupted" => {}
            reason if !self.names(reason, end.answered) => return gone,
            _ => {}
        }
        if attempt >= self.max_attempts || end.disposition.is_some_and(|said| !PASSING.contains(&said)) {
            return gone;
        }
        Next::Again(self.wait(attempt).max(end.retry_after.unwrap_or_default()))
    }

    /// A reason counts only for what it was named for: `failed` is no reason to call somebody again who answered.
    fn names(&self, reason: &str, answered: bool) -> bool {
        let kind: &[&str] = if answered { &ANSWERED } else { &UNANSWERED };
        kind.contains(&reason) && self.on.iter().any(|named| named == reason)
    }

    fn wait(&self, attempt: u32) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.saturating_sub(1));
        self.backoff.saturating_mul(factor).min(self.max_backoff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn each_wait_is_twice_the_one_before_up_to_the_longest() {
        let retry = Retry { max_attempts: 100, ..rule() };
        let wait = |attempt| retry.next(attempt, &end("busy"));
        let minutes = |n: u32| Next::Again(MINUTE * n);
        assert_eq!([1, 2, 3, 4, 5].map(wait), [5, 10, 20, 30, 30].map(minutes));
        assert_eq!(wait(99), minutes(30));
        assert_eq!(wait(100), Next::GivenUp);
        assert_eq!(Retry { max_attempts: 1, ..rule() }.next(1, &end("busy")), Next::GivenUp);
    }

    #[test]
    fn only_named_ends_are_tried_again() {
        for (reason, next) in [
            ("busy", Next::Again(5 * MINUTE)),
            ("no_answer", Next::Again(5 * MINUTE)),
            ("failed", Next::Again(5 * MINUTE)),
            ("rejected", Next::GivenUp),
            ("canceled", Next::GivenUp),
            ("time_limit", Next::GivenUp),
            ("interrupted", Next::GivenUp),
            ("shutdown", Next::GivenUp),
        ] {
            assert_eq!(rule().next(1, &end(reason)), next, "{reason}");
        }
    }

    #[test]
    fn nobody_who_answered_is_called_again_unless_that_is_said() {
        for reason in
            ["completed", "callee_hung_up", "voicemail", "failed", "media_timeout", "do_not_call", "interrupted"]
        {
            let all = Retry { interrupted: true, ..rule() };
            assert_eq!(all.next(1, &answered(reason)), Next::Reached, "{reason}");
        }
        let voicemail = Retry { on: vec!["voicemail".to_owned()], ..rule() };
        assert_eq!(voicemail.next(1, &answered("voicemail")), Next::Again(5 * MINUTE));
        assert_eq!(voicemail.next(3, &answered("voicemail")), Next::Reached);
    }

    #[test]
    fn what_is_in_doubt_is_made_again_only_where_that_is_said() {
        let doubtful = Retry { interrupted: true, on: Vec::new(), ..rule() };
        assert_eq!(doubtful.next(1, &end("interrupted")), Next::Again(5 * MINUTE));
        assert_eq!(doubtful.next(1, &end("shutdown")), Next::Again(5 * MINUTE));
        assert_eq!(doubtful.next(3, &end("interrupted")), Next::GivenUp);
        assert_eq!(rule().next(1, &end("interrupted")), Next::GivenUp);
    }

    #[test]
    fn a_call_that_waited_in_vain_for_its_line_when_the_service_stopped_is_made_at_once() {
        let waiting = End { dialed: false, ..end("shutdown") };
        assert_eq!(rule().next(3, &waiting), Next::Again(Duration::ZERO));
    }

    #[test]
    fn a_refusal_that_will_not_pass_is_believed_and_a_wait_that_is_asked_for_is_kept() {
        let said = |disposition| End { disposition: Some(disposition), ..end("failed") };
        for lasting in ["number", "credentials", "configuration", "media", "extension", "redirected"] {
            assert_eq!(rule().next(1, &said(lasting)), Next::GivenUp, "{lasting}");
        }
        let later = End { retry_after: Some(7 * MINUTE), ..said("unavailable") };
        assert_eq!(rule().next(1, &later), Next::Again(7 * MINUTE));
        assert_eq!(rule().next(2, &later), Next::Again(10 * MINUTE));
    }

    fn rule() -> Retry {
        Retry {
            max_attempts: 3,
            backoff: 5 * MINUTE,
            max_backoff: 30 * MINUTE,
            on: ["busy", "no_answer", "failed"].map(str::to_owned).to_vec(),
            interrupted: false,
        }
    }

    fn end(reason: &str) -> End<'_> {
        End { reason, answered: false, dialed: true, disposition: None, retry_after: None }
    }

    fn answered(reason: &str) -> End<'_> {
        End { answered: true, ..end(reason) }
    }
}
