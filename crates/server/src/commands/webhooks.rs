//! `offhook webhooks`: who a running server tells of events by HTTP, and what became of these.

use serde_json::{Map, Value, json};

use super::{Exit, print, text};
use crate::client::{Client, Server};

const PATH: &str = "/v1/webhooks";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The newest ones.
    List {
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// One of them.
    Show {
        /// Its id.
        id: String,
    },
    /// What became of events for one of them, those of the newest first.
    Deliveries {
        /// Its id.
        id: String,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Only those that are pending, delivered or failed.
        #[arg(long)]
        status: Option<String>,
    },
    /// Keeps a new one and shows the secret of its signatures, this once.
    Create {
        /// Where events are sent to: https, on the public internet.
        url: String,
        #[command(flatten)]
        rest: Rest,
    },
    /// Changes one, and tries it at once.
    Update {
        /// Its id.
        id: String,
        /// Where events are sent to.
        #[arg(long)]
        url: Option<String>,
        #[command(flatten)]
        rest: Rest,
        /// Sends to it again, beginning with what happened meanwhile.
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Sends nothing to it until it is enabled.
        #[arg(long)]
        disable: bool,
    },
    /// Forgets one, and what became of events for it.
    Delete {
        /// Its id.
        id: String,
    },
    /// Gives one a new secret, shown this once.
    RotateSecret {
        /// Its id.
        id: String,
        /// How long signatures are made with the former one, too: 24h where it is left out, 0s when it has leaked.
        #[arg(long, value_name = "DURATION")]
        keep_previous: Option<String>,
    },
    /// Sends events again: one, or all after one, or all since a time.
    Replay(Replay),
}

#[derive(Debug, clap::Args)]
struct Rest {
    /// A type of events that are sent: call.ended, or call.* for all that begin so. May be given several times; all, where
    /// it is not.
    #[arg(long = "event", value_name = "TYPE")]
    events: Vec<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(skip)]
