//! [`Outbox`]: packets that wait for the shell to take them.

use super::Transmit;

/// Packets that wait at most; beyond, the oldest is lost.
const LIMIT: usize = 16;
/// Those of one slot, for which there is room from the start: what is said, and a report.
const USUAL: usize = 2;

/// A queue of which an empty one begins again where it began, and which copies no more of a packet than its bytes: with a
/// thousand calls nothing of it is in a cache when it is needed.
#[derive(Debug)]
pub(super) struct Outbox {
    slots: Vec<Transmit>,
    /// Those taken, and those put in, since it was empty.
    taken: usize,
    filled: usize,
}

impl Outbox {
    pub fn new() -> Self {
        Self { slots: vec![Transmit::default(); USUAL], taken: 0, filled: 0 }
    }

    /// Puts a packet behind the others.
    pub fn push(&mut self, transmit: &Transmit) {
        if self.filled == LIMIT {
            let lost = usize::from(self.taken == 0);
            self.slots.rotate_left(self.taken + lost);
            self.filled -= self.taken + lost;
            self.taken = 0;
        }
        if self.filled == self.slots.len() {
            self.slots.push(Transmit::default());
        }
        self.slots[self.filled].copy_from(transmit);
        self.filled += 1;
    }

    /// Gives the oldest; false if there is none.
    pub fn pop(&mut self, into: &mut Transmit) -> bool {
        let is_any = self.taken < self.filled;
        if is_any {
            into.copy_from(&self.slots[self.taken]);
            self.taken += 1;
        }
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, 0);
        }
        is_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: usize) -> Transmit {
        let mut transmit = Transmit { len: 1 + number % 5, ..Transmit::default() };
        transmit.packet[0] = number as u8;
        transmit
    }

    fn numbers(outbox: &mut Outbox, count: usize) -> Vec<u8> {
        let mut transmit = Transmit::default();
        let taken = std::iter::from_fn(|| outbox.pop(&mut transmit).then(|| (transmit.bytes()[0], transmit.len)));
        let taken: Vec<_> = taken.take(count).collect();
        assert!(taken.iter().all(|(number, len)| *len == 1 + usize::from(*number) % 5));
        taken.into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn packets_leave_in_order_and_of_too_many_the_oldest_are_lost() {
        let mut outbox = Outbox::new();
        (0..3).for_each(|number| outbox.push(&packet(number)));
        assert_eq!(numbers(&mut outbox, 2), [0, 1]);
        (3..17).for_each(|number| outbox.push(&packet(number)));
        assert_eq!(numbers(&mut outbox, 1), [2]);
        (17..21).for_each(|number| outbox.push(&packet(number)));
        assert_eq!(numbers(&mut outbox, 99), (5..21).collect::<Vec<u8>>());
        assert_eq!(numbers(&mut outbox, 1), []);
        outbox.push(&packet(9));
        assert_eq!(numbers(&mut outbox, 2), [9]);
        assert_eq!(outbox.slots.len(), LIMIT);
    }
}
