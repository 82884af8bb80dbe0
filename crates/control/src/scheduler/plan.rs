//! Pure: no I/O, no clock.
//! [`plan`]: whom to call now and in which order, and when to look again.
//!
//! It is told what time it is, who waits and what the rules are, and it decides everything: priorities, limits of trunks
//! and agents, hours and prefixes, which are all looked at again at the moment of dialing.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::calling_hours::{CallingHours, next_open};
use crate::target;

/// Somebody to be called.
#[derive(Debug, Clone)]
pub(crate) struct Job<Id> {
    /// The recipient.
    pub(crate) id: Id,
    /// Whom.
    pub(crate) to: String,
    /// The greatest comes first.
    pub(crate) priority: i64,
    /// Not before.
    pub(crate) due: Timestamp,
    /// Not at this time or later.
    pub(crate) not_after: Option<Timestamp>,
    /// Where they are.
    pub(crate) zone: TimeZone,
    /// Hours of this job alone.
    pub(crate) hours: CallingHours,
    /// By which trunk.
    pub(crate) trunk: String,
    /// With which agent.
    pub(crate) agent: String,
}

/// What binds all jobs.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    /// Prefixes of `[dial] allow`.
    pub(crate) allow: &'a [String],
    /// Hours of `[dial] hours`.
    pub(crate) hours: &'a CallingHours,
    /// Calls that may begin now.
    pub(crate) free: Free,
}

/// Calls that may begin now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Free {
    /// Of all trunks together.
    pub(crate) lines: usize,
    /// By trunk; one that is not named has no limit of its own.
    pub(crate) trunks: BTreeMap<String, usize>,
    /// By agent; likewise.
    pub(crate) agents: BTreeMap<String, usize>,
}

impl Free {
    /// Takes a line for a job, if there is one.
    fn take<Id>(&mut self, job: &Job<Id>) -> bool {
        let trunk = self.trunks.get_mut(&job.trunk);
        let agent = self.agents.get_mut(&job.agent);
        let counts: Vec<&mut usize> = [Some(&mut self.lines), trunk, agent].into_iter().flatten().collect();
        if counts.iter().any(|count| **count == 0) {
            return false;
        }
        counts.into_iter().for_each(|count| *count -= 1);
        true
    }
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan<Id> {
    /// To be dialed, in this order.
    pub(crate) start: Vec<Id>,
    /// Due, but not to be called before this time.
    pub(crate) postpone: Vec<(Id, Timestamp)>,
    /// Not to be called any more.
    pub(crate) give_up: Vec<(Id, GiveUp)>,
    /// When there is something to do again by itself. Who waits for a line is not meant: they are looked at when a call
    /// ends.
    pub(crate) wake_at: Option<Timestamp>,
}

/// Why somebody is not called any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GiveUp {
    #[error("no prefix of [dial] allow covers the number any more")]
    NotAllowed,
    #[error("the time to call (not_after) was over")]
    TooLate,
    #[error("the calling hours leave no time to call")]
    NoHours,
}

/// Decides.
pub(crate) fn plan<Id: Clone + Ord>(now: Timestamp, jobs: &[Job<Id>], rules: Rules<'_>) -> Plan<Id> {
    let mut plan = Plan { start: Vec::new(), postpone: Vec::new(), give_up: Vec::new(), wake_at: None };
    let mut free = rules.free;
    let mut waiting: Vec<&Job<Id>> = jobs.iter().collect();
    waiting.sort_by_key(|job| (Reverse(job.priority), job.due, job.id.clone()));
    for job in waiting {
        if job.due > now {
            plan.wake_by(job.due);
            continue;
        }
        let end = job.not_after.unwrap_or(Timestamp::MAX);
        if !target::is_allowed(&job.to, rules.allow) {
            plan.give_up.push((job.id.clone(), GiveUp::NotAllowed));
        } else if end <= now {
            plan.give_up.push((job.id.clone(), GiveUp::TooLate));
        } else {
            match next_open(now, &job.zone, &[rules.hours, &job.hours]) {
                None => plan.give_up.push((job.id.clone(), GiveUp::NoHours)),
                Some(open) if open >= end => plan.give_up.push((job.id.clone(), GiveUp::TooLate)),
                Some(open) if open > now => {
                    plan.wake_by(open);
                    plan.postpone.push((job.id.clone(), open));
                }
                Some(_) if free.take(job) => plan.start.push(job.id.clone()),
                // Should no line become free before, it is too late then.
                Some(_) if end < Timestamp::MAX => plan.wake_by(end),
                Some(_) => {}
            }
        }
    }
    plan
}

