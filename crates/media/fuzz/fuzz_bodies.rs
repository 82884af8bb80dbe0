//! What each fuzz target does with its bytes; `tests/fuzz_corpus.rs` does the same with the corpus.

#![allow(dead_code, reason = "each target uses one of these")]

use std::time::{Duration, Instant};

use media::comfort_noise::ComfortNoise;
use media::dtmf::Digit;
use media::dtmf::telephone_event::TelephoneEvent;
use media::one_way::Verdict;
use media::rtcp::{self, Compound, is_rtcp};
use media::rtp::{self, HEADER_LEN, Packet, write_header};
use media::srtp::{ControlProtector, ControlUnprotector, Keys, MasterKey, Protector, Refusal, Suite, Unprotector};
use media::{
    AudioFrame, Codec, Config, DigitMethod, Event, FRAME_DURATION, FRAME_SAMPLES, MAX_PACKET, MediaSession, Order,
    SteadyTone, StreamConfig, Transmit, UtteranceId, ear, quality,
};

/// Packets that one input of a session may leave to be sent.
const MAX_TRANSMITS: usize = 16;
/// Bytes of a long datagram.
const LONG: usize = 1500;
/// In a datagram these stand for our SSRC, which nobody knows beforehand.
const OURS: &[u8; 4] = b"OURS";

/// A datagram is read; what is read lies within it, and is read again from a packet without anything besides.
pub fn rtp(data: &[u8]) {
    let Some(packet) = Packet::parse(data) else { return };
    assert!(rtp::header_len(data).is_some_and(|len| len + packet.payload.len() <= data.len()));
    let mut header = [0; HEADER_LEN];
    write_header(&mut header, packet.marker, packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc);
    let again = [&header[..], packet.payload].concat();
    assert_eq!(Packet::parse(&again), Some(packet));
    if let Some(event) = TelephoneEvent::parse(packet.payload) {
        assert_eq!(TelephoneEvent::parse(&event.to_bytes()), Some(event));
    }
    let mut noise = ComfortNoise::new();
    if noise.describe(packet.payload) {
        (0..FRAME_SAMPLES).for_each(|_| _ = noise.next_sample());
    }
}

/// A compound packet is read to its end, and what a session then reports can be read too.
pub fn rtcp(data: &[u8]) {
    for part in Compound::parse(data).into_iter().flatten() {
        match part {
            rtcp::Packet::SenderReport { blocks, .. } | rtcp::Packet::ReceiverReport { blocks, .. } => {
                assert!(blocks.count() < 32);
            }
            rtcp::Packet::Description(chunks) => assert!(chunks.count() < 32),
            rtcp::Packet::Goodbye(sources) => assert!(sources.count() < 32),
            rtcp::Packet::Other(_) => {}
        }
    }
    let mut line = Line::new(ear::Config::DEAF);
    line.configure(0);
    for _ in 0..4 {
        line.well_formed(0);
        line.receive(PEER, data);
        // Reports leave every five seconds or so; a session that overslept has less to do.
        line.oversleep(3200);
    }
    line.goodbye();
}

/// The first byte names a suite, two more a bit. The rest is a packet: as it is it is refused; protected it comes back as
/// it was, once, and not with that bit turned.
pub fn srtp(data: &[u8]) {
    let Some((&[suite, high, low], packet)) = data.split_first_chunk() else { return };
    let key = key(suite, 1);
    let bit = usize::from(u16::from_be_bytes([high, low]));

    let (mut protector, mut unprotector) = (Protector::new(key.clone()), Unprotector::new(key.clone()));
    let is_packet = rtp::header_len(packet).is_some();
    let protect = |buffer: &mut [u8], len| protector.protect(buffer, len);
    protected_once(packet, bit, is_packet, protect, |packet| unprotector.unprotect(packet));

    let (mut protector, mut unprotector) = (ControlProtector::new(key.clone()), ControlUnprotector::new(key));
    let is_packet = packet.len() >= 8;
    let protect = |buffer: &mut [u8], len| protector.protect(buffer, len);
    protected_once(packet, bit, is_packet, protect, |packet| unprotector.unprotect(packet));
}

fn protected_once(
    packet: &[u8],
    bit: usize,
    is_packet: bool,
    protect: impl FnOnce(&mut [u8], usize) -> Option<usize>,
    mut unprotect: impl FnMut(&mut [u8]) -> Result<usize, Refusal>,
) {
    let mut open = |packet: &[u8]| {
        let mut bytes = packet.to_vec();
        let opened = unprotect(&mut bytes);
        match opened {
            Ok(len) => bytes.truncate(len),
            Err(_) => assert_eq!(bytes, packet, "a refused packet is left as it came"),
        }
        opened.map(|_| bytes)
    };
    assert!(open(packet).is_err());
    let mut protected = [packet, &[0; 32]].concat();
    let len = protect(&mut protected, packet.len());
    assert_eq!(len.is_some(), is_packet);
    let Some(len) = len else { return };
    protected.truncate(len);
    let mut tampered = protected.clone();
    tampered[bit / 8 % len] ^= 1 << (bit % 8);
    assert!(open(&tampered).is_err());
    assert_eq!(open(&protected).as_deref(), Ok(packet));
    assert_eq!(open(&protected), Err(Refusal::Replayed));
}

