//! Pure: no I/O, no clock. Sentence templates, and how often each run of one, two and three words is to be expected
//! in what they can say.
//!
//! A line of a grammar is `name = …` (a class), `[section]`, or a template. `(a | b |)` chooses, `[a]` is
//! optional, `{name}` is a class, `5:` in front weighs an alternative or a template.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// Index of a word; 0 begins and 1 ends a sentence.
pub type WordId = u32;
/// `<s>`.
pub const BEGIN: WordId = 0;
/// `</s>`.
pub const END: WordId = 1;

/// Words fit in 21 bits, three to a key.
const ID_MASK: u64 = (1 << 21) - 1;
/// Classes within classes within classes …
const MAX_DEPTH: usize = 12;

/// A grammar as read.
#[derive(Debug, Clone, Default)]
pub struct Grammar {
    classes: BTreeMap<String, Node>,
    sections: BTreeMap<String, Vec<(f64, Node)>>,
}

/// Words known to a model.
#[derive(Debug, Clone)]
pub struct Words {
    ids: BTreeMap<String, WordId>,
    names: Vec<String>,
}

/// Expected counts of runs of words.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Single words, sentence ends included.
    pub one: BTreeMap<WordId, f64>,
    /// Pairs.
    pub two: BTreeMap<(WordId, WordId), f64>,
    /// Triples.
    pub three: Triples,
}

/// Counts of triples. There are hundreds of thousands, so they are hashed, and sorted when read.
#[derive(Debug, Clone, Default)]
pub struct Triples {
    counts: HashMap<u64, f64, BuildHasherDefault<Mixer>>,
}

impl Triples {
    /// Those counted `least` times or more, sorted.
    pub fn sorted(&self, least: f64) -> Vec<((WordId, WordId, WordId), f64)> {
        let mut triples: Vec<(u64, f64)> =
            self.counts.iter().filter(|(_, count)| **count >= least).map(|(&key, &count)| (key, count)).collect();
        triples.sort_unstable_by_key(|(key, _)| *key);
        let word = |key: u64, shift: u32| (key >> shift & ID_MASK) as WordId;
        triples.into_iter().map(|(key, count)| ((word(key, 42), word(key, 21), word(key, 0)), count)).collect()
    }

    /// Forgets those counted less often, which no model would keep.
    pub fn prune(&mut self, least: f64) {
        self.counts.retain(|_, count| *count >= least);
    }

    fn add(&mut self, (a, b, c): (WordId, WordId, WordId), count: f64) {
        let key = u64::from(a) << 42 | u64::from(b) << 21 | u64::from(c);
        *self.counts.entry(key).or_default() += count;
    }
}

/// Mixes the packed words of a triple (SplitMix64's last steps); nobody chooses them to collide.
#[derive(Debug, Clone, Copy, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte) ^ self.0);
        }
    }

    fn write_u64(&mut self, key: u64) {
        let z = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = z ^ (z >> 31);
    }
}

#[derive(Debug, Clone)]
enum Node {
    Word(String),
    Class(String),
    Sequence(Vec<Node>),
    Choice(Vec<(f64, Node)>),
}

