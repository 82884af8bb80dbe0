//! What the audio of a call costs: `make bench BENCH=media`.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "bench/drift.rs"]
mod drift;
#[path = "bench/jitter.rs"]
mod jitter;
#[path = "../../../scripts/bench/measure.rs"]
mod measure;
#[path = "bench/peer.rs"]
mod peer;

use std::f32::consts::TAU;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use measure::{Table, allocations, live_bytes, nanoseconds};
use media::codec::g711;
use media::conceal::Concealer;
use media::mixer::{Audience, Mixer};
use media::rtp::HEADER_LEN;
use media::srtp::{Keys, MasterKey, Protector, Suite};
use media::{
    AudioFrame, Codec, Config, FRAME_DURATION, FRAME_SAMPLES, MAX_PACKET, MediaSession, Order, StreamConfig, Transmit,
    UtteranceId, ear,
};
use peer::{PEER, number};

#[global_allocator]
static ALLOCATOR: measure::Counting = measure::Counting;

/// Frames in a round: twenty seconds.
const FRAMES: u32 = 1_000;
/// A packet of 20 ms.
const PACKET: usize = HEADER_LEN + FRAME_SAMPLES;

/// The times that a frame may take of what copying and coding alone take.
const FRAME_BOUND: f64 = 8.0;
/// The times that a frame protected both ways may take of a plain one.
const PROTECTED_BOUND: f64 = 5.0;
/// Frames that a peer may send in one measurement: made before, so that its work is not counted.
const PROTECTED_FRAMES: u32 = 50 * FRAMES;
/// The times that all detectors may take of eight Goertzel filters.
const EAR_BOUND: f64 = 30.0;
/// Bytes of a session, queues and all.
const SESSION_BOUND: f64 = 40_000.0;

const DEAF: ear::Config = ear::Config { dtmf: false, progress: false, voice: false };
const KEYS: ear::Config = ear::Config { dtmf: true, ..DEAF };
const ALL: ear::Config = ear::Config { dtmf: true, progress: true, voice: true };

#[expect(clippy::disallowed_methods, reason = "the machine wants some time to start from")]
fn main() -> ExitCode {
    let now = Instant::now();
    let mut table = Table::new("media");
    println!("a frame: 172 bytes of RTP received, ordered, decoded, handed over; 20 ms said, encoded, sent");
    let deaf =
        frame(&mut table, now, "receive, decode and send a frame", Config { ear: DEAF, audio: true, record: false });
    frame(&mut table, now, "the same, recorded", Config { ear: DEAF, audio: true, record: true });
    protected(&mut table, now);
    ears(&mut table, now, deaf);
    lost(&mut table);
    mixed(&mut table);
    jitter::jitter(&mut table);
    drift::drift(&mut table, now);
    memory(&mut table, now);
    table.finish()
}

/// Nanoseconds of a frame.
fn frame(table: &mut Table, now: Instant, what: &str, config: Config) -> f64 {
    let mut call = Conversation::new(now, config);
    call.warm_up();
    let before = allocations();
    for _ in 0..FRAMES {
        call.turn();
    }
    let allocated = (allocations() - before) as f64 / f64::from(FRAMES);
    let mut floor = Floor::new();
    let (time, anchor) = nanoseconds(FRAMES, || call.turn(), || floor.turn());
    table.ratio(what, (time, anchor), "ns", "copies and two table look-ups a sample", FRAME_BOUND);
    table.at_most("  allocations in a frame", allocated, "", 0.0);
    table.highlight(format!("{what}: {time:.0} ns"));
    time
}

fn protected(table: &mut Table, now: Instant) {
    println!("SRTP: their packet unprotected, ours protected, beside the same without");
    let config = || Config { ear: DEAF, audio: true, record: false };
    for suite in [Suite::AesCm128HmacSha1_80, Suite::AeadAes128Gcm, Suite::AeadAes256Gcm] {
        let mut plain = Conversation::new(now, config());
        plain.warm_up();
        let mut call = Conversation::protected(now, config(), suite);
        call.warm_up();
        let before = allocations();
        for _ in 0..FRAMES {
            call.turn();
        }
        let allocated = (allocations() - before) as f64 / f64::from(FRAMES);
        let (time, anchor) = nanoseconds(FRAMES, || call.turn(), || plain.turn());
        table.ratio(suite.name(), (time, anchor), "ns", "a plain frame", PROTECTED_BOUND);
        table.at_most("  allocations in a frame", allocated, "", 0.0);
        if suite == Suite::AesCm128HmacSha1_80 {
            table.highlight(format!("SRTP adds {:.0} ns", time - anchor));
        }
    }
}

