//! `offhook transcribe`: the recogniser alone.

use std::path::PathBuf;

use serde_json::json;
use speech::Vocabulary;

use super::{Exit, WrongUse, print};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A WAV file of any rate.
    file: PathBuf,
    /// Words or phrases to expect; may be repeated.
    #[arg(long)]
    expect: Vec<String>,
}

pub async fn run(arguments: &Arguments, json: bool) -> anyhow::Result<Exit> {
    let audio = read_wav(&arguments.file)?;
    let stt = speech::local_stt()?;
    let vocabulary = Vocabulary { phrases: arguments.expect.clone(), closed: false };
    let transcript = speech::transcribe(stt.as_ref(), vocabulary, &audio).await?;
    if json {
        let (text, confidence) = (&transcript.text, transcript.confidence);
        let (start, end) = (transcript.start.as_millis() as u64, transcript.end.as_millis() as u64);
        print(&json!({"text": text, "start_ms": start, "end_ms": end, "confidence": confidence}).to_string());
    } else {
        print(&transcript.text);
    }
    Ok(Exit::Success)
}

/// A WAV file as 8 kHz mono.
pub fn read_wav(path: &PathBuf) -> anyhow::Result<Vec<i16>> {
    let bytes = std::fs::read(path).map_err(|error| WrongUse(format!("cannot read {}: {error}", path.display())))?;
    let (rate, channels, samples) =
        media::wav::read(&bytes).map_err(|error| WrongUse(format!("{}: {error}", path.display())))?;
    let mono = media::wav::to_mono(channels, &samples);
    if rate == media::SAMPLE_RATE {
        return Ok(mono);
    }
    let mut resampler = media::resample::Resampler::new(rate, media::SAMPLE_RATE)
        .map_err(|error| WrongUse(format!("{}: {error}", path.display())))?;
    let mut out = resampler.process(&mono);
    out.extend(resampler.finish());
    Ok(out)
}
