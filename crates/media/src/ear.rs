//! [`Ear`]: everything we make of the sound of a line. The same code for live calls and recordings.

use std::time::Duration;

use crate::analysis::{Analyser, Analysis};
use crate::dtmf::inband;
pub use crate::dtmf::{Digit, DigitSource};
use crate::music::{self, MusicDetector};
use crate::progress::CallProgress;
use crate::vad::{self, VoiceActivity};
use crate::{AudioFrame, FRAME_DURATION};

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
    /// A digit.
    Digit {
        /// When it was decided.
        at: Duration,
        /// Which.
        digit: Digit,
        /// By what way it came.
        source: DigitSource,
    },
    /// A tone of the network or of a machine; one report an episode, however often the cadence repeats.
    Tone {
        /// When it was recognised.
        at: Duration,
        /// When its last burst ended, or `at` if it still sounds.
        end: Duration,
        /// Which.
        tone: Tone,
    },
    /// Somebody began to speak.
    SpeechStarted {
        /// The estimated onset, not the decision.
        at: Duration,
    },
    /// They stopped.
    SpeechEnded {
        /// The estimated end of the last frame of their voice.
        at: Duration,
    },
    /// Music began.
    MusicStarted {
        /// Its beginning, two seconds before it is recognised.
        at: Duration,
    },
    /// Music ended.
    MusicEnded {
        /// The end of its last note.
        at: Duration,
    },
}

/// Speech this recent makes a single low tone a beep: networks do not talk before they ring.
const SPEECH_BEFORE_BEEP: Duration = Duration::from_secs(8);

/// The detectors of one line.
#[derive(Debug)]
pub struct Ear {
    config: Config,
    digits: inband::Detector,
    analyser: Analyser,
    progress: CallProgress,
    voice: VoiceActivity,
    music: MusicDetector,
    last_speech: Option<Duration>,
}

impl Ear {
    /// Detectors as configured.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            digits: inband::Detector::new(),
            analyser: Analyser::new(),
            progress: CallProgress::new(),
            voice: VoiceActivity::new(),
            music: MusicDetector::new(),
            last_speech: None,
        }
    }

    /// Hears 20 ms; appends what it makes of them.
    pub fn hear(&mut self, frame: &AudioFrame, heard: &mut Vec<Heard>) {
        if self.config.dtmf
            && let Some((digit, into)) = self.digits.hear(&frame.samples)
        {
            heard.push(Heard::Digit { at: frame.at + into, digit, source: DigitSource::Inband });
        }
        if !self.config.progress && !self.config.voice {
            return;
        }
        let analysis = self.analyser.hear(&frame.samples);
        if self.config.progress {
            let speech_before = self.last_speech.is_some_and(|when| frame.at.saturating_sub(when) < SPEECH_BEFORE_BEEP);
            let recognised = self.progress.hear(frame.at, &analysis, speech_before);
            if let Some(recognised) = recognised.filter(|_| !self.music.is_playing()) {
                let at = frame.at + FRAME_DURATION;
                heard.push(Heard::Tone { at, end: recognised.end, tone: recognised.tone });
            }
        }
        if self.config.voice {
            self.hear_voice(frame, &analysis, heard);
        }
    }

    /// The probability of speech in the last frame, raw, without hangover.
    pub fn speech_probability(&self) -> f32 {
        self.voice.probability()
    }

    fn hear_voice(&mut self, frame: &AudioFrame, analysis: &Analysis, heard: &mut Vec<Heard>) {
        let tone = self.digits.is_sounding() || self.progress.is_sounding() && !self.voice.is_speaking();
        match self.voice.hear(frame.at, analysis, tone, self.music.is_playing()) {
            Some(vad::Change::Started(at)) => heard.push(Heard::SpeechStarted { at }),
            Some(vad::Change::Ended(at)) => heard.push(Heard::SpeechEnded { at }),
            None => {}
        }
        if self.voice.is_speaking() {
            self.last_speech = Some(frame.at);
        }
        match self.music.hear(frame.at, analysis, self.voice.vote(), self.progress.is_sounding()) {
            Some(music::Change::Started(at)) => heard.push(Heard::MusicStarted { at }),
            Some(music::Change::Ended(at)) => heard.push(Heard::MusicEnded { at }),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