fn ears(table: &mut Table, now: Instant, deaf: f64) {
    println!("the ear: what it adds to a frame");
    let speech = speech();
    for (what, ear) in [("keys by ear", KEYS), ("keys, tones, voice and music by ear", ALL)] {
        let mut call = Conversation::new(now, Config { ear, audio: true, record: false });
        call.warm_up();
        let mut at = 0;
        let (time, anchor) = nanoseconds(
            FRAMES,
            || call.turn(),
            || {
                at = (at + 1) % speech.len();
                black_box(eight_goertzels(black_box(&speech[at])));
            },
        );
        table.ratio(what, (time - deaf, anchor), "ns", "eight Goertzel filters", EAR_BOUND);
        if ear == ALL {
            table.beside("calls whose audio fills one core, no sockets", 2e7 / time, "", "all heard");
            table.highlight(format!("all ears on: {:.1} us", time / 1e3));
        }
    }
}

fn lost(table: &mut Table) {
    let speech = speech();
    let mut concealer = Concealer::new();
    let mut at = 0;
    let (time, _) = nanoseconds(
        FRAMES,
        || {
            at = (at + 1) % speech.len();
            let mut frame = speech[at];
            black_box(concealer.fill(&mut frame, &[at % 2 == 0; FRAME_SAMPLES], FRAME_SAMPLES));
        },
        || (),
    );
    table.beside("a lost frame made up, and the next blended in", 2.0 * time, "ns", "");
}

fn mixed(table: &mut Table) {
    let speech = speech();
    for count in [3, 10] {
        let mut mixer = Mixer::default();
        let ids: Vec<_> = (0..count).filter_map(|_| mixer.join(Audience::Everyone)).collect();
        let mut at = 0;
        let (time, _) = nanoseconds(
            FRAMES,
            || {
                for id in &ids {
                    at = (at + 7) % speech.len();
                    mixer.say(*id, &speech[at]);
                }
                ids.iter().for_each(|id| _ = black_box(mixer.mix(*id)));
                mixer.next_frame();
            },
            || (),
        );
        table.beside(&format!("a frame of {count} mixed for each of them"), time, "ns", "");
    }
}

fn memory(table: &mut Table, now: Instant) {
    println!("memory: a session with its queues, after twenty seconds of talk");
    table.beside("size of MediaSession itself", size_of::<MediaSession>() as f64, "B", "");
    table.beside("size of an event", size_of::<media::Event>() as f64, "B", "");
    for (what, config) in [
        ("session that hears nothing", Config { ear: DEAF, audio: true, record: false }),
        ("session that hears everything, recorded", Config { ear: ALL, audio: true, record: true }),
    ] {
        let stream = stream();
        let before = live_bytes();
        let session = Box::new(MediaSession::new(now, config, [1; 32]));
        let mut call = Conversation::with(now, session, stream);
        let packets =
            call.packets.len() * size_of::<[u8; PACKET]>() + call.said.len() * size_of::<[i16; FRAME_SAMPLES]>();
        call.warm_up();
        table.at_most(what, (live_bytes() - before) as f64 - packets as f64, "B", SESSION_BOUND);
    }
}

/// Both sides talk all the time.
struct Conversation {
    now: Instant,
    session: Box<MediaSession>,
    packets: Vec<[u8; PACKET]>,
    /// Packets of an SRTP peer, in order, and their length.
    protected: Vec<[u8; MAX_PACKET]>,
    protected_len: usize,
    said: Vec<[i16; FRAME_SAMPLES]>,
    turns: u32,
    transmit: Transmit,
}

impl Conversation {
    fn new(now: Instant, config: Config) -> Self {
        Self::with(now, Box::new(MediaSession::new(now, config, [1; 32])), stream())
    }

    fn with(now: Instant, mut session: Box<MediaSession>, stream: StreamConfig) -> Self {
        session.order(now, Order::Configure(stream));
        let said = speech();
        let packets = said.iter().map(|samples| {
            let mut packet = [0; PACKET];
            Codec::Pcmu.encode(samples, &mut packet[HEADER_LEN..]);
            packet
        });
        Self {
            now,
            session,
            packets: packets.collect(),
            protected: Vec::new(),
            protected_len: 0,
            said,
            turns: 0,
            transmit: Transmit::default(),
        }
    }

    fn protected(now: Instant, config: Config, suite: Suite) -> Self {
        let key =
            |byte| MasterKey::new(suite, &vec![byte; suite.key_len() + suite.salt_len()]).expect("as long as that");
        let keys = Keys { send: key(1), receive: key(2) };
        let stream = StreamConfig { srtp: Some(keys), ..stream() };
        let mut call = Self::with(now, Box::new(MediaSession::new(now, config, [1; 32])), stream);
        let mut peer = Protector::new(key(2));
        call.protected = (0..PROTECTED_FRAMES)
            .map(|turn| {
                let mut packet = [0; MAX_PACKET];
                packet[..PACKET].copy_from_slice(&call.packets[turn as usize % call.packets.len()]);
                number(&mut packet, 0, turn, FRAME_SAMPLES as u32);
                peer.protect(&mut packet, PACKET).expect("there is room for a tag");
                packet
            })
            .collect();
        call.protected_len = PACKET + suite.tag_len();
        call
    }

