//! Spoken numbers to digits.

use super::{ORDINAL_TENS, ORDINAL_UNITS, TENS, UNITS, position, tokens};

/// The longest run of digits in a text: `you entered four seven double one` → `4711`. Tens and teens count as the
/// digits they are written with.
pub fn digits(text: &str) -> Option<String> {
    longest_run(&tokens(text), digit_group)
}

/// The longest run of letters and digits: `b twelve` → `B12`. One letter alone is no code.
pub fn code(text: &str) -> Option<String> {
    let code = longest_run(&tokens(text), |words| digit_group(words).or_else(|| letter(words)))?;
    (code.len() > 1 || code.starts_with(|c: char| c.is_ascii_digit())).then_some(code)
}

/// The first whole number: `one thousand two hundred eighty four` → 1284.
pub fn number(text: &str) -> Option<u64> {
    let words = tokens(text);
    (0..words.len()).find_map(|at| cardinal(&words[at..])).map(|(value, _)| value)
}

/// The first ordinal: `the twenty first` or `21st` → 21.
pub fn ordinal(text: &str) -> Option<u32> {
    let words = tokens(text);
    (0..words.len()).find_map(|at| ordinal_at(&words[at..])).map(|(value, _)| value)
}

/// The first amount, with two decimals: `one thousand two hundred eighty four dollars and seventeen cents` →
/// `1284.17`, `$5` → `5.00`.
pub fn money(text: &str) -> Option<String> {
    let words = tokens(text);
    (0..words.len()).find_map(|at| money_at(&words[at..]))
}

fn money_at(words: &[String]) -> Option<String> {
    if let Some(amount) = words[0].strip_prefix('$') {
        let amount = amount.replace(',', "");
        let (dollars, cents) = amount.split_once('.').unwrap_or((&amount, "00"));
        let valid = !dollars.is_empty() && cents.len() == 2 && amount.chars().all(|c| c.is_ascii_digit() || c == '.');
        return valid.then(|| format!("{dollars}.{cents}"));
    }
    let (amount, length) = cardinal(words)?;
    let rest = &words[length..];
    match rest.first()?.as_str() {
        "cent" | "cents" if amount < 100 => Some(format!("0.{amount:02}")),
        "dollar" | "dollars" => Some(format!("{amount}.{:02}", cents(&rest[1..]).unwrap_or(0))),
        _ => None,
    }
}

/// What follows the dollars: `and seventeen cents`, `and seventeen`, or a last `seventeen`.
fn cents(words: &[String]) -> Option<u64> {
    let and = words.first().is_some_and(|word| word == "and");
    let words = &words[usize::from(and)..];
    let (cents, length) = cardinal(words)?;
    let named = words.get(length).is_some_and(|word| word == "cent" || word == "cents");
    (cents < 100 && (named || and || length == words.len())).then_some(cents)
}

/// A cardinal at the beginning of `words` and how many of them it takes.
pub(super) fn cardinal(words: &[String]) -> Option<(u64, usize)> {
    if let Some(literal) = words.first().and_then(|word| literal(word)) {
        return Some((literal, 1));
    }
    let mut total = 0;
    let mut used = 0;
    for (scale, name) in [(1_000_000_000, "billion"), (1_000_000, "million"), (1000, "thousand")] {
        if let Some((value, length)) = below_thousand(&words[used..])
            && words.get(used + length).is_some_and(|word| word == name)
        {
            total += value * scale;
            used += length + 1;
        }
    }
    let and = used > 0 && words.get(used).is_some_and(|word| word == "and");
    match below_thousand(&words[used + usize::from(and)..]) {
        // Another number may follow "thousand and" only if it belongs to it: "two thousand and four".
        Some((value, length)) if used == 0 || value > 0 => Some((total + value, used + usize::from(and) + length)),
        _ => (used > 0).then_some((total, used)),
    }
}

/// `12`, `1,284`; longer than any amount said on the telephone is not a number.
fn literal(word: &str) -> Option<u64> {
    let plain = word.replace(',', "");
    (plain.len() <= 12 && plain.starts_with(|c: char| c.is_ascii_digit())).then(|| plain.parse().ok()).flatten()
}

fn below_thousand(words: &[String]) -> Option<(u64, usize)> {
    let (first, mut used) = match words.first().map(String::as_str) {
        Some("a") if words.get(1).is_some_and(|word| word == "hundred" || word == "thousand") => (1, 1),
        _ => below_hundred(words)?,
    };
    if words.get(used).is_none_or(|word| word != "hundred") || first == 0 {
        return Some((first, used));
    }
    used += 1;
    let and = words.get(used).is_some_and(|word| word == "and");
    match below_hundred(&words[used + usize::from(and)..]) {
        Some((rest, length)) if rest > 0 => Some((first * 100 + rest, used + usize::from(and) + length)),
        _ => Some((first * 100, used)),
    }
}

/// `seven`, `seventeen`, `seventy`, `seventy seven`.
pub(super) fn below_hundred(words: &[String]) -> Option<(u64, usize)> {
    let first = words.first()?;
    if let Some(value) = position(&UNITS, first) {
        return Some((value.into(), 1));
    }
    let tens = position(&TENS[2..], first)? + 2;
    let unit = words.get(1).and_then(|word| position(&UNITS[1..10], word)).map(|unit| unit + 1);
    Some(((tens * 10 + unit.unwrap_or(0)).into(), 1 + usize::from(unit.is_some())))
}

