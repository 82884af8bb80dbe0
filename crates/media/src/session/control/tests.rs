//! Two sessions and their reports, on a network that takes its time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::rtcp::{Compound, Packet, is_rtcp};
use crate::srtp::{Keys, MasterKey, Suite};
use crate::{Config, FRAME_DURATION, MediaSession, Order, Statistics, StreamConfig, Transmit, ear};

const HOSTS: [&str; 2] = ["192.0.2.1", "192.0.2.2"];
const RTP: u16 = 4000;
const ONE_WAY: Duration = Duration::from_millis(40);
/// Of a source that has nothing to tell.
const REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 9];

struct Call {
    now: Instant,
    ends: [MediaSession; 2],
    /// When, to whom, from where, what.
    on_the_way: Vec<(Instant, usize, SocketAddr, Vec<u8>)>,
    /// RTCP that each end sent: whither, and what.
    reports: [Vec<(SocketAddr, Vec<u8>)>; 2],
    /// From which port RTCP comes.
    rtcp_from: u16,
    /// One packet of RTP in so many is lost on the way to the first end.
    lose_every: u32,
    /// So much later every other packet of RTP comes.
    wobble: Duration,
    heard: u32,
}

fn address(end: usize, port: u16) -> SocketAddr {
    SocketAddr::new(HOSTS[end].parse().unwrap(), port)
}

fn stream(end: usize, rtcp: Option<u16>) -> StreamConfig {
    StreamConfig { rtcp: rtcp.map(|port| address(1 - end, port)), ..StreamConfig::pcmu(address(1 - end, RTP)) }
}

fn keys(suite: Suite, end: usize) -> Keys {
    let key = |first| MasterKey::new(suite, &vec![first; suite.key_len() + suite.salt_len()]).unwrap();
    let [send, receive] = [[1, 2], [2, 1]][end].map(key);
    Keys { send, receive }
}

impl Call {
    /// Ends that describe their RTCP at this port.
    fn new(rtcp: Option<u16>) -> Self {
        let now = crate::testing::any_instant();
        let ear = ear::Config { dtmf: false, progress: false, voice: false };
        let ends = [1, 2].map(|seed| MediaSession::new(now, Config { ear, audio: true, record: false }, [seed; 32]));
        let mut call = Self {
            now,
            ends,
            on_the_way: Vec::new(),
            reports: Default::default(),
            rtcp_from: rtcp.unwrap_or(RTP),
            lose_every: u32::MAX,
            wobble: Duration::ZERO,
            heard: 0,
        };
        for end in 0..2 {
            call.configure(end, stream(end, rtcp));
        }
        call
    }

    fn configure(&mut self, end: usize, stream: StreamConfig) {
        self.ends[end].order(self.now, Order::Configure(stream));
    }

    fn run(&mut self, seconds: u32) {
        for _ in 0..seconds * 50 {
            for end in 0..2 {
                self.ends[end].handle_timeout(self.now);
                self.send(end);
                while self.ends[end].poll_event().is_some() {}
            }
            self.now += FRAME_DURATION;
            let (due, later) = self.on_the_way.drain(..).partition(|(at, ..)| *at <= self.now);
            self.on_the_way = later;
            for (at, to, from, datagram) in due {
                self.heard += u32::from(to == 0 && !is_rtcp(&datagram));
                if to == 0 && !is_rtcp(&datagram) && self.heard.is_multiple_of(self.lose_every) {
                    continue;
                }
                self.ends[to].receive(at, from, &datagram);
            }
        }
    }

    fn send(&mut self, end: usize) {
        let mut transmit = Transmit::default();
        while self.ends[end].poll_transmit(&mut transmit) {
            let bytes = transmit.bytes().to_vec();
            let (mut from, mut late) = (RTP, Duration::ZERO);
            if is_rtcp(&bytes) {
                self.reports[end].push((transmit.to, bytes.clone()));
                from = self.rtcp_from;
            } else if bytes[3] % 2 == 1 {
                late = self.wobble;
            }
            self.on_the_way.push((self.now + ONE_WAY + late, 1 - end, address(end, from), bytes));
        }
    }

    /// Whither the first end reports in so many seconds.
    fn reported_to(&mut self, seconds: u32) -> Vec<SocketAddr> {
        let before = self.reports[0].len();
        self.run(seconds);
        let mut to: Vec<_> = self.reports[0][before..].iter().map(|(to, _)| *to).collect();
        to.dedup();
        to
    }

    fn statistics(&self, end: usize) -> Statistics {
        self.ends[end].statistics()
    }
}

