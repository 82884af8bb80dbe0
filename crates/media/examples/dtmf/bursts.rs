//! A row of the table: bursts of two tones on a µ-law line, and what becomes of them.

use std::f64::consts::TAU;
use std::fmt;

use media::dtmf::Digit;
use media::tones::amplitude;
use media::{Codec, FRAME_SAMPLES, SAMPLE_RATE};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::hearers::Report;
use crate::sounds::{self, Sounds};

/// Each digit is sent so often, and there are so many lines, of so many digits each.
const LINES: usize = 25;
const DIGITS: usize = 16;
/// Silence before the first digit, at least, and after the last.
const MARGIN_MS: f64 = 100.0;
const SAMPLES_PER_MS: f64 = SAMPLE_RATE as f64 / 1000.0;

/// What spoils the digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Disturbance {
    None,
    /// White noise, so many dB below both tones together.
    Noise {
        below: f64,
    },
    /// A prompt, its active level so many dB below both tones together.
    Prompt {
        below: f64,
    },
    /// Silence in the middle of each digit.
    Hole {
        ms: f64,
    },
    /// This share of frames of 20 ms is lost, each by itself, and zeros heard instead.
    LostFrames {
        share: f64,
    },
}

/// Bursts of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    pub on_ms: f64,
    pub off_ms: f64,
    /// Level of each tone: lowest and highest; each digit has its own between them.
    pub dbm0: (f64, f64),
    /// High tone over low tone, in dB.
    pub twist: f64,
    /// Deviation of low and high tone, in percent.
    pub deviation: (f64, f64),
    /// One key again and again, before the next.
    pub same_key: bool,
    pub disturbance: Disturbance,
}

impl Row {
    pub const NOMINAL: Self = Self {
        on_ms: 50.0,
        off_ms: 50.0,
        dbm0: (-10.0, -10.0),
        twist: 0.0,
        deviation: (0.0, 0.0),
        same_key: false,
        disturbance: Disturbance::None,
    };

    /// The lines that carry the row's digits.
    pub fn lines(&self, dice: &mut Dice, sounds: &Sounds) -> Vec<Line> {
        let mut digits: Vec<Digit> =
            (0..LINES * DIGITS).filter_map(|n| Digit::from_event((n % DIGITS) as u8)).collect();
        if self.same_key {
            digits.sort();
        } else {
            (1..digits.len()).rev().for_each(|n| digits.swap(n, dice.below(n + 1)));
        }
        digits.chunks(DIGITS).map(|digits| self.line(digits, dice, sounds)).collect()
    }

    fn line(&self, digits: &[Digit], dice: &mut Dice, sounds: &Sounds) -> Line {
        // Where in its sample, its step and its frame a digit begins is left to the dice.
        let mut place = (MARGIN_MS + 20.0 * dice.uniform()) * SAMPLES_PER_MS;
        let mut sound = Vec::new();
        let mut bursts = Vec::new();
        for digit in digits {
            let (start, end) = (place, place + self.on_ms * SAMPLES_PER_MS);
            self.sound(dice, *digit, (start, end), &mut sound);
            bursts.push(Burst { digit: digit.as_char(), start });
            place = end + self.off_ms * SAMPLES_PER_MS;
        }
        sound.resize(sound.len() + (MARGIN_MS * SAMPLES_PER_MS) as usize, 0.0);
        self.add_sound(dice, sounds, &mut sound);
        let mut samples = through_ulaw(&sound);
        if let Disturbance::LostFrames { share } = self.disturbance {
            samples.chunks_mut(FRAME_SAMPLES).filter(|_| dice.uniform() < share).for_each(|frame| frame.fill(0));
        }
        Line { samples, bursts }
    }

    /// The two tones from `start` to `end`, in samples.
    fn sound(&self, dice: &mut Dice, digit: Digit, (start, end): (f64, f64), sound: &mut Vec<f32>) {
        sound.resize(end.ceil() as usize, 0.0);
        let dbm0 = self.dbm0.0 + (self.dbm0.1 - self.dbm0.0) * dice.uniform();
        let (low, high) = digit.hertz();
        let tones = [
            (f64::from(low) * (1.0 + self.deviation.0 / 100.0), dbm0 - self.twist.max(0.0)),
            (f64::from(high) * (1.0 + self.deviation.1 / 100.0), dbm0 + self.twist.min(0.0)),
        ];
        let hole = if let Disturbance::Hole { ms } = self.disturbance { ms * SAMPLES_PER_MS } else { 0.0 };
        let middle = f64::midpoint(start, end);
        for (hertz, dbm0) in tones {
            let (phase, amplitude) = (dice.uniform(), f64::from(amplitude(dbm0 as f32)));
            for (n, sample) in sound.iter_mut().enumerate().skip(start.ceil() as usize) {
                let at = n as f64;
                if at < end && (at - middle).abs() >= hole / 2.0 {
                    *sample += (amplitude * (TAU * (phase + hertz * at / f64::from(SAMPLE_RATE))).sin()) as f32;
                }
            }
        }
    }

