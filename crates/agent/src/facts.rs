//! Pure: no I/O, no clock.
//!
//! Which facts a person asks for, and the sentence that gives them, or says that we do not have them.

use std::collections::BTreeMap;

use crate::spoken::{parse_written_date, say_date, say_value};
use crate::text::{find, has, has_any, is_filler, words};

/// Something asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The fact's key; a guess where no fact has it.
    pub(crate) key: String,
    /// In words: `date of birth`.
    pub(crate) thing: String,
}

/// Questions that are always understood: key, what it is called, how it is asked.
pub(crate) const KNOWN: &[(&str, &str, &[&str])] = &[
    (
        "date_of_birth",
        "date of birth",
        &[
            "date of birth",
            "birth date",
            "birthdate",
            "birthday",
            "day of birth",
            "were you born",
            "dob",
            "date of earth",
        ],
    ),
    (
        "name",
        "name",
        &[
            "your name",
            "the name",
            "name please",
            "patients name",
            "patient name",
            "first and last name",
            "full name",
            "last name",
            "first name",
            "whos calling",
            "who is calling",
            "who am i speaking",
            "who is this",
            "whos this",
            "who are you",
            "the patient",
            "name and",
            "name is this",
            "who is the appointment for",
            "who is it for",
            "name for the",
        ],
    ),
    (
        "doctor",
        "preferred doctor",
        &[
            "which doctor",
            "what doctor",
            "which provider",
            "what provider",
            "which physician",
            "who would you like to see",
            "would you like to see",
            "who do you want to see",
            "doctor would you",
            "see a particular doctor",
            "doctor do you",
            "particular doctor",
            "with whom",
            "with which",
            "doctors name",
        ],
    ),
    (
        "time_of_day",
        "preferred time of day",
        &[
            "morning or afternoon",
            "morning or an afternoon",
            "mornings or afternoons",
            "morning or the afternoon",
            "morning or evening",
            "time of day",
            "what time",
            "which time",
            "prefer morning",
            "prefer mornings",
            "time would you",
            "time works",
        ],
    ),
    (
        "day",
        "preferred day",
        &[
            "what day",
            "which day",
            "what date",
            "which date",
            "when would you",
            "when do you",
            "when are you",
            "day would you",
            "day works",
            "days work",
            "when would",
            "day are you",
            "when should",
            "day of the week",
            "any preference for the day",
            "best for you",
            "would work for you",
            "works for you",
            "works best",
            "would suit you",
        ],
    ),
    (
        "phone",
        "phone number",
        &[
            "phone number",
            "telephone number",
            "callback number",
            "number to reach",
            "contact number",
            "call you back",
            "mobile number",
            "cell number",
            "number can we reach",
            "best number",
            "your number",
            "telephone",
        ],
    ),
    (
        "reason",
        "reason",
        &[
            "reason",
            "what is this regarding",
            "whats this regarding",
            "what is it regarding",
            "what is this about",
            "whats this about",
            "what is it about",
            "whats it about",
            "what is the visit for",
            "what for",
            "whats the problem",
            "what seems to be",
            "symptoms",
            "nature of",
            "what is the call about",
            "this concerning",
        ],
    ),
    ("insurance", "insurance", &["insurance", "insured", "coverage"]),
    ("zip", "zip code", &["zip code", "postal code", "zip"]),
    ("account_number", "account number", &["account number", "account id", "customer number"]),
    (
        "pin",
        "PIN",
        &["your pin", "the pin", "digit pin", "pin number", "pin code", "pass code", "passcode", "security code"],
    ),
    ("order_number", "order number", &["order number", "tracking number"]),
    ("invoice_number", "invoice number", &["invoice number"]),
    ("policy_number", "policy number", &["policy number"]),
    ("member_id", "member number", &["member number", "member id", "membership number"]),
    ("address", "address", &["your address", "street address", "home address", "mailing address", "the address"]),
    ("email", "email address", &["email", "e mail"]),
    ("ssn", "social security number", &["social security"]),
    ("age", "age", &["how old", "your age"]),
    ("gender", "gender", &["gender", "male or female"]),
    ("card_number", "card number", &["card number", "credit card"]),
    ("referral", "referral", &["referral", "referred"]),
    ("department", "department", &["which department", "what department"]),
];

