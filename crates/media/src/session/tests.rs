//! A session against a peer made of bytes, on a clock made of additions.

use super::*;
use crate::dtmf::Digit;
use crate::ear::Heard;
use crate::{Codec, FRAME_SAMPLES};

const PEER: &str = "192.0.2.1:4000";
/// What its description says where it is behind a NAT.
const PRIVATE: &str = "10.0.0.1:9000";
const STRANGER: &str = "192.0.2.9:4000";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn stream() -> StreamConfig {
    StreamConfig {
        receive: vec![(Codec::Pcmu, 0), (Codec::Pcma, 8)],
        telephone_event_send: Some(101),
        telephone_event_receive: Some(101),
        ..StreamConfig::pcmu(PEER.parse().unwrap())
    }
}

/// What a peer behind a NAT describes.
fn behind_nat() -> StreamConfig {
    StreamConfig { remote: PRIVATE.parse().unwrap(), ..stream() }
}

/// A session whose packets and events are written down with their time.
struct Line {
    start: Instant,
    now: Instant,
    session: MediaSession,
    sent: Vec<Sent>,
    events: Vec<(u64, Event)>,
}

#[derive(Debug, Clone)]
struct Sent {
    at: u64,
    to: SocketAddr,
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    payload: Vec<u8>,
}

impl Line {
    fn new() -> Self {
        Self::with(Config { ear: ear::Config { dtmf: true, progress: true, voice: true }, audio: true, record: false })
    }

    fn with(config: Config) -> Self {
        let start = crate::testing::any_instant();
        let session = MediaSession::new(start, config, [7; 32]);
        Self { start, now: start, session, sent: Vec::new(), events: Vec::new() }
    }

    fn configured() -> Self {
        let mut line = Self::new();
        line.order(Order::Configure(stream()));
        line
    }

    fn order(&mut self, order: Order) {
        self.session.order(self.now, order);
        self.drain();
    }

    fn play(&mut self, utterance: u32, level: i16, last: bool) {
        let frame = AudioFrame { at: Duration::ZERO, samples: [level; FRAME_SAMPLES] };
        self.order(Order::Play { utterance: UtteranceId(utterance), frame, last });
    }

    fn receive_from(&mut self, from: &str, datagram: &[u8]) {
        self.session.receive(self.now, from.parse().unwrap(), datagram);
        self.drain();
    }

    fn run_until(&mut self, until: u64) {
        let until = self.start + ms(until);
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        let at = (self.now - self.start).as_millis() as u64;
        let mut transmit = Transmit::default();
        while self.session.poll_transmit(&mut transmit) {
            assert_ne!(transmit.to, STRANGER.parse().unwrap());
            let packet = crate::rtp::Packet::parse(transmit.bytes()).unwrap();
            self.sent.push(Sent {
                at,
                to: transmit.to,
                marker: packet.marker,
                payload_type: packet.payload_type,
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                payload: packet.payload.to_vec(),
            });
        }
        while let Some(event) = self.session.poll_event() {
            self.events.push((at, event));
        }
    }

    /// What was sent, a word a packet: `.` silence, `s` sound, `M` marker; `5/160E` events; `@` the time; `?` not to the
    /// peer.
    fn ladder(&self) -> String {
        let mut words = Vec::new();
        for sent in &self.sent {
            let marker = if sent.marker { "M" } else { "" };
            let what = match sent.payload_type {
                101 => {
                    let p = crate::dtmf::telephone_event::TelephoneEvent::parse(&sent.payload).unwrap();
                    format!("{}/{}{}", p.event, p.duration, if p.end { "E" } else { "" })
                }
                _ if sent.payload.iter().all(|byte| *byte == 0xFF) => ".".into(),
                _ => "s".into(),
            };
            let whither = if sent.to == PEER.parse().unwrap() { "" } else { "?" };
            words.push(format!("{whither}{marker}{what}@{}", sent.at));
        }
        words.join(" ")
    }

    fn heard(&self) -> Vec<&Heard> {
        self.events
            .iter()
            .filter_map(|(_, event)| if let Event::Heard(heard) = event { Some(heard) } else { None })
            .collect()
    }

    fn digits(&self) -> String {
        self.heard()
            .iter()
            .filter_map(|h| if let Heard::Digit { digit, .. } = h { Some(digit.as_char()) } else { None })
            .collect()
    }

