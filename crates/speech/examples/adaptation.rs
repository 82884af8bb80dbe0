//! Writes the speech that `scripts/adapt.sh` fits the recogniser to: sentences of the licences that every Debian
//! carries, read by the local voices over the telephone, as the recogniser gets to hear them.
//!
//! ```text
//! cargo run -p speech --example adaptation -- FOLDER
//! ```
//!
//! `FOLDER` then holds a WAV file of 16 kHz for each sentence, and `list`, `transcripts` and `dictionary` in the
//! formats of SphinxTrain.

#![allow(clippy::print_stdout, reason = "a tool of the developers")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use media::codec::g711;
use speech::resample::Upsampler;
use speech::{local_tts, synthesize};

const LICENCES: &str = "/usr/share/common-licenses";
const TEXTS: [&str; 6] = ["GPL-2", "GPL-3", "Apache-2.0", "Artistic", "MPL-2.0", "LGPL-2.1"];
const DICTIONARY: &str = "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict";
const VOICES: [&str; 4] = ["rms", "slt", "kal16", "awb"];
/// Sentences of each voice.
const SENTENCES: usize = 75;
/// Words of a sentence.
const WORDS: std::ops::RangeInclusive<usize> = 4..=12;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: adaptation FOLDER")?;
    let folder = Path::new(&folder);
    let known = std::fs::read_to_string(DICTIONARY)?;
    let pronunciations = pronunciations(&known);
    let sentences = sentences(&pronunciations)?;
    let tts = local_tts()?;

    let (mut list, mut transcripts, mut dictionary) = (String::new(), String::new(), BTreeMap::new());
    let step = sentences.len() / (SENTENCES * VOICES.len());
    for (index, sentence) in sentences.iter().step_by(step.max(1)).take(SENTENCES * VOICES.len()).enumerate() {
        let voice = VOICES[index % VOICES.len()];
        let name = format!("{voice}-{index}");
        let spoken = synthesize(&*tts, &format!("{sentence}."), Some(voice)).await?;
        let heard: Vec<i16> = spoken.into_iter().map(over_g711).collect();
        std::fs::write(
            folder.join(format!("{name}.wav")),
            media::wav::write_mono(16_000, &Upsampler::new().push(&heard)),
        )?;
        writeln!(list, "{name}")?;
        writeln!(transcripts, "<s> {sentence} </s> ({name})")?;
        dictionary.extend(sentence.split(' ').map(|word| (word, pronunciations[word])));
    }
    std::fs::write(folder.join("list"), list)?;
    std::fs::write(folder.join("transcripts"), transcripts)?;
    std::fs::write(
        folder.join("dictionary"),
        dictionary.iter().fold(String::new(), |text, (word, phones)| text + word + " " + phones + "\n"),
    )?;
    println!("{} sentences of {} voices in {}", SENTENCES * VOICES.len(), VOICES.len(), folder.display());
    Ok(())
}

fn over_g711(sample: i16) -> i16 {
    g711::ULAW_TO_LINEAR[usize::from(g711::ulaw_from_linear(sample))]
}

/// The first pronunciation of each word.
fn pronunciations(dictionary: &str) -> BTreeMap<&str, &str> {
    dictionary.lines().filter_map(|line| line.split_once(' ')).filter(|(word, _)| !word.contains('(')).collect()
}

/// Parts of sentences without digits, all of whose words can be pronounced, in alphabetical order.
fn sentences(pronunciations: &BTreeMap<&str, &str>) -> std::io::Result<Vec<String>> {
    let mut sentences = BTreeSet::new();
    for text in TEXTS {
        let text = std::fs::read_to_string(Path::new(LICENCES).join(text))?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        for part in text.split(['.', ';', ':', ',', '(', ')', '"', '-']) {
            let words: Vec<&str> = part.split_whitespace().collect();
            if WORDS.contains(&words.len()) && words.iter().all(|word| pronunciations.contains_key(word)) {
                sentences.insert(words.join(" "));
            }
        }
    }
    Ok(sentences.into_iter().collect())
}