/// `first`, `twenty first`, `21st` at the beginning of `words`, and how many of them it takes.
pub(super) fn ordinal_at(words: &[String]) -> Option<(u32, usize)> {
    let first = words.first()?;
    if let Some(value) = position(&ORDINAL_UNITS[1..], first) {
        return Some((value + 1, 1));
    }
    if let Some(tens) = position(&ORDINAL_TENS[2..], first) {
        return Some(((tens + 2) * 10, 1));
    }
    if let Some(tens) = position(&TENS[2..], first) {
        let unit = position(&ORDINAL_UNITS[1..10], words.get(1)?)?;
        return Some(((tens + 2) * 10 + unit + 1, 2));
    }
    let stem = ["st", "nd", "rd", "th"].iter().find_map(|ending| first.strip_suffix(ending))?;
    let value = stem.parse().ok().filter(|_| stem.starts_with(|c: char| c.is_ascii_digit()))?;
    Some((value, 1))
}

/// What one digit, a pair, a repetition or a number below a thousand is written with.
fn digit_group(words: &[String]) -> Option<(String, usize)> {
    let first = words.first()?.as_str();
    if first.chars().all(|c| c.is_ascii_digit()) {
        return Some((first.to_owned(), 1));
    }
    match first {
        "oh" | "o" => return Some(("0".to_owned(), 1)),
        "double" | "triple" => {
            let times = if first == "double" { 2 } else { 3 };
            let digit = words.get(1)?;
            let digit = if digit == "oh" || digit == "o" { 0 } else { position(&UNITS[..10], digit)? };
            return Some((digit.to_string().repeat(times), 2));
        }
        _ => {}
    }
    let (value, length) = below_thousand(words)?;
    Some((value.to_string(), length))
}

fn letter(words: &[String]) -> Option<(String, usize)> {
    let first = words.first()?;
    let mut characters = first.chars();
    let letter = characters.next().filter(char::is_ascii_alphabetic)?;
    match characters.next() {
        None => Some((letter.to_ascii_uppercase().to_string(), 1)),
        // `b12` as another recogniser would write it.
        Some(_) if first.len() <= 16 && first[1..].chars().all(|c| c.is_ascii_digit()) => {
            Some((first.to_ascii_uppercase(), 1))
        }
        Some(_) => None,
    }
}

fn longest_run(words: &[String], part: impl Fn(&[String]) -> Option<(String, usize)>) -> Option<String> {
    let mut best = String::new();
    let mut run = String::new();
    let mut at = 0;
    while at < words.len() {
        match part(&words[at..]) {
            Some((text, length)) => {
                run.push_str(&text);
                at += length;
            }
            None => {
                run.clear();
                at += 1;
            }
        }
        if run.len() > best.len() {
            best.clone_from(&run);
        }
    }
    (!best.is_empty()).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_found_however_they_are_grouped() {
        let check = |text, expected: Option<&str>| assert_eq!(digits(text).as_deref(), expected, "{text}");
        check("one two three four", Some("1234"));
        check("you entered four seven one nine zero three if this is correct press one", Some("471903"));
        check("double five oh triple nine", Some("550999"));
        check("forty seven nineteen", Some("4719"));
        check("four hundred twelve", Some("412"));
        check("555-0142", Some("5550142"));
        check("none at all", None);
        check("", None);
    }

    #[test]
    fn a_code_mixes_letters_and_digits() {
        let check = |text, expected: Option<&str>| assert_eq!(code(text).as_deref(), expected, "{text}");
        check("b twelve", Some("B12"));
        check("your number is b twelve", Some("B12"));
        check("q seven four x", Some("Q74X"));
        check("it is b12", Some("B12"));
        check("seven", Some("7"));
        check("i am here", None);
    }

    #[test]
    fn numbers_are_read_with_their_scales() {
        let check = |text, expected: Option<u64>| assert_eq!(number(text), expected, "{text}");
        check("one thousand two hundred eighty four", Some(1284));
        check("twelve hundred", Some(1200));
        check("a hundred and five people", Some(105));
        check("two thousand and four", Some(2004));
        check("three million", Some(3_000_000));
        check("zero", Some(0));
        check("it costs 1,284 today", Some(1284));
        check("99999999999999999999", None);
        check("thousand", None);
    }

    #[test]
    fn amounts_have_two_decimals() {
        let check = |text, expected: Option<&str>| assert_eq!(money(text).as_deref(), expected, "{text}");
        check("one thousand two hundred eighty four dollars and seventeen cents", Some("1284.17"));
        check("your balance is ninety six dollars and four cents", Some("96.04"));
        check("twenty dollars", Some("20.00"));
        check("twenty dollars five", Some("20.05"));
        check("fifty cents", Some("0.50"));
        check("one dollar and one cent", Some("1.01"));
        check("you have two accounts and owe five dollars in two weeks", Some("5.00"));
        check("the total is $1,284.17.", Some("1284.17"));
        check("$", None);
        check("two", None);
    }

    #[test]
    fn ordinals_are_read_as_words_and_as_figures() {
        assert_eq!(ordinal("the twenty first"), Some(21));
        assert_eq!(ordinal("on the 3rd"), Some(3));
        assert_eq!(ordinal("thirtieth"), Some(30));
        assert_eq!(ordinal("best"), None);
    }
}
