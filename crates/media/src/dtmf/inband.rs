//! DTMF by ear: [`Detector`].
//!
//! The limits are those of ITU-T Q.24: ±1.5 % and 40 ms accepted, 23 ms refused, twist +4/−8 dB, an interruption of
//! 10 ms ignored, a pause of 40 ms a new digit.
//!
//! Each of the eight frequencies is mixed down to zero and summed over 2.5 ms. Windows of 25 ms are made of ten such
//! sums, one every 2.5 ms. For the strongest row and column the true frequency is read from the advance of the phase
//! between two overlapping parts of the window; the window is then summed again at that frequency. So a tone 1.5 % off
//! loses nothing, and one 3 % off is known to be so. What share of the window's energy the two tones explain tells both
//! how pure they are and how much of the window they fill: hence how long they last. A digit that only lost frames
//! interrupt is known by the phases of its tones, which go on meanwhile.

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
/// The share of the window's energy that the tones must explain: full windows at 2 dB of noise, or 63 % filled ones.
const MIN_SHARE: f32 = 0.63;
/// The share that they must have at their nominal frequencies before more is asked: with the greatest deviation and twist
/// 13 % is left there.
const MIN_NOMINAL_SHARE: f32 = 0.10;
/// The share from which the tones are alone: full windows at 11 dB of noise, or 92 % filled ones.
const ALONE: f32 = 0.92;
/// Twist limits in power, a margin beyond −8 dB and +4 dB: high tone to low tone.
const MIN_TWIST: f32 = 0.11;
const MAX_TWIST: f32 = 3.6;
/// Mean square of the weaker tone below which nothing is a digit: −42 dBm0.
const MIN_POWER: f32 = 15_000.0;
/// Both tones are in place at most so far off: voices do not stay there for long.
const IN_PLACE: f32 = 0.007;
/// Twist from which on they may be: −3.5 dB. In voices the low tone is much the stronger one.
const MIN_TWIST_IN_PLACE: f32 = 0.45;
/// What a step is worth in which the tones have at least such a share; when they are in place, and when not.
const WORTH_IN_PLACE: [(f32, u32); 2] = [(0.70, 6), (MIN_SHARE, 3)];
const WORTH: [(f32, u32); 3] = [(0.95, 6), (0.85, 4), (0.70, 1)];
/// What the steps of a digit must be worth together: 28 ms of tones in place, 33 of others without noise.
const WORTH_TO_ACCEPT: u32 = 33;
/// A digit is decided while it sounds: the energy that the latest steps must have, of the tones'.
const LATEST: usize = 3;
const STILL_SOUNDING: f32 = 0.82;
/// Steps without the digit after which the same digit is a new one.
const STEPS_TO_RELEASE: u32 = 12;
/// A step with less than this of the digit's energy is a pause in it.
const PAUSED: f32 = 0.1;
/// Steps after which a digit's phases are forgotten: 100 ms.
const STEPS_TO_FORGET: u32 = 40;
/// Radians by which its tones may then be ahead or behind: a new digit begins anywhere.
const SAME_PHASE: f32 = 0.2;

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
    /// Mean square.
    power: f32,
    deviation: f32,
    /// Points where its phase is at the window's beginning, ahead of the nominal frequency, and how many radians it gains a
    /// step.
    phase: Complex,
    drift: f32,
}

/// A digit that fills the window.
#[derive(Debug, Clone, Copy)]
struct Present {
    digit: Digit,
    tones: [Found; 2],
    /// The share of the window's energy that is theirs.
    share: f32,
    still_sounding: bool,
}

/// A digit that was reported, and what would be the same key again.
#[derive(Debug, Clone, Copy)]
struct Reported {
    digit: Digit,
    /// Steps since it was last seen.
    missing: u32,
    /// Its tones when they were last heard alone, and the steps since.
    tones: [Found; 2],
    age: u32,
    /// What interrupted it since then are frames that never came, of which silence was made.
    only_lost: bool,
}

/// Hears digits in 20 ms frames; each is reported once.
#[derive(Debug)]
pub struct Detector {
    low: [Band; 4],
    high: [Band; 4],
    energies: [f32; WINDOW],
    candidate: Option<Digit>,
    /// What its steps are worth so far.
    worth: u32,
    reported: Option<Reported>,
    /// The last sample, and whether all of its frame were like it.
    last: i16,
    was_level: bool,
}

impl Detector {
    /// Has heard nothing yet.
    pub fn new() -> Self {
        Self {
            low: LOW_HERTZ.map(Band::new),
            high: HIGH_HERTZ.map(Band::new),
            energies: [0.0; WINDOW],
            candidate: None,
            worth: 0,
            reported: None,
            last: 0,
            was_level: true,
        }
    }

