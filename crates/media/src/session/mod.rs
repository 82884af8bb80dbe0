//! [`MediaSession`]: the one public machine: one call's audio, both ways.

mod ahead;
mod companded;
mod control;
mod describe;
mod digit_queue;
mod event;
mod heard_digits;
mod hearing;
mod inbound;
mod mirror;
mod order;
mod outbound;
mod outbox;
mod pause;
mod pending;
mod play_queue;
mod playout;
mod protection;
mod their_clock;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

pub use digit_queue::DIGIT_QUEUE_LEN;
pub use event::{Event, Recorded, Statistics};
pub use order::{DigitMethod, Order, SteadyTone, StreamConfig, UtteranceId};
pub use play_queue::PLAY_QUEUE_FRAMES;

use crate::one_way::{Cause, OneWay, Verdict};
use crate::rtp::HEADER_LEN;
use crate::srtp::{self, Refusal};
use crate::{AudioFrame, Codec, FRAME_DURATION, FRAME_SAMPLES, ear, rtcp};
use companded::Companded;
use control::Control;
use inbound::{Inbound, Received};
use outbound::{Outbound, Route};
use play_queue::Queued;
use playout::Playout;
use protection::{Incoming, MAX_PROTECTED};

/// Events that wait for the shell to take them; beyond, the oldest is lost.
const EVENT_LIMIT: usize = 1024;
/// Events of one slot, for which there is room from the start: what they say, and what is heard in it.
const USUAL_EVENTS: usize = 4;
/// The same where nothing is heard in it: what they say, and how far what we say has come.
const LEAST_EVENTS: usize = 2;
/// Recorded frames that wait for the shell to take them, more than come at once after a stall; beyond, the oldest is lost.
const RECORDED_LIMIT: usize = 64;
/// The longest sound in a packet that we send: 60 ms, where theirs goes back; else it is 20 ms.
const MAX_SOUND: usize = 3 * FRAME_SAMPLES;
/// The largest packet we send: header, sound and what SRTP adds.
pub const MAX_PACKET: usize = HEADER_LEN + MAX_SOUND + srtp::MAX_TAG;

/// What a session is, apart from its stream.
#[derive(Debug, Clone)]
pub struct Config {
    /// Detectors.
    pub ear: ear::Config,
    /// Emit `Event::Audio`.
    pub audio: bool,
    /// Keep what [`MediaSession::poll_recorded`] gives.
    pub record: bool,
}

impl Config {
    /// Whether anybody wants to know what they say.
    fn is_listening(&self) -> bool {
        self.audio || self.record || self.ear != ear::Config::DEAF
    }
}

/// A packet ready for the wire.
#[derive(Debug, Clone)]
pub struct Transmit {
    /// Whither.
    pub to: SocketAddr,
    /// Bytes used of `packet`.
    pub len: usize,
    /// The packet.
    pub packet: [u8; MAX_PACKET],
}

impl Default for Transmit {
    fn default() -> Self {
        Self { to: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), len: 0, packet: [0; MAX_PACKET] }
    }
}

impl Transmit {
    /// The bytes to send.
    pub fn bytes(&self) -> &[u8] {
        &self.packet[..self.len]
    }

    /// Becomes the same as another; beyond its bytes nothing is copied.
    fn copy_from(&mut self, other: &Self) {
        (self.to, self.len) = (other.to, other.len);
        self.packet[..other.len].copy_from_slice(other.bytes());
    }
}

/// One call's audio, both ways.
#[derive(Debug)]
pub struct MediaSession {
    config: Config,
    stream: Option<StreamConfig>,
    incoming: Incoming,
    inbound: Inbound,
    outbound: Outbound,
    control: Control,
    one_way: OneWay,
    events: VecDeque<Event>,
    recorded: VecDeque<Recorded>,
}

impl MediaSession {
    /// A session without a stream. The seed makes SSRC, first sequence number and first timestamp.
    pub fn new(_now: Instant, config: Config, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let outbound = Outbound::new(&mut rng, config.record);
        let only_audio = config.ear == ear::Config::DEAF;
        Self {
            inbound: Inbound::new(&config),
            control: Control::new(outbound.ssrc(), &mut rng),
            outbound,
            recorded: VecDeque::with_capacity(usize::from(config.record)),
            config,
            stream: None,
            incoming: Incoming::default(),
            one_way: OneWay::default(),
            events: VecDeque::with_capacity(if only_audio { LEAST_EVENTS } else { USUAL_EVENTS }),
        }
    }

