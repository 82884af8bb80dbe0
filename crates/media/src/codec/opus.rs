//! Opus (RFC 6716), one channel of telephone sound, 20 ms a packet of ours.
//!
//! The codec itself is the crate `opus-pure`. Its RTP clock counts 48,000 a second whatever the sound (RFC 7587 §4.1), and
//! packets have no fixed length. What they remember, 300 kB, is made with the first packet, once; in each frame the crate allocates three
//! small buffers, heard and said together, which nothing else on the path of audio does (`tests/memory.rs` counts them).
//!
//! What arrives is anybody's. A packet that is no Opus is a lost one; should the crate ever panic over one, nothing more is
//! decoded in that call, and the thread that all calls share goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use opus_pure::{Application, OpusDecoder, OpusEncoder, RateControl, Signal};

use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// Bits a second of what we send: voice at 8 kHz sounds no better with more.
const BITRATE: i32 = 20_000;
/// How hard the encoder tries, of 10.
const COMPLEXITY: i32 = 5;
/// The longest sound in a packet (RFC 6716 §3.2): 120 ms.
const MAX_SAMPLES: usize = 6 * FRAME_SAMPLES;
/// The longest packet of ours.
pub const MAX_PACKET: usize = FRAME_SAMPLES;

/// The receiving end.
#[derive(Debug, Default)]
pub enum Decoder {
    /// Nothing has come yet.
    #[default]
    Unused,
    /// In use.
    Ready(Box<OpusDecoder>),
    /// A packet made it panic.
    Broken,
}

/// The sending end.
#[derive(Debug, Default)]
pub struct Encoder {
    encoder: Option<Box<OpusEncoder>>,
}

impl Decoder {
    /// Decodes a packet of at most 120 ms; gives how many samples, 0 where it is no Opus or longer than `samples`.
    pub fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        if matches!(self, Self::Unused) {
            let decoder = OpusDecoder::new(SAMPLE_RATE as i32, 1);
            *self = Self::Ready(Box::new(decoder.expect("8 kHz and one channel are among its forms")));
        }
        let Self::Ready(decoder) = self else { return 0 };
        // To the codec an empty packet is a lost one, which it would invent.
        if payload.is_empty() {
            return 0;
        }
        let room = samples.len().min(MAX_SAMPLES);
        let decoded = catch_unwind(AssertUnwindSafe(|| decoder.decode_s16(payload, room, samples)));
        match decoded {
            Ok(decoded) => decoded.unwrap_or(0).min(room),
            Err(_) => {
                *self = Self::Broken;
                0
            }
        }
    }

    /// Another source begins.
    pub fn restart(&mut self) {
        if let Self::Ready(decoder) = self
            && decoder.reset_state().is_err()
        {
            *self = Self::Unused;
        }
    }
}

impl Encoder {
    /// Encodes 20 ms, of less the rest as silence; gives the length of the packet.
    pub fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        let encoder = self.encoder.get_or_insert_with(|| Box::new(encoder()));
        let mut frame = [0; FRAME_SAMPLES];
        let len = samples.len().min(FRAME_SAMPLES);
        frame[..len].copy_from_slice(&samples[..len]);
        let room = payload.len().min(MAX_PACKET);
        encoder.encode_s16(&frame, FRAME_SAMPLES, &mut payload[..room]).unwrap_or(0)
    }

    /// By how many samples of a 48 kHz clock what is decoded comes after what was encoded.
    pub fn delay(&mut self) -> u16 {
        let encoder = self.encoder.get_or_insert_with(|| Box::new(encoder()));
        opus_pure::OpusHead::for_encoder(encoder, SAMPLE_RATE).pre_skip
    }
}

