//! From the general telephone grammar and a call's own phrases to the files a decoder reads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::grammar::{Counts, Grammar, Words};
use super::{dictionary, language_model, missing};
use crate::{Error, Vocabulary, words};

const MODEL_FOLDER: &str = "/usr/share/pocketsphinx/model/en-us";
/// Where another installation of the model lies.
const MODEL_VARIABLE: &str = "OFFHOOK_POCKETSPHINX_MODEL";
/// Phrases of one call; more are left out.
const MAX_PHRASES: usize = 400;
/// Words of one phrase; more are left out.
const MAX_PHRASE_WORDS: usize = 12;
/// The share of a call's own phrases beside the general grammar.
const PHRASE_WEIGHT: f64 = 1.5;

/// Maximum-likelihood linear regression of the acoustic model's means to speech over G.711, as
/// [`Upsampler`](crate::resample::Upsampler) hands it over; made by `scripts/adapt.sh`.
const ADAPTATION: &str = include_str!("telephone.mllr");

/// A section of the general grammar as counted and pronounced; made once a process, when first needed.
struct Section {
    words: Words,
    counts: Counts,
    pronunciations: BTreeMap<String, Vec<String>>,
}

/// A dictionary and a language model in a folder that vanishes with this value.
pub(super) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    /// Writes what a decoder needs for this vocabulary.
    pub fn write(vocabulary: &Vocabulary) -> Result<Self, Error> {
        let (section, carriers) = match vocabulary.closed {
            true => (closed()?, "answer_phrases"),
            false => (open()?, "phrases"),
        };
        let phrases = phrases(vocabulary);
        let mut words = section.words.clone();
        let mut counts = section.counts.clone();
        let mut pronunciations = section.pronunciations.clone();
        if !phrases.is_empty() {
            let mut grammar = grammar().clone();
            let base = base_dictionary()?;
            let new = phrases.iter().flat_map(|phrase| phrase.split(' '));
            let new = new.filter(|word| !section.pronunciations.contains_key(*word));
            let (found, unknown) = dictionary::pronounce(new, &base);
            pronunciations.extend(found);
            let spoken = |phrase: &String| phrase.split(' ').all(|word| !unknown.iter().any(|other| other == word));
            let phrases: Vec<String> = phrases.into_iter().filter(spoken).collect();
            grammar.define("phrase", &phrases);
            grammar.count(carriers, PHRASE_WEIGHT, &mut words, &mut counts);
        }
        let written = || {
            let folder = tempfile::Builder::new().prefix("offhook-words-").tempdir()?;
            std::fs::write(folder.path().join("dictionary"), dictionary::text(pronunciations.iter()))?;
            std::fs::write(folder.path().join("adaptation"), ADAPTATION)?;
            std::fs::write(folder.path().join("model.arpa"), language_model::arpa(&words, &counts))?;
            Ok(Self { folder })
        };
        written().map_err(|error: std::io::Error| Error::Provider {
            provider: "pocketsphinx",
            message: format!("the call's words could not be written: {error}"),
        })
    }

    pub fn dictionary(&self) -> PathBuf {
        self.folder.path().join("dictionary")
    }

    /// What fits the acoustic model to the telephone: a linear transform of its means.
    pub fn adaptation(&self) -> PathBuf {
        self.folder.path().join("adaptation")
    }

    pub fn language_model(&self) -> PathBuf {
        self.folder.path().join("model.arpa")
    }
}

/// The folder of the acoustic model.
pub(super) fn acoustic_model() -> PathBuf {
    model_folder().join("en-us")
}

fn model_folder() -> PathBuf {
    std::env::var_os(MODEL_VARIABLE).map_or_else(|| PathBuf::from(MODEL_FOLDER), PathBuf::from)
}

fn base_dictionary() -> Result<String, Error> {
    let path = model_folder().join("cmudict-en-us.dict");
    dictionary::read(Path::new(&path)).map_err(|_| missing(&path.display().to_string(), "pocketsphinx-en-us"))
}

fn grammar() -> &'static Grammar {
    static GRAMMAR: OnceLock<Grammar> = OnceLock::new();
    GRAMMAR.get_or_init(|| Grammar::parse(include_str!("telephone.grammar")).expect("a test reads the grammar"))
}

fn open() -> Result<&'static Section, Error> {
    static OPEN: OnceLock<Section> = OnceLock::new();
    section("general", &OPEN)
}

fn closed() -> Result<&'static Section, Error> {
    static CLOSED: OnceLock<Section> = OnceLock::new();
    section("answers", &CLOSED)
}

fn section(name: &str, kept: &'static OnceLock<Section>) -> Result<&'static Section, Error> {
    if let Some(section) = kept.get() {
        return Ok(section);
    }
    let base = base_dictionary()?;
    Ok(kept.get_or_init(|| {
        let (mut words, mut counts) = (Words::new(), Counts::default());
        grammar().count(name, 1.0, &mut words, &mut counts);
        counts.three.prune(language_model::MIN_TRIPLE);
        let (pronunciations, _) = dictionary::pronounce(words.names().iter().skip(2).map(String::as_str), &base);
        Section { words, counts, pronunciations }
    }))
}

/// The phrases as lower-case words that can be pronounced, numbers spelled out.
fn phrases(vocabulary: &Vocabulary) -> Vec<String> {
    let mut phrases: Vec<String> = Vec::new();
    for phrase in vocabulary.phrases.iter().take(MAX_PHRASES) {
        let spoken = words::spoken(phrase);
        let spoken: Vec<&str> = spoken.split_whitespace().take(MAX_PHRASE_WORDS).collect();
        let spoken = spoken.join(" ");
        if !spoken.is_empty() && !phrases.contains(&spoken) {
            phrases.push(spoken);
        }
    }
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_general_grammar_can_be_read() {
        Grammar::parse(include_str!("telephone.grammar")).unwrap();
    }
}
