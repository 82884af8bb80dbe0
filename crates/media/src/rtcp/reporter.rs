//! [`Reporter`]: the RTCP of one stream, ours and theirs.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::schedule::Schedule;
use super::write::{CNAME_LEN, MAX_COMPOUND, Report, write};
use super::{Compound, Packet, ReportBlock, SenderInfo, middle, ntp};
use crate::SAMPLE_RATE;
use crate::rtp::Arrived;

/// Letters of a name, one for each 6 bits (RFC 4648 §4).
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// A longer round trip is a lie.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(10);

/// What we have sent so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    /// Packets.
    pub packets: u64,
    /// Bytes of payload.
    pub octets: u64,
    /// The RTP timestamp that belongs to now.
    pub timestamp: u32,
}

/// How we arrive at the other end, as their latest report says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Remote {
    /// There and back, once they have seen a report of ours.
    pub round_trip: Option<Duration>,
    /// Share of our packets that they lost of late.
    pub loss: f32,
    /// Packets of ours that they lost in all.
    pub lost: i32,
    /// Their interarrival jitter.
    pub jitter: Duration,
}

/// Decides when to report, and reads what they report.
#[derive(Debug)]
pub struct Reporter {
    ssrc: u32,
    cname: [u8; CNAME_LEN],
    rng: ChaCha12Rng,
    /// When the stream began, and when reports leave; `None` until it has.
    clock: Option<(Instant, Schedule)>,
    has_reported: bool,
    /// Packets that we had sent at our latest report, and at the one before it.
    sent_before: [u64; 2],
    /// What had arrived at our latest report.
    arrived_before: Option<Arrived>,
    /// Who sent the latest SR, the middle of its time, and when it came.
    their_report: Option<(u32, u32, Instant)>,
    remote: Option<Remote>,
}

impl Reporter {
    /// For the stream with this SSRC. Draws a name for it (RFC 7022 §4.2: a new one for each call).
    pub fn new(ssrc: u32, rng: &mut ChaCha12Rng) -> Self {
        let cname = std::array::from_fn(|_| LETTERS[rng.next_u32() as usize % LETTERS.len()]);
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Self {
            ssrc,
            cname,
            rng: ChaCha12Rng::from_seed(seed),
            clock: None,
            has_reported: false,
            sent_before: [0; 2],
            arrived_before: None,
            their_report: None,
            remote: None,
        }
    }

    /// The stream begins, if it has not yet.
    pub fn start(&mut self, now: Instant) {
        if self.clock.is_none() {
            self.clock = Some((now, Schedule::new(now, self.rng.clone())));
        }
    }

    /// Takes what they sent. False if it is no compound packet.
    pub fn receive(&mut self, now: Instant, datagram: &[u8]) -> bool {
        let Some(compound) = Compound::parse(datagram) else { return false };
        for packet in compound {
            match packet {
                // RFC 3550 §8.2: our own packets come back where a network loops.
                Packet::SenderReport { ssrc, .. } | Packet::ReceiverReport { ssrc, .. } if ssrc == self.ssrc => {}
                Packet::SenderReport { ssrc, info, blocks } => {
                    self.their_report = Some((ssrc, middle(info.ntp), now));
                    blocks.for_each(|block| self.read(now, block));
                }
                Packet::ReceiverReport { blocks, .. } => blocks.for_each(|block| self.read(now, block)),
                Packet::Goodbye(mut sources) => {
                    self.their_report = self.their_report.filter(|(ssrc, ..)| sources.all(|gone| gone != *ssrc));
                }
                Packet::Description(_) | Packet::Other(_) => {}
            }
        }
        true
    }

    /// Whether it is worth calling [`Self::report`].
    pub fn may_report(&self, now: Instant) -> bool {
        self.clock.as_ref().is_some_and(|(_, schedule)| schedule.may_be_due(now))
    }

    /// Writes a report if one is due; gives its length.
    pub fn report(
        &mut self,
        now: Instant,
        sent: Sent,
        arrived: Option<Arrived>,
        into: &mut [u8; MAX_COMPOUND],
    ) -> Option<usize> {
        let (_, schedule) = self.clock.as_mut()?;
        schedule.is_due(now).then(|| self.write(now, sent, arrived, false, into))
    }

    /// Writes the last report; gives its length. `None` when nothing ever left (RFC 3550 §6.3.7).
    pub fn goodbye(
        &mut self,
        now: Instant,
        sent: Sent,
        arrived: Option<Arrived>,
        into: &mut [u8; MAX_COMPOUND],
    ) -> Option<usize> {
        (sent.packets > 0 || self.has_reported).then(|| self.write(now, sent, arrived, true, into))
    }

    /// How we arrive at the other end.
    pub fn remote(&self) -> Option<Remote> {
        self.remote
    }

