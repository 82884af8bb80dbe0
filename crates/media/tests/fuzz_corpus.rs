//! The corpus of each fuzz target, and mutations of it from a printed seed, through the very same functions.

#[path = "../fuzz/fuzz_bodies.rs"]
mod fuzz_bodies;

use std::path::Path;

/// Mutations of each file of a corpus in a run that asks for no number.
const USUAL: u64 = 1000;

#[test]
fn packets_are_read_as_they_are_written() {
    replay("rtp", fuzz_bodies::rtp);
}

#[test]
fn reports_are_survived_and_answered() {
    replay("rtcp", fuzz_bodies::rtcp);
}

#[test]
fn protected_packets_are_opened_once_and_others_never() {
    replay("srtp", fuzz_bodies::srtp);
}

#[test]
fn a_session_keeps_time_whatever_it_is_told() {
    replay("session", fuzz_bodies::session);
}

fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    let (seed, count) = (number("FUZZ_SEED", 1), number("FUZZ_COUNT", USUAL));
    eprintln!("{target}: fuzz seed {seed}, {count} mutations of each file");
    let mut dice = Dice(seed);
    for file in files {
        let known = std::fs::read(&file).unwrap();
        body(&known);
        for number in 0..count {
            let mutated = dice.mutate(&known);
            let outcome = std::panic::catch_unwind(|| body(&mutated));
            assert!(outcome.is_ok(), "{} mutation {number}: {}", file.display(), mutated.escape_ascii());
        }
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % below.max(1)
    }

    /// One to four bytes changed, put in or taken out, bits turned, or pieces repeated.
    fn mutate(&mut self, known: &[u8]) -> Vec<u8> {
        let mut bytes = known.to_vec();
        for _ in 0..=self.below(4) {
            if bytes.is_empty() {
                return bytes;
            }
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes[at] = self.below(256) as u8,
                1 => bytes.insert(at, [0, 1, 0x7F, 0x80, 0xFF][self.below(5)]),
                2 => _ = bytes.remove(at),
                3 => bytes[at] ^= 1 << self.below(8),
                _ => {
                    let length = self.below(40).min(bytes.len() - at);
                    let piece = bytes[at..at + length].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
        }
        bytes
    }
}
