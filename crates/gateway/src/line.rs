//! [`Line`]: a call as the agent sees it. It knows nothing of SIP.

use std::time::Duration;

use media::ear::{Digit, DigitSource, Tone};
use media::{AudioFrame, UtteranceId};
use tokio::time::Instant;

/// One call, from the side of whoever talks on it. Dropping it hangs up.
#[derive(Debug)]
pub struct Line {
    pub(crate) _todo: (),
}

/// What happens on a line, in order. Audio may be dropped when the reader is slow (and is
/// counted); nothing else ever is.
#[derive(Debug, Clone, PartialEq)]
pub enum LineEvent {
    /// 180 or ringback heard.
    Ringing,
    /// 183 with media: audio before the answer.
    EarlyMedia,
    /// 200. Media time 0 of the transcript is here.
    Answered,
    /// 20 ms of what they say.
    Audio(AudioFrame),
    /// Somebody began to speak; media time of the onset.
    SpeechStarted {
        /// Media time.
        at: Duration,
    },
    /// They stopped; media time of the last voiced frame's end.
    SpeechEnded {
        /// Media time.
        at: Duration,
    },
    /// Music on hold began or ended.
    Music {
        /// Media time.
        at: Duration,
        /// Playing now.
        playing: bool,
    },
    /// A key of theirs.
    Digit {
        /// Media time.
        at: Duration,
        /// Which.
        digit: Digit,
        /// How it came.
        source: DigitSource,
    },
    /// A tone; `end` is when its last burst ended.
    Tone {
        /// Media time of the decision.
        at: Duration,
        /// Media time.
        end: Duration,
        /// Which.
        tone: Tone,
    },
    /// The first packet of an utterance left for the wire.
    Started {
        /// Which.
        utterance: UtteranceId,
        /// When.
        at: Instant,
    },
    /// An utterance ended or was flushed.
    Played {
        /// Which.
        utterance: UtteranceId,
        /// How much of it left for the wire.
        duration: Duration,
        /// To its end.
        finished: bool,
    },
    /// All digits ordered so far were sent.
    DigitsSent,
    /// They put us on hold by signalling, or took us back.
    Held(bool),
    /// The call is over; nothing follows.
    Ended(CallEnd),
}

/// How a call ended, in the words of signalling. `control` derives `end_reason` from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEnd {
    /// Why.
    pub cause: EndCause,
    /// The peer's final status, never remapped.
    pub sip_status: Option<u16>,
    /// The peer's own words.
    pub reason: Option<String>,
}

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndCause {
    /// We hung up.
    HungUp,
    /// They hung up.
    CalleeHungUp,
    /// 486 or 600.
    Busy,
    /// Nobody answered in time (408, 480, or our ring limit).
    NoAnswer,
    /// 603, 403, …: refused.
    Rejected,
    /// Anything else before the answer, or a broken dialog after it.
    Failed,
    /// We, or they, gave up before the answer.
    Canceled,
    /// The call's limit.
    TimeLimit,
    /// No RTP.
    MediaTimeout,
    /// The program stops.
    Shutdown,
}

/// The line is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call is over")]
pub struct LineClosed;

#[allow(missing_docs, unused_variables, clippy::unused_async)]
impl Line {
    /// The next thing that happens; `None` after `Ended`.
    pub async fn next(&mut self) -> Option<LineEvent> { todo!() }
    /// Says 20 ms of an utterance (ids grow); waits while the queue (1 s) is full.
    pub async fn play(&mut self, utterance: UtteranceId, samples: [i16; 160], last: bool) -> Result<(), LineClosed> { todo!() }
    /// A handle that plays from another task.
    pub fn player(&self) -> Player { todo!() }
    /// Stops all utterances up to this one at once; `Played` follows for each that had begun.
    pub fn flush(&mut self, utterance: UtteranceId) { todo!() }
    /// Presses keys after what is being said: `0-9 * # A-D`, `w` and `,` are half a second.
    pub fn press(&mut self, digits: &str) { todo!() }
    /// For inbound calls: 180.
    pub fn ring(&mut self) { todo!() }
    /// For inbound calls: 200.
    pub fn answer(&mut self) { todo!() }
    /// For inbound calls: a final refusal such as 486.
    pub fn reject(&mut self, status: u16) { todo!() }
    /// Ends the call after what has been queued was said; `Ended` follows.
    pub fn hang_up(&mut self) { todo!() }
}

/// Plays audio into a line from another task.
#[derive(Debug, Clone)]
pub struct Player {
    pub(crate) _todo: (),
}

#[allow(missing_docs, unused_variables, clippy::unused_async)]
impl Player {
    pub async fn play(&mut self, utterance: UtteranceId, samples: [i16; 160], last: bool) -> Result<(), LineClosed> { todo!() }
}
