//! Pure: no I/O, no clock.
//!
//! Which words of a menu belong to which of its keys.
//!
//! Menus say "for billing, press two" or "press two for billing" and mostly keep to one order, but the
//! last option of either kind is often "to repeat this menu, press nine". The cheapest way to hand
//! out the words between the keys wins; pauses and the words of a repeat tell where a label ends.

use super::menu::{Anchor, Kind};
use crate::spoken::digit_word;

/// The words between two anchors.
struct Segment<'a> {
    words: &'a [String],
    /// Where the label of the next anchor begins, when that is certain.
    split: Option<usize>,
    /// A pause before its first word, and after its last.
    pause_before: bool,
    pause_after: bool,
}

impl<'a> Segment<'a> {
    fn new(words: &'a [String], start: usize, end: usize, pauses: &[usize], between: bool) -> Self {
        let inner = &words[start..end];
        let pause = |at: usize| pauses.contains(&at);
        let repeat = (0..inner.len()).rfind(|&at| begins_repeat(inner, at));
        let paused = (start + 1..end)
            .find(|&at| pause(at) && matches!(words[at].as_str(), "for" | "to" | "if"))
            .map(|at| at - start);
        Self {
            words: inner,
            split: if between { repeat.or(paused) } else { None },
            pause_before: pause(start),
            pause_after: pause(end),
        }
    }

    /// What the anchor before may take.
    fn first(&self) -> &'a [String] {
        &self.words[..self.split.unwrap_or(self.words.len())]
    }

    /// What the anchor after may take.
    fn last(&self) -> &'a [String] {
        &self.words[self.split.unwrap_or(0)..]
    }
}

/// "to repeat this menu", "to hear these options again", "to go back": never the label of a key before it.
fn begins_repeat(words: &[String], at: usize) -> bool {
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    word(at) == "to"
        && match word(at + 1) {
            "repeat" => matches!(word(at + 2), "this" | "these" | "the" | "our" | "that" | "menu" | "options" | ""),
            "hear" => matches!(word(at + 2), "this" | "these" | "the" | "our" | "that" | "it"),
            "listen" => matches!(word(at + 2), "again" | "to"),
            "return" => matches!(word(at + 2), "to" | ""),
            "go" => word(at + 2) == "back",
            _ => false,
        }
}

/// One label for each anchor.
pub(super) fn labels(words: &[String], anchors: &[Anchor], pauses: &[usize]) -> Vec<String> {
    let count = anchors.len();
    let segments: Vec<Segment<'_>> = (0..=count)
        .map(|i| {
            let start = if i == 0 { 0 } else { anchors[i - 1].end };
            let end = anchors.get(i).map_or(words.len(), |anchor| anchor.start);
            Segment::new(words, start.min(end), end, pauses, i > 0 && i < count)
        })
        .collect();
    // The cost of the best assignment up to here, and the choices that led there.
    let mut best: [(u32, Vec<bool>); 2] = [(0, Vec::new()), (0, Vec::new())];
    for i in 0..count {
        best = [false, true].map(|after| {
            (0..2)
                .filter(|previous| i > 0 || *previous == 0)
                .map(|previous| {
                    let previous_after = i > 0 && previous == 1;
                    let mut cost = best[previous].0 + label_cost(&segments, &anchors[i], i, after, previous_after);
                    if i == 0 && after && !heads(segments[0].words, true).is_empty() {
                        cost += 2;
                    }
                    if i > 0 {
                        cost += unclaimed_cost(&segments[i], previous_after, after);
                        cost += u32::from(previous_after != after && segments[i].split.is_none());
                    }
                    let mut choices = best[previous].1.clone();
                    choices.push(after);
                    (cost, choices)
                })
                .min_by_key(|(cost, _)| *cost)
                .unwrap_or_default()
        });
    }
    if count > 0 && !heads(segments[count].words, false).is_empty() {
        best[0].0 += 3;
    }
    let choices = if best[1].0 < best[0].0 { &best[1].1 } else { &best[0].1 };
    (0..count)
        .map(|i| {
            let after = choices[i];
            let segment = &segments[i + usize::from(after)];
            let part = if after { segment.first() } else { segment.last() };
            let shared_with_previous = !after && i > 0 && choices[i - 1] && segment.split.is_none();
            let shared_with_next = after && choices.get(i + 1) == Some(&false) && segment.split.is_none();
            clean(label_words(part, !after && i == 0, shared_with_previous, shared_with_next))
        })
        .collect()
}

/// Labels that neither neighbour takes.
fn unclaimed_cost(segment: &Segment<'_>, previous_after: bool, after: bool) -> u32 {
    if segment.split.is_some() {
        return 4 * u32::from(!previous_after && !clean(segment.first()).is_empty()) + 4 * u32::from(after);
    }
    2 * u32::from(!previous_after && after && !heads(segment.words, false).is_empty())
}

