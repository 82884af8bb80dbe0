//! Audio codecs of the wire.

pub mod g711;
pub mod g722;
#[cfg(feature = "opus")]
pub mod opus;

use crate::SAMPLE_RATE;

/// An audio codec of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s, of which we hear and say the lower band.
    G722,
    /// Opus, of which we hear and say telephone sound.
    #[cfg(feature = "opus")]
    Opus,
}

/// The sending end of a stream.
#[derive(Debug, Default)]
pub struct Encoder {
    g722: g722::Encoder,
    #[cfg(feature = "opus")]
    opus: opus::Encoder,
}

/// The receiving end of a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    g722: g722::Decoder,
    #[cfg(feature = "opus")]
    opus: opus::Decoder,
}

impl Encoder {
    /// Encodes as many samples as both slices hold, of Opus 20 ms at most; gives how many bytes.
    pub fn encode(&mut self, codec: Codec, samples: &[i16], payload: &mut [u8]) -> usize {
        match codec {
            Codec::Pcmu | Codec::Pcma => codec.encode(samples, payload),
            Codec::G722 => self.g722.encode(samples, payload),
            #[cfg(feature = "opus")]
            Codec::Opus => return self.opus.encode(samples, payload),
        }
        samples.len().min(payload.len())
    }
}

impl Decoder {
    /// Decodes as many bytes as both slices hold, of Opus a whole packet; gives how many samples, 0 where it makes no sense.
    pub fn decode(&mut self, codec: Codec, payload: &[u8], samples: &mut [i16]) -> usize {
        match codec {
            Codec::Pcmu | Codec::Pcma => codec.decode(payload, samples),
            Codec::G722 => self.g722.decode(payload, samples),
            #[cfg(feature = "opus")]
            Codec::Opus => return self.opus.decode(payload, samples),
        }
        samples.len().min(payload.len())
    }

    /// Another source begins.
    pub fn restart(&mut self) {
        self.g722 = g722::Decoder::default();
        #[cfg(feature = "opus")]
        self.opus.restart();
    }
}

impl Codec {
    /// The encoding name of RFC 3551.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            #[cfg(feature = "opus")]
            Codec::Opus => "opus",
        }
    }

    /// The rate of its RTP clock in Hz, which is not always that of its sound (RFC 3551 §4.5.2, RFC 7587 §4.1).
    pub fn clock_rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => SAMPLE_RATE,
            #[cfg(feature = "opus")]
            Codec::Opus => 48_000,
        }
    }

    /// Whether it has a byte for each sample, so that any piece of a payload is one too.
    pub fn has_a_byte_a_sample(self) -> bool {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => true,
            #[cfg(feature = "opus")]
            Codec::Opus => false,
        }
    }

    /// Encodes as many samples as both slices hold, of Opus 20 ms, as at the beginning of a stream.
    pub fn encode(self, samples: &[i16], payload: &mut [u8]) {
        let both = payload.iter_mut().zip(samples);
        match self {
            Codec::Pcmu => both.for_each(|(byte, &sample)| *byte = g711::ulaw_from_linear(sample)),
            Codec::Pcma => both.for_each(|(byte, &sample)| *byte = g711::alaw_from_linear(sample)),
            Codec::G722 => g722::Encoder::default().encode(samples, payload),
            #[cfg(feature = "opus")]
            Codec::Opus => {
                opus::Encoder::default().encode(samples, payload);
            }
        }
    }

    /// Decodes as many bytes as both slices hold, of Opus a packet, as at the beginning of a stream.
    pub fn decode(self, payload: &[u8], samples: &mut [i16]) {
        let table = match self {
            Codec::Pcmu => &g711::ULAW_TO_LINEAR,
            Codec::Pcma => &g711::ALAW_TO_LINEAR,
            Codec::G722 => return g722::Decoder::default().decode(payload, samples),
            #[cfg(feature = "opus")]
            Codec::Opus => {
                opus::Decoder::default().decode(payload, samples);
                return;
            }
        };
        for (sample, &byte) in samples.iter_mut().zip(payload) {
            *sample = table[usize::from(byte)];
        }
    }
}