    fn write(
        &mut self,
        now: Instant,
        sent: Sent,
        arrived: Option<Arrived>,
        goodbye: bool,
        into: &mut [u8; MAX_COMPOUND],
    ) -> usize {
        // RFC 3550 §6.4: an SR if anything was sent since the report before the last.
        let sender = (sent.packets > self.sent_before[0]).then(|| SenderInfo {
            ntp: self.time(now),
            timestamp: sent.timestamp,
            packets: sent.packets as u32,
            octets: sent.octets as u32,
        });
        let block = arrived.and_then(|arrived| self.block(now, arrived));
        self.sent_before = [self.sent_before[1], sent.packets];
        self.arrived_before = arrived;
        self.has_reported = true;
        write(&Report { ssrc: self.ssrc, sender, block, cname: &self.cname, goodbye }, into)
    }

    /// Nothing of a source that was silent since our latest report.
    fn block(&self, now: Instant, arrived: Arrived) -> Option<ReportBlock> {
        let before = self.arrived_before.filter(|before| before.is_before(&arrived));
        let (expected_before, received_before) = before.map_or((0, 0), |before| (before.expected, before.received));
        let received = arrived.received - received_before;
        if received == 0 {
            return None;
        }
        // RFC 3550 §A.3.
        let expected = arrived.expected - expected_before;
        let fraction = (expected.saturating_sub(received) << 8) / expected.max(1);
        let lost = arrived.expected as i64 - arrived.received as i64;
        let report = self.their_report.filter(|(ssrc, ..)| *ssrc == arrived.ssrc);
        Some(ReportBlock {
            ssrc: arrived.ssrc,
            fraction_lost: fraction.min(255) as u8,
            lost: lost.clamp(-0x80_0000, 0x7F_FFFF) as i32,
            highest: arrived.highest,
            jitter: arrived.jitter,
            last_sr: report.map_or(0, |(_, middle, _)| middle),
            since_last_sr: report.map_or(0, |(.., at)| middle(ntp(now.saturating_duration_since(at)))),
        })
    }

    fn read(&mut self, now: Instant, block: ReportBlock) {
        if block.ssrc != self.ssrc {
            return;
        }
        self.remote = Some(Remote {
            round_trip: self.round_trip(now, block).or(self.remote.and_then(|remote| remote.round_trip)),
            loss: f32::from(block.fraction_lost) / 256.0,
            lost: block.lost,
            jitter: Duration::from_micros(u64::from(block.jitter) * 1_000_000 / u64::from(SAMPLE_RATE)),
        });
    }

    /// RFC 3550 §6.4.1: since our report left, less what they held it.
    fn round_trip(&self, now: Instant, block: ReportBlock) -> Option<Duration> {
        if block.last_sr == 0 {
            return None;
        }
        let units = middle(self.time(now)).wrapping_sub(block.last_sr).wrapping_sub(block.since_last_sr) as i32;
        // Clocks that count a little differently may make it negative.
        let time = Duration::from_nanos(u64::from(units.max(0).unsigned_abs()) * 1_000_000_000 / 65_536);
        (units > -65_536 && time <= MAX_ROUND_TRIP).then_some(time)
    }

