//! DTMF by ear: [`Detector`].
//!
//! The limits are those of ITU-T Q.24: ±1.5 % and 40 ms accepted, 23 ms refused, twist +4/−8 dB, an interruption of
//! 10 ms ignored, a pause of 40 ms a new digit.
//!
//! Each of the eight frequencies is mixed down to zero and summed over 2.5 ms. Windows of 25 ms are made of ten such
//! sums, one every 2.5 ms. For the strongest row and column the true frequency is read from the advance of the phase
//! between two overlapping parts of the window; the window is then summed again at that frequency. So a tone 1.5 % off
//! loses nothing, and one 3 % off is known to be so. What share of the window's energy the two tones explain tells both
//! how pure they are and how much of the window they fill: hence how long they last.

use std::f32::consts::TAU;
use std::sync::LazyLock;
use std::time::Duration;

use super::Digit;
use super::digit::{HIGH_HERTZ, LOW_HERTZ};
use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// Samples in a step: 2.5 ms.
const STEP: usize = 20;
/// Steps in a window: 25 ms.
const WINDOW: usize = 10;
/// Steps in each of the two parts between which the phase is compared.
const PART: usize = 7;
/// Steps from one part to the other.
const LAG: usize = WINDOW - PART;
/// Frequency off by more than this is no digit (between ±1.5 % accepted and ±3.5 % refused).
const MAX_DEVIATION: f32 = 0.023;
/// The share of the window's energy that the tones must explain: full windows at 8 dB of noise, or 80 % filled ones.
const MIN_SHARE: f32 = 0.80;
/// Twist limits in power, a margin beyond −8 dB and +4 dB: high tone to low tone.
const MIN_TWIST: f32 = 0.11;
const MAX_TWIST: f32 = 3.6;
/// Mean square of the weaker tone below which nothing is a digit: −42 dBm0.
const MIN_POWER: f32 = 15_000.0;
/// Steps in which a digit must be seen: with the window, between 23 and 40 ms of tone.
const STEPS_TO_ACCEPT: u32 = 7;
/// Steps without the digit after which the same digit is a new one.
const STEPS_TO_RELEASE: u32 = 17;

/// Rows and columns.
const BANDS: usize = 8;

/// What all detectors share.
struct Tables {
    /// The oscillators of rows and columns over one step, from phase zero; a row a sample.
    cos: [[f32; BANDS]; STEP],
    sin: [[f32; BANDS]; STEP],
    /// Of each step in the window, and of all its samples together.
    weights: [f32; WINDOW],
    weight: f32,
    /// Of each step in a part.
    taper: [f32; PART],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let hertz = |band: usize| if band < 4 { LOW_HERTZ[band] } else { HIGH_HERTZ[band - 4] };
    let phase = |sample: usize, band: usize| -TAU * (hertz(band) * sample as f32 / SAMPLE_RATE as f32).fract();
    // A gentle taper: keeps row and column apart without forgetting the edges.
    let weights = std::array::from_fn(|n| 0.65 - 0.35 * (TAU * (n as f32 + 0.5) / WINDOW as f32).cos());
    Tables {
        cos: std::array::from_fn(|sample| std::array::from_fn(|band| phase(sample, band).cos())),
        sin: std::array::from_fn(|sample| std::array::from_fn(|band| phase(sample, band).sin())),
        weight: weights.iter().sum::<f32>() * STEP as f32,
        weights,
        taper: std::array::from_fn(|n| 0.5 - 0.5 * (TAU * (n as f32 + 0.5) / PART as f32).cos()),
    }
});

/// A complex number.
#[derive(Debug, Clone, Copy, Default)]
struct Complex {
    re: f32,
    im: f32,
}

impl Complex {
    fn turn(radians: f32) -> Self {
        let (im, re) = radians.sin_cos();
        Self { re, im }
    }

    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }

    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    fn scaled(self, factor: f32) -> Self {
        Self { re: self.re * factor, im: self.im * factor }
    }

    fn conjugate(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }

    fn angle(self) -> f32 {
        self.im.atan2(self.re)
    }
}

/// What of one frequency is in the line.
#[derive(Debug, Clone, Copy)]
struct Band {
    hertz: f32,
    /// Where the oscillator stands at the beginning of a step, and how far it turns in one.
    oscillator: Complex,
    turn: Complex,
    /// The latest steps, oldest first.
    steps: [Complex; WINDOW],
}

/// A tone found in a window.
#[derive(Debug, Clone, Copy)]
struct Found {
    index: usize,
    /// Mean square.
    power: f32,
    deviation: f32,
}

/// Hears digits in 20 ms frames; each is reported once.
#[derive(Debug)]
pub struct Detector {
    low: [Band; 4],
    high: [Band; 4],
    energies: [f32; WINDOW],
    candidate: Option<Digit>,
    seen: u32,
    /// The digit reported and not yet released, and the steps since it was last seen.
    reported: Option<(Digit, u32)>,
}

impl Detector {
    /// Has heard nothing yet.
    pub fn new() -> Self {
        Self {
            low: LOW_HERTZ.map(Band::new),
            high: HIGH_HERTZ.map(Band::new),
            energies: [0.0; WINDOW],
            candidate: None,
            seen: 0,
            reported: None,
        }
    }

