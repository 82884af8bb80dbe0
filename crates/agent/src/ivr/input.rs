//! Pure: no I/O, no clock.
//!
//! [`InputRequest`]: a prompt that wants a number or a date, and the keys or words that answer it.

use std::collections::BTreeMap;

use crate::spoken::{digit_word, parse_written_date, say_date, say_digits, say_value};
use crate::text::{find, has, has_any};

/// How it may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Keys,
    Voice,
}

/// What a machine asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputRequest {
    /// The fact's key: `account_number`.
    pub(crate) fact: String,
    /// In words: `account number`.
    pub(crate) thing: String,
    pub(crate) method: Method,
    /// Dates: the order of its parts.
    format: DateFormat,
    /// "the last four digits"
    last: Option<usize>,
    /// "followed by the pound key"
    terminator: Option<char>,
}

/// The parts of a keyed date in order, with their widths.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DateFormat(Vec<(Part, usize)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
}

/// What numbers are called, most particular first.
const THINGS: &[(&str, &str, &[&str])] = &[
    (
        "date_of_birth",
        "date of birth",
        &["date of birth", "birth date", "birthdate", "birthday", "day of birth", "were born"],
    ),
    (
        "pin",
        "PIN",
        &[
            "pin",
            "personal identification",
            "pin code",
            "p i n",
            "pen number",
            "pass code",
            "passcode",
            "security code",
            "access code",
        ],
    ),
    ("account_number", "account number", &["account number", "account", "customer number", "customer id"]),
    ("order_number", "order number", &["order number", "order", "tracking number"]),
    ("policy_number", "policy number", &["policy number"]),
    ("member_id", "member number", &["member number", "member id", "membership number", "member i d"]),
    ("medical_record_number", "medical record number", &["medical record number", "patient number", "patient id"]),
    ("invoice_number", "invoice number", &["invoice number"]),
    ("card_number", "card number", &["card number"]),
    ("ssn", "social security number", &["social security"]),
    ("zip", "zip code", &["zip code", "zip", "postal code"]),
    (
        "phone",
        "phone number",
        &["phone number", "telephone number", "telephone", "ten digit number", "callback number", "area code"],
    ),
    ("extension", "extension", &["extension"]),
];

impl InputRequest {
    /// What a prompt wants keyed or said, if it wants anything of the kind.
    pub(crate) fn parse(words: &[String], facts: &BTreeMap<String, String>) -> Option<Self> {
        let keys = has_any(
            words,
            &[
                "enter",
                "key in",
                "type",
                "keypad",
                "touch tone",
                "dial your",
                "dial the",
                "punch in",
                "input your",
                "using your telephone",
            ],
        );
        let voice = has_any(
            words,
            &["say your", "say the", "speak your", "tell me your", "say or enter", "speak or enter", "say or key"],
        );
        if !keys && !voice {
            return None;
        }
        let named = THINGS.iter().find(|(.., names)| names.iter().any(|name| has(words, name)));
        let (fact, thing) = match named {
            Some((fact, thing, _)) => {
                let own = facts
                    .keys()
                    .find(|key| key.as_str() == *fact)
                    .or_else(|| facts.keys().find(|key| names_fact(words, key)));
                (own.map_or_else(|| (*fact).to_owned(), Clone::clone), (*thing).to_owned())
            }
            None => {
                let key = facts.keys().find(|key| names_fact(words, key))?;
                (key.clone(), key.replace('_', " "))
            }
        };
        let terminator = if has_any(words, &["pound", "hash", "number sign", "pound key", "hash key"]) {
            Some('#')
        } else if has_any(words, &["followed by star", "followed by the star"]) {
            Some('*')
        } else {
            None
        };
        let last = find(words, "last").and_then(|at| {
            let count = words.get(at.end)?;
            let count = digit_word(count).or(if count == "for" { Some(4) } else { None })?;
            words.get(at.end + 1).is_some_and(|word| word.starts_with("digit")).then_some(usize::from(count))
        });
        let format = DateFormat::parse(words);
        let last = if fact == "date_of_birth" { None } else { last };
        Some(Self { fact, thing, method: if keys { Method::Keys } else { Method::Voice }, format, last, terminator })
    }

