//! Who hears digits: our detector, and spandsp's.

use std::ffi::{c_char, c_int, c_void};
use std::mem::transmute;
use std::ptr;

use media::FRAME_SAMPLES;
use media::dtmf::inband::Detector;

use crate::library::Library;

/// Samples after which spandsp is asked what it has heard: as often as ours decides.
const STEP: usize = 20;

/// A digit that was reported.
pub struct Report {
    pub digit: char,
    /// The sample after which it was.
    pub at: usize,
}

/// A detector that hears a line from its beginning.
pub trait Hearer {
    /// Hears these samples, and some silence if they do not fill the last frame.
    fn reports(&mut self, samples: &[i16]) -> Vec<Report>;
}

pub struct Ours(Detector);

impl Ours {
    pub fn new() -> Self {
        Self(Detector::new())
    }
}

impl Hearer for Ours {
    fn reports(&mut self, samples: &[i16]) -> Vec<Report> {
        let mut reports = Vec::new();
        for (number, part) in samples.chunks(FRAME_SAMPLES).enumerate() {
            let mut frame = [0; FRAME_SAMPLES];
            frame[..part.len()].copy_from_slice(part);
            if let Some((digit, into)) = self.0.hear(&frame) {
                let at = number * FRAME_SAMPLES + into.as_micros() as usize * 8 / 1000;
                reports.push(Report { digit: digit.as_char(), at });
            }
        }
        reports
    }
}

type Init = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void) -> *mut c_void;
type Hear = unsafe extern "C" fn(*mut c_void, *const i16, c_int) -> c_int;
type Get = unsafe extern "C" fn(*mut c_void, *mut c_char, c_int) -> usize;
type Free = unsafe extern "C" fn(*mut c_void) -> c_int;

/// spandsp's `dtmf_rx`, with its own settings.
pub struct Spandsp {
    init: Init,
    hear: Hear,
    get: Get,
    free: Free,
}

impl Spandsp {
    pub fn load() -> Result<Self, String> {
        let library = Library::open("libspandsp.so.2", "libspandsp2")?;
        let symbol = |name| library.symbol(name).map(|symbol| symbol.as_ptr());
        let (init, hear, get, free) =
            (symbol("dtmf_rx_init")?, symbol("dtmf_rx")?, symbol("dtmf_rx_get")?, symbol("dtmf_rx_free")?);
        // SAFETY: these are the signatures of spandsp/dtmf.h of 0.0.6, which this soname has.
        unsafe {
            Ok(Self {
                init: transmute::<*mut c_void, Init>(init),
                hear: transmute::<*mut c_void, Hear>(hear),
                get: transmute::<*mut c_void, Get>(get),
                free: transmute::<*mut c_void, Free>(free),
            })
        }
    }

    pub fn hearer(&self) -> SpandspHearer<'_> {
        // SAFETY: without a state it makes one, without a callback it keeps the digits.
        let state = unsafe { (self.init)(ptr::null_mut(), ptr::null_mut(), ptr::null_mut()) };
        assert!(!state.is_null(), "there is memory for a detector");
        SpandspHearer { library: self, state }
    }
}

pub struct SpandspHearer<'a> {
    library: &'a Spandsp,
    state: *mut c_void,
}

impl Hearer for SpandspHearer<'_> {
    fn reports(&mut self, samples: &[i16]) -> Vec<Report> {
        let mut reports = Vec::new();
        for (number, step) in samples.chunks(STEP).enumerate() {
            let mut digits = [0; 16];
            // SAFETY: the state is ours, and both buffers are as long as we say, with room for the NUL.
            let count = unsafe {
                (self.library.hear)(self.state, step.as_ptr(), step.len() as c_int);
                (self.library.get)(self.state, digits.as_mut_ptr(), digits.len() as c_int - 1)
            };
            let at = number * STEP + step.len();
            reports.extend(digits.iter().take(count).map(|digit| Report { digit: char::from(*digit as u8), at }));
        }
        reports
    }
}

impl Drop for SpandspHearer<'_> {
    fn drop(&mut self) {
        // SAFETY: made by its own `init`, and not used again.
        unsafe { (self.library.free)(self.state) };
    }
}
