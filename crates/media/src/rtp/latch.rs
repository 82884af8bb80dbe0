//! [`Latch`]: whose packets are the peer's.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Packet;

/// Packets in order that prove a source which nobody described, whatever its timestamps say.
const PROOF: u32 = 4;
/// No proof takes less, however many packets: who probes our ports sends a few to each at once.
const PROOF_TIME: Duration = Duration::from_millis(50);
/// What timestamps may be off by, and that share of the time besides, when they go on as fast as time does.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(20);
const CLOCK_SHARE: u32 = 8;
/// A source that has not gone on for so long gives way to another.
const PATIENCE: Duration = Duration::from_millis(60);
/// Packets that may be lost, or overtaken, among those in order.
const MAX_GAP: u16 = 8;
/// When a description moves, packets may be on the way for so long from where the peer was.
const MOVE: Duration = Duration::from_millis(500);

/// Symmetric RTP (RFC 4961): learns where the peer really sends from, then listens to nobody else.
///
/// Where the description says is right as soon as a packet comes from there, whoever was heard before: signalling is
/// trusted, and a port that is open to all is not. But behind a NAT nothing ever comes from there (RFC 7362 §4). So while
/// the described address is silent another source is taken once it has proved itself: then it is heard, what it sent since it
/// began to prove that included, and sent to. Until then nobody hears it and our sound goes where it was described, so that
/// who only tries the port is neither heard nor sent to (RFC 7362 §5). After that it is kept until something comes from the
/// described address or the description moves.
///
/// A packet that was authenticated is proof at once. So is one in order whose timestamp is later by as much as the packet
/// is: after 60 ms where packets are of 10, 20, 30 or 60 ms, and with the second where they are longer or announce a
/// pause. Who comes back to our ports in turn keeps no such time. Peers with a clock of their own, and digits, which keep
/// their first timestamp, are proved by their number.
///
/// What remains: a stranger who sends a whole stream gets our sound while the peer sends none. Who cannot have that wants
/// SRTP.
#[derive(Debug)]
pub struct Latch {
    described: SocketAddr,
    /// Source from before the description changed, and until when it is heard, unless another is taken; it is not sent to.
    previous: Option<(SocketAddr, Instant)>,
    state: State,
}

/// By what a packet can prove to be the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// An authentication tag, which was right (RFC 3711 §4.2).
    Tag,
    /// That it goes on as a stream does.
    Stream {
        /// Of its timestamps, in Hz.
        clock_rate: u32,
    },
}

/// What is to become of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is heard.
    Taken,
    /// It is heard, and so are those of its source that are pending.
    Proved,
    /// It is heard once its source has proved itself.
    Pending,
    /// It is not heard.
    Refused,
}

#[derive(Debug)]
enum State {
    /// Nobody has come since the description.
    Open,
    /// Neither heard nor sent to yet.
    Candidate(Candidate),
    /// Heard alone, and sent to.
    Latched(SocketAddr),
}

/// A source that nobody described.
#[derive(Debug)]
struct Candidate {
    source: SocketAddr,
    ssrc: u32,
    /// Of its latest packet in order.
    sequence: u16,
    /// Packets in order; the timestamp of the first of them, and when it came.
    run: u32,
    timestamp: u32,
    since: Instant,
    /// When it went on last.
    latest: Instant,
}

impl Latch {
    /// Opens for the peer described at `described`.
    pub fn new(described: SocketAddr) -> Self {
        Self { described, previous: None, state: State::Open }
    }

    /// A description came: opens again if it moved the address.
    pub fn describe(&mut self, now: Instant, described: SocketAddr) {
        if described != self.described {
            let heard = self.source().or(self.previous.map(|(source, _)| source));
            *self = Self { previous: heard.map(|source| (source, now + MOVE)), ..Self::new(described) };
        }
    }

