//! Two sessions that talk over a network made of a list.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::one_way::Cause;
use crate::rtp::{HEADER_LEN, Packet};
use crate::srtp::{Keys, MasterKey, Suite};
use crate::testing::Dice;
use crate::{
    AudioFrame, Config, Event, FRAME_DURATION, FRAME_SAMPLES, MediaSession, Order, Statistics, StreamConfig, Transmit,
    UtteranceId, ear,
};

/// What each end says, as G.711 gives it back.
const SAID: [i16; 2] = [7932, -7932];

struct Call {
    now: Instant,
    ends: [MediaSession; 2],
    /// When, to whom, what.
    on_the_way: Vec<(Instant, usize, Vec<u8>)>,
    /// What each end sent.
    wire: [Vec<Vec<u8>>; 2],
    heard: [Vec<AudioFrame>; 2],
    network: Option<Dice>,
}

impl Call {
    fn new(seeds: [u8; 2]) -> Self {
        let now = crate::testing::any_instant();
        let ear = ear::Config { dtmf: false, progress: false, voice: false };
        let ends = seeds.map(|seed| MediaSession::new(now, Config { ear, audio: true, record: false }, [seed; 32]));
        Self { now, ends, on_the_way: Vec::new(), wire: Default::default(), heard: Default::default(), network: None }
    }

    fn protected(suite: Suite) -> Self {
        let mut call = Self::new([1, 2]);
        call.configure(0, Some(keys(suite, 0)));
        call.configure(1, Some(keys(suite, 1)));
        call
    }

    fn configure(&mut self, end: usize, srtp: Option<Keys>) {
        let stream = StreamConfig { srtp, ..StreamConfig::pcmu(address(1 - end)) };
        self.ends[end].order(self.now, Order::Configure(stream));
    }

    /// Both talk for so many frames.
    fn run(&mut self, frames: u32) {
        for _ in 0..frames {
            for (end, said) in SAID.into_iter().enumerate() {
                let frame = AudioFrame { at: Duration::ZERO, samples: [said; FRAME_SAMPLES] };
                self.ends[end].order(self.now, Order::Play { utterance: UtteranceId(1), frame, last: false });
                self.ends[end].handle_timeout(self.now);
                self.send(end);
                while let Some(event) = self.ends[end].poll_event() {
                    if let Event::Audio(frame) = event {
                        self.heard[end].push(frame);
                    }
                }
            }
            self.now += FRAME_DURATION;
            self.deliver();
        }
    }

    fn send(&mut self, end: usize) {
        let mut transmit = Transmit::default();
        while self.ends[end].poll_transmit(&mut transmit) {
            self.wire[end].push(transmit.bytes().to_vec());
            let (lost, delay_ms) = match &mut self.network {
                Some(dice) => (dice.uniform() < 0.03, dice.range(0.0, 45.0)),
                None => (false, 5.0),
            };
            if lost {
                continue;
            }
            let delay = Duration::from_secs_f32(delay_ms / 1000.0);
            self.on_the_way.push((self.now + delay, 1 - end, transmit.bytes().to_vec()));
        }
    }

    /// Where the packet of an end goes that is due now.
    fn whither(&mut self, end: usize) -> SocketAddr {
        let mut transmit = Transmit::default();
        self.ends[end].handle_timeout(self.now);
        while self.ends[end].poll_transmit(&mut transmit) {}
        transmit.to
    }

    fn deliver(&mut self) {
        self.on_the_way.sort_by_key(|(at, _, _)| *at);
        let due = self.on_the_way.partition_point(|(at, _, _)| *at <= self.now);
        for (at, to, packet) in self.on_the_way.drain(..due) {
            self.ends[to].receive(at, address(1 - to), &packet);
        }
    }

    fn statistics(&self) -> [Statistics; 2] {
        self.ends.each_ref().map(MediaSession::statistics)
    }

    /// Frames in which each end heard all of the other.
    fn understood(&self) -> [usize; 2] {
        [0, 1].map(|end| self.heard[end].iter().filter(|frame| frame.samples == [SAID[1 - end]; FRAME_SAMPLES]).count())
    }
}

fn address(end: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4000 + 2 * end as u16))
}

fn key(suite: Suite, byte: u8) -> MasterKey {
    MasterKey::new(suite, &vec![byte; suite.key_len() + suite.salt_len()]).unwrap()
}

/// The keys of one end.
fn keys(suite: Suite, end: usize) -> Keys {
    let [send, receive] = if end == 0 { [1, 2] } else { [2, 1] };
    Keys { send: key(suite, send), receive: key(suite, receive) }
}

