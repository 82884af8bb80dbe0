//! Pure: no I/O, no clock.
//!
//! That a call is recorded is said before anything else to a person, and said whole: to a caller right after the answer,
//! to whom we call before our first words. Machines are not told; who comes after one has not heard it.

use std::time::Instant;

use media::UtteranceId;

use super::{Conversation, Output};
use crate::event::AgentEvent;

/// How far the announcement has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Consent {
    #[default]
    Due,
    Saying(UtteranceId),
    Said,
}

impl Consent {
    /// It must not be interrupted.
    pub(super) fn is_being_said(self) -> bool {
        matches!(self, Self::Saying(_))
    }

    /// Whether this utterance was the announcement. One that was not heard whole is due again.
    pub(super) fn played(&mut self, utterance: UtteranceId, finished: bool) -> bool {
        let was_it = *self == Self::Saying(utterance);
        if was_it {
            *self = if finished { Self::Said } else { Self::Due };
        }
        was_it
    }
}

impl Conversation {
    /// Announces what there is to announce, if a person is there who has not heard it.
    pub(super) fn announce(&mut self, now: Instant) {
        if self.consent != Consent::Due || !self.is_heard_by_a_person() {
            return;
        }
        let Some(text) = self.config.consent.clone() else { return };
        let at_ms = self.at_ms(now);
        self.emit(AgentEvent::ToolCalled {
            at_ms,
            name: "say".to_owned(),
            arguments: serde_json::json!({ "text": text }).to_string(),
            because: "consent".to_owned(),
        });
        let utterance = self.playback.push(text.clone());
        self.consent = Consent::Saying(utterance);
        self.marks.ordered(utterance, now);
        self.outputs.push_back(Output::Say { utterance, text });
    }

    /// A machine has spoken: nobody has heard what was announced.
    pub(super) fn announced_to_nobody(&mut self) {
        if self.config.task.is_some() {
            self.consent = Consent::Due;
        }
    }

    /// A caller is a person. Who was called is taken for one when they have spoken, and not as machines do: rather is a
    /// menu told that was not known for one than a person not.
    fn is_heard_by_a_person(&self) -> bool {
        let spoke = !self.text.is_empty() && self.prompt.menu.is_empty();
        self.config.task.is_none() || spoke && !self.answering.machine && !self.voicemail.is_active()
    }
}
