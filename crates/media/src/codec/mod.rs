//! Audio codecs of the wire.

pub mod g711;
pub mod g722;

/// An audio codec of the wire. Each has a byte for each sample of telephone sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s, of which we hear and say the lower band.
    G722,
}

/// The sending end of a stream.
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    g722: g722::Encoder,
}

/// The receiving end of a stream.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    g722: g722::Decoder,
}

impl Encoder {
    /// Encodes as many samples as both slices hold; one byte a sample.
    pub fn encode(&mut self, codec: Codec, samples: &[i16], payload: &mut [u8]) {
        match codec {
            Codec::Pcmu | Codec::Pcma => codec.encode(samples, payload),
            Codec::G722 => self.g722.encode(samples, payload),
        }
    }
}

impl Decoder {
    /// Decodes as many bytes as both slices hold; one sample a byte.
    pub fn decode(&mut self, codec: Codec, payload: &[u8], samples: &mut [i16]) {
        match codec {
            Codec::Pcmu | Codec::Pcma => codec.decode(payload, samples),
            Codec::G722 => self.g722.decode(payload, samples),
        }
    }
}

impl Codec {
    /// The encoding name of RFC 3551.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
        }
    }

    /// Encodes as many samples as both slices hold, as at the beginning of a stream.
    pub fn encode(self, samples: &[i16], payload: &mut [u8]) {
        let both = payload.iter_mut().zip(samples);
        match self {
            Codec::Pcmu => both.for_each(|(byte, &sample)| *byte = g711::ulaw_from_linear(sample)),
            Codec::Pcma => both.for_each(|(byte, &sample)| *byte = g711::alaw_from_linear(sample)),
            Codec::G722 => g722::Encoder::default().encode(samples, payload),
        }
    }

    /// Decodes as many bytes as both slices hold, as at the beginning of a stream.
    pub fn decode(self, payload: &[u8], samples: &mut [i16]) {
        let table = match self {
            Codec::Pcmu => &g711::ULAW_TO_LINEAR,
            Codec::Pcma => &g711::ALAW_TO_LINEAR,
            Codec::G722 => return g722::Decoder::default().decode(payload, samples),
        };
        for (sample, &byte) in samples.iter_mut().zip(payload) {
            *sample = table[usize::from(byte)];
        }
    }
}
