//! Numbers, dates and times as they are said.

use speech::words::{say_money, say_number, say_ordinal};

/// The months, in order.
pub(crate) const MONTHS: [&str; 12] = [
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

/// The days of the week, Monday first.
pub(crate) const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// `1284` → `one thousand two hundred eighty four`.
pub(crate) fn number(n: u32) -> String {
    say_number(n.into())
}

/// `1` → `first`, up to the thirty-first.
pub(crate) fn ordinal(n: u32) -> String {
    say_ordinal(n)
}

/// `407` → `four zero seven`, key names for `*` and `#`.
pub(crate) fn digits(text: &str) -> String {
    let words: Vec<String> = text.chars().filter_map(key).collect();
    words.join(" ")
}

/// The name of a key.
pub(crate) fn key(key: char) -> Option<String> {
    match key {
        '*' => Some("star".to_owned()),
        '#' => Some("pound".to_owned()),
        _ => key.to_digit(10).map(number),
    }
}

/// `14:30` → `two thirty`.
pub(crate) fn clock(hour: u32, minute: u32) -> String {
    let twelve = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    match minute {
        0 => number(twelve),
        1..10 => format!("{} oh {}", number(twelve), number(minute)),
        _ => format!("{} {}", number(twelve), number(minute)),
    }
}

/// `in the morning`, …
pub(crate) fn part_of_day(hour: u32) -> &'static str {
    match hour {
        0..12 => "in the morning",
        12..17 => "in the afternoon",
        _ => "in the evening",
    }
}

/// `128417` → `one thousand two hundred eighty four dollars and seventeen cents`.
pub(crate) fn money(cents: u32) -> String {
    say_money(&format!("{}.{:02}", cents / 100, cents % 100))
}

/// Index into [`WEEKDAYS`] of a Gregorian date (Zeller's congruence).
pub(crate) fn weekday(year: u32, month: u32, day: u32) -> usize {
    let (year, month) = if month < 3 { (year - 1, month + 12) } else { (year, month) };
    let zeller = day + 13 * (month + 1) / 5 + year + year / 4 - year / 100 + year / 400;
    ((zeller + 5) % 7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        assert_eq!(number(0), "zero");
        assert_eq!(number(40), "forty");
        assert_eq!(number(1284), "one thousand two hundred eighty four");
        assert_eq!(number(12_000), "twelve thousand");
        assert_eq!(ordinal(1), "first");
        assert_eq!(ordinal(22), "twenty second");
        assert_eq!(ordinal(31), "thirty first");
        assert_eq!(digits("40*"), "four zero star");
        assert_eq!(clock(14, 30), "two thirty");
        assert_eq!(clock(12, 5), "twelve oh five");
        assert_eq!(money(128_417), "one thousand two hundred eighty four dollars and seventeen cents");
        assert_eq!(money(100), "one dollar");
    }

    #[test]
    fn weekdays_follow_the_calendar() {
        assert_eq!(WEEKDAYS[weekday(2026, 12, 1)], "Tuesday");
        assert_eq!(WEEKDAYS[weekday(2027, 1, 1)], "Friday");
        assert_eq!(WEEKDAYS[weekday(2000, 2, 29)], "Tuesday");
    }
}
