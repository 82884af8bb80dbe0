//! [`Playout`]: what they say, a frame every 20 ms: put in order, concealed where lost, and listened to.

use std::time::Duration;

use super::heard_digits::HeardDigits;
use super::pause::Pause;
use super::{Config, Event};
use crate::Codec;
use crate::codec::Decoder;
use crate::conceal::Concealer;
use crate::ear::{self, Ear, Heard, MOST_HEARD};
use crate::jitter::{DEFAULT_DELAY_MS, JitterBuffer, Popped};
use crate::level_control::LevelControl;
use crate::rtp::Packet;
use crate::tones::DBM0_AMPLITUDE;
use crate::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};

/// The longest payload taken, and the most samples in one: 240 ms of G.711.
pub(super) const MAX_PAYLOAD: usize = 1920;
/// Frames played out in one go after a stall; what was due before is skipped.
const MAX_CATCH_UP: u32 = 50;
/// Frames ahead of the lost one that concealment may know.
const AHEAD: usize = 2;
/// Speech from this probability on.
const SPEECH: f32 = 0.5;
/// Two packets lost within this time: the line is lossy.
const LOSSY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Playout {
    /// Emit `Event::Audio`.
    hand_over: bool,
    frames_played: u64,
    decoder: Decoder,
    jitter: JitterBuffer,
    concealer: Concealer,
    pause: Pause,
    ear: Ear,
    heard: Vec<Heard>,
    level_control: Option<LevelControl>,
    /// Media time of the first frame with sound from the peer, for those who map media time to arrival time.
    first_sound: Option<Duration>,
    concealed_frames: u64,
    /// Packets known to be lost, and when the latest two became so.
    lost: u64,
    losses: [Option<Duration>; 2],
    speech_energy: f64,
    speech_samples: u64,
}

impl Playout {
    pub fn new(config: &Config) -> Self {
        Self {
            hand_over: config.audio,
            frames_played: 0,
            decoder: Decoder::default(),
            jitter: JitterBuffer::new(DEFAULT_DELAY_MS),
            concealer: Concealer::new(),
            pause: Pause::new(),
            heard: Vec::with_capacity(if config.ear == ear::Config::DEAF { 0 } else { MOST_HEARD }),
            ear: Ear::new(config.ear),
            level_control: None,
            first_sound: None,
            concealed_frames: 0,
            lost: 0,
            losses: [None; 2],
            speech_energy: 0.0,
            speech_samples: 0,
        }
    }

    /// Whether what is handed over is raised where they are hardly heard.
    pub fn raise_quiet(&mut self, on: bool) {
        self.level_control = on.then(LevelControl::default);
    }

    /// Another source begins.
    pub fn restart(&mut self) {
        self.jitter.restart();
        self.pause.forget();
        self.decoder.restart();
    }

    /// So many packets are known to be lost at this media time.
    pub fn note_losses(&mut self, at: Duration, lost: u64) {
        for _ in self.lost..lost.min(self.lost + 2) {
            self.losses = [Some(at), self.losses[0]];
        }
        self.lost = lost;
        self.jitter.expect_loss(self.losses[1].is_some_and(|loss| at.saturating_sub(loss) < LOSSY));
    }

    /// A packet of sound came at this media time.
    pub fn take_sound(&mut self, at: Duration, codec: Codec, packet: &Packet<'_>) {
        self.pause.end(packet);
        let mut samples = [0; MAX_PAYLOAD];
        let len = self.decoder.decode(codec, packet.payload, &mut samples);
        if len == 0 {
            // It is as good as lost.
            return;
        }
        let until_pop = self.samples_until_pop(at);
        self.jitter.push(packet.timestamp, until_pop, &samples[..len]);
    }

    /// A description of comfort noise came; false if it describes nothing.
    pub fn take_noise(&mut self, packet: &Packet<'_>) -> bool {
        self.pause.describe(packet)
    }

    /// Plays out what is due at this media time.
    pub fn advance(
        &mut self,
        at: Duration,
        digits: &mut HeardDigits,
        events: &mut impl FnMut(Event),
        mut played: impl FnMut(&AudioFrame, &mut dyn FnMut(Event)),
    ) {
        let mut played_now = 0;
        while self.next_due() <= at {
            if played_now >= MAX_CATCH_UP {
                self.frames_played = (at.as_millis() / FRAME_DURATION.as_millis()) as u64;
                return;
            }
            played_now += 1;
            let frame = self.play_frame(digits, events);
            played(&frame, events);
        }
    }

    /// Media time of the next frame: it is complete when its 20 ms are over.
    pub fn next_due(&self) -> Duration {
        frame_time(self.frames_played + 1)
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

    /// Mean level of their speech; `None` before they have spoken.
    pub fn level_dbm0(&self) -> Option<f32> {
        if self.speech_samples == 0 {
            return None;
        }
        let mean_square = self.speech_energy / self.speech_samples as f64;
        let reference = f64::from(DBM0_AMPLITUDE) * f64::from(DBM0_AMPLITUDE) / 2.0;
        Some((10.0 * (mean_square / reference).max(1e-10).log10()) as f32)
    }

    fn play_frame(&mut self, digits: &mut HeardDigits, events: &mut impl FnMut(Event)) -> AudioFrame {
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
        if self.hand_over {
            events(Event::Audio(self.adjusted(frame)));
        }
        self.listen(&frame, digits, events);
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

    fn listen(&mut self, frame: &AudioFrame, digits: &mut HeardDigits, events: &mut impl FnMut(Event)) {
        self.heard.clear();
        self.ear.hear(frame, &mut self.heard);
        if self.ear.speech_probability() > SPEECH {
            self.speech_energy += frame.samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>();
            self.speech_samples += FRAME_SAMPLES as u64;
        }
        for heard in self.heard.drain(..) {
            match heard {
                Heard::Digit { digit, at, .. } if !digits.by_ear(at, digit) => {}
                heard => events(Event::Heard(heard)),
            }
        }
    }

    fn samples_until_pop(&self, at: Duration) -> usize {
        let wait = self.next_due().saturating_sub(at);
        if wait >= FRAME_DURATION {
            return FRAME_SAMPLES;
        }
        (wait.subsec_micros() * (SAMPLE_RATE / 1000) / 1000) as usize
    }
}

fn frame_time(frames: u64) -> Duration {
    Duration::from_millis(frames * FRAME_DURATION.as_millis() as u64)
}
