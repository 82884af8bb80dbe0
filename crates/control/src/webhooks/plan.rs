//! Pure: no I/O, no clock.
//! [`plan`]: which events a webhook is told of now, in which order, and when to look again.
//!
//! Events of one call are a lane: one is sent after the other, and none before one that waits. Lanes do not wait for
//! each other; an event of no call is a lane of its own. One that ails is tried with a single event.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// How a webhook stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Attempts in a row that found it ailing.
    pub(super) failures: u32,
    /// It is not tried before.
    pub(super) retry_at: Option<Timestamp>,
}

impl Standing {
    /// It ails, and nothing is planned for it until then.
    pub(super) fn waits_until(self, now: Timestamp) -> Option<Timestamp> {
        self.retry_at.filter(|at| *at > now)
    }
}

/// An event that was not taken, or waits behind one of its call that was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) event_id: String,
    pub(super) call_id: Option<String>,
    /// Not before.
    pub(super) due: Timestamp,
}

/// An event of the journal that has not been seen to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fresh {
    pub(super) event_id: String,
    pub(super) call_id: Option<String>,
    /// It is of a type that the webhook is told of.
    pub(super) is_wanted: bool,
}

/// What to do now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// To be sent, each lane in its order.
    pub(super) lanes: Vec<Vec<String>>,
    /// They wait from now on, behind one of their call that does.
    pub(super) held: Vec<String>,
    /// When all of that is done, fresh events up to this one have been seen to.
    pub(super) through: Option<String>,
    /// When there is something to do again by itself.
    pub(super) wake_at: Option<Timestamp>,
}

/// Decides for one that does not wait until later. `waiting` and `fresh` are in the order of their events; more than
/// `room` are not to wait.
pub(super) fn plan(now: Timestamp, standing: Standing, waiting: &[Waiting], fresh: &[Fresh], room: usize) -> Plan {
    let mut lanes = Lanes::default();
    let mut plan = Plan::default();
    let mut waits = waiting.len();
    for one in waiting {
        let lane = lanes.of(&one.event_id, one.call_id.as_deref());
        // Those behind the first of a lane are due when it is.
        if lane.events.is_empty() && !lane.is_blocked && one.due > now {
            lane.is_blocked = true;
            plan.wake_at = Some(plan.wake_at.map_or(one.due, |earlier| earlier.min(one.due)));
        }
        if !lane.is_blocked {
            lane.events.push(one.event_id.clone());
        }
    }
    for one in fresh {
        if one.is_wanted {
            // Each may have to wait; what there is no room for stays in the journal.
            if waits >= room {
                break;
            }
            waits += 1;
            let lane = lanes.of(&one.event_id, one.call_id.as_deref());
            match lane.is_blocked {
                false => lane.events.push(one.event_id.clone()),
                true => plan.held.push(one.event_id.clone()),
            }
        }
        plan.through = Some(one.event_id.clone());
    }
    plan.lanes = lanes.in_order();
    if standing.failures > 0 {
        // One is enough to see whether they are well again.
        plan.lanes.sort_by_key(|lane| waiting.iter().any(|one| one.event_id == lane[0]));
        if !plan.lanes.is_empty() {
            plan.lanes.truncate(1);
            plan.lanes[0].truncate(1);
            plan.held.clear();
            plan.through = None;
        }
    }
    plan
}

/// Lanes by their calls, in the order in which they were first met.
#[derive(Default)]
struct Lanes<'a> {
    by_key: BTreeMap<&'a str, usize>,
    lanes: Vec<Lane>,
}

#[derive(Default)]
struct Lane {
    events: Vec<String>,
    /// Its first one waits for its time.
    is_blocked: bool,
}

impl<'a> Lanes<'a> {
    fn of(&mut self, event_id: &'a str, call_id: Option<&'a str>) -> &mut Lane {
        let next = self.lanes.len();
        let n = *self.by_key.entry(call_id.unwrap_or(event_id)).or_insert(next);
        if n == next {
            self.lanes.push(Lane::default());
        }
        &mut self.lanes[n]
    }

