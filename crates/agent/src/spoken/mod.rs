//! Pure: no I/O, no clock.
//!
//! Numbers, dates, times and money between the words that are heard and said and the way a person
//! writes them.

mod date;
mod letters;
mod number;
mod say;
mod time;

pub(crate) use date::{SpokenDate, dates, month_name, parse_written_date, weekday_name, weekday_named};
pub(crate) use letters::code;
pub(crate) use number::{digit_word, digits, money};
pub(crate) use say::{say_date, say_digits, say_time, say_value};
pub(crate) use time::{SpokenTime, times};
