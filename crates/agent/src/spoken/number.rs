//! Pure: no I/O, no clock.
//!
//! Digits, whole numbers and money, out of words.

use std::ops::Range;

use crate::text::similar;

/// One digit, as it is read out.
pub(crate) fn digit_word(word: &str) -> Option<u8> {
    let digit = match word {
        "zero" | "oh" | "o" | "0" => 0,
        "one" | "1" => 1,
        "two" | "2" => 2,
        "three" | "3" => 3,
        "four" | "4" => 4,
        "five" | "5" => 5,
        "six" | "6" => 6,
        "seven" | "7" => 7,
        "eight" | "8" => 8,
        "nine" | "9" => 9,
        _ => return None,
    };
    Some(digit)
}

pub(crate) fn teen(word: &str) -> Option<u64> {
    const TEENS: [&str; 10] =
        ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"];
    TEENS.iter().position(|teen| *teen == word).map(|i| i as u64 + 10)
}

pub(crate) fn tens(word: &str) -> Option<u64> {
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    TENS.iter().position(|tens| *tens == word).map(|i| (i as u64 + 2) * 10)
}

/// A number under a hundred at `at`, and how many words it took.
pub(crate) fn below_hundred(words: &[String], at: usize) -> Option<(u64, usize)> {
    let word = words.get(at)?;
    if word.len() <= 2
        && let Ok(number) = word.parse()
    {
        return Some((number, 1));
    }
    if let Some(number) = teen(word) {
        return Some((number, 1));
    }
    if let Some(number) = tens(word) {
        return match words.get(at + 1).and_then(|word| digit_word(word)) {
            Some(unit) if unit > 0 && words[at + 1] != "o" => Some((number + u64::from(unit), 2)),
            _ => Some((number, 1)),
        };
    }
    digit_word(word).map(|digit| (u64::from(digit), 1))
}

/// A whole number at `at` (`one thousand two hundred eighty four`), and how many words it took.
pub(crate) fn cardinal(words: &[String], at: usize) -> Option<(u64, usize)> {
    if let Some(number) = words.get(at).filter(|word| word.len() <= 12).and_then(|word| word.parse().ok()) {
        return Some((number, 1));
    }
    let (mut total, mut taken) = (0u64, 0usize);
    loop {
        let here = at + taken;
        let (mut group, mut used) = match words.get(here).map(String::as_str) {
            Some("a") if matches!(words.get(here + 1).map(String::as_str), Some("hundred" | "thousand")) => (1, 1),
            _ => match below_hundred(words, here) {
                Some(found) => found,
                None => break,
            },
        };
        if words.get(here + used).is_some_and(|word| word == "hundred") {
            group *= 100;
            used += 1;
            let skip = usize::from(words.get(here + used).is_some_and(|word| word == "and"));
            if let Some((rest, more)) = below_hundred(words, here + used + skip) {
                group += rest;
                used += skip + more;
            }
        }
        let scale = match words.get(here + used).map(String::as_str) {
            Some("thousand") => 1_000,
            Some("million") => 1_000_000,
            _ => 1,
        };
        total += group * scale;
        taken += used;
        if scale == 1 {
            break;
        }
        taken += 1;
        if words.get(at + taken).is_some_and(|word| word == "and") && below_hundred(words, at + taken + 1).is_some() {
            taken += 1;
        }
    }
    (taken > 0).then_some((total, taken))
}

/// All digits read out, one after another, `double four` included; other words are skipped.
pub(crate) fn digits(words: &[String]) -> String {
    let mut found = String::new();
    let mut at = 0;
    while at < words.len() {
        match digit_run(words, at) {
            Some((run, taken)) => {
                found.push_str(&run);
                at += taken;
            }
            None => at += 1,
        }
    }
    found
}

/// Digits read out from `at` on, and how many words they took. `twelve` is `12`, `forty two` is `42`.
pub(crate) fn digit_run(words: &[String], at: usize) -> Option<(String, usize)> {
    let mut run = String::new();
    let mut taken = 0;
    while let Some(word) = words.get(at + taken) {
        let repeat = match word.as_str() {
            "double" => 2,
            "triple" => 3,
            _ => 1,
        };
        if repeat > 1 {
            let Some(digit) = words.get(at + taken + 1).and_then(|word| digit_word(word)) else { break };
            run.extend(std::iter::repeat_n(char::from(b'0' + digit), repeat));
            taken += 2;
        } else if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) {
            run.push_str(word);
            taken += 1;
        } else if let Some((number, used)) = below_hundred(words, at + taken) {
            run.push_str(&number.to_string());
            taken += used;
        } else {
            break;
        }
    }
    (taken > 0).then_some((run, taken))
}

/// An amount of money as written (`1284.17`), and the words that said it.
pub(crate) fn money(words: &[String]) -> Option<(String, Range<usize>)> {
    let mut at = 0;
    while at < words.len() {
        // A written amount: "1284.17".
        if let Some((whole, cents)) = words[at].split_once('.')
            && cents.len() == 2
            && whole.parse::<u64>().is_ok()
            && cents.parse::<u64>().is_ok()
        {
            return Some((words[at].clone(), at..at + 1));
        }
        let Some((whole, used)) = cardinal(words, at) else {
            at += 1;
            continue;
        };
        let unit = words.get(at + used).map(String::as_str);
        if matches!(unit, Some("cents" | "cent")) {
            return Some((format!("0.{whole:02}"), at..at + used + 1));
        }
        if !unit.is_some_and(|unit| matches!(unit, "dollar" | "euros" | "euro" | "pounds") || similar(unit, "dollars"))
        {
            at += used;
            continue;
        }
        let mut end = at + used + 1;
        let skip = usize::from(words.get(end).is_some_and(|word| word == "and"));
        let mut cents = 0;
        if let Some((number, more)) = below_hundred(words, end + skip)
            && number < 100
            // "fifty dollars and two days" has no cents; a price may leave the word out at its end.
            && words.get(end + skip + more).is_none_or(|word| word.starts_with("cent"))
        {
            cents = number;
            end = (end + skip + more + 1).min(words.len());
        }
        return Some((format!("{whole}.{cents:02}"), at..end));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::words;

    #[test]
    fn money_is_written_as_a_person_would() {
        for (heard, written) in [
            ("your balance is one thousand two hundred eighty four dollars and seventeen cents", "1284.17"),
            ("you owe a hundred and five dollars", "105.00"),
            ("it is ninety nine cents", "0.99"),
            ("$1,284.17 is due", "1284.17"),
            ("twelve thousand dollars and five cents", "12000.05"),
            ("three hundred twenty dollars and forty cents thank you", "320.40"),
        ] {
            assert_eq!(money(&words(heard)).map(|(amount, _)| amount).as_deref(), Some(written), "{heard}");
        }
        assert_eq!(money(&words("press one for dollars")), None);
    }

    #[test]
    fn digits_come_one_by_one_and_in_pairs() {
        assert_eq!(digits(&words("you entered four eight two one three oh double seven")), "48213077");
        assert_eq!(digits(&words("twelve thirty four")), "1234");
        assert_eq!(cardinal(&words("two thousand and six"), 0), Some((2006, 4)));
    }
}
