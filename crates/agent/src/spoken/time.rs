//! Pure: no I/O, no clock.
//!
//! Times of day, out of words.

use std::ops::Range;

use super::date::dates;
use super::number::{below_hundred, digit_word};

/// A time of day, on 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SpokenTime {
    pub(crate) hour: u8,
    pub(crate) minute: u8,
}

impl SpokenTime {
    /// `10:30`.
    pub(crate) fn written(self) -> String {
        format!("{}:{:02}", self.hour, self.minute)
    }
}

/// Every time of day named, with the words that named it. Without `am` or `pm` it lies in business
/// hours: 7 to 11 in the morning, 12 to 6 after noon.
pub(crate) fn times(words: &[String]) -> Vec<(Range<usize>, SpokenTime)> {
    let days = dates(words);
    let mut found: Vec<(Range<usize>, SpokenTime)> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if let Some((range, _)) = days.iter().find(|(range, _)| range.contains(&at)) {
            at = range.end;
            continue;
        }
        let continues_range = found.last().is_some_and(|(last, _)| {
            last.end + 1 == at && matches!(words[last.end].as_str(), "to" | "until" | "till" | "and" | "through")
        });
        match time_at(words, at, continues_range) {
            Some((time, taken)) => {
                found.push((at..at + taken, time));
                at += taken;
            }
            None => at += 1,
        }
    }
    found
}

fn time_at(words: &[String], at: usize, continues_range: bool) -> Option<(SpokenTime, usize)> {
    let word = words[at].as_str();
    let next = |n: usize| words.get(at + n).map_or("", String::as_str);
    match word {
        "noon" | "midday" => return Some((SpokenTime { hour: 12, minute: 0 }, 1)),
        "midnight" => return Some((SpokenTime { hour: 0, minute: 0 }, 1)),
        _ => {}
    }
    let fraction = match (word, next(1)) {
        ("half", "past") => Some((30, 2)),
        ("quarter", "past" | "after") => Some((15, 2)),
        ("quarter", "to") => Some((45, 2)),
        _ => None,
    };
    if let Some((minute, skip)) = fraction {
        let (hour, used) = hour_at(words, at + skip, true)?;
        let hour = if minute == 45 { if hour == 1 { 12 } else { hour - 1 } } else { hour };
        return Some(finish(words, at, hour, minute, skip + used));
    }
    if let Some((hour, minute)) = word.split_once(':') {
        let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
        if hour > 23 || minute > 59 {
            return None;
        }
        if hour > 12 || hour == 0 {
            return Some((SpokenTime { hour, minute }, 1));
        }
        return Some(finish(words, at, hour, minute, 1));
    }
    let introduced = continues_range
        || at.checked_sub(1).is_some_and(|i| {
            matches!(
                words[i].as_str(),
                "at" | "by" | "around" | "about" | "from" | "until" | "till" | "after" | "before" | "between"
            )
        });
    let (hour, used) = hour_at(words, at, introduced)?;
    // "ten thirty", "two fifteen", "two oh five".
    if matches!(next(used), "oh" | "o")
        && let Some(digit) = words.get(at + used + 1).and_then(|word| digit_word(word)).filter(|digit| *digit > 0)
    {
        return Some(finish(words, at, hour, digit, used + 2));
    }
    if let Some((minute, more)) = minutes_at(words, at + used) {
        return Some(finish(words, at, hour, minute, used + more));
    }
    let marked = matches!(next(used), "am" | "pm" | "oclock")
        || (matches!(next(used), "a" | "p") && next(used + 1) == "m")
        || (next(used) == "o" && next(used + 1) == "clock")
        || (next(used) == "in"
            && next(used + 1) == "the"
            && matches!(next(used + 2), "morning" | "afternoon" | "evening"));
    if marked || (introduced && !followed_by_digits(words, at + used)) {
        return Some(finish(words, at, hour, 0, used));
    }
    None
}

