//! `offhook listen`: a recording or capture through the receive path of live calls, in simulated time.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use media::ear::{DigitSource, Heard, Tone};
use media::listen::{Listened, Listener};
use serde_json::{Value, json};

use super::transcribe::read_wav;
use super::{Exit, WrongUse, print};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A WAV file of any rate, or an RTP capture (.pcap).
    file: PathBuf,
    /// The file is raw 8 kHz µ-law.
    #[arg(long)]
    ulaw: bool,
    /// Also the raw probability of speech of every frame.
    #[arg(long)]
    frames: bool,
    /// Writes what would be played, as WAV.
    #[arg(long, value_name = "FILE.wav")]
    out: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let listener = Listener::new(Instant::now());
    let streams = if arguments.ulaw {
        vec![listener.hear_ulaw(&read(&arguments.file)?)]
    } else if arguments.file.extension().is_some_and(|extension| extension == "pcap") {
        let told = |error| WrongUse(format!("{}: {error}", arguments.file.display()));
        listener.hear_capture(&read(&arguments.file)?).map_err(told)?
    } else {
        vec![listener.hear_pcm(&read_wav(&arguments.file)?)]
    };
    for stream in &streams {
        show(stream, streams.len() > 1, arguments.frames);
    }
    if let (Some(out), Some(first)) = (&arguments.out, streams.first()) {
        std::fs::write(out, media::wav::write_mono(media::SAMPLE_RATE, &first.played))
            .with_context(|| format!("cannot write {}", out.display()))?;
    }
    Ok(Exit::Success)
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| WrongUse(format!("cannot read {}: {error}", path.display())).into())
}

fn show(stream: &Listened, several: bool, frames: bool) {
    let mut lines: Vec<(Duration, Value)> = stream.heard.iter().map(|(at, heard)| (*at, describe(heard))).collect();
    let skipped = stream.skipped.iter();
    lines.extend(skipped.map(|(from, to)| (*from, json!({"event": "skipped", "end_ms": milliseconds(*to)}))));
    if frames {
        let probabilities = stream.speech_probability.iter();
        lines.extend(probabilities.map(|(at, p)| (*at, json!({"event": "speech_probability", "p": p}))));
    }
    if frames || !stream.skipped.is_empty() {
        lines.sort_by_key(|(at, _)| *at);
    }
    for (at, mut line) in lines {
        line["at_ms"] = json!(milliseconds(at));
        if let (true, Some((source, destination))) = (several, stream.flow) {
            line["stream"] = json!(format!("{source} > {destination}"));
        }
        print(&line.to_string());
    }
}

fn describe(heard: &Heard) -> Value {
    match heard {
        Heard::Digit { digit, source, .. } => {
            let source = match source {
                DigitSource::Inband => "inband",
                DigitSource::Rfc4733 => "rfc4733",
                DigitSource::Info => "info",
            };
            json!({"event": "digit", "digit": digit.as_char().to_string(), "source": source})
        }
        Heard::Tone { end, tone, .. } => {
            let tone = match tone {
                Tone::Ringback => "ringback",
                Tone::Busy => "busy",
                Tone::Congestion => "congestion",
                Tone::Dial => "dial",
                Tone::Sit => "sit",
                Tone::Fax => "fax",
                Tone::Beep => "beep",
            };
            json!({"event": "tone", "tone": tone, "end_ms": milliseconds(*end)})
        }
        Heard::SpeechStarted { .. } => json!({"event": "speech", "phase": "start"}),
        Heard::SpeechEnded { .. } => json!({"event": "speech", "phase": "end"}),
        Heard::MusicStarted { .. } => json!({"event": "music", "phase": "start"}),
        Heard::MusicEnded { .. } => json!({"event": "music", "phase": "end"}),
    }
}

/// To a tenth.
fn milliseconds(at: Duration) -> f64 {
    (at.as_secs_f64() * 10_000.0).round() / 10.0
}
