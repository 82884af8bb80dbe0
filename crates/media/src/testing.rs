//! Signals for tests: bursts of tones, noise, something like speech; bytes as text.

use std::f32::consts::TAU;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::codec::Codec;
use crate::tones::amplitude;
use crate::{AudioFrame, FRAME_SAMPLES, SAMPLE_RATE};

/// A signal being put together.
#[derive(Clone, Default)]
pub(crate) struct Signal(pub Vec<f32>);

/// A seeded source of numbers.
pub(crate) struct Dice(ChaCha12Rng);

impl Dice {
    pub fn new(seed: u8) -> Self {
        Self(ChaCha12Rng::from_seed([seed; 32]))
    }

    /// Between 0 and 1.
    pub fn uniform(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// Normally distributed, near enough.
    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}

impl Signal {
    pub fn silence(mut self, ms: f32) -> Self {
        self.0.extend(std::iter::repeat_n(0.0, samples(ms)));
        self
    }

    /// Appends sines of (hertz, dBm0) with random phases.
    pub fn tones(mut self, ms: f32, tones: &[(f32, f32)], dice: &mut Dice) -> Self {
        let start = self.0.len();
        self = self.silence(ms);
        for &(hertz, dbm0) in tones {
            let phase = dice.uniform();
            for (n, sample) in self.0[start..].iter_mut().enumerate() {
                *sample += amplitude(dbm0) * (TAU * (phase + hertz * n as f32 / SAMPLE_RATE as f32)).sin();
            }
        }
        self
    }

    /// Something like speech of so many ms at an active level: a glottal pulse train that glides, through three formants
    /// that move, in syllables with pauses between phrases, and hisses between some of them.
    pub fn speech(mut self, ms: f32, dbm0: f32, dice: &mut Dice) -> Self {
        let end = self.0.len() + samples(ms);
        let mut voice = Voice::new(dice);
        let mut syllables = 0;
        let mut begun = false;
        while self.0.len() < end {
            if syllables == 0 {
                syllables = 3 + (dice.uniform() * 8.0) as u32;
                self = if begun { self.silence(dice.range(250.0, 700.0)) } else { self };
                begun = true;
                voice.begin_phrase(dice);
            }
            syllables -= 1;
            let mut sound = voice.syllable(dice);
            let power = sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32;
            let gain = amplitude(dbm0 + dice.range(-3.0, 3.0)) / 2f32.sqrt() / power.sqrt().max(1e-9);
            sound.iter_mut().for_each(|s| *s *= gain);
            self.0.extend(sound);
        }
        self.0.truncate(end);
        self
    }

    pub fn then(mut self, other: &[f32]) -> Self {
        self.0.extend_from_slice(other);
        self
    }

    /// Adds white noise of a mean level (dBm0 of a sine of the same power).
    pub fn noise(mut self, dbm0: f32, dice: &mut Dice) -> Self {
        let rms = amplitude(dbm0) / 2f32.sqrt();
        for sample in &mut self.0 {
            *sample += rms * dice.normal();
        }
        self
    }

    /// As it comes out of a µ-law line, in frames.
    pub fn frames(&self) -> Vec<AudioFrame> {
        let mut pcm: Vec<i16> = self.0.iter().map(|s| s.clamp(-32768.0, 32767.0) as i16).collect();
        pcm.resize(pcm.len().next_multiple_of(FRAME_SAMPLES), 0);
        let mut bytes = vec![0; pcm.len()];
        Codec::Pcmu.encode(&pcm, &mut bytes);
        Codec::Pcmu.decode(&bytes, &mut pcm);
        let frames = pcm.chunks_exact(FRAME_SAMPLES).enumerate();
        frames
            .map(|(n, samples)| AudioFrame {
                at: crate::FRAME_DURATION * n as u32,
                samples: samples.try_into().expect("a frame's length"),
            })
            .collect()
    }

    pub fn len_ms(&self) -> f32 {
        self.0.len() as f32 * 1000.0 / SAMPLE_RATE as f32
    }
}

/// A moment from which simulated time runs.
#[expect(clippy::disallowed_methods, reason = "an `Instant` cannot be made from nothing; only differences are used")]
pub(crate) fn any_instant() -> std::time::Instant {
    std::time::Instant::now()
}

/// Bytes written as hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn samples(ms: f32) -> usize {
    (ms * SAMPLE_RATE as f32 / 1000.0).round() as usize
}

/// A synthetic speaker.
struct Voice {
    pitch: f32,
    phase: f32,
    formants: [(f32, f32); 3],
    states: [[f32; 2]; 3],
}

impl Voice {
    fn new(dice: &mut Dice) -> Self {
        let formants = [(500.0, 80.0), (1500.0, 120.0), (2500.0, 180.0)];
        Self { pitch: dice.range(90.0, 220.0), phase: 0.0, formants, states: [[0.0; 2]; 3] }
    }

    fn begin_phrase(&mut self, dice: &mut Dice) {
        self.pitch = (self.pitch * dice.range(0.9, 1.25)).clamp(85.0, 260.0);
    }

    /// A consonant of noise or silence, then a vowel.
    fn syllable(&mut self, dice: &mut Dice) -> Vec<f32> {
        let mut sound = Vec::new();
        let hiss = dice.range(20.0, 90.0);
        let loudness = if dice.uniform() < 0.5 { 0.12 } else { 0.0 };
        let mut last = 0.0;
        for n in 0..samples(hiss) {
            let noise = dice.normal();
            let swell = (std::f32::consts::PI * n as f32 / samples(hiss) as f32).sin();
            sound.push((noise - 0.8 * last) * loudness * swell);
            last = noise;
        }
        let start = sound.len();
        let vowel = samples(dice.range(90.0, 220.0));
        let target = [dice.range(280.0, 800.0), dice.range(900.0, 2200.0), dice.range(2300.0, 2900.0)];
        let glide = dice.range(-0.25, 0.15);
        let from = self.formants;
        for n in 0..vowel {
            let t = n as f32 / vowel as f32;
            let pitch = self.pitch * (1.0 + glide * t) * (1.0 + 0.01 * dice.normal());
            self.phase += pitch / SAMPLE_RATE as f32;
            let mut pulse = 0.02 * dice.normal();
            if self.phase >= 1.0 {
                self.phase -= 1.0;
                pulse += 1.0;
            }
            let mut out = pulse;
            for (k, (hertz, bandwidth)) in from.iter().enumerate() {
                let hertz = hertz + (target[k] - hertz) * (2.0 * t).min(1.0);
                let r = (-std::f32::consts::PI * bandwidth / SAMPLE_RATE as f32).exp();
                let [y1, y2] = self.states[k];
                let y = out + 2.0 * r * (TAU * hertz / SAMPLE_RATE as f32).cos() * y1 - r * r * y2;
                self.states[k] = [y, y1];
                out = y * (1.0 - r);
            }
            let envelope = (t * 8.0).min(1.0) * ((1.0 - t) * 5.0).min(1.0);
            sound.push(out * envelope);
        }
        let voiced = &mut sound[start..];
        let rms = (voiced.iter().map(|s| s * s).sum::<f32>() / vowel as f32).sqrt().max(1e-9);
        voiced.iter_mut().for_each(|s| *s /= rms);
        for (formant, target) in self.formants.iter_mut().zip(target) {
            formant.0 = target;
        }
        self.pitch = (self.pitch * (1.0 + 0.5 * glide)).clamp(85.0, 260.0);
        sound
    }
}