    /// What becomes of a packet of a payload type that was agreed on, which came from there.
    pub fn accept(&mut self, now: Instant, from: SocketAddr, packet: &Packet<'_>, evidence: Evidence) -> Admission {
        if from == self.described {
            self.state = State::Latched(from);
            return Admission::Taken;
        }
        let is_previous = self.previous.is_some_and(|(source, until)| source == from && now < until);
        match &mut self.state {
            State::Latched(source) if *source == from => Admission::Taken,
            State::Latched(_) => Admission::Refused,
            State::Open | State::Candidate(_) if is_previous => Admission::Taken,
            // RFC 3264 §8.4: held by 0.0.0.0, and nobody else is expected before the peer says where it is.
            State::Open | State::Candidate(_) if self.described.ip().is_unspecified() => Admission::Refused,
            State::Candidate(candidate) if candidate.source == from => {
                let admission = candidate.hear(now, packet, evidence);
                if admission == Admission::Proved {
                    self.state = State::Latched(from);
                }
                admission
            }
            State::Candidate(candidate) if !candidate.gives_way(now) => Admission::Refused,
            State::Open | State::Candidate(_) if evidence == Evidence::Tag => {
                self.state = State::Latched(from);
                Admission::Taken
            }
            State::Open | State::Candidate(_) => {
                self.state = State::Candidate(Candidate::new(now, from, packet));
                Admission::Pending
            }
        }
    }

    /// Where the peer sends from, once that is known.
    pub fn source(&self) -> Option<SocketAddr> {
        match self.state {
            State::Latched(source) => Some(source),
            State::Open | State::Candidate(_) => None,
        }
    }

    /// Where to send: back to the source, or to the description until one is known.
    pub fn destination(&self) -> SocketAddr {
        self.source().unwrap_or(self.described)
    }
}

impl Candidate {
    fn new(now: Instant, source: SocketAddr, packet: &Packet<'_>) -> Self {
        let Packet { ssrc, sequence, timestamp, .. } = *packet;
        Self { source, ssrc, sequence, run: 1, timestamp, since: now, latest: now }
    }

    /// Another packet of it came: whether it proves the source.
    fn hear(&mut self, now: Instant, packet: &Packet<'_>, evidence: Evidence) -> Admission {
        let clock_rate = match evidence {
            Evidence::Tag => return Admission::Proved,
            Evidence::Stream { clock_rate } => clock_rate,
        };
        let step = packet.sequence.wrapping_sub(self.sequence) as i16;
        if packet.ssrc != self.ssrc || step.unsigned_abs() > MAX_GAP {
            *self = Self { latest: self.latest, ..Self::new(now, self.source, packet) };
            return Admission::Pending;
        }
        if step <= 0 {
            // Overtaken, or sent twice.
            return Admission::Pending;
        }
        self.sequence = packet.sequence;
        self.run += 1;
        self.latest = now;
        let passed = now.saturating_duration_since(self.since);
        let goes_on = self.run >= PROOF || self.keeps_time(passed, packet.timestamp, clock_rate);
        if passed >= PROOF_TIME && goes_on { Admission::Proved } else { Admission::Pending }
    }

    /// Whether the timestamp is later than the first by the time that has passed.
    fn keeps_time(&self, passed: Duration, timestamp: u32, clock_rate: u32) -> bool {
        let ticks = u64::from(timestamp.wrapping_sub(self.timestamp));
        let told = Duration::from_micros(ticks * 1_000_000 / u64::from(clock_rate));
        told.abs_diff(passed) <= CLOCK_TOLERANCE + passed / CLOCK_SHARE
    }

    fn gives_way(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.latest) >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SAMPLE_RATE;

