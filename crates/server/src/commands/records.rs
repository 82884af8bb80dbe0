//! `offhook calls`: what a running server remembers.

use serde_json::Value;

use super::{Exit, print};
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
        Command::Show { id } => {
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

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("–")
}
