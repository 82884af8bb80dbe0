//! Did the call end as the scenario says it should?

use std::collections::BTreeMap;

use crate::instance::Instance;
use crate::report::{Event, Report};

/// What the agent's side says about a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentSide {
    /// `result.outcome`.
    pub outcome: String,
    /// Of the call.
    pub end_reason: String,
    /// Of the call.
    pub digits_sent: String,
    /// `result.answers`.
    pub answers: BTreeMap<String, String>,
}

impl Instance {
    /// Differences between what was expected and what the agent says; empty when there are none.
    pub fn judge(&self, agent: &AgentSide) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, expected: &Option<String>, found: &str| {
            if let Some(expected) = expected
                && expected != found
            {
                differences.push(format!("{what} is {found:?}, expected {expected:?}"));
            }
        };
        compare("outcome", &self.expect.outcome, &agent.outcome);
        compare("end_reason", &self.expect.end_reason, &agent.end_reason);
        if let Some(digits) = &self.expect.digits
            && !in_order(digits, &agent.digits_sent)
        {
            differences
                .push(format!("digits_sent is {:?}, expected {digits:?} in it, in this order", agent.digits_sent));
        }
        for (key, expected) in &self.expect.answers {
            match agent.answers.get(key) {
                Some(found) if same(expected, found) => {}
                Some(found) => differences.push(format!("answers.{key} is {found:?}, expected {expected:?}")),
                None => differences.push(format!("answers.{key} is missing, expected {expected:?}")),
            }
        }
        differences
    }

    /// Differences between what was expected and what the party understood; empty when there are none.
    pub fn judge_party(&self, reports: &[Report]) -> Vec<String> {
        let mut differences = Vec::new();
        let messages: Vec<&Report> =
            reports.iter().filter(|report| matches!(report.event, Event::MessageLeft { .. })).collect();
        for (key, expected) in &self.expect.heard {
            if key == "message" {
                differences.extend(judge_message(expected, &messages));
                continue;
            }
            let found = reports.iter().rev().find_map(|report| match &report.event {
                Event::Captured { key: captured, value } if captured == key => Some(value),
                _ => None,
            });
            if found.is_none_or(|found| !same(expected, found)) {
                differences.push(format!("the party understood {key} as {found:?}, expected {expected:?}"));
            }
        }
        differences
    }
}

/// A message must be there once, after the beep, and most of its words must have been understood:
/// a recogniser on a telephone line misses some.
fn judge_message(expected: &str, messages: &[&Report]) -> Option<String> {
    let [Report { event: Event::MessageLeft { text, after_beep, .. }, .. }] = messages else {
        return Some(format!("{} messages were left, expected one", messages.len()));
    };
    if !after_beep {
        return Some("the message began before the beep had ended".to_owned());
    }
    let heard = words(text);
    let expected = words(expected);
    let found = expected.iter().filter(|word| heard.contains(word)).count();
    (found * 2 < expected.len()).then(|| format!("the message was understood as {text:?}"))
}

/// Lower case, without punctuation.
fn words(text: &str) -> Vec<String> {
    let word = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    text.split_whitespace().map(word).collect()
}

/// All of `expected` stands in `sent`, in order; other keys may be between.
fn in_order(expected: &str, sent: &str) -> bool {
    let mut sent = sent.chars();
    expected.chars().all(|key| sent.any(|other| other == key))
}

/// The same value in the spelling of a person: case, spaces, currency and commas aside.
fn same(expected: &str, found: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, '.' | ':' | '-'))
            .flat_map(char::to_lowercase)
            .collect()
    };
    let (expected, found) = (plain(expected), plain(found));
    match (expected.parse::<f64>(), found.parse::<f64>()) {
        (Ok(expected), Ok(found)) => (expected - found).abs() < 0.005,
        _ => expected == found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_keys_may_have_others_between_them() {
        assert!(in_order("12", "9112#"));
        assert!(!in_order("12", "21"));
        assert!(in_order("", ""));
    }

    #[test]
    fn a_message_is_recognised_by_most_of_its_words() {
        let message = |text: &str| Report {
            at_ms: 0,
            event: Event::MessageLeft { text: text.to_owned(), duration_ms: 1, after_beep: true },
        };
        let judge = |text: &str| judge_message("This is Douglas Sutton. I will be late.", &[&message(text)]);
        assert_eq!(judge("the hash for douglas sutton i will get late"), None);
        assert!(judge("for douglas i saw a gate").is_some());
    }

    #[test]
    fn values_are_compared_as_people_write_them() {
        assert!(same("1284.17", "$1,284.17"));
        assert!(same("250.50", "250.5"));
        assert!(same("December 1", "december 1"));
        assert!(!same("10:30", "10:15"));
        assert!(!same("1284.17", "1284.70"));
    }
}
