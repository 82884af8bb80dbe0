//! Spoken dates and times.

use std::fmt;

use super::read::{below_hundred, digits, ordinal_at};
use super::{MONTHS, UNITS, WEEKDAYS, position, tokens};

/// A day, with or without its year; valid in some year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// All four digits, where it was said.
    pub year: Option<u16>,
}

/// A time of day as said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// 0 to 23; as said when [`Time::half`] is unknown.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// Whether the half of the day is known; then `hour` is of 24.
    pub half: Option<HalfDay>,
}

/// Before or after noon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HalfDay {
    /// Midnight to noon.
    Am,
    /// Noon to midnight.
    Pm,
}

/// `December 1`, `March 5, 1982`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = MONTHS.get(usize::from(self.month).wrapping_sub(1)).copied().unwrap_or("?");
        write!(f, "{month} {}", self.day)?;
        self.year.map_or(Ok(()), |year| write!(f, ", {year}"))
    }
}

/// `10:30`, `14:15`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:02}", self.hour, self.minute)
    }
}

impl Date {
    fn valid(month: u32, day: u32, year: Option<u32>) -> Option<Self> {
        let longest = match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let year = year.and_then(|year| u16::try_from(year).ok());
        (1..=longest).contains(&day).then_some(Self { month: month as u8, day: day as u8, year })
    }
}

/// The first date: `december first`, `the fifth of march nineteen eighty two`, `3/5/1982`, `1982-03-05`, or the eight
/// digits MMDDYYYY alone.
pub fn date(text: &str) -> Option<Date> {
    let iso = text.split_whitespace().find_map(iso_date);
    let words = tokens(text);
    iso.or_else(|| (0..words.len()).find_map(|at| date_at(&words[at..]))).or_else(|| {
        let all = words.iter().all(|word| position(&UNITS, word).is_some() || word == "oh" || literal(word).is_some());
        let digits = digits(text).filter(|digits| all && digits.len() == 8)?;
        Date::valid(digits[..2].parse().ok()?, digits[2..4].parse().ok()?, digits[4..].parse().ok())
    })
}

/// 1 to 12 for the first month named.
pub fn month(text: &str) -> Option<u8> {
    tokens(text).iter().find_map(|word| month_named(word)).map(|month| month as u8)
}

/// The first day of the week named, as written: `Tuesday`.
pub fn weekday(text: &str) -> Option<&'static str> {
    tokens(text).iter().find_map(|word| {
        let word = word.strip_suffix('s').filter(|stem| stem.ends_with("day")).unwrap_or(word);
        position(&WEEKDAYS, word).map(|index| WEEKDAYS[index as usize])
    })
}

/// The first time of day: `ten thirty a m`, `nine o'clock`, `half past two`, `14:15`, `noon`. A bare hour counts after
/// "at" only.
pub fn time(text: &str) -> Option<Time> {
    let words = tokens(text);
    let marked = |time: &Time| time.half.is_some();
    let mut found = (0..words.len()).filter_map(|at| {
        let after_at = at > 0 && words[at - 1] == "at";
        time_at(&words[at..], after_at)
    });
    let first = found.next()?;
    // "press ten thirty … at two p m": the one with its half of the day is surer.
    if marked(&first) { Some(first) } else { Some(found.find(marked).unwrap_or(first)) }
}

fn date_at(words: &[String]) -> Option<Date> {
    if let Some(month) = month_named(&words[0]) {
        let the = words.get(1).is_some_and(|word| word == "the");
        let rest = &words[1 + usize::from(the)..];
        let (day, length) = ordinal_at(rest).or_else(|| cardinal_day(rest))?;
        return Date::valid(month, day, year_at(&rest[length..]));
    }
    if let Some((day, length)) = ordinal_at(words).or_else(|| cardinal_day(words)) {
        let of = words.get(length).is_some_and(|word| word == "of");
        let month = month_named(words.get(length + usize::from(of))?)?;
        return Date::valid(month, day, year_at(&words[length + usize::from(of) + 1..]));
    }
    let parts: Vec<u32> = words[0].split('/').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match parts[..] {
        [month, day] => Date::valid(month, day, None),
        [month, day, year] => Date::valid(month, day, Some(year)),
        _ => None,
    }
}

