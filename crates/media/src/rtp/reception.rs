//! [`Reception`]: the receiving side of an RTP stream, and what the arrival of its packets tells.

use std::time::Duration;

use super::{ExtendedSequence, Packet};
use crate::SAMPLE_RATE;

/// What arrived from one source since it began, as a report block tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// Which source.
    pub ssrc: u32,
    /// Highest sequence number with its wraps.
    pub highest: u32,
    /// Packets up to it.
    pub expected: u64,
    /// Packets that came, repeated and late ones too.
    pub received: u64,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
}

impl Arrived {
    /// Whether it tells of the same source, earlier.
    pub fn is_before(&self, other: &Self) -> bool {
        self.ssrc == other.ssrc && self.expected <= other.expected && self.received <= other.received
    }
}

/// Counts what arrives from one peer, over changes of its SSRC.
#[derive(Debug, Default)]
pub struct Reception {
    ssrc: Option<u32>,
    sequence: ExtendedSequence,
    received: u64,
    transit: Option<u32>,
    /// Interarrival jitter in timestamp units times 16 (RFC 3550 §A.8).
    jitter: u32,
}

/// What [`Reception::arrive`] found about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The next, or one that was overtaken.
    New,
    /// The first of a new synchronisation source.
    NewSource,
    /// Seen before.
    Duplicate,
}

impl Reception {
    /// Takes note of a packet that arrived `at` after the stream began.
    pub fn arrive(&mut self, at: Duration, packet: &Packet<'_>) -> Arrival {
        let new_source = self.ssrc != Some(packet.ssrc);
        if new_source {
            self.ssrc = Some(packet.ssrc);
            self.sequence.forget();
            self.transit = None;
        }
        if self.sequence.arrive(packet.sequence).is_none() {
            return Arrival::Duplicate;
        }
        self.received += 1;
        self.measure_jitter(at, packet.timestamp);
        if new_source { Arrival::NewSource } else { Arrival::New }
    }

    /// What came from the present source.
    pub fn arrived(&self) -> Option<Arrived> {
        let (highest, expected, received) = self.sequence.count()?;
        // The cycle that numbers begin above is none of the peer's.
        let highest = (highest - 0x1_0000) as u32;
        Some(Arrived { ssrc: self.ssrc?, highest, expected, received, jitter: self.jitter / 16 })
    }

    /// Packets taken.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets that never came.
    pub fn lost(&self) -> u64 {
        self.sequence.lost()
    }

    /// Interarrival jitter now.
    pub fn jitter(&self) -> Duration {
        Duration::from_micros(u64::from(self.jitter / 16) * 1_000_000 / u64::from(SAMPLE_RATE))
    }

    fn measure_jitter(&mut self, at: Duration, timestamp: u32) {
        let arrival = (at.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(previous) = self.transit {
            let difference = (transit.wrapping_sub(previous) as i32).unsigned_abs();
            // A jump of the timestamp is no jitter.
            if difference < SAMPLE_RATE {
                // RFC 3550 §A.8: J += |D| − J/16, in sixteenths.
                self.jitter = (self.jitter + difference).saturating_sub((self.jitter + 8) >> 4);
            }
        }
        self.transit = Some(transit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3550 §A.8.
    #[test]
    fn jitter_follows_rfc_3550() {
        let mut reception = Reception::default();
        for n in 0..1000u16 {
            let packet = Packet {
                marker: false,
                payload_type: 0,
                sequence: n,
                timestamp: u32::from(n) * 160,
                ssrc: 1,
                payload: &[],
            };
            let wobble = if n % 2 == 0 { 0 } else { 10 };
            reception.arrive(Duration::from_millis(u64::from(n) * 20 + wobble), &packet);
        }
        assert_eq!(reception.jitter().as_millis(), 9);
        assert_eq!((reception.received(), reception.lost()), (1000, 0));
    }
}