    /// Is it a date?
    pub(crate) fn is_date(&self) -> bool {
        self.fact == "date_of_birth" || self.fact.ends_with("_date") || self.fact.starts_with("date")
    }

    /// The keys that answer it; `None` when the fact is missing or has no digits.
    pub(crate) fn keys(&self, facts: &BTreeMap<String, String>) -> Option<String> {
        let value = facts.get(&self.fact)?;
        let mut keys = match parse_written_date(value) {
            Some(date) if self.is_date() => self.format.keyed(date),
            _ => value.chars().filter(char::is_ascii_digit).collect(),
        };
        if self.fact == "phone" && keys.len() == 11 && keys.starts_with('1') {
            keys.remove(0);
        }
        if let Some(last) = self.last {
            keys = keys.split_off(keys.len().saturating_sub(last));
        }
        if keys.is_empty() {
            return None;
        }
        keys.extend(self.terminator);
        Some(keys)
    }

    /// The key that ends it.
    pub(crate) fn terminator(&self) -> Option<char> {
        self.terminator
    }

    /// The words that answer it.
    pub(crate) fn spoken(&self, facts: &BTreeMap<String, String>) -> Option<String> {
        let value = facts.get(&self.fact)?;
        if self.is_date()
            && let Some(date) = parse_written_date(value)
        {
            return Some(say_date(date));
        }
        match self.last {
            Some(_) => self.keys(facts).map(|keys| say_digits(&keys)),
            None if value.chars().all(|c| c.is_ascii_digit()) => Some(say_digits(value)),
            None => Some(say_value(value)),
        }
    }
}

/// Are all words of a fact's key in the words? `policy_number` in "enter your policy number".
fn names_fact(words: &[String], key: &str) -> bool {
    key.split('_').all(|part| has(words, part))
}

impl DateFormat {
    fn parse(words: &[String]) -> Self {
        let letters: String = words
            .iter()
            .filter(|word| matches!(word.as_str(), "m" | "d" | "y" | "mm" | "dd" | "yy" | "yyyy"))
            .map(String::as_str)
            .collect();
        if letters.len() >= 6 {
            return Self::from_letters(&letters);
        }
        let place = |names: &[&str]| words.iter().position(|word| names.contains(&word.as_str()));
        // "date of birth" and "day of birth" name no part.
        let month = place(&["month", "months"]);
        let day = words.iter().enumerate().position(|(i, word)| {
            matches!(word.as_str(), "day" | "days") && words.get(i + 1).is_none_or(|next| next != "of")
                || word == "date" && words.get(i + 1).is_none_or(|next| next != "of") && i > 0 && month.is_some()
        });
        let year = place(&["year", "years"]);
        let mut order = vec![
            (month.unwrap_or(1000), Part::Month),
            (day.unwrap_or(1001), Part::Day),
            (year.unwrap_or(1002), Part::Year),
        ];
        // Where only some parts are named, the usual order stands for the rest.
        if month.is_some() && day.is_some() || year.is_some() && (month.is_some() || has(words, "year first")) {
            order.sort_by_key(|(at, _)| *at);
        }
        let short_year = match year {
            Some(at) => {
                let before: Vec<&str> = words[at.saturating_sub(3)..at].iter().map(String::as_str).collect();
                let after: Vec<&str> =
                    words[(at + 1).min(words.len())..(at + 4).min(words.len())].iter().map(String::as_str).collect();
                let four = before.iter().any(|word| matches!(*word, "four" | "for" | "full" | "4"));
                !four
                    && (before.ends_with(&["two", "digit"])
                        || before.ends_with(&["2", "digit"])
                        || before.ends_with(&["to", "digit"])
                        || after.starts_with(&["two", "digits"])
                        || last_two_of_year(words, at))
                    || has_any(words, &["six digit", "six digits"])
            }
            None => has_any(words, &["six digit", "six digits"]),
        };
        Self(order.into_iter().map(|(_, part)| (part, if part == Part::Year && !short_year { 4 } else { 2 })).collect())
    }