fn iso_date(word: &str) -> Option<Date> {
    let word = word.trim_matches(|c: char| !c.is_ascii_digit());
    let parts: Vec<u32> = word.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match parts[..] {
        [year, month, day] if year > 999 => Date::valid(month, day, Some(year)),
        _ => None,
    }
}

fn month_named(word: &str) -> Option<u32> {
    let short = word.len() >= 3 && word != "mar" && word != "may";
    MONTHS
        .iter()
        .position(|month| {
            let month = month.to_ascii_lowercase();
            month == word || (short && (month[..3] == *word || (word == "sept" && month == "september")))
        })
        .map(|index| index as u32 + 1)
}

/// `december twelve`, `december 12`.
fn cardinal_day(words: &[String]) -> Option<(u32, usize)> {
    let first = words.first()?;
    let (day, length) = match literal(first) {
        Some(day) => (day, 1),
        None => below_hundred(words).and_then(|(day, length)| Some((u32::try_from(day).ok()?, length)))?,
    };
    (1..=31).contains(&day).then_some((day, length))
}

fn literal(word: &str) -> Option<u32> {
    (word.len() <= 8 && word.chars().all(|c| c.is_ascii_digit())).then(|| word.parse().ok()).flatten()
}

/// `nineteen eighty two`, `nineteen oh five`, `two thousand and four`, `twenty twenty six`, `1982`.
fn year_at(words: &[String]) -> Option<u32> {
    let skip = words.first().is_some_and(|word| word == "of" || word == "in");
    let words = &words[usize::from(skip)..];
    let first = words.first()?;
    if let Some(year) = literal(first) {
        return (1000..3000).contains(&year).then_some(year);
    }
    if first == "two" && words.get(1).is_some_and(|word| word == "thousand") {
        let and = words.get(2).is_some_and(|word| word == "and");
        let rest = below_hundred(&words[2 + usize::from(and)..]).map_or(0, |(rest, _)| rest as u32);
        return Some(2000 + rest);
    }
    let century = match first.as_str() {
        "eighteen" => 1800,
        "nineteen" => 1900,
        "twenty" => 2000,
        _ => return None,
    };
    if matches!(words.get(1)?.as_str(), "oh" | "o" | "zero") {
        return Some(century + position(&UNITS[1..10], words.get(2)?)? + 1);
    }
    if words[1] == "hundred" {
        return Some(century);
    }
    let (rest, _) = below_hundred(&words[1..])?;
    (rest >= 10).then_some(century + rest as u32)
}

fn time_at(words: &[String], after_at: bool) -> Option<Time> {
    match words[0].as_str() {
        "noon" => {
            return Some(Time { hour: 12, minute: 0, half: Some(HalfDay::Pm) });
        }
        "midnight" => {
            return Some(Time { hour: 0, minute: 0, half: Some(HalfDay::Am) });
        }
        "half" if words.get(1)? == "past" => {
            return with_half(hour(words.get(2)?)?, 30, &words[3..]);
        }
        "quarter" => {
            let hour = hour(words.get(2)?)?;
            return match words[1].as_str() {
                "past" | "after" => with_half(hour, 15, &words[3..]),
                "to" | "of" => with_half(if hour == 1 { 12 } else { hour - 1 }, 45, &words[3..]),
                _ => None,
            };
        }
        _ => {}
    }
    if let Some(clock) = clock(&words[0]) {
        return clock;
    }
    let glued = ["am", "pm"].iter().find_map(|half| Some((words[0].strip_suffix(half)?, *half)));
    if let Some((stem, half)) = glued.filter(|(stem, _)| !stem.is_empty()) {
        let (hour, minute) = match stem.split_once(':') {
            Some((hour, minute)) => (hour.parse().ok()?, minute.parse().ok()?),
            None => (stem.parse().ok()?, 0),
        };
        return with_half(hour, minute, &[half.to_owned()]);
    }
    let (hour, minute, rest) = match words[0].split_once(':') {
        Some((hour, minute)) => (hour.parse().ok()?, minute.parse().ok()?, &words[1..]),
        None => {
            let hour = hour(&words[0])?;
            let (minute, length) = minute(&words[1..]).unwrap_or((0, 0));
            let rest = &words[1 + length..];
            let o_clock = rest.first().is_some_and(|word| word == "o'clock" || word == "oclock");
            let rest = &rest[usize::from(o_clock)..];
            if length == 0 && !o_clock && !after_at && half_day(rest).is_none() {
                return None;
            }
            (hour, minute, rest)
        }
    };
    with_half(hour, minute, rest)
}

