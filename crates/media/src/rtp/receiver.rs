//! The receiving side of an RTP stream: whose packets we take, and what their arrival tells.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{ExtendedSequence, Packet};
use crate::SAMPLE_RATE;

/// How long the address of the description may still displace a source that was faster.
const PROBATION: Duration = Duration::from_millis(500);

/// Symmetric RTP: learns once where the peer really sends from, then listens to nobody else.
///
/// The first source to send a valid packet is taken; the address of the description wins over it during a short
/// probation. After that the latch is locked until a new description moves the address.
#[derive(Debug)]
pub struct Latch {
    described: SocketAddr,
    /// Source from before the description changed: heard until somebody else sends.
    previous: Option<SocketAddr>,
    candidate: Option<(SocketAddr, Instant)>,
    locked: bool,
}

impl Latch {
    /// Opens for the peer described at `described`.
    pub fn new(described: SocketAddr) -> Self {
        Self { described, previous: None, candidate: None, locked: false }
    }

    /// A description came: opens again if it moved the address.
    pub fn describe(&mut self, described: SocketAddr) {
        if described != self.described {
            let previous = self.source();
            *self = Self { previous, ..Self::new(described) };
        }
    }

    /// Takes or refuses a valid packet's source.
    pub fn accept(&mut self, now: Instant, from: SocketAddr) -> bool {
        if self.locked {
            return self.source() == Some(from);
        }
        if from == self.described {
            self.candidate = Some((from, now));
            self.locked = true;
            return true;
        }
        match self.candidate {
            Some((candidate, since)) => {
                self.locked = now.saturating_duration_since(since) >= PROBATION;
                candidate == from
            }
            None if self.previous == Some(from) => true,
            None => {
                self.candidate = Some((from, now));
                true
            }
        }
    }

    /// Where the peer sends from, as far as known.
    pub fn source(&self) -> Option<SocketAddr> {
        self.candidate.map(|(source, _)| source)
    }

    /// Where to send: back to the source, or to the description until one is known.
    pub fn destination(&self) -> SocketAddr {
        self.source().unwrap_or(self.described)
    }
}

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

    /// Steps like `1@0 +` (port 1 at 0 ms is taken), `2@20 -` (refused), `sdp5` (a new description); SDP starts at 9.
    fn check(ladder: &str) {
        let address = |port: &str| SocketAddr::from(([192, 0, 2, 1], port.parse::<u16>().unwrap()));
        let start = crate::testing::any_instant();
        let mut latch = Latch::new(address("9"));
        for step in ladder.split(", ") {
            if let Some(port) = step.strip_prefix("sdp") {
                latch.describe(address(port));
                continue;
            }
            let (packet, taken) = step.split_once(' ').unwrap();
            let (port, at) = packet.split_once('@').unwrap();
            let now = start + Duration::from_millis(at.parse().unwrap());
            assert_eq!(latch.accept(now, address(port)), taken == "+", "{step} in {ladder}");
        }
    }

    #[test]
    fn the_first_source_is_kept_and_strangers_are_refused() {
        check("1@0 +, 2@20 -, 1@40 +, 2@900 -, 1@1000 +");
    }

    #[test]
    fn the_described_address_wins_during_probation_and_not_after() {
        check("1@0 +, 9@100 +, 1@120 -, 9@140 +");
        check("1@0 +, 1@600 +, 9@620 -, 1@640 +");
        check("9@0 +, 1@20 -");
    }

    #[test]
    fn a_moved_description_opens_the_latch_once_more() {
        check("9@0 +, 5@20 -, sdp5, 5@40 +, 9@60 -");
        check("9@0 +, sdp5, 9@40 +, 7@60 +, 9@80 -");
        check("9@0 +, sdp9, 5@20 -");
    }

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
