//! Pure: no I/O, no clock.
//!
//! [`Answering`]: a person, a menu, a voicemail? Who answered, and who is there now.

use crate::AnsweredBy;
use crate::ivr::{Prompt, PromptKind};
use crate::text::has_any;

/// Who is on the line.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Answering {
    /// The first who was recognised: `answered_by` of the call.
    pub(crate) answered_by: Option<(AnsweredBy, f32)>,
    /// A machine is talking to us now.
    pub(crate) machine: bool,
    /// A person has talked to us.
    pub(crate) person: bool,
}

impl Answering {
    /// Judges by what was said. True when `answered_by` changed.
    pub(crate) fn hear(&mut self, prompt: &Prompt) -> bool {
        let words = &prompt.words;
        match prompt.kind {
            PromptKind::Voicemail => {
                self.machine = true;
                self.judge(AnsweredBy::Machine, 0.95)
            }
            PromptKind::Menu | PromptKind::DateInput | PromptKind::NumberInput => {
                self.machine = true;
                self.judge(AnsweredBy::Ivr, 0.95)
            }
            PromptKind::Confirmation if !prompt.menu.is_empty() => {
                self.machine = true;
                self.judge(AnsweredBy::Ivr, 0.9)
            }
            _ if is_screening(words) => {
                self.machine = true;
                self.judge(AnsweredBy::Screening, 0.8)
            }
            _ if is_announcement(words) => {
                self.machine = true;
                self.judge(AnsweredBy::Ivr, 0.6)
            }
            PromptKind::Question | PromptKind::Offer | PromptKind::Confirmation => {
                self.person(if prompt.kind == PromptKind::Question { 0.8 } else { 0.9 })
            }
            PromptKind::Greeting if is_personal_greeting(words) => self.person(0.7),
            PromptKind::Greeting
            | PromptKind::Statement
            | PromptKind::Hold
            | PromptKind::Farewell
            | PromptKind::NotUnderstood => false,
        }
    }

    /// A tone that only a machine makes.
    pub(crate) fn tone(&mut self, answered_by: AnsweredBy) -> bool {
        self.machine = true;
        self.judge(answered_by, 0.99)
    }

    fn person(&mut self, confidence: f32) -> bool {
        self.machine = false;
        self.person = true;
        self.judge(AnsweredBy::Human, confidence)
    }

    fn judge(&mut self, answered_by: AnsweredBy, confidence: f32) -> bool {
        let better = match self.answered_by {
            None => true,
            // "Hi, this is John" was the voicemail's greeting after all.
            Some((AnsweredBy::Human, _)) => matches!(answered_by, AnsweredBy::Machine | AnsweredBy::Fax),
            Some((AnsweredBy::Ivr, known)) => answered_by == AnsweredBy::Machine && known < 0.7,
            Some(_) => false,
        };
        if better {
            self.answered_by = Some((answered_by, confidence));
        }
        better
    }
}

fn is_screening(words: &[String]) -> bool {
    has_any(
        words,
        &["screening", "state your name", "say your name and", "record your name", "screens calls", "call assistant"],
    )
}

fn is_announcement(words: &[String]) -> bool {
    has_any(
        words,
        &[
            "this call may be",
            "may be recorded",
            "recorded for quality",
            "your call is important",
            "agents are busy",
            "representatives are busy",
            "next available agent",
            "next available representative",
            "our office hours",
            "our office is",
            "if this is an emergency",
            "currently closed",
            "listen carefully",
        ],
    )
}

/// A person says hello, or their name.
pub(crate) fn is_personal_greeting(words: &[String]) -> bool {
    if words.len() > 3
        && has_any(
            words,
            &["thank you for calling", "thanks for calling", "welcome", "you have reached", "youve reached"],
        )
    {
        // "Thank you for calling, this is …" may be a recording: it must say a name as people do.
        return has_any(words, &["speaking", "my name is", "help you"]);
    }
    words.len() <= 3 && !has_any(words, &["welcome"])
        || has_any(
            words,
            &[
                "this is",
                "speaking",
                "my name is",
                "thanks for holding",
                "thank you for holding",
                "thanks for waiting",
                "thank you for waiting",
            ],
        )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ivr::classify;

    #[test]
    fn who_answered_is_the_first_who_was_recognised() {
        for (heard, expected) in [
            (&["hello"][..], Some(AnsweredBy::Human)),
            (&["thank you for calling city hospital"], None),
            (
                &["thank you for calling", "for billing press one", "hello this is anna how can i help"],
                Some(AnsweredBy::Ivr),
            ),
            (&["hi this is john", "please leave a message after the tone"], Some(AnsweredBy::Machine)),
            (&["please state your name and why you are calling"], Some(AnsweredBy::Screening)),
            (&["front desk this is anna how may i help you"], Some(AnsweredBy::Human)),
        ] {
            let mut answering = Answering::default();
            for text in heard {
                answering.hear(&classify(text, &BTreeMap::new()));
            }
            assert_eq!(answering.answered_by.map(|(by, _)| by), expected, "{heard:?}");
        }
    }
}
