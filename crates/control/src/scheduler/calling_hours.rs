//! Pure: no I/O, no clock.
//! [`CallingHours`]: when somebody may be called, by the clocks where they are.
//!
//! On the nights when clocks change, a local time that does not exist is later by what is skipped (02:30 is 03:30), and
//! one that comes twice is the first of the two.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

/// How far we look for the next time that somebody may be called.
const HORIZON_DAYS: usize = 366;
/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// As people write them, from Monday.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// When somebody may be called. Without any opening: at any time but on holidays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallingHours {
    /// Openings; any of them will do.
    pub open: Vec<Opening>,
    /// Days without openings, whatever day of the week they are.
    pub holidays: Vec<Holiday>,
}

/// Hours on some days of the week: `mon-fri 09:00-20:00`. Hours over midnight end on the next day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// From Monday.
    days: [bool; 7],
    /// Minutes after midnight, the last one no longer among them.
    hours: Hours,
}

/// From one minute of a day up to another; up to the next day's when that is no later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hours {
    from: u16,
    until: u16,
}

/// A day on which nobody is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holiday {
    /// `2027-04-05`.
    Once(Date),
    /// `12-25`.
    EveryYear {
        /// From 1.
        month: i8,
        /// From 1.
        day: i8,
    },
}

impl CallingHours {
    /// The same hours every day, in minutes after midnight; over midnight when `until` is no later than `from`.
    pub(crate) fn daily(from: u16, until: u16) -> Self {
        Self { open: vec![Opening { days: [true; 7], hours: Hours { from, until } }], holidays: Vec::new() }
    }

    /// The first moment from `now` on at which somebody in this zone may be called; `None` when there is none in a year.
    pub(crate) fn next_open(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.open.is_empty() && self.holidays.is_empty() {
            return Some(now);
        }
        let today = zone.to_datetime(now).date();
        today.series(jiff::Span::new().days(1)).take(HORIZON_DAYS).find_map(|date| self.opens_on(date, now, zone))
    }

    /// The first moment of a day that is open and not before `now`.
    fn opens_on(&self, date: Date, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.holidays.iter().any(|holiday| holiday.is(date)) {
            return None;
        }
        let open = self.periods(date).into_iter().filter_map(|(from, until)| {
            let (from, until) = (moment(date, from, zone)?, moment(date, until, zone)?);
            (until > now && until > from).then_some(from.max(now))
        });
        open.min()
    }

    /// What is open within one day, in minutes after its midnight.
    fn periods(&self, date: Date) -> Vec<(u16, u16)> {
        if self.open.is_empty() {
            return vec![(0, DAY)];
        }
        let on = |opening: &Opening, weekday: Weekday| opening.days[index(weekday)];
        let mut periods = Vec::new();
        for opening in &self.open {
            let Hours { from, until } = opening.hours;
            let over_midnight = until <= from;
            if on(opening, date.weekday()) {
                periods.push((from, if over_midnight { DAY } else { until }));
            }
            if over_midnight && until > 0 && on(opening, date.weekday().previous()) {
                periods.push((0, until));
            }
        }
        periods
    }
}

/// The first moment from `now` on at which all of these hours are open.
pub(crate) fn next_open(now: Timestamp, zone: &TimeZone, hours: &[&CallingHours]) -> Option<Timestamp> {
    let mut at = now;
    // Each round that changes anything moves on to a later opening, of which a horizon has so many at most.
    for _ in 0..HORIZON_DAYS {
        let mut open = at;
        for one in hours {
            open = one.next_open(open, zone)?;
        }
        if open == at {
            return Some(at);
        }
        at = open;
    }
    None
}

/// Minutes after midnight of `9:00` or `24:00`.
pub(crate) fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        let is_number = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours, 1..=2)?, number(minutes, 2..=2)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY).then_some(total)
}

impl FromStr for Opening {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} are no hours; write for example \"mon-fri 09:00-20:00\" or \"sat 10:00-14:00\"");
        let (days, hours) = match text.trim().split_once(char::is_whitespace) {
            Some((days, hours)) => (days_of(days).ok_or_else(wrong)?, hours),
            None => ([true; 7], text),
        };
        let (from, until) = hours.split_once('-').ok_or_else(wrong)?;
        let (from, until) = (minutes(from).ok_or_else(wrong)?, minutes(until).ok_or_else(wrong)?);
        if from == until || from == DAY {
            return Err(wrong());
        }
        Ok(Self { days, hours: Hours { from, until } })
    }
}

/// `mon`, `mon-fri` or `sat,sun`; a range may go over Sunday.
fn days_of(text: &str) -> Option<[bool; 7]> {
    let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name.trim()));
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        for step in 0..=(last + 7 - first) % 7 {
            days[(first + step) % 7] = true;
        }
    }
    Some(days)
}

impl FromStr for Holiday {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no day; write for example \"2027-04-05\", or \"12-25\" for every year");
        let text = text.trim();
        if text.len() != "12-25".len() {
            return text.parse().map(Self::Once).map_err(|_| wrong());
        }
        // A leap year knows every day that there can be.
        let date: Date = format!("2024-{text}").parse().map_err(|_| wrong())?;
        Ok(Self::EveryYear { month: date.month(), day: date.day() })
    }
}

impl Holiday {
    fn is(self, date: Date) -> bool {
        match self {
            Self::Once(holiday) => holiday == date,
            Self::EveryYear { month, day } => (date.month(), date.day()) == (month, day),
        }
    }
}

fn index(weekday: Weekday) -> usize {
    weekday.to_monday_zero_offset().unsigned_abs().into()
}

