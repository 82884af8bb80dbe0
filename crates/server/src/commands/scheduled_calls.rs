//! `offhook scheduled-calls`: calls that a running server is to make later.

use serde_json::{Map, Value, json};

use super::{Exit, pairs, print, text};
use crate::client::{Client, Server};

const PATH: &str = "/v1/scheduled-calls";

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
        /// Only those that are pending, in_progress, completed, canceled or failed.
        #[arg(long)]
        status: Option<String>,
    },
    /// One of them, and what became of each recipient.
    Show {
        /// Its id.
        id: String,
    },
    /// Schedules a call to one or several.
    Create(Create),
    /// Gives one that is pending another time.
    Update {
        /// Its id.
        id: String,
        /// When: 2027-03-01T09:00:00+01:00, or a local time in its zone, 2027-03-01T09:00.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        #[command(flatten)]
        when: When,
    },
    /// Cancels one: nobody is called any more.
    Delete {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Numbers, user names or sip: URIs.
    #[arg(required = true)]
    to: Vec<String>,
    /// When: 2027-03-01T09:00:00+01:00, or with --time-zone a local time, 2027-03-01T09:00.
    #[arg(long, value_name = "TIME")]
    at: String,
    /// What to do, in plain words.
    #[arg(long, required_unless_present = "prompt", conflicts_with = "prompt")]
    task: Option<String>,
    /// Something the agent knows and may say: name=Martin Keller.
    #[arg(long = "fact", value_name = "K=V", requires = "task")]
    facts: Vec<String>,
    /// A prompt by its id, instead of a task.
    #[arg(long, value_name = "ID")]
    prompt: Option<String>,
    /// What a variable of the prompt stands for, and what else the agent may know.
    #[arg(long = "context", value_name = "K=V")]
    context: Vec<String>,
    /// Which agent.
    #[arg(long)]
    agent: Option<String>,
    /// Calls to one recipient at most, when nobody answers; 1 where it is left out.
    #[arg(long, value_name = "N")]
    attempts: Option<u32>,
    /// From -1000 to 1000: the greatest goes first where not all can.
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i64>,
    #[command(flatten)]
    when: When,
}

#[derive(Debug, clap::Args)]
struct When {
    /// Where the recipients are: Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Nobody is called before this time of the day: 09:00.
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// Nobody is called at this time of the day or later: 20:00.
    #[arg(long, value_name = "TIME")]
    not_after: Option<String>,
}

pub async fn run(arguments: Arguments, json: bool) -> anyhow::Result<Exit> {
    let client = Client::new(arguments.server)?;
    let show = |scheduled: &Value| print(&if json { scheduled.to_string() } else { whole(scheduled) });
    match arguments.command {
        Command::List { limit, status } => {
            let filters: Vec<String> = status.map(|status| format!("status={status}")).into_iter().collect();
            for scheduled in client.list(PATH, &filters, limit).await? {
                print(&if json { scheduled.to_string() } else { row(&scheduled) });
            }
        }
        Command::Show { id } => show(&client.get(&format!("{PATH}/{id}")).await?),
        Command::Create(create) => show(&client.post(PATH, &body(create)?).await?),
        Command::Update { id, at, when } => {
            show(&client.patch(&format!("{PATH}/{id}"), &Value::Object(times(at, when))).await?);
        }
        Command::Delete { id } => show(&client.delete(&format!("{PATH}/{id}")).await?),
    }
    Ok(Exit::Success)
}

fn body(create: Create) -> anyhow::Result<Value> {
    let mut body = times(Some(create.at), create.when);
    body.insert("to_phone_numbers".to_owned(), json!(create.to));
    let mut put = |key: &str, value: Option<Value>| body.extend(value.map(|value| (key.to_owned(), value)));
    let facts = pairs("--fact", &create.facts)?;
    put("task", create.task.map(|goal| json!({"goal": goal, "facts": facts})));
    put("prompt_id", create.prompt.map(Value::from));
    put("agent_id", create.agent.map(Value::from));
    put("retry", create.attempts.map(|attempts| json!({"max_attempts": attempts})));
    put("priority", create.priority.map(Value::from));
    let context = pairs("--context", &create.context)?;
    put("context", (!context.is_empty()).then_some(Value::Object(context)));
    Ok(Value::Object(body))
}

