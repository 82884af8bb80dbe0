//! Pure: no I/O, no clock.
//!
//! Slots that are offered, and which of them to take.
//!
//! The first slot that matches a wanted day, in the order of preference, and the wanted time of day
//! is taken. If none does, we ask once for the wanted one; after that, or when they have said that it
//! is not to be had, we take the wanted day at another time, else the wanted time on another day,
//! else the first. Such a booking is reported as `partial` when its day is not a wanted one.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use speech::words::say_ordinal;

use crate::spoken::{SpokenDate, SpokenTime, dates, month_name, say_time, times, weekday_name, weekday_named};
use crate::text::{has_any, words};

/// An offered slot, as far as it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Slot {
    pub(crate) date: Option<SpokenDate>,
    pub(crate) time: Option<SpokenTime>,
}

impl Slot {
    /// `Tuesday December first at ten thirty`.
    pub(crate) fn spoken(self) -> String {
        let day = self.date.map(|date| {
            let mut parts = Vec::new();
            parts.extend(date.weekday.map(|day| weekday_name(day).to_owned()));
            parts.extend(date.month.map(|month| month_name(month).to_owned()));
            parts.extend(date.day.map(|day| {
                let day = say_ordinal(day.unsigned_abs().into());
                if date.month.is_some() { day } else { format!("the {day}") }
            }));
            parts.join(" ")
        });
        match (day, self.time) {
            (Some(day), Some(time)) => format!("{day} at {}", say_time(time)),
            (Some(day), None) => day,
            (None, Some(time)) => say_time(time),
            (None, None) => "that".to_owned(),
        }
    }

    fn weekday(self, today: Date) -> Option<Weekday> {
        let date = self.date?;
        date.weekday.or_else(|| date.resolve(today).map(Date::weekday))
    }
}

/// All slots named in a turn, in order. A time without a day of its own belongs to the day before it.
pub(crate) fn slots(heard: &[String]) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    let mut marks: Vec<(usize, Option<SpokenDate>, Option<SpokenTime>)> =
        dates(heard).into_iter().map(|(range, date)| (range.start, Some(date), None)).collect();
    marks.extend(times(heard).into_iter().map(|(range, time)| (range.start, None, Some(time))));
    marks.sort_by_key(|(at, ..)| *at);
    let mut day: Option<(SpokenDate, bool)> = None;
    let mut time_waiting: Option<SpokenTime> = None;
    for (_, date, time) in marks {
        if let Some(date) = date {
            if let Some(time) = time_waiting.take() {
                // "ten thirty on tuesday"
                slots.push(Slot { date: Some(date), time: Some(time) });
                day = Some((date, true));
                continue;
            }
            match day {
                // "tuesday … december first": two names of one day.
                Some((known, false)) if known.month.is_none() && date.weekday.is_none() => {
                    day = Some((SpokenDate { weekday: known.weekday, ..date }, false))
                }
                Some((known, false)) => {
                    slots.push(Slot { date: Some(known), time: None });
                    day = Some((date, false));
                }
                _ => day = Some((date, false)),
            }
        }
        if let Some(time) = time {
            match &mut day {
                Some((date, used)) => {
                    slots.push(Slot { date: Some(*date), time: Some(time) });
                    *used = true;
                }
                None => {
                    if let Some(earlier) = time_waiting.replace(time) {
                        slots.push(Slot { date: None, time: Some(earlier) });
                    }
                }
            }
        }
    }
    slots.extend(time_waiting.map(|time| Slot { date: None, time: Some(time) }));
    if let Some((date, false)) = day {
        slots.push(Slot { date: Some(date), time: None });
    }
    slots
}

/// What we would like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preference {
    /// In order; empty when any day will do.
    days: Vec<Weekday>,
    dates: Vec<SpokenDate>,
    hours: Option<(u8, u8)>,
    /// As given, for asking.
    day_words: Option<String>,
    time_words: Option<String>,
}

/// What to do with an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Accept(Slot),
    /// Say this instead.
    AskFor(String),
}

impl Preference {
    pub(crate) fn new(facts: &BTreeMap<String, String>, goal: &str) -> Self {
        let day_words = facts.get("day").cloned().or_else(|| facts.get("date").cloned());
        let source = words(day_words.as_deref().unwrap_or(goal));
        let found = dates(&source);
        let days = source.iter().filter_map(|word| weekday_named(word)).collect();
        let named_dates = found.iter().map(|(_, date)| *date).filter(|date| date.day.is_some()).collect();
        let time_words = facts.get("time_of_day").or_else(|| facts.get("time")).cloned();
        let time_source = words(time_words.as_deref().unwrap_or(goal));
        let exact = time_words.as_ref().and_then(|_| times(&time_source).first().map(|(_, time)| time.hour));
        let hours = if has_any(&time_source, &["morning", "mornings"]) {
            Some((6, 12))
        } else if has_any(&time_source, &["afternoon", "afternoons"]) {
            Some((12, 17))
        } else if has_any(&time_source, &["evening", "evenings"]) {
            Some((17, 22))
        } else {
            let range = |hour| {
                if has_any(&time_source, &["after"]) {
                    (hour, 24)
                } else if has_any(&time_source, &["before"]) {
                    (0, hour)
                } else {
                    (hour, hour + 1)
                }
            };
            exact.map(range)
        };
        Self { days, dates: named_dates, hours, day_words, time_words }
    }

    /// Is the day a wanted one (or none was named)?
    pub(crate) fn day_fits(&self, slot: Slot, today: Date) -> bool {
        self.rank(slot, today).is_some()
    }

