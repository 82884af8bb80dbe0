//! [`Inbound`]: their half of the conversation: datagrams in, a frame every 20 ms out.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::pause::Pause;
use super::{Event, StreamConfig};
use crate::codec::Decoder;
use crate::comfort_noise;
use crate::conceal::Concealer;
use crate::dtmf::telephone_event::{self, TelephoneEvent};
use crate::dtmf::{Digit, DigitSource};
use crate::ear::{self, Ear, Heard, MOST_HEARD};
use crate::jitter::{DEFAULT_DELAY_MS, JitterBuffer, Popped};
use crate::level_control::LevelControl;
use crate::one_way::Cause;
use crate::rtp::{Arrival, Latch, Packet, Reception};
use crate::tones::DBM0_AMPLITUDE;
use crate::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};

/// The longest payload taken: 240 ms of G.711.
const MAX_PAYLOAD: usize = 1920;
/// Frames played out in one go after a stall; what was due before is skipped.
const MAX_CATCH_UP: u32 = 50;
/// Frames ahead of the lost one that concealment may know.
const AHEAD: usize = 2;
/// Speech from this probability on.
const SPEECH: f32 = 0.5;
/// Two packets lost within this time: the line is lossy.
const LOSSY: Duration = Duration::from_secs(10);
/// A digit heard by ear and as telephone-event within this time is one digit.
const SAME_DIGIT: Duration = Duration::from_millis(500);
/// Digits by ear so soon after a telephone-event are its echo; later ones are keys of their own, for a peer that
/// changed its method.
const ECHO: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Inbound {
    epoch: Option<Instant>,
    frames_played: u64,
    latch: Option<Latch>,
    reception: Reception,
    decoder: Decoder,
    jitter: JitterBuffer,
    concealer: Concealer,
    pause: Pause,
    digits: telephone_event::Receiver,
    /// When the latest telephone-event packet came: digits in the audio about then are its echo.
    last_event: Option<Duration>,
    /// The latest digit heard by ear.
    last_inband: Option<(Digit, Duration)>,
    ear: Ear,
    heard: Vec<Heard>,
    level_control: Option<LevelControl>,
    first_packet_seen: bool,
    /// Media time of the first frame with sound from the peer, for those who map media time to arrival time.
    first_sound: Option<Duration>,
    ignored: u64,
    concealed_frames: u64,
    /// Packets known to be lost, and when the latest two became so.
    lost: u64,
    losses: [Option<Duration>; 2],
    speech_energy: f64,
    speech_samples: u64,
}

impl Inbound {
    pub fn new(ear: ear::Config) -> Self {
        Self {
            epoch: None,
            frames_played: 0,
            latch: None,
            reception: Reception::default(),
            decoder: Decoder::default(),
            jitter: JitterBuffer::new(DEFAULT_DELAY_MS),
            concealer: Concealer::new(),
            pause: Pause::new(),
            digits: telephone_event::Receiver::default(),
            last_event: None,
            last_inband: None,
            heard: Vec::with_capacity(if ear == ear::Config::DEAF { 0 } else { MOST_HEARD }),
            ear: Ear::new(ear),
            level_control: None,
            first_packet_seen: false,
            first_sound: None,
            ignored: 0,
            concealed_frames: 0,
            lost: 0,
            losses: [None; 2],
            speech_energy: 0.0,
            speech_samples: 0,
        }
    }

    /// The stream was (re)negotiated.
    pub fn configure(&mut self, now: Instant, config: &StreamConfig) {
        self.epoch.get_or_insert(now);
        match &mut self.latch {
            Some(latch) => latch.describe(config.remote),
            None => self.latch = Some(Latch::new(config.remote)),
        }
        if config.telephone_event_receive.is_none() {
            self.last_event = None;
        }
    }

    /// Whether what is handed over is raised where they are hardly heard.
    pub fn raise_quiet(&mut self, on: bool) {
        self.level_control = on.then(LevelControl::default);
    }

