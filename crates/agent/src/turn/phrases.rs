//! Pure: no I/O, no clock.
//!
//! [`Phrases`]: their turn, recognised phrase by phrase. A short stretch is recognised sooner than a
//! long one, and a pause is where one option of a menu ends.

use std::time::{Duration, Instant};

/// A pause this long ends a phrase.
pub(crate) const PHRASE_PAUSE: Duration = Duration::from_millis(300);
/// A phrase that has lasted this long ends at the first pause, however short.
const LONG_PHRASE: Duration = Duration::from_secs(4);
/// A recogniser that was told to finish answers within this, or its answer is no longer wanted.
const FINAL_WAIT: Duration = Duration::from_secs(6);
/// Characters of a turn; the oldest are dropped.
const MAX_TEXT: usize = 2_000;

/// The phrases of a turn that goes on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Phrases {
    /// Since when there has been speech that no final covers.
    open: Option<Instant>,
    /// Finals that are on their way.
    owed: u32,
    /// Finals of a turn that was acted on without them.
    unwanted: u32,
    /// The turn cannot be acted on before the finals are here, or it is this late.
    waiting: Option<Instant>,
    text: String,
    start_ms: Option<u64>,
    end_ms: u64,
}

/// A turn as it was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recognised {
    pub(crate) text: String,
    pub(crate) start_ms: u64,
    pub(crate) end_ms: u64,
}

impl Phrases {
    /// They began to speak, or go on.
    pub(crate) fn speech_started(&mut self, now: Instant) {
        self.open.get_or_insert(now);
        self.waiting = None;
    }

    /// Is there speech that the recogniser was not told to finish?
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Has the present phrase gone on for long?
    pub(crate) fn is_long(&self, now: Instant) -> bool {
        self.open.is_some_and(|since| now.saturating_duration_since(since) >= LONG_PHRASE)
    }

    /// The recogniser was told to finish the present phrase; another follows at once if they are `speaking`.
    pub(crate) fn finish(&mut self, now: Instant, speaking: bool) {
        self.open = speaking.then_some(now);
        self.owed += 1;
    }

    /// A final came. False when it belongs to a turn that is over.
    pub(crate) fn heard(&mut self, text: &str, start_ms: u64, end_ms: u64) -> bool {
        if self.unwanted > 0 {
            self.unwanted -= 1;
            return false;
        }
        self.owed = self.owed.saturating_sub(1);
        let text = text.trim();
        if !text.is_empty() {
            self.start_ms.get_or_insert(start_ms);
            self.end_ms = end_ms;
            self.append(text);
        }
        true
    }

    /// Words that were already heard and not acted on, before all others.
    pub(crate) fn put_back(&mut self, text: &str) {
        let later = std::mem::take(&mut self.text);
        self.append(text);
        if !later.is_empty() {
            self.append(&later);
        }
    }

    fn append(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push_str(", ");
        }
        self.text.push_str(text);
        if self.text.len() > MAX_TEXT {
            let cut = self.text.ceil_char_boundary(self.text.len() - MAX_TEXT);
            self.text.drain(..cut);
        }
    }

    /// What is known of the turn so far.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Have all phrases been recognised?
    pub(crate) fn is_settled(&self) -> bool {
        self.owed == 0 && self.open.is_none()
    }

    /// The turn seems to be over, and its last final is awaited.
    pub(crate) fn wait(&mut self, now: Instant) {
        self.waiting.get_or_insert(now + FINAL_WAIT);
    }

    /// When waiting ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting
    }

    pub(crate) fn stop_waiting(&mut self) {
        self.waiting = None;
    }

    /// The turn is over: its words, and an end to finals that are still on their way.
    pub(crate) fn take(&mut self, now_ms: u64) -> Recognised {
        self.unwanted += std::mem::take(&mut self.owed);
        self.waiting = None;
        Recognised {
            text: std::mem::take(&mut self.text),
            start_ms: self.start_ms.take().unwrap_or(now_ms),
            end_ms: self.end_ms,
        }
    }

    /// The recogniser is gone: nothing more will come of it.
    pub(crate) fn fail(&mut self) {
        self.owed = 0;
        self.unwanted = 0;
        self.open = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_put_together_in_order_and_a_late_one_is_dropped() {
        let start = crate::testing::start();
        let mut phrases = Phrases::default();
        phrases.speech_started(start);
        phrases.finish(start + Duration::from_secs(2), false);
        phrases.speech_started(start + Duration::from_secs(3));
        phrases.finish(start + Duration::from_secs(5), false);
        assert!(phrases.heard("press one for sales", 100, 2_000));
        assert!(!phrases.is_settled());
        assert!(phrases.heard(" press two for support ", 3_000, 5_000));
        assert!(phrases.is_settled());
        let turn = phrases.take(9_000);
        assert_eq!(
            (turn.text.as_str(), turn.start_ms, turn.end_ms),
            ("press one for sales, press two for support", 100, 5_000)
        );

        phrases.speech_started(start + Duration::from_secs(6));
        phrases.finish(start + Duration::from_secs(7), false);
        assert_eq!(phrases.take(13_000).text, "");
        assert!(!phrases.heard("too late", 6_000, 7_000));
        assert_eq!(phrases.text(), "");
    }

    #[test]
    fn a_long_phrase_is_known() {
        let start = crate::testing::start();
        let mut phrases = Phrases::default();
        assert!(!phrases.is_long(start));
        phrases.speech_started(start);
        assert!(!phrases.is_long(start + Duration::from_secs(3)));
        assert!(phrases.is_long(start + Duration::from_secs(4)));
    }
}
