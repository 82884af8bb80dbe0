//! [`Line`]: a call as the agent sees it. It knows nothing of SIP.

use std::time::Duration;

use media::ear::{Digit, DigitSource, Tone};
use media::{AudioFrame, Order, UtteranceId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::dropped::DropCounter;

/// Line events waiting for their reader.
pub(crate) const MAX_EVENTS: usize = 256;
/// Below this much room only audio is dropped.
const RESERVED_EVENTS: usize = 64;
/// Frames handed over but not yet in the media worker's ring.
pub(crate) const MAX_AUDIO: usize = 4;
/// Commands waiting for the call.
pub(crate) const MAX_COMMANDS: usize = 64;

/// One call, from the side of whoever talks on it. Dropping it hangs up.
#[derive(Debug)]
pub struct Line {
    events: mpsc::Receiver<LineEvent>,
    commands: mpsc::Sender<LineCommand>,
    player: Player,
}

/// What a line or a handle asks of its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineCommand {
    Ring,
    Answer,
    Reject(u16),
    Flush(UtteranceId),
    Press { digits: String, differently: bool },
    HangUp,
}

/// The call's ends of a line.
#[derive(Debug)]
pub(crate) struct LineEnd {
    pub(crate) events: mpsc::Sender<LineEvent>,
    pub(crate) audio: mpsc::Receiver<Order>,
    dropped: DropCounter,
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
    /// Their Reason header (RFC 3326), as it came.
    pub reason_header: Option<String>,
    /// What a refusal says of the next try.
    pub disposition: Option<sip::Disposition>,
}

impl CallEnd {
    /// An end that signalling has said nothing of.
    pub fn because(cause: EndCause) -> Self {
        Self { cause, sip_status: None, reason: None, reason_header: None, disposition: None }
    }
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

/// A line and the call's ends of it.
pub(crate) fn pair(commands: mpsc::Sender<LineCommand>, dropped: DropCounter) -> (Line, LineEnd) {
    let (events, event_receiver) = mpsc::channel(MAX_EVENTS);
    let (audio, audio_receiver) = mpsc::channel(MAX_AUDIO);
    let line = Line { events: event_receiver, commands, player: Player { audio } };
    (line, LineEnd { events, audio: audio_receiver, dropped })
}

impl Line {
    /// The next thing that happens; `None` after `Ended`. Cancel-safe.
    pub async fn next(&mut self) -> Option<LineEvent> {
        self.events.recv().await
    }

    /// Says 20 ms of an utterance (ids grow); waits while the queue (about 1 s) is full.
    pub async fn play(&mut self, utterance: UtteranceId, samples: [i16; 160], last: bool) -> Result<(), LineClosed> {
        self.player.play(utterance, samples, last).await
    }

    /// A handle that plays from another task.
    pub fn player(&self) -> Player {
        self.player.clone()
    }

    /// Stops all utterances up to this one at once; `Played` follows for each that had begun.
    pub fn flush(&mut self, utterance: UtteranceId) {
        self.command(LineCommand::Flush(utterance));
    }

    /// Presses keys after what is being said: `0-9 * # A-D`, `w` and `,` are half a second.
    pub fn press(&mut self, digits: &str) {
        self.command(LineCommand::Press { digits: digits.to_owned(), differently: false });
    }

    /// Presses these keys by the other method, because a prompt did not react to the usual one: in-band where
    /// telephone-event was negotiated, else INFO. Where a trunk's `dtmf` names one method, that is used.
    pub fn press_differently(&mut self, digits: &str) {
        self.command(LineCommand::Press { digits: digits.to_owned(), differently: true });
    }

    /// For inbound calls: 180.
    pub fn ring(&mut self) {
        self.command(LineCommand::Ring);
    }

    /// For inbound calls: 200.
    pub fn answer(&mut self) {
        self.command(LineCommand::Answer);
    }

    /// For inbound calls: a final refusal such as 486.
    pub fn reject(&mut self, status: u16) {
        self.command(LineCommand::Reject(status));
    }

    /// Ends the call at once (wait for `Played` to finish a goodbye); `Ended` follows.
    pub fn hang_up(&mut self) {
        self.command(LineCommand::HangUp);
    }

    /// The call reads its commands at once; a queue that is full belongs to a call that is over.
    fn command(&self, command: LineCommand) {
        let _ = self.commands.try_send(command);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.command(LineCommand::HangUp);
    }
}

impl LineEnd {
    /// Tells the line; audio is dropped and counted when its reader is slow. False when an event that must not
    /// be lost found no room.
    pub(crate) fn tell(&self, event: LineEvent) -> bool {
        if matches!(event, LineEvent::Audio(_)) && self.events.capacity() < RESERVED_EVENTS {
            self.dropped.unheard();
            return true;
        }
        !matches!(self.events.try_send(event), Err(mpsc::error::TrySendError::Full(_)))
    }
}

/// Plays audio into a line from another task.
#[derive(Debug, Clone)]
pub struct Player {
    audio: mpsc::Sender<Order>,
}

impl Player {
    /// As [`Line::play`]. Cancel-safe: a frame is handed over whole or not at all.
    pub async fn play(&mut self, utterance: UtteranceId, samples: [i16; 160], last: bool) -> Result<(), LineClosed> {
        let frame = AudioFrame { at: Duration::ZERO, samples };
        self.audio.send(Order::Play { utterance, frame, last }).await.map_err(|_| LineClosed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_slow_reader_loses_audio_and_no_key_and_it_is_counted() {
        let dropped = DropCounter::new(Arc::default());
        let (mut line, end) = pair(mpsc::channel(MAX_COMMANDS).0, dropped.clone());
        let audio = || LineEvent::Audio(AudioFrame { at: Duration::ZERO, samples: [0; 160] });
        for _ in 0..MAX_EVENTS {
            assert!(end.tell(audio()));
        }
        assert_eq!(dropped.of_call().unheard, 63);
        assert!(end.tell(LineEvent::DigitsSent));
        let heard = std::iter::from_fn(|| line.events.try_recv().ok());
        assert_eq!(heard.filter(|event| *event == LineEvent::DigitsSent).count(), 1);
    }
}
