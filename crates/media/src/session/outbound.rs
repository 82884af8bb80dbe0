//! [`Outbound`]: our half of the conversation, a packet every 20 ms.
//!
//! Slot `n` carries timestamp `base + 160 n`, at the clock rate of the codec, and nominally leaves at `epoch + 20 ms × n`. A talk spurt does not wait for
//! its slot: the first frame leaves at once, at most 20 ms early, and the lead is paid back when silence resumes. Silence is sent
//! as sound, or where the peer takes that for it, as comfort noise in some slots (RFC 3389).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha12Rng;

use super::companded::Companded;
use super::digit_queue::{DigitQueue, SlotContent};
use super::inbound::Content;
use super::mirror::Mirror;
use super::outbox::Outbox;
use super::play_queue::{PlayQueue, Queued, Said};
use super::playout::MAX_PAYLOAD;
use super::{DigitMethod, Event, MAX_SOUND, SteadyTone, StreamConfig, Transmit, UtteranceId};
use crate::codec::{Codec, Encoder};
use crate::comfort_noise;
use crate::dtmf::Digit;
use crate::rtcp::Sent;
use crate::rtp::{HEADER_LEN, Packet, Sender};
use crate::srtp::{MasterKey, Protector};
use crate::tones::Sine;
use crate::{FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};

/// Later than this, whole frames are dropped.
const MAX_LATENESS: Duration = Duration::from_millis(60);
/// While we are silent a packet of comfort noise leaves with so many slots: 200 ms, so that the path stays open, a peer
/// behind it can tell that we are there, and one that is lost is soon made up for.
const NOISE_SLOTS: u64 = 10;
/// Our frames that wait to be recorded beside theirs.
const RECORD_LIMIT: usize = 8;

#[derive(Debug)]
pub(super) struct Outbound {
    sender: Sender,
    encoder: Encoder,
    protector: Option<Box<Protector>>,
    clock: Option<SlotClock>,
    pub queue: PlayQueue,
    digits: DigitQueue,
    tone: Option<Sine>,
    /// The slot of the latest comfort noise, while nothing else has left since.
    noise: Option<u64>,
    /// On the echo route.
    mirror: Option<Box<Mirror>>,
    /// What left, with its slot, for the recorder.
    recorded: Option<VecDeque<(u64, [i16; FRAME_SAMPLES])>>,
    outbox: Outbox,
    packets_sent: u64,
    octets_sent: u64,
    frames_skipped: u64,
}

/// When the next slot leaves.
#[derive(Debug, Clone, Copy)]
struct SlotClock {
    epoch: Instant,
    /// Slots that have left or were skipped.
    slots: u64,
    next: Instant,
    /// The latest slot carried speech.
    speaking: bool,
    /// When the latest slot left.
    left: Option<Instant>,
}

/// Where packets go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route<'a> {
    pub config: &'a StreamConfig,
    pub to: SocketAddr,
}

impl Outbound {
    pub fn new(rng: &mut ChaCha12Rng, record: bool) -> Self {
        Self {
            sender: Sender::new(rng),
            encoder: Encoder::default(),
            protector: None,
            clock: None,
            queue: PlayQueue::new(),
            digits: DigitQueue::new(),
            tone: None,
            noise: None,
            mirror: None,
            recorded: record.then(|| VecDeque::with_capacity(RECORD_LIMIT)),
            outbox: Outbox::new(),
            packets_sent: 0,
            octets_sent: 0,
            frames_skipped: 0,
        }
    }

    /// A stream is there: from now on a slot leaves every 20 ms, the first at once.
    pub fn start(&mut self, now: Instant) {
        self.clock.get_or_insert(SlotClock { epoch: now, slots: 0, next: now, speaking: false, left: None });
    }

