//! Audio codecs of the wire.

pub mod g711;

/// An audio codec of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Codec {
    /// The encoding name of RFC 3551.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// Encodes as many samples as both slices hold; one byte a sample.
    pub fn encode(self, samples: &[i16], payload: &mut [u8]) {
        let both = payload.iter_mut().zip(samples);
        match self {
            Codec::Pcmu => both.for_each(|(byte, &sample)| *byte = g711::ulaw_from_linear(sample)),
            Codec::Pcma => both.for_each(|(byte, &sample)| *byte = g711::alaw_from_linear(sample)),
        }
    }

    /// Decodes as many bytes as both slices hold; one sample a byte.
    pub fn decode(self, payload: &[u8], samples: &mut [i16]) {
        let table = match self {
            Codec::Pcmu => &g711::ULAW_TO_LINEAR,
            Codec::Pcma => &g711::ALAW_TO_LINEAR,
        };
        for (sample, &byte) in samples.iter_mut().zip(payload) {
            *sample = table[usize::from(byte)];
        }
    }
}
