//! Sound made: sines, digits, the tones of national networks, music on hold.

mod cadence;
mod hold_music;

use std::f32::consts::TAU;
use std::time::Duration;

use crate::SAMPLE_RATE;
use crate::dtmf::Digit;

pub use cadence::{COUNTRIES, CadencePlayer, Country, Part, cadence};
pub use hold_music::HoldMusic;

/// Amplitude of a sine at 0 dBm0: G.711's full scale is +3.17 dBm0 (µ-law).
pub const DBM0_AMPLITUDE: f32 = 22_304.0;
/// Level of the lower tone of a digit.
const DTMF_LOW_DBM0: f32 = -10.0;
/// Level of the higher one, raised because lines attenuate it more.
const DTMF_HIGH_DBM0: f32 = -8.0;
/// Samples over which a digit's tones swell and die away: 2.5 ms.
const RAMP: usize = SAMPLE_RATE as usize / 400;

/// Amplitude of a sine of so many dBm0.
pub fn amplitude(dbm0: f32) -> f32 {
    DBM0_AMPLITUDE * 10f32.powf(dbm0 / 20.0)
}

/// A sine without end and without jumps of phase.
#[derive(Debug, Clone, Copy)]
pub struct Sine {
    phase: f32,
    step: f32,
    amplitude: f32,
}

impl Sine {
    /// A sine of `hertz` at `dbm0`.
    pub fn new(hertz: f32, dbm0: f32) -> Self {
        Self { phase: 0.0, step: hertz / SAMPLE_RATE as f32, amplitude: amplitude(dbm0) }
    }

    /// The next sample.
    pub fn next_sample(&mut self) -> f32 {
        let sample = self.amplitude * (TAU * self.phase).sin();
        self.phase = (self.phase + self.step).fract();
        sample
    }
}

/// One digit as tones, then silence.
#[derive(Debug, Clone, Copy)]
pub struct DtmfTone {
    low: Sine,
    high: Sine,
    position: usize,
    len: usize,
}

impl DtmfTone {
    /// A digit of this length.
    pub fn new(digit: Digit, duration: Duration) -> Self {
        let (low, high) = digit.hertz();
        let len = duration.as_micros() as usize * SAMPLE_RATE as usize / 1_000_000;
        Self { low: Sine::new(low, DTMF_LOW_DBM0), high: Sine::new(high, DTMF_HIGH_DBM0), position: 0, len }
    }

    /// The next samples.
    pub fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            let left = self.len.saturating_sub(self.position);
            let ramp = (self.position + 1).min(left).min(RAMP) as f32 / RAMP as f32;
            *sample = ((self.low.next_sample() + self.high.next_sample()) * ramp) as i16;
            self.position = self.position.saturating_add(1);
        }
    }
}
