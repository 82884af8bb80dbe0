//! The packet index of one source, and which indices were seen (RFC 3711 §3.3).

/// Packets that may overtake one before it counts as replayed (RFC 3711 §3.3.2: at least 64).
const REPLAY_WINDOW: u64 = 64;

/// The packet indices of one source: rollover counter, then sequence number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Indices {
    highest: u64,
    /// Bit n: `highest − n` was seen.
    seen: u64,
}

/// How long an index may grow.
const MAX_INDEX: u64 = (1 << 48) - 1;

/// The index of a sequence number under a rollover counter.
pub(super) fn index(rollovers: u32, sequence: u16) -> u64 {
    u64::from(rollovers) << 16 | u64::from(sequence)
}

impl Indices {
    /// Begins with an authentic packet.
    pub fn beginning(index: u64) -> Self {
        Self { highest: index, seen: 1 }
    }

    /// What is known of a source of which only the highest index is: all up to that is as good as seen.
    pub fn ending(highest: u64) -> Self {
        Self { highest, seen: u64::MAX }
    }

    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// The index that a sequence number stands for: the one nearest to the highest (RFC 3711 §3.3.1).
    pub fn guess(&self, sequence: u16) -> Option<u64> {
        let step = sequence.wrapping_sub(self.highest as u16) as i16;
        self.highest.checked_add_signed(i64::from(step)).filter(|index| *index <= MAX_INDEX)
    }

    /// Whether it was seen, or is too old to tell.
    pub fn is_replayed(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => false,
            Some(behind) => behind >= REPLAY_WINDOW || self.seen >> behind & 1 == 1,
        }
    }

    /// Takes note of an authentic packet.
    pub fn mark(&mut self, index: u64) {
        match index.checked_sub(self.highest) {
            Some(ahead) => {
                self.seen = if ahead < REPLAY_WINDOW { self.seen << ahead } else { 0 } | 1;
                self.highest = index;
            }
            None if self.highest - index < REPLAY_WINDOW => self.seen |= 1 << (self.highest - index),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(highest: u64, sequence: u16, expected: Option<u64>) {
        assert_eq!(Indices::beginning(highest).guess(sequence), expected, "{sequence} after {highest:#x}");
    }

    // RFC 3711 §3.3.
    #[test]
    fn a_sequence_number_stands_for_the_nearest_index() {
        check(0x0_0005, 6, Some(0x0_0006));
        check(0x0_FFFE, 1, Some(0x1_0001));
        check(0x1_0001, 0xFFFE, Some(0x0_FFFE));
        check(0x0_0001, 0xFFFE, None);
        check(MAX_INDEX, 0, None);
    }

    // RFC 3711 §3.3.2.
    #[test]
    fn each_index_is_taken_once_within_the_window() {
        let mut indices = Indices::beginning(0x0_FFF0);
        for (index, replayed) in [
            (0x0_FFF0, true),
            (0x1_0010, false),
            (0x1_0010, true),
            (0x0_FFF0, true),
            (0x0_FFF1, false),
            (0x0_FFF1, true),
            (0x1_0030, false),
            (0x0_FFF0, true),
            (0x0_FFF2, false),
            (0x9_0000, false),
            (0x1_0031, true),
        ] {
            assert_eq!(indices.is_replayed(index), replayed, "{index:#x}");
            if !replayed {
                indices.mark(index);
            }
        }
    }
}
