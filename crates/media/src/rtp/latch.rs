//! [`Latch`]: whose packets are the peer's.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

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
}