struct Replay {
    /// Its id.
    id: String,
    /// This event alone.
    #[arg(long, value_name = "ID", conflicts_with_all = ["after", "since"], required_unless_present_any = ["after", "since"])]
    event: Option<String>,
    /// All after this event.
    #[arg(long, value_name = "ID", conflicts_with = "since")]
    after: Option<String>,
    /// All since this time: 2027-03-01T09:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

pub async fn run(arguments: Arguments, json: bool) -> anyhow::Result<Exit> {
    let client = Client::new(arguments.server)?;
    let show = |webhook: &Value| print(&if json { webhook.to_string() } else { whole(webhook) });
    match arguments.command {
        Command::List { limit } => {
            for webhook in client.list(PATH, &[], limit).await? {
                print(&if json { webhook.to_string() } else { row(&webhook) });
            }
        }
        Command::Show { id } => show(&client.get(&format!("{PATH}/{id}")).await?),
        Command::Deliveries { id, limit, status } => {
            let filters: Vec<String> = status.map(|status| format!("status={status}")).into_iter().collect();
            for delivery in client.list(&format!("{PATH}/{id}/deliveries"), &filters, limit).await? {
                print(&if json { delivery.to_string() } else { delivered(&delivery) });
            }
        }
        Command::Create { url, rest } => show(&client.post(PATH, &body(Some(url), rest, None)).await?),
        Command::Update { id, url, rest, enable, disable } => {
            let enabled = (enable || disable).then_some(enable);
            show(&client.patch(&format!("{PATH}/{id}"), &body(url, rest, enabled)).await?);
        }
        Command::Delete { id } => {
            client.delete(&format!("{PATH}/{id}")).await?;
        }
        Command::RotateSecret { id, keep_previous } => {
            let body = fields([("keep_previous", keep_previous.map(Value::from))]);
            show(&client.post(&format!("{PATH}/{id}/actions/rotate-secret"), &body).await?);
        }
        Command::Replay(replay) => {
            show(&client.post(&format!("{PATH}/{}/actions/replay", replay.id), &again(&replay)).await?);
        }
    }
    Ok(Exit::Success)
}

fn body(url: Option<String>, rest: Rest, enabled: Option<bool>) -> Value {
    fields([
        ("url", url.map(Value::from)),
        ("events", (!rest.events.is_empty()).then(|| json!(rest.events))),
        ("description", rest.description.map(Value::from)),
        ("enabled", enabled.map(Value::from)),
    ])
}

fn again(replay: &Replay) -> Value {
    let given = |text: &Option<String>| text.clone().map(Value::from);
    fields([("event_id", given(&replay.event)), ("after", given(&replay.after)), ("since", given(&replay.since))])
}

/// An object of what is given.
fn fields<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let given = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

fn whole(webhook: &Value) -> String {
    let mut lines = vec![row(webhook)];
    let mut tell = |what: &str, value: &Value| {
        if let Some(value) = value.as_str() {
            lines.push(format!("  {what}: {value}"));
        }
    };
    tell("for", &webhook["description"]);
    tell("secret, shown this once", &webhook["secret"]);
    tell("former secret good until", &webhook["previous_secret_until"]);
    tell("last event", &webhook["last_event_id"]);
    tell("went wrong", &webhook["error"]);
    tell("tried again at", &webhook["retry_at"]);
    let events: Vec<&str> = webhook["events"].as_array().into_iter().flatten().map(text).collect();
    if !events.is_empty() {
        lines.push(format!("  of: {}", events.join(" ")));
    }
    lines.join("\n")
}

fn row(webhook: &Value) -> String {
    let state = match (&webhook["disabled_reason"], webhook["failures"].as_i64()) {
        (Value::String(reason), _) => format!("disabled ({reason})"),
        (_, Some(failures @ 1..)) => format!("failing ({failures})"),
        _ => "enabled".to_owned(),
    };
    format!("{}  {state:<20} {}", text(&webhook["id"]), text(&webhook["url"]))
}

fn delivered(delivery: &Value) -> String {
    let attempts = delivery["attempts"].as_i64().unwrap_or_default();
    let next = delivery["next_attempt_at"].as_str().map(|at| format!("  next {at}")).unwrap_or_default();
    let error = delivery["error"].as_str().map(|error| format!("  {error}")).unwrap_or_default();
    format!("{}  {:<9} sent {attempts}×{next}{error}", text(&delivery["event_id"]), text(&delivery["status"]))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn a_command_line_becomes_a_request() {
        check("create https://a.test/h", json!({"url": "https://a.test/h"}));
        check(
            "create https://a.test/h --event call.ended --event media.* --description ledger",
            json!({"url": "https://a.test/h", "events": ["call.ended", "media.*"], "description": "ledger"}),
        );
        check("update hook_1 --disable", json!({"enabled": false}));
        check("update hook_1 --enable --url https://b.test/", json!({"enabled": true, "url": "https://b.test/"}));
        check("update hook_1", json!({}));
        check("replay hook_1 --event evt_1", json!({"event_id": "evt_1"}));
        check("replay hook_1 --after evt_1", json!({"after": "evt_1"}));
        check("replay hook_1 --since 2027-03-01T09:00:00Z", json!({"since": "2027-03-01T09:00:00Z"}));
        for wrong in [
            "create",
            "update hook_1 --enable --disable",
            "replay hook_1",
            "replay hook_1 --event evt_1 --after evt_1",
            "replay hook_1 --after evt_1 --since x",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_webhook_is_a_line_that_says_how_it_stands() {
        let webhook = |state: Value| {
            let mut webhook = json!({"id": "hook_1", "url": "https://a.test/h", "failures": 0, "events": []});
            webhook.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
            webhook
        };
        assert_eq!(row(&webhook(json!({}))), "hook_1  enabled              https://a.test/h");
        assert_eq!(row(&webhook(json!({"failures": 3}))), "hook_1  failing (3)          https://a.test/h");
        assert_eq!(
            row(&webhook(json!({"failures": 3, "disabled_reason": "gone"}))),
            "hook_1  disabled (gone)      https://a.test/h"
        );
        assert_eq!(
            whole(&webhook(json!({"secret": "whsec_AA==", "events": ["call.ended"], "description": "ledger"}))),
            "hook_1  enabled              https://a.test/h\n  for: ledger\n  secret, shown this once: whsec_AA==\n  \
             of: call.ended"
        );
    }

    #[test]
    fn a_delivery_is_a_line_with_what_went_wrong() {
        let waits = json!({
            "event_id": "evt_1", "status": "pending", "attempts": 2, "next_attempt_at": "2027-03-01T09:00:00.000Z",
            "error": "they answered 404",
        });
        assert_eq!(delivered(&waits), "evt_1  pending   sent 2×  next 2027-03-01T09:00:00.000Z  they answered 404");
        let taken = json!({"event_id": "evt_1", "status": "delivered", "attempts": 1});
        assert_eq!(delivered(&taken), "evt_1  delivered sent 1×");
    }

    fn parsed(line: &str) -> Result<Line, clap::Error> {
        Line::try_parse_from(std::iter::once("offhook").chain(line.split(' ')))
    }

    fn check(line: &str, expected: Value) {
        let body = match parsed(line).unwrap().arguments.command {
            Command::Create { url, rest } => body(Some(url), rest, None),
            Command::Update { url, rest, enable, disable, .. } => {
                body(url, rest, (enable || disable).then_some(enable))
            }
            Command::Replay(replay) => again(&replay),
            other => panic!("{other:?}"),
        };
        assert_eq!(body, expected);
    }
}
