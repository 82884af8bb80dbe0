//! [`Inbound`]: their half of the conversation: which datagrams are theirs, and what each is.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::heard_digits::HeardDigits;
use super::pending::{Owner, Pending};
use super::playout::{MAX_PAYLOAD, Playout};
use super::their_clock::TheirClock;
use super::{Config, Event, StreamConfig};
use crate::comfort_noise;
use crate::dtmf::DigitSource;
use crate::ear::Heard;
use crate::one_way::Cause;
use crate::rtp::{Admission, Arrival, Arrived, Evidence, Latch, Packet, Reception, SourceChoice};
use crate::{AudioFrame, Codec, SAMPLE_RATE};

#[derive(Debug)]
pub(super) struct Inbound {
    epoch: Option<Instant>,
    latch: Option<Latch>,
    choice: SourceChoice,
    reception: Reception,
    clock: TheirClock,
    /// Of their latest sound.
    codec: Option<Codec>,
    /// What their latest payload type stands for: one look for nearly all packets.
    latest: Option<(u8, Content)>,
    digits: HeardDigits,
    /// Where somebody listens.
    playout: Option<Box<Playout>>,
    /// Packets of a source that has not proved to be the peer's, or the one to be heard, where somebody listens.
    pending: Option<Box<Pending>>,
    ignored: u64,
}

/// What became of a datagram.
#[derive(Debug)]
pub(super) enum Received<'a> {
    /// A packet of theirs: what it is, its timestamp in samples.
    New(Content, Packet<'a>),
    /// One that came before.
    Repeated,
    /// One that is heard if its source proves to be the peer.
    Pending,
    /// Nothing of theirs that can be heard.
    Unheard(Cause),
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Sound(Codec),
    /// RFC 4733.
    TelephoneEvent,
    /// RFC 3389.
    ComfortNoise,
}

impl Inbound {
    pub fn new(config: &Config) -> Self {
        Self {
            epoch: None,
            latch: None,
            choice: SourceChoice::default(),
            reception: Reception::default(),
            clock: TheirClock::new(),
            codec: None,
            latest: None,
            digits: HeardDigits::default(),
            playout: config.is_listening().then(|| Box::new(Playout::new(config))),
            pending: config.is_listening().then(|| Box::new(Pending::new())),
            ignored: 0,
        }
    }

    /// The stream was (re)negotiated.
    pub fn configure(&mut self, now: Instant, config: &StreamConfig) {
        self.epoch.get_or_insert(now);
        self.latest = None;
        match &mut self.latch {
            Some(latch) => latch.describe(now, config.remote),
            None => self.latch = Some(Latch::new(config.remote)),
        }
        if config.telephone_event_receive.is_none() {
            self.digits.only_by_ear();
        }
        if let Some(playout) = self.playout.as_mut().filter(|_| !config.receiving) {
            playout.hold();
        }
    }

    /// Whether what is handed over is raised where they are hardly heard.
    pub fn raise_quiet(&mut self, on: bool) {
        if let Some(playout) = &mut self.playout {
            playout.raise_quiet(on);
        }
    }

