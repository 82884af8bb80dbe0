//! Pure: no I/O, no clock.
//!
//! [`Watchdog`]: ends the call whatever the conversation does. It stands outside of it, in the task
//! that runs it: first it asks for a polite end, then it hangs up, then it leaves.

use std::time::{Duration, Instant};

use crate::{AgentEnd, Limits};

/// For a goodbye, once asked.
const TO_SAY_GOODBYE: Duration = Duration::from_secs(25);
/// For signalling to end the call, once hung up.
const TO_HANG_UP: Duration = Duration::from_secs(40);
/// A call that is neither answered nor ended.
const UNANSWERED: Duration = Duration::from_secs(600);
/// An answered call in which nothing happens and nothing is waited for.
const NO_PROGRESS: Duration = Duration::from_secs(120);

/// What the watchdog wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Say goodbye and end.
    End(AgentEnd),
    /// Hang up now.
    HangUp,
    /// Return, whatever the line does.
    Leave,
}

/// The guard of one call.
#[derive(Debug, Clone)]
pub(crate) struct Watchdog {
    limits: Limits,
    began: Instant,
    answered: Option<Instant>,
    hold_since: Option<Instant>,
    progress: Instant,
    asked: Option<Instant>,
    hung_up: Option<Instant>,
}

impl Watchdog {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, began: now, answered: None, hold_since: None, progress: now, asked: None, hung_up: None }
    }

    pub(crate) fn answered(&mut self, now: Instant) {
        self.answered.get_or_insert(now);
        self.progress = now;
    }

    /// Anything but audio happened.
    pub(crate) fn progress(&mut self, now: Instant) {
        self.progress = now;
    }

    pub(crate) fn hold(&mut self, now: Instant, holding: bool) {
        match (holding, self.hold_since) {
            (true, None) => self.hold_since = Some(now),
            (false, Some(_)) => self.hold_since = None,
            _ => {}
        }
    }

    /// The conversation ended the call by itself.
    pub(crate) fn hung_up(&mut self, now: Instant) {
        self.hung_up.get_or_insert(now);
    }

    /// The next moment to check.
    pub(crate) fn deadline(&self) -> Instant {
        if let Some(at) = self.hung_up {
            return at + TO_HANG_UP;
        }
        if let Some(at) = self.asked {
            return at + TO_SAY_GOODBYE;
        }
        let Some(answered) = self.answered else { return self.began + UNANSWERED };
        let idle = if self.hold_since.is_none() {
            Some(self.progress + NO_PROGRESS.max(self.limits.silence * 2))
        } else {
            None
        };
        let hold = self.hold_since.map(|since| since + self.limits.hold);
        [Some(answered + self.limits.call), hold, idle].into_iter().flatten().min().unwrap_or(answered)
    }

    /// Is it time for something?
    pub(crate) fn check(&mut self, now: Instant) -> Option<Verdict> {
        if now < self.deadline() {
            return None;
        }
        if self.hung_up.is_some() {
            return Some(Verdict::Leave);
        }
        if self.asked.is_some() || self.answered.is_none() {
            self.hung_up = Some(now);
            return Some(Verdict::HangUp);
        }
        self.asked = Some(now);
        let over = self.answered.is_some_and(|answered| now >= answered + self.limits.call);
        let held = self.hold_since.is_some_and(|since| now >= since + self.limits.hold);
        Some(Verdict::End(if over || held { AgentEnd::TimeLimit } else { AgentEnd::Silence }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        call: Duration::from_secs(100),
        silence_nudges: 3,
        silence: Duration::from_secs(8),
        hold: Duration::from_secs(30),
        tool_calls: 50,
    };

    #[test]
    fn a_conversation_that_hangs_is_ended_in_three_steps() {
        let start = crate::testing::start();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut watchdog = Watchdog::new(LIMITS, start);
        watchdog.answered(at(5));
        watchdog.progress(at(90));
        assert_eq!(watchdog.check(at(104)), None);
        assert_eq!(watchdog.check(at(105)), Some(Verdict::End(AgentEnd::TimeLimit)));
        assert_eq!(watchdog.check(at(106)), None);
        assert_eq!(watchdog.check(at(130)), Some(Verdict::HangUp));
        assert_eq!(watchdog.check(at(131)), None);
        assert_eq!(watchdog.check(at(170)), Some(Verdict::Leave));
    }

    #[test]
    fn hold_has_a_limit_of_its_own() {
        let start = crate::testing::start();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut watchdog = Watchdog::new(LIMITS, start);
        watchdog.answered(start);
        watchdog.hold(at(10), true);
        watchdog.hold(at(20), true);
        assert_eq!(watchdog.check(at(39)), None);
        assert_eq!(watchdog.check(at(40)), Some(Verdict::End(AgentEnd::TimeLimit)));
    }
}
