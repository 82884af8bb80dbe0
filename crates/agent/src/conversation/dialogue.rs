//! Pure: no I/O, no clock.
//!
//! What was really said on both sides, and the view of it that a policy gets.

use std::collections::BTreeMap;

use super::Conversation;
use crate::event::Speaker;
use crate::rules::Cause;

/// Lines kept; the oldest go first.
const MAX_LINES: usize = 200;

/// One line of a call's dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogueLine {
    /// Somebody said something; ours as far as it was played.
    Said {
        /// Who.
        speaker: Speaker,
        /// Words.
        text: String,
        /// To its end.
        finished: bool,
    },
    /// Something happened: keys, hold, silence.
    Happened(String),
}

/// The call as a policy sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// What to do.
    pub goal: Option<String>,
    /// What may be said.
    pub facts: BTreeMap<String, String>,
    /// For whom.
    pub on_behalf_of: Option<String>,
    /// First words.
    pub greeting: Option<String>,
    /// Extra instructions.
    pub system_prompt: Option<String>,
    /// The day of the call.
    pub today: jiff::civil::Date,
    /// Both sides, as heard and as played.
    pub dialogue: Vec<DialogueLine>,
    /// Why a decision is wanted.
    pub cause: Cause,
    /// The kind of the last prompt.
    pub prompt: String,
    /// The last menu: key and label.
    pub menu: Vec<(String, String)>,
}

impl Conversation {
    pub(super) fn view(&self, cause: Cause) -> View {
        View {
            goal: self.config.task.as_ref().map(|task| task.goal.clone()),
            facts: self.facts(),
            on_behalf_of: self.config.on_behalf_of.clone().or_else(|| self.facts().get("name").cloned()),
            greeting: self.config.greeting.clone(),
            system_prompt: self.config.system_prompt.clone(),
            today: self.config.today,
            dialogue: self.dialogue.clone(),
            cause,
            prompt: self.prompt.kind.name().to_owned(),
            menu: self.prompt.menu.listed(),
        }
    }

    pub(super) fn dialogue_heard(&mut self, text: &str) {
        self.push_line(DialogueLine::Said { speaker: Speaker::Callee, text: text.to_owned(), finished: true });
    }

    pub(super) fn dialogue_said(&mut self, text: String, finished: bool) {
        self.push_line(DialogueLine::Said { speaker: Speaker::Agent, text, finished });
    }

    pub(super) fn dialogue_event(&mut self, text: String) {
        self.push_line(DialogueLine::Happened(text));
    }

    fn push_line(&mut self, line: DialogueLine) {
        if self.dialogue.len() >= MAX_LINES {
            self.dialogue.remove(0);
        }
        self.dialogue.push(line);
    }

    /// All that they have really heard of us.
    pub(super) fn said(&self) -> Vec<String> {
        self.dialogue
            .iter()
            .filter_map(|line| match line {
                DialogueLine::Said { speaker: Speaker::Agent, text, .. } => Some(text.clone()),
                DialogueLine::Said { .. } | DialogueLine::Happened(_) => None,
            })
            .collect()
    }

    pub(super) fn goal_request(&self) -> String {
        self.learnt.request()
    }
}
