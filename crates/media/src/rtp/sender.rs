//! The sending side of an RTP stream: sequence numbers and timestamps.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;

use super::packet::{HEADER_LEN, write_header};
use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// Numbers the packets of one stream. Timestamps derive from the slot count, never from a clock.
#[derive(Debug)]
pub struct Sender {
    ssrc: u32,
    sequence: u16,
    timestamp_base: u32,
}

impl Sender {
    /// Draws SSRC, first sequence number and first timestamp (RFC 3550 §5.1: all random).
    pub fn new(rng: &mut ChaCha12Rng) -> Self {
        // RFC 3711 §3.3.1: far from the wrap, so that a peer who misses the first packets still counts it.
        let sequence = rng.next_u32() as u16 & 0x7FFF;
        Self { ssrc: rng.next_u32(), sequence, timestamp_base: rng.next_u32() }
    }

    /// The timestamp of a slot, in samples.
    pub fn timestamp(&self, slot: u64) -> u32 {
        self.timestamp_base.wrapping_add((slot as u32).wrapping_mul(FRAME_SAMPLES as u32))
    }

    /// The timestamp of a sample on a clock of this rate in Hz, a multiple of ours.
    pub fn at_rate(&self, timestamp: u32, clock_rate: u32) -> u32 {
        let samples = timestamp.wrapping_sub(self.timestamp_base);
        self.timestamp_base.wrapping_add(samples.wrapping_mul(clock_rate / SAMPLE_RATE))
    }

    /// Our SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Writes the next packet; gives its length. A payload that does not fit is cut.
    pub fn write(&mut self, into: &mut [u8], marker: bool, payload_type: u8, timestamp: u32, payload: &[u8]) -> usize {
        let Some((header, rest)) = into.split_first_chunk_mut::<HEADER_LEN>() else { return 0 };
        write_header(header, marker, payload_type, self.sequence, timestamp, self.ssrc);
        self.sequence = self.sequence.wrapping_add(1);
        let len = payload.len().min(rest.len());
        rest[..len].copy_from_slice(&payload[..len]);
        HEADER_LEN + len
    }
}
