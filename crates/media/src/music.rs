//! [`MusicDetector`]: music on hold.
//!
//! Music is tones without the pauses of syllables: over two seconds sound never stops for long, much of it stands still,
//! and what stands still changes from note to note (which a dial tone does not).

use std::time::Duration;

use crate::analysis::{Analysis, Peak};
use crate::vad::Vote;

/// Frames looked at: two seconds.
const WINDOW: u32 = 100;
/// Frames that must sound, of those.
const MIN_SOUNDING: u32 = 88;
/// Frames that must be held by tones.
const MIN_TONAL: u32 = 35;
/// Changes of note that make a melody.
const MIN_CHANGES: u32 = 3;
/// Frames that may speak for speech.
const MAX_SPEECH: u32 = 45;
/// Frames sounding among the window below which music has ended.
const END_SOUNDING: u32 = 60;
/// Frames held by tones below which music has ended.
const END_TONAL: u32 = 15;
/// Quieter than this is silence.
const MIN_LEVEL: f32 = -50.0;
/// Quieter than the recent peak by so much is a pause.
const PAUSE: f32 = 22.0;
/// How fast the recent peak is forgotten, in dB a frame.
const PEAK_FALL: f32 = 0.1;
/// Another note: the strongest peak moved by more than a third of a semitone.
const NOTE_CHANGE: f32 = 0.02;

/// A change; times are media times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Music began at.
    Started(Duration),
    /// Music ended at.
    Ended(Duration),
}

/// Hears frames; tells when music begins and ends.
#[derive(Debug, Default)]
pub struct MusicDetector {
    sounding: u128,
    tonal: u128,
    speech: u128,
    changes: u128,
    heard: u32,
    note: f32,
    loudest: f32,
    playing: bool,
    last_tonal: Duration,
}

impl MusicDetector {
    /// Has heard nothing yet.
    pub fn new() -> Self {
        Self { loudest: MIN_LEVEL, ..Self::default() }
    }

    /// Is music playing?
    pub fn is_playing(&self) -> bool {
        self.playing
    }

    /// Weighs a frame that began `at`, with the vote of voice activity. `network`: it may be a tone of the network, whose
    /// beats are no melody.
    pub(crate) fn hear(&mut self, at: Duration, analysis: &Analysis, vote: Vote, network: bool) -> Option<Change> {
        self.loudest = analysis.level.max(self.loudest - PEAK_FALL).max(MIN_LEVEL);
        let sounding = analysis.level > MIN_LEVEL.max(self.loudest - PAUSE);
        let tonal = sounding && vote == Vote::Tone;
        let changed = tonal && !network && self.note_changed(&analysis.peaks[0]);
        push(&mut self.sounding, sounding);
        push(&mut self.tonal, tonal);
        push(&mut self.speech, vote == Vote::Speech);
        push(&mut self.changes, changed);
        self.heard = (self.heard + 1).min(WINDOW);
        if tonal {
            self.last_tonal = at + crate::FRAME_DURATION;
        }
        if self.playing {
            let over = count(self.sounding) < END_SOUNDING || count(self.tonal) < END_TONAL;
            self.playing = !over;
            return over.then_some(Change::Ended(self.last_tonal));
        }
        let music = self.heard == WINDOW
            && count(self.sounding) >= MIN_SOUNDING
            && count(self.tonal) >= MIN_TONAL
            && count(self.changes) >= MIN_CHANGES
            && count(self.speech) <= MAX_SPEECH;
        self.playing = music;
        music.then(|| Change::Started((at + crate::FRAME_DURATION).saturating_sub(crate::FRAME_DURATION * WINDOW)))
    }

    fn note_changed(&mut self, peak: &Peak) -> bool {
        let changed = (peak.hertz - self.note).abs() > self.note * NOTE_CHANGE;
        self.note = peak.hertz;
        changed
    }
}

fn push(bits: &mut u128, bit: bool) {
    *bits = *bits << 1 | u128::from(bit);
}

fn count(bits: u128) -> u32 {
    (bits & ((1 << WINDOW) - 1)).count_ones()
}