    /// Where our packets go.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.latch.as_ref().map(Latch::destination)
    }

    /// Takes a datagram. Gives the digit that began with it, if one did, or why it cannot be heard.
    pub fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        config: Option<&StreamConfig>,
        events: &mut impl FnMut(Event),
    ) -> Result<Option<Digit>, Cause> {
        let taken = self.take(now, from, datagram, config, events);
        self.ignored += u64::from(taken.is_err());
        taken
    }

    fn take(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        config: Option<&StreamConfig>,
        events: &mut impl FnMut(Event),
    ) -> Result<Option<Digit>, Cause> {
        let config = config.ok_or(Cause::NotRtp)?;
        let packet = Packet::parse(datagram).ok_or(Cause::NotRtp)?;
        let codec = config.receive.iter().find(|(_, payload_type)| *payload_type == packet.payload_type);
        let is_event = codec.is_none() && config.telephone_event_receive == Some(packet.payload_type);
        let is_noise = codec.is_none() && !is_event && packet.payload_type == comfort_noise::PAYLOAD_TYPE;
        if codec.is_none() && !is_event && !is_noise {
            return Err(Cause::PayloadType(packet.payload_type));
        }
        if packet.payload.is_empty() || packet.payload.len() > MAX_PAYLOAD {
            return Err(Cause::NotRtp);
        }
        if !self.latch.as_mut().is_some_and(|latch| latch.accept(now, from)) {
            return Err(Cause::Source(from));
        }
        if !self.first_packet_seen {
            self.first_packet_seen = true;
            events(Event::FirstPacket { from });
        }
        let at = self.media_time(now);
        match self.reception.arrive(at, &packet) {
            Arrival::Duplicate => return Ok(None),
            Arrival::NewSource => {
                self.jitter.restart();
                self.pause.forget();
                self.decoder = Decoder::default();
            }
            Arrival::New => {}
        }
        self.note_losses(at);
        if let Some((codec, _)) = codec {
            if config.receiving {
                self.pause.end(&packet);
                let mut samples = [0; MAX_PAYLOAD];
                self.decoder.decode(*codec, packet.payload, &mut samples);
                let until_pop = self.samples_until_pop(now);
                self.jitter.push(packet.timestamp, until_pop, &samples[..packet.payload.len()]);
            }
            return Ok(None);
        }
        if is_noise {
            return self.pause.describe(&packet).then_some(None).ok_or(Cause::NotRtp);
        }
        Ok(self.receive_event(at, &packet, events))
    }

    /// Plays out what is due.
    pub fn advance(
        &mut self,
        now: Instant,
        events: &mut impl FnMut(Event),
        mut played: impl FnMut(&AudioFrame, &mut dyn FnMut(Event)),
    ) {
        let mut played_now = 0;
        while self.next_deadline().is_some_and(|due| due <= now) {
            if played_now >= MAX_CATCH_UP {
                self.frames_played = (self.media_time(now).as_millis() / FRAME_DURATION.as_millis()) as u64;
                return;
            }
            played_now += 1;
            let frame = self.play_frame(events);
            played(&frame, events);
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        // A frame is complete when its 20 ms are over.
        self.epoch.map(|epoch| epoch + frame_time(self.frames_played + 1))
    }

    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    pub fn reception(&self) -> &Reception {
        &self.reception
    }

    pub fn jitter(&self) -> &JitterBuffer {
        &self.jitter
    }

    pub fn concealed_frames(&self) -> u64 {
        self.concealed_frames
    }

    pub fn first_sound(&self) -> Option<Duration> {
        self.first_sound
    }

    pub fn speech_probability(&self) -> f32 {
        self.ear.speech_probability()
    }

    pub fn source(&self) -> Option<SocketAddr> {
        self.latch.as_ref().and_then(Latch::source)
    }

    /// Mean level of their speech; −∞ is given as −96.
    pub fn level_dbm0(&self) -> f32 {
        if self.speech_samples == 0 {
            return -96.0;
        }
        let mean_square = self.speech_energy / self.speech_samples as f64;
        let reference = f64::from(DBM0_AMPLITUDE) * f64::from(DBM0_AMPLITUDE) / 2.0;
        (10.0 * (mean_square / reference).max(1e-10).log10()).max(-96.0) as f32
    }

    fn play_frame(&mut self, events: &mut impl FnMut(Event)) -> AudioFrame {
        let at = frame_time(self.frames_played);
        self.frames_played += 1;
        let timestamp = self.jitter.position();
        let mut popped = self.jitter.pop();
        if self.first_sound.is_none()
            && let Some(first) = popped.present.iter().position(|present| *present)
        {
            self.first_sound = Some(at + Duration::from_micros(first as u64 * 125));
        }
        if self.jitter.was_whole() || self.pause.fill(timestamp, &mut popped.samples, &popped.present) {
            self.concealer.hear(&mut popped.samples);
        } else if self.conceal(&mut popped) {
            self.concealed_frames += 1;
        }
        let frame = AudioFrame { at, samples: popped.samples };
        events(Event::Audio(self.adjusted(frame)));
        self.listen(&frame, events);
        frame
    }

    /// The frame as it is handed over.
    fn adjusted(&mut self, mut frame: AudioFrame) -> AudioFrame {
        if let Some(control) = &mut self.level_control {
            // The ear has not heard this frame yet; the one before tells as well.
            control.adjust(&mut frame.samples, self.ear.speech_probability() > SPEECH);
        }
        frame
    }

    fn conceal(&mut self, popped: &mut Popped) -> bool {
        let mut samples = [0; (1 + AHEAD) * FRAME_SAMPLES];
        let mut present = [false; (1 + AHEAD) * FRAME_SAMPLES];
        samples[..FRAME_SAMPLES].copy_from_slice(&popped.samples);
        present[..FRAME_SAMPLES].copy_from_slice(&popped.present);
        self.jitter.look_ahead(&mut samples[FRAME_SAMPLES..], &mut present[FRAME_SAMPLES..]);
        let concealed = self.concealer.fill(&mut samples, &present, FRAME_SAMPLES);
        popped.samples.copy_from_slice(&samples[..FRAME_SAMPLES]);
        concealed
    }

    fn note_losses(&mut self, at: Duration) {
        for _ in self.lost..self.reception.lost().min(self.lost + 2) {
            self.losses = [Some(at), self.losses[0]];
        }
        self.lost = self.reception.lost();
        self.jitter.expect_loss(self.losses[1].is_some_and(|loss| at.saturating_sub(loss) < LOSSY));
    }

    fn listen(&mut self, frame: &AudioFrame, events: &mut impl FnMut(Event)) {
        self.heard.clear();
        self.ear.hear(frame, &mut self.heard);
        if self.ear.speech_probability() > SPEECH {
            self.speech_energy += frame.samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>();
            self.speech_samples += FRAME_SAMPLES as u64;
        }
        for heard in self.heard.drain(..) {
            if let Heard::Digit { digit, at, .. } = heard {
                if self.last_event.is_some_and(|event| at.saturating_sub(event) < ECHO) {
                    continue;
                }
                self.last_inband = Some((digit, at));
            }
            events(Event::Heard(heard));
        }
    }

    fn receive_event(&mut self, at: Duration, packet: &Packet<'_>, events: &mut impl FnMut(Event)) -> Option<Digit> {
        let payload = TelephoneEvent::parse(packet.payload)?;
        let before = self.last_event.replace(at);
        let first_event = before.is_none_or(|before| at.saturating_sub(before) >= ECHO);
        let digit = self.digits.receive(packet.ssrc, packet.timestamp, packet.sequence, packet.marker, payload)?;
        let echo_came_first = first_event
            && self.last_inband.is_some_and(|(heard, when)| heard == digit && at.saturating_sub(when) < SAME_DIGIT);
        if echo_came_first {
            return None;
        }
        events(Event::Heard(Heard::Digit { at, digit, source: DigitSource::Rfc4733 }));
        Some(digit)
    }

    fn samples_until_pop(&self, now: Instant) -> usize {
        let wait = self.next_deadline().map_or(Duration::ZERO, |due| due.saturating_duration_since(now));
        if wait >= FRAME_DURATION {
            return FRAME_SAMPLES;
        }
        (wait.subsec_micros() * (SAMPLE_RATE / 1000) / 1000) as usize
    }

    fn media_time(&self, now: Instant) -> Duration {
        self.epoch.map_or(Duration::ZERO, |epoch| now.saturating_duration_since(epoch))
    }
}

fn frame_time(frames: u64) -> Duration {
    Duration::from_millis(frames * FRAME_DURATION.as_millis() as u64)
}
