//! Pure: no I/O, no clock.
//!
//! What is written in a fact, in words that a synthesiser says and a listener takes down.

use jiff::civil::Date;

use super::date::{month_name, parse_written_date};
use super::time::SpokenTime;

const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ORDINALS: [&str; 20] = [
    "",
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
];

/// A number under ten thousand in words.
pub(crate) fn say_number(number: u32) -> String {
    match number {
        0..=19 => UNITS[number as usize].to_owned(),
        20..=99 if number.is_multiple_of(10) => TENS[number as usize / 10].to_owned(),
        20..=99 => format!("{} {}", TENS[number as usize / 10], UNITS[number as usize % 10]),
        100..=999 if number.is_multiple_of(100) => format!("{} hundred", UNITS[number as usize / 100]),
        100..=999 => format!("{} hundred {}", UNITS[number as usize / 100], say_number(number % 100)),
        1000..=9999 if number.is_multiple_of(1000) => format!("{} thousand", UNITS[number as usize / 1000]),
        1000..=9999 => format!("{} thousand {}", UNITS[number as usize / 1000], say_number(number % 1000)),
        _ => say_digits(&number.to_string()),
    }
}

/// Digits one by one, with a breath after every fourth.
pub(crate) fn say_digits(text: &str) -> String {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
    digits
        .chunks(4)
        .map(|group| group.iter().map(|digit| UNITS[usize::from(digit - b'0')]).collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `fifth`, `twenty first`.
pub(crate) fn ordinal_words(day: i8) -> String {
    match day {
        1..=19 => ORDINALS[usize::try_from(day).unwrap_or(1)].to_owned(),
        20 => "twentieth".to_owned(),
        30 => "thirtieth".to_owned(),
        21..=29 => format!("twenty {}", ORDINALS[usize::try_from(day - 20).unwrap_or(1)]),
        _ => format!("thirty {}", ORDINALS[1]),
    }
}

/// `March fifth, nineteen eighty two`.
pub(crate) fn say_date(date: Date) -> String {
    let year = u32::from(date.year().unsigned_abs());
    let year = match year {
        2000..=2009 => say_number(year),
        _ if year.is_multiple_of(100) => format!("{} hundred", say_number(year / 100)),
        _ if year % 100 < 10 => format!("{} oh {}", say_number(year / 100), say_number(year % 100)),
        _ => format!("{} {}", say_number(year / 100), say_number(year % 100)),
    };
    format!("{} {}, {year}", month_name(date.month()), ordinal_words(date.day()))
}

/// `ten thirty`, `two fifteen`.
pub(crate) fn say_time(time: SpokenTime) -> String {
    let hour = match time.hour % 12 {
        0 => 12,
        hour => hour,
    };
    match time.minute {
        0 => format!("{} o'clock", say_number(u32::from(hour))),
        1..=9 => format!("{} oh {}", say_number(u32::from(hour)), say_number(u32::from(time.minute))),
        minute => format!("{} {}", say_number(u32::from(hour)), say_number(u32::from(minute))),
    }
}

/// Any fact's value, by its shape: dates in words, digits one by one, all else as it is.
pub(crate) fn say_value(value: &str) -> String {
    let value = value.trim();
    if value.len() == 10
        && value.as_bytes().get(4) == Some(&b'-')
        && let Some(date) = parse_written_date(value)
    {
        return say_date(date);
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let others = value.chars().filter(|c| !c.is_ascii_digit() && !" +-().".contains(*c)).count();
    if digits >= 3 && others == 0 {
        return say_digits(value);
    }
    value.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_said_by_their_shape() {
        assert_eq!(say_value("1982-03-05"), "March fifth, nineteen eighty two");
        assert_eq!(say_value("2006-12-21"), "December twenty first, two thousand six");
        assert_eq!(say_value("48213077"), "four eight two one, three zero seven seven");
        assert_eq!(say_value("+15550142"), "one five five five, zero one four two");
        assert_eq!(say_value("Doctor Alvarez"), "Doctor Alvarez");
        assert_eq!(say_time(SpokenTime { hour: 14, minute: 15 }), "two fifteen");
    }
}
