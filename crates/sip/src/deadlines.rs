//! Which deadline comes next, over all machines, without asking each of them.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use crate::transaction::TransactionKey;
use crate::{Deadline, RegistrationId, SessionId};

/// Whose deadline it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Waiting {
    Transaction(TransactionKey),
    Session(SessionId),
    Registration(RegistrationId),
}

/// The deadlines of all machines in order; a machine that was touched tells its new one.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    by_time: BTreeMap<(Instant, Waiting), &'static str>,
    /// Only looked up, so that its order tells nothing.
    of: HashMap<Waiting, Deadline>,
}

impl Deadlines {
    pub fn set(&mut self, who: Waiting, deadline: Option<Deadline>) {
        let before = match deadline {
            Some(deadline) => self.of.insert(who, deadline),
            None => self.of.remove(&who),
        };
        if before == deadline {
            return;
        }
        if let Some(Deadline { at, .. }) = before {
            self.by_time.remove(&(at, who));
        }
        if let Some(Deadline { at, timer }) = deadline {
            self.by_time.insert((at, who), timer);
        }
    }

    pub fn next(&self) -> Option<Deadline> {
        self.by_time.first_key_value().map(|((at, _), timer)| Deadline { at: *at, timer })
    }

    /// Takes one that is due. Its machine sets it anew.
    pub fn pop_due(&mut self, now: Instant) -> Option<Waiting> {
        let entry = self.by_time.first_entry().filter(|entry| entry.key().0 <= now)?;
        let (_, who) = entry.remove_entry().0;
        self.of.remove(&who);
        Some(who)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.by_time.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_earliest_comes_first_and_a_new_one_replaces_the_old() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let session = |id| Waiting::Session(SessionId(id));
        let mut deadlines = Deadlines::default();
        deadlines.set(session(1), Some(Deadline { at: at(1), timer: "one" }));
        deadlines.set(session(2), Some(Deadline { at: at(2), timer: "two" }));
        deadlines.set(session(1), Some(Deadline { at: at(3), timer: "three" }));
        assert_eq!(deadlines.next(), Some(Deadline { at: at(2), timer: "two" }));
        assert_eq!(deadlines.pop_due(at(1)), None);
        assert_eq!(deadlines.pop_due(at(4)), Some(session(2)));
        deadlines.set(session(1), None);
        assert_eq!((deadlines.len(), deadlines.of.len()), (0, 0));
    }
}
