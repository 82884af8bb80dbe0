//! Pure: no I/O, no clock.
//! [`When`]: the times of a scheduled call, read from a request or from what is kept.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::calling_hours::{self, CallingHours, next_open};
use crate::config::Scheduling;
use crate::{Error, clock};

/// What was now when a request was sent is not over when it comes.
const JUST_NOW: SignedDuration = SignedDuration::from_secs(5);
/// How far ahead a call may be scheduled.
const FARTHEST_DAYS: i64 = 2 * 366;
/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// When a scheduled call may be made, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct When {
    /// Wished for.
    pub(crate) scheduled_at: Timestamp,
    /// As the database of zones writes it.
    pub(crate) time_zone: Option<String>,
    /// `09:00` or a moment.
    pub(crate) not_before: Option<Bound>,
    /// `20:00` or a moment.
    pub(crate) not_after: Option<Bound>,
}

/// An end of the time in which somebody may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Of every day, in minutes after midnight.
    Daily(u16),
    /// Once and for all.
    Moment(Timestamp),
}

/// [`When`] in the words of a request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wish<'a> {
    pub(crate) scheduled_at: &'a str,
    pub(crate) time_zone: Option<&'a str>,
    pub(crate) not_before: Option<&'a str>,
    pub(crate) not_after: Option<&'a str>,
}

impl Wish<'_> {
    /// Reads the times; `now` is what a new `scheduled_at` must not be before.
    pub(crate) fn read(&self, now: Timestamp, rules: &Scheduling) -> Result<When, Error> {
        let (time_zone, zone) = match self.time_zone {
            Some(name) => {
                let zone = zone(name)?;
                (Some(zone.iana_name().unwrap_or(name).to_owned()), Some(zone))
            }
            None => (None, rules.time_zone.clone()),
        };
        let scheduled_at = moment("scheduled_at", self.scheduled_at, zone.as_ref())?;
        if scheduled_at < now - JUST_NOW {
            let message =
                format!("{} is over: send a time from now on, or call now with POST /v1/calls", self.scheduled_at);
            return Err(Error::invalid("scheduled_at", message));
        }
        check_distance("scheduled_at", scheduled_at, now)?;
        let bound = |field, text: Option<&str>| text.map(|text| bound(field, text, zone.as_ref())).transpose();
        Ok(When {
            scheduled_at,
            time_zone,
            not_before: bound("not_before", self.not_before)?,
            not_after: bound("not_after", self.not_after)?,
        })
    }
}

impl When {
    /// The first moment from `now` on at which somebody may be called.
    pub(crate) fn first(&self, now: Timestamp, rules: &Scheduling) -> Result<Timestamp, Error> {
        let start = match self.not_before {
            Some(Bound::Moment(moment)) => moment.max(self.scheduled_at),
            _ => self.scheduled_at,
        };
        check_distance("not_before", start, now)?;
        let over = self.ends().is_some_and(|end| end <= start.max(now));
        if over || self.hours_are_none() {
            return Err(Error::invalid(
                "not_after",
                "send a time later than scheduled_at and not_before, and not over",
            ));
        }
        let open = next_open(start.max(now), &self.zone(rules)?, &[&rules.hours, &self.hours()]);
        match open {
            Some(open) if self.ends().is_none_or(|end| open < end) => Ok(open),
            _ => {
                let message =
                    "the calling hours ([dial] hours and holidays, not_before, not_after) leave no time to call";
                Err(Error::invalid("scheduled_at", message))
            }
        }
    }

    /// When it is too late for good.
    pub(crate) fn ends(&self) -> Option<Timestamp> {
        match self.not_after {
            Some(Bound::Moment(moment)) => Some(moment),
            _ => None,
        }
    }

    /// Hours of every day.
    pub(crate) fn hours(&self) -> CallingHours {
        match self.daily() {
            (None, None) => CallingHours::default(),
            (from, until) => CallingHours::daily(from.unwrap_or(0), until.unwrap_or(DAY)),
        }
    }

