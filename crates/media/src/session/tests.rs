//! A session against a peer made of bytes, on a clock made of additions.

mod comfort_noise;
mod digits;
mod echo;
mod heard;
#[cfg(feature = "opus")]
mod opus;
mod said;

use super::*;
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
    recorded: Vec<(u64, Recorded)>,
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
        Self { start, now: start, session, sent: Vec::new(), events: Vec::new(), recorded: Vec::new() }
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
        while let Some(recorded) = self.session.poll_recorded() {
            self.recorded.push((at, recorded));
        }
    }

    /// What was sent, a word a packet: `.` silence, `s` sound, `n` comfort noise, `M` marker; `5/160E` events; `@` the time; `?` not to the
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
                13 => "n".into(),
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