fn times(at: Option<String>, when: When) -> Map<String, Value> {
    let fields = [
        ("scheduled_at", at.map(Value::from)),
        ("time_zone", when.time_zone.map(Value::from)),
        ("not_before", when.not_before.map(Value::from)),
        ("not_after", when.not_after.map(Value::from)),
    ];
    fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

fn whole(scheduled: &Value) -> String {
    let recipients = scheduled["recipients"].as_array().into_iter().flatten().map(|recipient| {
        let calls: Vec<&str> = recipient["call_ids"].as_array().into_iter().flatten().map(text).collect();
        let why = recipient["reason"].as_str().or(recipient["end_reason"].as_str()).unwrap_or("–");
        let next = recipient["next_attempt_at"].as_str().map(|at| format!("next {at}  ")).unwrap_or_default();
        format!(
            "\n  {:<20} {:<11} {why:<14} {next}{}",
            text(&recipient["to"]),
            text(&recipient["status"]),
            calls.join(" ")
        )
        .trim_end()
        .to_owned()
    });
    row(scheduled) + &recipients.collect::<String>()
}

fn row(scheduled: &Value) -> String {
    let recipients = scheduled["recipients"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    let reached = recipients.iter().filter(|recipient| recipient["status"] == "completed").count();
    let what = scheduled["task"]["goal"].as_str().or(scheduled["content"].as_str()).unwrap_or_default();
    let what: String = what.chars().take(60).collect();
    format!(
        "{}  {}  {:<11} {reached} of {} reached  {what}",
        text(&scheduled["id"]),
        text(&scheduled["scheduled_at"]),
        text(&scheduled["status"]),
        recipients.len(),
    )
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
        check(
            "create +15550100 2047 --at 2027-03-01T09:00 --time-zone Europe/Berlin --task ask --fact name=Ada --attempts 3",
            json!({
                "to_phone_numbers": ["+15550100", "2047"], "scheduled_at": "2027-03-01T09:00",
                "time_zone": "Europe/Berlin", "task": {"goal": "ask", "facts": {"name": "Ada"}},
                "retry": {"max_attempts": 3},
            }),
        );
        check(
            "create 20 --at 2027-03-01T09:00:00Z --prompt prompt_1 --context day=Monday --agent x --priority -5",
            json!({
                "to_phone_numbers": ["20"], "scheduled_at": "2027-03-01T09:00:00Z", "prompt_id": "prompt_1",
                "context": {"day": "Monday"}, "agent_id": "x", "priority": -5,
            }),
        );
        check("update sched_1 --at 2027-03-02T09:00", json!({"scheduled_at": "2027-03-02T09:00"}));
        check("update sched_1 --not-after 18:00", json!({"not_after": "18:00"}));
        for wrong in
            ["create 20 --task a", "create --at x --task a", "create 20 --at x", "create 20 --at x --task a --prompt b"]
        {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_scheduled_call_is_a_line_and_each_recipient_another() {
        let scheduled = json!({
            "id": "sched_1", "status": "in_progress", "scheduled_at": "2027-03-01T09:00:00.000Z",
            "task": {"goal": "ask for the hours"}, "recipients": [
                {"to": "+15550100", "status": "completed", "end_reason": "completed", "reason": null,
                 "next_attempt_at": null, "call_ids": ["call_1"]},
                {"to": "2047", "status": "pending", "end_reason": "busy", "reason": null,
                 "next_attempt_at": "2027-03-01T09:05:00.000Z", "call_ids": ["call_2"]},
            ],
        });
        assert_eq!(
            whole(&scheduled),
            "sched_1  2027-03-01T09:00:00.000Z  in_progress 1 of 2 reached  ask for the hours\n  \
             +15550100            completed   completed      call_1\n  \
             2047                 pending     busy           next 2027-03-01T09:05:00.000Z  call_2"
        );
    }

    fn parsed(line: &str) -> Result<Line, clap::Error> {
        Line::try_parse_from(std::iter::once("offhook").chain(line.split(' ')))
    }

    fn check(line: &str, expected: Value) {
        match parsed(line).unwrap().arguments.command {
            Command::Create(create) => assert_eq!(body(create).unwrap(), expected),
            Command::Update { at, when, .. } => assert_eq!(Value::Object(times(at, when)), expected),
            other => panic!("{other:?}"),
        }
    }
}
