//! [`Listening`]: the ears of a party: keys of the kinds it can hear, and words by its own recogniser.

use std::collections::VecDeque;
use std::time::Duration;

use gateway::LineEvent;
use media::AudioFrame;
use media::ear::DigitSource;
use speech::{Recognition, RecognitionEvent, RecognitionInput, SpeechToText, Vocabulary};

use crate::callee::Input;
use crate::scenario::DigitKind;

/// A turn is over after so much silence.
const END_OF_TURN: Duration = Duration::from_millis(700);
/// Speech is recognised from a little before its onset was noticed.
const PRE_ROLL_FRAMES: usize = 25;
/// What waits for a slow recogniser; more is dropped, oldest audio first.
const MAX_PENDING: usize = 1500;

/// The ears of a party.
#[derive(Debug)]
pub(crate) struct Listening {
    recognition: Recognition,
    kinds: Vec<DigitKind>,
    pre_roll: VecDeque<AudioFrame>,
    pending: VecDeque<RecognitionInput>,
    turn: Turn,
    /// `Finish`es without their `Final`.
    unfinished: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Turn {
    /// Nobody speaks.
    None,
    /// They speak.
    Speaking,
    /// They stopped at this media time, perhaps only to breathe.
    Pausing { since: Duration },
}

impl Listening {
    pub(crate) fn open(stt: &dyn SpeechToText, kinds: Vec<DigitKind>) -> Result<Self, speech::Error> {
        Ok(Self {
            recognition: stt.open(Vocabulary::default())?,
            kinds,
            pre_roll: VecDeque::with_capacity(PRE_ROLL_FRAMES),
            pending: VecDeque::from([RecognitionInput::Prepare]),
            turn: Turn::None,
            unfinished: 0,
        })
    }

    /// Words to expect from now on.
    pub(crate) fn expect(&mut self, phrases: Vec<String>) {
        self.push(RecognitionInput::Vocabulary(Vocabulary { phrases, closed: false }));
    }

    /// What an event of the line means to the party, if anything.
    pub(crate) fn hear(&mut self, event: &LineEvent) -> Option<Input> {
        match event {
            LineEvent::Audio(frame) => {
                self.hear_frame(frame);
                None
            }
            LineEvent::SpeechStarted { .. } => {
                if self.turn == Turn::None {
                    let heard: Vec<AudioFrame> = self.pre_roll.drain(..).collect();
                    heard.into_iter().for_each(|frame| self.push(RecognitionInput::Audio(frame)));
                }
                self.turn = Turn::Speaking;
                Some(Input::SpeechStarted)
            }
            LineEvent::SpeechEnded { at } if self.turn == Turn::Speaking => {
                self.turn = Turn::Pausing { since: *at };
                Some(Input::SpeechEnded)
            }
            LineEvent::Digit { digit, source, .. } => {
                self.kinds.contains(&kind(*source)).then(|| Input::Digit(digit.as_char()))
            }
            _ => None,
        }
    }

    fn hear_frame(&mut self, frame: &AudioFrame) {
        if self.turn == Turn::None {
            if self.pre_roll.len() == PRE_ROLL_FRAMES {
                self.pre_roll.pop_front();
            }
            self.pre_roll.push_back(*frame);
            return;
        }
        self.push(RecognitionInput::Audio(*frame));
        if let Turn::Pausing { since } = self.turn
            && frame.at >= since + END_OF_TURN
        {
            self.finish();
        }
    }

    /// The turn ends here, whatever follows.
    pub(crate) fn finish(&mut self) {
        if self.turn != Turn::None {
            self.turn = Turn::None;
            self.unfinished += 1;
            self.push(RecognitionInput::Finish);
        }
    }

    /// A turn has ended whose words are not known yet.
    pub(crate) fn is_thinking(&self) -> bool {
        self.unfinished > 0
    }

    /// The recogniser took too long: the turn counts as not understood.
    pub(crate) fn give_up(&mut self) -> Input {
        self.unfinished = 0;
        Input::Heard(String::new())
    }

    /// Hands on what waits, and returns what was understood. Cancel safe.
    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            tokio::select! { biased;
                event = self.recognition.events.recv() => match event {
                    Some(RecognitionEvent::Final(transcript)) if self.unfinished > 0 => {
                        self.unfinished -= 1;
                        return Heard::Words(transcript.text);
                    }
                    Some(RecognitionEvent::Final(_) | RecognitionEvent::Interim { .. }) => {}
                    Some(RecognitionEvent::Failed { message }) => return Heard::Failed(message),
                    None => std::future::pending().await,
                },
                permit = self.recognition.input.reserve(), if !self.pending.is_empty() => {
                    let (Ok(permit), Some(input)) = (permit, self.pending.pop_front()) else {
                        // The recogniser is gone; `Failed` said so.
                        self.pending.clear();
                        continue;
                    };
                    permit.send(input);
                }
            }
        }
    }

    fn push(&mut self, input: RecognitionInput) {
        if self.pending.len() >= MAX_PENDING
            && let Some(oldest) = self.pending.iter().position(|input| matches!(input, RecognitionInput::Audio(_)))
        {
            self.pending.remove(oldest);
        }
        self.pending.push_back(input);
    }
}

/// What the recogniser made of a turn.
#[derive(Debug)]
pub(crate) enum Heard {
    /// These words, or none.
    Words(String),
    /// It failed.
    Failed(String),
}

fn kind(source: DigitSource) -> DigitKind {
    match source {
        DigitSource::Inband => DigitKind::Inband,
        DigitSource::Rfc4733 => DigitKind::Rfc4733,
        DigitSource::Info => DigitKind::Info,
    }
}
