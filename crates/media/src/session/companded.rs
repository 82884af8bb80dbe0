//! [`Companded`]: 20 ms that wait to be said, in half the room of their samples.

use crate::{Codec, FRAME_SAMPLES};

/// A frame as it will leave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Companded {
    codec: Codec,
    payload: [u8; FRAME_SAMPLES],
}

impl Companded {
    /// For a stream of this codec. What waits for G.722 or Opus does so as µ-law: their encoders learn from what left before.
    pub fn new(codec: Codec, samples: &[i16; FRAME_SAMPLES]) -> Self {
        let codec = if codec == Codec::Pcma { codec } else { Codec::Pcmu };
        let mut payload = [0; FRAME_SAMPLES];
        codec.encode(samples, &mut payload);
        Self { codec, payload }
    }

    /// The payload, if that is the codec now.
    pub fn payload(&self, codec: Codec) -> Option<&[u8; FRAME_SAMPLES]> {
        (codec == self.codec).then_some(&self.payload)
    }

    /// What it sounds like.
    pub fn samples(&self) -> [i16; FRAME_SAMPLES] {
        let mut samples = [0; FRAME_SAMPLES];
        self.codec.decode(&self.payload, &mut samples);
        samples
    }
}
