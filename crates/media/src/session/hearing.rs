//! [`Hearing`]: who listens to what they say: the detectors, and whoever the sound is handed to.

use super::heard_digits::HeardDigits;
use super::{Config, Event};
use crate::ear::{self, Ear, Heard, MOST_HEARD};
use crate::level_control::LevelControl;
use crate::tones::DBM0_AMPLITUDE;
use crate::{AudioFrame, FRAME_SAMPLES};

/// Speech from this probability on.
const SPEECH: f32 = 0.5;

#[derive(Debug)]
pub(super) struct Hearing {
    /// Emit `Event::Audio`.
    hand_over: bool,
    ear: Ear,
    heard: Vec<Heard>,
    level_control: Option<LevelControl>,
    speech_energy: f64,
    speech_samples: u64,
}

impl Hearing {
    pub fn new(config: &Config) -> Self {
        Self {
            hand_over: config.audio,
            heard: Vec::with_capacity(if config.ear == ear::Config::DEAF { 0 } else { MOST_HEARD }),
            ear: Ear::new(config.ear),
            level_control: None,
            speech_energy: 0.0,
            speech_samples: 0,
        }
    }

    /// Whether what is handed over is raised where they are hardly heard.
    pub fn raise_quiet(&mut self, on: bool) {
        self.level_control = on.then(LevelControl::default);
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

    /// The next frame.
    pub fn hear(&mut self, frame: AudioFrame, digits: &mut HeardDigits, events: &mut impl FnMut(Event)) {
        if self.hand_over {
            events(Event::Audio(self.adjusted(frame)));
        }
        self.heard.clear();
        self.ear.hear(&frame, &mut self.heard);
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

    /// The frame as it is handed over.
    fn adjusted(&mut self, mut frame: AudioFrame) -> AudioFrame {
        if let Some(control) = &mut self.level_control {
            // The ear has not heard this frame yet; the one before tells as well.
            control.adjust(&mut frame.samples, self.ear.speech_probability() > SPEECH);
        }
        frame
    }
}