    /// Where the recipients are.
    pub(crate) fn zone(&self, rules: &Scheduling) -> Result<TimeZone, Error> {
        match &self.time_zone {
            Some(name) => zone(name),
            None => Ok(rules.time_zone.clone().unwrap_or(TimeZone::UTC)),
        }
    }

    fn hours_are_none(&self) -> bool {
        let (from, until) = self.daily();
        from == Some(DAY) || until == Some(0) || from.is_some() && from == until
    }

    fn daily(&self) -> (Option<u16>, Option<u16>) {
        let daily = |bound| match bound {
            Some(Bound::Daily(minutes)) => Some(minutes),
            _ => None,
        };
        (daily(self.not_before), daily(self.not_after))
    }
}

impl Bound {
    /// As it is kept and shown; [`bound`] reads it in any zone.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Daily(minutes) => format!("{:02}:{:02}", minutes / 60, minutes % 60),
            Self::Moment(moment) => clock::rfc3339(moment),
        }
    }
}

fn check_distance(field: &str, moment: Timestamp, now: Timestamp) -> Result<(), Error> {
    if moment.duration_since(now) > SignedDuration::from_hours(24 * FARTHEST_DAYS) {
        return Err(Error::invalid(field, format!("send a time within {FARTHEST_DAYS} days")));
    }
    Ok(())
}

fn zone(name: &str) -> Result<TimeZone, Error> {
    TimeZone::get(name).map_err(|_| {
        Error::invalid("time_zone", "send a name of the IANA time zone database, such as \"Europe/Berlin\" or \"UTC\"")
    })
}

fn bound(field: &str, text: &str, zone: Option<&TimeZone>) -> Result<Bound, Error> {
    match calling_hours::minutes(text) {
        Some(minutes) => Ok(Bound::Daily(minutes)),
        None => moment(field, text, zone).map(Bound::Moment).map_err(|_| {
            Error::invalid(
                field,
                "send a time of the day (\"09:00\"), or a day and time as RFC 3339 (\"2027-03-01T09:00:00+01:00\")",
            )
        }),
    }
}