    /// Hears a frame; gives a digit decided in it, and how far into the frame.
    pub fn hear(&mut self, samples: &[i16; FRAME_SAMPLES]) -> Option<(Digit, Duration)> {
        let mut decided = None;
        for (step, samples) in samples.chunks_exact(STEP).enumerate() {
            if let Some(digit) = self.step(samples) {
                let into = ((step + 1) * STEP) as u64 * 1_000_000 / u64::from(SAMPLE_RATE);
                decided = Some((digit, Duration::from_micros(into)));
            }
        }
        decided
    }

    /// Is a digit sounding now, or may one be?
    pub fn is_sounding(&self) -> bool {
        self.candidate.is_some()
    }

    fn step(&mut self, samples: &[i16]) -> Option<Digit> {
        let (mut energy, mut re, mut im) = (0.0, [0.0; BANDS], [0.0; BANDS]);
        for ((&sample, cos), sin) in samples.iter().zip(&TABLES.cos).zip(&TABLES.sin) {
            let sample = f32::from(sample);
            energy += sample * sample;
            for band in 0..BANDS {
                re[band] += sample * cos[band];
                im[band] += sample * sin[band];
            }
        }
        for (band, (re, im)) in self.low.iter_mut().chain(&mut self.high).zip(re.into_iter().zip(im)) {
            band.end_step(Complex { re, im });
        }
        self.energies.copy_within(1.., 0);
        self.energies[WINDOW - 1] = energy;
        let present = self.evaluate();
        self.debounce(present)
    }

    /// The digit that fills the window, if one does.
    fn evaluate(&self) -> Option<Digit> {
        let energy: f32 = self.energies.iter().zip(&TABLES.weights).map(|(e, w)| e * w).sum();
        let mean_square = energy / TABLES.weight;
        if mean_square < MIN_POWER {
            return None;
        }
        let low = strongest(&self.low)?;
        let high = strongest(&self.high)?;
        let twist = high.power / low.power.max(1.0);
        let valid = low.power.min(high.power) >= MIN_POWER
            && (MIN_TWIST..=MAX_TWIST).contains(&twist)
            && low.deviation.abs() <= MAX_DEVIATION
            && high.deviation.abs() <= MAX_DEVIATION
            && low.power + high.power >= MIN_SHARE * mean_square;
        valid.then(|| Digit::at(low.index, high.index))
    }

    fn debounce(&mut self, present: Option<Digit>) -> Option<Digit> {
        if let Some((digit, missing)) = &mut self.reported {
            *missing = if present == Some(*digit) { 0 } else { *missing + 1 };
            if *missing >= STEPS_TO_RELEASE {
                self.reported = None;
            }
        }
        if present.is_none() || present != self.candidate {
            self.candidate = present;
            self.seen = 0;
        }
        let digit = self.candidate?;
        self.seen += 1;
        if self.seen < STEPS_TO_ACCEPT || self.reported.is_some_and(|(reported, _)| reported == digit) {
            return None;
        }
        self.reported = Some((digit, 0));
        Some(digit)
    }
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Band {
    fn new(hertz: f32) -> Self {
        Self {
            hertz,
            oscillator: Complex { re: 1.0, im: 0.0 },
            turn: Complex::turn(-TAU * (hertz * STEP as f32 / SAMPLE_RATE as f32).fract()),
            steps: [Complex::default(); WINDOW],
        }
    }

    /// Takes a step mixed down by an oscillator that began at phase zero.
    fn end_step(&mut self, sum: Complex) {
        self.steps.copy_within(1.., 0);
        self.steps[WINDOW - 1] = sum.times(self.oscillator);
        self.oscillator = self.oscillator.times(self.turn);
        // Rounding must not let the oscillator grow or shrink over hours.
        self.oscillator = self.oscillator.scaled(1.5 - 0.5 * self.oscillator.power());
    }

    /// How far the phase runs ahead of the nominal frequency in one step.
    fn drift(&self) -> f32 {
        let part = |from: usize| {
            let tapered = self.steps[from..].iter().zip(&TABLES.taper).map(|(step, taper)| step.scaled(*taper));
            tapered.fold(Complex::default(), Complex::add)
        };
        part(LAG).times(part(0).conjugate()).angle() / LAG as f32
    }

    /// Power at the nominal frequency, to compare bands by.
    fn power(&self) -> f32 {
        let weighted = self.steps.iter().zip(&TABLES.weights).map(|(step, weight)| step.scaled(*weight));
        weighted.fold(Complex::default(), Complex::add).power()
    }

    /// Amplitude of the tone whose phase drifts so, from the whole window.
    fn amplitude(&self, drift: f32) -> f32 {
        let back = Complex::turn(-drift);
        let mut turn = Complex { re: 1.0, im: 0.0 };
        let mut sum = Complex::default();
        for (step, weight) in self.steps.iter().zip(&TABLES.weights) {
            sum = sum.add(step.times(turn).scaled(*weight));
            turn = turn.times(back);
        }
        // Within a step the phase drifts too: undo that loss.
        let half = drift / 2.0;
        let loss = if half.abs() < 1e-4 { 1.0 } else { half.sin() / half };
        2.0 * sum.power().sqrt() / TABLES.weight / loss
    }
}

fn strongest(bands: &[Band; 4]) -> Option<Found> {
    let powers = bands.each_ref().map(Band::power);
    let (index, band) = bands.iter().enumerate().max_by(|(a, _), (b, _)| powers[*a].total_cmp(&powers[*b]))?;
    let drift = band.drift();
    let amplitude = band.amplitude(drift);
    let off = drift / TAU * SAMPLE_RATE as f32 / STEP as f32;
    Some(Found { index, power: amplitude * amplitude / 2.0, deviation: off / band.hertz })
}

#[cfg(test)]
mod tests;
