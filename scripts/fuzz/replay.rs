//! What `fuzz_corpus` of each crate does with its targets: their corpora, and mutations of them from a printed seed,
//! through the very functions that libFuzzer calls.

use std::path::Path;

/// The targets of one crate.
pub struct Corpus {
    /// `CARGO_MANIFEST_DIR` of the crate.
    pub crate_folder: &'static str,
    /// Mutations of each file in a run that asks for no number.
    pub usual: u64,
    /// Bytes that mean something there, for putting in.
    pub telling: &'static [u8],
}

impl Corpus {
    /// Plays one target.
    pub fn replay(&self, target: &str, body: fn(&[u8])) {
        let folder = Path::new(self.crate_folder).join("fuzz/corpus").join(target);
        let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{}", folder.display());
        let (seed, count) = (number("FUZZ_SEED", 1), number("FUZZ_COUNT", self.usual));
        eprintln!("{target}: fuzz seed {seed}, {count} mutations of each file");
        let mut dice = Dice(seed);
        for file in files {
            let known = std::fs::read(&file).unwrap();
            body(&known);
            for number in 0..count {
                let mutated = dice.mutate(&known, self.telling);
                let outcome = std::panic::catch_unwind(|| body(&mutated));
                assert!(outcome.is_ok(), "{} mutation {number}: {}", file.display(), mutated.escape_ascii());
            }
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
    fn mutate(&mut self, known: &[u8], telling: &[u8]) -> Vec<u8> {
        let mut bytes = known.to_vec();
        for _ in 0..=self.below(4) {
            if bytes.is_empty() {
                return bytes;
            }
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes[at] = self.below(256) as u8,
                1 => bytes.insert(at, telling[self.below(telling.len())]),
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
