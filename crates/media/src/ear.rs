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

impl Config {
    /// None of them.
    pub const DEAF: Self = Self { dtmf: false, progress: false, voice: false };
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

/// What one frame may make heard: a digit, a tone, and a change of speech and of music.
pub const MOST_HEARD: usize = 4;

/// The detectors of one line; those that nobody wants take no room.
#[derive(Debug)]
pub struct Ear {
    digits: Option<Box<inband::Detector>>,
    sound: Option<Box<Sound>>,
}

/// What analyses sound.
#[derive(Debug)]
struct Sound {
    config: Config,
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
            digits: config.dtmf.then(|| Box::new(inband::Detector::new())),
            sound: (config.progress || config.voice).then(|| Box::new(Sound::new(config))),
        }
    }

    /// Hears 20 ms; appends what it makes of them.
    pub fn hear(&mut self, frame: &AudioFrame, heard: &mut Vec<Heard>) {
        let mut is_digit = false;
        if let Some(digits) = &mut self.digits {
            if let Some((digit, into)) = digits.hear(&frame.samples) {
                heard.push(Heard::Digit { at: frame.at + into, digit, source: DigitSource::Inband });
            }
            is_digit = digits.is_sounding();
        }
        if let Some(sound) = &mut self.sound {
            sound.hear(frame, is_digit, heard);
        }
    }

    /// The probability of speech in the last frame, raw, without hangover.
    pub fn speech_probability(&self) -> f32 {
        self.sound.as_ref().map_or(0.0, |sound| sound.voice.probability())
    }
}

impl Sound {
    fn new(config: Config) -> Self {
        Self {
            config,
            analyser: Analyser::new(),
            progress: CallProgress::new(),
            voice: VoiceActivity::new(),
            music: MusicDetector::new(),
            last_speech: None,
        }
    }

    fn hear(&mut self, frame: &AudioFrame, is_digit: bool, heard: &mut Vec<Heard>) {
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
            self.hear_voice(frame, is_digit, &analysis, heard);
        }
    }

    fn hear_voice(&mut self, frame: &AudioFrame, is_digit: bool, analysis: &Analysis, heard: &mut Vec<Heard>) {
        let tone = is_digit || self.progress.is_sounding() && !self.voice.is_speaking();
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
