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
    /// Their latest two sources, for keys may have one of their own, and what the timestamps of each are less than ours.
    sources: [Option<(u32, u32)>; 2],
    /// When a packet left last.
    latest: Option<Instant>,
}

impl Mirror {
    /// For a stream of which a packet left then.
    pub fn new(latest: Option<Instant>) -> Self {
        Self { decoder: Decoder::default(), sources: [None; 2], latest }
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
        let known = self.sources.iter().flatten().find(|(ssrc, _)| *ssrc == packet.ssrc);
        let offset = known.map_or(now.wrapping_sub(packet.timestamp), |(_, offset)| *offset);
        if self.sources[0].is_none_or(|(ssrc, _)| ssrc != packet.ssrc) {
            self.sources = [Some((packet.ssrc, offset)), self.sources[0]];
        }
        packet.timestamp.wrapping_add(offset)
    }

    /// What a payload of theirs sounds like; gives how many samples.
    pub fn decode(&mut self, codec: Codec, payload: &[u8], samples: &mut [i16]) -> usize {
        self.decoder.decode(codec, payload, samples)
    }
}
