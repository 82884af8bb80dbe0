//! [`HoldMusic`]: something to wait to.

use std::f32::consts::TAU;

use super::amplitude;
use crate::SAMPLE_RATE;

/// Chords as semitones above A2 (110 Hz): A minor, F, C, G, and a turn.
const CHORDS: [[u8; 4]; 8] = [
    [12, 15, 19, 24],
    [8, 12, 15, 20],
    [15, 19, 22, 27],
    [10, 14, 17, 22],
    [12, 15, 19, 24],
    [5, 8, 12, 17],
    [8, 12, 15, 20],
    [7, 11, 14, 19],
];
/// Order in which the notes of a chord are plucked.
const PATTERN: [usize; 8] = [0, 2, 1, 3, 2, 1, 3, 2];
/// Samples of a plucked note: 260 ms.
const NOTE: usize = SAMPLE_RATE as usize * 26 / 100;
/// Strengths of the harmonics of a plucked string.
const HARMONICS: [f32; 5] = [1.0, 0.5, 0.33, 0.2, 0.12];
/// Mean level.
const LEVEL_DBM0: f32 = -20.0;

/// An arpeggio over sustained chords, with harmonics, decay and swell. The same every time.
#[derive(Debug, Clone, Default)]
pub struct HoldMusic {
    position: usize,
}

impl HoldMusic {
    /// From the beginning.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next samples; it never ends.
    pub fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            *sample = (self.sample() * amplitude(LEVEL_DBM0)) as i16;
            self.position += 1;
        }
    }

    fn sample(&self) -> f32 {
        let note = self.position / NOTE;
        let chord = CHORDS[note / PATTERN.len() % CHORDS.len()];
        let since = (self.position % NOTE) as f32 / SAMPLE_RATE as f32;
        let time = (self.position % (NOTE * PATTERN.len())) as f32 / SAMPLE_RATE as f32;
        let attack = (since * 100.0).min(1.0);
        let pluck = attack * (-since * 5.0).exp();
        let hertz = |semitone: u8| 110.0 * 2f32.powf(f32::from(semitone) / 12.0);
        let plucked = 2.0 * hertz(chord[PATTERN[note % PATTERN.len()]]);
        let melody: f32 =
            HARMONICS.iter().zip(1..).map(|(strength, n)| strength * (TAU * plucked * n as f32 * since).sin()).sum();
        let swell = 0.75 + 0.25 * (TAU * 0.4 * time).sin();
        let edge = (time * 50.0).min(1.0);
        let pad: f32 = chord[..3].iter().map(|semitone| (TAU * 2.0 * hertz(*semitone) * time).sin()).sum();
        1.2 * pluck * melody + 0.35 * swell * edge * pad
    }
}