    fn time(&self, now: Instant) -> u64 {
        ntp(self.clock.as_ref().map_or(Duration::ZERO, |(start, _)| now.saturating_duration_since(*start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::SenderInfo;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    struct End {
        start: Instant,
        reporter: Reporter,
    }

    impl End {
        fn new(ssrc: u32) -> Self {
            let start = crate::testing::any_instant();
            let mut reporter = Reporter::new(ssrc, &mut ChaCha12Rng::from_seed([ssrc as u8; 32]));
            reporter.start(start);
            Self { start, reporter }
        }

        /// The report due within 10 s of `at` (ms), and when it left.
        fn report(&mut self, at: u64, packets: u64, arrived: Option<Arrived>) -> (u64, Vec<u8>) {
            for at in (at..at + 10_000).step_by(20) {
                let sent = Sent { packets, octets: packets * 160, timestamp: at as u32 * 8 };
                let mut into = [0; MAX_COMPOUND];
                if let Some(len) = self.reporter.report(self.start + ms(at), sent, arrived, &mut into) {
                    return (at, into[..len].to_vec());
                }
            }
            panic!("no report");
        }

        fn receive(&mut self, at: u64, datagram: &[u8]) -> bool {
            self.reporter.receive(self.start + ms(at), datagram)
        }
    }

    fn arrived(ssrc: u32, expected: u64, received: u64) -> Option<Arrived> {
        Some(Arrived { ssrc, highest: expected as u32, expected, received, jitter: 80 })
    }

    fn block(report: &[u8]) -> Option<ReportBlock> {
        match Compound::parse(report).unwrap().next() {
            Some(Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. }) => blocks.last(),
            other => panic!("{other:?}"),
        }
    }

    fn sender(report: &[u8]) -> Option<SenderInfo> {
        match Compound::parse(report).unwrap().next() {
            Some(Packet::SenderReport { info, .. }) => Some(info),
            _ => None,
        }
    }

    // RFC 3550 §6.4.1.
    #[test]
    fn the_round_trip_is_known_once_they_have_seen_a_report_of_ours() {
        let (mut we, mut they) = (End::new(1), End::new(2));
        let (left, report) = we.report(0, 50, None);
        assert!(they.receive(left + 30, &report));
        let (answered, report) = they.report(left + 30, 50, arrived(1, 50, 50));
        assert!(we.receive(answered + 45, &report));
        let remote = we.reporter.remote().unwrap();
        let round_trip = remote.round_trip.unwrap().as_millis();
        assert!((74..=76).contains(&round_trip), "{round_trip}");
        assert_eq!((remote.loss, remote.lost, remote.jitter), (0.0, 0, ms(10)));
        assert_eq!(they.reporter.remote(), None, "nobody has told them yet");
    }

    // RFC 3550 §6.4.1, §A.3.
    #[test]
    fn loss_is_told_of_the_time_since_the_latest_report() {
        let mut we = End::new(1);
        let (at, report) = we.report(0, 0, arrived(2, 100, 75));
        let first = block(&report).unwrap();
        assert_eq!((first.ssrc, first.fraction_lost, first.lost, first.highest, first.jitter), (2, 64, 25, 100, 80));
        assert_eq!((first.last_sr, first.since_last_sr), (0, 0));
        let (at, report) = we.report(at, 0, arrived(2, 200, 175));
        assert_eq!(block(&report).map(|b| (b.fraction_lost, b.lost)), Some((0, 25)));
        let (at, report) = we.report(at, 0, arrived(2, 300, 285));
        assert_eq!(block(&report).map(|b| (b.fraction_lost, b.lost)), Some((0, 15)), "late ones came after all");
        let (at, report) = we.report(at, 0, arrived(2, 300, 285));
        assert_eq!(block(&report), None, "nothing came since");
        let (_, report) = we.report(at, 0, arrived(3, 10, 20));
        assert_eq!(block(&report).map(|b| (b.ssrc, b.fraction_lost, b.lost)), Some((3, 0, -10)), "another source");
    }

    // RFC 3550 §6.4.
    #[test]
    fn who_sent_nothing_for_two_reports_is_no_sender() {
        let mut we = End::new(1);
        let mut at = 0;
        let kinds: Vec<bool> = [0, 10, 10, 10, 20]
            .map(|packets| {
                let (left, report) = we.report(at, packets, None);
                at = left;
                sender(&report).is_some()
            })
            .to_vec();
        assert_eq!(kinds, [false, true, true, false, true]);
        let (left, report) = we.report(at, 21, None);
        let info = sender(&report).unwrap();
        assert_eq!((info.packets, info.octets, info.timestamp), (21, 21 * 160, left as u32 * 8));
        assert_eq!(info.ntp >> 32, left / 1000);
    }

    // RFC 3550 §6.3.7, §6.6.
    #[test]
    fn goodbye_is_said_only_by_those_who_were_heard() {
        let mut we = End::new(1);
        let mut into = [0; MAX_COMPOUND];
        let now = we.start;
        assert_eq!(we.reporter.goodbye(now, Sent::default(), None, &mut into), None);
        let sent = Sent { packets: 1, ..Sent::default() };
        let len = we.reporter.goodbye(now, sent, None, &mut into).unwrap();
        assert!(matches!(Compound::parse(&into[..len]).unwrap().last(), Some(Packet::Goodbye(_))));
    }

    // RFC 3550 §6.3.4.
    #[test]
    fn after_their_goodbye_their_reports_are_not_answered() {
        let (mut we, mut they) = (End::new(1), End::new(2));
        let (left, report) = they.report(0, 50, None);
        assert!(we.receive(left, &report));
        let (at, report) = we.report(left, 0, arrived(2, 10, 10));
        assert_ne!(block(&report).unwrap().last_sr, 0);
        let mut bye = [0; MAX_COMPOUND];
        let len = they.reporter.goodbye(they.start, Sent { packets: 50, ..Sent::default() }, None, &mut bye).unwrap();
        assert!(we.receive(at, &bye[..len]));
        let (_, report) = we.report(at, 0, arrived(2, 20, 20));
        assert_eq!(block(&report).unwrap().last_sr, 0);
    }

    #[test]
    fn reports_of_ourselves_and_lies_about_time_are_passed_over() {
        let mut we = End::new(1);
        let (at, ours) = we.report(0, 50, arrived(1, 9, 9));
        assert!(we.receive(at, &ours));
        assert_eq!(we.reporter.remote(), None, "our own report came back");
        let cname = b"0123456789abcdef";
        for (last_sr, since_last_sr) in [(1, 0x8000_0000), (u32::MAX, 0), (0x8000_0000, 1), (1, u32::MAX)] {
            let lie = ReportBlock { ssrc: 1, last_sr, since_last_sr, ..ReportBlock::default() };
            let report = Report { ssrc: 2, sender: None, block: Some(lie), cname, goodbye: false };
            let mut into = [0; MAX_COMPOUND];
            let len = write(&report, &mut into);
            assert!(we.receive(at + 20_000, &into[..len]));
            assert_eq!(we.reporter.remote().unwrap().round_trip, None, "{last_sr:#x} {since_last_sr:#x}");
        }
        assert!(!we.receive(at, b"hello"));
    }
}
