//! What the seed decides: `[vary]` of a scenario.
//!
//! A value is a list of choices, or made by a generator: `{ kind = "person" }`. It stands in braces
//! wherever the file has text: `{name}`. Some have further forms after a full stop:
//!
//! | kind | `{x}` | forms |
//! |---|---|---|
//! | `person` | Martin Keller | `.first`, `.last` |
//! | `doctor` | Alvarez | |
//! | `birth_date` | 1982-03-05 | `.spoken` |
//! | `digits` (`length`) | 4821 | `.spoken` |
//! | `number` (`from`, `to`) | 1250 | `.spoken` |
//! | `money` (`from`, `to`, in dollars) | 1284.17 | `.spoken` |
//! | `day` | December 1 | `.weekday`, `.date` (December first), `.spoken` (both) |
//! | `time` (`part` or `not`: morning, afternoon) | 10:30 | `.spoken`, `.full` (… in the morning), `.part` |
//! | `hours` | 9:00 to 17:00 | `.spoken`, `.open`, `.close` |
//!
//! No two values are alike, as far as there are enough. The key of a menu's option is `{step.option}`.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Deserialize;

use crate::names::{DOCTORS, FIRST, LAST};
use crate::scenario::Error;
use crate::spoken;

/// How a value is made.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a list of choices, or a table with `kind` and what that kind takes")]
pub enum Generator {
    /// One of these.
    Choice(Vec<String>),
    /// Made up.
    Kind(Kind),
}

/// What kind of value is made up.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the table above has them
pub enum Kind {
    Person,
    Doctor,
    BirthDate,
    Digits {
        length: usize,
    },
    Number {
        from: u32,
        to: u32,
    },
    Money {
        from: u32,
        to: u32,
    },
    Day,
    Time {
        #[serde(default)]
        part: Option<String>,
        #[serde(default)]
        not: Option<String>,
    },
    Hours,
}

/// Chance, from a seed; the same on every machine and in every version.
#[derive(Debug)]
pub(crate) struct Dice(ChaCha12Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(ChaCha12Rng::from_seed(bytes))
    }

    /// From 0 to `n` − 1; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.0.next_u64() % n as u64) as usize }
    }

    pub(crate) fn between(&mut self, from: u32, to: u32) -> u32 {
        from + self.below((to.saturating_sub(from) as usize) + 1) as u32
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Values by name, and by name and form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values(BTreeMap<String, String>);

impl Values {
    /// Draws all values of `[vary]`. Those that refer to others wait for them.
    pub(crate) fn draw(generators: &BTreeMap<String, Generator>, dice: &mut Dice) -> Result<Self, Error> {
        let mut values = Self::default();
        let mut used = BTreeSet::new();
        let mut waiting: Vec<(&String, &Generator)> = generators.iter().collect();
        while !waiting.is_empty() {
            let ready: Vec<_> = waiting.iter().filter(|(_, g)| values.has_all(g)).copied().collect();
            let Some((name, _)) = waiting.first().filter(|_| ready.is_empty()) else {
                for (name, generator) in &ready {
                    values.make(name, generator, dice, &mut used)?;
                }
                waiting.retain(|(name, _)| !values.0.contains_key(*name));
                continue;
            };
            let message = format!("{name} refers to a value that is not there, or to itself");
            return Err(Error::Section { section: "vary", message });
        }
        Ok(values)
    }

    pub(crate) fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Puts values in the place of their names. Names that only the call can fill stay.
    pub(crate) fn render(&self, template: &str, place: &str) -> Result<String, Error> {
        let mut text = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                rest = after;
                continue;
            };
            match self.0.get(name) {
                Some(value) => text.push_str(value),
                None if is_live(name) => text.extend(["{", name, "}"]),
                None => return Err(self.unknown(name, place)),
            }
            rest = after;
        }
        text.push_str(rest);
        Ok(text)
    }

    fn unknown(&self, name: &str, place: &str) -> Error {
        let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
        Error::UnknownVariable { name: name.to_owned(), place: place.to_owned(), known: known.join(", ") }
    }

    fn has_all(&self, generator: &Generator) -> bool {
        let ready = |text: &String| self.render(text, "").is_ok();
        match generator {
            Generator::Choice(choices) => choices.iter().all(ready),
            Generator::Kind(Kind::Time { part, not }) => part.iter().chain(not).all(ready),
            Generator::Kind(_) => true,
        }
    }

    fn make(
        &mut self,
        name: &str,
        generator: &Generator,
        dice: &mut Dice,
        used: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        let place = format!("[vary] {name}");
        let kind =
            match generator {
                Generator::Choice(choices) => {
                    let fresh: Vec<&String> = choices.iter().filter(|choice| !used.contains(*choice)).collect();
                    let choice = dice.pick(&fresh).copied().or_else(|| choices.first()).ok_or_else(|| {
                        Error::Section { section: "vary", message: format!("{name} is an empty list") }
                    })?;
                    used.insert(choice.clone());
                    let value = self.render(choice, &place)?;
                    self.insert(name, value);
                    return Ok(());
                }
                Generator::Kind(kind) => kind,
            };
        let part = match kind {
            Kind::Time { part: Some(part), .. } => Some(self.render(part, &place)? == "afternoon"),
            Kind::Time { not: Some(not), .. } => Some(self.render(not, &place)? != "afternoon"),
            _ => None,
        };
        // Twenty draws find an unused value, or a scenario asks for more than there are.
        let mut forms = draw(kind, part, dice);
        for _ in 0..DRAWS {
            if used.insert(forms[0].1.clone()) {
                break;
            }
            forms = draw(kind, part, dice);
        }
        for (form, value) in forms {
            self.insert(if form.is_empty() { name.to_owned() } else { format!("{name}.{form}") }, value);
        }
        Ok(())
    }
}

