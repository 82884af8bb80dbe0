//! Ids that sort by time: a prefix and a ULID (48 bits of milliseconds, 80 random bits) in
//! Crockford's base 32. Two ids of the same millisecond still grow, and so do ids after the
//! clock was set back: the next one is then the last one plus one.

use jiff::Timestamp;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a ULID: 26 × 5 bits hold its 128.
const LENGTH: usize = 26;

/// Makes ids; every one is greater than all before it.
#[derive(Debug)]
pub(crate) struct Ids {
    random: ChaCha12Rng,
    last: u128,
}

impl Ids {
    /// Ids after `last` (with its prefix), the greatest one kept so far.
    pub(crate) fn after(last: Option<&str>, seed: [u8; 32]) -> Self {
        let last = last.and_then(|id| decode(id.rsplit('_').next()?)).unwrap_or(0);
        Self { random: ChaCha12Rng::from_seed(seed), last }
    }

    /// The next id.
    pub(crate) fn next(&mut self, prefix: &str, now: Timestamp) -> String {
        let milliseconds = u128::try_from(now.as_millisecond()).unwrap_or(0);
        let random = u128::from(self.random.next_u64()) << 16 | u128::from(self.random.next_u32() >> 16);
        let fresh = milliseconds << 80 | random;
        self.last = if fresh >> 80 > self.last >> 80 { fresh } else { self.last.wrapping_add(1) };
        format!("{prefix}{}", encode(self.last))
    }
}

/// Whether a text is an id with this prefix.
pub(crate) fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|ulid| decode(ulid).is_some())
}

/// The least id of a moment: no later one is smaller.
pub(crate) fn first_of(prefix: &str, at: Timestamp) -> String {
    format!("{prefix}{}", encode(u128::try_from(at.as_millisecond()).unwrap_or(0) << 80))
}

fn encode(value: u128) -> String {
    let digit = |position: usize| ALPHABET[(value >> (5 * position) & 31) as usize] as char;
    (0..LENGTH).rev().map(digit).collect()
}

fn decode(text: &str) -> Option<u128> {
    // 26 characters hold 130 bits: a first one above 7 would not fit.
    if text.len() != LENGTH || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0, |value: u128, byte| {
        let digit = ALPHABET.iter().position(|&letter| letter == byte)?;
        Some(value << 5 | digit as u128)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ulids_of_the_moment() {
        let id = Ids::after(None, [1; 32]).next("call_", at(1_469_918_176_385));
        // The time of the ULID specification's own example.
        assert_eq!(&id[..15], "call_01ARYZ6S41");
        assert_eq!(id.len(), 31);
        assert!(is_id(&id, "call_") && !is_id(&id, "evt_"));
    }

    #[test]
    fn ids_grow_within_a_millisecond_and_when_the_clock_is_set_back() {
        let mut ids = Ids::after(None, [2; 32]);
        let made: Vec<String> = [5, 5, 5, 4, 6].map(|ms| ids.next("evt_", at(ms))).to_vec();
        assert!(made.is_sorted_by(|a, b| a < b), "{made:?}");
    }

    #[test]
    fn the_first_id_of_a_moment_is_between_those_before_and_those_of_it() {
        let mut ids = Ids::after(None, [4; 32]);
        let [before, of_it] = [5, 6].map(|ms| ids.next("evt_", at(ms)));
        let first = first_of("evt_", at(6));
        assert!(before < first && first < of_it && is_id(&first, "evt_"), "{before} {first} {of_it}");
        assert_eq!(first_of("evt_", at(-1)), "evt_00000000000000000000000000");
    }

    #[test]
    fn ids_grow_over_a_restart() {
        let last = "evt_01ARYZ6S41ZZZZZZZZZZZZZZZZ";
        assert_eq!(Ids::after(Some(last), [3; 32]).next("evt_", at(7)), "evt_01ARYZ6S420000000000000000");
    }

    #[test]
    fn what_is_no_ulid_is_no_id() {
        for text in [
            "call_",
            "call_81ARYZ6S410000000000000000",
            "call_01ARYZ6S41000000000000000u",
            "call_é1ARYZ6S41000000000000000",
        ] {
            assert!(!is_id(text, "call_"), "{text}");
        }
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }
}
