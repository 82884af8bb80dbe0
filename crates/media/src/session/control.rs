//! [`Control`]: the RTCP of a session: whither it goes, from whom it is taken, and under which keys.
//!
//! It is believed from where their RTP comes from (RFC 5761), from where their description says that they receive it
//! (RFC 3605), and from one place more: behind a NAT neither need be right, so the first other port of the address that their
//! RTP comes from is taken too, and then no second one. Reports go back to where a valid one came from.

use std::net::SocketAddr;
use std::time::Instant;

use rand_chacha::ChaCha12Rng;

use super::{MAX_PACKET, Route, StreamConfig, Transmit};
use crate::SAMPLE_RATE;
use crate::rtcp::{MAX_COMPOUND, Remote, Reporter, Sent};
use crate::rtp::Arrived;
use crate::srtp::{ControlProtector, ControlUnprotector, Keys, MAX_CONTROL_OVERHEAD, Refusal};

/// The longest protected packet taken.
const MAX_PROTECTED: usize = 1500;
const _: () = assert!(MAX_COMPOUND + MAX_CONTROL_OVERHEAD <= MAX_PACKET);

#[derive(Debug)]
pub(super) struct Control {
    reporter: Reporter,
    described: Option<SocketAddr>,
    source: Option<Source>,
    protection: Option<Box<Protection>>,
    /// The clock of what we send, in Hz.
    clock_rate: u32,
    ignored: u64,
    unauthentic: u64,
    replayed: u64,
}

/// Where theirs comes from, and their RTP at that time: when that moves, nothing is known any more.
#[derive(Debug, Clone, Copy)]
struct Source {
    rtcp: SocketAddr,
    rtp: SocketAddr,
}

#[derive(Debug)]
struct Protection {
    protector: ControlProtector,
    unprotector: ControlUnprotector,
}

impl Control {
    /// For the stream that we send under this SSRC.
    pub fn new(ssrc: u32, rng: &mut ChaCha12Rng) -> Self {
        Self {
            reporter: Reporter::new(ssrc, rng),
            described: None,
            source: None,
            protection: None,
            clock_rate: SAMPLE_RATE,
            ignored: 0,
            unauthentic: 0,
            replayed: 0,
        }
    }

    /// The stream was (re)negotiated. A key in use stays in use, with all that it remembers.
    pub fn configure(&mut self, now: Instant, stream: &StreamConfig) {
        self.reporter.start(now);
        self.clock_rate = stream.send.0.clock_rate();
        if self.described != stream.rtcp {
            self.described = stream.rtcp;
            self.source = None;
        }
        let Some(keys) = &stream.srtp else {
            self.protection = None;
            return;
        };
        let protection = self.protection.get_or_insert_with(|| Box::new(Protection::new(keys)));
        if *protection.protector.key() != keys.send {
            protection.protector = ControlProtector::new(keys.send.clone());
        }
        if *protection.unprotector.key() != keys.receive {
            protection.unprotector = ControlUnprotector::new(keys.receive.clone());
        }
    }

    /// Takes a datagram of RTCP; `rtp` is where their RTP comes from.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8], rtp: Option<SocketAddr>) {
        let mut space = [0; MAX_PROTECTED];
        let is_theirs = self.is_theirs(from, rtp);
        let opened = match &mut self.protection {
            _ if !is_theirs => Err(Refusal::Malformed),
            None => Ok(datagram),
            Some(protection) => protection.open(datagram, &mut space),
        };
        match opened {
            Ok(packet) if self.reporter.receive(now, packet) => {
                self.source = rtp.map(|rtp| Source { rtcp: from, rtp });
            }
            Ok(_) | Err(Refusal::Malformed) => self.ignored += 1,
            Err(Refusal::Unauthentic) => self.unauthentic += 1,
            Err(Refusal::Replayed) => self.replayed += 1,
        }
    }

    /// Whether it is worth calling [`Self::transmit`].
    pub fn may_report(&self, now: Instant) -> bool {
        self.reporter.may_report(now)
    }

    /// What is to be sent now: a report if one is due, or the last one of all.
    pub fn transmit(
        &mut self,
        now: Instant,
        route: Route<'_>,
        sent: Sent,
        arrived: Option<Arrived>,
        goodbye: bool,
    ) -> Option<Transmit> {
        let to = self.destination(route)?;
        let mut transmit = Transmit { to, ..Transmit::default() };
        let into = transmit.packet.first_chunk_mut()?;
        transmit.len = if goodbye {
            self.reporter.goodbye(now, sent, arrived, into)?
        } else {
            self.reporter.report(now, sent, arrived, into)?
        };
        if let Some(protection) = &mut self.protection {
            transmit.len = protection.protector.protect(&mut transmit.packet, transmit.len)?;
        }
        Some(transmit)
    }

    /// How we arrive at the other end, as they say.
    pub fn remote(&self) -> Option<Remote> {
        let remote = self.reporter.remote()?;
        // They count by the clock of what we send, and the reporter by that of a telephone.
        Some(Remote { jitter: remote.jitter / (self.clock_rate / SAMPLE_RATE), ..remote })
    }

    /// From strangers, or no RTCP after all.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Forged, damaged, or under another key.
    pub fn unauthentic(&self) -> u64 {
        self.unauthentic
    }

    /// Came twice, or too late to tell.
    pub fn replayed(&self) -> u64 {
        self.replayed
    }

    /// Whether RTCP from there is of the peer whose RTP comes from `rtp`.
    fn is_theirs(&self, from: SocketAddr, rtp: Option<SocketAddr>) -> bool {
        if Some(from) == rtp || Some(from) == self.described {
            return true;
        }
        let Some(rtp) = rtp else { return false };
        match self.source_beside(rtp) {
            Some(source) => from == source,
            None => from.ip() == rtp.ip(),
        }
    }

    /// Where theirs comes from while their RTP comes from there.
    fn source_beside(&self, rtp: SocketAddr) -> Option<SocketAddr> {
        self.source.filter(|source| source.rtp == rtp).map(|source| source.rtcp)
    }

    /// Back to where theirs comes from; until then to where they said, if their RTP is there too: behind a NAT it would
    /// reach somebody else.
    fn destination(&self, Route { config, to }: Route<'_>) -> Option<SocketAddr> {
        let described = config.rtcp?;
        let known = if described == config.remote { Some(to) } else { self.source_beside(to) };
        let to = known.or((to == config.remote).then_some(described))?;
        (to.port() != 0 && !to.ip().is_unspecified()).then_some(to)
    }
}

impl Protection {
    fn new(keys: &Keys) -> Self {
        Self {
            protector: ControlProtector::new(keys.send.clone()),
            unprotector: ControlUnprotector::new(keys.receive.clone()),
        }
    }

    fn open<'a>(&mut self, datagram: &[u8], space: &'a mut [u8]) -> Result<&'a [u8], Refusal> {
        let packet = space.get_mut(..datagram.len()).ok_or(Refusal::Malformed)?;
        packet.copy_from_slice(datagram);
        let len = self.unprotector.unprotect(packet)?;
        packet.get(..len).ok_or(Refusal::Malformed)
    }
}

#[cfg(test)]
mod tests;
