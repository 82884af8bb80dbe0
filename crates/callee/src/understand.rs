//! Pure: no I/O, no clock.
//!
//! What people make of words that were only half understood: keywords, names, dates, digits.

use crate::names::{FIRST, LAST};
use crate::spoken;

/// Ways to agree.
const YES: [&str; 17] = [
    "yes",
    "yeah",
    "yep",
    "correct",
    "right",
    "sure",
    "okay",
    "perfect",
    "great",
    "sounds good",
    "that works",
    "works for me",
    "fine",
    "of course",
    "please do",
    "exactly",
    "good",
];
/// Ways to refuse.
const NO: [&str; 9] =
    ["no", "nope", "not", "wrong", "incorrect", "neither", "unfortunately", "anything else", "something else"];

/// `yes` and `no` stand for all the ways to say them.
pub(crate) fn widen(words: Vec<String>) -> Vec<String> {
    let mut all = Vec::with_capacity(words.len());
    for word in words {
        match word.as_str() {
            "yes" => all.extend(YES.map(str::to_owned)),
            "no" => all.extend(NO.map(str::to_owned)),
            _ => all.push(plain(&word).join(" ")),
        }
    }
    all
}

/// The one of several meanings that fits best; `None` when none fits or two fit as well.
pub(crate) fn best<'a>(heard: &str, meanings: impl IntoIterator<Item = &'a [String]>) -> Option<usize> {
    let heard = plain(heard);
    let scores: Vec<usize> = meanings.into_iter().map(|words| score(&heard, words)).collect();
    let top = scores.iter().copied().max().filter(|top| *top > 0)?;
    let mut winners = scores.iter().enumerate().filter(|(_, score)| **score == top);
    let (winner, _) = winners.next()?;
    winners.next().is_none().then_some(winner)
}

/// How many words of the phrases were heard.
fn score(heard: &[String], phrases: &[String]) -> usize {
    let mut total = 0;
    for phrase in phrases {
        let phrase: Vec<&str> = phrase.split_whitespace().collect();
        let found = !phrase.is_empty()
            && heard.windows(phrase.len()).any(|words| words.iter().zip(&phrase).all(|(word, want)| alike(word, want)));
        if found {
            total += phrase.len();
        }
    }
    total
}

/// A person's name, as the one who hears it would write it down.
pub(crate) fn name(heard: &str) -> Option<String> {
    let heard = plain(heard);
    let first = closest(&heard, &FIRST);
    let last = closest(&heard, &LAST);
    match (first, last) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (Some(name), None) | (None, Some(name)) => Some(name.to_owned()),
        (None, None) => None,
    }
}