    fn in_order(self) -> Vec<Vec<String>> {
        self.lanes.into_iter().map(|lane| lane.events).filter(|events| !events.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_call_go_one_after_the_other_and_calls_beside_each_other() {
        let fresh = [fresh("e1", "a"), fresh("e2", "b"), fresh("e3", ""), fresh("e4", "a"), fresh("e5", "")];
        let plan = planned(Standing::default(), &[], &fresh);
        assert_eq!(plan.lanes, [vec!["e1", "e4"], vec!["e2"], vec!["e3"], vec!["e5"]]);
        assert_eq!((plan.held.len(), plan.through.as_deref(), plan.wake_at), (0, Some("e5"), None));
    }

    #[test]
    fn what_is_not_wanted_is_passed() {
        let unwanted = |id| Fresh { is_wanted: false, ..fresh(id, "a") };
        let plan = planned(Standing::default(), &[], &[unwanted("e1"), fresh("e2", "a"), unwanted("e3")]);
        assert_eq!((plan.lanes, plan.through.as_deref()), (vec![vec!["e2".to_owned()]], Some("e3")));
    }

    #[test]
    fn nothing_of_a_call_goes_before_what_waits_of_it() {
        let waiting = [waiting("e1", "a", 60), waiting("e2", "b", 0), waiting("e3", "a", 0), waiting("e4", "b", 99)];
        let plan = planned(Standing::default(), &waiting, &[fresh("e5", "a"), fresh("e6", "b"), fresh("e7", "c")]);
        // What waits behind another goes with it.
        assert_eq!(plan.lanes, [vec!["e2", "e4", "e6"], vec!["e7"]]);
        assert_eq!((plan.held, plan.through.as_deref()), (vec!["e5".to_owned()], Some("e7")));
        assert_eq!(plan.wake_at, Some(at(60)));
    }

    #[test]
    fn when_too_much_waits_the_rest_stays_in_the_journal() {
        let waiting = [waiting("e1", "a", 60), waiting("e2", "a", 60)];
        let fresh = [fresh("e3", "b"), fresh("e4", "a"), fresh("e5", "a"), fresh("e6", "b")];
        let with_room = |room| plan(at(0), Standing::default(), &waiting, &fresh, room);
        let some = with_room(4);
        assert_eq!((some.lanes, some.held), (vec![vec!["e3".to_owned()]], vec!["e4".to_owned()]));
        assert_eq!(some.through.as_deref(), Some("e4"));
        let none = with_room(2);
        assert_eq!((none.lanes.len(), none.held.len(), none.through), (0, 0, None), "e3 may be refused, too");
    }

    #[test]
    fn one_that_ails_is_left_alone_and_then_tried_with_one_event() {
        let ailing = |second| Standing { failures: 3, retry_at: Some(at(second)) };
        let (waiting, fresh) = ([waiting("e1", "a", 0), waiting("e2", "b", 60)], [fresh("e3", "b"), fresh("e4", "c")]);
        assert_eq!([5, 0].map(|second| ailing(second).waits_until(at(0))), [Some(at(5)), None]);
        // One that was not tried before, if any: the others may be what ails them.
        let plan = planned(ailing(0), &waiting, &fresh);
        assert_eq!((plan.lanes, plan.held.len(), plan.through), (vec![vec!["e4".to_owned()]], 0, None));
        assert_eq!(planned(ailing(0), &waiting, &[]).lanes, [vec!["e1"]]);
        let plan = planned(ailing(0), &waiting[1..], &[]);
        assert_eq!((plan.lanes.len(), plan.wake_at), (0, Some(at(60))));
        // What is only to be passed or held needs no trial.
        let plan = planned(ailing(0), &waiting[1..], &fresh_of_b());
        assert_eq!((plan.held.len(), plan.through.as_deref()), (1, Some("e3")));
    }

    fn fresh_of_b() -> Vec<Fresh> {
        vec![fresh("e3", "b")]
    }

    fn planned(standing: Standing, waiting: &[Waiting], fresh: &[Fresh]) -> Plan {
        plan(at(0), standing, waiting, fresh, 100)
    }

    /// Of no call, when that is empty.
    fn fresh(id: &str, call: &str) -> Fresh {
        Fresh { event_id: id.into(), call_id: call_id(call), is_wanted: true }
    }

    fn waiting(id: &str, call: &str, second: i64) -> Waiting {
        Waiting { event_id: id.into(), call_id: call_id(call), due: at(second) }
    }

    fn call_id(call: &str) -> Option<String> {
        Some(call.to_owned()).filter(|call| !call.is_empty())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }
}
