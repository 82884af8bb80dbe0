//! Pure: no I/O, no clock.
//!
//! [`Playback`]: what we are saying, and how much of it the far end has really heard.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use media::UtteranceId;

/// A speaking rate for utterances whose length is not known yet.
const MILLIS_PER_CHARACTER: u64 = 65;

/// One thing of ours, from the order to the last packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Utterance {
    pub(crate) id: UtteranceId,
    pub(crate) text: String,
    pub(crate) started: Option<Instant>,
    /// How long all of it is; known when it was synthesised.
    length: Option<Duration>,
}

/// What was heard of an utterance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeardOfUs {
    pub(crate) id: UtteranceId,
    pub(crate) text: String,
    pub(crate) started: Instant,
    pub(crate) finished: bool,
}

/// All that is queued or sounding.
#[derive(Debug, Clone, Default)]
pub(crate) struct Playback {
    queue: VecDeque<Utterance>,
    last_id: u32,
}

impl Playback {
    /// Orders a new utterance.
    pub(crate) fn push(&mut self, text: String) -> UtteranceId {
        self.last_id += 1;
        let id = UtteranceId(self.last_id);
        self.queue.push_back(Utterance { id, text, started: None, length: None });
        id
    }

    /// Nothing is queued and nothing sounds.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many are queued or sound.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The newest utterance: flushing it flushes all.
    pub(crate) fn newest(&self) -> Option<UtteranceId> {
        self.queue.back().map(|utterance| utterance.id)
    }

    pub(crate) fn started(&mut self, id: UtteranceId, at: Instant) {
        if let Some(utterance) = self.queue.iter_mut().find(|utterance| utterance.id == id) {
            utterance.started.get_or_insert(at);
        }
    }

    pub(crate) fn synthesised(&mut self, id: UtteranceId, length: Duration) {
        if let Some(utterance) = self.queue.iter_mut().find(|utterance| utterance.id == id) {
            utterance.length = Some(length);
        }
    }

    /// An utterance ended: what was heard of it, cut to what was played.
    pub(crate) fn played(&mut self, id: UtteranceId, duration: Duration, finished: bool) -> Option<HeardOfUs> {
        let at = self.queue.iter().position(|utterance| utterance.id == id)?;
        let utterance = self.queue.remove(at)?;
        let text = if finished { utterance.text } else { cut(&utterance.text, duration, utterance.length) };
        Some(HeardOfUs { id, text, started: utterance.started?, finished })
    }

    /// Forgets an utterance that never sounded.
    pub(crate) fn drop_unstarted(&mut self) {
        self.queue.retain(|utterance| utterance.started.is_some());
    }
}

/// The words that fit into what was played, by proportion.
fn cut(text: &str, played: Duration, length: Option<Duration>) -> String {
    let estimate = Duration::from_millis(MILLIS_PER_CHARACTER * text.chars().count() as u64);
    let length = length.unwrap_or(estimate).max(Duration::from_millis(1));
    let share = (played.as_secs_f64() / length.as_secs_f64()).clamp(0.0, 1.0);
    let characters = text.chars().count() as f64 * share;
    let mut kept = String::new();
    for word in text.split_whitespace() {
        // A word counts when more than half of it was played.
        if (kept.chars().count() + word.chars().count() / 2 + 1) as f64 > characters {
            break;
        }
        if !kept.is_empty() {
            kept.push(' ');
        }
        kept.push_str(word);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_sentence_is_cut_to_the_words_that_were_played() {
        let text = "I would like to book an appointment on Tuesday";
        let cut_at = |millis| cut(text, Duration::from_millis(millis), Some(Duration::from_secs(4)));
        assert_eq!(cut_at(0), "");
        assert_eq!(cut_at(1000), "I would like");
        assert_eq!(cut_at(2000), "I would like to book an");
        assert_eq!(cut_at(4000), text);
    }

    #[test]
    fn what_never_sounded_was_never_said() {
        let mut playback = Playback::default();
        let id = playback.push("Hello.".to_owned());
        assert_eq!(playback.played(id, Duration::ZERO, false), None);
        assert!(playback.is_idle());
    }
}