fn closest(heard: &[String], names: &'static [&'static str]) -> Option<&'static str> {
    heard
        .iter()
        .filter(|word| word.len() >= 4)
        .flat_map(|word| names.iter().map(move |name| (distance(word, &name.to_lowercase()), *name)))
        .filter(|(distance, name)| distance * 3 <= name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Month, day and, when it was heard, year: `March 5, 1982`.
pub(crate) fn date(heard: &str) -> Option<String> {
    let heard = plain(heard);
    let (at, month) = heard.iter().enumerate().find_map(|(at, word)| {
        let month = spoken::MONTHS.iter().find(|month| alike(word, &month.to_lowercase()))?;
        Some((at, *month))
    })?;
    // "March fifth", or "the fifth of March", after which comes the year.
    let (before, after) = (&heard[..at], &heard[at + 1..]);
    let day_before = || (0..at).find_map(|from| day(&before[from..])).map(|(day, _)| (day, 0));
    let (day, used) = match before.last() {
        Some(of) if of == "of" => day_before().or_else(|| day(after))?,
        _ => day(after).or_else(day_before)?,
    };
    match year(&after[used..]) {
        Some(year) => Some(format!("{month} {day}, {year}")),
        None => Some(format!("{month} {day}")),
    }
}

/// A day of the month at the beginning of the words, and how many words it took.
fn day(words: &[String]) -> Option<(u32, usize)> {
    let skip = usize::from(words.first().is_some_and(|word| word == "the"));
    let words = &words[skip..];
    (1..=31).rev().find_map(|day| {
        [spoken::ordinal(day), spoken::number(day), day.to_string()].into_iter().find_map(|said| {
            let said: Vec<&str> = said.split(' ').collect();
            let fits = words.len() >= said.len() && words.iter().zip(&said).all(|(word, said)| word == said);
            fits.then_some((day, skip + said.len()))
        })
    })
}

/// "nineteen eighty two", "two thousand four", "1982".
fn year(words: &[String]) -> Option<u32> {
    words.iter().enumerate().find_map(|(at, word)| {
        let rest = &words[at + 1..];
        match word.as_str() {
            "nineteen" => Some(1900 + below_hundred(rest)?),
            "twenty" => Some(2000 + below_hundred(rest)?),
            "thousand" => Some(2000 + below_hundred(rest).unwrap_or(0)),
            _ => word.parse().ok().filter(|year| (1900..2100).contains(year)),
        }
    })
}

fn below_hundred(words: &[String]) -> Option<u32> {
    (0..100).rev().find(|n| {
        let said = spoken::number(*n);
        let said: Vec<&str> = said.split(' ').collect();
        words.len() >= said.len() && words.iter().zip(&said).all(|(word, said)| word == said)
    })
}

/// The digits among the words.
pub(crate) fn digits(heard: &str) -> Option<String> {
    let digits: String = plain(heard)
        .iter()
        .filter_map(|word| match word.as_str() {
            "oh" | "o" => Some('0'),
            _ => ('0'..='9').find(|digit| spoken::key(*digit).as_deref() == Some(word) || *word == digit.to_string()),
        })
        .collect();
    (!digits.is_empty()).then_some(digits)
}

/// Words that dates are made of.
pub(crate) fn date_words() -> impl Iterator<Item = String> {
    let months = spoken::MONTHS.iter().map(|month| month.to_lowercase());
    let days = (1..=31).map(spoken::ordinal);
    months.chain(days).chain((0..100).map(spoken::number))
}

/// Words that numbers are keyed by voice with.
pub(crate) fn digit_words() -> impl Iterator<Item = String> {
    ('0'..='9').filter_map(spoken::key).chain(["oh".to_owned()])
}

/// Lower case words without punctuation.
fn plain(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The same word, or nearly: long words may be off by a letter in four.
fn alike(heard: &str, want: &str) -> bool {
    heard == want || (want.len() >= 5 && heard.len() >= 4 && distance(heard, want) * 4 <= want.len())
}

/// Edit distance (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let replace = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(words: &[&str]) -> Vec<String> {
        widen(words.iter().map(|word| word.to_lowercase()).collect())
    }

    #[test]
    fn the_meaning_with_more_of_its_words_wins_and_a_draw_is_not_understood() {
        let slots = [meaning(&["Tuesday", "ten thirty"]), meaning(&["Tuesday", "two fifteen"])];
        let best = |heard| best(heard, slots.iter().map(Vec::as_slice));
        assert_eq!(best("tuesday at ten thirty please"), Some(0));
        assert_eq!(best("the two fifteen one"), Some(1));
        assert_eq!(best("tuesday is good"), None);
        assert_eq!(best("hello"), None);
    }

    #[test]
    fn yes_and_no_have_many_forms() {
        let answers = [meaning(&["yes"]), meaning(&["no"])];
        let best = |heard| best(heard, answers.iter().map(Vec::as_slice));
        assert_eq!(best("yeah that works"), Some(0));
        assert_eq!(best("no do you have anything else"), Some(1));
    }

    #[test]
    fn a_name_is_written_down_as_it_sounded() {
        assert_eq!(name("my name is martin kellar"), Some("Martin Keller".to_owned()));
        assert_eq!(name("it's keller"), Some("Keller".to_owned()));
        assert_eq!(name("i would like an appointment"), None);
    }

    #[test]
    fn dates_are_heard_in_their_usual_forms() {
        assert_eq!(date("march fifth nineteen eighty two"), Some("March 5, 1982".to_owned()));
        assert_eq!(date("it's the twenty second of june nineteen fifty"), Some("June 22, 1950".to_owned()));
        assert_eq!(date("march the fifth two thousand four"), Some("March 5, 2004".to_owned()));
        assert_eq!(date("december twenty"), Some("December 20".to_owned()));
        assert_eq!(date("nineteen eighty two"), None);
    }

    #[test]
    fn digits_are_taken_one_by_one() {
        assert_eq!(digits("it's four oh seven two"), Some("4072".to_owned()));
        assert_eq!(digits("i do not know"), None);
    }
}
