//! Speech-shaped noise.

use std::f32::consts::PI;

use media::{FRAME_SAMPLES, SAMPLE_RATE};
use tokio::sync::mpsc;

use super::script::{Script, Utterance};
use crate::{Error, Speech, TextToSpeech, words};

/// Samples in a piece: 100 ms.
const PIECE: usize = 800;
/// Longest text, in words.
const MAX_WORDS: usize = 400;
/// Frames of silence between words: 40 ms.
const GAP: usize = 2;

/// Makes a sound whose length depends on the text and whose course tells it from every other.
#[derive(Debug, Clone)]
pub struct ScriptedTts {
    script: Script,
}

impl ScriptedTts {
    /// Notes what it says in `script`.
    pub fn new(script: Script) -> Self {
        Self { script }
    }
}

impl TextToSpeech for ScriptedTts {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn speak(&self, text: &str, _voice: Option<&str>) -> Result<Speech, Error> {
        let spoken = words::spoken(text);
        let mut sound = Sound::seeded(text, self.script.said().len() as u64);
        let mut timed = Vec::new();
        for word in spoken.split_whitespace().take(MAX_WORDS) {
            sound.say(word);
            timed.push((word.to_owned(), sound.course.len()));
            sound.pause();
        }
        let Sound { samples, course, .. } = sound;
        self.script.add(text, Utterance { words: timed, course });
        // Room for all of it: the sound is made already, so no task is needed.
        let (sender, audio) = mpsc::channel(samples.len().div_ceil(PIECE).max(1));
        for piece in samples.chunks(PIECE) {
            let _ = sender.try_send(Ok(piece.to_vec()));
        }
        Ok(Speech { audio })
    }
}

/// A voice of pulses through two resonances, which a speech detector takes for speech.
struct Sound {
    random: u64,
    phase: f32,
    samples: Vec<i16>,
    course: Vec<f32>,
}

impl Sound {
    fn seeded(text: &str, count: u64) -> Self {
        // FNV-1a.
        let seed = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64 ^ count, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { random: seed, phase: 0.0, samples: Vec::new(), course: Vec::new() }
    }

    /// About 65 ms a letter: a syllable of a random loudness, pitch and colour for every two letters.
    fn say(&mut self, word: &str) {
        for _ in 0..word.len().div_ceil(2) {
            let level = 1500.0 + 7000.0 * self.next();
            let pitch = 95.0 + 60.0 * self.next();
            let colours = [350.0 + 450.0 * self.next(), 1000.0 + 1200.0 * self.next()];
            let frames = 4 + (5.0 * self.next()) as usize;
            let syllable = self.syllable(frames * FRAME_SAMPLES, level, pitch, colours);
            for frame in syllable.chunks(FRAME_SAMPLES) {
                self.course.push(loudness(frame));
            }
            self.samples.extend(syllable);
        }
    }

    fn pause(&mut self) {
        self.samples.resize(self.samples.len() + GAP * FRAME_SAMPLES, 0);
        self.course.resize(self.course.len() + GAP, 0.0);
    }

    fn syllable(&mut self, length: usize, level: f32, pitch: f32, colours: [f32; 2]) -> Vec<i16> {
        let rate = SAMPLE_RATE as f32;
        let mut resonances = colours.map(|frequency| Resonance::new(frequency, rate));
        let raw: Vec<f32> = (0..length)
            .map(|index| {
                self.phase += pitch / rate;
                let pulse = if self.phase >= 1.0 { 1.0 } else { 0.0 };
                self.phase -= self.phase.floor();
                let excitation = pulse + 0.02 * (self.next() - 0.5);
                let edge = (PI * (index as f32 + 0.5) / length as f32).sin().sqrt();
                resonances.iter_mut().map(|resonance| resonance.push(excitation)).sum::<f32>() * edge
            })
            .collect();
        let power = raw.iter().map(|x| x * x).sum::<f32>() / raw.len().max(1) as f32;
        let gain = level / power.sqrt().max(f32::MIN_POSITIVE);
        raw.into_iter().map(|x| (x * gain).clamp(-32_000.0, 32_000.0) as i16).collect()
    }

    /// 0 to 1, by SplitMix64.
    fn next(&mut self) -> f32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
    }
}

struct Resonance {
    a: f32,
    b: f32,
    last: [f32; 2],
}

impl Resonance {
    fn new(frequency: f32, rate: f32) -> Self {
        let radius = 0.97_f32;
        Self { a: 2.0 * radius * (2.0 * PI * frequency / rate).cos(), b: -radius * radius, last: [0.0; 2] }
    }

    fn push(&mut self, input: f32) -> f32 {
        let output = input + self.a * self.last[0] + self.b * self.last[1];
        self.last = [output, self.last[0]];
        output
    }
}

/// RMS of a frame.
pub(super) fn loudness(frame: &[i16]) -> f32 {
    let power = frame.iter().map(|&sample| f32::from(sample).powi(2)).sum::<f32>();
    (power / frame.len().max(1) as f32).sqrt()
}
