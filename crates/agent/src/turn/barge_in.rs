//! Pure: no I/O, no clock.
//!
//! [`BargeIn`]: they speak while we do. A cough and "mm-hm" pass; a sentence stops us.

use std::time::{Duration, Instant};

use super::backchannel::is_backchannel;
use crate::text::words;

/// Speech shorter than this does not interrupt.
const MIN_INTERRUPTION: Duration = Duration::from_millis(300);
/// How long "yes", "okay" … may go on before it counts as a sentence.
const MAX_BACKCHANNEL: Duration = Duration::from_millis(1_200);
/// A message left after a beep is not stopped by less than this, and only by words.
const MIN_INTERRUPTION_OF_MESSAGE: Duration = Duration::from_millis(900);

/// Their speech over ours.
#[derive(Debug, Clone, Default)]
pub(crate) enum BargeIn {
    #[default]
    Quiet,
    /// They have spoken over us since `since`.
    Speaking { since: Instant, interim: String, message: bool },
}

impl BargeIn {
    /// They began to speak while we were sounding.
    pub(crate) fn speech_started(&mut self, now: Instant, message: bool) {
        if matches!(self, Self::Quiet) {
            *self = Self::Speaking { since: now, interim: String::new(), message };
        }
    }

    pub(crate) fn speech_ended(&mut self) {
        *self = Self::Quiet;
    }

    /// What it seems to be so far.
    pub(crate) fn interim(&mut self, text: &str) {
        if let Self::Speaking { interim, .. } = self {
            text.clone_into(interim);
        }
    }

    /// When it will have lasted long enough to count.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Quiet => None,
            Self::Speaking { since, interim, message } => {
                let words = words(interim);
                let wait = if is_backchannel(&words) {
                    MAX_BACKCHANNEL
                } else if *message && words.is_empty() {
                    return None;
                } else if *message {
                    MIN_INTERRUPTION_OF_MESSAGE
                } else {
                    MIN_INTERRUPTION
                };
                Some(*since + wait)
            }
        }
    }

    /// Must we stop?
    pub(crate) fn interrupts(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|at| now >= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(interim: &str, message: bool, spoken_ms: u64, expected: bool) {
        let start = crate::testing::start();
        let mut barge_in = BargeIn::default();
        barge_in.speech_started(start, message);
        barge_in.interim(interim);
        assert_eq!(
            barge_in.interrupts(start + Duration::from_millis(spoken_ms)),
            expected,
            "{interim:?} for {spoken_ms} ms"
        );
    }

    #[test]
    fn a_cough_does_not_stop_the_agent_but_a_sentence_does() {
        check("", false, 180, false);
        check("", false, 300, true);
        check("stop", false, 400, true);
    }

    #[test]
    fn a_hum_does_not_stop_the_agent() {
        check("okay", false, 700, false);
        check("yes yes", false, 1_300, true);
    }

    #[test]
    fn a_message_is_left_whole_unless_somebody_talks() {
        check("", true, 5_000, false);
        check("hello this is anna", true, 1_000, true);
    }
}