fn label_cost(segments: &[Segment<'_>], anchor: &Anchor, i: usize, after: bool, taken_before: bool) -> u32 {
    let segment = &segments[i + usize::from(after)];
    let part = if after { segment.first() } else { segment.last() };
    let heads = heads(part, i == 0 && !after).len();
    // "say billing" is its own label.
    let explained =
        anchor.say.is_some() && anchor.key.is_none() || anchor.kind == Kind::Stay || anchor.kind == Kind::Ignored;
    let empty = if explained { 1 } else { 6 };
    if clean(part).is_empty() {
        return empty;
    }
    if !after && taken_before && segment.split.is_none() {
        return if heads >= 2 { 1 } else { empty };
    }
    // A label and its key are said in one breath, where there is a pause on the other side.
    let torn = match after {
        true => segment.pause_before && !segment.pause_after,
        false => i > 0 && segment.pause_after && !segment.pause_before,
    };
    let loose = match (heads > 0, after) {
        (true, _) => 0,
        // A greeting is no label where another can be had.
        (false, false) => 1 + 3 * u32::from(i == 0),
        // After an anchor that explains itself, loose words are no label.
        (false, true) => 2 + u32::from(explained),
    };
    loose + 2 * u32::from(torn)
}

/// Where labels may begin in a segment: "for", "to", "if", unless they belong to a greeting.
fn heads(segment: &[String], greeting: bool) -> Vec<usize> {
    (0..segment.len())
        .filter(|&i| {
            let previous = i.checked_sub(1).map_or("", |i| segment[i].as_str());
            let next = segment.get(i + 1).map_or("", String::as_str);
            match segment[i].as_str() {
                "for" => {
                    !(next == "calling"
                        || next == "holding"
                        || next == "your" && greeting
                        || matches!(previous, "sorry" | "calling" | "looking"))
                }
                "to" => !matches!(
                    previous,
                    "welcome"
                        | "listen"
                        | "like"
                        | "want"
                        | "wish"
                        | "need"
                        | "going"
                        | "able"
                        | "back"
                        | "according"
                        | "have"
                        | "listening"
                        | "trying"
                        | "calling"
                        | "speak"
                        | "talk"
                ),
                "if" => true,
                // Misheard at the start, where a label must begin.
                "two" | "too" => i == 0 && segment.len() > 1 && !greeting,
                "four" if i == 0 => segment.len() > 1 && !greeting,
                // After a greeting, unless it counts something: "star computers four information about …".
                "four" => greeting && !is_counted(previous) && !next.is_empty() && !counts(next),
                _ => false,
            }
        })
        .collect()
}

/// A word before which "four" was four.
fn is_counted(word: &str) -> bool {
    is_number(word) || matches!(word, "at" | "than" | "have")
}

/// A word after which "four" was four.
fn counts(word: &str) -> bool {
    is_number(word)
        || matches!(word, "hundred" | "thousand" | "dollars" | "minutes" | "hours" | "days" | "years" | "o'clock")
        || matches!(word, "fifteen" | "locations" | "options" | "and" | "or")
}

fn is_number(word: &str) -> bool {
    digit_word(word).is_some() || matches!(word, "twenty" | "thirty" | "forty" | "fifty")
}

fn label_words(segment: &[String], greeting: bool, shared_with_previous: bool, shared_with_next: bool) -> &[String] {
    let heads = heads(segment, greeting);
    let last = heads.last().copied();
    match heads.first().copied() {
        None => segment,
        Some(first) if shared_with_next => &segment[first..last.filter(|last| *last > first).unwrap_or(segment.len())],
        Some(_) if shared_with_previous => &segment[last.unwrap_or(0)..],
        Some(first) if greeting => {
            // A greeting may have "for" and "to" of its own; the label is what comes last. "If you …" holds both.
            let begin = heads
                .iter()
                .copied()
                .rfind(|&i| segment[i] == "if")
                .or_else(|| heads.iter().copied().rfind(|&i| segment[i] == "for"));
            &segment[begin.unwrap_or(last.unwrap_or(first))..]
        }
        Some(first) => &segment[first..],
    }
}

fn clean(label: &[String]) -> String {
    const LEADING: &[&str] = &[
        "for",
        "to",
        "if",
        "you",
        "would",
        "like",
        "want",
        "need",
        "wish",
        "are",
        "is",
        "calling",
        "about",
        "the",
        "a",
        "an",
        "our",
        "please",
        "and",
        "or",
        "then",
        "reach",
        "speak",
        "talk",
        "with",
        "four",
        "two",
        "too",
        "otherwise",
        "have",
        "questions",
    ];
    const TRAILING: &[&str] = &["please", "or", "and", "then", "now", "just", "department", "you", "can"];
    let start = label.iter().position(|word| !LEADING.contains(&word.as_str())).unwrap_or(label.len());
    let end = label.iter().rposition(|word| !TRAILING.contains(&word.as_str())).map_or(start, |end| end + 1);
    let kept: Vec<&str> = label[start.min(end)..end].iter().map(String::as_str).take(12).collect();
    kept.join(" ")
}
