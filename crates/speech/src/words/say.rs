//! Values to words.

use super::calendar::{Date, HalfDay, Time};
use super::{MONTHS, ORDINAL_TENS, ORDINAL_UNITS, TENS, UNITS};

/// Digits one by one, with a pause between groups: `4719035` → `four seven one, nine zero three five`. Letters stay;
/// everything else goes.
pub fn spell_digits(text: &str) -> String {
    let words: Vec<String> = text.chars().filter(char::is_ascii_alphanumeric).map(said).collect();
    let mut groups = Vec::new();
    let mut rest = &words[..];
    while rest.len() > 4 {
        let (group, after) = rest.split_at(3);
        groups.push(group.join(" "));
        rest = after;
    }
    groups.push(rest.join(" "));
    groups.join(", ")
}

/// `1284` → `one thousand two hundred eighty four`.
pub fn say_number(number: u64) -> String {
    if let Some(word) = usize::try_from(number).ok().and_then(|index| UNITS.get(index)) {
        return (*word).to_owned();
    }
    if number < 100 {
        let tens = TENS[(number / 10) as usize];
        return with_rest(tens.to_owned(), number % 10);
    }
    if number < 1000 {
        return with_rest(format!("{} hundred", say_number(number / 100)), number % 100);
    }
    let scales = [
        (1_000_000_000_000_000_000, "quintillion"),
        (1_000_000_000_000_000, "quadrillion"),
        (1_000_000_000_000, "trillion"),
        (1_000_000_000, "billion"),
        (1_000_000, "million"),
    ];
    let (scale, name) = scales.into_iter().find(|(scale, _)| number >= *scale).unwrap_or((1000, "thousand"));
    with_rest(format!("{} {name}", say_number(number / scale)), number % scale)
}

/// `21` → `twenty first`.
pub fn say_ordinal(number: u32) -> String {
    if let Some(word) = ORDINAL_UNITS.get(number as usize) {
        return (*word).to_owned();
    }
    if number < 100 {
        return match number % 10 {
            0 => ORDINAL_TENS[(number / 10) as usize].to_owned(),
            unit => format!("{} {}", TENS[(number / 10) as usize], ORDINAL_UNITS[unit as usize]),
        };
    }
    match number % 100 {
        0 => format!("{}th", say_number(number.into())),
        rest => format!("{} {}", say_number((number - rest).into()), say_ordinal(rest)),
    }
}

/// `1982` → `nineteen eighty two`, `2004` → `two thousand four`.
pub fn say_year(year: u16) -> String {
    let (century, rest) = (u64::from(year / 100), u64::from(year % 100));
    match (century, rest) {
        (10 | 20, 0..=9) | (0..=9, _) => say_number(year.into()),
        (_, 0) => format!("{} hundred", say_number(century)),
        (_, 1..=9) => format!("{} oh {}", say_number(century), say_number(rest)),
        _ => format!("{} {}", say_number(century), say_number(rest)),
    }
}

/// `December first`, `March fifth, nineteen eighty two`.
pub fn say_date(date: &Date) -> String {
    let month = MONTHS.get(usize::from(date.month).wrapping_sub(1)).copied().unwrap_or_default();
    let day = format!("{month} {}", say_ordinal(date.day.into()));
    match date.year {
        Some(year) => format!("{day}, {}", say_year(year)),
        None => day,
    }
}

/// `ten thirty A.M.`, `nine o'clock`, `two oh five P.M.`.
pub fn say_time(time: &Time) -> String {
    let hour = match time.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let hour = say_number(hour.into());
    let minute = match time.minute {
        0 if time.half.is_none() => " o'clock".to_owned(),
        0 => String::new(),
        minute @ 1..=9 => format!(" oh {}", say_number(minute.into())),
        minute => format!(" {}", say_number(minute.into())),
    };
    let half = match time.half {
        Some(HalfDay::Am) => " A.M.",
        Some(HalfDay::Pm) => " P.M.",
        None => "",
    };
    format!("{hour}{minute}{half}")
}

/// `1284.17` → `one thousand two hundred eighty four dollars and seventeen cents`; the text itself when it is no amount.
pub fn say_money(amount: &str) -> String {
    let plain = amount.trim_start_matches('$').replace(',', "");
    let (dollars, cents) = plain.split_once('.').unwrap_or((&plain, "0"));
    let figures = |text: &str| text.chars().all(|c| c.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let (Some(dollars), Some(cents)) = (figures(dollars), figures(cents).filter(|cents| *cents < 100)) else {
        return amount.to_owned();
    };
    let counted = |count: u64, one: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{} {one}{plural}", say_number(count))
    };
    match (dollars, cents) {
        (dollars, 0) => counted(dollars, "dollar"),
        (0, cents) => counted(cents, "cent"),
        (dollars, cents) => format!("{} and {}", counted(dollars, "dollar"), counted(cents, "cent")),
    }
}

fn with_rest(text: String, rest: u64) -> String {
    match rest {
        0 => text,
        rest => format!("{text} {}", say_number(rest)),
    }
}

fn said(character: char) -> String {
    match character.to_digit(10) {
        Some(digit) => UNITS[digit as usize].to_owned(),
        None => character.to_ascii_uppercase().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    #[test]
    fn digits_are_said_in_groups() {
        assert_eq!(spell_digits("4719"), "four seven one nine");
        assert_eq!(spell_digits("555-014-2233"), "five five five, zero one four, two two three three");
        assert_eq!(spell_digits("b12"), "B one two");
        assert_eq!(spell_digits(""), "");
    }

    #[test]
    fn dates_times_and_money_are_said_as_people_say_them() {
        assert_eq!(say_date(&Date { month: 3, day: 5, year: Some(1982) }), "March fifth, nineteen eighty two");
        assert_eq!(say_date(&Date { month: 12, day: 21, year: None }), "December twenty first");
        assert_eq!(say_time(&Time { hour: 14, minute: 15, half: Some(HalfDay::Pm) }), "two fifteen P.M.");
        assert_eq!(say_time(&Time { hour: 0, minute: 5, half: Some(HalfDay::Am) }), "twelve oh five A.M.");
        assert_eq!(say_time(&Time { hour: 9, minute: 0, half: None }), "nine o'clock");
        assert_eq!(say_money("$1,284.17"), "one thousand two hundred eighty four dollars and seventeen cents");
        assert_eq!(say_money("1.01"), "one dollar and one cent");
        assert_eq!(say_money("a lot"), "a lot");
        assert_eq!(say_year(2004), "two thousand four");
        assert_eq!(say_year(1905), "nineteen oh five");
        assert_eq!(say_year(2026), "twenty twenty six");
    }

    #[test]
    fn what_is_said_is_read_back_as_it_was() {
        for number in (0..2000).chain([12_345, 999_999, 1_000_000, 7_000_000_001]) {
            assert_eq!(words::number(&say_number(number)), Some(number), "{}", say_number(number));
        }
        for day in 1..=31 {
            let date = Date { month: 1, day, year: Some(1990) };
            assert_eq!(words::date(&say_date(&date)), Some(date));
        }
        for (hour, minute) in (0..24).flat_map(|hour| (0..60).map(move |minute| (hour, minute))) {
            let half = Some(if hour < 12 { HalfDay::Am } else { HalfDay::Pm });
            let time = Time { hour, minute, half };
            assert_eq!(words::time(&say_time(&time)), Some(time), "{}", say_time(&time));
        }
        assert!(!say_number(u64::MAX).is_empty());
    }
}