/// Everything asked for, in the order it was asked.
pub(crate) fn asked(heard: &[String], facts: &BTreeMap<String, String>) -> Vec<Asked> {
    let mut found: Vec<(usize, Asked)> = Vec::new();
    for (key, thing, phrases) in KNOWN {
        let Some(at) = phrases.iter().filter_map(|phrase| find(heard, phrase)).map(|range| range.start).min() else {
            continue;
        };
        // "Your name and the name of your doctor": each kind once.
        found.push((at, Asked { key: (*key).to_owned(), thing: (*thing).to_owned() }));
    }
    let known = |key: &str| KNOWN.iter().any(|(known, ..)| *known == key);
    for key in facts.keys().filter(|key| !known(key)) {
        let parts: Vec<&str> = key.split('_').filter(|part| !is_filler(part) || *part == "number").collect();
        if !parts.is_empty() && parts.iter().all(|part| has(heard, part)) {
            let at = find(heard, parts[0]).map_or(0, |range| range.start);
            found.push((at, Asked { key: key.clone(), thing: key.replace('_', " ") }));
        }
    }
    drop_overlaps(&mut found, heard);
    found.sort_by_key(|(at, _)| *at);
    let mut asked: Vec<Asked> = found.into_iter().map(|(_, asked)| asked).collect();
    if asked.is_empty()
        && let Some(thing) = unknown_thing(heard)
    {
        asked.push(Asked { key: thing.replace(' ', "_"), thing });
    }
    asked
}

/// One question may look like two: "your phone number" is no "number to reach you", "the name of your insurance" no name.
fn drop_overlaps(found: &mut Vec<(usize, Asked)>, heard: &[String]) {
    let has_key = |found: &[(usize, Asked)], key: &str| found.iter().any(|(_, asked)| asked.key == key);
    let drop = |found: &mut Vec<(usize, Asked)>, key: &str| found.retain(|(_, asked)| asked.key != key);
    if has_any(
        heard,
        &[
            "name of your insurance",
            "name of the insurance",
            "name of your doctor",
            "doctors name",
            "name of the doctor",
        ],
    ) {
        drop(found, "name");
        if has_any(heard, &["name of your doctor", "name of the doctor"]) && !has_key(found, "doctor") {
            found.push((0, Asked { key: "doctor".to_owned(), thing: "preferred doctor".to_owned() }));
        }
    }
    if has_key(found, "email") {
        drop(found, "address");
    }
    // "Your account number" asks for one thing.
    for particular in
        ["account_number", "order_number", "invoice_number", "policy_number", "member_id", "card_number", "ssn", "pin"]
    {
        if has_key(found, particular) && !has_any(heard, &["phone number", "telephone"]) {
            drop(found, "phone");
        }
    }
    if has_any(heard, &["date of birth", "birth date"]) && !has_any(heard, &["what day", "which day", "appointment"]) {
        drop(found, "day");
    }
    // "What day and time" is about the day first; "what time on Tuesday" about the time.
    if has_any(heard, &["who is calling", "whos calling"])
        && has_any(heard, &["who is calling and", "whos calling and"])
    {
        drop(found, "doctor");
    }
}

/// "What is your passport number": the thing a question names though no rule knows it.
fn unknown_thing(heard: &[String]) -> Option<String> {
    let start = [
        "what is your",
        "whats your",
        "have your",
        "give me your",
        "tell me your",
        "need your",
        "may i have the",
        "what is the patients",
        "and your",
        "confirm your",
        "verify your",
    ]
    .iter()
    .find_map(|lead| find(heard, lead))?
    .end;
    let rest: Vec<&str> = heard[start..]
        .iter()
        .map(String::as_str)
        .take_while(|word| !matches!(*word, "please" | "and" | "for" | "so" | "today" | "is" | "or" | "then" | "again"))
        .take(4)
        .collect();
    let last = rest.iter().rposition(|word| !is_filler(word) || *word == "number")?;
    Some(rest[..=last].join(" "))
}

