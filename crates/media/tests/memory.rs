//! What a session holds of the memory, all that it points to included, and that a frame takes no more.
//!
//! One test, for it counts what the whole program allocates.

#[path = "../../../scripts/bench/measure.rs"]
mod measure;

use std::time::{Duration, Instant};

use measure::{allocations, live_bytes};
use media::rtp::{HEADER_LEN, write_header};
use media::srtp::{Keys, MasterKey, Protector, Suite};
use media::{
    AudioFrame, Codec, Config, FRAME_DURATION, FRAME_SAMPLES, MediaSession, Order, SAMPLE_RATE, StreamConfig, Transmit,
    UtteranceId, ear,
};

#[global_allocator]
static ALLOCATOR: measure::Counting = measure::Counting;

/// Frames after which all that is allocated once has been. The second report (RFC 3550 §6.2) is not among them.
const WARM_UP: u32 = 50;
const FRAMES: u32 = 600;

/// Allocations of the crate of Opus in a frame heard and a frame said, the only ones on the path of audio.
#[cfg(feature = "opus")]
const OPUS_ALLOCATIONS: f64 = 3.0;

const ALL: ear::Config = ear::Config { dtmf: true, progress: true, voice: true };

#[test]
fn a_session_stays_small_and_a_frame_allocates_nothing() {
    // What it is, and the most bytes that it may hold.
    let echoing = Call::new(Config { ear: ear::Config::DEAF, audio: false, record: false }, None, true);
    check("echo", echoing, 8_000);
    check(
        "deaf, says something",
        Call::new(Config { ear: ear::Config::DEAF, audio: true, record: false }, None, false),
        28_000,
    );
    check(
        "all ears, recorded, says something",
        Call::new(Config { ear: ALL, audio: true, record: true }, None, false),
        35_000,
    );
    for suite in Suite::ALL {
        let keys = |secret| MasterKey::new(suite, &vec![secret; suite.key_len() + suite.salt_len()]).unwrap();
        let keys = Keys { send: keys(1), receive: keys(2) };
        let call = Call::new(Config { ear: ALL, audio: true, record: true }, Some(keys), false);
        check(suite.name(), call, 39_000);
    }
    #[cfg(feature = "opus")]
    check_opus();
}

/// What Opus holds and takes.
#[cfg(feature = "opus")]
fn check_opus() {
    let voice = std::array::from_fn::<i16, FRAME_SAMPLES, _>(|n| (n as i16 * 97 % 8000) - 4000);
    let mut packet = [0; FRAME_SAMPLES];
    let len = media::codec::Encoder::default().encode(Codec::Opus, &voice, &mut packet);
    let config = Config { ear: ALL, audio: true, record: true };
    let mut call = Call::in_codec((Codec::Opus, 111), packet[..len].to_vec(), config, None, false);
    (0..WARM_UP).for_each(|_| call.turn());
    let (held, before) = (live_bytes() - call.before, allocations());
    (0..FRAMES).for_each(|_| call.turn());
    let a_frame = (allocations() - before) as f64 / f64::from(FRAMES);
    assert!(a_frame <= OPUS_ALLOCATIONS, "{a_frame} allocations a frame");
    assert!(held <= 360_000, "{held} bytes");
}

fn check(what: &str, mut call: Call, most: u64) {
    (0..WARM_UP).for_each(|_| call.turn());
    let held = live_bytes() - call.before;
    let before = allocations();
    (0..FRAMES).for_each(|_| call.turn());
    assert_eq!(allocations() - before, 0, "{what}: allocations in {FRAMES} frames");
    assert_eq!(call.session.statistics().packets_received, u64::from(WARM_UP + FRAMES), "{what}");
    assert!(held <= most, "{what}: {held} bytes, {} of them the value itself", size_of::<MediaSession>());
}

/// Both sides talk all the time, or what they say comes back.
struct Call {
    /// What they send, over and over.
    payload_type: u8,
    payload: Vec<u8>,
    /// Of its clock in a sample.
    ticks: u32,
    before: u64,
    now: Instant,
    session: Box<MediaSession>,
    theirs: Option<Protector>,
    echoes: bool,
    turns: u32,
}

impl Call {
    fn new(config: Config, srtp: Option<Keys>, echoes: bool) -> Self {
        Self::in_codec((Codec::Pcmu, 0), vec![0x35; FRAME_SAMPLES], config, srtp, echoes)
    }

    /// They send this payload in each packet.
    fn in_codec(codec: (Codec, u8), payload: Vec<u8>, config: Config, srtp: Option<Keys>, echoes: bool) -> Self {
        let now = Instant::now();
        let theirs = srtp.as_ref().map(|keys| Protector::new(keys.receive.clone()));
        let stream = StreamConfig {
            remote: ([192, 0, 2, 1], 4000).into(),
            rtcp: Some(([192, 0, 2, 1], 4000).into()),
            send: codec,
            receive: vec![codec],
            telephone_event_send: Some(101),
            telephone_event_receive: Some(101),
            sending: true,
            receiving: true,
            srtp,
        };
        let before = live_bytes();
        let mut session = Box::new(MediaSession::new(now, config, [1; 32]));
        session.order(now, Order::Configure(stream));
        session.order(now, Order::Echo(echoes));
        let ticks = codec.0.clock_rate() / SAMPLE_RATE;
        Self { payload_type: codec.1, payload, ticks, before, now, session, theirs, echoes, turns: 0 }
    }

    fn turn(&mut self) {
        self.now += FRAME_DURATION;
        let mut packet = [0; 256];
        if let Some(header) = packet.first_chunk_mut() {
            let timestamp = self.turns * FRAME_SAMPLES as u32 * self.ticks;
            write_header(header, false, self.payload_type, self.turns as u16, timestamp, 7);
        }
        let mut len = HEADER_LEN + self.payload.len();
        packet[HEADER_LEN..len].copy_from_slice(&self.payload);
        if let Some(theirs) = &mut self.theirs {
            len = theirs.protect(&mut packet, len).unwrap();
        }
        self.session.receive(self.now - FRAME_DURATION / 2, ([192, 0, 2, 1], 4000).into(), &packet[..len]);
        self.take_all();
        if !self.echoes {
            let start = self.turns as usize * FRAME_SAMPLES;
            let samples = std::array::from_fn(|n| ((start + n) * 97 % 8000) as i16 - 4000);
            let frame = AudioFrame { at: Duration::ZERO, samples };
            self.session.order(self.now, Order::Play { utterance: UtteranceId(1), frame, last: false });
        }
        self.take_all();
        self.session.handle_timeout(self.now);
        self.take_all();
        self.turns += 1;
    }

    fn take_all(&mut self) {
        let mut transmit = Transmit::default();
        while self.session.poll_transmit(&mut transmit) {}
        while self.session.poll_event().is_some() {}
    }
}