/// A session gets orders, packets and time in any order: two bytes each say what and how, bytes of a datagram follow. It
/// never asks to be woken at once, plays out in order, and what leaves is what was agreed on.
pub fn session(data: &[u8]) {
    let mut line = Line::new(ear::Config { dtmf: true, ..ear::Config::DEAF });
    let mut rest = data;
    while let Some((&[what, how], after)) = rest.split_first_chunk() {
        rest = after;
        let mut datagram = || {
            let (datagram, after) = rest.split_at(rest.len().min(how.into()));
            rest = after;
            datagram
        };
        match what % 16 {
            0 => line.receive(PEER, datagram()),
            1 => line.receive(STRANGER, datagram()),
            2 => {
                let long: Vec<u8> = datagram().iter().copied().cycle().take(LONG).collect();
                line.receive(PEER, &long);
            }
            3 => line.configure(how),
            4 => line.pass(how.into()),
            5 => line.oversleep(u64::from(how) * 100),
            6 | 7 => line.well_formed(how),
            8 => line.order(Order::Answered { signals: (how % 2 == 0).then_some(SIGNALS.into()) }),
            9 => line.play(how),
            10 => line.order(Order::Flush(UtteranceId(u32::from(how % 8)))),
            11 => line.dial(how),
            12 => line.order(Order::SendPause(Duration::from_millis(u64::from(how) * 10))),
            13 => {
                line.order(Order::Echo(how & 1 == 0));
                line.order(Order::RaiseQuiet(how & 2 == 0));
            }
            14 => {
                let tone = SteadyTone { hertz: f32::from(how) * 20.0, dbm0: -f32::from(how % 64) };
                line.order(Order::Tone((how % 2 == 0).then_some(tone)));
            }
            _ => line.goodbye(),
        }
    }
    line.pass(500);
    line.goodbye();
}

const PEER: ([u8; 4], u16) = ([192, 0, 2, 1], 4000);
const STRANGER: ([u8; 4], u16) = ([192, 0, 2, 9], 4000);
const SIGNALS: [u8; 4] = [192, 0, 2, 5];

fn key(suite: u8, secret: u8) -> MasterKey {
    let suite = Suite::ALL[usize::from(suite) % Suite::ALL.len()];
    MasterKey::new(suite, &vec![secret; suite.key_len() + suite.salt_len()]).expect("as long as the suite wants")
}

/// A session and its peer, who speaks as was agreed when asked to.
struct Line {
    now: Instant,
    session: MediaSession,
    transmit: Transmit,
    stream: Option<StreamConfig>,
    ours: Option<[u8; 4]>,
    /// How often keys were agreed on: no key comes twice.
    secrets: u8,
    theirs: Option<Theirs>,
    sequence: u16,
    timestamp: u32,
    /// When the latest frame that was played began.
    played: Option<Duration>,
}

/// The other end of SRTP.
struct Theirs {
    protector: Protector,
    rtp: Unprotector,
    rtcp: ControlUnprotector,
}

impl Line {
    fn new(ear: ear::Config) -> Self {
        let now = Instant::now();
        Self {
            now,
            session: MediaSession::new(now, Config { ear, audio: true, record: true }, [7; 32]),
            transmit: Transmit::default(),
            stream: None,
            ours: None,
            secrets: 0,
            theirs: None,
            sequence: u16::MAX - 3,
            timestamp: u32::MAX - 1000,
            played: None,
        }
    }

    /// Bit by bit from the lowest: we are silent, they are, their address is none, no telephone-event, A-law; with both of these comfort
    /// noise. The upper
    /// three: no SRTP, or (1 and 2) with the keys before, or with new ones of one suite or another.
    fn configure(&mut self, how: u8) {
        let srtp = match (how >> 5, self.stream.as_ref().and_then(|stream| stream.srtp.clone())) {
            (0, _) => None,
            (1 | 2, Some(keys)) => Some(keys),
            (suite, _) => {
                self.secrets = self.secrets.wrapping_add(2);
                let keys = Keys { send: key(suite, self.secrets), receive: key(suite, self.secrets.wrapping_add(1)) };
                self.theirs = Some(Theirs {
                    protector: Protector::new(keys.receive.clone()),
                    rtp: Unprotector::new(keys.send.clone()),
                    rtcp: ControlUnprotector::new(keys.send.clone()),
                });
                Some(keys)
            }
        };
        let codec = if how & 16 == 0 { (Codec::Pcmu, 0) } else { (Codec::Pcma, 8) };
        let telephone_event = (how & 8 == 0).then_some(101);
        let stream = StreamConfig {
            remote: if how & 4 == 0 { PEER.into() } else { ([0, 0, 0, 0], 9).into() },
            rtcp: Some(PEER.into()),
            send: codec,
            receive: vec![codec, (Codec::G722, 9)],
            telephone_event_send: telephone_event,
            telephone_event_receive: telephone_event,
            comfort_noise: (how & 24 == 24).then_some(13),
            sending: how & 1 == 0,
            receiving: how & 2 == 0,
            srtp,
        };
        self.stream = Some(stream.clone());
        self.order(Order::Configure(stream));
    }