/// `14:15`: an hour of 24 needs no half. `None` if it is not such a word.
fn clock(word: &str) -> Option<Option<Time>> {
    let (hour, minute) = word.split_once(':')?;
    let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
    if hour == 0 || hour > 12 {
        let half = if hour == 0 { HalfDay::Am } else { HalfDay::Pm };
        return Some((hour < 24 && minute < 60).then_some(Time { hour, minute, half: Some(half) }));
    }
    None
}

fn with_half(hour: u8, minute: u8, rest: &[String]) -> Option<Time> {
    if !(1..=12).contains(&hour) || minute > 59 {
        return None;
    }
    let half = half_day(rest);
    let hour = match half {
        Some(HalfDay::Pm) => hour % 12 + 12,
        Some(HalfDay::Am) => hour % 12,
        None => hour,
    };
    Some(Time { hour, minute, half })
}

fn half_day(words: &[String]) -> Option<HalfDay> {
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    match (word(0), word(1), word(2)) {
        ("am", ..) | ("a", "m", _) | ("in", "the", "morning") => Some(HalfDay::Am),
        ("pm", ..) | ("p", "m", _) | ("in", "the", "afternoon" | "evening") | ("at", "night", _) => Some(HalfDay::Pm),
        _ => None,
    }
}

fn hour(word: &str) -> Option<u8> {
    let hour = position(&UNITS, word).or_else(|| literal(word).filter(|_| word.len() <= 2))?;
    (1..=12).contains(&hour).then_some(hour as u8)
}

/// `thirty`, `forty five`, `oh five`.
fn minute(words: &[String]) -> Option<(u8, usize)> {
    if words.first().is_some_and(|word| word == "oh" || word == "o") {
        let unit = position(&UNITS[1..10], words.get(1)?)?;
        return Some((unit as u8 + 1, 2));
    }
    let (minute, length) = below_hundred(words)?;
    (10..60).contains(&minute).then_some((minute as u8, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_order() {
        let check = |text, expected: &str| {
            assert_eq!(date(text).map_or("-".to_owned(), |date| date.to_string()), expected, "{text}");
        };
        check("december first", "December 1");
        check("tuesday december first at ten thirty a m", "December 1");
        check("march fifth nineteen eighty two", "March 5, 1982");
        check("the twenty first of may two thousand and four", "May 21, 2004");
        check("april the third nineteen oh five", "April 3, 1905");
        check("june twelve twenty twenty six", "June 12, 2026");
        check("October 31, 1999", "October 31, 1999");
        check("3/5/1982", "March 5, 1982");
        check("born 1982-03-05.", "March 5, 1982");
        check("oh three oh five one nine eight two", "March 5, 1982");
        check("february thirtieth", "-");
        check("you may press one", "-");
        check("may one of our agents", "May 1");
        check("december first twenty minutes", "December 1");
        check("", "-");
    }

    #[test]
    fn times_are_of_24_hours_once_their_half_is_known() {
        let check = |text, expected: &str| {
            assert_eq!(time(text).map_or("-".to_owned(), |time| time.to_string()), expected, "{text}");
        };
        check("ten thirty a m", "10:30");
        check("tuesday december first at ten thirty a m", "10:30");
        check("two fifteen p m", "14:15");
        check("at nine", "9:00");
        check("nine o'clock", "9:00");
        check("half past four", "4:30");
        check("quarter to one", "12:45");
        check("twelve oh five a m", "0:05");
        check("10:30 A.M.", "10:30");
        check("3pm", "15:00");
        check("14:15", "14:15");
        check("noon", "12:00");
        check("three in the afternoon", "15:00");
        check("seven people", "-");
        check("25:00", "-");
    }

    #[test]
    fn weekdays_and_months_are_found_in_sentences() {
        assert_eq!(weekday("how about next tuesday"), Some("Tuesday"));
        assert_eq!(weekday("closed on sundays"), Some("Sunday"));
        assert_eq!(weekday("someday"), None);
        assert_eq!(month("late in December"), Some(12));
        assert_eq!(month("mar"), None);
    }
}