    /// Steps like `1@0 ~` (a packet of port 1 at 0 ms is pending), `1@60 +` (heard, and sent to from now on), `1@70 =` (heard and
    /// not sent to), `2@20 -` (refused), `sdp5` (a new description, `sdp0` one of 0.0.0.0); the description starts at 9. Each port counts its packets, all of `ptime_ms` by their
    /// timestamps; `1*5@20` is its packet 5, `1/7@20` one of SSRC 7.
    fn check_by(evidence: Evidence, ptime_ms: u32, ladder: &str) {
        let address = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        let start = crate::testing::any_instant();
        let mut now = start;
        let mut latch = Latch::new(address(9));
        let mut sent = [0u16; 10];
        for step in ladder.split(", ") {
            if let Some(port) = step.strip_prefix("sdp") {
                let port = port.parse().unwrap();
                let nowhere = SocketAddr::from(([0; 4], 9));
                latch.describe(now, if port == 0 { nowhere } else { address(port) });
                continue;
            }
            let (packet, outcome) = step.split_once(' ').unwrap();
            let (packet, at) = packet.split_once('@').unwrap();
            let (packet, ssrc) = packet.split_once('/').unwrap_or((packet, "0"));
            let (port, number) = packet.split_once('*').map_or((packet, None), |(port, number)| (port, Some(number)));
            let port: u16 = port.parse().unwrap();
            let count = &mut sent[usize::from(port)];
            *count = number.map_or(*count + 1, |number| number.parse().unwrap());
            let ticks = u32::from(*count) * ptime_ms * (SAMPLE_RATE / 1000);
            let packet = Packet {
                marker: false,
                payload_type: 0,
                // Both wraps are among them.
                sequence: count.wrapping_sub(3),
                timestamp: ticks.wrapping_sub(300),
                ssrc: ssrc.parse().unwrap(),
                payload: &[],
            };
            now = start + Duration::from_millis(at.parse().unwrap());
            let admission = latch.accept(now, address(port), &packet, evidence);
            let is_sent_to = latch.destination() == address(port);
            let found = match admission {
                Admission::Refused => "-",
                Admission::Pending => "~",
                Admission::Taken | Admission::Proved if !is_sent_to => "=",
                Admission::Taken | Admission::Proved => "+",
            };
            assert_eq!(found, outcome, "{step} in {ladder}, packets of {ptime_ms} ms");
        }
    }

    /// A telephone's packets.
    fn check_of(ptime_ms: u32, ladder: &str) {
        check_by(Evidence::Stream { clock_rate: SAMPLE_RATE }, ptime_ms, ladder);
    }

    fn check(ladder: &str) {
        check_of(20, ladder);
    }

    // RFC 7362 §4.
    #[test]
    fn behind_a_nat_the_first_source_is_heard_and_sent_to_after_60_ms() {
        check("1@0 ~, 1@20 ~, 1@40 ~, 1@60 +, 2@80 -, 1@900 +, 2@920 -, 1@9999 +");
        check("1@0 ~, 1@25 ~, 1@33 ~, 1@58 +");
        check_of(10, "1@0 ~, 1@10 ~, 1@20 ~, 1@30 ~, 1@40 ~, 1@50 +");
        check_of(30, "1@0 ~, 1@30 ~, 1@60 +");
        check_of(40, "1@0 ~, 1@40 ~, 1@80 +");
        check_of(60, "1@0 ~, 1@60 +");
        check_of(60, "1@0 ~, 1@80 +");
        check_of(60, "1@0 ~, 1@45 ~, 1@105 +");
    }

    // RFC 3389 §4.
    #[test]
    fn who_announces_a_pause_is_heard_with_the_second_packet() {
        check_of(200, "1@0 ~, 1@200 +");
        check_of(5000, "1@0 ~, 1@5300 +");
        check_of(200, "1@0 ~, 2@100 ~, 1@200 ~, 1@400 +");
    }

    #[test]
    fn timestamps_that_do_not_go_on_with_time_are_made_up_for_by_their_number() {
        check("1@0 ~, 1@60 ~, 1@120 ~, 1@180 +");
        check("1@0 ~, 1@200 ~, 1@400 ~, 1@600 +");
        // Digits.
        check_of(0, "1@0 ~, 1@20 ~, 1@40 ~, 1@60 +");
        // The clock of Opus.
        check_by(Evidence::Stream { clock_rate: 48_000 }, 360, "1@0 ~, 1@60 +");
        check_by(Evidence::Stream { clock_rate: 48_000 }, 60, "1@0 ~, 1@60 ~, 1@120 ~, 1@180 +");
    }

    #[test]
    fn lost_overtaken_and_repeated_packets_prove_as_much() {
        check("1@0 ~, 1*4@60 +");
        check("1@0 ~, 1*3@40 ~, 1*2@41 ~, 1*3@42 ~, 1*4@49 ~, 1*5@80 +");
        check_of(0, "1@0 ~, 1*4@60 ~, 1*3@61 ~, 1*4@62 ~, 1*5@80 ~, 1*6@100 +");
    }

