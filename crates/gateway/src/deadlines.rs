//! Pure: no I/O, no clock.
//!
//! [`Deadlines`]: which stream is to be served when, the soonest first.

use std::collections::VecDeque;
use std::time::Instant;

/// A deadline for each stream at most, in order. Most are a slot ahead, so that one is put in behind the others.
#[derive(Debug, Default)]
pub(crate) struct Deadlines(VecDeque<(Instant, usize)>);

impl Deadlines {
    /// Makes room for so many streams: as long as there are no more, nothing is allocated.
    pub(crate) fn make_room(&mut self, streams: usize) {
        self.0.reserve(streams.saturating_sub(self.0.len()));
    }

    /// The soonest.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.front().map(|(at, _)| *at)
    }

    /// Takes the soonest, if its time has come: since when, and which stream.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(Instant, usize)> {
        let is_due = self.next().is_some_and(|at| at <= now);
        if is_due { self.0.pop_front() } else { None }
    }

    /// This stream is to be served then.
    pub(crate) fn insert(&mut self, at: Instant, stream: usize) {
        if let Err(place) = self.0.binary_search(&(at, stream)) {
            self.0.insert(place, (at, stream));
        }
    }

    /// It is not, then.
    pub(crate) fn remove(&mut self, at: Instant, stream: usize) {
        if let Ok(place) = self.0.binary_search(&(at, stream)) {
            self.0.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn streams_come_when_they_are_due_and_the_soonest_first() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::default();
        for (ms, stream) in [(40, 1), (20, 2), (60, 3), (20, 4), (30, 5)] {
            deadlines.insert(at(ms), stream);
        }
        deadlines.remove(at(30), 5);
        deadlines.remove(at(30), 6);
        assert_eq!(deadlines.next(), Some(at(20)));
        assert_eq!(deadlines.pop(at(19)), None);
        let due: Vec<_> = std::iter::from_fn(|| deadlines.pop(at(40))).collect();
        assert_eq!(due, [(at(20), 2), (at(20), 4), (at(40), 1)]);
        assert_eq!(deadlines.next(), Some(at(60)));
    }

    #[test]
    fn the_deadlines_of_as_many_streams_as_there_was_room_made_for_move_without_allocating() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        deadlines.make_room(100);
        let room = deadlines.0.capacity();
        (0..100).for_each(|stream| deadlines.insert(start, stream));
        for turn in 0..100_000 {
            let now = start + Duration::from_secs(turn);
            let (at, stream) = deadlines.pop(now).expect("due long ago");
            deadlines.make_room(100);
            deadlines.insert(at + Duration::from_millis(1 + turn % 3), stream);
        }
        assert_eq!((deadlines.0.len(), deadlines.0.capacity()), (100, room));
    }
}