    /// The place of a slot's day among the wanted ones.
    fn rank(&self, slot: Slot, today: Date) -> Option<usize> {
        if self.days.is_empty() && self.dates.is_empty() {
            return Some(0);
        }
        // An offer without a day is about the day we asked for.
        let Some(date) = slot.date else { return Some(0) };
        if let Some(at) = self.dates.iter().position(|wanted| {
            wanted.day == date.day && (wanted.month == date.month || wanted.month.is_none() || date.month.is_none())
        }) {
            return Some(at);
        }
        if !self.dates.is_empty() && date.day.is_some() {
            return None;
        }
        let weekday = slot.weekday(today)?;
        self.days.iter().position(|wanted| *wanted == weekday)
    }

    fn time_fits(&self, slot: Slot) -> bool {
        match (self.hours, slot.time) {
            (Some((from, to)), Some(time)) => (from..to).contains(&time.hour),
            _ => true,
        }
    }

    /// Which slot to take; `insist` while asking for the wanted one is still worth it.
    pub(crate) fn choose(&self, slots: &[Slot], today: Date, insist: bool) -> Option<Answer> {
        let best = slots
            .iter()
            .filter(|slot| self.time_fits(**slot))
            .filter_map(|slot| self.rank(*slot, today).map(|rank| (rank, *slot)))
            .min_by_key(|(rank, _)| *rank);
        if let Some((_, slot)) = best {
            return Some(Answer::Accept(slot));
        }
        let first = *slots.first()?;
        if insist && let Some(wish) = self.wish() {
            return Some(Answer::AskFor(format!("Do you have anything {wish}?")));
        }
        let nearest = slots
            .iter()
            .copied()
            .find(|slot| self.day_fits(*slot, today))
            .or_else(|| slots.iter().copied().find(|slot| self.time_fits(*slot)))
            .unwrap_or(first);
        Some(Answer::Accept(nearest))
    }

    fn wish(&self) -> Option<String> {
        let day = match (&self.day_words, self.days.is_empty()) {
            (Some(words), _) => {
                Some(format!("on {}", words.split(',').map(str::trim).collect::<Vec<_>>().join(" or ")))
            }
            (None, false) => {
                Some(format!("on {}", self.days.iter().map(|day| weekday_name(*day)).collect::<Vec<_>>().join(" or ")))
            }
            (None, true) => None,
        };
        let time = match (&self.time_words, self.hours) {
            (Some(words), _) if matches!(words.trim(), "morning" | "afternoon" | "evening") => {
                Some(format!("in the {}", words.trim()))
            }
            (Some(words), _) => Some(words.trim().to_owned()),
            (None, Some((6, _))) => Some("in the morning".to_owned()),
            (None, Some((12, _))) => Some("in the afternoon".to_owned()),
            (None, Some(_)) => Some("in the evening".to_owned()),
            (None, None) => None,
        };
        match (day, time) {
            (None, None) => None,
            (day, time) => Some([day, time].into_iter().flatten().collect::<Vec<_>>().join(" ")),
        }
    }
}

/// They say that what we asked for is not to be had.
pub(crate) fn is_unavailable(heard: &[String]) -> bool {
    has_any(
        heard,
        &[
            "dont have anything",
            "do not have anything",
            "nothing on",
            "nothing available",
            "no openings",
            "no opening",
            "fully booked",
            "all booked",
            "booked up",
            "not available",
            "isnt available",
            "unavailable",
            "nothing in the",
            "dont have any",
            "only have",
            "all i have",
            "unfortunately",
            "afraid",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = Date::constant(2026, 11, 21);

    fn check(day: &str, time_of_day: &str, offer: &str, insist: bool, expected: &str) {
        let facts = [("day", day), ("time_of_day", time_of_day)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let answer = Preference::new(&facts, "Book an appointment").choose(&slots(&words(offer)), TODAY, insist);
        let found = match answer {
            Some(Answer::Accept(slot)) => slot.spoken(),
            Some(Answer::AskFor(text)) => text,
            None => String::new(),
        };
        assert_eq!(found, expected, "{offer}");
    }

    #[test]
    fn the_slot_that_matches_is_taken() {
        let offer = "i have tuesday december first at ten thirty or thursday december third at two fifteen";
        check("Tuesday", "morning", offer, true, "Tuesday December first at ten thirty");
        check("Thursday", "", offer, true, "Thursday December third at two fifteen");
        check("Thursday, Tuesday", "", offer, true, "Thursday December third at two fifteen");
        check("", "afternoon", offer, true, "Thursday December third at two fifteen");
        check("", "", offer, true, "Tuesday December first at ten thirty");
        check(
            "Tuesday",
            "",
            "i can do december first at nine or at eleven fifteen",
            true,
            "December first at nine o'clock",
        );
        check("Tuesday", "morning", "on tuesday i have two thirty or ten fifteen", true, "Tuesday at ten fifteen");
        check("Tuesday", "", "how about ten thirty on tuesday", true, "Tuesday at ten thirty");
        check("Tuesday", "morning", "i have nine thirty or eleven", true, "nine thirty");
        let misheard =
            "i have monday january twenty fifth at four fifteen in the afternoon or press nine thirty in the morning";
        check("Monday", "afternoon", misheard, true, "Monday January twenty fifth at four fifteen");
    }

    #[test]
    fn another_is_asked_for_once_then_the_nearest_is_taken() {
        let offer = "i have wednesday at nine or tuesday at three";
        check("Tuesday", "morning", offer, true, "Do you have anything on Tuesday in the morning?");
        check("Tuesday", "morning", offer, false, "Tuesday at three o'clock");
        check("Friday", "morning", offer, false, "Wednesday at nine o'clock");
        check("Friday", "evening", offer, false, "Wednesday at nine o'clock");
    }
}