// RFC 3550 §6.4.1.
#[test]
fn both_ends_learn_how_they_arrive_and_how_far_away_the_other_is() {
    let mut call = Call::new(Some(RTP + 1));
    call.lose_every = 20;
    call.run(30);
    for end in 0..2 {
        let remote = call.statistics(end).remote.unwrap();
        let round_trip = remote.round_trip.unwrap().as_millis();
        assert!((79..=81).contains(&round_trip), "{round_trip} ms");
        let lossy = end == 1;
        assert_eq!((0.03..0.07).contains(&remote.loss), lossy, "{remote:?}");
        assert_eq!(remote.lost > 50, lossy, "{remote:?}");
        assert!((5..=12).contains(&call.reports[end].len()), "{} reports", call.reports[end].len());
        assert!(call.reports[end].iter().all(|(to, _)| *to == address(1 - end, RTP + 1)));
        assert_eq!(call.statistics(end).packets_ignored, 0);
    }
    let words = call.ends[1].describe();
    assert!(words.contains("; they lose ") && words.ends_with(" ms there and back"), "{words}");
}

// RFC 3711 §3.4.
#[test]
fn protected_reports_are_understood_and_plain_or_forged_ones_are_not() {
    for suite in Suite::ALL {
        let mut call = Call::new(Some(RTP));
        for end in 0..2 {
            call.configure(end, StreamConfig { srtp: Some(keys(suite, end)), ..stream(end, Some(RTP)) });
        }
        call.run(1);
        let before = call.statistics(0);
        call.run(15);
        let round_trip = |call: &Call| call.statistics(0).remote.and_then(|remote| remote.round_trip);
        assert!(round_trip(&call).is_some(), "{suite:?}");
        assert!(call.reports[1].iter().all(|(_, bytes)| Compound::parse(bytes).is_none()), "{suite:?}: in clear");
        let heard = call.statistics(0);
        let report = call.reports[1].last().unwrap().1.clone();
        call.ends[0].receive(call.now, address(1, RTP), &report);
        let mut forged = report;
        forged[7] ^= 1;
        call.ends[0].receive(call.now, address(1, RTP), &forged);
        call.ends[0].receive(call.now, address(1, RTP), &REPORT);
        let counted = call.statistics(0);
        let refused =
            |counted: &Statistics| [counted.packets_replayed, counted.packets_unauthentic, counted.packets_ignored];
        assert_eq!(refused(&heard), refused(&before), "{suite:?}");
        let news = std::array::from_fn(|n| refused(&counted)[n] - refused(&heard)[n]);
        assert_eq!(news, [1, 1, 1], "{suite:?}: came twice, of another source, not protected");
        assert_eq!(counted.remote, heard.remote, "{suite:?}");
        // The stream described once more, as by a re-INVITE: the index goes on.
        call.configure(1, StreamConfig { srtp: Some(keys(suite, 1)), ..stream(1, Some(RTP)) });
        call.run(15);
        assert_eq!(call.statistics(0).packets_replayed, counted.packets_replayed, "{suite:?}");
    }
}

#[test]
fn reports_go_back_to_where_theirs_come_from() {
    let mut call = Call::new(Some(RTP + 1));
    call.rtcp_from = 9000;
    call.run(20);
    assert!((0..2).any(|end| call.reports[end][0].0 == address(1 - end, RTP + 1)), "the first, as described");
    for end in 0..2 {
        assert_eq!(call.reports[end].last().unwrap().0, address(1 - end, 9000));
    }
}

#[test]
fn nobody_else_is_reported_to_and_nobody_else_is_believed() {
    let mut call = Call::new(None);
    call.run(20);
    assert!(call.reports.iter().all(Vec::is_empty), "none was described");
    // Described behind a NAT, heard from in front of it.
    let private = StreamConfig {
        remote: "10.0.0.1:4000".parse().unwrap(),
        rtcp: Some("10.0.0.1:4001".parse().unwrap()),
        ..stream(0, None)
    };
    let mut call = Call::new(None);
    call.configure(0, private);
    call.run(20);
    assert!(call.reports[0].is_empty(), "before they have sent any");
    let stranger = "192.0.2.9:4001".parse().unwrap();
    call.ends[0].receive(call.now, stranger, &REPORT);
    assert_eq!(call.statistics(0).packets_ignored, 1);
    call.ends[0].receive(call.now, address(1, 5001), &REPORT);
    assert_eq!(call.reported_to(1), [address(1, 5001)]);
    call.ends[0].receive(call.now, address(1, 5003), &REPORT);
    assert_eq!(call.statistics(0).packets_ignored, 2, "one port was found already");
    assert_eq!(call.reported_to(20), [address(1, 5001)]);
}