    /// What sounds beside the tones all the time.
    fn add_sound(&self, dice: &mut Dice, sounds: &Sounds, sound: &mut [f32]) {
        // Both tones together.
        let power = self.dbm0.0 + 10.0 * 2f64.log10();
        match self.disturbance {
            Disturbance::Noise { below } => {
                let rms = amplitude((power - below) as f32) / 2f32.sqrt();
                sound.iter_mut().for_each(|sample| *sample += rms * dice.normal());
            }
            Disturbance::Prompt { below } => {
                let mut prompt = Vec::new();
                while prompt.len() < sound.len() {
                    let clip = sounds::at_speed(sounds.get(dice.below(sounds.count())), 1.0);
                    prompt.extend(sounds::at_level(&clip, power - below));
                }
                sound.iter_mut().zip(prompt).for_each(|(sample, prompt)| *sample += prompt);
            }
            Disturbance::None | Disturbance::Hole { .. } | Disturbance::LostFrames { .. } => {}
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { on_ms, off_ms, dbm0: (lowest, highest), twist, deviation: (low, high), .. } = self;
        write!(f, "{on_ms} ms on, {off_ms} off")?;
        if self.same_key {
            write!(f, ", one key again and again")?;
        }
        match (lowest == highest, *lowest) {
            (true, dbm0) if dbm0 == Self::NOMINAL.dbm0.0 => {}
            (true, dbm0) => write!(f, ", {dbm0} dBm0 a tone")?,
            (false, _) => write!(f, ", {lowest} to {highest} dBm0 a tone")?,
        }
        if *twist != 0.0 {
            write!(f, ", twist {twist:+} dB")?;
        }
        if (*low, *high) != (0.0, 0.0) {
            write!(f, ", low {low:+} %, high {high:+} %")?;
        }
        match self.disturbance {
            Disturbance::None => Ok(()),
            Disturbance::Noise { below } => write!(f, ", S/N {below} dB"),
            Disturbance::Prompt { below } => write!(f, ", prompt {below} dB below"),
            Disturbance::Hole { ms } => write!(f, ", hole of {ms} ms"),
            Disturbance::LostFrames { share } => write!(f, ", {} % of frames lost", share * 100.0),
        }
    }
}

/// As it comes out of a µ-law line.
pub fn through_ulaw(sound: &[f32]) -> Vec<i16> {
    let mut samples: Vec<i16> = sound.iter().map(|sample| sample.round() as i16).collect();
    let mut bytes = vec![0; samples.len()];
    Codec::Pcmu.encode(&samples, &mut bytes);
    Codec::Pcmu.decode(&bytes, &mut samples);
    samples
}

/// A digit sent.
pub struct Burst {
    digit: char,
    /// When it begins, in samples.
    start: f64,
}

/// A line with digits.
pub struct Line {
    pub samples: Vec<i16>,
    bursts: Vec<Burst>,
}

/// What was reported of digits sent.
#[derive(Default)]
pub struct Counted {
    sent: usize,
    /// Digits reported exactly once.
    pub once: usize,
    /// Reports beyond that: of a digit again, of another digit, of none.
    pub extra: usize,
    /// Milliseconds from the beginning of each digit reported to its report, and to the end of the packet of 20 ms.
    delays: Vec<(f64, f64)>,
}

impl Counted {
    pub fn add(&mut self, line: &Line, reports: &[Report]) {
        let begun = |report: &Report| line.bursts.partition_point(|burst| burst.start < report.at as f64);
        for (number, burst) in line.bursts.iter().enumerate() {
            self.sent += 1;
            let mut right = reports.iter().filter(|report| begun(report) == number + 1 && report.digit == burst.digit);
            let Some(first) = right.next() else { continue };
            let since = |at: usize| (at as f64 - burst.start) / SAMPLES_PER_MS;
            self.delays.push((since(first.at), since(first.at.next_multiple_of(FRAME_SAMPLES))));
            self.once += usize::from(right.next().is_none());
        }
        let heard = line.bursts.iter().enumerate();
        let heard = heard.filter(|(number, burst)| {
            reports.iter().any(|report| begun(report) == number + 1 && report.digit == burst.digit)
        });
        self.extra += reports.len() - heard.count();
    }

    /// Percent of digits reported exactly once.
    pub fn once(&self) -> f64 {
        self.once as f64 * 100.0 / self.sent as f64
    }

    /// Digits not reported, or more than once.
    pub fn missed(&self) -> usize {
        self.sent - self.once
    }

    pub fn median_ms(&self) -> f64 {
        median(self.delays.iter().map(|delay| delay.0))
    }

    /// The same, told when the packet of 20 ms is over.
    pub fn median_in_packets_ms(&self) -> f64 {
        median(self.delays.iter().map(|delay| delay.1))
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A seeded source of numbers.
pub struct Dice(ChaCha12Rng);

impl Dice {
    pub fn new(seed: [u64; 2]) -> Self {
        let mut bytes = [0; 32];
        for (place, value) in bytes.chunks_exact_mut(8).zip(seed) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        Self(ChaCha12Rng::from_seed(bytes))
    }

    /// Between 0 and 1.
    pub fn uniform(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }

    /// Below a number.
    pub fn below(&mut self, end: usize) -> usize {
        (self.uniform() * end as f64) as usize
    }

    /// Normally distributed, near enough.
    fn normal(&mut self) -> f32 {
        ((0..12).map(|_| self.uniform()).sum::<f64>() - 6.0) as f32
    }
}