fn encoder() -> OpusEncoder {
    let encoder = OpusEncoder::new(SAMPLE_RATE as i32, 1, Application::Voip);
    let mut encoder = encoder.expect("8 kHz and one channel are among its forms");
    encoder.bitrate_bps = BITRATE;
    encoder.complexity = COMPLEXITY;
    encoder.signal_type = Some(Signal::Voice);
    // A packet of one frame and no padding.
    encoder.rate_control = RateControl::Vbr;
    encoder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Dice, Signal as Sound};

    fn speech(dice: &mut Dice) -> Vec<i16> {
        Sound::default().speech(2000.0, -20.0, dice).0.iter().map(|sample| *sample as i16).collect()
    }

    fn encoded(samples: &[i16]) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::default();
        let frames = samples.chunks(FRAME_SAMPLES).map(|frame| {
            let mut packet = [0; 2 * MAX_PACKET];
            let len = encoder.encode(frame, &mut packet);
            packet[..len].to_vec()
        });
        frames.collect()
    }

    #[test]
    fn a_voice_comes_back_later_by_its_delay() {
        let voice = speech(&mut Dice::new(4));
        let packets = encoded(&voice);
        let bytes: usize = packets.iter().map(Vec::len).sum();
        let bitrate = bytes * 8 / (voice.len() / 8000);
        assert!((10_000..26_000).contains(&bitrate), "{bitrate} bits a second");
        assert!(packets.iter().all(|packet| (2..=MAX_PACKET).contains(&packet.len())));
        let mut decoder = Decoder::default();
        let mut heard = Vec::new();
        for packet in &packets {
            let mut samples = [0; MAX_SAMPLES];
            assert_eq!(decoder.decode(packet, &mut samples), FRAME_SAMPLES);
            heard.extend_from_slice(&samples[..FRAME_SAMPLES]);
        }
        let alike = |delay: usize| {
            let product =
                |a: &[i16], b: &[i16]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
            let (said, heard) = (&voice[..voice.len() - delay], &heard[delay..]);
            product(said, heard) / (product(said, said) * product(heard, heard)).sqrt()
        };
        let delay = usize::from(Encoder::default().delay() / 6);
        assert_eq!(delay, 52);
        let best = (0..160).max_by(|a, b| alike(*a).total_cmp(&alike(*b))).unwrap();
        assert!(best.abs_diff(delay) <= 2, "{best} samples");
        assert!(alike(best) > 0.9, "{}", alike(best));
    }

    /// What the codec makes of packets, with nothing between it and a panic.
    fn check(dice: &mut Dice, seed: u8, mut packets: impl FnMut(&mut Dice) -> Vec<u8>) {
        let mut decoder = OpusDecoder::new(8000, 1).unwrap();
        for n in 0..4000 {
            let packet = packets(dice);
            let mut samples = [0; MAX_SAMPLES];
            if let Ok(len) = decoder.decode_s16(&packet, MAX_SAMPLES, &mut samples) {
                assert!(len <= MAX_SAMPLES, "seed {seed}, packet {n}: {packet:?}");
            }
        }
    }

    #[test]
    fn no_packet_of_a_peer_makes_the_codec_panic() {
        for seed in 0..6 {
            let mut dice = Dice::new(seed);
            let real = encoded(&speech(&mut dice));
            check(&mut dice, seed, |dice| {
                let len = dice.range(1.0, 400.0) as usize;
                (0..len).map(|_| dice.range(0.0, 256.0) as u8).collect()
            });
            // Almost real: bits turned, ends cut off, other kinds of packet announced.
            check(&mut dice, seed, |dice| {
                let mut packet = real[dice.range(0.0, real.len() as f32) as usize % real.len()].clone();
                for _ in 0..dice.range(0.0, 4.0) as usize {
                    let at = dice.range(0.0, packet.len() as f32) as usize % packet.len();
                    packet[at] ^= 1 << (dice.range(0.0, 8.0) as u32 % 8);
                }
                if dice.uniform() < 0.3 {
                    packet[0] = dice.range(0.0, 256.0) as u8;
                }
                packet.truncate((dice.range(1.0, 2.0 * packet.len() as f32) as usize).max(1));
                packet
            });
        }
    }

    // RFC 6716 §3.1, §3.4.
    #[test]
    fn every_kind_of_packet_is_as_long_as_it_says_or_lost() {
        for toc in 0..=u8::MAX {
            let mut decoder = Decoder::default();
            let mut samples = [0; 2 * MAX_SAMPLES];
            let lengths: Vec<_> = [&[toc][..], &[toc, 0], &[toc, 1, 7, 9], &[toc, 255, 255, 255, 1], &[toc; 300]]
                .map(|packet| decoder.decode(packet, &mut samples))
                .into();
            assert!(lengths.iter().all(|len| *len <= MAX_SAMPLES && len % 20 == 0), "{toc}: {lengths:?}");
            assert!(!matches!(decoder, Decoder::Broken), "{toc}");
            let single = toc & 3 == 0;
            assert!(!single || lengths[2] >= 20, "{toc}: {lengths:?}");
        }
        assert_eq!(Decoder::default().decode(&[], &mut [0; MAX_SAMPLES]), 0);
        assert_eq!(Decoder::default().decode(&encoded(&[0; FRAME_SAMPLES])[0], &mut [0; 100]), 0, "no room");
    }
}