fn moment(field: &str, text: &str, zone: Option<&TimeZone>) -> Result<Timestamp, Error> {
    // A zone in brackets behind it would be read and forgotten: ours has a field of its own.
    let plain = Some(text).filter(|text| !text.contains('['));
    if let Some(Ok(moment)) = plain.map(str::parse) {
        return Ok(moment);
    }
    // A day alone would be its midnight, which nobody means.
    let local = plain.filter(|text| text.contains(['T', 't', ' '])).and_then(|text| text.parse::<DateTime>().ok());
    match (local, zone) {
        (Some(local), Some(zone)) => zone.to_timestamp(local).map_err(|_| Error::invalid(field, "is out of range")),
        (Some(_), None) => {
            Err(Error::invalid(field, "send an offset with it (\"2027-03-01T09:00:00+01:00\"), or time_zone"))
        }
        (None, _) => Err(Error::invalid(
            field,
            "send RFC 3339 (\"2027-03-01T09:00:00+01:00\"), or a local time (\"2027-03-01T09:00\") with time_zone",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_time_counts_where_they_are_and_an_offset_counts_everywhere() {
        check("2026-12-01T10:00:00+01:00", None, "2026-12-01T09:00:00Z");
        check("2026-12-01T10:00:00Z", Some("Asia/Tokyo"), "2026-12-01T10:00:00Z");
        check("2026-12-01T10:00", Some("Asia/Tokyo"), "2026-12-01T01:00:00Z");
        check("2028-02-29T10:00", Some("europe/berlin"), "2028-02-29T09:00:00Z");
    }

    // In Berlin, 02:00 to 03:00 of 2027-03-28 does not exist, and 02:00 to 03:00 of 2027-10-31 comes twice.
    #[test]
    fn a_time_that_is_skipped_is_later_and_one_that_comes_twice_is_the_first() {
        check("2027-03-28T02:30", Some("Europe/Berlin"), "2027-03-28T01:30:00Z");
        check("2027-03-28T03:30", Some("Europe/Berlin"), "2027-03-28T01:30:00Z");
        check("2027-10-31T02:30", Some("Europe/Berlin"), "2027-10-31T00:30:00Z");
    }

    #[test]
    fn times_that_cannot_be_meant_are_refused_by_name() {
        for (wish, field) in [
            (Wish { scheduled_at: "tomorrow", ..Wish::default() }, "scheduled_at"),
            (Wish { scheduled_at: "2026-12-01", time_zone: Some("UTC"), ..Wish::default() }, "scheduled_at"),
            (Wish { scheduled_at: "2026-12-01T10:00", ..Wish::default() }, "scheduled_at"),
            (Wish { scheduled_at: "2027-02-29T10:00:00Z", ..Wish::default() }, "scheduled_at"),
            (Wish { scheduled_at: "2026-11-30T23:59:54Z", ..Wish::default() }, "scheduled_at"),
            (Wish { scheduled_at: "2029-12-01T00:00:00Z", ..Wish::default() }, "scheduled_at"),
            (Wish { time_zone: Some("Mars/Olympus"), ..good() }, "time_zone"),
            (Wish { time_zone: Some("../Berlin"), ..good() }, "time_zone"),
            (Wish { not_before: Some("9"), ..good() }, "not_before"),
            (Wish { not_before: Some("9000-01-01T00:00:00Z"), ..good() }, "not_before"),
            (Wish { scheduled_at: "2026-12-01T10:00[Asia/Tokyo]", time_zone: Some("UTC"), ..good() }, "scheduled_at"),
            (Wish { not_after: Some("25:00"), ..good() }, "not_after"),
            (Wish { not_after: Some("2026-12-01T10:00:00Z"), ..good() }, "not_after"),
            (Wish { not_before: Some("09:00"), not_after: Some("09:00"), ..good() }, "not_after"),
            (Wish { not_before: Some("12:00"), not_after: Some("2026-12-01T11:00:00Z"), ..good() }, "scheduled_at"),
        ] {
            let refused = read(wish).and_then(|when| when.first(now(), &rules())).unwrap_err();
            assert_eq!(named(&refused), field, "{wish:?}: {refused}");
        }
        assert!(read(Wish { scheduled_at: "2026-11-30T23:59:56Z", ..Wish::default() }).is_ok());
    }

    #[test]
    fn the_first_moment_is_within_hours_and_bounds() {
        let first = |wish: Wish<'_>| read(wish).unwrap().first(now(), &rules()).unwrap().to_string();
        assert_eq!(first(good()), "2026-12-01T10:00:00Z");
        assert_eq!(first(Wish { not_before: Some("12:30"), ..good() }), "2026-12-01T12:30:00Z");
        assert_eq!(first(Wish { not_after: Some("09:00"), ..good() }), "2026-12-02T00:00:00Z");
        let tokyo =
            Wish { time_zone: Some("Asia/Tokyo"), not_before: Some("9:00"), not_after: Some("19:00"), ..good() };
        assert_eq!(first(tokyo), "2026-12-02T00:00:00Z");
        let later = Wish { not_before: Some("2026-12-05T08:00:00Z"), ..good() };
        assert_eq!(first(later), "2026-12-05T08:00:00Z");
        assert_eq!(read(tokyo).unwrap().not_before.unwrap().text(), "09:00");
        assert_eq!(read(later).unwrap().not_before.unwrap().text(), "2026-12-05T08:00:00.000Z");
    }

    fn good() -> Wish<'static> {
        Wish { scheduled_at: "2026-12-01T10:00:00Z", ..Wish::default() }
    }

    fn now() -> Timestamp {
        "2026-12-01T00:00:00Z".parse().unwrap()
    }

    fn rules() -> Scheduling {
        Scheduling::default()
    }

    fn read(wish: Wish<'_>) -> Result<When, Error> {
        wish.read(now(), &rules())
    }

    fn named(error: &Error) -> &str {
        match error {
            Error::Invalid { field, .. } => field,
            other => panic!("{other}"),
        }
    }

    fn check(scheduled_at: &str, time_zone: Option<&str>, expected: &str) {
        let when = read(Wish { scheduled_at, time_zone, ..Wish::default() }).unwrap();
        assert_eq!(when.scheduled_at, expected.parse().unwrap(), "{scheduled_at} {time_zone:?}");
    }
}