    /// Events of utterances and digits, with their time.
    fn said(&self) -> String {
        let words = self.events.iter().filter_map(|(at, event)| match event {
            Event::Started { utterance, .. } => Some(format!("started {}@{at}", utterance.0)),
            Event::Played { utterance, duration, finished } => {
                let how = if *finished { "played" } else { "cut" };
                Some(format!("{how} {} {}ms@{at}", utterance.0, duration.as_millis()))
            }
            Event::DigitsSent => Some(format!("digits@{at}")),
            _ => None,
        });
        words.collect::<Vec<_>>().join(", ")
    }

    fn audio(&self) -> Vec<AudioFrame> {
        self.events
            .iter()
            .filter_map(|(_, event)| if let Event::Audio(frame) = event { Some(*frame) } else { None })
            .collect()
    }
}

/// A packet of the peer with a constant level.
fn packet(payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, payload_type];
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&timestamp.to_be_bytes());
    bytes.extend_from_slice(&[1, 2, 3, 4]);
    bytes.extend_from_slice(payload);
    bytes
}

fn event(sequence: u16, timestamp: u32, event: u8, duration: u16, end: bool) -> Vec<u8> {
    let [high, low] = duration.to_be_bytes();
    packet(101, sequence, timestamp, &[event, if end { 0x8A } else { 10 }, high, low])
}

#[test]
fn packets_leave_every_20_ms_from_the_first_configure_on() {
    let mut line = Line::new();
    assert_eq!(line.session.poll_timeout(), None);
    line.order(Order::Configure(stream()));
    line.run_until(70);
    assert_eq!(line.ladder(), ".@0 .@20 .@40 .@60");
    let steps: Vec<_> = line
        .sent
        .windows(2)
        .map(|w| (w[1].sequence.wrapping_sub(w[0].sequence), w[1].timestamp.wrapping_sub(w[0].timestamp)))
        .collect();
    assert_eq!(steps, [(1, 160); 3]);
}