/// The sentence that gives a fact.
pub(crate) fn give(asked: &Asked, facts: &BTreeMap<String, String>) -> Option<String> {
    let value = facts.get(&asked.key)?.trim();
    if value.is_empty() {
        return None;
    }
    let sentence = match asked.key.as_str() {
        "name" => format!("The name is {value}."),
        "date_of_birth" => match parse_written_date(value) {
            Some(date) => format!("The date of birth is {}.", say_date(date)),
            None => format!("The date of birth is {value}."),
        },
        "doctor" => format!("{}, please.", titled(value)),
        "day" => format!("I would like to come on {}, please.", any_of(value)),
        "time_of_day" => match value.to_lowercase().as_str() {
            part @ ("morning" | "afternoon" | "evening") => format!("In the {part}, please."),
            _ => format!("{}, please.", capital(value)),
        },
        "reason" => format!("The reason is {value}."),
        "department" => format!("{}, please.", capital(value)),
        _ => format!("The {} is {}.", asked.thing, say_value(value)),
    };
    Some(sentence)
}

/// The sentence for a fact that we were not given. Nothing is ever made up in its place.
pub(crate) fn missing(asked: &[&Asked]) -> String {
    let things: Vec<String> = asked
        .iter()
        .map(|asked| match asked.key.as_str() {
            "doctor" | "day" | "time_of_day" => format!("a {}", asked.thing),
            _ => format!("the {}", asked.thing),
        })
        .collect();
    format!("I'm sorry, I don't have {}.", things.join(" or "))
}

/// Letters of a word, for "please spell that".
pub(crate) fn spelled(value: &str) -> String {
    value
        .split_whitespace()
        .map(|word| {
            word.chars()
                .filter(|c| c.is_alphanumeric())
                .map(|c| c.to_uppercase().to_string())
                .collect::<Vec<_>>()
                .join(", ")
        })
        .collect::<Vec<_>>()
        .join(". ")
}

fn titled(doctor: &str) -> String {
    let has_title = words(doctor).first().is_some_and(|word| matches!(word.as_str(), "doctor" | "dr"));
    if has_title {
        capital(&doctor.replace("Dr. ", "Doctor ").replace("Dr ", "Doctor "))
    } else {
        format!("Doctor {doctor}")
    }
}

fn any_of(list: &str) -> String {
    let items: Vec<String> = list.split(',').map(|item| capital(item.trim())).filter(|item| !item.is_empty()).collect();
    items.join(" or ")
}

pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> BTreeMap<String, String> {
        [
            ("name", "Martin Keller"),
            ("date_of_birth", "1982-03-05"),
            ("phone", "+15550142"),
            ("doctor", "Doctor Alvarez"),
            ("day", "Tuesday, Thursday"),
            ("time_of_day", "morning"),
            ("favourite_color", "blue"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    fn check(question: &str, expected: &[&str]) {
        let facts = facts();
        let given: Vec<String> = asked(&words(question), &facts)
            .iter()
            .map(|asked| give(asked, &facts).unwrap_or_else(|| missing(&[asked])))
            .collect();
        assert_eq!(given, expected, "{question}");
    }

    #[test]
    fn questions_are_answered_from_the_facts() {
        check("may i have your name please", &["The name is Martin Keller."]);
        check("and what is your date of birth", &["The date of birth is March fifth, nineteen eighty two."]);
        check(
            "can i have your name and date of birth please",
            &["The name is Martin Keller.", "The date of birth is March fifth, nineteen eighty two."],
        );
        check("which doctor would you like to see", &["Doctor Alvarez, please."]);
        check("what day would you like to come in", &["I would like to come on Tuesday or Thursday, please."]);
        check("do you prefer morning or afternoon", &["In the morning, please."]);
        check("what is a good phone number", &["The phone number is one five five five, zero one four two."]);
        check("what is your favourite color", &["The favourite color is blue."]);
        check("whats your date of earth", &["The date of birth is March fifth, nineteen eighty two."]);
        check("what is your passport number", &["I'm sorry, I don't have the passport number."]);
        check("i have tuesday at ten", &[]);
    }

    #[test]
    fn a_fact_that_was_not_given_is_never_made_up() {
        for (key, _, questions) in KNOWN {
            for question in *questions {
                let mut facts = facts();
                facts.remove(*key);
                for asked in asked(&words(question), &facts).iter().filter(|asked| asked.key == *key) {
                    assert_eq!(give(asked, &facts), None, "{question}");
                    let reply = missing(&[asked]);
                    assert!(reply.contains("don't have"), "{reply}");
                    assert!(!reply.contains(|c: char| c.is_ascii_digit()), "{reply}");
                }
            }
        }
    }
}