    fn from_letters(letters: &str) -> Self {
        let mut parts: Vec<(Part, usize)> = Vec::new();
        for letter in letters.chars() {
            let part = match letter {
                'm' => Part::Month,
                'd' => Part::Day,
                _ => Part::Year,
            };
            match parts.iter_mut().find(|(known, _)| *known == part) {
                Some((_, width)) => *width += 1,
                None => parts.push((part, 1)),
            }
        }
        for part in [Part::Month, Part::Day, Part::Year] {
            if !parts.iter().any(|(known, _)| *known == part) {
                parts.push((part, 2));
            }
        }
        // A letter may have been lost: widths are two, or four for a year with three or more.
        Self(
            parts
                .into_iter()
                .map(|(part, width)| (part, if part == Part::Year && width >= 3 { 4 } else { 2 }))
                .collect(),
        )
    }

    fn keyed(&self, date: jiff::civil::Date) -> String {
        self.0
            .iter()
            .map(|(part, width)| match part {
                Part::Year if *width == 2 => format!("{:02}", date.year().rem_euclid(100)),
                Part::Year => format!("{:04}", date.year()),
                Part::Month => format!("{:02}", date.month()),
                Part::Day => format!("{:02}", date.day()),
            })
            .collect()
    }
}

/// "the last two digits of the year"
fn last_two_of_year(words: &[String], year: usize) -> bool {
    let before = &words[year.saturating_sub(6)..year];
    before.iter().any(|word| word == "last") && before.iter().any(|word| matches!(word.as_str(), "two" | "to" | "2"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::words;

    fn facts() -> BTreeMap<String, String> {
        [
            ("date_of_birth", "1982-03-05"),
            ("account_number", "48213077"),
            ("pin", "4821"),
            ("phone", "+1 555 010 0142"),
            ("zip", "90210"),
            ("order_number", "A-771"),
            ("policy_number", "99 120"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    fn check(prompt: &str, expected: &str) {
        let request = InputRequest::parse(&words(prompt), &facts());
        assert_eq!(request.and_then(|request| request.keys(&facts())).unwrap_or_default(), expected, "{prompt}");
    }

    #[test]
    fn dates_are_keyed_as_the_prompt_asks() {
        check("please enter your date of birth as two digit month two digit day and four digit year", "03051982");
        check("enter your date of birth", "03051982");
        check("enter your date of birth month day and year", "03051982");
        check(
            "enter your date of birth using two digits for the day two digits for the month and the last two digits of the year",
            "050382",
        );
        check("enter your birth date day month year", "05031982");
        check("enter your date of birth with two digit day two digit month and two digit year", "050382");
        check("enter your date of birth as two digit month two digit day and two digit year", "030582");
        check(
            "enter your date of birth beginning with the four digit year followed by the month and the day",
            "19820305",
        );
        check("using your keypad enter your eight digit date of birth", "03051982");
        check("enter your six digit date of birth", "030582");
        check("enter your date of birth in the format m m d d y y y y", "03051982");
        check("enter your date of birth in the format d d m m y y", "050382");
        check("enter your date of birth as to digit month to digit day and for digit year", "03051982");
        check("enter your date of birth followed by the pound key", "03051982#");
    }

    #[test]
    fn numbers_are_keyed_whole_or_in_part_with_their_last_key() {
        check("please enter your account number followed by the pound key", "48213077#");
        check("please enter your eight digit account number", "48213077");
        check("enter the last four digits of your account number", "3077");
        check("now enter your four digit pin", "4821");
        check("please enter your four digit pen number", "4821");
        check("enter your ten digit phone number starting with the area code", "5550100142");
        check("enter your five digit zip code then press pound", "90210#");
        check("please key in your order number", "771");
        check("enter your policy number", "99120");
        check("please enter your social security number", "");
        check("hello how can i help you", "");
    }

    #[test]
    fn what_is_asked_by_voice_is_said() {
        let request = InputRequest::parse(&words("please say your date of birth"), &facts()).expect("a request");
        assert_eq!(request.method, Method::Voice);
        assert_eq!(request.spoken(&facts()).as_deref(), Some("March fifth, nineteen eighty two"));
        let request = InputRequest::parse(&words("say or enter your account number"), &facts()).expect("a request");
        assert_eq!(request.method, Method::Keys);
    }
}