#[test]
fn a_talk_spurt_leaves_at_once_and_its_lead_is_paid_back() {
    let mut line = Line::configured();
    line.run_until(27);
    line.play(1, 1000, false);
    line.play(1, 1000, true);
    line.run_until(100);
    assert_eq!(line.ladder(), ".@0 .@20 Ms@27 s@47 .@80 .@100");
    assert_eq!(line.said(), "started 1@27, played 1 40ms@47");
    let first = line.sent[0].timestamp;
    let slots: Vec<_> = line.sent.iter().map(|sent| sent.timestamp.wrapping_sub(first) / 160).collect();
    assert_eq!(slots, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_second_spurt_waits_for_the_end_of_the_first() {
    let mut line = Line::configured();
    line.run_until(27);
    line.play(1, 1000, true);
    line.run_until(30);
    line.play(2, 1000, true);
    line.run_until(80);
    assert_eq!(line.ladder(), ".@0 .@20 Ms@27 s@47 .@80");
}

#[test]
fn flush_stops_the_sound_with_the_next_frame_and_tells_what_was_heard() {
    let mut line = Line::configured();
    for n in 0..10 {
        line.play(1, 1000, n == 9);
    }
    line.play(2, 1000, true);
    line.run_until(50);
    line.order(Order::Flush(UtteranceId(2)));
    line.play(2, 1000, true);
    line.run_until(100);
    assert_eq!(line.ladder(), ".@0 Ms@0 s@20 s@40 .@80 .@100");
    assert_eq!(line.said(), "started 1@0, cut 1 60ms@50, cut 2 0ms@50");
}

#[test]
fn a_flushed_utterance_that_never_came_is_reported_and_stays_silent() {
    let mut line = Line::configured();
    line.order(Order::Flush(UtteranceId(3)));
    line.play(3, 1000, true);
    line.run_until(40);
    assert_eq!((line.said().as_str(), line.ladder().as_str()), ("cut 3 0ms@0", ".@0 .@20 .@40"));
}

#[test]
fn the_queue_holds_a_second_and_refuses_more() {
    let mut line = Line::configured();
    for _ in 0..60 {
        line.play(1, 1000, false);
    }
    assert_eq!(line.session.room(), 0);
    line.run_until(2000);
    assert_eq!(line.session.room(), PLAY_QUEUE_FRAMES);
}

#[test]
fn digits_follow_speech_and_hold_back_later_speech() {
    let mut line = Line::configured();
    line.play(1, 1000, false);
    line.order(Order::SendDigit { digit: Digit::from_char('5').unwrap(), method: DigitMethod::Auto, duration: ms(60) });
    line.play(1, 1000, true);
    line.play(2, 1000, true);
    line.run_until(220);
    assert_eq!(
        line.ladder(),
        ".@0 Ms@0 s@20 M5/160@40 5/320@60 5/480E@80 5/480E@100 5/480E@120 .@140 .@160 .@180 Ms@200 .@240"
            .replace(" .@240", "")
    );
    assert_eq!(line.said(), "started 1@0, played 1 40ms@20, digits@200, started 2@200, played 2 20ms@200");
    let events: Vec<_> = line.sent.iter().filter(|sent| sent.payload_type == 101).collect();
    assert!(events.iter().all(|sent| sent.timestamp == events[0].timestamp));
    assert!(line.sent.windows(2).all(|w| w[1].sequence == w[0].sequence.wrapping_add(1)));
    // RFC 4733 §2.5.1.2: audio goes on with the timestamp of the time at which it is sent.
    let after = line.sent.iter().rfind(|sent| sent.marker).unwrap();
    assert_eq!(after.timestamp.wrapping_sub(events[0].timestamp), 8 * 160);
}

#[test]
fn a_late_wake_up_drops_frames_and_never_bursts() {
    let mut line = Line::configured();
    line.run_until(20);
    for _ in 0..20 {
        line.play(1, 1000, false);
    }
    line.now = line.start + ms(220);
    line.session.handle_timeout(line.now);
    line.drain();
    line.run_until(260);
    let late: Vec<_> = line.sent.iter().filter(|sent| sent.at >= 220).map(|sent| sent.at).collect();
    assert_eq!(late, [220, 240, 260]);
    let first = line.sent[0].timestamp;
    assert_eq!(line.sent.last().unwrap().timestamp.wrapping_sub(first) / 160, 14);
}

#[test]
fn what_they_send_is_heard_in_order_as_it_comes_and_played_after_40_ms() {
    let mut line = Line::with(Config { ear: ear::Config::DEAF, audio: true, record: true });
    line.order(Order::Configure(stream()));
    for (n, slot) in [0u16, 2, 1, 3, 4, 5].into_iter().zip(1..) {
        line.receive_from(PEER, &packet(0, n, u32::from(n) * 160, &[0x80 + n as u8; 160]));
        line.run_until(20 * slot - 5);
    }
    line.run_until(400);
    let first = |samples: &[i16; FRAME_SAMPLES]| samples[100];
    let heard: Vec<_> = line.audio().iter().map(|frame| (frame.at.as_millis(), first(&frame.samples))).collect();
    assert_eq!(heard[..6], [(0, 32124), (20, 31100), (40, 30076), (60, 29052), (80, 28028), (100, 27004)]);
    assert!(heard.iter().zip(0..).all(|((at, _), n)| *at == n * 20), "gapless: {heard:?}");
    let when: Vec<_> = line.events.iter().filter(|(_, e)| matches!(e, Event::Audio(_))).map(|(at, _)| *at).collect();
    assert_eq!(when[..6], [0, 35, 35, 55, 75, 95], "the second was overtaken by the third");
    let played: Vec<_> = line
        .events
        .iter()
        .filter_map(
            |(at, e)| if let Event::Recorded { they, .. } = e { Some((*at, first(&they.samples))) } else { None },
        )
        .collect();
    assert_eq!(played[..5], [(20, 0), (40, 32124), (60, 31100), (80, 30076), (100, 29052)]);
    assert_eq!(played.len(), 20);
    assert_eq!(line.session.statistics().packets_received, 6);
}

#[test]
fn strangers_rtcp_rubbish_and_unknown_types_are_counted_and_ignored() {
    let mut line = Line::new();
    line.receive_from(PEER, &packet(0, 0, 0, &[0; 160]));
    line.order(Order::Configure(stream()));
    line.receive_from(PEER, &packet(0, 1, 160, &[0; 160]));
    line.receive_from(STRANGER, &packet(0, 2, 320, &[0; 160]));
    line.receive_from(PEER, &packet(200 & 0x7F, 2, 320, &[0; 160]));
    line.receive_from(PEER, &packet(97, 2, 320, &[0; 160]));
    line.receive_from(PEER, b"hello");
    let statistics = line.session.statistics();
    assert_eq!((statistics.packets_received, statistics.packets_ignored), (1, 5));
    let told: Vec<_> = line.events.iter().filter(|(_, event)| !matches!(event, Event::Audio(_))).collect();
    assert!(told.is_empty(), "{told:?}");
}

// RFC 7362 §4.
#[test]
fn packets_go_back_to_where_theirs_come_from_once_that_is_proved() {
    let mut line = Line::new();
    line.order(Order::Configure(behind_nat()));
    for n in 0..4u16 {
        line.run_until(5 + u64::from(n) * 20);
        line.receive_from(PEER, &packet(0, n, u32::from(n) * 160, &[0x80 + n as u8; 160]));
    }
    line.run_until(200);
    assert_eq!(line.ladder(), "?.@0 ?.@20 ?.@40 ?.@60 .@80 .@100 .@120 .@140 .@160 .@180 .@200");
    let heard: Vec<_> = line.audio().iter().map(|frame| frame.samples[100]).collect();
    assert_eq!(heard[..4], [32124, 31100, 30076, 29052], "from the first on");
}

#[test]
fn a_telephone_event_is_heard_once() {
    let mut line = Line::configured();
    for (n, (duration, end)) in
        [(160, false), (320, false), (480, true), (480, true), (480, true)].into_iter().enumerate()
    {
        line.receive_from(PEER, &event(n as u16, 1000, 5, duration, end));
        line.run_until(20 * (n as u64 + 1));
    }
    assert_eq!(line.digits(), "5");
}

#[test]
fn held_streams_are_silent_and_speech_waits() {
    let mut line = Line::configured();
    line.order(Order::Configure(StreamConfig { sending: false, ..stream() }));
    line.play(1, 1000, true);
    line.run_until(100);
    assert_eq!(line.ladder(), ".@0");
    line.order(Order::Configure(stream()));
    line.run_until(140);
    assert_eq!(line.ladder(), ".@0 Ms@120 .@140");
}

#[test]
fn random_datagrams_do_no_harm() {
    use rand_chacha::rand_core::Rng;
    let mut line = Line::configured();
    let mut rng = ChaCha12Rng::from_seed([3; 32]);
    let real = packet(0, 1, 160, &[0x55; 160]);
    for n in 0..50_000u64 {
        let mut datagram = real.clone();
        if n % 3 == 0 {
            datagram.truncate(rng.next_u32() as usize % 200);
        }
        for _ in 0..rng.next_u32() % 8 {
            let bit = rng.next_u32() as usize % (8 * datagram.len().max(1));
            if let Some(byte) = datagram.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        if n % 4 == 0 {
            datagram.resize(rng.next_u32() as usize % 2000, 0);
            rng.fill_bytes(&mut datagram);
        }
        let from = if n % 5 == 0 { "192.0.2.7:1" } else { PEER };
        line.session.receive(line.now, from.parse().unwrap(), &datagram);
        if n % 50 == 0 {
            line.run_until(n / 50 * 20);
            line.events.clear();
            line.sent.clear();
        }
    }
    let statistics = line.session.statistics();
    assert!(statistics.packets_received + statistics.packets_ignored <= 50_000);
    assert!(line.session.events.len() <= EVENT_LIMIT);
}

#[test]
fn the_pipeline_is_described_in_words() {
    let mut line = Line::new();
    assert_eq!(line.session.describe(), "no stream yet");
    line.order(Order::Configure(StreamConfig { receive: vec![(Codec::Pcmu, 0)], ..stream() }));
    line.play(1, 1000, false);
    line.play(1, 1000, true);
    assert_eq!(
        line.session.describe(),
        "heard by digits tones voice ← RTP 0 PCMU ← RTP 101 telephone-event ← jitter 40 ms (0 ms waiting) \
         ← 192.0.2.1:4000 (nothing yet); 1 frames queued → RTP 0 PCMU, 101 telephone-event → 192.0.2.1:4000"
    );
}

/// The peer says `frames`, a packet each, through a network that loses and delays some; from 0 ms on.
fn say(line: &mut Line, frames: &[AudioFrame], loss: f32, jitter_ms: f32, payload_type: u8) {
    let mut dice = crate::testing::Dice::new(11);
    let codec = if payload_type == 0 { Codec::Pcmu } else { Codec::Pcma };
    let mut packets: Vec<(u64, Vec<u8>)> = Vec::new();
    for (n, frame) in (0u16..).zip(frames) {
        let mut payload = [0; FRAME_SAMPLES];
        codec.encode(&frame.samples, &mut payload);
        let arrival = u64::from(n) * 20 + dice.range(0.0, jitter_ms) as u64;
        if dice.uniform() >= loss {
            // Numbers near their wrap, so that every test crosses it.
            let timestamp = 0xFFFF_F000u32.wrapping_add(u32::from(n) * 160);
            packets.push((arrival, packet(payload_type, n.wrapping_sub(20), timestamp, &payload)));
        }
    }
    packets.sort_by_key(|(arrival, _)| *arrival);
    for (arrival, datagram) in packets {
        line.run_until(arrival);
        line.receive_from(PEER, &datagram);
    }
    line.run_until(frames.len() as u64 * 20 + 500);
}

fn dialled(digits: &str, on: f32, off: f32) -> Vec<AudioFrame> {
    let mut dice = crate::testing::Dice::new(2);
    let mut signal = crate::testing::Signal::default().silence(500.0);
    for c in digits.chars() {
        let (low, high) = Digit::from_char(c).unwrap().hertz();
        signal = signal.tones(on, &[(low, -10.0), (high, -8.0)], &mut dice).silence(off);
    }
    signal.frames()
}

#[test]
fn tones_dialled_over_a_bad_network_are_each_heard_once() {
    let digits = "159D3570*28#6A4B0C".repeat(5);
    let mut line = Line::configured();
    say(&mut line, &dialled(&digits, 100.0, 100.0), 0.03, 40.0, 8);
    assert_eq!(line.digits(), digits);
    let audio = line.audio();
    assert!(audio.iter().zip(0..).all(|(frame, n)| frame.at == ms(n * 20)), "gapless");
    // What waits to be played in the end is silence, and not heard yet.
    let delay = line.session.statistics().delay.as_millis() as usize / 20 + 1;
    let played = (digits.len() * 200 + 500 + 500) / 20;
    assert!((played - delay..=played).contains(&audio.len()), "{} of {played}, less {delay}", audio.len());
    let statistics = line.session.statistics();
    let lost = (digits.len() * 10 + 25) as u64 - statistics.packets_received;
    assert!(lost > 10 && statistics.packets_lost <= lost, "{statistics:?}");
    assert!((5..20).contains(&statistics.jitter.as_millis()), "{statistics:?}");
}

#[test]
fn our_own_tones_are_heard_by_our_own_ear() {
    let mut caller = Line::new();
    caller.order(Order::Configure(StreamConfig { telephone_event_send: None, ..stream() }));
    for c in "0123456789*#ABCD".chars() {
        let digit = Digit::from_char(c).unwrap();
        caller.order(Order::SendDigit { digit, method: DigitMethod::Auto, duration: ms(100) });
    }
    caller.run_until(4000);
    let mut callee = Line::configured();
    for sent in &caller.sent {
        callee.run_until(sent.at);
        callee.receive_from(PEER, &packet(0, sent.sequence, sent.timestamp, &sent.payload));
    }
    callee.run_until(4500);
    assert_eq!(callee.digits(), "0123456789*#ABCD");
    assert!(caller.said().ends_with("digits@3220"), "{}", caller.said());
}

#[test]
fn a_digit_in_both_ways_is_one_digit_whichever_comes_first() {
    // The tone leaks for 200 ms before the gateway's event arrives; later tones are only echoes.
    let mut line = Line::configured();
    let frames = dialled("55", 200.0, 300.0);
    for (n, frame) in (0u16..).zip(&frames) {
        let at = u64::from(n) * 20;
        line.run_until(at);
        let mut payload = [0; FRAME_SAMPLES];
        Codec::Pcmu.encode(&frame.samples, &mut payload);
        line.receive_from(PEER, &packet(0, 2 * n, u32::from(n) * 160, &payload));
        if at == 700 || at == 1200 {
            line.receive_from(PEER, &event(2 * n + 1, u32::from(n) * 160, 5, 160, true));
        }
    }
    line.run_until(2000);
    assert_eq!(line.digits(), "55");
}

#[test]
fn another_source_and_another_codec_go_on_at_once() {
    let mut line = Line::configured();
    let loud =
        crate::testing::Signal::default().tones(400.0, &[(600.0, -10.0)], &mut crate::testing::Dice::new(1)).frames();
    say(&mut line, &loud, 0.0, 0.0, 0);
    let before = line.audio().len();
    let at = (line.now - line.start).as_millis() as u64;
    for (n, frame) in (0u16..).zip(&loud) {
        line.run_until(at + u64::from(n) * 20);
        let mut payload = [0; FRAME_SAMPLES];
        Codec::Pcma.encode(&frame.samples, &mut payload);
        let mut datagram = packet(8, 7000 + n, 77 + u32::from(n) * 160, &payload);
        datagram[11] = 99;
        line.receive_from(PEER, &datagram);
    }
    line.run_until(at + 600);
    let sounding = line.audio()[before..].iter().filter(|frame| frame.samples.iter().any(|s| s.abs() > 5000)).count();
    // And four frames of concealment when it stops.
    assert_eq!(sounding, 24);
    assert_eq!(line.session.statistics().packets_lost, 0);
}

#[test]
fn both_sides_are_recorded_side_by_side() {
    let config = Config { ear: ear::Config { dtmf: false, progress: false, voice: false }, audio: true, record: true };
    let mut line = Line::with(config);
    line.order(Order::Configure(stream()));
    line.run_until(45);
    line.play(1, 1000, false);
    line.play(1, 1000, true);
    line.run_until(200);
    let we: Vec<(u128, i16)> = line
        .events
        .iter()
        .filter_map(|(_, e)| {
            if let Event::Recorded { they, we } = e { Some((they.at.as_millis(), we.samples[0])) } else { None }
        })
        .collect();
    // 1000 as µ-law has it.
    assert_eq!(we[..6], [(0, 0), (20, 0), (40, 0), (60, 988), (80, 988), (100, 0)]);
}

// RFC 3389 §4.
#[test]
fn a_pause_that_is_announced_sounds_as_described_and_keeps_the_clock() {
    let mut line = Line::configured();
    let mut sequence = 0;
    let mut talk = |line: &mut Line, from: u64| {
        for n in from..from + 10 {
            line.run_until(n * 20);
            line.receive_from(PEER, &packet(0, sequence, n as u32 * 160, &[0x90; 160]));
            sequence += 1;
        }
        sequence += 1;
        sequence - 1
    };
    let noise = talk(&mut line, 0);
    line.receive_from(PEER, &packet(13, noise, 10 * 160, &[50, 127, 90]));
    let last = talk(&mut line, 110);
    line.run_until(3000);
    assert_eq!(last, 21);
    let audio = line.audio();
    let loud = |frame: &&AudioFrame| frame.samples[100] > 10_000;
    assert_eq!(audio[..120].iter().filter(loud).count(), 20);
    let between = &audio[13..109];
    let noisy = |frame: &AudioFrame| {
        let power = frame.samples.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / FRAME_SAMPLES as f32;
        (40.0..250.0).contains(&power.sqrt())
    };
    assert!(between.iter().all(noisy), "−50 dBov is a level of 101");
    let statistics = line.session.statistics();
    assert_eq!((statistics.packets_received, statistics.packets_ignored, statistics.packets_lost), (21, 0, 0));
}

/// A session that nobody listens to, which sends back what comes.
fn echoing() -> Line {
    echoing_to(stream())
}

fn echoing_to(stream: StreamConfig) -> Line {
    let mut line = Line::with(Config { ear: ear::Config::DEAF, audio: false, record: false });
    line.order(Order::Configure(stream));
    line.order(Order::Echo(true));
    line
}

#[test]
fn the_echo_route_sends_back_each_packet_as_it_comes() {
    let mut line = echoing();
    line.run_until(300);
    line.receive_from(PEER, &event(7, 100, 5, 160, true));
    line.run_until(307);
    line.receive_from(PEER, &packet(0, 8, 1000, &[1; 160]));
    line.receive_from(PEER, &packet(0, 8, 1000, &[1; 160]));
    line.receive_from(STRANGER, &packet(0, 9, 1160, &[1; 160]));
    line.run_until(900);
    line.receive_from(PEER, &packet(13, 10, 9000, &[40]));
    assert_eq!(line.ladder(), ".@0 5/160E@300 s@307 s@900");
    let since = |sent: &Sent| sent.timestamp.wrapping_sub(line.sent[0].timestamp);
    assert_eq!(line.sent.iter().map(since).collect::<Vec<_>>(), [0, 2400, 3300, 11_300], "its own distances");
    assert_eq!(line.sent.windows(2).map(|w| w[1].sequence.wrapping_sub(w[0].sequence)).collect::<Vec<_>>(), [1; 3]);
    assert_eq!((line.sent[2].payload.as_slice(), line.sent[3].payload_type), (&[1; 160][..], 13));
}

// RFC 7362 §5.
#[test]
fn the_echo_route_sends_nothing_back_to_who_only_tries_the_port() {
    let mut line = echoing();
    for n in 0..3u16 {
        line.receive_from(STRANGER, &packet(0, n, u32::from(n) * 160, &[1; 160]));
        line.run_until(20 * (u64::from(n) + 1));
    }
    line.receive_from(PEER, &packet(0, 900, 9000, &[2; 160]));
    line.receive_from(STRANGER, &packet(0, 3, 480, &[1; 160]));
    assert_eq!(line.ladder(), ".@0 s@60");
    assert_eq!(line.sent[1].payload, [2; 160]);
    let statistics = line.session.statistics();
    assert_eq!((statistics.packets_received, statistics.packets_ignored), (4, 1));
}

#[test]
fn behind_a_nat_the_echo_begins_when_the_source_is_proved() {
    let mut line = echoing_to(behind_nat());
    for n in 0..6u16 {
        line.run_until(5 + u64::from(n) * 20);
        line.receive_from(PEER, &packet(0, n, u32::from(n) * 160, &[1; 160]));
    }
    assert_eq!(line.ladder(), "?.@0 s@65 s@85 s@105");
}

#[test]
fn the_echo_route_says_nothing_of_its_own_but_keeps_the_path_open() {
    let mut line = echoing();
    line.run_until(1500);
    line.receive_from(PEER, &packet(0, 8, 1000, &[1; 160]));
    line.run_until(4000);
    assert_eq!(line.ladder(), ".@0 .@1000 s@1500 .@2500 .@3500");
    let since = |sent: &Sent| sent.timestamp.wrapping_sub(line.sent[0].timestamp) / 8;
    assert_eq!(line.sent.iter().map(since).collect::<Vec<_>>(), [0, 1000, 1500, 2500, 3500]);
}

#[test]
fn the_echo_route_knows_long_packets_another_codec_another_source_and_hold() {
    let mut line = echoing();
    line.receive_from(PEER, &packet(0, 1, 0, &[1; 800]));
    let long: Vec<_> = line.sent[1..].iter().map(|sent| (sent.payload.len(), sent.timestamp)).collect();
    assert_eq!(long, [(480, line.sent[1].timestamp), (320, line.sent[1].timestamp.wrapping_add(480))]);
    line.receive_from(PEER, &packet(8, 2, 800, &[0x2A; 80]));
    assert_eq!(line.sent[3].payload_type, 0);
    let (mut theirs, mut ours) = ([0; 1], [0; 1]);
    Codec::Pcma.decode(&[0x2A], &mut theirs);
    Codec::Pcmu.encode(&theirs, &mut ours);
    assert_eq!(line.sent[3].payload, [ours[0]; 80]);
    line.run_until(100);
    let mut other = packet(0, 900, 123_456, &[1; 160]);
    other[11] = 99;
    line.receive_from(PEER, &other);
    assert_eq!(
        line.sent[4].timestamp.wrapping_sub(line.sent[1].timestamp),
        800,
        "100 ms later, whatever its clock says"
    );
    line.order(Order::Configure(StreamConfig { sending: false, ..stream() }));
    line.receive_from(PEER, &packet(0, 3, 880, &[1; 160]));
    line.run_until(5000);
    assert_eq!(line.sent.len(), 5);
    assert_eq!(line.session.statistics().packets_received, 4);
}

#[test]
fn the_steady_tone_fills_silence_and_gives_way_to_speech() {
    let mut line = Line::configured();
    line.order(Order::Tone(Some(SteadyTone { hertz: 1004.0, dbm0: 0.0 })));
    line.run_until(50);
    line.play(1, 0, true);
    line.run_until(100);
    assert_eq!(line.ladder(), ".@0 s@20 s@40 M.@50 s@80 s@100");
}

#[test]
fn a_call_in_which_only_unknown_sound_arrives_is_one_way_until_it_is_known() {
    use crate::one_way::{Cause, Verdict};
    let mut line = Line::configured();
    line.order(Order::Answered { signals: Some("192.0.2.1".parse().unwrap()) });
    let mut verdicts = Vec::new();
    for n in 0..100u16 {
        line.run_until(u64::from(n) * 20);
        let payload_type = if n < 90 { 97 } else { 0 };
        line.receive_from(PEER, &packet(payload_type, n, u32::from(n) * 160, &[0x55; 160]));
        verdicts.extend(line.session.poll_one_way().map(|verdict| (n * 20, verdict)));
        let cause = (75..90).contains(&n).then_some(Cause::PayloadType(97));
        assert_eq!(line.session.statistics().one_way, cause, "{n}");
    }
    assert_eq!(verdicts, [(1500, Verdict::Begun(Cause::PayloadType(97))), (1800, Verdict::Ended)]);
}

#[test]
fn a_quiet_line_is_raised_for_who_listens_and_stays_as_it_is_for_the_recorder() {
    let heard = |raise| {
        let mut line = Line::with(Config {
            ear: ear::Config { dtmf: true, progress: true, voice: true },
            audio: true,
            record: true,
        });
        line.order(Order::Configure(stream()));
        line.order(Order::RaiseQuiet(raise));
        let quiet = crate::testing::Signal::default().speech(12_000.0, -38.0, &mut crate::testing::Dice::new(5));
        say(&mut line, &quiet.frames(), 0.0, 0.0, 0);
        let recorded = line.events.iter().filter_map(|(_, event)| match event {
            Event::Recorded { they, .. } => Some(*they),
            _ => None,
        });
        let power = |frames: &[AudioFrame]| {
            frames.iter().flat_map(|frame| frame.samples).map(|sample| f64::from(sample).powi(2)).sum::<f64>()
        };
        let recorded: Vec<_> = recorded.collect();
        (power(&line.audio()[400..600]), power(&recorded[400..600]), line.session.statistics().level_dbm0)
    };
    let (raised, as_it_was) = (heard(true), heard(false));
    assert_eq!(as_it_was.0, as_it_was.1);
    assert_eq!((raised.1, raised.2), (as_it_was.1, as_it_was.2));
    let db = 10.0 * (raised.0 / raised.1).log10();
    assert!((8.0..15.1).contains(&db), "{db} dB");
}

#[test]
fn what_waits_is_said_in_the_codec_of_its_time() {
    let mut line = Line::configured();
    line.play(1, 1000, false);
    line.play(1, 1000, false);
    line.play(1, 1000, true);
    for (codec, payload_type, until) in [(Codec::Pcma, 8, 25), (Codec::G722, 9, 45)] {
        line.order(Order::Configure(StreamConfig { send: (codec, payload_type), ..stream() }));
        line.run_until(until);
    }
    let said: Vec<_> = line.sent.iter().filter(|sent| sent.payload.iter().any(|byte| *byte != 0xFF)).collect();
    let first = |codec: Codec, sample: i16| {
        let mut payload = [0; 1];
        codec.encode(&[sample], &mut payload);
        payload[0]
    };
    assert_eq!(said.iter().map(|sent| sent.payload_type).collect::<Vec<_>>(), [0, 8, 9]);
    assert_eq!(said[0].payload, [first(Codec::Pcmu, 1000); 160]);
    assert_eq!(said[1].payload, [first(Codec::Pcma, 988); 160]);
    assert_eq!(said[2].payload[0], first(Codec::G722, 988));
}

#[cfg(feature = "opus")]
mod opus;
