//! Pure: no I/O, no clock.
//!
//! What was heard, as words, and phrases found in it although some words were misheard.

/// The words of a text: lower case, no punctuation; `a.m.` is `am`, `10:30` and `1284.17` stay whole.
pub(crate) fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| chars[i]);
        let after = chars.get(i + 1).copied();
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        match c {
            '\'' | '’' => {}
            ',' if digit(before) && digit(after) => {}
            ':' | '.' if digit(before) && digit(after) => word.push(c),
            // "a.m." is one word, the end of a sentence is not.
            '.' if word.chars().count() == 1 && before.is_some_and(char::is_alphabetic) => {}
            '.' if word.len() == 2 && (word == "am" || word == "pm") => {}
            '#' | '*' => {
                end_word(&mut word, &mut words);
                words.push(if c == '#' { "pound" } else { "star" }.to_owned());
            }
            c if c.is_alphanumeric() => word.extend(c.to_lowercase()),
            _ => end_word(&mut word, &mut words),
        }
    }
    end_word(&mut word, &mut words);
    words
}

/// The words of a text, and where among them a new phrase begins: after punctuation.
pub(crate) fn phrases(text: &str) -> (Vec<String>, Vec<usize>) {
    let mut all = Vec::new();
    let mut pauses = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(", ").or_else(|| rest.find(". ")) {
        let (phrase, after) = rest.split_at(at + 1);
        all.extend(words(phrase));
        pauses.push(all.len());
        rest = after;
    }
    all.extend(words(rest));
    (all, pauses)
}

fn end_word(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

/// Is a phrase in the words? `*` stands for up to two words.
pub(crate) fn has(words: &[String], phrase: &str) -> bool {
    find(words, phrase).is_some()
}

/// Is one of the phrases in the words?
pub(crate) fn has_any(words: &[String], phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| has(words, phrase))
}

/// Where a phrase first begins, and where it ends.
pub(crate) fn find(words: &[String], phrase: &str) -> Option<std::ops::Range<usize>> {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    (0..words.len()).find_map(|start| match_at(words, start, &phrase).map(|end| start..end))
}

fn match_at(words: &[String], at: usize, phrase: &[&str]) -> Option<usize> {
    match phrase {
        [] => Some(at),
        ["*", rest @ ..] => (0..=2).find_map(|skip| match_at(words, at + skip, rest)),
        [first, rest @ ..] => {
            let word = words.get(at)?;
            if similar(word, first) { match_at(words, at + 1, rest) } else { None }
        }
    }
}

/// The same word, as far as a recogniser can be trusted: a letter may differ in long words, two in
/// very long ones.
pub(crate) fn similar(heard: &str, expected: &str) -> bool {
    if heard == expected {
        return true;
    }
    let shorter = heard.len().min(expected.len());
    let allowed = match shorter {
        0..=4 => 0,
        5..=7 => 1,
        _ => 2,
    };
    allowed > 0 && heard.as_bytes().first() == expected.as_bytes().first() && distance(heard, expected) <= allowed
}

/// Levenshtein's distance in characters.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The part of a word that its forms share: `appointments` and `appointment`, `billing` and `bill`.
pub(crate) fn stem(word: &str) -> &str {
    for suffix in ["ings", "ing", "ies", "ment", "ments", "ed", "es", "s", "y"] {
        if let Some(stem) = word.strip_suffix(suffix)
            && stem.len() >= 4
        {
            return stem;
        }
    }
    word
}

/// Words that say nothing about a subject.
pub(crate) fn is_filler(word: &str) -> bool {
    const FILLERS: &[&str] = &[
        "a",
        "an",
        "the",
        "of",
        "for",
        "to",
        "with",
        "in",
        "on",
        "at",
        "by",
        "and",
        "or",
        "our",
        "your",
        "you",
        "my",
        "i",
        "we",
        "us",
        "is",
        "are",
        "be",
        "this",
        "that",
        "these",
        "it",
        "if",
        "would",
        "like",
        "want",
        "need",
        "wish",
        "please",
        "about",
        "all",
        "any",
        "other",
        "from",
        "as",
        "do",
        "have",
        "has",
        "can",
        "will",
        "what",
        "which",
        "when",
        "how",
        "out",
        "find",
        "ask",
        "get",
        "know",
        "make",
        "reach",
        "speak",
        "talk",
        "someone",
        "call",
        "calling",
        "department",
        "doctor",
        "dr",
        "press",
        "say",
        "number",
        "his",
        "her",
        "their",
        "him",
        "them",
        "new",
        "next",
        "name",
        "questions",
        "question",
        "help",
        "information",
        "more",
        "there",
        "was",
        "up",
        "us",
        "me",
    ];
    FILLERS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_bare_and_numbers_stay_whole() {
        assert_eq!(
            words("You're at 10:30 a.m., it's $1,284.17. Press #"),
            ["youre", "at", "10:30", "am", "its", "1284.17", "press", "pound"]
        );
    }

    #[test]
    fn a_phrase_is_found_although_a_letter_was_misheard() {
        assert!(has(&words("please leave me a massage after the tone"), "leave * message"));
        assert!(!has(&words("leave the house"), "leave * message"));
        assert!(!similar("four", "your"));
    }
}