// RFC 3605, RFC 5761.
#[test]
fn beside_the_described_port_and_that_of_their_audio_one_more_is_believed_and_no_second_one() {
    let mut call = Call::new(Some(RTP + 1));
    call.rtcp_from = 9000;
    call.run(20);
    let strangers = [address(1, 9002), "192.0.2.9:9000".parse().unwrap()];
    for (counted, stranger) in (1..).zip(strangers) {
        call.ends[0].receive(call.now, stranger, &REPORT);
        assert_eq!(call.statistics(0).packets_ignored, counted, "{stranger}");
    }
    assert_eq!(call.reported_to(20), [address(1, 9000)]);
    for port in [RTP + 1, RTP] {
        call.rtcp_from = port;
        call.ends[0].receive(call.now, address(1, port), &REPORT);
        assert_eq!(call.reported_to(20), [address(1, port)]);
    }
    let before = call.statistics(0).packets_ignored;
    call.ends[0].receive(call.now, address(1, 9000), &REPORT);
    assert_eq!(call.statistics(0).packets_ignored, before + 1, "their own ports were heard, and the guess is over");
}

#[test]
fn what_was_learnt_beside_one_source_is_forgotten_when_their_audio_comes_from_another() {
    let mut call = Call::new(Some(RTP + 1));
    call.rtcp_from = 9000;
    call.run(20);
    let moved: SocketAddr = "198.51.100.7:4000".parse().unwrap();
    let stream = stream(0, None);
    call.configure(0, StreamConfig { remote: moved, rtcp: Some(address(1, RTP + 1)), ..stream });
    let packet = [&[0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1][..], &[0x55; 160][..]].concat();
    call.ends[0].receive(call.now, moved, &packet);
    assert_eq!(call.reported_to(20), [address(1, RTP + 1)], "as described");
}

// RFC 3550 §6.4.1, RFC 7587 §4.1.
#[cfg(feature = "opus")]
#[test]
fn reports_of_a_stream_in_opus_count_by_its_clock() {
    let mut call = Call::new(Some(RTP + 1));
    call.wobble = Duration::from_millis(10);
    for end in 0..2 {
        let stream = stream(end, Some(RTP + 1));
        let opus = (crate::Codec::Opus, 111);
        call.configure(end, StreamConfig { send: opus, receive: vec![opus], ..stream });
    }
    call.run(60);
    for end in 0..2 {
        let (mut reports, mut jitter) = (Vec::new(), 0);
        for (_, bytes) in &call.reports[end] {
            if let Some(Packet::SenderReport { info, blocks, .. }) = Compound::parse(bytes).unwrap().next() {
                reports.push(info);
                jitter = blocks.last().map_or(jitter, |block| block.jitter);
            }
        }
        let (first, last) = (reports[0], reports[reports.len() - 1]);
        let seconds = (last.ntp - first.ntp) as f64 / f64::from(u32::MAX);
        let rate = f64::from(last.timestamp.wrapping_sub(first.timestamp)) / seconds;
        assert!((47_990.0..48_010.0).contains(&rate), "{rate} Hz");
        // As RFC 3550 §A.8 smooths 10 ms.
        assert!((430..=485).contains(&jitter), "{jitter} ticks");
        let statistics = call.statistics(end);
        let remote = statistics.remote.unwrap().jitter.as_millis();
        assert!((9..=10).contains(&remote) && (9..=10).contains(&statistics.jitter.as_millis()), "{statistics:?}");
    }
}

// RFC 3550 §6.6, §6.3.7.
#[test]
fn a_call_on_hold_reports_and_its_end_is_told() {
    let mut call = Call::new(Some(RTP + 1));
    call.run(5);
    call.configure(0, StreamConfig { sending: false, ..stream(0, Some(RTP + 1)) });
    let before = call.reports[0].len();
    call.run(20);
    let kinds: Vec<_> = call.reports[0][before..].iter().map(|(_, bytes)| bytes[1]).collect();
    assert_eq!((kinds[0], kinds.last()), (200, Some(&201)), "{kinds:?}");
    call.ends[0].goodbye(call.now);
    call.send(0);
    let (to, last) = call.reports[0].last().unwrap();
    assert_eq!(*to, address(1, RTP + 1));
    assert!(matches!(Compound::parse(last).unwrap().last(), Some(Packet::Goodbye(_))));
}

#[test]
fn random_reports_do_no_harm() {
    let mut call = Call::new(Some(RTP + 1));
    call.run(10);
    let mut dice = crate::testing::Dice::new(9);
    let real = call.reports[1].last().unwrap().1.clone();
    for _ in 0..20_000 {
        let mut bytes = real.clone();
        bytes.truncate(2 + dice.range(0.0, bytes.len() as f32) as usize);
        for _ in 0..4 {
            let at = 2 + dice.range(0.0, bytes.len() as f32) as usize;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = dice.range(0.0, 256.0) as u8;
            }
        }
        call.ends[0].receive(call.now, address(1, RTP + 1), &bytes);
    }
    call.run(10);
    assert!(call.statistics(0).packets_received > 900);
}
