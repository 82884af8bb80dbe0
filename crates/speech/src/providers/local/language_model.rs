//! Pure: no I/O, no clock. Expected counts to a back-off trigram model in the ARPA format.
//!
//! Each order is interpolated with the one below it (Dirichlet smoothing, which takes the fractional counts that
//! templates give), so that words in an order nobody foresaw still get a sane probability.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::grammar::{BEGIN, Counts, END, WordId, Words};

/// How strongly each order leans on the one below: the weight of the lower order in pseudo-counts.
const LEAN: [f64; 3] = [40.0, 0.8, 0.5];
/// How much of a sentence's end is taken for the beginning of another in the same turn, which is left to the back-off.
const GOES_ON: f64 = 0.6;
/// The share of first words among single words, since the back-off is where sentences begin.
const FIRST_WORDS: f64 = 0.5;
/// Runs rarer than this are left to the back-off.
const MIN_PAIR: f64 = 1e-4;
/// The same of three words; there are ten times as many.
pub(super) const MIN_TRIPLE: f64 = 4e-3;
/// Never asked for: nothing follows the end, nothing precedes the beginning.
const IMPOSSIBLE: f64 = -99.0;

/// The text of the model.
pub fn arpa(words: &Words, counts: &Counts) -> String {
    let one = unigrams(words, counts);
    let context = sums(counts.two.iter().map(|(&(a, _), &count)| (a, count)));
    let two: BTreeMap<(WordId, WordId), f64> = counts
        .two
        .iter()
        .filter(|&(_, &count)| count >= MIN_PAIR)
        .map(|(&(a, b), &count)| {
            let total = context.get(&a).copied().unwrap_or(0.0);
            let count = count * kept(b);
            ((a, b), (count + LEAN[1] * one[b as usize]) / (total + LEAN[1]))
        })
        .collect();
    let back_off_one = back_off(two.iter().map(|(&(a, b), &p)| (a, p, one[b as usize])));
    let pair = |a: WordId, b: WordId| match two.get(&(a, b)) {
        Some(p) => *p,
        None => back_off_one.get(&a).copied().unwrap_or(1.0) * one[b as usize],
    };

    let three: Vec<((WordId, WordId, WordId), f64)> = counts
        .three
        .sorted(MIN_TRIPLE)
        .into_iter()
        .filter(|&((a, b, _), _)| two.contains_key(&(a, b)))
        .map(|((a, b, c), count)| {
            // Every pair but a sentence's last is the beginning of a triple.
            let total = counts.two.get(&(a, b)).copied().unwrap_or(0.0);
            let count = count * kept(c);
            ((a, b, c), (count + LEAN[2] * pair(b, c)) / (total + LEAN[2]))
        })
        .collect();
    let back_off_two = back_off(three.iter().map(|&((a, b, c), p)| ((a, b), p, pair(b, c))));

    let name = |id: WordId| words.names()[id as usize].as_str();
    let mut text = String::with_capacity(24 * (one.len() + two.len() + three.len()));
    let sizes = [one.len(), two.len(), three.len()];
    text.push_str("\\data\\\n");
    for (order, size) in sizes.iter().enumerate() {
        let _ = writeln!(text, "ngram {}={size}", order + 1);
    }
    text.push_str("\n\\1-grams:\n");
    for (id, p) in one.iter().enumerate() {
        let id = id as WordId;
        let p = if id == BEGIN { IMPOSSIBLE } else { p.log10() };
        let bow = back_off_one.get(&id).copied().unwrap_or(1.0).log10();
        let _ = writeln!(text, "{p:.4}\t{}\t{bow:.4}", name(id));
    }
    text.push_str("\n\\2-grams:\n");
    for (&(a, b), p) in &two {
        let bow = back_off_two.get(&(a, b)).copied().unwrap_or(1.0).log10();
        let _ = writeln!(text, "{:.4}\t{} {}\t{bow:.4}", p.log10(), name(a), name(b));
    }
    text.push_str("\n\\3-grams:\n");
    for &((a, b, c), p) in &three {
        let _ = writeln!(text, "{:.4}\t{} {} {}", p.log10(), name(a), name(b), name(c));
    }
    text.push_str("\n\\end\\\n");
    text
}

