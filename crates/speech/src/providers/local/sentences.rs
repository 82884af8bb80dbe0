//! Pure: no I/O, no clock. Cuts a reply into sentences so that the first can be heard while the rest is made.

/// Longest piece handed to the voice, in bytes; longer sentences are cut at a comma or a space.
const MAX_SENTENCE: usize = 240;
/// Words whose full stop ends no sentence.
const ABBREVIATIONS: [&str; 12] = ["dr", "mr", "mrs", "ms", "st", "a.m", "p.m", "no", "jr", "sr", "vs", "ext"];

/// The sentences of a text, in order, none empty.
pub fn sentences(text: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut current = String::new();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if current.len() + word.len() > MAX_SENTENCE && !current.is_empty() {
            sentences.push(std::mem::take(&mut current));
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
        let next_starts_a_sentence = words.peek().is_none_or(|next| !next.starts_with(char::is_lowercase));
        if ends_sentence(word, next_starts_a_sentence) {
            sentences.push(std::mem::take(&mut current));
        }
    }
    if !current.is_empty() {
        sentences.push(current);
    }
    sentences.retain(|sentence| sentence.contains(char::is_alphanumeric));
    sentences
}

fn ends_sentence(word: &str, next_starts_a_sentence: bool) -> bool {
    let bare = word.trim_end_matches(['"', '\'', ')', '”', '’']);
    match bare.chars().last() {
        Some('!' | '?' | ';' | '…') => true,
        Some('.') => {
            let stem = bare.trim_end_matches('.').to_ascii_lowercase();
            let title = ABBREVIATIONS.contains(&stem.as_str());
            let time = stem == "a.m" || stem == "p.m";
            // "B." is somebody's initial; "at ten A.M. I will" ends nothing we could be sure of.
            let initial = stem.len() == 1 && stem.chars().all(char::is_alphabetic);
            next_starts_a_sentence && !title && !initial || (time && next_starts_a_sentence)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_cut_at_its_full_stops_and_question_marks() {
        check("Hello. How are you? Fine!", &["Hello.", "How are you?", "Fine!"]);
    }

    #[test]
    fn titles_initials_times_and_amounts_end_nothing() {
        check("Dr. Ruth B. Lee has 10.30 a.m. free.", &["Dr. Ruth B. Lee has 10.30 a.m. free."]);
        check("It costs $1,284.17 today", &["It costs $1,284.17 today"]);
    }

    #[test]
    fn a_time_before_a_new_sentence_ends_its_own() {
        check("At 10 A.M. Thank you.", &["At 10 A.M.", "Thank you."]);
    }

    #[test]
    fn punctuation_alone_is_not_spoken_and_endless_text_is_cut() {
        check("... - !", &[]);
        check("", &[]);
        let endless = "word ".repeat(200);
        assert!(sentences(&endless).iter().all(|sentence| sentence.len() <= MAX_SENTENCE + 1));
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(sentences(text), expected);
    }
}