/// A minute of a day, where it is that day.
fn moment(date: Date, minute: u16, zone: &TimeZone) -> Option<Timestamp> {
    let date = if minute == DAY { date.tomorrow().ok()? } else { date };
    let minute = minute % DAY;
    let (hours, minutes) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    zone.to_timestamp(date.at(hours, minutes, 0, 0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_in_the_evening_of_their_own_time_zone() {
        let office = hours(&["mon-fri 09:00-20:00"], &[]);
        // Tuesday: 19:59 and 20:00 in Berlin, then 14:00 in New York.
        check(&office, "Europe/Berlin", "2026-12-01T18:59Z", "2026-12-01T18:59Z");
        check(&office, "Europe/Berlin", "2026-12-01T19:00Z", "2026-12-02T08:00Z");
        check(&office, "America/New_York", "2026-12-01T19:00Z", "2026-12-01T19:00Z");
        // Friday evening is followed by Monday morning.
        check(&office, "Europe/Berlin", "2026-12-04T19:00Z", "2026-12-07T08:00Z");
    }

    #[test]
    fn without_hours_any_time_will_do_but_for_holidays() {
        check(&hours(&[], &[]), "Europe/Berlin", "2026-12-25T03:00Z", "2026-12-25T03:00Z");
        let christmas = hours(&[], &["12-25", "2026-12-26"]);
        check(&christmas, "Europe/Berlin", "2026-12-24T22:59Z", "2026-12-24T22:59Z");
        check(&christmas, "Europe/Berlin", "2026-12-24T23:00Z", "2026-12-26T23:00Z");
        check(&christmas, "Europe/Berlin", "2027-12-24T23:00Z", "2027-12-25T23:00Z");
    }

    #[test]
    fn hours_over_midnight_end_on_the_next_day_and_never_reach_into_a_holiday() {
        let night = hours(&["fri 22:00-02:00"], &["2026-12-12"]);
        check(&night, "UTC", "2026-12-05T01:59Z", "2026-12-05T01:59Z");
        check(&night, "UTC", "2026-12-05T02:00Z", "2026-12-11T22:00Z");
        check(&night, "UTC", "2026-12-12T00:00Z", "2026-12-18T22:00Z");
    }

    // In Berlin, 02:00 to 03:00 of 2027-03-28 does not exist, and 02:00 to 03:00 of 2026-10-25 comes twice.
    #[test]
    fn a_time_that_does_not_exist_is_later_and_one_that_comes_twice_is_the_first() {
        let early = hours(&["02:30-04:00"], &[]);
        check(&early, "Europe/Berlin", "2027-03-27T23:00Z", "2027-03-28T01:30Z");
        check(&early, "Europe/Berlin", "2027-03-28T02:00Z", "2027-03-29T00:30Z");
        check(&early, "Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T00:30Z");
        let all_day = hours(&["sun 00:00-24:00"], &[]);
        // A day of 25 hours.
        check(&all_day, "Europe/Berlin", "2026-10-25T22:59Z", "2026-10-25T22:59Z");
        check(&all_day, "Europe/Berlin", "2026-10-25T23:00Z", "2026-10-31T23:00Z");
    }

    #[test]
    fn a_leap_day_is_a_day_and_the_only_day_that_is_open_is_found() {
        let office = hours(&["09:00-10:00"], &[]);
        check(&office, "UTC", "2028-02-28T10:00Z", "2028-02-29T09:00Z");
        check(&office, "UTC", "2028-02-29T10:00Z", "2028-03-01T09:00Z");
        let not_then = hours(&["09:00-10:00"], &["02-29"]);
        check(&not_then, "UTC", "2028-02-28T10:00Z", "2028-03-01T09:00Z");
    }

    #[test]
    fn several_hours_hold_at_once() {
        let (office, late) = (hours(&["mon-fri 09:00-18:00"], &[]), CallingHours::daily(17 * 60, 20 * 60));
        let next = |now: &str| next_open(at(now), &TimeZone::UTC, &[&office, &late]);
        assert_eq!(next("2026-12-04T09:00Z"), Some(at("2026-12-04T17:00Z")));
        assert_eq!(next("2026-12-04T18:00Z"), Some(at("2026-12-07T17:00Z")));
        let (morning, evening) = (CallingHours::daily(0, 60), CallingHours::daily(18 * 60, 20 * 60));
        assert_eq!(next_open(at("2026-12-04T09:00Z"), &TimeZone::UTC, &[&morning, &evening]), None);
    }

    #[test]
    fn hours_and_holidays_are_read_as_people_write_them() {
        let opening = |text: &str| text.parse::<Opening>();
        assert_eq!(opening("sat,sun 9:00-24:00").unwrap().days, [false, false, false, false, false, true, true]);
        assert_eq!(opening("sun-tue 09:00-10:00").unwrap().days, [true, true, false, false, false, false, true]);
        assert_eq!(opening("09:00-17:30").unwrap().hours, Hours { from: 540, until: 1050 });
        for text in ["", "mon", "mon 9-17", "mon 09:00-09:00", "mon 24:00-25:00", "mon 09:60-10:00", "day 09:00-10:00"]
        {
            assert!(opening(text).is_err(), "{text}");
        }
        for text in ["", "13-01", "02-30", "2026-02-29", "christmas"] {
            assert!(text.parse::<Holiday>().is_err(), "{text}");
        }
    }

    fn hours(open: &[&str], holidays: &[&str]) -> CallingHours {
        CallingHours {
            open: open.iter().map(|text| text.parse().unwrap()).collect(),
            holidays: holidays.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn check(hours: &CallingHours, zone: &str, now: &str, expected: &str) {
        assert_eq!(hours.next_open(at(now), &TimeZone::get(zone).unwrap()), Some(at(expected)), "{now}");
    }
}
