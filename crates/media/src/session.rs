//! [`MediaSession`]: the one public machine: one call's audio, both ways.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::ear::{self, Digit, Heard};
use crate::AudioFrame;

/// An audio codec of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

/// What offer and answer agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// Where their description says they receive; symmetric RTP may correct it.
    pub remote: SocketAddr,
    /// Codec and payload type we send.
    pub send: (Codec, u8),
    /// Codecs and payload types we may receive.
    pub receive: Vec<(Codec, u8)>,
    /// telephone-event payload type we send.
    pub telephone_event_send: Option<u8>,
    /// telephone-event payload type we receive.
    pub telephone_event_receive: Option<u8>,
    /// May we send audio?
    pub sending: bool,
    /// Do we expect audio (false while held)?
    pub receiving: bool,
}

/// One thing said: all frames of one utterance carry its id; ids grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtteranceId(pub u32);

/// How digits are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitMethod {
    /// RFC 4733 where negotiated, else in-band.
    Auto,
    /// RFC 4733.
    Rfc4733,
    /// Tones in the audio.
    Inband,
}

/// A tone without end, for test routes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SteadyTone {
    /// Frequency.
    pub hertz: f32,
    /// Level.
    pub dbm0: f32,
}

/// What the call tells its media.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// The stream was (re)negotiated.
    Configure(StreamConfig),
    /// 20 ms of an utterance to say, in order. `last` marks its end.
    Play {
        /// Which utterance.
        utterance: UtteranceId,
        /// The audio (`at` is ignored).
        frame: AudioFrame,
        /// No frame of this utterance follows.
        last: bool,
    },
    /// Drop all audio of utterances up to this one, wherever it is; `Event::Played` tells how much was heard.
    Flush(UtteranceId),
    /// Send one digit after what is queued; never over speech.
    SendDigit {
        /// The digit.
        digit: Digit,
        /// How.
        method: DigitMethod,
        /// How long, 100 ms by default.
        duration: Duration,
    },
    /// Wait this long between digits (`w`, `,`).
    SendPause(Duration),
    /// Send everything we receive back (the echo route).
    Echo(bool),
    /// Send this tone whenever nothing else is to be said (the milliwatt route).
    Tone(Option<SteadyTone>),
}

/// What media tells the call.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// 20 ms of what they say, in order and gapless (concealed where lost).
    Audio(AudioFrame),
    /// Something in it.
    Heard(Heard),
    /// The first packet of an utterance left (`at` is our clock).
    Started {
        /// Which.
        utterance: UtteranceId,
        /// When.
        at: Instant,
    },
    /// An utterance ended or was flushed, after so much of it was sent.
    Played {
        /// Which.
        utterance: UtteranceId,
        /// How much left for the wire.
        duration: Duration,
        /// All of it, to the `last` frame.
        finished: bool,
    },
    /// All digits ordered so far are sent.
    DigitsSent,
    /// The first RTP of the peer arrived.
    FirstPacket {
        /// From where.
        from: SocketAddr,
    },
    /// 20 ms of both sides as they were on the line, for the recorder (only with `record`).
    Recorded {
        /// Left: they.
        they: AudioFrame,
        /// Right: we.
        we: AudioFrame,
    },
}

/// What a session is, apart from its stream.
#[derive(Debug, Clone)]
pub struct Config {
    /// Detectors.
    pub ear: ear::Config,
    /// Emit `Event::Recorded`.
    pub record: bool,
}

/// A packet ready for the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Whither.
    pub to: SocketAddr,
    /// Bytes used of `packet`.
    pub len: usize,
    /// The packet.
    pub packet: [u8; MAX_PACKET],
}

/// The largest RTP packet we send: header and 60 ms of G.711.
pub const MAX_PACKET: usize = 12 + 480;

/// Counters of one stream; they only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Statistics {
    pub packets_sent: u64,
    pub packets_received: u64,
    pub packets_lost: u64,
    pub packets_late: u64,
    /// From strangers, malformed, or of an unknown payload type.
    pub packets_ignored: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1), now.
    pub jitter: Duration,
    pub concealed_frames: u64,
    /// Mean level of their speech in dBm0.
    pub level_dbm0: f32,
}

/// One call's audio, both ways.
#[derive(Debug)]
pub struct MediaSession { _todo: () }

#[allow(missing_docs, unused_variables)]
impl MediaSession {
    pub fn new(now: Instant, config: Config, seed: [u8; 32]) -> Self { todo!() }
    /// A datagram on our RTP port.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) { todo!() }
    pub fn order(&mut self, now: Instant, order: Order) { todo!() }
    /// The time asked for has come: play out, send. Late by more than 60 ms drops whole frames, never bursts.
    pub fn handle_timeout(&mut self, now: Instant) { todo!() }
    /// `None` until the first `Configure`.
    pub fn poll_timeout(&self) -> Option<Instant> { todo!() }
    pub fn poll_transmit(&mut self, into: &mut Transmit) -> bool { todo!() }
    pub fn poll_event(&mut self) -> Option<Event> { todo!() }
    /// How many more `Play` frames fit before the queue (1 s) is full.
    pub fn room(&self) -> usize { todo!() }
    pub fn statistics(&self) -> Statistics { todo!() }
    /// The pipeline in words: `RTP 0 PCMU ← jitter 40 ms ← …`.
    pub fn describe(&self) -> String { todo!() }
}
