//! Numbers, dates and times as they are said.

const SMALL: [&str; 20] = [
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

/// `1284` → `one thousand two hundred eighty four`, up to a million.
pub(crate) fn number(n: u32) -> String {
    match n {
        0..20 => SMALL[n as usize].to_owned(),
        20..100 if n.is_multiple_of(10) => TENS[(n / 10) as usize].to_owned(),
        20..100 => format!("{} {}", TENS[(n / 10) as usize], SMALL[(n % 10) as usize]),
        100..1000 => with_rest(format!("{} hundred", SMALL[(n / 100) as usize]), n % 100),
        _ => with_rest(format!("{} thousand", number(n / 1000)), n % 1000),
    }
}

fn with_rest(head: String, rest: u32) -> String {
    if rest == 0 { head } else { format!("{head} {}", number(rest)) }
}

/// `1` → `first`, up to the thirty-first.
pub(crate) fn ordinal(n: u32) -> String {
    match n {
        0..20 => ORDINALS[n as usize].to_owned(),
        20 => "twentieth".to_owned(),
        21..30 => format!("twenty {}", ORDINALS[(n - 20) as usize]),
        30 => "thirtieth".to_owned(),
        _ => format!("thirty {}", ORDINALS[(n % 10) as usize]),
    }
}

/// `407` → `four zero seven`, key names for `*` and `#`.
pub(crate) fn digits(text: &str) -> String {
    let words: Vec<&str> = text.chars().filter_map(key).collect();
    words.join(" ")
}

/// The name of a key.
pub(crate) fn key(key: char) -> Option<&'static str> {
    match key {
        '*' => Some("star"),
        '#' => Some("pound"),
        _ => key.to_digit(10).map(|digit| SMALL[digit as usize]),
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

/// `1284.17` → `one thousand two hundred eighty four dollars and seventeen cents`.
pub(crate) fn money(cents: u32) -> String {
    let (dollars, cents) = (cents / 100, cents % 100);
    let dollars = if dollars == 1 { "one dollar".to_owned() } else { format!("{} dollars", number(dollars)) };
    match cents {
        0 => dollars,
        1 => format!("{dollars} and one cent"),
        _ => format!("{dollars} and {} cents", number(cents)),
    }
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
