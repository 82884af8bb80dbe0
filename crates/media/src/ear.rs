//! [`Ear`]: everything we make of the sound of a line. The same code for live calls and recordings.

use std::time::Duration;

use crate::AudioFrame;
pub use crate::dtmf::{Digit, DigitSource};

/// Which detectors run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// In-band DTMF.
    pub dtmf: bool,
    /// Ringback, busy, beeps, fax, …
    pub progress: bool,
    /// Voice activity and music.
    pub voice: bool,
}

/// Tones of the network and of machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It rings at the far end.
    Ringback,
    /// Busy.
    Busy,
    /// Network congestion (fast busy).
    Congestion,
    /// Dial tone.
    Dial,
    /// Special information tones before an intercept message.
    Sit,
    /// CNG or CED.
    Fax,
    /// A voicemail's beep; reported when it has ended.
    Beep,
}

/// Something was heard. Times are media times since the stream began.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A digit; `at` is the time of the decision.
    Digit { #[allow(missing_docs)] at: Duration, #[allow(missing_docs)] digit: Digit, #[allow(missing_docs)] source: DigitSource },
    /// A tone, recognised at `at`, whose last burst ended (or is judged to end) at `end`.
    Tone { #[allow(missing_docs)] at: Duration, #[allow(missing_docs)] end: Duration, #[allow(missing_docs)] tone: Tone },
    /// Somebody began to speak; `at` is the estimated onset, not the decision.
    SpeechStarted { #[allow(missing_docs)] at: Duration },
    /// They stopped; `at` is the estimated end of the last voiced frame.
    SpeechEnded { #[allow(missing_docs)] at: Duration },
    /// Music began.
    MusicStarted { #[allow(missing_docs)] at: Duration },
    /// Music ended.
    MusicEnded { #[allow(missing_docs)] at: Duration },
}

/// The detectors of one line.
#[derive(Debug)]
pub struct Ear {
    config: Config,
    probability: f32,
    loud: u32,
    quiet: u32,
    speaking: bool,
}

impl Ear {
    /// Detectors as configured.
    pub fn new(config: Config) -> Self {
        Self { config, probability: 0.0, loud: 0, quiet: 0, speaking: false }
    }

    /// Hears 20 ms; appends what it makes of them.
    pub fn hear(&mut self, frame: &AudioFrame, heard: &mut Vec<Heard>) {
        if !self.config.voice {
            return;
        }
        let energy = frame.samples.iter().map(|s| f32::from(*s) * f32::from(*s)).sum::<f32>() / 160.0;
        let loud = energy > 300.0 * 300.0;
        self.probability = if loud { 1.0 } else { 0.0 };
        self.loud = if loud { self.loud + 1 } else { 0 };
        self.quiet = if loud { 0 } else { self.quiet + 1 };
        if !self.speaking && self.loud >= 4 {
            self.speaking = true;
            heard.push(Heard::SpeechStarted { at: frame.at.saturating_sub(Duration::from_millis(60)) });
        } else if self.speaking && self.quiet >= 10 {
            self.speaking = false;
            heard.push(Heard::SpeechEnded { at: frame.at.saturating_sub(Duration::from_millis(180)) });
        }
    }

    /// The probability of speech in the last frame, raw, without hangover.
    pub fn speech_probability(&self) -> f32 {
        self.probability
    }
}