/// By word index; the beginning, which is never predicted, gets nothing.
fn unigrams(words: &Words, counts: &Counts) -> Vec<f64> {
    let count = |id: usize| match id as WordId {
        BEGIN => 0.0,
        id => counts.one.get(&id).copied().unwrap_or(0.0),
    };
    let size = words.names().len();
    let total: f64 = (0..size).map(count).sum();
    let sentences: f64 = counts.two.range((BEGIN, 0)..(END, 0)).map(|(_, count)| count).sum();
    let first = |id: usize| counts.two.get(&(BEGIN, id as WordId)).copied().unwrap_or(0.0) / sentences.max(1e-9);
    let uniform = LEAN[0] / (size.max(2) - 1) as f64;
    (0..size)
        .map(|id| match id as WordId {
            BEGIN => 0.0,
            _ => FIRST_WORDS * first(id) + (1.0 - FIRST_WORDS) * (count(id) + uniform) / (total + LEAN[0]),
        })
        .collect()
}

/// What of a count of this word stays with it.
fn kept(word: WordId) -> f64 {
    if word == END { 1.0 - GOES_ON } else { 1.0 }
}

fn sums<K: Ord>(counts: impl Iterator<Item = (K, f64)>) -> BTreeMap<K, f64> {
    let mut sums = BTreeMap::new();
    for (context, count) in counts {
        *sums.entry(context).or_insert(0.0) += count;
    }
    sums
}

/// What is left for the words not seen after a context, over what the lower order gives them.
fn back_off<K: Ord>(seen: impl Iterator<Item = (K, f64, f64)>) -> BTreeMap<K, f64> {
    let mut left: BTreeMap<K, (f64, f64)> = BTreeMap::new();
    for (context, p, lower) in seen {
        let (high, low) = left.entry(context).or_insert((1.0, 1.0));
        *high -= p;
        *low -= lower;
    }
    left.into_iter().map(|(context, (high, low))| (context, high.max(1e-6) / low.max(1e-6))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::grammar::Grammar;
    use super::*;

    #[test]
    fn the_probabilities_after_every_context_add_up_to_one() {
        let (words, counts) = counted("press (one | two)\nfor sales press one\nhello");
        let model = Model::read(&arpa(&words, &counts));
        let all: Vec<&str> = words.names().iter().map(String::as_str).filter(|word| *word != "<s>").collect();
        for context in [&["<s>"][..], &["press"], &["<s>", "press"], &["sales", "press"], &["hello", "two"]] {
            let sum: f64 = all.iter().map(|word| model.p(context, word)).sum();
            assert!((sum - 1.0).abs() < 0.02, "after {context:?}: {sum}");
        }
    }

    #[test]
    fn an_order_nobody_foresaw_is_less_likely_but_possible() {
        let (words, counts) = counted("press (one | two)\nfor sales press one\nhello");
        let model = Model::read(&arpa(&words, &counts));
        let foreseen = model.p(&["sales", "press"], "one");
        let unforeseen = model.p(&["sales", "press"], "hello");
        assert!(foreseen > 0.5 && unforeseen > 0.001 && unforeseen < 0.2, "{foreseen} {unforeseen}");
    }

    fn counted(text: &str) -> (Words, Counts) {
        let (mut words, mut counts) = (Words::new(), Counts::default());
        Grammar::parse(text).unwrap().count("", 1.0, &mut words, &mut counts);
        (words, counts)
    }

    /// The other side of the format, read as a decoder reads it.
    struct Model(BTreeMap<String, (f64, f64)>);

    impl Model {
        fn read(text: &str) -> Self {
            let rows = text.lines().filter_map(|line| {
                let mut fields = line.split('\t');
                let p = fields.next()?.parse().ok()?;
                let words = fields.next()?.to_owned();
                Some((words, (p, fields.next().map_or(0.0, |bow| bow.parse().unwrap()))))
            });
            Self(rows.collect())
        }

        fn p(&self, context: &[&str], word: &str) -> f64 {
            let run = [context, &[word]].concat().join(" ");
            match self.0.get(&run) {
                Some((p, _)) => 10f64.powf(*p),
                None if context.is_empty() => 0.0,
                None => {
                    let back_off = self.0.get(&context.join(" ")).map_or(0.0, |(_, bow)| *bow);
                    10f64.powf(back_off) * self.p(&context[1..], word)
                }
            }
        }
    }
}
