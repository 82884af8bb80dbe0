//! `offhook trunks`: how the trunks of a running server stand.

use serde_json::Value;

use super::{Exit, print};
use crate::client::{Client, Server};

/// Trunks of one page: the most that the API gives.
const PAGE: u32 = 100;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// All of them, which is also what happens without a word.
    List,
    /// One of them.
    Show {
        /// Its name in the configuration.
        name: String,
    },
}

pub async fn run(arguments: Arguments, json: bool) -> anyhow::Result<Exit> {
    let client = Client::new(arguments.server)?;
    let trunks = match arguments.command {
        None | Some(Command::List) => all(&client).await?,
        Some(Command::Show { name }) => vec![client.get(&format!("/v1/trunks/{}", encoded(&name))).await?],
    };
    for trunk in &trunks {
        print(&if json { trunk.to_string() } else { row(trunk) });
    }
    Ok(Exit::Success)
}

async fn all(client: &Client) -> anyhow::Result<Vec<Value>> {
    let mut trunks = Vec::new();
    let mut cursor = String::new();
    loop {
        let mut page = client.get(&format!("/v1/trunks?limit={PAGE}{cursor}")).await?;
        if let Value::Array(found) = page["data"].take() {
            trunks.extend(found);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", encoded(next)),
            None => return Ok(trunks),
        }
    }
}

fn row(trunk: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    let registration = &trunk["registration"];
    let state = text(&registration["state"]);
    let why = match state.as_str() {
        "registered" => format!("until {}", text(&registration["expires_at"])),
        "failed" => match registration["sip_status"].as_u64() {
            Some(status) => format!("{status} {}", text(&registration["reason"])),
            None => text(&registration["reason"]),
        },
        _ => format!("since {}", text(&registration["since"])),
    };
    format!(
        "{:<16} {:<28} {:<4} {:>3} of {} calls  {state:<11} {why}",
        text(&trunk["name"]),
        text(&trunk["host"]),
        text(&trunk["transport"]),
        trunk["calls"].to_string(),
        trunk["limits"]["max_calls"],
    )
}

/// A text as one part of a path or a query (RFC 3986 §2.1).
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_trunk_is_one_line() {
        let trunk = |registration: Value| {
            json!({
                "name": "carrier", "host": "sip.example.com", "transport": "udp", "calls": 3,
                "limits": {"max_calls": 50}, "registration": registration,
            })
        };
        let check = |registration: Value, expected: &str| assert_eq!(row(&trunk(registration)), expected);
        check(
            json!({"state": "registered", "expires_at": "2027-01-15T09:00:00.000Z"}),
            "carrier          sip.example.com              udp    3 of 50 calls  registered  until 2027-01-15T09:00:00.000Z",
        );
        check(
            json!({"state": "failed", "sip_status": 403, "reason": "Forbidden"}),
            "carrier          sip.example.com              udp    3 of 50 calls  failed      403 Forbidden",
        );
        check(
            json!({"state": "failed", "sip_status": null, "reason": "no answer"}),
            "carrier          sip.example.com              udp    3 of 50 calls  failed      no answer",
        );
        check(
            json!({"state": "none", "since": "2027-01-15T08:00:00.000Z"}),
            "carrier          sip.example.com              udp    3 of 50 calls  none        since 2027-01-15T08:00:00.000Z",
        );
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(encoded("carrier-2"), "carrier-2");
        assert_eq!(encoded("a/1 ä"), "a%2F1%20%C3%A4");
    }
}
