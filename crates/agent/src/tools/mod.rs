//! Pure: no I/O, no clock.
//!
//! The tools of an agent, one file each. Rules and models act through the same five.

mod end;
mod press;
mod report;
mod say;
mod wait;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use speech::chat::ToolDefinition;

use crate::{AgentEnd, OutcomeKind};

/// What a policy wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Say this.
    Say(String),
    /// Press these keys.
    Press(String),
    /// Say nothing for so long unless they speak.
    Wait(Duration),
    /// Say what is queued to its end, then hang up.
    End(AgentEnd),
    /// What came of the call.
    Report {
        /// How it went.
        outcome: OutcomeKind,
        /// Plain sentences.
        summary: String,
        /// What was learnt.
        answers: BTreeMap<String, String>,
    },
}

impl Action {
    /// The tool's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Say(_) => say::NAME,
            Self::Press(_) => press::NAME,
            Self::Wait(_) => wait::NAME,
            Self::End(_) => end::NAME,
            Self::Report { .. } => report::NAME,
        }
    }

    /// The arguments as a model would write them.
    pub fn arguments(&self) -> Value {
        match self {
            Self::Say(text) => say::arguments(text),
            Self::Press(keys) => press::arguments(keys),
            Self::Wait(duration) => wait::arguments(*duration),
            Self::End(end) => end::arguments(*end),
            Self::Report { outcome, summary, answers } => report::arguments(*outcome, summary, answers),
        }
    }

    /// A model's call as an action; the error is told to the model.
    pub fn parse(name: &str, arguments: &Value) -> Result<Self, String> {
        match name {
            say::NAME => say::parse(arguments),
            press::NAME => press::parse(arguments),
            wait::NAME => wait::parse(arguments),
            end::NAME => end::parse(arguments),
            report::NAME => report::parse(arguments),
            other => Err(format!("there is no tool {other:?}; use say, press, wait, end or report")),
        }
    }
}

/// The tools as a model is told of them.
pub fn definitions() -> Vec<ToolDefinition> {
    vec![say::definition(), press::definition(), wait::definition(), end::definition(), report::definition()]
}

fn definition(name: &str, description: &str, parameters: Value) -> ToolDefinition {
    ToolDefinition { name: name.to_owned(), description: description.to_owned(), parameters }
}

/// A text argument; models write numbers where texts are wanted.
fn text(arguments: &Value, key: &str) -> Option<String> {
    match arguments.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_an_action_and_back() {
        for (name, arguments) in [
            ("say", json!({"text": "Hello."})),
            ("press", json!({"keys": "12#"})),
            ("wait", json!({"seconds": 3})),
            ("end", json!({"reason": "completed"})),
            ("report", json!({"outcome": "succeeded", "summary": "Done.", "answers": {"time": "10:30"}})),
        ] {
            let action = Action::parse(name, &arguments).expect(name);
            assert_eq!((action.name(), action.arguments()), (name, arguments));
        }
        assert_eq!(definitions().len(), 5);
    }

    #[test]
    fn a_wrong_call_says_what_is_wrong() {
        for (name, arguments) in [
            ("press", json!({"keys": "hello"})),
            ("say", Value::Null),
            ("report", json!({"outcome": "great"})),
            ("sing", json!({})),
        ] {
            assert!(Action::parse(name, &arguments).is_err(), "{name}");
        }
    }
}