    /// A datagram on our RTP port, or on a port of ours for RTCP.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        if rtcp::is_rtcp(datagram) {
            self.control.receive(now, from, datagram, self.inbound.source());
            return;
        }
        if !self.incoming.is_protected() {
            return self.receive_rtp(now, from, datagram);
        }
        match self.incoming.open(datagram, &mut [0; MAX_PROTECTED]) {
            Ok(packet) => self.receive_rtp(now, from, packet),
            Err(Refusal::Unauthentic) => self.note_unheard(from, datagram, Cause::Unauthentic),
            Err(Refusal::Malformed) => self.note_unheard(from, datagram, Cause::NotRtp),
            Err(Refusal::Replayed) => {}
        }
    }

    /// The call wants something.
    pub fn order(&mut self, now: Instant, order: Order) {
        let events = &mut self.events;
        match order {
            Order::Configure(stream) => {
                self.incoming.configure(stream.srtp.as_ref().map(|keys| &keys.receive));
                self.inbound.configure(now, &stream);
                self.control.configure(now, &stream);
                self.one_way.configure(now, stream.remote, stream.receiving);
                self.outbound.protect(stream.srtp.as_ref().map(|keys| &keys.send));
                self.outbound.start(now);
                self.stream = Some(stream);
            }
            Order::Answered { signals } => self.one_way.answered(now, signals),
            Order::Play { utterance, frame, last } => {
                let sending = self.stream.as_ref().is_some_and(|stream| stream.sending);
                let codec = self.stream.as_ref().map_or(Codec::Pcmu, |stream| stream.send.0);
                let sound = Companded::new(codec, &frame.samples);
                self.outbound.play(now, Queued { utterance, sound, last }, sending);
            }
            Order::Flush(id) => self.outbound.flush(id, &mut |event| push(events, EVENT_LIMIT, event)),
            Order::SendDigit { digit, method, duration } => {
                self.outbound.send_digit(digit, method, duration, self.stream.as_ref());
            }
            Order::SendPause(duration) => self.outbound.send_pause(duration),
            Order::RaiseQuiet(on) => self.inbound.raise_quiet(on),
            Order::Echo(on) => self.outbound.set_echo(on),
            Order::Tone(tone) => self.outbound.set_tone(tone),
        }
        self.send_due(now);
    }

    /// The time asked for has come: play out, send. Late by more than 60 ms drops whole frames, never bursts.
    pub fn handle_timeout(&mut self, now: Instant) {
        // What is due leaves before the frames beside which it is recorded are played out, however many those are.
        self.send_due(now);
        let Self { config, inbound, outbound, events, recorded, .. } = self;
        inbound.advance(now, &mut |event| push(events, EVENT_LIMIT, event), |they| {
            if config.record {
                let we = outbound.take_recorded(slot_at(they.at)).unwrap_or([0; FRAME_SAMPLES]);
                push(recorded, RECORDED_LIMIT, Recorded { they, we: AudioFrame { at: they.at, samples: we } });
            }
        });
        self.one_way.handle_timeout(now);
    }

    /// The call is over: tells the peer that nothing more will come (RFC 3550 §6.6). The packet waits to be taken.
    pub fn goodbye(&mut self, now: Instant) {
        self.send_control(now, true);
    }

    /// When [`Self::handle_timeout`] wants to be called; `None` until the first `Configure`.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.inbound.next_deadline().into_iter().chain(self.outbound.next_deadline()).min()
    }

    /// Gives the next packet to send; false if there is none.
    pub fn poll_transmit(&mut self, into: &mut Transmit) -> bool {
        self.outbound.poll_transmit(into)
    }

    /// Gives the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Gives the next 20 ms for the recorder.
    pub fn poll_recorded(&mut self) -> Option<Recorded> {
        self.recorded.pop_front()
    }

    /// Whether the line has begun or ceased to carry sound only one way since this was asked last.
    pub fn poll_one_way(&mut self) -> Option<Verdict> {
        self.one_way.poll()
    }

    /// How many more `Play` frames fit before the queue (1 s) is full.
    pub fn room(&self) -> usize {
        self.outbound.queue.room()
    }

    /// The counters now.
    pub fn statistics(&self) -> Statistics {
        let reception = self.inbound.reception();
        let playout = self.inbound.playout();
        Statistics {
            packets_sent: self.outbound.packets_sent(),
            packets_received: reception.received(),
            packets_lost: reception.lost(),
            packets_late: playout.map_or(0, |playout| playout.jitter().late()),
            packets_ignored: self.inbound.ignored() + self.incoming.malformed() + self.control.ignored(),
            packets_unauthentic: self.incoming.unauthentic() + self.control.unauthentic(),
            packets_replayed: self.incoming.replayed() + self.control.replayed(),
            codec: self.inbound.codec(),
            jitter: reception.jitter(),
            concealed_frames: playout.map_or(0, Playout::concealed_frames),
            level_dbm0: playout.and_then(|playout| playout.hearing().level_dbm0()).unwrap_or(-96.0).max(-96.0),
            delay: Duration::from_millis(playout.map_or(0, |playout| playout.jitter().delay_ms()).into()),
            remote: self.control.remote(),
            one_way: self.one_way.cause(),
        }
    }

    /// The probability of speech in the last frame played out, raw, without hangover.
    pub fn speech_probability(&self) -> f32 {
        self.inbound.playout().map_or(0.0, |playout| playout.hearing().speech_probability())
    }

    /// Media time at which their first sample was heard.
    pub(crate) fn first_sound(&self) -> Option<Duration> {
        self.inbound.playout()?.first_sound()
    }

    fn receive_rtp(&mut self, now: Instant, from: SocketAddr, packet: &[u8]) {
        let events = &mut self.events;
        let mut emit = |event| push(events, EVENT_LIMIT, event);
        match self.inbound.receive(now, from, packet, self.stream.as_ref(), &mut emit) {
            Received::New(content, packet) => {
                self.one_way.heard(now);
                // Who was described elsewhere is heard for a while, and gets no echo.
                let route = route(&self.stream, &self.inbound).filter(|route| route.to == from);
                if let Some(route) = route {
                    self.outbound.send_back(now, route, content, &packet);
                }
            }
            Received::Repeated => self.one_way.heard(now),
            Received::Pending => self.note_unheard(from, packet, Cause::Source(from)),
            Received::Unheard(cause) => self.note_unheard(from, packet, cause),
        }
    }

    /// A packet came that cannot be heard. Once their source is known, what comes from elsewhere may be anybody's, unless it
    /// goes on under their SSRC, which nobody else knows.
    fn note_unheard(&mut self, from: SocketAddr, datagram: &[u8], cause: Cause) {
        let is_elsewhere = self.inbound.source().is_some_and(|source| source != from);
        if is_elsewhere && !self.inbound.is_of_heard_source(datagram) {
            self.one_way.stranger(from);
        } else {
            self.one_way.unheard(cause);
        }
    }

    fn send_due(&mut self, now: Instant) {
        let Some(route) = route(&self.stream, &self.inbound) else { return };
        let events = &mut self.events;
        self.outbound.advance(now, route, &mut |event| push(events, EVENT_LIMIT, event));
        // Slots come every 20 ms, and a report is not more urgent than that: it has no deadline of its own.
        if self.control.may_report(now) {
            self.send_control(now, false);
        }
    }

    fn send_control(&mut self, now: Instant, goodbye: bool) {
        let Some(route) = route(&self.stream, &self.inbound) else { return };
        let arrived = self.inbound.arrived();
        let sent = self.outbound.sent(now, route);
        if let Some(transmit) = self.control.transmit(now, route, sent, arrived, goodbye) {
            self.outbound.enqueue(&transmit);
        }
    }
}

fn frame_time(frames: u64) -> Duration {
    Duration::from_millis(frames * FRAME_DURATION.as_millis() as u64)
}

/// The slot of ours that is as late as a frame of theirs: both are counted from the first `Configure`.
fn slot_at(time: Duration) -> u64 {
    (time.as_millis() / FRAME_DURATION.as_millis()) as u64
}

fn route<'a>(stream: &'a Option<StreamConfig>, inbound: &Inbound) -> Option<Route<'a>> {
    Some(Route { config: stream.as_ref()?, to: inbound.destination()? })
}

/// Puts something behind what waits; when there is too much of it, the oldest goes.
fn push<T>(queue: &mut VecDeque<T>, limit: usize, item: T) {
    if queue.len() >= limit {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests;