    // RFC 3711 §4.2.
    #[test]
    fn who_is_authenticated_is_heard_and_sent_to_at_once() {
        let check = |ladder| check_by(Evidence::Tag, 20, ladder);
        check("1@0 +, 2@20 -, 9@40 +, 1@60 -");
        check("9@0 +, sdp5, 9@20 =, 7@40 +, 9@60 -, 5@80 +");
    }

    // RFC 7362 §5.
    #[test]
    fn who_probes_the_port_is_neither_heard_nor_sent_anything() {
        check("1@0 ~, 1@1 ~, 1@2 ~, 1@3 ~, 1@4 ~");
        check("1@0 ~, 1@60 ~, 1@120 ~");
        check("1@0 ~, 1@1000 ~, 1@2000 ~");
        check("1@0 ~, 1*50@20 ~, 1*99@40 ~, 1*150@60 ~, 1*199@80 ~, 1*250@100 ~");
        check("1@0 ~, 1/1@20 ~, 1/2@40 ~, 1/3@60 ~, 1/4@80 ~, 1/4@100 ~, 1/4@120 ~, 1/4@140 +");
    }

    #[test]
    fn a_probe_that_came_first_keeps_nobody_waiting_for_long() {
        check("1@0 ~, 2@10 -, 2@30 -, 2@50 -, 2@70 ~, 2@90 ~, 2@110 ~, 2@130 +, 1@140 -");
        // A source that goes on does not give way to another.
        check("1@0 ~, 2@10 -, 1@20 ~, 2@30 -, 1@40 ~, 2@50 -, 1@60 +, 2@200 -");
        // One that comes again and again out of order does.
        check("1@0 ~, 2@10 -, 1*50@50 ~, 2@61 ~, 1*99@70 -, 2@81 ~, 2@101 ~, 2@121 +");
    }

    #[test]
    fn the_described_address_wins_whenever_it_sends() {
        check("9@0 +, 1@20 -, 9@9999 +, 1@99999 -");
        check("1@0 ~, 9@100 +, 1@120 -, 9@140 +");
        check("1@0 ~, 1@20 ~, 1@40 ~, 1@60 +, 9@9999 +, 1@10010 -, 9@10020 +");
    }

    #[test]
    fn a_moved_description_opens_the_latch_once_more() {
        check("9@0 +, 5@20 -, sdp5, 5@40 +, 9@60 -");
        check("9@0 +, sdp5, 9@40 =, 9@60 =, 9@80 =, 9@100 =, 7@120 ~, 9@140 =, 7@140 ~, 7@160 ~, 7@180 +, 9@190 -");
        check("9@0 +, sdp9, 5@20 -");
    }

    // RFC 3264 §8.4.
    #[test]
    fn who_comes_while_the_description_names_no_address_is_nobody() {
        check("9@0 +, sdp0, 9@20 =, 2@40 -, 2@60 -, 2@80 -, 2@100 -, 9@600 -, sdp9, 2@620 ~, 9@640 +");
        check("1@0 ~, 1*4@60 +, sdp0, 2@80 -, 2@100 -, 2@120 -, 2@140 -, sdp9, 2@160 ~, 1@180 =");
    }

    #[test]
    fn who_goes_on_from_where_it_was_although_the_description_moved_is_sent_to_again() {
        check("1@0 ~, 1*4@60 +, sdp5, 1@80 =, 1@540 =, 1@560 ~, 1@580 ~, 1@600 ~, 1@620 +, 5@640 +");
        // Held and resumed.
        check("1@0 ~, 1*4@60 +, sdp5, sdp9, 1@80 =, 1@540 =, 1@560 ~, 1@580 ~, 1@600 ~, 1@620 +");
        // Whoever only tries the port shuts nobody out, nor is it heard after a description because it came before.
        check("1@0 ~, 1*4@60 +, sdp5, 1@80 =, 2@85 ~, 1@100 =, 2@105 ~");
        check("1@0 ~, sdp5, 1@80 ~");
    }
}
