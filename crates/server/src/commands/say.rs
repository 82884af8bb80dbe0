//! `offhook say`: the synthesiser alone.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde_json::json;

use speech::providers::local::VOICES;

use super::{Exit, WrongUse, print};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to say.
    text: String,
    /// The WAV file to write: mono, 8 kHz.
    #[arg(long)]
    out: PathBuf,
    /// A voice of the synthesiser.
    #[arg(long)]
    voice: Option<String>,
}

pub async fn run(arguments: &Arguments, json: bool) -> anyhow::Result<Exit> {
    if let Some(voice) = arguments.voice.as_deref().filter(|voice| !VOICES.contains(voice)) {
        bail!(WrongUse(format!("there is no voice {voice:?}; there are {}", VOICES.join(", "))));
    }
    let tts = speech::local_tts()?;
    let audio = speech::synthesize(tts.as_ref(), &arguments.text, arguments.voice.as_deref()).await?;
    let out = arguments.out.display();
    std::fs::write(&arguments.out, media::wav::write_mono(media::SAMPLE_RATE, &audio))
        .with_context(|| format!("cannot write {out}"))?;
    let seconds = audio.len() as f64 / f64::from(media::SAMPLE_RATE);
    if json {
        print(&json!({"out": out.to_string(), "duration_ms": seconds * 1000.0}).to_string());
    } else {
        print(&format!("{out}: {seconds:.2} s"));
    }
    Ok(Exit::Success)
}
