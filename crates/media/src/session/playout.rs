//! [`Playout`]: what they say: put in order, listened to as it comes, played out every 20 ms, concealed where lost.

use std::time::Duration;

use super::ahead::Ahead;
use super::heard_digits::HeardDigits;
use super::hearing::Hearing;
use super::pause::Pause;
use super::{Config, Event, frame_time};
use crate::Codec;
use crate::codec::Decoder;
use crate::conceal::Concealer;
use crate::jitter::{DEFAULT_DELAY_MS, JitterBuffer, Popped};
use crate::rtp::Packet;
use crate::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};

/// The longest payload taken, and the most samples in one: 240 ms of G.711.
pub(super) const MAX_PAYLOAD: usize = 1920;
/// Frames played out in one go after a stall; what was due before is skipped.
const MAX_CATCH_UP: u32 = 50;
/// Frames ahead of the lost one that concealment may know.
const AHEAD: usize = 2;
/// A packet lost within this time: the line is lossy.
const LOSSY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Playout {
    frames_played: u64,
    decoder: Decoder,
    jitter: JitterBuffer,
    concealer: Concealer,
    pause: Pause,
    ahead: Ahead,
    hearing: Hearing,
    concealed_frames: u64,
    /// Packets known to be lost, and when the latest became so.
    lost: u64,
    lost_at: Option<Duration>,
}

impl Playout {
    pub fn new(config: &Config) -> Self {
        Self {
            frames_played: 0,
            decoder: Decoder::default(),
            jitter: JitterBuffer::new(DEFAULT_DELAY_MS),
            concealer: Concealer::new(),
            pause: Pause::new(),
            ahead: Ahead::new(),
            hearing: Hearing::new(config),
            concealed_frames: 0,
            lost: 0,
            lost_at: None,
        }
    }

    /// Whether what is handed over is raised where they are hardly heard.
    pub fn raise_quiet(&mut self, on: bool) {
        self.hearing.raise_quiet(on);
    }

    /// Another source begins.
    pub fn restart(&mut self) {
        self.jitter.restart();
        self.pause.forget();
        self.ahead.restart();
        self.decoder.restart();
    }

    /// They are not to be heard for a while: nor is a pause that they announced.
    pub fn hold(&mut self) {
        self.pause.forget();
    }

    /// So many packets are known to be lost at this media time.
    pub fn note_losses(&mut self, at: Duration, lost: u64) {
        if lost > self.lost {
            self.lost_at = Some(at);
        }
        self.lost = lost;
        self.jitter.expect_loss(self.lost_at.is_some_and(|loss| at.saturating_sub(loss) < LOSSY));
    }

    /// A packet of sound came at this media time.
    pub fn take_sound(
        &mut self,
        at: Duration,
        codec: Codec,
        packet: &Packet<'_>,
        digits: &mut HeardDigits,
        events: &mut impl FnMut(Event),
    ) {
        self.pause.end(packet);
        let mut samples = [0; MAX_PAYLOAD];
        let len = self.decoder.decode(codec, packet.payload, &mut samples);
        if len == 0 {
            // It is as good as lost.
            return;
        }
        let until_pop = self.samples_until_pop(at);
        let before = self.jitter.position();
        self.jitter.push(packet.timestamp, until_pop, &samples[..len]);
        let Self { ahead, jitter, pause, hearing, .. } = self;
        let silence = || pause.next_sample();
        ahead.arrived(packet.sequence, before, jitter, silence, &mut |frame| hearing.hear(frame, digits, events));
    }

    /// A packet of a telephone-event came.
    pub fn take_event(&mut self, packet: &Packet<'_>) {
        self.ahead.pass(packet.sequence);
    }

    /// A description of comfort noise came; false if it describes nothing.
    pub fn take_noise(&mut self, packet: &Packet<'_>) -> bool {
        self.ahead.pass(packet.sequence);
        self.pause.describe(packet)
    }

    /// Plays out what is due at this media time.
    pub fn advance(
        &mut self,
        at: Duration,
        digits: &mut HeardDigits,
        events: &mut impl FnMut(Event),
        mut played: impl FnMut(AudioFrame),
    ) {
        let mut played_now = 0;
        while self.next_due() <= at {
            if played_now >= MAX_CATCH_UP {
                self.frames_played = (at.as_millis() / FRAME_DURATION.as_millis()) as u64;
                return;
            }
            played_now += 1;
            let frame = self.play_frame();
            let hearing = &mut self.hearing;
            self.ahead.played(&frame.samples, &self.jitter, &mut |frame| hearing.hear(frame, digits, events));
            played(frame);
        }
    }

    /// Media time of the next frame: it is complete when its 20 ms are over.
    pub fn next_due(&self) -> Duration {
        frame_time(self.frames_played + 1)
    }

    pub fn jitter(&self) -> &JitterBuffer {
        &self.jitter
    }

    pub fn hearing(&self) -> &Hearing {
        &self.hearing
    }

    pub fn concealed_frames(&self) -> u64 {
        self.concealed_frames
    }

    /// Media time at which their first sample was heard.
    pub fn first_sound(&self) -> Option<Duration> {
        self.ahead.first_sound()
    }

    fn play_frame(&mut self) -> AudioFrame {
        let at = frame_time(self.frames_played);
        self.frames_played += 1;
        let timestamp = self.jitter.position().map(|position| position as u32);
        let mut popped = self.jitter.pop();
        if self.jitter.was_whole() || self.pause.fill(timestamp, &mut popped.samples, &popped.present) {
            self.concealer.hear(&mut popped.samples);
        } else if self.conceal(&mut popped) {
            self.concealed_frames += 1;
        }
        AudioFrame { at, samples: popped.samples }
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

    fn samples_until_pop(&self, at: Duration) -> usize {
        let wait = self.next_due().saturating_sub(at);
        if wait >= FRAME_DURATION {
            return FRAME_SAMPLES;
        }
        (wait.subsec_micros() * (SAMPLE_RATE / 1000) / 1000) as usize
    }
}
