//! Pure: no I/O, no clock.
//!
//! Calendar days, out of words.

use std::ops::Range;

use jiff::civil::{Date, Weekday};

use super::number::{below_hundred, digit_word};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A day as far as it was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SpokenDate {
    pub(crate) weekday: Option<Weekday>,
    pub(crate) month: Option<i8>,
    pub(crate) day: Option<i8>,
    pub(crate) year: Option<i16>,
}

impl SpokenDate {
    /// The day itself, the next one after `today` where no year was named.
    pub(crate) fn resolve(self, today: Date) -> Option<Date> {
        match (self.month, self.day) {
            (Some(month), Some(day)) => {
                let year = self.year.unwrap_or(today.year());
                let date = Date::new(year, month, day).ok()?;
                if self.year.is_none() && date < today { Date::new(year + 1, month, day).ok() } else { Some(date) }
            }
            (None, Some(day)) => (0..62).filter_map(|n| after(today, n)).find(|date| date.day() == day),
            (None, None) => {
                let weekday = self.weekday?;
                (1..=7).filter_map(|n| after(today, n)).find(|date| date.weekday() == weekday)
            }
            (Some(_), None) => None,
        }
    }

    /// `December 1`; the weekday's name where nothing else was said.
    pub(crate) fn written(self) -> Option<String> {
        match (self.month, self.day, self.weekday) {
            (Some(month), Some(day), _) => Some(format!("{} {day}", month_name(month))),
            (None, Some(day), Some(weekday)) => Some(format!("{} the {day}", weekday_name(weekday))),
            (_, None, Some(weekday)) => Some(weekday_name(weekday).to_owned()),
            _ => None,
        }
    }
}

fn after(today: Date, days: i32) -> Option<Date> {
    today.checked_add(jiff::Span::new().days(days)).ok()
}

/// `1` is `January`.
pub(crate) fn month_name(month: i8) -> &'static str {
    MONTHS[usize::try_from(month - 1).unwrap_or(0).min(11)]
}

/// `Tuesday`.
pub(crate) fn weekday_name(weekday: Weekday) -> &'static str {
    WEEKDAYS[usize::try_from(weekday.to_monday_zero_offset()).unwrap_or(0).min(6)]
}

/// A weekday by its name or a plural or a near miss of it.
pub(crate) fn weekday_named(word: &str) -> Option<Weekday> {
    let word = word.strip_suffix('s').unwrap_or(word);
    WEEKDAYS
        .iter()
        .position(|name| {
            let name = name.to_ascii_lowercase();
            name == word
                || (word.ends_with("day")
                    && word.len() >= 6
                    && crate::text::distance(&name, word) <= usize::from(name.len() > 8) + 1)
        })
        .and_then(|i| Weekday::from_monday_zero_offset(i8::try_from(i).ok()?).ok())
}

fn month_named(word: &str) -> Option<i8> {
    MONTHS
        .iter()
        .position(|name| {
            let name = name.to_ascii_lowercase();
            name == word || (name.len() >= 6 && crate::text::similar(word, &name))
        })
        .and_then(|i| i8::try_from(i + 1).ok())
}

/// `first` to `thirty first`, and how many words it took.
fn ordinal(words: &[String], at: usize) -> Option<(i8, usize)> {
    const ORDINALS: [&str; 20] = [
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
        "eleventh",
        "twelfth",
        "thirteenth",
        "fourteenth",
        "fifteenth",
        "sixteenth",
        "seventeenth",
        "eighteenth",
        "nineteenth",
        "twentieth",
    ];
    let word = words.get(at)?;
    if let Some(i) = ORDINALS.iter().position(|name| name == word) {
        return Some((i8::try_from(i + 1).ok()?, 1));
    }
    if word == "thirtieth" {
        return Some((30, 1));
    }
    let tens = match word.as_str() {
        "twenty" => 20,
        "thirty" => 30,
        _ => {
            let number = ["st", "nd", "rd", "th"].iter().find_map(|suffix| word.strip_suffix(suffix))?;
            return number.parse().ok().filter(|day| (1..=31).contains(day)).map(|day| (day, 1));
        }
    };
    let i = ORDINALS[..9].iter().position(|name| words.get(at + 1).is_some_and(|word| word == name))?;
    Some((tens + i8::try_from(i + 1).ok()?, 2))
}

/// A day of the month: an ordinal, or a bare number from 1 to 31.
fn day_of_month(words: &[String], at: usize) -> Option<(i8, usize)> {
    if let Some(found) = ordinal(words, at) {
        return Some(found);
    }
    let (number, used) = below_hundred(words, at)?;
    (1..=31).contains(&number).then(|| i8::try_from(number).ok().map(|day| (day, used)))?
}

/// A year: `nineteen eighty two`, `two thousand six`, `twenty twenty six`, `1982`.
fn year(words: &[String], at: usize) -> Option<(i16, usize)> {
    let word = words.get(at)?;
    if word.len() == 4
        && let Ok(year) = word.parse::<i16>()
    {
        return (1900..=2100).contains(&year).then_some((year, 1));
    }
    if word == "two" && words.get(at + 1).is_some_and(|word| word == "thousand") {
        let skip = usize::from(words.get(at + 2).is_some_and(|word| word == "and"));
        return match below_hundred(words, at + 2 + skip) {
            Some((rest, used)) => Some((2000 + i16::try_from(rest).ok()?, 2 + skip + used)),
            None => Some((2000, 2)),
        };
    }
    let century = match word.as_str() {
        "nineteen" => 1900,
        "twenty" => 2000,
        _ => return None,
    };
    if words.get(at + 1).is_some_and(|word| word == "oh" || word == "o") {
        let digit = words.get(at + 2).and_then(|word| digit_word(word))?;
        return Some((century + i16::from(digit), 3));
    }
    let (rest, used) = below_hundred(words, at + 1).filter(|(rest, _)| *rest >= 10)?;
    Some((century + i16::try_from(rest).ok()?, 1 + used))
}