    /// Hears a frame; gives a digit decided in it, and how far into the frame.
    pub fn hear(&mut self, samples: &[i16; FRAME_SAMPLES]) -> Option<(Digit, Duration)> {
        let mut decided = None;
        let is_level = self.note_loss(samples);
        for (step, samples) in samples.chunks_exact(STEP).enumerate() {
            if let Some(digit) = self.step(samples, is_level) {
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

    /// Whether all samples are the same: so are those of a frame that never came, and no sound touches its edges gently.
    fn note_loss(&mut self, samples: &[i16; FRAME_SAMPLES]) -> bool {
        let is_level = samples.iter().all(|sample| *sample == samples[0]);
        let faded = is_level != self.was_level && samples[0] == self.last;
        if let Some(reported) = self.reported.as_mut().filter(|_| faded) {
            reported.only_lost = false;
        }
        (self.last, self.was_level) = (samples[FRAME_SAMPLES - 1], is_level);
        is_level
    }

    fn step(&mut self, samples: &[i16], is_level: bool) -> Option<Digit> {
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
        if let Some(reported) = self.reported.as_mut().filter(|_| !is_level) {
            reported.only_lost &= energy >= PAUSED * reported.power() * STEP as f32;
        }
        let present = self.evaluate();
        self.debounce(present)
    }

    /// The digit that fills the window, if one does.
    fn evaluate(&self) -> Option<Present> {
        let energy: f32 = self.energies.iter().zip(&TABLES.weights).map(|(e, w)| e * w).sum();
        let mean_square = energy / TABLES.weight;
        if mean_square < MIN_POWER {
            return None;
        }
        let (row, low) = strongest(&self.low);
        let (column, high) = strongest(&self.high);
        if low + high < MIN_NOMINAL_SHARE * mean_square {
            return None;
        }
        let (low, high) = (self.low[row].measure(), self.high[column].measure());
        let (power, twist) = (low.power + high.power, high.power / low.power.max(1.0));
        let valid = low.power.min(high.power) >= MIN_POWER
            && (MIN_TWIST..=MAX_TWIST).contains(&twist)
            && low.deviation.abs() <= MAX_DEVIATION
            && high.deviation.abs() <= MAX_DEVIATION
            && power >= MIN_SHARE * mean_square;
        let latest: f32 = self.energies[WINDOW - LATEST..].iter().sum();
        valid.then(|| Present {
            digit: Digit::at(row, column),
            tones: [
                self.low[row].without(&self.high[column]).measure(),
                self.high[column].without(&self.low[row]).measure(),
            ],
            share: power / mean_square,
            still_sounding: latest >= STILL_SOUNDING * power * (LATEST * STEP) as f32,
        })
    }

    fn debounce(&mut self, present: Option<Present>) -> Option<Digit> {
        if let Some(reported) = &mut self.reported {
            reported.note(present);
        }
        let digit = present.map(|present| present.digit);
        if digit.is_none() || digit != self.candidate {
            self.candidate = digit;
            self.worth = 0;
        }
        let present = present?;
        self.worth = self.worth.saturating_add(present.worth());
        let is_known = |reported: &Reported| reported.digit == present.digit && reported.is_held();
        if self.worth < WORTH_TO_ACCEPT || !present.still_sounding || self.reported.as_ref().is_some_and(is_known) {
            return None;
        }
        let goes_on = self.reported.is_some_and(|reported| reported.goes_on_in(&present));
        self.reported =
            Some(Reported { digit: present.digit, missing: 0, tones: present.tones, age: 0, only_lost: true });
        (!goes_on).then_some(present.digit)
    }
}

impl Present {
    fn worth(&self) -> u32 {
        let worth =
            |table: &[(f32, u32)]| table.iter().find(|(least, _)| self.share >= *least).map_or(0, |(_, worth)| *worth);
        if self.is_in_place() { worth(&WORTH_IN_PLACE) } else { worth(&WORTH) }
    }

    fn is_in_place(&self) -> bool {
        let [low, high] = &self.tones;
        low.deviation.abs().max(high.deviation.abs()) <= IN_PLACE && high.power >= MIN_TWIST_IN_PLACE * low.power
    }
}

impl Reported {
    /// A step later.
    fn note(&mut self, present: Option<Present>) {
        self.age = self.age.saturating_add(1);
        let same = present.filter(|present| present.digit == self.digit);
        if !self.is_held() {
            return;
        }
        self.missing = if same.is_some() { 0 } else { self.missing + 1 };
        if let Some(present) = same.filter(|present| present.share >= ALONE && present.still_sounding) {
            (self.tones, self.age, self.only_lost) = (present.tones, 0, true);
        }
    }

    /// Is it not yet released?
    fn is_held(&self) -> bool {
        self.missing < STEPS_TO_RELEASE
    }

    /// Did lost frames alone make it seem released? Then its tones go on as though nothing had been.
    fn goes_on_in(&self, present: &Present) -> bool {
        let in_phase = |(before, after): (&Found, &Found)| {
            let expected = f32::midpoint(before.drift, after.drift) * self.age as f32;
            let ahead = after.phase.times(before.phase.conjugate()).angle() - expected;
            (ahead - TAU * (ahead / TAU).round()).abs() <= SAME_PHASE
        };
        self.digit == present.digit
            && self.only_lost
            && self.age <= STEPS_TO_FORGET
            && self.tones.iter().zip(&present.tones).all(in_phase)
    }

    /// Mean square of both tones.
    fn power(&self) -> f32 {
        self.tones.iter().map(|tone| tone.power).sum()
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

    /// The same without what the tone of another band leaves in its sums, and the mirror images of both: 2.5 ms do not keep
    /// them apart.
    fn without(&self, other: &Self) -> Self {
        let mut alone = *self;
        let (oscillator, turn) = (other.oscillator.conjugate(), other.turn.conjugate());
        alone.subtract(&other.steps, oscillator, turn, other.hertz);
        alone.subtract(&other.steps.map(Complex::conjugate), other.oscillator, other.turn, -other.hertz);
        alone.subtract(&self.steps.map(Complex::conjugate), self.oscillator, self.turn, -self.hertz);
        alone
    }

    /// Subtracts what a tone of `hertz` leaves whose own sums these are; `turn` is its turn in a step.
    fn subtract(&mut self, sums: &[Complex; WINDOW], oscillator: Complex, turn: Complex, hertz: f32) {
        let half = TAU / 2.0 * (hertz - self.hertz) / SAMPLE_RATE as f32;
        let samples = STEP as f32;
        let left = Complex::turn(half * (samples - 1.0)).scaled((half * samples).sin() / (samples * half.sin()));
        let back = self.turn.times(turn).conjugate();
        let mut apart = self.oscillator.times(oscillator).times(left);
        for (step, sum) in self.steps.iter_mut().zip(sums).rev() {
            apart = apart.times(back);
            *step = step.add(sum.times(apart).scaled(-1.0));
        }
    }

    /// How far the phase runs ahead of the nominal frequency in one step.
    fn drift(&self) -> f32 {
        let part = |from: usize| {
            let tapered = self.steps[from..].iter().zip(&TABLES.taper).map(|(step, taper)| step.scaled(*taper));
            tapered.fold(Complex::default(), Complex::add)
        };
        part(LAG).times(part(0).conjugate()).angle() / LAG as f32
    }

    /// Mean square at the nominal frequency, to compare bands by.
    fn nominal_power(&self) -> f32 {
        let weighted = self.steps.iter().zip(&TABLES.weights).map(|(step, weight)| step.scaled(*weight));
        let sum = weighted.fold(Complex::default(), Complex::add);
        2.0 * sum.power() / (TABLES.weight * TABLES.weight)
    }

    /// The tone at its true frequency.
    fn measure(&self) -> Found {
        let drift = self.drift();
        let off = drift / TAU * SAMPLE_RATE as f32 / STEP as f32;
        let sum = self.sum(drift);
        // Within a step the phase drifts too: undo that loss.
        let half = drift / 2.0;
        let loss = if half.abs() < 1e-4 { 1.0 } else { half.sin() / half };
        let amplitude = 2.0 * sum.power().sqrt() / TABLES.weight / loss;
        Found { power: amplitude * amplitude / 2.0, deviation: off / self.hertz, phase: sum, drift }
    }

    /// The whole window, turned back by the drift.
    fn sum(&self, drift: f32) -> Complex {
        let back = Complex::turn(-drift);
        let mut turn = Complex { re: 1.0, im: 0.0 };
        let mut sum = Complex::default();
        for (step, weight) in self.steps.iter().zip(&TABLES.weights) {
            sum = sum.add(step.times(turn).scaled(*weight));
            turn = turn.times(back);
        }
        sum
    }
}

/// Which of the bands is the strongest, and its mean square at the nominal frequency.
fn strongest(bands: &[Band; 4]) -> (usize, f32) {
    let powers = bands.each_ref().map(Band::nominal_power);
    let index = (1..4).fold(0, |best, n| if powers[n] > powers[best] { n } else { best });
    (index, powers[index])
}

#[cfg(test)]
mod tests;
