//! [`VoiceActivity`]: does somebody speak?
//!
//! Voices are periodic, which noise is not, and never hold their pitch, which tones and instruments do. A frame that is
//! loud enough and periodic counts for speech when its spectrum moves and against it when it stands still. Speech begins
//! when enough of the last half second speaks for it, and ends 200 ms after the last voiced frame.

use std::time::Duration;

use crate::FRAME_DURATION;
use crate::analysis::Analysis;

/// Frames of silence after which speech has ended: 200 ms.
const HANGOVER: u32 = 10;
/// Frames whose evidence is weighed: half a second.
const MEMORY: u32 = 25;
/// Frames in which the votes for speech must fall that begin it.
const RECENT: u32 = 6;
/// Votes that begin speech.
const VOTES: u32 = 3;
/// A frame held by a tone weighs so much against one of speech.
const TONE_WEIGHT: u32 = 2;
/// Below this nothing is speech.
const MIN_LEVEL: f32 = -48.0;
/// How far speech stands above the noise, in dB.
const OVER_FLOOR: f32 = 7.0;
/// How fast the noise floor may rise, in dB a frame: 5 dB a second.
const FLOOR_RISE: f32 = 0.1;
/// The floor is never thought lower.
const MIN_FLOOR: f32 = -70.0;
/// Voicing from which a frame is periodic.
const PERIODIC: f32 = 0.5;
/// The same while speech goes on.
const STILL_PERIODIC: f32 = 0.4;
/// Share of steady power from which a frame is a tone.
const STEADY: f32 = 0.75;
/// Share of power around one peak from which a frame may be a beating pair of tones: no vote either way.
const CONCENTRATED: f32 = 0.97;
/// Steady frames in a row that are a tone even while speech goes on.
const TONE_RUN: u32 = 6;

/// What a frame speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// Somebody speaks.
    Speech,
    /// A tone or a note sounds.
    Tone,
    /// Nothing, noise, or not to be told yet.
    Neither,
}

/// A change of activity; times are media times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Speech began at.
    Started(Duration),
    /// Speech ended at.
    Ended(Duration),
}

/// Hears frames; tells when speech begins and ends.
#[derive(Debug)]
pub struct VoiceActivity {
    floor: f32,
    speech_votes: u32,
    tone_votes: u32,
    steady_run: u32,
    /// Start of the first frame of the sound that is going on, and of the silence before it.
    onset: Option<Duration>,
    quiet: u32,
    speaking: Option<Speaking>,
    probability: f32,
    vote: Vote,
}

#[derive(Debug, Clone, Copy)]
struct Speaking {
    last_voiced_end: Duration,
    unvoiced: u32,
}

impl VoiceActivity {
    /// Has heard nothing yet.
    pub fn new() -> Self {
        Self {
            floor: MIN_FLOOR,
            speech_votes: 0,
            tone_votes: 0,
            steady_run: 0,
            onset: None,
            quiet: 0,
            speaking: None,
            probability: 0.0,
            vote: Vote::Neither,
        }
    }

    /// The probability of speech in the last frame, raw.
    pub fn probability(&self) -> f32 {
        self.probability
    }

    /// What the last frame spoke for.
    pub fn vote(&self) -> Vote {
        self.vote
    }

    /// Is somebody speaking, hangover included?
    pub fn is_speaking(&self) -> bool {
        self.speaking.is_some()
    }

    /// Weighs a frame that began `at`. `tone` is a veto: another detector knows that this is a tone.
    pub(crate) fn hear(&mut self, at: Duration, analysis: &Analysis, tone: bool) -> Option<Change> {
        let loud = self.is_loud(analysis.level);
        self.note_onset(at, loud);
        self.vote = if tone { Vote::Tone } else { self.judge(analysis, loud) };
        self.speech_votes = self.speech_votes << 1 | u32::from(self.vote == Vote::Speech);
        self.tone_votes = self.tone_votes << 1 | u32::from(self.vote == Vote::Tone);
        self.probability = self.estimate(analysis, loud);
        match &mut self.speaking {
            None => self.begin(at),
            Some(speaking) => {
                let voiced = loud
                    && analysis.voicing >= STILL_PERIODIC
                    && self.steady_run < TONE_RUN
                    && self.vote != Vote::Tone;
                if voiced {
                    *speaking = Speaking { last_voiced_end: at + FRAME_DURATION, unvoiced: 0 };
                    return None;
                }
                speaking.unvoiced += 1;
                let ended = (speaking.unvoiced >= HANGOVER).then_some(Change::Ended(speaking.last_voiced_end));
                if ended.is_some() {
                    self.speaking = None;
                    self.speech_votes = 0;
                }
                ended
            }
        }
    }

    fn begin(&mut self, at: Duration) -> Option<Change> {
        let recent = (self.speech_votes & ((1 << RECENT) - 1)).count_ones();
        let remembered = (1 << MEMORY) - 1;
        let (speech, tone) =
            ((self.speech_votes & remembered).count_ones(), (self.tone_votes & remembered).count_ones());
        if self.vote != Vote::Speech || recent < VOTES || speech < VOTES + TONE_WEIGHT * tone {
            return None;
        }
        self.speaking = Some(Speaking { last_voiced_end: at + FRAME_DURATION, unvoiced: 0 });
        // Sound that was there long before the voice is not part of it.
        let earliest = at.saturating_sub(FRAME_DURATION * RECENT);
        Some(Change::Started(self.onset.unwrap_or(at).max(earliest)))
    }

    fn judge(&mut self, analysis: &Analysis, loud: bool) -> Vote {
        let steady = loud && analysis.steady_for_20_ms >= STEADY;
        self.steady_run = if steady { self.steady_run + 1 } else { 0 };
        if steady && analysis.steady_for_40_ms >= STEADY {
            return Vote::Tone;
        }
        let voice = loud && !steady && analysis.voicing >= PERIODIC && analysis.concentration < CONCENTRATED;
        if voice { Vote::Speech } else { Vote::Neither }
    }

    fn estimate(&self, analysis: &Analysis, loud: bool) -> f32 {
        match self.vote {
            Vote::Speech => 0.6 + 0.4 * analysis.voicing.min(1.0),
            Vote::Tone if self.steady_run >= TONE_RUN || self.speaking.is_none() => 0.0,
            // A vowel may stand still for a moment.
            Vote::Tone => 0.5,
            Vote::Neither if !loud => 0.0,
            Vote::Neither => 0.4 * analysis.voicing.clamp(0.0, 1.0),
        }
    }

    fn is_loud(&mut self, level: f32) -> bool {
        let rise = if self.speaking.is_some() { FLOOR_RISE / 4.0 } else { FLOOR_RISE };
        self.floor = level.min(self.floor + rise).max(MIN_FLOOR);
        level >= MIN_LEVEL.max(self.floor + OVER_FLOOR)
    }

    fn note_onset(&mut self, at: Duration, loud: bool) {
        if loud {
            self.onset.get_or_insert(at);
            self.quiet = 0;
        } else {
            self.quiet += 1;
            if self.quiet >= 2 {
                self.onset = None;
            }
        }
    }
}

impl Default for VoiceActivity {
    fn default() -> Self {
        Self::new()
    }
}
