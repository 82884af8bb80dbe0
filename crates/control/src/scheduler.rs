//! Calls that are made later: kept, dialed when they are due, made again by rule.
//!
//! ```text
//!  POST /v1/scheduled-calls ─▶ scheduled_calls ─▶ store        who is dialed now, and when we look again: plan and
//!                                   bell │          ▲           calling_hours (pure); what follows an end: retry (pure)
//!                                        ▼          │
//!                              place_due_calls ─────┴─▶ Calls::place_attempt ─▶ carry ─▶ bell, when the call has ended
//! ```
//!
//! A call is made at most once. Who is due is leased, so that no two programs on one database get the same. Then the
//! attempt and the record of its call, as `queued`, are written in one transaction, before anything is dialed, and an
//! attempt of that number can be written once. What a crash leaves without an end becomes `interrupted` at the next start
//! ([`crate::Control::new`]), and the retry rule decides as after any other end.

mod calling_hours;
mod place_due_calls;
mod plan;
pub(crate) mod request;
mod retry;
pub(crate) mod scheduled_call;
mod scheduled_calls;
mod when;

pub use calling_hours::{CallingHours, Holiday, Opening};
pub(crate) use place_due_calls::run;
pub(crate) use scheduled_calls::{SCHEDULED_PREFIX, location};

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What goes on between the calls of this program and those that are to come.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    /// There may be something to do.
    bell: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Attempts whose calls have not ended, by the ids of these.
    out: BTreeMap<String, Going>,
    /// Those that have ended and are not settled.
    ended: VecDeque<(String, Going)>,
    /// Somebody is due and waits for a line.
    waiting: bool,
}

/// An attempt that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Going {
    /// To reach whom.
    pub(crate) recipient_id: String,
    /// From 1.
    pub(crate) attempt: i64,
    /// Who talks to them.
    pub(crate) agent_id: String,
}

impl Scheduler {
    /// Something is scheduled otherwise than before.
    pub(crate) fn changed(&self) {
        self.bell.notify_one();
    }

    /// An attempt is made by this call.
    pub(crate) fn made(&self, call_id: &str, going: Going) {
        self.state().out.insert(call_id.to_owned(), going);
    }

    /// A call has ended, of whatever kind.
    pub(crate) fn ended(&self, call_id: &str) {
        let mut state = self.state();
        match state.out.remove(call_id) {
            Some(going) => state.ended.push_back((call_id.to_owned(), going)),
            None if !state.waiting => return,
            None => {}
        }
        self.bell.notify_one();
    }

    /// An attempt that has ended and is to be settled.
    fn next_ended(&self) -> Option<(String, Going)> {
        self.state().ended.pop_front()
    }

    /// An attempt that could not be settled.
    fn put_back(&self, call_id: String, going: Going) {
        self.state().ended.push_front((call_id, going));
    }

    /// Whether an attempt to reach this recipient is made here.
    fn has(&self, recipient_id: &str) -> bool {
        let state = self.state();
        let ended = state.ended.iter().map(|(_, going)| going);
        state.out.values().chain(ended).any(|going| going.recipient_id == recipient_id)
    }

    /// The recipients whom attempts that are made here, or not settled yet, are to reach.
    fn recipients(&self) -> Vec<String> {
        let state = self.state();
        let ended = state.ended.iter().map(|(_, going)| going);
        state.out.values().chain(ended).map(|going| going.recipient_id.clone()).collect()
    }

    /// How many calls each agent has.
    fn by_agent(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for going in self.state().out.values() {
            *counts.entry(going.agent_id.clone()).or_default() += 1;
        }
        counts
    }

    /// Every attempt has been settled.
    fn is_quiet(&self) -> bool {
        let state = self.state();
        state.out.is_empty() && state.ended.is_empty()
    }

    /// From now on the end of any call is news, or is none.
    fn waits_for_lines(&self, waits: bool) {
        self.state().waiting = waits;
    }

    /// Resolves when there may be something to do.
    async fn rung(&self) {
        self.bell.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_call_is_news_where_somebody_waits_for_it() {
        let scheduler = Scheduler::default();
        let rings = async || timeout(Duration::ZERO, scheduler.rung()).await.is_ok();
        scheduler.ended("call_of_others");
        assert!(!rings().await);
        scheduler.waits_for_lines(true);
        scheduler.ended("call_of_others");
        assert!(rings().await && !rings().await);

        scheduler.waits_for_lines(false);
        let going = Going { recipient_id: "recipient_1".into(), attempt: 1, agent_id: "default".into() };
        scheduler.made("call_1", going.clone());
        assert_eq!(scheduler.by_agent(), BTreeMap::from([("default".to_owned(), 1)]));
        scheduler.ended("call_1");
        assert!(rings().await);
        // It has no line any more, and is ours until it is settled.
        assert!(scheduler.by_agent().is_empty() && scheduler.has("recipient_1") && !scheduler.is_quiet());
        assert_eq!(scheduler.next_ended(), Some(("call_1".to_owned(), going)));
        assert!(!scheduler.has("recipient_1") && scheduler.recipients().is_empty() && scheduler.is_quiet());
    }
}
