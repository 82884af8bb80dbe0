//! Pure: no I/O, no clock.
//!
//! Where the time of a turn went: from their last sound to our first.

use std::time::{Duration, Instant};

use media::UtteranceId;

use crate::TurnLatency;

/// The moments of the turn in progress.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LatencyMarks {
    speech_ended: Option<Instant>,
    finish: Option<Instant>,
    recognised: Option<Instant>,
    /// The decision answers a turn, not a silence.
    answers_turn: bool,
    ordered: Option<(UtteranceId, Instant)>,
    first_audio: Option<Instant>,
}

impl LatencyMarks {
    pub(super) fn turn_ended(&mut self, speech_ended: Instant, now: Instant) {
        *self = Self { speech_ended: Some(speech_ended), finish: Some(now), ..Self::default() };
    }

    pub(super) fn recognised(&mut self, now: Instant) {
        self.recognised = Some(now);
    }

    pub(super) fn deciding(&mut self, answers_turn: bool) {
        self.answers_turn = answers_turn;
    }

    pub(super) fn ordered(&mut self, utterance: UtteranceId, now: Instant) {
        if self.ordered.is_none() {
            self.ordered = Some((utterance, now));
        }
    }

    pub(super) fn first_audio(&mut self, utterance: UtteranceId, now: Instant) {
        if self.ordered.is_some_and(|(ordered, _)| ordered == utterance) {
            self.first_audio.get_or_insert(now);
        }
    }

    /// Our first sound left: the turn's figures, if it answers one.
    pub(super) fn started(
        &mut self,
        utterance: UtteranceId,
        at: Instant,
        answered: Option<Instant>,
    ) -> Option<TurnLatency> {
        let (ordered, ordered_at) = self.ordered?;
        if ordered != utterance || !self.answers_turn {
            return None;
        }
        let (speech_ended, finish, recognised) = (self.speech_ended?, self.finish?, self.recognised?);
        let first_audio = self.first_audio.unwrap_or(at).min(at);
        *self = Self::default();
        let ms =
            |from: Instant, to: Instant| (to.saturating_duration_since(from).as_secs_f64() * 10_000.0).round() / 10.0;
        Some(TurnLatency {
            at_ms: u64::try_from(
                answered.map_or(Duration::ZERO, |answered| at.saturating_duration_since(answered)).as_millis(),
            )
            .unwrap_or(0),
            response_ms: ms(speech_ended, at),
            endpoint_ms: ms(speech_ended, finish),
            stt_ms: ms(finish, recognised),
            llm_ms: ms(recognised, ordered_at),
            tts_ms: ms(ordered_at, first_audio),
            gateway_ms: ms(first_audio, at),
        })
    }
}
