//! Pronunciations: PocketSphinx's dictionary first, flite's letter-to-sound rules for what it lacks.

use std::collections::BTreeMap;
use std::path::Path;

use super::flite_ffi::flite;

/// Pronunciations kept of one word.
const MAX_VARIANTS: usize = 4;

/// The dictionary lines of `words`, as PocketSphinx reads them; words nobody can pronounce are left out and
/// returned beside.
pub fn pronounce<'a>(
    words: impl Iterator<Item = &'a str>,
    dictionary: &str,
) -> (BTreeMap<String, Vec<String>>, Vec<String>) {
    let mut found: BTreeMap<String, Vec<String>> = words.map(|word| (word.to_owned(), Vec::new())).collect();
    for line in dictionary.lines() {
        let Some((head, phones)) = line.split_once(' ') else {
            continue;
        };
        let word = head.split_once('(').map_or(head, |(word, _)| word);
        if let Some(variants) = found.get_mut(word).filter(|variants| variants.len() < MAX_VARIANTS) {
            variants.push(phones.trim().to_owned());
        }
    }
    let mut unknown = Vec::new();
    found.retain(|word, variants| {
        if variants.is_empty() {
            variants.extend(by_rule(word));
        }
        if variants.is_empty() {
            unknown.push(word.clone());
        }
        !variants.is_empty()
    });
    (found, unknown)
}

/// Reads the base dictionary.
pub fn read(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

/// The text of a dictionary file.
pub fn text<'a>(entries: impl Iterator<Item = (&'a String, &'a Vec<String>)>) -> String {
    let mut text = String::new();
    for (word, variants) in entries {
        for (index, phones) in variants.iter().enumerate() {
            match index {
                0 => text.push_str(&format!("{word} {phones}\n")),
                _ => text.push_str(&format!("{word}({}) {phones}\n", index + 1)),
            }
        }
    }
    text
}

fn by_rule(word: &str) -> Option<String> {
    let phones: Vec<String> = flite().ok()?.phones(word).iter().filter_map(|phone| cmu_phone(phone)).collect();
    (!phones.is_empty()).then(|| phones.join(" "))
}

/// A phone of flite's in the recogniser's set: no stress, no schwa.
fn cmu_phone(phone: &str) -> Option<String> {
    let bare = phone.trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_uppercase();
    match bare.as_str() {
        "PAU" | "" => None,
        "AX" => Some("AH".to_owned()),
        "AXR" => Some("ER".to_owned()),
        "IX" => Some("IH".to_owned()),
        _ => Some(bare),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_of_a_wanted_word_is_kept_and_others_are_not() {
        let (found, _) = pronounce(["a", "b"].into_iter(), "a AH\na(2) EY\naa EY EY\nb B IY\n");
        assert_eq!(text(found.iter()), "a AH\na(2) EY\nb B IY\n");
    }

    #[test]
    fn phones_of_the_voice_become_phones_of_the_recogniser() {
        let phones: Vec<_> = ["ax", "ey1", "pau", "ah0", "dh"].into_iter().filter_map(cmu_phone).collect();
        assert_eq!(phones, ["AH", "EY", "AH", "DH"]);
    }
}
