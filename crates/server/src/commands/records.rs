//! `offhook calls`: what a running server remembers.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Exit, print, text};
use crate::client::{Client, Server};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The newest calls.
    List {
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One call with its transcript.
    Show {
        /// Its id.
        id: String,
        /// What was on the wire instead: a ladder of its SIP messages, and each in full.
        #[arg(long)]
        sip: bool,
        /// With --sip: write it as a capture for Wireshark or sngrep to this file.
        #[arg(long, value_name = "FILE", requires = "sip")]
        pcap: Option<PathBuf>,
    },
    /// The recording of one call.
    Recording {
        /// Its id.
        id: String,
        /// Where to: a stereo WAV, left they, right we.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub async fn run(arguments: Arguments, json: bool) -> anyhow::Result<Exit> {
    let client = Client::new(arguments.server)?;
    match arguments.command {
        Command::List { limit } => {
            let page = client.get(&format!("/v1/calls?limit={limit}")).await?;
            for call in page["data"].as_array().into_iter().flatten() {
                print(&if json { call.to_string() } else { row(call) });
            }
        }
        Command::Recording { id, out } => {
            let recording = client.get_as(&format!("/v1/calls/{id}/recording"), "audio/wav").await?;
            std::fs::write(&out, recording).with_context(|| format!("cannot write {}", out.display()))?;
        }
        Command::Show { id, sip: true, pcap: Some(file) } => write_pcap(&client, &id, &file).await?,
        Command::Show { id, sip: true, pcap: None } => {
            let ladder = client.get_as(&sip_path(&id), "text/plain").await?;
            let ladder = String::from_utf8_lossy(&ladder);
            print(&if json { json!({"call_id": id, "sip": ladder}).to_string() } else { ladder.trim_end().to_owned() });
        }
        Command::Show { id, .. } => {
            let call = client.get(&format!("/v1/calls/{id}")).await?;
            let transcript = client.get(&format!("/v1/calls/{id}/transcript")).await?;
            if json {
                let mut whole = call;
                whole["transcript"] = transcript["data"].clone();
                print(&whole.to_string());
                return Ok(Exit::Success);
            }
            print(&row(&call));
            for line in transcript["data"].as_array().into_iter().flatten() {
                let at = line["at_ms"].as_f64().unwrap_or(0.0) / 1000.0;
                print(&format!("{at:>7.1} s  {:<8} {}", text(&line["speaker"]), text(&line["text"])));
            }
        }
    }
    Ok(Exit::Success)
}

fn sip_path(id: &str) -> String {
    format!("/v1/calls/{id}/sip")
}

async fn write_pcap(client: &Client, id: &str, file: &Path) -> anyhow::Result<()> {
    let capture = client.get_as(&sip_path(id), gateway::PCAP_MEDIA_TYPE).await?;
    std::fs::write(file, capture).with_context(|| format!("cannot write {}", file.display()))
}

fn row(call: &Value) -> String {
    format!(
        "{}  {:<20} {:<11} {:<14} {}",
        text(&call["id"]),
        text(&call["to"]),
        text(&call["status"]),
        text(&call["end_reason"]),
        text(&call["result"]["summary"])
    )
}