    /// Where our packets go.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.latch.as_ref().map(Latch::destination)
    }

    /// Takes a datagram.
    pub fn receive<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'a [u8],
        config: Option<&StreamConfig>,
        events: &mut impl FnMut(Event),
    ) -> Received<'a> {
        let received = self.take(now, from, datagram, config, events).unwrap_or_else(Received::Unheard);
        self.ignored += u64::from(matches!(received, Received::Unheard(_)));
        received
    }

    fn take<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'a [u8],
        config: Option<&StreamConfig>,
        events: &mut impl FnMut(Event),
    ) -> Result<Received<'a>, Cause> {
        let config = config.ok_or(Cause::NotRtp)?;
        let packet = Packet::parse(datagram).ok_or(Cause::NotRtp)?;
        let content = self.content(packet.payload_type, config).ok_or(Cause::PayloadType(packet.payload_type))?;
        if packet.payload.is_empty() || packet.payload.len() > MAX_PAYLOAD {
            return Err(Cause::NotRtp);
        }
        let evidence = match config.srtp {
            Some(_) => Evidence::Tag,
            None => Evidence::Stream { clock_rate: content.clock_rate() },
        };
        let latch = self.latch.as_mut().ok_or(Cause::NotRtp)?;
        let owner = (from, packet.ssrc);
        match latch.accept(now, from, &packet, evidence) {
            Admission::Taken => {}
            Admission::Proved => self.hear_pending(owner, config, events),
            Admission::Pending => return Ok(self.keep_pending(now, owner, datagram)),
            Admission::Refused => return Err(Cause::Source(from)),
        }
        match self.choice.admit(now, from, packet.ssrc, content != Content::TelephoneEvent) {
            Admission::Taken if self.source().is_some() => self.forget_pending(),
            Admission::Taken => {}
            Admission::Proved => self.hear_pending(owner, config, events),
            Admission::Pending => return Ok(self.keep_pending(now, owner, datagram)),
            // A key of a source of its own.
            Admission::Refused => {
                self.hear_key(self.media_time(now), &packet, config, events);
                return Ok(Received::New(content, packet));
            }
        }
        self.hear(now, content, packet, config, events)
    }

    /// A packet of the source that is heard.
    fn hear<'a>(
        &mut self,
        now: Instant,
        content: Content,
        mut packet: Packet<'a>,
        config: &StreamConfig,
        events: &mut impl FnMut(Event),
    ) -> Result<Received<'a>, Cause> {
        if let Content::Sound(codec) = content {
            packet.timestamp = self.clock.sample(codec, packet.timestamp);
            self.codec = Some(codec);
        }
        let at = self.media_time(now);
        let arrival = self.reception.arrive(at, &packet);
        if arrival == Arrival::Duplicate {
            return Ok(Received::Repeated);
        }
        if let Some(playout) = &mut self.playout {
            if arrival == Arrival::NewSource {
                playout.restart();
            }
            playout.note_losses(at, self.reception.lost());
            match content {
                Content::TelephoneEvent => playout.take_event(&packet),
                // On hold nothing is heard.
                _ if !config.receiving => {}
                Content::Sound(codec) => playout.take_sound(at, codec, &packet, &mut self.digits, events),
                Content::ComfortNoise if !playout.take_noise(&packet) => return Err(Cause::NotRtp),
                Content::ComfortNoise => {}
            }
        }
        if content == Content::TelephoneEvent {
            self.hear_key(at, &packet, config, events);
        }
        Ok(Received::New(content, packet))
    }

    /// What a payload type stands for.
    fn content(&mut self, payload_type: u8, config: &StreamConfig) -> Option<Content> {
        if self.latest.is_none_or(|(latest, _)| latest != payload_type) {
            self.latest = Some((payload_type, Content::of(payload_type, config)?));
        }
        self.latest.map(|(_, content)| content)
    }

    /// A packet of a telephone-event.
    fn hear_key(&mut self, at: Duration, packet: &Packet<'_>, config: &StreamConfig, events: &mut impl FnMut(Event)) {
        if config.receiving
            && let Some(digit) = self.digits.by_event(at, packet)
        {
            events(Event::Heard(Heard::Digit { at, digit, source: DigitSource::Rfc4733 }));
        }
    }

    /// Its source has not proved that it is to be heard.
    fn keep_pending(&mut self, now: Instant, owner: Owner, datagram: &[u8]) -> Received<'static> {
        let unheard = self.pending.as_mut().map_or(1, |pending| pending.keep(now, owner, datagram));
        self.ignored += unheard as u64;
        Received::Pending
    }

    /// Their source has: each is heard as though it had when it came.
    fn hear_pending(&mut self, owner: Owner, config: &StreamConfig, events: &mut impl FnMut(Event)) {
        let Some(mut pending) = self.pending.take() else { return };
        for (at, datagram) in pending.packets_of(owner) {
            let packet = Packet::parse(datagram);
            let content = packet.as_ref().and_then(|packet| Content::of(packet.payload_type, config));
            let heard = packet.zip(content).map(|(packet, content)| {
                self.choice.admit(at, owner.0, owner.1, content != Content::TelephoneEvent);
                self.hear(at, content, packet, config, events)
            });
            self.ignored += u64::from(!matches!(heard, Some(Ok(_))));
        }
        pending.clear();
        self.pending = Some(pending);
    }

    /// They are not to be heard.
    fn forget_pending(&mut self) {
        self.ignored += self.pending.as_mut().map_or(0, |pending| pending.clear()) as u64;
    }

    /// Whether a datagram has the SSRC of the source that is heard.
    pub fn is_of_heard_source(&self, datagram: &[u8]) -> bool {
        Packet::parse(datagram).is_some_and(|packet| self.choice.is_present(packet.ssrc))
    }

    /// Plays out what is due.
    pub fn advance(&mut self, now: Instant, events: &mut impl FnMut(Event), played: impl FnMut(AudioFrame)) {
        let Some(epoch) = self.epoch else { return };
        if let Some(playout) = &mut self.playout {
            playout.advance(now.saturating_duration_since(epoch), &mut self.digits, events, played);
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        Some(self.epoch? + self.playout.as_ref()?.next_due())
    }

    /// Of their latest sound.
    pub fn codec(&self) -> Option<Codec> {
        self.codec
    }

    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    pub fn reception(&self) -> &Reception {
        &self.reception
    }

    /// What came from the present source, its jitter by their clock.
    pub fn arrived(&self) -> Option<Arrived> {
        let arrived = self.reception.arrived()?;
        Some(Arrived { jitter: self.clock.in_ticks(arrived.jitter), ..arrived })
    }

    /// What is played out, where somebody listens.
    pub fn playout(&self) -> Option<&Playout> {
        self.playout.as_deref()
    }

    /// Where their packets come from, once that is known.
    pub fn source(&self) -> Option<SocketAddr> {
        self.latch.as_ref().and_then(Latch::source)
    }

    fn media_time(&self, now: Instant) -> Duration {
        self.epoch.map_or(Duration::ZERO, |epoch| now.saturating_duration_since(epoch))
    }
}

impl Content {
    /// What a payload type stands for, if anybody agreed on it. Comfort noise has one of its own (RFC 3551 §6).
    fn of(payload_type: u8, config: &StreamConfig) -> Option<Self> {
        if let Some((codec, _)) = config.receive.iter().find(|(_, received)| *received == payload_type) {
            return Some(Self::Sound(*codec));
        }
        if config.telephone_event_receive == Some(payload_type) {
            return Some(Self::TelephoneEvent);
        }
        let is_noise = payload_type == comfort_noise::PAYLOAD_TYPE || config.comfort_noise == Some(payload_type);
        is_noise.then_some(Self::ComfortNoise)
    }

    /// Of its timestamps.
    fn clock_rate(self) -> u32 {
        match self {
            Self::Sound(codec) => codec.clock_rate(),
            Self::TelephoneEvent | Self::ComfortNoise => SAMPLE_RATE,
        }
    }
}