    /// With which key packets leave from now on. A key in use stays in use, and goes on counting.
    pub fn protect(&mut self, key: Option<&MasterKey>) {
        if self.protector.as_ref().map(|protector| protector.key()) != key {
            self.protector = key.cloned().map(|key| Box::new(Protector::new(key)));
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.clock.map(|clock| clock.next)
    }

    pub fn packets_sent(&self) -> u64 {
        self.packets_sent
    }

    /// Under which SSRC we send.
    pub fn ssrc(&self) -> u32 {
        self.sender.ssrc()
    }

    /// What has left, and the timestamp that belongs to now.
    pub fn sent(&self, now: Instant, route: Route<'_>) -> Sent {
        let timestamp = self.sender.at_rate(self.timestamp_of(now), route.config.send.0.clock_rate());
        Sent { packets: self.packets_sent, octets: self.octets_sent, timestamp }
    }

    /// The timestamp that belongs to now, in samples.
    fn timestamp_of(&self, now: Instant) -> u32 {
        let elapsed = self.clock.map_or(Duration::ZERO, |clock| now.saturating_duration_since(clock.epoch));
        let samples = (elapsed.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000) as u32;
        self.sender.timestamp(0).wrapping_add(samples)
    }

    /// Frames dropped because they were due while nobody woke us.
    pub fn frames_skipped(&self) -> u64 {
        self.frames_skipped
    }

    /// Whether what they send goes back as it comes, and silence of our own is left out.
    pub fn set_echo(&mut self, echoing: bool) {
        let latest = self.clock.and_then(|clock| clock.left);
        self.mirror = echoing.then(|| Box::new(Mirror::new(latest)));
    }

    pub fn set_tone(&mut self, tone: Option<SteadyTone>) {
        self.tone = tone.map(|tone| Sine::new(tone.hertz, tone.dbm0));
    }

    /// A packet of theirs came: on the echo route it goes back.
    pub fn send_back(&mut self, now: Instant, route: Route<'_>, content: Content, packet: &Packet<'_>) {
        let ours = self.timestamp_of(now);
        let Some(mirror) = &mut self.mirror else { return };
        if !route.config.sending || !route.config.receiving {
            return;
        }
        mirror.note(now);
        let timestamp = mirror.timestamp(packet, ours);
        match (content, route.config.telephone_event_send) {
            (Content::Sound(codec), _) => self.send_back_sound(route, codec, &Packet { timestamp, ..*packet }),
            (Content::TelephoneEvent, Some(payload_type)) => {
                self.transmit(route, packet.marker, payload_type, timestamp, packet.payload);
            }
            (Content::TelephoneEvent, None) => {}
            (Content::ComfortNoise, _) => {
                self.transmit(route, packet.marker, packet.payload_type, timestamp, packet.payload);
            }
        }
    }

    /// Queues a frame; a talk spurt leaves at once.
    pub fn play(&mut self, now: Instant, queued: Queued, sending: bool) {
        let was_idle = self.queue.is_empty() && !self.digits.is_active();
        self.queue.push(queued);
        if queued.last {
            self.digits.utterance_queued(queued.utterance, &self.queue);
        }
        if let Some(clock) = &mut self.clock
            && was_idle
            && sending
            && !self.queue.is_empty()
        {
            clock.hurry(now);
        }
    }

    pub fn flush(&mut self, id: UtteranceId, events: &mut impl FnMut(Event)) {
        self.queue.flush(id, &mut |said| events(said.into()));
        self.digits.utterance_queued(id, &self.queue);
        let more = self.has_content();
        if let Some(clock) = self.clock.as_mut().filter(|_| !more) {
            clock.next = clock.next.max(clock.nominal());
        }
    }

    /// Queues a digit; one too many is not sent and reported by the missing `DigitsSent` of its successor only.
    pub fn send_digit(&mut self, digit: Digit, method: DigitMethod, duration: Duration, config: Option<&StreamConfig>) {
        let negotiated = config.is_some_and(|config| config.telephone_event_send.is_some());
        let as_event = negotiated && method != DigitMethod::Inband;
        self.digits.push_digit(digit, as_event, duration, &self.queue);
    }

    pub fn send_pause(&mut self, duration: Duration) {
        self.digits.push_pause(duration, &self.queue);
    }

    /// Sends what is due.
    pub fn advance(&mut self, now: Instant, route: Route<'_>, events: &mut impl FnMut(Event)) {
        let Some(mut clock) = self.clock else { return };
        if now.saturating_duration_since(clock.next) > MAX_LATENESS {
            self.skip(now, &mut clock, route.config.sending, events);
        }
        while clock.next <= now {
            if let Some(mirror) = self.mirror.as_mut().filter(|_| self.queue.is_empty() && !self.digits.is_active()) {
                if let Some(rest) = mirror.rests_until().filter(|rest| *rest > now) {
                    clock.next = rest;
                    break;
                }
                mirror.note(now);
                clock.catch_up(now);
            }
            let speaking = self.send_slot(now, clock, route, events);
            clock.slots += 1;
            clock.left = Some(clock.next);
            clock.speaking = speaking;
            clock.next = clock.after_slot(self.has_content());
        }
        self.clock = Some(clock);
    }

    pub fn poll_transmit(&mut self, into: &mut Transmit) -> bool {
        self.outbox.pop(into)
    }

    /// What left in a slot, if it had sound. Slots are asked for in order; what left in earlier ones is forgotten.
    pub fn take_recorded(&mut self, slot: u64) -> Option<[i16; FRAME_SAMPLES]> {
        let recorded = self.recorded.as_mut()?;
        while recorded.front().is_some_and(|(earlier, _)| *earlier < slot) {
            recorded.pop_front();
        }
        recorded.pop_front_if(|(left, _)| *left == slot).map(|(_, samples)| samples)
    }

    fn has_content(&self) -> bool {
        !self.queue.is_empty() || self.digits.is_active()
    }

    /// Too late: the timestamps move on, and the speech that was due is lost.
    fn skip(&mut self, now: Instant, clock: &mut SlotClock, sending: bool, events: &mut impl FnMut(Event)) {
        let late = now.saturating_duration_since(clock.next);
        let frames = (late.as_millis() / FRAME_DURATION.as_millis()) as u64;
        clock.slots += frames;
        clock.next += Duration::from_millis(frames * FRAME_DURATION.as_millis() as u64);
        clock.speaking = false;
        self.frames_skipped += frames;
        for _ in 0..frames {
            if !sending || self.digits.is_active() || !self.queue.drop_front(&mut |said| events(said.into())) {
                break;
            }
        }
    }

    /// Fills one slot; true if it carried speech.
    fn send_slot(&mut self, now: Instant, clock: SlotClock, route: Route<'_>, events: &mut impl FnMut(Event)) -> bool {
        if !route.config.sending {
            return false;
        }
        let mut digits_done = false;
        let digits = self.digits.next(clock.slots, &self.queue, &mut digits_done);
        if digits_done {
            events(Event::DigitsSent);
        }
        match digits {
            Some(SlotContent::Event { first_slot, marker, payload }) => {
                let payload_type = route.config.telephone_event_send.unwrap_or(route.config.send.1);
                let timestamp = self.sender.timestamp(first_slot);
                self.transmit(route, marker, payload_type, timestamp, &payload.to_bytes());
                false
            }
            Some(SlotContent::Audio(samples)) => {
                self.transmit_audio(route, clock.slots, false, &samples);
                false
            }
            None => self.send_speech(now, clock, route, events),
        }
    }

    fn send_speech(
        &mut self,
        now: Instant,
        clock: SlotClock,
        route: Route<'_>,
        events: &mut impl FnMut(Event),
    ) -> bool {
        let mut ended = [None; 2];
        let popped = self.queue.pop(&mut |said| {
            // At most its predecessor and the utterance itself end with a frame.
            let free = usize::from(ended[0].is_some());
            ended[free] = Some(said);
        });
        let Some((queued, first)) = popped else {
            self.send_filler(route, clock.slots);
            return false;
        };
        self.transmit_speech(route, clock.slots, !clock.speaking, &queued.sound);
        let own = |said: &Said| said.utterance == queued.utterance;
        let ended: [Option<Said>; 2] = ended;
        for said in ended.into_iter().flatten().filter(|said| !own(said)) {
            events(said.into());
        }
        if first {
            events(Event::Started { utterance: queued.utterance, at: now });
        }
        for said in ended.into_iter().flatten().filter(own) {
            events(said.into());
        }
        true
    }

    /// Fills a slot in which there is nothing to say.
    fn send_filler(&mut self, route: Route<'_>, slot: u64) {
        let mut samples = [0; FRAME_SAMPLES];
        match (&mut self.tone, route.config.comfort_noise) {
            (Some(tone), _) => samples.fill_with(|| tone.next_sample() as i16),
            (None, Some(payload_type)) => return self.send_noise(route, slot, payload_type),
            (None, None) => {}
        }
        self.transmit_audio(route, slot, false, &samples);
    }

    /// RFC 3389 §4: at the beginning of a silence, and again as it goes on.
    fn send_noise(&mut self, route: Route<'_>, slot: u64, payload_type: u8) {
        if self.noise.is_none_or(|latest| slot >= latest + NOISE_SLOTS) {
            self.transmit(route, false, payload_type, self.sender.timestamp(slot), &comfort_noise::SILENCE);
            self.noise = Some(slot);
        }
    }

    /// Sends their sound back as it is where that is our codec, and else what it sounds like in ours.
    fn send_back_sound(&mut self, route: Route<'_>, codec: Codec, packet: &Packet<'_>) {
        let (send, payload_type) = route.config.send;
        if codec == send && !send.has_a_byte_a_sample() {
            // Nothing on a telephone is longer, and it cannot be cut.
            if packet.payload.len() <= MAX_SOUND {
                self.transmit(route, packet.marker, payload_type, packet.timestamp, packet.payload);
            }
        } else if codec == send {
            for (piece, payload) in (0..).zip(packet.payload.chunks(MAX_SOUND)) {
                let timestamp = packet.timestamp.wrapping_add(piece * MAX_SOUND as u32);
                self.transmit(route, packet.marker && piece == 0, payload_type, timestamp, payload);
            }
        } else if let Some(mirror) = &mut self.mirror {
            let mut samples = [0; MAX_PAYLOAD];
            let len = mirror.decode(codec, packet.payload, &mut samples);
            let longest = if send.has_a_byte_a_sample() { MAX_SOUND } else { FRAME_SAMPLES };
            for (piece, samples) in (0..).zip(samples[..len].chunks(longest)) {
                let mut payload = [0; MAX_SOUND];
                let len = self.encoder.encode(send, samples, &mut payload);
                let timestamp = packet.timestamp.wrapping_add(piece * longest as u32);
                self.transmit(route, packet.marker && piece == 0, payload_type, timestamp, &payload[..len]);
            }
        }
    }

    fn transmit_speech(&mut self, route: Route<'_>, slot: u64, marker: bool, sound: &Companded) {
        let (codec, payload_type) = route.config.send;
        let Some(payload) = sound.payload(codec) else {
            return self.transmit_audio(route, slot, marker, &sound.samples());
        };
        if self.recorded.is_some() {
            self.record(slot, sound.samples());
        }
        self.transmit(route, marker, payload_type, self.sender.timestamp(slot), payload);
    }

    fn transmit_audio(&mut self, route: Route<'_>, slot: u64, marker: bool, samples: &[i16; FRAME_SAMPLES]) {
        let (codec, payload_type) = route.config.send;
        self.record(slot, *samples);
        let mut payload = [0; FRAME_SAMPLES];
        let len = self.encoder.encode(codec, samples, &mut payload);
        // RFC 3551 §4.1: the first packet after a silence that was not sent.
        let marker = marker || self.noise.is_some();
        self.transmit(route, marker, payload_type, self.sender.timestamp(slot), &payload[..len]);
    }

    /// Sends a packet; its timestamp is in samples. Events count by the clock of the sound beside them.
    fn transmit(&mut self, route: Route<'_>, marker: bool, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let to = route.to;
        // RFC 3264 §8.4: 0.0.0.0 was the hold of RFC 2543; port 0 is a refused stream.
        if to.port() == 0 || to.ip().is_unspecified() {
            return;
        }
        let timestamp = self.sender.at_rate(timestamp, route.config.send.0.clock_rate());
        let mut transmit = Transmit { to, ..Transmit::default() };
        transmit.len = self.sender.write(&mut transmit.packet, marker, payload_type, timestamp, payload);
        let octets = transmit.len.saturating_sub(HEADER_LEN) as u64;
        if let Some(protector) = &mut self.protector {
            let Some(len) = protector.protect(&mut transmit.packet, transmit.len) else { return };
            transmit.len = len;
        }
        self.enqueue(&transmit);
        self.noise = None;
        self.packets_sent += 1;
        self.octets_sent += octets;
    }

    /// Puts a packet behind those that wait for the shell.
    pub fn enqueue(&mut self, transmit: &Transmit) {
        self.outbox.push(transmit);
    }

    fn record(&mut self, slot: u64, samples: [i16; FRAME_SAMPLES]) {
        if let Some(recorded) = &mut self.recorded {
            if recorded.len() >= RECORD_LIMIT {
                recorded.pop_front();
            }
            recorded.push_back((slot, samples));
        }
    }
}

impl SlotClock {
    /// Slots in which nothing left are over.
    fn catch_up(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.epoch).as_millis() / FRAME_DURATION.as_millis();
        self.slots = self.slots.max(elapsed as u64);
    }

    /// Speech came while there was none: its slot leaves now, unless the one before is still sounding.
    fn hurry(&mut self, now: Instant) {
        let earliest = match self.left {
            Some(left) if self.speaking => left + FRAME_DURATION,
            _ => now,
        };
        let never_ahead_by_more = self.nominal().checked_sub(FRAME_DURATION).unwrap_or(now);
        self.next = self.next.min(earliest.max(now).max(never_ahead_by_more));
    }

    /// When the slot after this one leaves: speech 20 ms later, silence when its nominal time has come.
    fn after_slot(&self, more: bool) -> Instant {
        let continued = self.next + FRAME_DURATION;
        if more { continued } else { continued.max(self.nominal()) }
    }

    fn nominal(&self) -> Instant {
        self.epoch + Duration::from_millis(self.slots * FRAME_DURATION.as_millis() as u64)
    }
}

impl From<Said> for Event {
    fn from(said: Said) -> Self {
        Event::Played { utterance: said.utterance, duration: said.duration, finished: said.finished }
    }
}
