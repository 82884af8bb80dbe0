//! How periodic a sound is, as voices are.

use super::{dot, dot_and_energy};
use crate::FRAME_SAMPLES;

/// Samples at 4 kHz that are compared with their past: 32 ms.
const WINDOW: usize = 128;
/// Shortest period at 4 kHz: 400 Hz.
const MIN_LAG: usize = 10;
/// Longest period: 60 Hz.
const MAX_LAG: usize = 66;
const HISTORY: usize = WINDOW + MAX_LAG;
const NEW: usize = FRAME_SAMPLES / 2;

/// Normalised autocorrelation at half the rate, without what lies below 100 Hz.
#[derive(Debug)]
pub(super) struct Voicing {
    history: [f32; HISTORY],
    last: f32,
    high_passed: f32,
}

impl Voicing {
    pub fn new() -> Self {
        Self { history: [0.0; HISTORY], last: 0.0, high_passed: 0.0 }
    }

    pub fn hear(&mut self, samples: &[i16; FRAME_SAMPLES]) -> f32 {
        self.history.copy_within(NEW.., 0);
        for (slot, pair) in self.history[HISTORY - NEW..].iter_mut().zip(samples.chunks_exact(2)) {
            let mean = (f32::from(pair[0]) + f32::from(pair[1])) / 2.0;
            // One pole at 100 Hz: rumble is periodic at any lag.
            self.high_passed = 0.86 * (self.high_passed + mean - self.last);
            self.last = mean;
            *slot = self.high_passed;
        }
        let recent = &self.history[MAX_LAG..];
        let energy = dot(recent, recent);
        let mut best = 0.0f32;
        for lag in MIN_LAG..=MAX_LAG {
            let past = &self.history[MAX_LAG - lag..HISTORY - lag];
            let (product, past_energy) = dot_and_energy(recent, past);
            if product > 0.0 {
                best = best.max(product / (energy * past_energy).sqrt().max(1.0));
            }
        }
        best
    }
}