/// Every day named, with the words that named it.
pub(crate) fn dates(words: &[String]) -> Vec<(Range<usize>, SpokenDate)> {
    let mut found: Vec<(Range<usize>, SpokenDate)> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match date_at(words, at) {
            Some((date, taken)) => {
                found.push((at..at + taken, date));
                at += taken;
            }
            None => at += 1,
        }
    }
    found
}

fn date_at(words: &[String], at: usize) -> Option<(SpokenDate, usize)> {
    let is = |i: usize, word: &str| words.get(i).is_some_and(|heard| heard == word);
    let mut date = SpokenDate::default();
    let mut taken = 0;
    if let Some(weekday) = words.get(at).and_then(|word| weekday_named(word)) {
        date.weekday = Some(weekday);
        taken = 1;
        // "tuesday december first", "tuesday the first", "tuesday the first of december".
        let mut next = at + 1;
        next += usize::from(is(next, "on") || is(next, "the"));
        if let Some((rest, used)) = month_and_day(words, next)
            && (rest.month.is_some() || is(at + 1, "the"))
        {
            date = SpokenDate { weekday: Some(weekday), ..rest };
            taken = next - at + used;
        }
        return Some((date, taken));
    }
    let (rest, used) = month_and_day(words, at)?;
    // A bare ordinal is a day only after "the": "the first".
    if rest.month.is_none()
        && !(at > 0 && is(at - 1, "the") && ordinal(words, at).is_some() && !is_ordinal_of_something(words, at + used))
    {
        return None;
    }
    date = rest;
    taken += used;
    Some((date, taken))
}

/// "the first one", "the second option": a choice, not a day.
fn is_ordinal_of_something(words: &[String], after: usize) -> bool {
    words.get(after).is_some_and(|word| {
        !matches!(word.as_str(), "at" | "or" | "and" | "of" | "in" | "is" | "works" | "please" | "if")
    })
}

fn month_and_day(words: &[String], at: usize) -> Option<(SpokenDate, usize)> {
    let is = |i: usize, word: &str| words.get(i).is_some_and(|heard| heard == word);
    let mut date = SpokenDate::default();
    let mut taken;
    if let Some(month) = words.get(at).and_then(|word| month_named(word)) {
        let skip = 1 + usize::from(is(at + 1, "the"));
        // "may" is also a verb: only a day makes it a month.
        let (day, used) = day_of_month(words, at + skip)?;
        date.month = Some(month);
        date.day = Some(day);
        taken = skip + used;
    } else {
        let (day, used) = ordinal(words, at)?;
        date.day = Some(day);
        taken = used;
        let skip = usize::from(is(at + taken, "of"));
        match words.get(at + taken + skip).and_then(|word| month_named(word)) {
            Some(month) if month != 5 || skip == 1 => {
                date.month = Some(month);
                taken += skip + 1;
            }
            _ => return Some((date, taken)),
        }
    }
    if let Some((year, used)) = year(words, at + taken) {
        date.year = Some(year);
        taken += used;
    }
    Some((date, taken))
}

/// A date as written in a fact: ISO `1982-03-05`, `03/05/1982`, or in words.
pub(crate) fn parse_written_date(text: &str) -> Option<Date> {
    let text = text.trim();
    if let Ok(date) = text.parse() {
        return Some(date);
    }
    let parts: Vec<&str> = text.split('/').collect();
    if let [month, day, year] = parts[..] {
        return Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok();
    }
    let words = crate::text::words(text);
    let (_, date) = dates(&words).into_iter().next()?;
    Date::new(date.year?, date.month?, date.day?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::words;

    fn check(heard: &str, expected: &[&str]) {
        let found: Vec<String> = dates(&words(heard))
            .into_iter()
            .map(|(_, date)| {
                let weekday = date.weekday.map_or(String::new(), |day| weekday_name(day)[..3].to_owned());
                format!("{weekday} {}-{}-{}", date.year.unwrap_or(0), date.month.unwrap_or(0), date.day.unwrap_or(0))
            })
            .collect();
        assert_eq!(found, expected, "{heard}");
    }

    #[test]
    fn days_are_heard_in_every_order() {
        check("i have tuesday december first at ten thirty or thursday at two", &["Tue 0-12-1", "Thu 0-0-0"]);
        check("born march fifth nineteen eighty two", &[" 1982-3-5"]);
        check("the fifth of march nineteen eighty two", &[" 1982-3-5"]);
        check("wednesday the twenty third", &["Wed 0-0-23"]);
        check("december twenty first two thousand six", &[" 2006-12-21"]);
        check("may i have your name", &[]);
        check("the first one please", &[]);
        check("wensday works", &["Wed 0-0-0"]);
    }

    #[test]
    fn a_day_without_a_year_is_the_next_one() {
        let today = Date::constant(2026, 11, 21);
        let day = |heard: &str| dates(&words(heard))[0].1.resolve(today).map(|date| date.to_string());
        assert_eq!(day("december first").as_deref(), Some("2026-12-01"));
        assert_eq!(day("january third").as_deref(), Some("2027-01-03"));
        assert_eq!(day("tuesday").as_deref(), Some("2026-11-24"));
    }

    #[test]
    fn facts_may_be_written_in_several_ways() {
        for written in ["1982-03-05", "03/05/1982", "March 5, 1982", "5th of March 1982"] {
            assert_eq!(parse_written_date(written), Some(Date::constant(1982, 3, 5)), "{written}");
        }
    }
}