    fn warm_up(&mut self) {
        for _ in 0..FRAMES {
            self.turn();
        }
        let counted = self.session.statistics();
        assert_eq!((counted.packets_received, counted.concealed_frames), (u64::from(FRAMES), 0), "all was played");
    }

    fn turn(&mut self) {
        self.now += FRAME_DURATION;
        let which = self.turns as usize % self.packets.len();
        let packet = match self.protected.get(self.turns as usize) {
            Some(packet) => &packet[..self.protected_len],
            None => {
                let packet = &mut self.packets[which];
                number(packet, 0, self.turns, FRAME_SAMPLES as u32);
                packet
            }
        };
        self.session.receive(self.now - FRAME_DURATION / 2, PEER.into(), packet);
        let frame = AudioFrame { at: Duration::ZERO, samples: self.said[which] };
        self.session.order(self.now, Order::Play { utterance: UtteranceId(1), frame, last: false });
        self.session.handle_timeout(self.now);
        let mut sent = 0;
        while self.session.poll_transmit(&mut self.transmit) {
            sent += black_box(&self.transmit).bytes().len();
        }
        while let Some(event) = self.session.poll_event() {
            black_box(&event);
        }
        while let Some(recorded) = self.session.poll_recorded() {
            black_box(&recorded);
        }
        assert!(sent > 0 || self.turns == 0, "a packet leaves every 20 ms");
        self.turns = self.turns.wrapping_add(1);
    }
}

/// The anchor of a frame: a packet copied, decoded, encoded and copied again, and nothing else.
struct Floor {
    packet: [u8; PACKET],
    copy: [u8; PACKET],
    samples: [i16; FRAME_SAMPLES],
    encode: Vec<u8>,
}

impl Floor {
    fn new() -> Self {
        let encode = (0..=u16::MAX).map(|sample| g711::ulaw_from_linear(sample as i16)).collect();
        Self { packet: [0x35; PACKET], copy: [0; PACKET], samples: [0; FRAME_SAMPLES], encode }
    }

    fn turn(&mut self) {
        self.copy.copy_from_slice(black_box(&self.packet));
        for (sample, byte) in self.samples.iter_mut().zip(&self.copy[HEADER_LEN..]) {
            *sample = g711::ULAW_TO_LINEAR[usize::from(*byte)];
        }
        for (byte, sample) in self.copy[HEADER_LEN..].iter_mut().zip(black_box(&self.samples)) {
            *byte = self.encode[usize::from(*sample as u16)];
        }
        self.packet.copy_from_slice(black_box(&self.copy));
    }
}

/// The anchor of the ear: what the classic detector of keys computes.
fn eight_goertzels(samples: &[i16; FRAME_SAMPLES]) -> f32 {
    const HERTZ: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
    let coefficients = HERTZ.map(|hertz| 2.0 * (TAU * hertz / 8000.0).cos());
    let (mut one, mut two) = ([0.0f32; 8], [0.0f32; 8]);
    for sample in samples {
        for band in 0..8 {
            let next = f32::from(*sample) + coefficients[band] * one[band] - two[band];
            two[band] = one[band];
            one[band] = next;
        }
    }
    (0..8).map(|band| one[band] * one[band] + two[band] * two[band] - coefficients[band] * one[band] * two[band]).sum()
}

fn stream() -> StreamConfig {
    StreamConfig {
        telephone_event_send: Some(101),
        telephone_event_receive: Some(101),
        ..StreamConfig::pcmu(PEER.into())
    }
}

/// Two seconds of something like a voice: a pitch that wanders, harmonics, syllables.
fn speech() -> Vec<[i16; FRAME_SAMPLES]> {
    let mut phase = 0.0f32;
    let mut samples = (0..100 * FRAME_SAMPLES).map(|n| {
        let time = n as f32 / 8000.0;
        phase += TAU * (140.0 + 30.0 * (TAU * 0.7 * time).sin()) / 8000.0;
        let voice: f32 = (1..12).map(|harmonic| (phase * harmonic as f32).sin() / harmonic as f32).sum();
        let syllable = (TAU * 2.0 * time).sin().max(0.0);
        (voice * syllable * 6000.0) as i16
    });
    (0..100).map(|_| std::array::from_fn(|_| samples.next().unwrap_or_default())).collect()
}