/// How often an unused value is looked for.
const DRAWS: usize = 20;

/// Names that are filled in during the call.
fn is_live(name: &str) -> bool {
    name.starts_with("heard.") || name == "entered"
}

/// The value, then its other forms.
fn draw(kind: &Kind, afternoon: Option<bool>, dice: &mut Dice) -> Vec<(&'static str, String)> {
    match kind {
        Kind::Person => {
            let (first, last) = (FIRST[dice.below(FIRST.len())], LAST[dice.below(LAST.len())]);
            vec![("", format!("{first} {last}")), ("first", first.into()), ("last", last.into())]
        }
        Kind::Doctor => vec![("", DOCTORS[dice.below(DOCTORS.len())].into())],
        Kind::BirthDate => {
            let (year, month, day) = (dice.between(1941, 1999), dice.between(1, 12), dice.between(1, 28));
            let name = spoken::MONTHS[month as usize - 1];
            let spoken = format!("{name} {} nineteen {}", spoken::ordinal(day), spoken::number(year - 1900));
            vec![("", format!("{year}-{month:02}-{day:02}")), ("spoken", spoken)]
        }
        Kind::Digits { length } => {
            let digits: String =
                (0..*length).map(|i| char::from(b'0' + dice.between(u32::from(i == 0), 9) as u8)).collect();
            vec![("spoken", spoken::digits(&digits)), ("", digits)].into_iter().rev().collect()
        }
        Kind::Number { from, to } => {
            let number = dice.between(*from, *to);
            vec![("", number.to_string()), ("spoken", spoken::number(number))]
        }
        Kind::Money { from, to } => {
            let cents = dice.between(*from, *to).saturating_mul(100).saturating_add(dice.between(1, 99));
            vec![("", format!("{}.{:02}", cents / 100, cents % 100)), ("spoken", spoken::money(cents))]
        }
        Kind::Day => draw_day(dice),
        Kind::Time { .. } => {
            let afternoon = afternoon.unwrap_or_else(|| dice.below(2) == 1);
            let hour = if afternoon { dice.between(13, 16) } else { dice.between(8, 11) };
            let minute = [0, 15, 30, 45][dice.below(4)];
            let spoken = spoken::clock(hour, minute);
            let full = format!("{spoken} {}", spoken::part_of_day(hour));
            let part = if afternoon { "afternoon" } else { "morning" };
            vec![("", format!("{hour}:{minute:02}")), ("spoken", spoken), ("full", full), ("part", part.into())]
        }
        Kind::Hours => {
            let (open, close) = (dice.between(7, 10), dice.between(16, 20));
            let at = |hour| format!("{} {}", spoken::clock(hour, 0), spoken::part_of_day(hour));
            vec![
                ("", format!("{open}:00 to {close}:00")),
                ("spoken", format!("{} until {}", at(open), at(close))),
                ("open", at(open)),
                ("close", at(close)),
            ]
        }
    }
}

/// A working day of the two months from December 2026 on.
fn draw_day(dice: &mut Dice) -> Vec<(&'static str, String)> {
    loop {
        let (year, month) = [(2026, 12), (2027, 1)][dice.below(2)];
        let day = dice.between(1, 30);
        let weekday = spoken::weekday(year, month, day);
        if weekday >= 5 || (month, day) == (1, 1) || (month == 12 && day > 23) {
            continue;
        }
        let (name, weekday) = (spoken::MONTHS[month as usize - 1], spoken::WEEKDAYS[weekday]);
        let date = format!("{name} {}", spoken::ordinal(day));
        return vec![
            ("", format!("{name} {day}")),
            ("weekday", weekday.into()),
            ("spoken", format!("{weekday}, {date}")),
            ("date", date),
        ];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(toml: &str, seed: u64) -> Result<Values, Error> {
        Values::draw(&toml::from_str(toml).unwrap(), &mut Dice::new(seed))
    }

    #[test]
    fn the_same_seed_gives_the_same_values_for_ever() {
        let values = values("name = { kind = \"person\" }\npin = { kind = \"digits\", length = 4 }", 1).unwrap();
        assert_eq!(values.render("{name}, {pin}", "").unwrap(), "George Patterson, 2388");
    }

    #[test]
    fn a_value_may_depend_on_another_in_any_order() {
        let text = "a = { kind = \"time\", not = \"{z}\" }\nz = [\"morning\"]";
        let values = values(text, 3).unwrap();
        let full = values.render("{a.full}", "").unwrap();
        assert!(full.ends_with("in the afternoon"), "{full}");
    }

    #[test]
    fn values_that_need_each_other_are_refused() {
        let error = values("a = [\"{b}\"]\nb = [\"{a}\"]", 1).unwrap_err().to_string();
        assert_eq!(error, "[vary]: a refers to a value that is not there, or to itself");
    }

    #[test]
    fn what_the_call_fills_in_stays() {
        let values = Values::default();
        assert_eq!(values.render("You entered {entered}.", "").unwrap(), "You entered {entered}.");
        assert!(values.render("{nobody}", "x").is_err());
    }
}
