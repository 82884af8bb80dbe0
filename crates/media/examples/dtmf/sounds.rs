//! Recordings in which nobody presses a key: read, played faster or slower, brought to a level.

use std::error::Error;
use std::f64::consts::PI;
use std::ffi::{c_int, c_void};
use std::mem::transmute;
use std::path::Path;

use media::tones::DBM0_AMPLITUDE;
use media::{FRAME_SAMPLES, SAMPLE_RATE, wav};

use crate::library::Library;

/// Bytes of a frame of GSM 06.10, 20 ms.
const GSM_FRAME: usize = 33;
/// ITU-T P.56: what is so far below the active level is a pause, in dB.
const PAUSE_BELOW: f64 = 15.9;
/// Samples to either side from which one between them is made.
const REACH: usize = 16;

/// All clips, with the names of their files.
pub struct Sounds(Vec<(String, Vec<i16>)>);

impl Sounds {
    pub fn read(paths: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut sounds = Vec::new();
        let gsm = Gsm::load()?;
        for path in paths {
            let file = std::fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
            let samples = if path.ends_with(".gsm") { gsm.decode(&file) } else { from_wav(&path, &file)? };
            let name = Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned());
            sounds.push((name.unwrap_or_default(), samples));
        }
        if sounds.is_empty() { Err("which sounds?".into()) } else { Ok(Self(sounds)) }
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn each(&self) -> impl Iterator<Item = (&str, &[i16])> {
        self.0.iter().map(|(name, samples)| (name.as_str(), samples.as_slice()))
    }

    /// The clip of this number, counted round and round.
    pub fn get(&self, number: usize) -> &[i16] {
        &self.0[number % self.0.len()].1
    }
}

fn from_wav(path: &str, file: &[u8]) -> Result<Vec<i16>, String> {
    let (rate, channels, samples) = wav::read(file).map_err(|error| format!("{path}: {error}"))?;
    if rate == SAMPLE_RATE { Ok(wav::to_mono(channels, &samples)) } else { Err(format!("{path}: {rate} Hz")) }
}

type Create = unsafe extern "C" fn() -> *mut c_void;
type Decode = unsafe extern "C" fn(*mut c_void, *const u8, *mut i16) -> c_int;
type Destroy = unsafe extern "C" fn(*mut c_void);

struct Gsm {
    create: Create,
    decode: Decode,
    destroy: Destroy,
}

impl Gsm {
    fn load() -> Result<Self, String> {
        let library = Library::open("libgsm.so.1", "libgsm1")?;
        let symbol = |name| library.symbol(name).map(|symbol| symbol.as_ptr());
        let (create, decode, destroy) = (symbol("gsm_create")?, symbol("gsm_decode")?, symbol("gsm_destroy")?);
        // SAFETY: these are the signatures of gsm.h.
        unsafe {
            Ok(Self {
                create: transmute::<*mut c_void, Create>(create),
                decode: transmute::<*mut c_void, Decode>(decode),
                destroy: transmute::<*mut c_void, Destroy>(destroy),
            })
        }
    }

    fn decode(&self, file: &[u8]) -> Vec<i16> {
        let mut samples = vec![0; file.len() / GSM_FRAME * FRAME_SAMPLES];
        // SAFETY: the state is used between its making and its end; each frame has the length that the library reads,
        // and each piece of the samples the length that it writes.
        unsafe {
            let state = (self.create)();
            assert!(!state.is_null(), "there is memory for a decoder");
            for (frame, decoded) in file.chunks_exact(GSM_FRAME).zip(samples.chunks_exact_mut(FRAME_SAMPLES)) {
                (self.decode)(state, frame.as_ptr(), decoded.as_mut_ptr());
            }
            (self.destroy)(state);
        }
        samples
    }
}

/// As a tape that runs so much faster.
pub fn at_speed(samples: &[i16], speed: f64) -> Vec<f32> {
    if speed == 1.0 {
        return samples.iter().map(|sample| f32::from(*sample)).collect();
    }
    // Played faster, what comes to lie above 4 kHz must go.
    let pass = speed.recip().min(1.0);
    let table = sinc(pass);
    let count = (samples.len() as f64 / speed) as usize;
    (0..count)
        .map(|n| {
            let place = n as f64 * speed;
            let phase = ((place.fract() * PHASES as f64) as usize).min(PHASES - 1);
            let first = place as usize;
            let around = (0..2 * REACH).filter_map(|tap| Some((tap, (first + tap + 1).checked_sub(REACH)?)));
            around.filter_map(|(tap, at)| Some(table[phase][tap] * f32::from(*samples.get(at)?))).sum()
        })
        .collect()
}

/// Places between two samples that are told apart.
const PHASES: usize = 512;

fn sinc(pass: f64) -> Vec<[f32; 2 * REACH]> {
    let tap = |phase: usize, tap: usize| {
        let x = tap as f64 + 1.0 - REACH as f64 - phase as f64 / PHASES as f64;
        let window = 0.5 + 0.5 * (PI * x / (REACH as f64 + 1.0)).cos();
        let sinc = if x == 0.0 { 1.0 } else { (PI * x * pass).sin() / (PI * x * pass) };
        (pass * sinc * window) as f32
    };
    (0..PHASES).map(|phase| std::array::from_fn(|n| tap(phase, n))).collect()
}

/// Amplified so that its active level, pauses left out, is this.
pub fn at_level(samples: &[f32], dbm0: f64) -> Vec<f32> {
    let gain = 10f64.powf((dbm0 - active_dbm0(samples)) / 20.0) as f32;
    samples.iter().map(|sample| sample * gain).collect()
}

fn active_dbm0(samples: &[f32]) -> f64 {
    let powers: Vec<f64> = samples
        .chunks(FRAME_SAMPLES)
        .map(|frame| frame.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / frame.len() as f64)
        .collect();
    let mut active = 0.0;
    for _ in 0..10 {
        let least = active / 10f64.powf(PAUSE_BELOW / 10.0);
        let (sum, count) = powers
            .iter()
            .filter(|power| **power >= least)
            .fold((0.0, 0), |(sum, count), power| (sum + power, count + 1));
        active = sum / f64::from(count.max(1));
    }
    let reference = f64::from(DBM0_AMPLITUDE).powi(2) / 2.0;
    // A clip of nothing but silence stays one.
    10.0 * (active / reference).max(1e-6).log10()
}
