//! Pure: no I/O, no clock.
//!
//! "Mm-hm", "okay": noises that tell a speaker to go on.

/// Is this all there is to it?
pub(crate) fn is_backchannel(words: &[String]) -> bool {
    const NOISES: &[&str] = &[
        "mm", "hm", "hmm", "mhm", "mmhm", "mmm", "uh", "huh", "um", "ah", "oh", "okay", "ok", "yes", "yeah", "yep",
        "right", "sure", "i", "see", "alright", "all", "good", "great",
    ];
    !words.is_empty() && words.len() <= 3 && words.iter().all(|word| NOISES.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::words;

    #[test]
    fn a_hum_is_no_turn() {
        for (heard, expected) in [
            ("mm-hm", true),
            ("okay", true),
            ("yes i see", true),
            ("stop", false),
            ("yes i have tuesday", false),
            ("", false),
        ] {
            assert_eq!(is_backchannel(&words(heard)), expected, "{heard}");
        }
    }
}
