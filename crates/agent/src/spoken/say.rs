//! Pure: no I/O, no clock.
//!
//! What is written in a fact, in words that a synthesiser says and a listener takes down.

use jiff::civil::Date;
use speech::words::{self, say_number};

use super::date::parse_written_date;
use super::time::SpokenTime;

/// Digits one by one, with a breath after every fourth.
pub(crate) fn say_digits(text: &str) -> String {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
    digits
        .chunks(4)
        .map(|group| group.iter().map(|digit| say_number((digit - b'0').into())).collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `March fifth, nineteen eighty two`.
pub(crate) fn say_date(date: Date) -> String {
    let part = |number: i8| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(date.year()).ok();
    words::say_date(&words::Date { month: part(date.month()), day: part(date.day()), year })
}

/// `ten thirty`, `two fifteen`.
pub(crate) fn say_time(time: SpokenTime) -> String {
    let hour = match time.hour % 12 {
        0 => 12,
        hour => hour,
    };
    match time.minute {
        0 => format!("{} o'clock", say_number(u64::from(hour))),
        1..=9 => format!("{} oh {}", say_number(u64::from(hour)), say_number(u64::from(time.minute))),
        minute => format!("{} {}", say_number(u64::from(hour)), say_number(u64::from(minute))),
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