/// Other keys of one end.
fn next_keys(suite: Suite, end: usize) -> Keys {
    let [send, receive] = if end == 0 { [3, 4] } else { [4, 3] };
    Keys { send: key(suite, send), receive: key(suite, receive) }
}

fn sequence(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

#[test]
fn a_call_is_heard_both_ways_with_each_suite_and_nothing_of_it_is_readable() {
    for suite in Suite::ALL {
        let mut call = Call::protected(suite);
        call.run(100);
        assert!(call.understood().iter().all(|frames| *frames > 90), "{suite:?}: {:?}", call.understood());
        for (end, statistics) in call.statistics().into_iter().enumerate() {
            assert_eq!((statistics.packets_unauthentic, statistics.packets_replayed), (0, 0), "{suite:?}");
            let sent = call.statistics()[1 - end].packets_sent;
            assert_eq!((statistics.packets_received, statistics.packets_ignored), (sent, 0), "{suite:?}");
            for packet in &call.wire[end] {
                assert_eq!(packet.len(), HEADER_LEN + FRAME_SAMPLES + suite.tag_len());
                let said = Packet::parse(packet).unwrap().payload;
                assert!(said.iter().filter(|byte| **byte == said[0]).count() < 10, "{suite:?}");
            }
        }
    }
}

#[test]
fn forged_and_repeated_packets_change_nothing_but_counters() {
    for suite in Suite::ALL {
        let mut undisturbed = Call::protected(suite);
        let mut call = Call::protected(suite);
        // Of the peer's source and numbers, under other keys and without any.
        let mut strangers = Call::new([2, 2]);
        strangers.configure(0, Some(next_keys(suite, 0)));
        strangers.configure(1, None);
        strangers.run(60);
        let elsewhere: SocketAddr = "203.0.113.9:4002".parse().unwrap();
        for n in 0..50 {
            // Before the first packet of the peer too: the latch must not open for them.
            for from in [address(1), elsewhere] {
                for forged in [&strangers.wire[0][n + 5], &strangers.wire[1][n + 5]] {
                    call.ends[0].receive(call.now, from, forged);
                }
            }
            call.run(1);
            undisturbed.run(1);
            let packet = call.wire[1].last().unwrap().clone();
            let mut tampered = packet.clone();
            tampered[20] ^= 1;
            for from in [address(1), elsewhere] {
                call.ends[0].receive(call.now, from, &packet);
                call.ends[0].receive(call.now, from, &tampered);
                call.ends[0].receive(call.now, from, &packet[..packet.len() - 1]);
                call.ends[0].receive(call.now, from, &[0x80; 9000]);
            }
        }
        assert_eq!(call.heard, undisturbed.heard, "{suite:?}");
        assert_eq!(call.wire, undisturbed.wire, "{suite:?}");
        let [disturbed, _] = call.statistics();
        let expected = undisturbed.statistics()[0];
        let counted = (disturbed.packets_unauthentic, disturbed.packets_replayed, disturbed.packets_ignored);
        // Each of 50 rounds: four strangers; the tampered and the cut have the number of one already taken.
        assert_eq!(counted, (200, 300, 100), "{suite:?}");
        let counters = Statistics { packets_unauthentic: 0, packets_replayed: 0, packets_ignored: 0, ..disturbed };
        assert_eq!(counters, expected, "{suite:?}");
    }
}

#[test]
fn loss_and_reordering_across_the_wrap_of_both_cost_only_the_lost() {
    let seed = 5;
    for suite in [Suite::AesCm128HmacSha1_80, Suite::AeadAes256Gcm] {
        let named = format!("{suite:?}, seed {seed}");
        let mut call = Call::protected(suite);
        call.run(1);
        let first = call.wire.each_ref().map(|wire| sequence(&wire[0]));
        assert!(first.iter().all(|sequence| *sequence < 0x8000), "RFC 3711 §3.3.1");
        let until_wrap = |first: u16| 0x1_0000 - u32::from(first);
        let [early, late] =
            [first.into_iter().map(until_wrap).min().unwrap(), first.into_iter().map(until_wrap).max().unwrap()];
        call.run(early - 300);
        call.network = Some(Dice::new(seed));
        call.run(late - early + 600);
        call.network = None;
        call.run(10);
        for (end, statistics) in call.statistics().into_iter().enumerate() {
            assert!(sequence(call.wire[end].last().unwrap()) < 0x8000, "wrapped: {named}");
            assert_eq!((statistics.packets_unauthentic, statistics.packets_replayed), (0, 0), "{named}");
            let lost = call.statistics()[1 - end].packets_sent - statistics.packets_received;
            assert!((1..2000).contains(&lost), "{lost} lost: {named}");
        }
        let before = call.understood();
        call.run(100);
        let after = call.understood();
        assert!((0..2).all(|end| after[end] - before[end] > 90), "{named}");
    }
}

#[test]
fn a_new_key_in_the_middle_costs_what_was_sent_before_the_peer_knew_it() {
    for suite in Suite::ALL {
        let mut call = Call::protected(suite);
        call.run(50);
        call.configure(0, Some(next_keys(suite, 0)));
        call.run(3);
        call.configure(1, Some(next_keys(suite, 1)));
        call.run(97);
        let [first, second] = call.statistics();
        assert_eq!(
            (first.packets_unauthentic, first.packets_received),
            (0, second.packets_sent),
            "{suite:?}: the old key was still heard"
        );
        assert_eq!((second.packets_unauthentic, second.packets_received), (3, first.packets_sent - 3), "{suite:?}");
        let old = call.wire[1][49].clone();
        call.ends[0].receive(call.now, address(1), &old);
        let after = call.statistics()[0];
        assert_eq!((after.packets_replayed, after.packets_received), (1, first.packets_received), "{suite:?}");
    }
}

#[test]
fn the_same_keys_again_change_nothing() {
    for suite in Suite::ALL {
        let mut call = Call::protected(suite);
        call.run(50);
        let old = call.wire[1][49].clone();
        for end in 0..2 {
            call.configure(end, Some(keys(suite, end)));
        }
        call.ends[0].receive(call.now, address(1), &old);
        call.run(50);
        let [first, second] = call.statistics();
        assert_eq!(
            (first.packets_replayed, first.packets_unauthentic, first.packets_received),
            (1, 0, second.packets_sent),
            "{suite:?}"
        );
        assert_eq!((second.packets_unauthentic, second.packets_received), (0, first.packets_sent), "{suite:?}");
    }
}

#[test]
fn protection_may_begin_and_end_with_a_description() {
    let mut call = Call::new([1, 2]);
    for srtp in [false, true, false] {
        for end in 0..2 {
            call.configure(end, srtp.then(|| keys(Suite::AeadAes128Gcm, end)));
        }
        call.run(50);
        // The description may overtake a packet.
        let [first, second] = call.statistics();
        assert!(first.packets_unauthentic + second.packets_unauthentic <= 2);
    }
    assert!(call.understood().iter().all(|frames| *frames > 140), "{:?}", call.understood());
}

// RFC 7362 §4.
#[test]
fn behind_a_nat_the_first_authentic_packet_is_followed_and_no_other() {
    for suite in Suite::ALL {
        let mut call = Call::protected(suite);
        let described = SocketAddr::from(([10, 0, 0, 1], 9000));
        let stream = StreamConfig { srtp: Some(keys(suite, 0)), ..StreamConfig::pcmu(described) };
        call.ends[0].order(call.now, Order::Configure(stream));
        let stranger = SocketAddr::from(([192, 0, 2, 9], 4000));
        for n in 0..10u8 {
            let mut forged = [n; HEADER_LEN + FRAME_SAMPLES + 16];
            forged[..4].copy_from_slice(&[0x80, 0, 0, n]);
            call.ends[0].receive(call.now, stranger, &forged);
            call.now += FRAME_DURATION;
            assert_eq!(call.whither(0), described, "{suite:?}");
        }
        call.ends[1].handle_timeout(call.now);
        call.send(1);
        let (_, _, packet) = call.on_the_way.remove(0);
        call.ends[0].receive(call.now, address(1), &packet);
        call.ends[0].receive(call.now, stranger, &packet);
        call.now += FRAME_DURATION;
        assert_eq!(call.whither(0), address(1), "{suite:?}");
    }
}

#[test]
fn the_suite_is_named_in_the_pipeline() {
    let call = Call::protected(Suite::AeadAes128Gcm);
    let words = call.ends[0].describe();
    assert!(words.contains("← SRTP AEAD_AES_128_GCM ← 192.0.2.1:4002"), "{words}");
    assert!(words.contains("→ SRTP AEAD_AES_128_GCM → 192.0.2.1:4002"), "{words}");
}

#[test]
fn a_call_in_which_nothing_is_authentic_is_one_way_until_the_keys_are_right() {
    let suite = Suite::AesCm128HmacSha1_80;
    let mut call = Call::protected(suite);
    call.configure(1, Some(next_keys(suite, 1)));
    call.ends[0].order(call.now, Order::Answered { signals: None });
    call.run(74);
    assert_eq!(call.statistics()[0].one_way, None);
    call.run(3);
    assert_eq!(call.statistics()[0].one_way, Some(Cause::Unauthentic));
    call.configure(0, Some(next_keys(suite, 0)));
    call.run(2);
    assert_eq!(call.statistics()[0].one_way, None);
}
