//! Sequence numbers that have forgotten how to wrap (RFC 3550 §A.1), and what was lost among them.

/// Packets that may overtake a missing one before it counts as lost.
const REORDER_WINDOW: u64 = 64;
/// RFC 3550 §A.1 `MAX_DROPOUT`: a larger step forward is a restart of the sender.
const MAX_DROPOUT: u16 = 3000;

/// The sequence numbers of one source, extended to 64 bits.
#[derive(Debug, Clone, Default)]
pub struct ExtendedSequence {
    highest: Option<u64>,
    /// Bit n: `highest − n` was received (or lies before the first).
    seen: u64,
    lost: u64,
    /// The number that the source began with, and packets of it since, repeated ones too.
    first: u64,
    received: u64,
}

impl ExtendedSequence {
    /// Takes note of a packet; gives its extended number, or `None` when it came twice.
    pub fn arrive(&mut self, sequence: u16) -> Option<u64> {
        let Some(highest) = self.highest else {
            return Some(self.restart(sequence));
        };
        self.received += 1;
        let step = sequence.wrapping_sub(highest as u16);
        if step == 0 {
            return None;
        }
        if step < MAX_DROPOUT {
            let extended = highest + u64::from(step);
            self.advance(u64::from(step));
            self.highest = Some(extended);
            return Some(extended);
        }
        let back = u64::from(step.wrapping_neg());
        if back < REORDER_WINDOW && back <= highest {
            let bit = 1 << back;
            if self.seen & bit != 0 {
                return None;
            }
            self.seen |= bit;
            return Some(highest - back);
        }
        Some(self.restart(sequence))
    }

    /// Packets that never came.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Of the present source: the highest number, the packets expected up to it, and those that came, repeated and late
    /// ones too (RFC 3550 §A.3).
    pub fn count(&self) -> Option<(u64, u64, u64)> {
        self.highest.map(|highest| (highest, highest - self.first + 1, self.received))
    }

    /// Forgets the source but keeps the count: the next packet starts anew.
    pub fn forget(&mut self) {
        self.highest = None;
    }

    fn restart(&mut self, sequence: u16) -> u64 {
        // One cycle up, so that reordering around the first packet never goes below zero.
        let extended = 0x1_0000 + u64::from(sequence);
        self.highest = Some(extended);
        self.seen = u64::MAX;
        self.first = extended;
        self.received = 1;
        extended
    }

    fn advance(&mut self, step: u64) {
        // A number is lost once it leaves the window unseen.
        let leaving = if step >= REORDER_WINDOW { u64::MAX } else { !(u64::MAX >> step) };
        self.lost += u64::from((!self.seen & leaving).count_ones());
        self.lost += step.saturating_sub(REORDER_WINDOW);
        self.seen = if step >= REORDER_WINDOW { 1 } else { self.seen << step | 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sequences: impl IntoIterator<Item = u16>, lost: u64) -> Vec<Option<u64>> {
        let mut sequence = ExtendedSequence::default();
        let extended = sequences.into_iter().map(|s| sequence.arrive(s).map(|e| e - 0x1_0000)).collect();
        assert_eq!(sequence.lost(), lost);
        extended
    }

    // RFC 3550 §A.1.
    #[test]
    fn numbers_grow_through_the_wrap() {
        assert_eq!(check([65534, 65535, 0, 1], 0), [Some(65534), Some(65535), Some(65536), Some(65537)]);
    }

    #[test]
    fn reordered_packets_are_not_lost_and_repeated_ones_not_counted() {
        assert_eq!(check([1, 3, 2, 2, 3], 0), [Some(1), Some(3), Some(2), None, None]);
    }

    #[test]
    fn a_missing_packet_is_lost_when_64_newer_ones_have_come() {
        check((0..=64u16).filter(|n| *n != 1), 0);
        check((0..=66u16).filter(|n| *n != 1), 1);
    }

    #[test]
    fn a_large_jump_is_a_restart_not_a_loss() {
        check([1, 2, 30_000, 30_001], 0);
    }

    // RFC 3550 §A.3.
    #[test]
    fn expected_are_all_numbers_since_the_source_began() {
        let count = |sequences: &[u16]| {
            let mut sequence = ExtendedSequence::default();
            sequences.iter().for_each(|number| _ = sequence.arrive(*number));
            sequence.count().map(|(highest, expected, received)| (highest - 0x1_0000, expected, received))
        };
        assert_eq!(count(&[]), None);
        assert_eq!(count(&[65_534, 65_535, 2, 1, 1]), Some((65_538, 5, 5)), "one lost, one overtaken, one twice");
        assert_eq!(count(&[7, 30_000, 30_002]), Some((30_002, 3, 2)), "a restart counts anew");
    }
}