fn minutes_at(words: &[String], at: usize) -> Option<(u8, usize)> {
    let minutes = |at| below_hundred(words, at).filter(|(minute, _)| (10..60).contains(minute));
    let (minute, used) = minutes(at)?;
    // "eleven fifty, fifteen": a word that a cut between phrases split is heard whole only after it.
    let (minute, used) = match (minute, minutes(at + used)) {
        (30, Some((13, more))) => (13, used + more),
        (40, Some((14, more))) => (14, used + more),
        (50, Some((15, more))) => (15, used + more),
        _ => (minute, used),
    };
    Some((u8::try_from(minute).ok()?, used))
}

/// "at four eight two one" is a number, not four o'clock.
fn followed_by_digits(words: &[String], at: usize) -> bool {
    words.get(at).is_some_and(|word| digit_word(word).is_some() && word != "o")
}

fn hour_at(words: &[String], at: usize, introduced: bool) -> Option<(u8, usize)> {
    let word = words.get(at)?.as_str();
    // What a recogniser makes of "at two" and "at four".
    match word {
        "to" | "too" if introduced => return Some((2, 1)),
        "for" if introduced => return Some((4, 1)),
        // "until it in the evening"
        "it" | "ate" | "aid" if introduced && half_of_day(words, at + 1) => return Some((8, 1)),
        "0" | "zero" | "oh" | "o" => return None,
        _ => {}
    }
    let (hour, used) = below_hundred(words, at)?;
    (1..=12).contains(&hour).then(|| u8::try_from(hour).ok().map(|hour| (hour, used)))?
}

fn half_of_day(words: &[String], at: usize) -> bool {
    let word = |n: usize| words.get(at + n).map_or("", String::as_str);
    word(0) == "in" && word(1) == "the" && matches!(word(2), "morning" | "afternoon" | "evening")
}

/// Reads what follows (`a m`, `in the afternoon`, `o'clock`) and settles the half of the day.
fn finish(words: &[String], at: usize, hour: u8, minute: u8, mut taken: usize) -> (SpokenTime, usize) {
    let next = |n: usize| words.get(at + n).map_or("", String::as_str);
    if next(taken) == "oclock" {
        taken += 1;
    } else if next(taken) == "o" && next(taken + 1) == "clock" {
        taken += 2;
    }
    let mut afternoon = None;
    match (next(taken), next(taken + 1), next(taken + 2)) {
        ("am", ..) => (afternoon, taken) = (Some(false), taken + 1),
        ("pm", ..) => (afternoon, taken) = (Some(true), taken + 1),
        ("a", "m", _) => (afternoon, taken) = (Some(false), taken + 2),
        ("p", "m", _) => (afternoon, taken) = (Some(true), taken + 2),
        ("in", "the", "morning") => (afternoon, taken) = (Some(false), taken + 3),
        ("in", "the", "afternoon" | "evening") => (afternoon, taken) = (Some(true), taken + 3),
        _ => {}
    }
    let hour = match (hour, afternoon) {
        (12, Some(false)) => 0,
        (12, _) => 12,
        (hour, Some(true)) => hour + 12,
        (hour, Some(false)) => hour,
        (hour @ 1..=6, None) => hour + 12,
        (hour, None) => hour,
    };
    (SpokenTime { hour, minute }, taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::words;

    #[test]
    fn times_are_heard_as_people_say_them() {
        for (heard, expected) in [
            ("tuesday december first at ten thirty", "10:30"),
            ("or thursday at two fifteen", "14:15"),
            ("how about four o'clock", "16:00"),
            ("nine a m to five p m", "9:00 17:00"),
            ("from nine to five", "9:00 17:00"),
            ("from 9 a.m. to 5 p.m.", "9:00 17:00"),
            ("at two oh five in the afternoon", "14:05"),
            ("half past ten", "10:30"),
            ("quarter to nine", "8:45"),
            ("at for thirty", "16:30"),
            ("monday at eleven fifty, fifteen in the morning", "11:15"),
            ("at four forty four", "16:44"),
            ("10:30 works", "10:30"),
            ("your number is four eight two one", ""),
            ("december twelve", ""),
            ("at noon", "12:00"),
        ] {
            let found: Vec<String> = times(&words(heard)).into_iter().map(|(_, time)| time.written()).collect();
            assert_eq!(found.join(" "), expected, "{heard}");
        }
    }
}
