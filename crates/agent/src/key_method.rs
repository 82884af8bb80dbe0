//! Pure: no I/O, no clock.
//!
//! [`KeyMethod`]: which of two ways keys go, by what came of them.

/// Keys go the usual way until a prompt does not react to them; then the other way, as long as that works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KeyMethod {
    other: bool,
    /// A prompt has reacted to keys that went the present way.
    works: bool,
}

impl KeyMethod {
    /// Whether the next keys go the other way. `reacted`: a prompt reacted to the last; `again`: these are the same keys
    /// once more, because none did.
    pub(crate) fn next(&mut self, reacted: bool, again: bool) -> bool {
        self.works |= reacted;
        if again {
            *self = Self { other: !self.other, works: false };
        } else if !self.works {
            self.other = false;
        }
        self.other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_way_is_kept_only_while_prompts_react_to_it() {
        let mut deaf_to_events = KeyMethod::default();
        assert!(!deaf_to_events.next(false, false));
        assert!(deaf_to_events.next(false, true));
        assert!(deaf_to_events.next(true, false), "a prompt reacted to the other way");
        assert!(deaf_to_events.next(false, false), "it has worked before");

        let mut deaf_to_tones = KeyMethod::default();
        assert!(!deaf_to_tones.next(false, false));
        assert!(deaf_to_tones.next(false, true), "the first key was lost");
        assert!(!deaf_to_tones.next(false, false), "nobody has reacted to the other way");
        assert!(deaf_to_tones.next(false, true));
        assert!(!deaf_to_tones.next(false, true), "and back again");
    }
}
