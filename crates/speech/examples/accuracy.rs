//! How many words the local recogniser mishears, of sentences that nobody wrote for it: the prompts of Asterisk's core
//! sounds, as recorded by the person who speaks them and as read by the local voices.
//!
//! ```text
//! apt-get install asterisk-core-sounds-en-wav
//! cargo run --release -p speech --example accuracy [-- --errors]
//! ```
//!
//! Only prompts whose words the recogniser could know without being told count: the rest measure its vocabulary.
//! Prints a row a voice; `--errors` also what was misheard.

#![allow(clippy::print_stdout, reason = "a tool of the developers")]

#[path = "../tests/word_errors/mod.rs"]
mod word_errors;

use std::collections::HashSet;
use std::error::Error;
use std::path::Path;
use std::process::Command;

use media::codec::g711;
use media::wav;
use speech::{Vocabulary, local_stt, local_tts, synthesize, transcribe, words};
use word_errors::word_errors;

const TEXTS: &str = "/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz";
const SOUNDS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";
const GRAMMAR: &str = include_str!("../src/providers/local/telephone.grammar");
const VOICES: [&str; 4] = ["rms", "slt", "kal16", "awb"];
/// Words of a prompt.
const LENGTH: std::ops::RangeInclusive<usize> = 2..=45;
/// The level of active speech wanted, as RMS: -20 dBFS.
const LEVEL: f64 = 3276.8;
/// Quieter samples are not active.
const QUIET: i16 = 200;
/// Silence around a prompt: 100 ms.
const EDGE: [i16; 800] = [0; 800];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let show = std::env::args().any(|argument| argument == "--errors");
    let (tts, stt) = (local_tts()?, local_stt()?);
    let prompts = prompts()?;
    println!("{} prompts, {} words", prompts.len(), prompts.iter().map(|(_, text)| count(text)).sum::<usize>());
    println!("| voice | words misheard | prompts without an error |\n| --- | --- | --- |");
    let mut rates = Vec::new();
    for voice in std::iter::once(None).chain(VOICES.map(Some)) {
        let (mut wrong, mut words, mut exact) = (0, 0, 0);
        for (name, text) in &prompts {
            let said = match voice {
                None => recorded(name)?,
                Some(_) => synthesize(&*tts, &format!("{text}."), voice).await?,
            };
            let line: Vec<i16> = [&EDGE[..], &said, &EDGE].concat().into_iter().map(over_g711).collect();
            let heard = transcribe(&*stt, Vocabulary::default(), &line).await?.text;
            let errors = word_errors(text, &heard);
            if show && errors > 0 {
                println!("{}: {text:?} was heard as {heard:?}", voice.unwrap_or("recorded"));
            }
            wrong += errors;
            words += count(text);
            exact += usize::from(errors == 0);
        }
        let rate = 100.0 * wrong as f64 / words as f64;
        println!("| {} | {rate:.1} % | {exact} of {} |", voice.unwrap_or("recorded by a person"), prompts.len());
        rates.push(format!("{} {rate:.1} %", voice.unwrap_or("recorded")));
    }
    println!("hearing: words misheard: {}", rates.join(", "));
    Ok(())
}

/// Names and words of the prompts that are there and whose words the grammar has.
fn prompts() -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let known: HashSet<&str> = GRAMMAR.split(|letter: char| !(letter.is_ascii_lowercase() || letter == '\'')).collect();
    let texts = Command::new("zcat").arg(TEXTS).output()?.stdout;
    let texts = String::from_utf8_lossy(&texts).into_owned();
    let prompts: Vec<(String, String)> = texts
        .lines()
        .filter(|line| !line.starts_with(';') && !line.contains('['))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, text)| (name.trim().to_owned(), words::spoken(text)))
        .filter(|(_, text)| LENGTH.contains(&count(text)) && text.split(' ').all(|word| known.contains(word)))
        .filter(|(name, _)| path(name).exists())
        .collect();
    match prompts.is_empty() {
        true => Err("no prompts: apt-get install asterisk-core-sounds-en-wav".into()),
        false => Ok(prompts),
    }
}

/// A prompt as its speaker recorded it, brought to the level of the line.
fn recorded(name: &str) -> Result<Vec<i16>, Box<dyn Error>> {
    let (_, channels, samples) = wav::read(&std::fs::read(path(name))?)?;
    let samples = wav::to_mono(channels, &samples);
    let active: Vec<f64> =
        samples.iter().filter(|sample| sample.unsigned_abs() > QUIET.unsigned_abs()).map(|&x| f64::from(x)).collect();
    let rms = (active.iter().map(|x| x * x).sum::<f64>() / active.len().max(1) as f64).sqrt().max(1.0);
    Ok(samples.iter().map(|&sample| (f64::from(sample) * LEVEL / rms) as i16).collect())
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new(SOUNDS).join(format!("{name}.wav"))
}

fn count(text: &str) -> usize {
    text.split_whitespace().count()
}

fn over_g711(sample: i16) -> i16 {
    g711::ULAW_TO_LINEAR[usize::from(g711::ulaw_from_linear(sample))]
}