impl Grammar {
    /// Reads a grammar; lines that are not understood are an error of their author's, named in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut grammar = Self::default();
        let mut section = String::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let failed = |what: String| format!("line {}: {what}: {line}", index + 1);
            if let Some(name) = line.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
                section = name.to_owned();
            } else if let Some((name, body)) = line.split_once(" = ") {
                let node = Parser::new(body).whole().map_err(failed)?;
                grammar.classes.insert(name.trim().to_owned(), node);
            } else {
                let (weight, body) = weighed(line);
                let node = Parser::new(body).whole().map_err(failed)?;
                grammar.sections.entry(section.clone()).or_default().push((weight, node));
            }
        }
        Ok(grammar)
    }

    /// Defines a class as a choice between phrases.
    pub fn define(&mut self, name: &str, phrases: &[String]) {
        let words = |phrase: &String| phrase.split_whitespace().map(|word| Node::Word(word.to_owned())).collect();
        let choices = phrases.iter().map(|phrase| (1.0, Node::Sequence(words(phrase)))).collect();
        self.classes.insert(name.to_owned(), Node::Choice(choices));
    }

    /// Adds to `counts` what the templates of a section can say, each weighing `weight`.
    pub fn count(&self, section: &str, weight: f64, words: &mut Words, counts: &mut Counts) {
        for (share, template) in self.sections.get(section).map_or(&[][..], Vec::as_slice) {
            let mut graph = Graph::default();
            let first = graph.add(BEGIN);
            let ends = self.build(template, vec![(first, 1.0)], words, &mut graph, 0);
            let last = graph.add(END);
            for (from, share) in ends {
                graph.nodes[from].next.push((last, share));
            }
            graph.count(weight * share, counts);
        }
    }

    /// Extends a graph by what a node can say; takes and gives the loose ends with their shares.
    fn build(
        &self,
        node: &Node,
        from: Vec<(usize, f64)>,
        words: &mut Words,
        graph: &mut Graph,
        depth: usize,
    ) -> Vec<(usize, f64)> {
        if depth > MAX_DEPTH {
            return from;
        }
        match node {
            Node::Word(word) => {
                let at = graph.add(words.id(word));
                for (before, share) in from {
                    graph.nodes[before].next.push((at, share));
                }
                vec![(at, 1.0)]
            }
            Node::Class(name) => match self.classes.get(name) {
                Some(class) => self.build(class, from, words, graph, depth + 1),
                None => from,
            },
            Node::Sequence(parts) => parts.iter().fold(from, |ends, part| self.build(part, ends, words, graph, depth)),
            Node::Choice(choices) => {
                let total: f64 = choices.iter().map(|(weight, _)| weight).sum();
                let mut ends: BTreeMap<usize, f64> = BTreeMap::new();
                for (weight, choice) in choices {
                    let share = weight / total;
                    let entry = from.iter().map(|(at, before)| (*at, before * share)).collect();
                    for (at, share) in self.build(choice, entry, words, graph, depth) {
                        *ends.entry(at).or_default() += share;
                    }
                }
                ends.into_iter().collect()
            }
        }
    }
}

impl Words {
    /// Sentence begin and end only.
    pub fn new() -> Self {
        let mut words = Self { ids: BTreeMap::new(), names: Vec::new() };
        words.id("<s>");
        words.id("</s>");
        words
    }

    /// The index of a word, new if need be.
    pub fn id(&mut self, word: &str) -> WordId {
        if let Some(id) = self.ids.get(word) {
            return *id;
        }
        let id = WordId::try_from(self.names.len()).expect("vocabularies are bounded");
        self.ids.insert(word.to_owned(), id);
        self.names.push(word.to_owned());
        id
    }

    /// All words by index.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

#[derive(Default)]
struct Graph {
    nodes: Vec<GraphNode>,
}

struct GraphNode {
    word: WordId,
    next: Vec<(usize, f64)>,
}

impl Graph {
    fn add(&mut self, word: WordId) -> usize {
        self.nodes.push(GraphNode { word, next: Vec::new() });
        self.nodes.len() - 1
    }

