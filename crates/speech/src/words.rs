//! Pure: no I/O, no clock. Numbers, dates, times and money between speech and text.
//!
//! A recogniser writes `one thousand two hundred eighty four dollars and seventeen cents`; a result wants `1284.17`.
//! The readers here find the first such thing in a longer sentence; [`for_voice`] and the `say_` functions go the
//! other way.
//!
//! ```
//! use speech::words;
//! assert_eq!(words::money("your balance is ninety dollars and four cents").as_deref(), Some("90.04"));
//! assert_eq!(words::date("tuesday december first at ten").unwrap().to_string(), "December 1");
//! assert_eq!(words::time("at two fifteen p m").unwrap().to_string(), "14:15");
//! assert_eq!(words::digits("it is four seven double one").as_deref(), Some("4711"));
//! ```

mod calendar;
mod read;
mod say;
mod voice;

pub use calendar::{Date, HalfDay, Time, date, month, time, weekday};
pub use read::{code, digits, money, number, ordinal};
pub use say::{say_date, say_money, say_number, say_ordinal, say_time, say_year, spell_digits};
pub use voice::{for_voice, spoken};

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
const TENS: [&str; 10] = ["", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ORDINAL_UNITS: [&str; 20] = [
    "zeroth",
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
const ORDINAL_TENS: [&str; 10] =
    ["", "tenth", "twentieth", "thirtieth", "fortieth", "fiftieth", "sixtieth", "seventieth", "eightieth", "ninetieth"];
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

/// Lower-case words; hyphens part, other punctuation goes, except within an amount or a clock time.
fn tokens(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || c == '-')
        .map(|word| {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '$');
            word.to_lowercase().replace("a.m", "am").replace("p.m", "pm")
        })
        .filter(|word| !word.is_empty())
        .collect()
}

fn position(list: &[&str], word: &str) -> Option<u32> {
    list.iter().position(|known| known.eq_ignore_ascii_case(word)).and_then(|index| u32::try_from(index).ok())
}
