//! [`Mirror`]: what they send goes back as it comes, which is what the echo route does.
//!
//! A packet of theirs becomes one of ours with its payload, marker and distance in time from the one before; source, sequence
//! numbers and the beginning of time are our own. Nothing waits: what the network did to their packets can be heard.

use std::time::{Duration, Instant};

use crate::codec::{Codec, Decoder};
use crate::rtp::Packet;

/// So long after the latest packet of theirs one of silence leaves, so that the path back stays open (RFC 6263).
const QUIET: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Mirror {
    decoder: Decoder,
    /// Their source, and what its timestamps are less than ours.
    source: Option<(u32, u32)>,
    /// When a packet left last.
    latest: Option<Instant>,
}

impl Mirror {
    /// For a stream of which a packet left then.
    pub fn new(latest: Option<Instant>) -> Self {
        Self { decoder: Decoder::default(), source: None, latest }
    }

    /// A packet leaves.
    pub fn note(&mut self, now: Instant) {
        self.latest = Some(now);
    }

    /// How long nothing but what they send is to be sent.
    pub fn rests_until(&self) -> Option<Instant> {
        self.latest.map(|latest| latest + QUIET)
    }

    /// Our timestamp of a packet of theirs, where `now` is ours of this moment.
    pub fn timestamp(&mut self, packet: &Packet<'_>, now: u32) -> u32 {
        let offset = match self.source {
            Some((ssrc, offset)) if ssrc == packet.ssrc => offset,
            _ => now.wrapping_sub(packet.timestamp),
        };
        self.source = Some((packet.ssrc, offset));
        packet.timestamp.wrapping_add(offset)
    }

    /// What a payload of theirs sounds like; gives how many samples.
    pub fn decode(&mut self, codec: Codec, payload: &[u8], samples: &mut [i16]) -> usize {
        self.decoder.decode(codec, payload, samples)
    }
}
