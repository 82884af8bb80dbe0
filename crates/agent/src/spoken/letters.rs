//! Pure: no I/O, no clock.
//!
//! Letters as a recogniser hears them, and codes made of letters and digits.

use super::number::digit_run;

/// A letter read out: `b`, `be`, `bravo`, `double u`.
pub(crate) fn letter(words: &[String], at: usize) -> Option<(char, usize)> {
    let word = words.get(at)?.as_str();
    if word == "double" && words.get(at + 1).is_some_and(|word| word == "u" || word == "you") {
        return Some(('W', 2));
    }
    let letter = match word {
        "alpha" | "ay" | "hey" => 'A',
        "be" | "bee" | "bravo" => 'B',
        "see" | "sea" | "charlie" => 'C',
        "dee" | "delta" => 'D',
        "echo" => 'E',
        "ef" | "foxtrot" => 'F',
        "gee" | "golf" => 'G',
        "hotel" | "aitch" => 'H',
        "eye" | "india" => 'I',
        "jay" | "juliet" => 'J',
        "kay" | "kilo" => 'K',
        "el" | "lima" => 'L',
        "em" | "mike" => 'M',
        "en" | "november" => 'N',
        "oscar" => 'O',
        "pee" | "pea" | "papa" => 'P',
        "queue" | "cue" | "quebec" => 'Q',
        "are" | "romeo" => 'R',
        "ess" | "sierra" => 'S',
        "tee" | "tea" | "tango" => 'T',
        "you" | "uniform" => 'U',
        "vee" | "victor" => 'V',
        "whiskey" => 'W',
        "ex" | "xray" => 'X',
        "why" | "yankee" => 'Y',
        "zee" | "zed" | "zulu" => 'Z',
        _ if word.len() == 1 => word.chars().next().filter(char::is_ascii_alphabetic)?.to_ascii_uppercase(),
        _ => return None,
    };
    Some((letter, 1))
}

/// A code such as `B12` out of `b twelve` from `at` on; it must have a digit.
pub(crate) fn code(words: &[String], at: usize) -> Option<(String, usize)> {
    let mut code = String::new();
    let mut taken = 0;
    while at + taken < words.len() {
        let word = &words[at + taken];
        if let Some((digits, used)) = digit_run(words, at + taken) {
            code.push_str(&digits);
            taken += used;
        } else if let Some((letter, used)) = letter(words, at + taken) {
            // Sentences go on with words that sound like letters ("are you …"); after a digit only bare letters count.
            if code.bytes().any(|b| b.is_ascii_digit()) && word.len() > 1 {
                break;
            }
            code.push(letter);
            taken += used;
        } else if word.len() >= 2
            && word.bytes().any(|b| b.is_ascii_digit())
            && word.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            code.push_str(&word.to_ascii_uppercase());
            taken += 1;
        } else if matches!(word.as_str(), "as" | "dash" | "hyphen") && !code.is_empty() {
            taken += 1;
        } else {
            break;
        }
    }
    code.bytes().any(|b| b.is_ascii_digit()).then_some((code, taken))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::words;

    #[test]
    fn codes_are_letters_and_digits() {
        for (heard, expected) in [
            ("b twelve", "B12"),
            ("bee one two thank you", "B12"),
            ("be twelve are you", "B12"),
            ("alpha bravo four oh two", "AB402"),
            ("b12 anything else", "B12"),
            ("double u seven", "W7"),
        ] {
            assert_eq!(code(&words(heard), 0).map(|(code, _)| code).as_deref(), Some(expected), "{heard}");
        }
        assert_eq!(code(&words("are you there"), 0), None);
    }
}
