//! `offhook call`: a call through a running server, shown live.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Exit, pairs, print, text};
use crate::client::{Client, Server};
use crate::live::Live;

/// Between two looks at the journal.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A number, a user name or a sip: URI.
    whom: String,
    /// What to do, in plain words.
    #[arg(long)]
    task: String,
    /// Something the agent knows and may say: name=Martin Keller.
    #[arg(long = "fact", value_name = "K=V")]
    facts: Vec<String>,
    /// Which agent.
    #[arg(long)]
    agent: Option<String>,
    #[command(flatten)]
    server: Server,
}

pub async fn run(arguments: Arguments, json: bool) -> anyhow::Result<Exit> {
    let facts = pairs("--fact", &arguments.facts)?;
    let mut body = json!({"to": arguments.whom, "task": {"goal": arguments.task, "facts": facts}});
    if let Some(agent) = arguments.agent {
        body["agent_id"] = json!(agent);
    }
    let client = Client::new(arguments.server)?;
    let call = client.post("/v1/calls", &body).await?;
    let id = call["id"].as_str().context("the server named no call")?.to_owned();
    let call = follow(&client, &id, &mut Live::new(json)).await?;
    if json {
        print(&call.to_string());
    } else {
        let result = &call["result"];
        print(&format!("{}: {}", text(&result["outcome"]), text(&result["summary"])));
        for (key, value) in result["answers"].as_object().into_iter().flatten() {
            print(&format!("{key}: {}", text(value)));
        }
    }
    Ok(if call["result"]["outcome"] == "failed" { Exit::Failed } else { Exit::Success })
}

/// Shows the events of a call until it has ended; the call as it then is.
async fn follow(client: &Client, id: &str, live: &mut Live) -> anyhow::Result<Value> {
    let mut cursor = String::new();
    let mut last_shown = String::new();
    loop {
        let page = client.get(&format!("/v1/calls/{id}/events?limit=100{cursor}")).await?;
        for event in page["data"].as_array().into_iter().flatten() {
            // Ids sort by time; the last page is read again until something happens.
            if text(&event["id"]) <= last_shown.as_str() {
                continue;
            }
            last_shown = text(&event["id"]).to_owned();
            live.event(&event.to_string());
            if event["type"] == "call.ended" {
                return client.get(&format!("/v1/calls/{id}")).await;
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}
