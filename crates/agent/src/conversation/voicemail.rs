//! Pure: no I/O, no clock.
//!
//! A machine takes messages: wait for its beep, leave the message once and whole, hang up.

use std::time::{Duration, Instant};

use media::UtteranceId;

use super::{Conversation, Output, Phase, Theirs};
use crate::event::AgentEvent;
use crate::ivr::{Prompt, PromptKind, classify};
use crate::{AgentEnd, AnsweredBy};

/// A greeting that is followed by no beep is over after this.
const NO_BEEP: Duration = Duration::from_secs(4);
/// Between the beep and our first word, so that the recorder runs.
const AFTER_BEEP: Duration = Duration::from_millis(400);
/// A beep before its greeting was understood counts for so long.
const BEEP_COUNTS: Duration = Duration::from_secs(6);

/// How far a message has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Voicemail {
    #[default]
    None,
    /// A beep that nothing explains yet.
    Beeped(Instant),
    /// Its greeting was heard; speak at `speak` unless it goes on.
    Greeting {
        speak: Option<Instant>,
        beeped: bool,
    },
    Leaving(UtteranceId),
    Left,
}

impl Voicemail {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Greeting { speak, .. } => *speak,
            Self::None | Self::Beeped(_) | Self::Leaving(_) | Self::Left => None,
        }
    }

    pub(super) fn is_active(&self) -> bool {
        !matches!(self, Self::None | Self::Beeped(_))
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self, Self::Leaving(_))
    }

    pub(super) fn speech_started(&mut self) {
        if let Self::Greeting { speak, beeped: false } = self {
            *speak = None;
        }
    }

    pub(super) fn speech_ended(&mut self, now: Instant) {
        if let Self::Greeting { speak, beeped: false } = self {
            *speak = Some(now + NO_BEEP);
        }
    }

    /// Does this turn belong to the voicemail? Otherwise a person has picked up.
    pub(super) fn takes_turn(&mut self, prompt: &Prompt, now: Instant) -> bool {
        match (*self, prompt.kind) {
            (Self::None, PromptKind::Voicemail) => {
                *self = Self::Greeting { speak: Some(now + NO_BEEP), beeped: false };
                true
            }
            (Self::Beeped(at), PromptKind::Voicemail) if now.saturating_duration_since(at) <= BEEP_COUNTS => {
                *self = Self::Greeting { speak: Some(now), beeped: true };
                true
            }
            (Self::Greeting { .. } | Self::Leaving(_), PromptKind::Question) => {
                *self = Self::None;
                false
            }
            (Self::Greeting { .. } | Self::Leaving(_), PromptKind::Greeting)
                if crate::answering::is_personal_greeting(&prompt.words) =>
            {
                *self = Self::None;
                false
            }
            (Self::None | Self::Beeped(_), _) => false,
            (Self::Greeting { .. } | Self::Leaving(_) | Self::Left, _) => true,
        }
    }

    pub(super) fn left(&mut self, utterance: UtteranceId) -> bool {
        let left = *self == Self::Leaving(utterance);
        if left {
            *self = Self::Left;
        }
        left
    }

    pub(super) fn interrupted(&mut self) {
        if self.is_leaving() {
            *self = Self::None;
        }
    }
}

impl Conversation {
    pub(super) fn beep(&mut self, now: Instant) {
        let at_ms = self.at_ms(now);
        self.learnt.note(at_ms, "tone", "beep");
        if matches!(self.voicemail, Voicemail::Leaving(_) | Voicemail::Left) {
            return;
        }
        let unheard = format!("{} {}", self.phrases.text(), self.interim);
        let expected = matches!(self.voicemail, Voicemail::Greeting { .. })
            || classify(&unheard, &self.facts()).kind == PromptKind::Voicemail;
        // A lone beep after some announcement, and no person or menu so far: a voicemail whose greeting was not understood.
        let unexplained =
            !self.answering.person && self.answering.answered_by.is_none_or(|(by, _)| by == AnsweredBy::Machine);
        if expected || unexplained {
            if self.answering.tone(AnsweredBy::Machine) {
                self.answered_by_changed(now);
            }
            self.voicemail = Voicemail::Greeting { speak: Some(now + AFTER_BEEP), beeped: true };
            self.quiet = None;
        } else {
            self.voicemail = Voicemail::Beeped(now);
        }
        if let Theirs::Paused { ended, .. } = self.theirs {
            self.turn_is_over(now, ended);
        }
    }

    pub(super) fn leave_message(&mut self, now: Instant) {
        if self.phase != Phase::Talking {
            return;
        }
        // A detector of voices may have taken the beep for speech.
        self.theirs = Theirs::Silent;
        match self.rules.voicemail_message() {
            Some(text) => {
                let at_ms = self.at_ms(now);
                self.emit(AgentEvent::ToolCalled {
                    at_ms,
                    name: "say".to_owned(),
                    arguments: serde_json::json!({ "text": text }).to_string(),
                    because: "voicemail.message".to_owned(),
                });
                let utterance = self.playback.push(text.clone());
                self.voicemail = Voicemail::Leaving(utterance);
                self.outputs.push_back(Output::Say { utterance, text });
            }
            None => {
                self.voicemail = Voicemail::Left;
                self.ended.get_or_insert(AgentEnd::Voicemail);
                self.hang_up();
            }
        }
    }

    pub(super) fn message_left(&mut self, now: Instant, finished: bool) {
        if finished {
            let at_ms = self.at_ms(now);
            self.learnt.message_left = true;
            self.emit(AgentEvent::VoicemailLeft { at_ms });
            self.ended = Some(AgentEnd::MessageLeft);
        } else {
            self.ended = Some(AgentEnd::Voicemail);
        }
        self.hang_up();
    }
}