    /// Nodes only lead to later ones, so one pass knows how often each is reached.
    fn count(&self, weight: f64, counts: &mut Counts) {
        let mut reached = vec![0.0; self.nodes.len()];
        if let Some(first) = reached.first_mut() {
            *first = weight;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            let here = reached[index];
            if here <= 0.0 {
                continue;
            }
            *counts.one.entry(node.word).or_default() += here;
            for &(second, share) in &node.next {
                let pair = here * share;
                reached[second] += pair;
                *counts.two.entry((node.word, self.nodes[second].word)).or_default() += pair;
                for &(third, share) in &self.nodes[second].next {
                    let triple = (node.word, self.nodes[second].word, self.nodes[third].word);
                    counts.three.add(triple, pair * share);
                }
            }
        }
    }
}

/// `5: rest` → (5, rest).
fn weighed(text: &str) -> (f64, &str) {
    let text = text.trim();
    match text.split_once(':').and_then(|(weight, rest)| Some((weight.trim().parse().ok()?, rest))) {
        Some((weight, rest)) => (weight, rest.trim()),
        None => (1.0, text),
    }
}

struct Parser<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<&'a str>>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let end = match rest.chars().next() {
                Some('(' | ')' | '[' | ']' | '|') => 1,
                _ => rest.find(|c: char| c.is_whitespace() || "()[]|".contains(c)).unwrap_or(rest.len()),
            };
            tokens.push(&rest[..end]);
            rest = rest[end..].trim_start();
        }
        Self { tokens: tokens.into_iter().peekable() }
    }

    fn whole(mut self) -> Result<Node, String> {
        let node = self.choice()?;
        match self.tokens.next() {
            None => Ok(node),
            Some(token) => Err(format!("{token:?} closes nothing")),
        }
    }

    fn choice(&mut self) -> Result<Node, String> {
        let mut choices = vec![self.sequence()?];
        while self.tokens.next_if_eq(&"|").is_some() {
            choices.push(self.sequence()?);
        }
        match choices.len() {
            1 => Ok(choices.remove(0).1),
            _ => Ok(Node::Choice(choices)),
        }
    }

    fn sequence(&mut self) -> Result<(f64, Node), String> {
        let mut weight = 1.0;
        let mut parts = Vec::new();
        while let Some(token) = self.tokens.next_if(|token| ![")", "]", "|"].contains(token)) {
            match token {
                "(" => parts.push(self.closed_by(")")?),
                "[" => {
                    let inner = self.closed_by("]")?;
                    parts.push(Node::Choice(vec![(1.0, inner), (1.0, Node::Sequence(Vec::new()))]));
                }
                _ => {
                    let class = token.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                    let share = token.strip_suffix(':').and_then(|digits| digits.parse::<f64>().ok());
                    match (class, share) {
                        (Some(name), _) => parts.push(Node::Class(name.to_owned())),
                        (None, Some(share)) if parts.is_empty() => weight = share,
                        _ => parts.push(Node::Word(token.to_owned())),
                    }
                }
            }
        }
        Ok((weight, Node::Sequence(parts)))
    }

    fn closed_by(&mut self, bracket: &str) -> Result<Node, String> {
        let inner = self.choice()?;
        self.tokens.next_if_eq(&bracket).map(|_| inner).ok_or_else(|| format!("{bracket:?} is missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_shares_its_weight_and_an_option_halves() {
        check(
            "[please] press (3: one | two)",
            &[
                "<s> please 0.50",
                "<s> press 0.50",
                "please press 0.50",
                "press one 0.75",
                "press two 0.25",
                "one </s> 0.75",
                "two </s> 0.25",
            ],
        );
    }

    #[test]
    fn a_class_stands_for_its_words_and_a_weight_in_front_counts_for_all() {
        check(
            "key = one | (two three)\n2: {key}",
            &["<s> one 1.00", "<s> two 1.00", "one </s> 1.00", "two three 1.00", "three </s> 1.00"],
        );
    }

    #[test]
    fn an_unclosed_bracket_is_an_error_with_its_line() {
        assert_eq!(Grammar::parse("a\n(b | c").unwrap_err(), "line 2: \")\" is missing: (b | c");
        assert_eq!(Grammar::parse("a ]").unwrap_err(), "line 1: \"]\" closes nothing: a ]");
    }

    #[test]
    fn a_class_that_contains_itself_ends() {
        check("loop = a {loop}\n{loop}", &["<s> a 1.00", "a </s> 1.00", "a a 11.00"]);
    }

    fn check(text: &str, expected: &[&str]) {
        let grammar = Grammar::parse(text).unwrap();
        let (mut words, mut counts) = (Words::new(), Counts::default());
        grammar.count("", 1.0, &mut words, &mut counts);
        let name = |id: &WordId| words.names()[*id as usize].clone();
        let mut actual: Vec<String> =
            counts.two.iter().map(|((a, b), count)| format!("{} {} {count:.2}", name(a), name(b))).collect();
        actual.sort();
        let mut expected: Vec<String> = expected.iter().map(|&line| line.to_owned()).collect();
        expected.sort();
        assert_eq!(actual, expected);
    }
}
