//! Pure: no I/O, no clock.
//!
//! [`Goal`]: a plain sentence, as far as rules understand it.

use std::collections::BTreeMap;

use crate::text::{has_any, similar, words};

/// Something a goal wants to come back with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// A date and a time, confirmed.
    Booking,
    /// An appointment canceled or moved.
    Change,
    /// An amount of money.
    Balance,
    /// Opening hours.
    Hours,
    /// How something stands.
    Status,
    /// To be where it named.
    Department,
    /// A message passed on.
    Message,
    /// Something rules do not understand.
    Anything,
}

/// What a call is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Goal {
    pub(crate) text: String,
    /// The first decides success; the others are asked for too.
    pub(crate) wants: Vec<Want>,
    /// `billing`
    pub(crate) department: Option<String>,
}

impl Goal {
    pub(crate) fn new(text: &str, facts: &BTreeMap<String, String>) -> Self {
        let words = words(text);
        let department =
            facts.get("department").map(|department| department.to_lowercase()).or_else(|| department_in(&words));
        let mut wants = Vec::new();
        if has_any(&words, &["leave a message", "leave * message", "tell them", "pass on"]) {
            wants.push(Want::Message);
        }
        let reaches = has_any(
            &words,
            &["reach", "speak to", "speak with", "talk to", "talk with", "get through", "connect", "be connected"],
        );
        if has_any(&words, &["cancel", "reschedule", "postpone", "move * appointment"]) {
            wants.push(Want::Change);
        } else if has_any(
            &words,
            &[
                "book",
                "schedule",
                "make an appointment",
                "make a",
                "arrange",
                "reserve",
                "set up",
                "appointment with",
                "get an appointment",
            ],
        ) {
            wants.push(Want::Booking);
        }
        if reaches {
            wants.push(Want::Department);
        }
        if has_any(&words, &["balance", "how much", "amount due", "amount owed", "amount"]) {
            wants.push(Want::Balance);
        }
        if has_any(&words, &["hours", "open", "opening", "close", "closing time"]) {
            wants.push(Want::Hours);
        }
        if wants.is_empty()
            && has_any(&words, &["status", "track", "ready", "shipped", "arrive", "arrives", "where is"])
            || has_any(&words, &["ask about", "find out about", "check on"])
        {
            wants.push(Want::Status);
        }
        if wants.is_empty() {
            wants.push(Want::Anything);
        }
        Self { text: text.trim().trim_end_matches('.').to_owned(), wants, department }
    }

    pub(crate) fn wants(&self, want: Want) -> bool {
        self.wants.contains(&want)
    }

    /// The goal as a request to a person.
    pub(crate) fn request(&self) -> String {
        let mut text = self.text.as_str();
        // "Reach the billing department and ask …": whoever hears this has been reached.
        if self.wants(Want::Department)
            && let Some((_, rest)) = text.split_once(" and ")
        {
            text = rest;
        }
        if self.wants(Want::Message) {
            return match text.split_once(':') {
                Some((_, message)) => format!("I have a message: {}.", message.trim().trim_end_matches('.')),
                None => "I'd like to leave a message.".to_owned(),
            };
        }
        let mut chars = text.chars();
        let lowered: String = chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default();
        let lowered = lowered.strip_prefix("reach ").map_or(lowered.clone(), |rest| format!("speak with {rest}"));
        format!("I'd like to {lowered}, please.")
    }

    /// The text to leave on a machine: the fact, or what the goal itself says after its colon.
    pub(crate) fn message<'a>(&'a self, facts: &'a BTreeMap<String, String>) -> Option<&'a str> {
        facts
            .get("message")
            .map(String::as_str)
            .or_else(|| {
                self.wants(Want::Message)
                    .then(|| self.text.split_once(':').map(|(_, message)| message.trim()))
                    .flatten()
            })
            .filter(|message| !message.is_empty())
    }

    /// Does what was heard name the department we want?
    pub(crate) fn names_department(&self, heard: &[String]) -> bool {
        self.department.as_deref().is_some_and(|department| {
            words(department).iter().all(|word| heard.iter().any(|heard| similar(heard, word)))
        })
    }
}

/// "the billing department", "the pharmacy", "in dermatology".
fn department_in(words: &[String]) -> Option<String> {
    const STOP: &[&str] = &["the", "a", "an", "to", "with", "of", "in", "reach", "your", "their", "and"];
    if let Some(at) = words.iter().position(|word| word == "department" || word == "office" || word == "desk") {
        let start = (0..at).rev().take_while(|i| !STOP.contains(&words[*i].as_str())).last()?;
        return Some(words[start..at].join(" "));
    }
    for lead in [
        "reach the",
        "reach",
        "speak to the",
        "speak with the",
        "speak with",
        "speak to",
        "talk to the",
        "talk to",
        "of the",
        "hours of",
        "in",
    ] {
        if let Some(range) = crate::text::find(words, lead) {
            let rest: Vec<&str> = words[range.end..]
                .iter()
                .map(String::as_str)
                .take_while(|word| !matches!(*word, "and" | "on" | "to" | "about" | "in" | "at" | "for" | "with"))
                .take(2)
                .collect();
            let rest: Vec<&str> = rest.into_iter().filter(|word| *word != "the").collect();
            if !rest.is_empty()
                && !rest.iter().any(|word| {
                    matches!(
                        *word,
                        "account" | "morning" | "afternoon" | "appointment" | "order" | "someone" | "person" | "doctor"
                    )
                })
            {
                return Some(rest.join(" "));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(text: &str) -> Goal {
        Goal::new(text, &BTreeMap::new())
    }

    #[test]
    fn goals_say_what_they_want() {
        for (text, wants, department) in [
            (
                "Book an appointment with Doctor Alvarez in dermatology on Tuesday",
                vec![Want::Booking],
                Some("dermatology"),
            ),
            ("Find out the balance of the account", vec![Want::Balance], None),
            ("Ask for the opening hours of the pharmacy", vec![Want::Hours], Some("pharmacy")),
            (
                "Reach the billing department and ask about invoice 4471",
                vec![Want::Department, Want::Status],
                Some("billing"),
            ),
            ("Leave a message: the car is ready", vec![Want::Message], None),
            ("Cancel the appointment on Friday", vec![Want::Change], None),
            ("Ask whether the restaurant has a terrace", vec![Want::Anything], None),
        ] {
            let goal = goal(text);
            assert_eq!((goal.wants, goal.department.as_deref()), (wants, department), "{text}");
        }
    }

    #[test]
    fn a_goal_is_a_request_to_a_person() {
        assert_eq!(
            goal("Book an appointment on Tuesday.").request(),
            "I'd like to book an appointment on Tuesday, please."
        );
        assert_eq!(
            goal("Reach the billing department and ask about invoice 4471").request(),
            "I'd like to ask about invoice 4471, please."
        );
        assert_eq!(goal("Reach the pharmacy").request(), "I'd like to speak with the pharmacy, please.");
        assert_eq!(goal("Leave a message: the car is ready").request(), "I have a message: the car is ready.");
    }
}
