//! [`Ear`]: everything we make of the sound of a line. The same code for live calls and recordings.

use std::time::Duration;

use crate::AudioFrame;

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

/// One of the sixteen DTMF digits (RFC 4733 events 0 to 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digit(u8);

#[allow(missing_docs)]
impl Digit {
    pub fn from_char(c: char) -> Option<Self> { todo!("{c}") }
    pub fn from_event(event: u8) -> Option<Self> { todo!("{event}") }
    pub fn event(self) -> u8 { self.0 }
    pub fn as_char(self) -> char { todo!() }
}

/// How a digit reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitSource {
    /// By ear.
    Inband,
    /// RFC 4733 telephone-event.
    Rfc4733,
    /// SIP INFO.
    Info,
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
pub struct Ear { _todo: () }

#[allow(missing_docs, unused_variables)]
impl Ear {
    pub fn new(config: Config) -> Self { todo!() }
    /// Hears 20 ms; appends what it makes of them.
    pub fn hear(&mut self, frame: &AudioFrame, heard: &mut Vec<Heard>) { todo!() }
    /// The probability of speech in the last frame, raw, without hangover.
    pub fn speech_probability(&self) -> f32 { todo!() }
}