    fn order(&mut self, order: Order) {
        self.session.order(self.now, order);
        self.drain();
    }

    fn receive(&mut self, from: ([u8; 4], u16), datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        if let (Some(at), Some(ours)) = (datagram.windows(4).position(|four| four == OURS), self.ours) {
            datagram[at..at + 4].copy_from_slice(&ours);
        }
        self.session.receive(self.now, from.into(), &datagram);
        self.drain();
    }

    /// The next packet of the peer as agreed on. Two bits each from the lowest: of what type, how many are left out before
    /// it, how long, from which source.
    fn well_formed(&mut self, how: u8) {
        let Some(stream) = &self.stream else { return };
        let payload_type = [stream.send.1, 9, 13, 101][usize::from(how & 3)];
        let len = [160, 80, 480, 1920][usize::from(how >> 4 & 3)];
        self.sequence = self.sequence.wrapping_add(1 + u16::from(how >> 2 & 3));
        self.timestamp = self.timestamp.wrapping_add(160 * (1 + u32::from(how >> 2 & 3)));
        let mut packet = vec![how; HEADER_LEN + len + 16];
        if let Some(header) = packet.first_chunk_mut() {
            write_header(header, how > 127, payload_type, self.sequence, self.timestamp, u32::from(how >> 6));
        }
        let protector = self.theirs.as_mut().filter(|_| stream.srtp.is_some()).map(|theirs| &mut theirs.protector);
        let len = match protector {
            None => HEADER_LEN + len,
            Some(protector) => protector.protect(&mut packet, HEADER_LEN + len).expect("there is room for a tag"),
        };
        self.receive(PEER, &packet[..len]);
    }

    fn play(&mut self, how: u8) {
        let frame = AudioFrame { at: Duration::ZERO, samples: [i16::from(how) * 100; FRAME_SAMPLES] };
        self.order(Order::Play { utterance: UtteranceId(u32::from(how % 8)), frame, last: how > 127 });
    }

    fn dial(&mut self, how: u8) {
        let Some(digit) = Digit::from_event(how % 16) else { return };
        let method = [DigitMethod::Auto, DigitMethod::Inband][usize::from(how >> 4 & 1)];
        self.order(Order::SendDigit { digit, method, duration: Duration::from_millis(u64::from(how >> 5) * 40) });
    }

    /// So many milliseconds pass, and the session is woken when it wants to be.
    fn pass(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.wake();
        }
        self.now = until;
    }

    /// So many milliseconds pass, and nobody wakes it before.
    fn oversleep(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.wake();
    }

    fn wake(&mut self) {
        self.session.handle_timeout(self.now);
        assert!(self.session.poll_timeout().is_none_or(|due| due > self.now), "it would be woken without end");
        self.drain();
    }

    fn goodbye(&mut self) {
        self.session.goodbye(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        let mut sent = 0;
        while self.session.poll_transmit(&mut self.transmit) {
            sent += 1;
            self.check_transmit();
        }
        assert!(sent <= MAX_TRANSMITS);
        while let Some(event) = self.session.poll_event() {
            if let Event::Audio(frame) = event {
                assert!(self.played.is_none_or(|before| frame.at >= before + FRAME_DURATION));
                self.played = Some(frame.at);
            }
        }
        while self.session.poll_recorded().is_some() {}
        let changed = self.session.poll_one_way();
        let statistics = self.session.statistics();
        let is_one_way = |verdict| matches!(verdict, Verdict::Begun(_));
        assert!(changed.is_none_or(|verdict| is_one_way(verdict) == statistics.one_way.is_some()));
        assert!((1.0..=4.5).contains(&quality::mos(&statistics)));
        assert!(statistics.remote.is_none_or(|remote| (0.0..=1.0).contains(&remote.loss)));
        assert!(!self.session.describe().is_empty());
    }

    /// What leaves can be read by the peer, protected if that was agreed on.
    fn check_transmit(&mut self) {
        let mut bytes = self.transmit.bytes().to_vec();
        assert!(bytes.len() <= MAX_PACKET && self.transmit.to.port() != 0 && !self.transmit.to.ip().is_unspecified());
        let is_protected = self.stream.as_ref().is_some_and(|stream| stream.srtp.is_some());
        if let Some(theirs) = self.theirs.as_mut().filter(|_| is_protected) {
            let opened =
                if is_rtcp(&bytes) { theirs.rtcp.unprotect(&mut bytes) } else { theirs.rtp.unprotect(&mut bytes) };
            bytes.truncate(opened.expect("protected with the key agreed on"));
        }
        match Packet::parse(&bytes) {
            Some(packet) => self.ours = Some(packet.ssrc.to_be_bytes()),
            None => assert!(Compound::parse(&bytes).is_some()),
        }
    }
}