impl<Id> Plan<Id> {
    fn wake_by(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_dialed_by_priority_then_by_time_and_the_next_is_waited_for() {
        let jobs = [
            Job { due: at("09:03"), ..job(1) },
            Job { due: at("09:00"), ..job(2) },
            Job { due: at("08:00"), ..job(3) },
            Job { due: at("08:59"), priority: 5, ..job(4) },
            Job { due: at("08:00"), ..job(5) },
        ];
        let plan = planned("09:00", &jobs, many());
        assert_eq!((plan.start, plan.wake_at), (vec![4, 3, 5, 2], Some(at("09:03"))));
    }

    #[test]
    fn a_time_is_kept_to_the_millisecond() {
        let jobs = [Job { due: at("09:00"), ..job(1) }];
        let before = planned_at(at("09:00") - jiff::SignedDuration::from_millis(1), &jobs, many());
        assert_eq!((before.start, before.wake_at), (vec![], Some(at("09:00"))));
        assert_eq!(planned("09:00", &jobs, many()).start, [1]);
    }

    #[test]
    fn an_hour_that_the_clock_jumps_is_made_up_for_or_waited_out() {
        let jobs = [Job { due: at("09:30"), ..job(1) }, Job { due: at("10:30"), ..job(2) }];
        // Set forward from 09:00 to 10:00, and back again.
        assert_eq!(planned("10:00", &jobs, many()).start, [1]);
        assert_eq!(planned("09:00", &jobs[1..], many()).wake_at, Some(at("10:30")));
    }

    #[test]
    fn no_trunk_and_no_agent_gets_more_calls_than_it_may_have() {
        let on = |id, trunk: &str, agent: &str| Job { trunk: trunk.into(), agent: agent.into(), ..job(id) };
        let jobs =
            [on(1, "a", "x"), on(2, "a", "x"), on(3, "b", "x"), on(4, "b", "y"), on(5, "b", "y"), on(6, "c", "z")];
        let limit = |name: &str, free| (name.to_owned(), free);
        let free = Free {
            lines: 4,
            trunks: BTreeMap::from([limit("a", 1)]),
            agents: BTreeMap::from([limit("x", 2), limit("y", 1)]),
        };
        let plan = planned("09:00", &jobs, free);
        assert_eq!((plan.start, plan.wake_at), (vec![1, 3, 4, 6], None));
        assert_eq!(planned("09:00", &jobs, Free { lines: 0, ..many() }).start, [0; 0]);
    }

    #[test]
    fn nobody_is_called_after_eight_in_the_evening_of_their_own_time_zone() {
        let hours = CallingHours { open: vec!["09:00-20:00".parse().unwrap()], ..CallingHours::default() };
        let zone = |name| TimeZone::get(name).unwrap();
        let jobs = [Job { zone: zone("Europe/Berlin"), ..job(1) }, Job { zone: zone("America/New_York"), ..job(2) }];
        let allow = ["+1".to_owned()];
        let plan_at = |time| plan(at(time), &jobs, Rules { allow: &allow, hours: &hours, free: many() });
        assert_eq!(plan_at("18:30").start, [1, 2]);
        let evening = plan_at("19:00");
        assert_eq!(evening.start, [2]);
        let morning = "2026-12-02T08:00Z".parse().unwrap();
        assert_eq!((evening.postpone, evening.wake_at), (vec![(1, morning)], Some(morning)));
    }

    #[test]
    fn policy_is_looked_at_again_when_a_call_is_due() {
        let until = |time| Some(at(time));
        let jobs = [
            Job { to: "+4420".into(), ..job(1) },
            Job { not_after: until("09:00"), ..job(2) },
            Job { not_after: until("09:01"), ..job(3) },
            Job { not_after: until("12:00"), hours: CallingHours::daily(13 * 60, 14 * 60), ..job(4) },
        ];
        let plan = planned("09:00", &jobs, many());
        assert_eq!(plan.start, [3]);
        assert_eq!(plan.give_up, [(1, GiveUp::NotAllowed), (2, GiveUp::TooLate), (4, GiveUp::TooLate)]);
        // Who waits for a line is looked at again when it is too late for one.
        let full = planned("09:00", &jobs[2..3], Free { lines: 0, ..many() });
        assert_eq!((full.start, full.wake_at), (vec![], until("09:01")));
    }

    fn job(id: u32) -> Job<u32> {
        Job {
            id,
            to: "+12025550123".into(),
            priority: 0,
            due: at("08:00"),
            not_after: None,
            zone: TimeZone::UTC,
            hours: CallingHours::default(),
            trunk: "carrier".into(),
            agent: "default".into(),
        }
    }

    fn many() -> Free {
        Free { lines: 100, trunks: BTreeMap::new(), agents: BTreeMap::new() }
    }

    fn at(time: &str) -> Timestamp {
        format!("2026-12-01T{time}Z").parse().unwrap()
    }

    fn planned(time: &str, jobs: &[Job<u32>], free: Free) -> Plan<u32> {
        planned_at(at(time), jobs, free)
    }

    fn planned_at(now: Timestamp, jobs: &[Job<u32>], free: Free) -> Plan<u32> {
        plan(now, jobs, Rules { allow: &["+1".to_owned()], hours: &CallingHours::default(), free })
    }
}
