//! [`AudioFrame`]: what everything above the wire speaks.

use std::time::Duration;

/// Samples a second on a telephone line.
pub const SAMPLE_RATE: u32 = 8000;
/// Samples in a frame.
pub const FRAME_SAMPLES: usize = 160;
/// Length of a frame.
pub const FRAME_DURATION: Duration = Duration::from_millis(20);

/// 20 ms of mono 16-bit PCM at 8 kHz.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AudioFrame {
    /// Media time of the first sample, since the stream began.
    pub at: Duration,
    /// The samples.
    pub samples: [i16; FRAME_SAMPLES],
}

impl AudioFrame {
    /// A frame of silence.
    pub fn silence(at: Duration) -> Self {
        Self { at, samples: [0; FRAME_SAMPLES] }
    }
}

impl std::fmt::Debug for AudioFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AudioFrame({:?})", self.at)
    }
}
