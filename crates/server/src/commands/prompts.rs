//! `offhook prompts`: what to say and do in calls, kept on a running server to be used again.

use serde_json::{Map, Value};

use super::{Exit, pairs, print, text};
use crate::client::{Client, Server};

const PATH: &str = "/v1/prompts";

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
    /// One of them, whole.
    Show {
        /// Its id.
        id: String,
    },
    /// Keeps a new one.
    Create {
        /// What to do, in plain words; {{name}} stands for a variable.
        #[arg(long, value_name = "TEXT")]
        content: String,
        #[command(flatten)]
        rest: Rest,
    },
    /// Changes one. Calls that are scheduled have their copies.
    Update {
        /// Its id.
        id: String,
        /// What to do, in plain words; {{name}} stands for a variable.
        #[arg(long, value_name = "TEXT")]
        content: Option<String>,
        #[command(flatten)]
        rest: Rest,
    },
    /// Forgets one. Calls that are scheduled have their copies.
    Delete {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct Rest {
    /// First words to a person.
    #[arg(long, value_name = "TEXT")]
    introduction: Option<String>,
    /// What a variable stands for where nothing else is said.
    #[arg(long = "variable", value_name = "K=V")]
    variables: Vec<String>,
}

pub async fn run(arguments: Arguments, json: bool) -> anyhow::Result<Exit> {
    let client = Client::new(arguments.server)?;
    let show = |prompt: &Value| print(&if json { prompt.to_string() } else { whole(prompt) });
    match arguments.command {
        Command::List { limit } => {
            for prompt in client.list(PATH, &[], limit).await? {
                print(&if json { prompt.to_string() } else { row(&prompt) });
            }
        }
        Command::Show { id } => show(&client.get(&format!("{PATH}/{id}")).await?),
        Command::Create { content, rest } => show(&client.post(PATH, &body(Some(content), rest)?).await?),
        Command::Update { id, content, rest } => {
            show(&client.patch(&format!("{PATH}/{id}"), &body(content, rest)?).await?);
        }
        Command::Delete { id } => {
            client.delete(&format!("{PATH}/{id}")).await?;
        }
    }
    Ok(Exit::Success)
}

fn body(content: Option<String>, rest: Rest) -> anyhow::Result<Value> {
    let variables = pairs("--variable", &rest.variables)?;
    let fields = [
        ("content", content.map(Value::from)),
        ("introduction", rest.introduction.map(Value::from)),
        ("variables", (!variables.is_empty()).then_some(Value::Object(variables))),
    ];
    let fields = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Ok(Value::Object(fields.collect::<Map<_, _>>()))
}

fn whole(prompt: &Value) -> String {
    let mut lines = vec![text(&prompt["id"]).to_owned()];
    if let Some(introduction) = prompt["introduction"].as_str() {
        lines.push(format!("  begins: {introduction}"));
    }
    lines.push(format!("  {}", text(&prompt["content"])));
    for (name, value) in prompt["variables"].as_object().into_iter().flatten() {
        lines.push(format!("  {name}: {}", value.as_str().unwrap_or("to be said")));
    }
    lines.join("\n")
}

fn row(prompt: &Value) -> String {
    let content: String = text(&prompt["content"]).chars().take(60).collect();
    format!("{}  {content}", text(&prompt["id"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_given_is_not_sent() {
        let rest = |introduction: Option<&str>, variables: &[&str]| Rest {
            introduction: introduction.map(str::to_owned),
            variables: variables.iter().map(|&pair| pair.to_owned()).collect(),
        };
        assert_eq!(body(None, rest(None, &[])).unwrap(), json!({}));
        assert_eq!(
            body(Some("call {{who}}".into()), rest(Some("Hi"), &["who=Ada=Lovelace"])).unwrap(),
            json!({"content": "call {{who}}", "introduction": "Hi", "variables": {"who": "Ada=Lovelace"}})
        );
        assert!(body(None, rest(None, &["who"])).is_err());
    }

    #[test]
    fn a_prompt_is_shown_as_it_will_be_said() {
        let prompt = json!({
            "id": "prompt_1", "content": "call {{who}}", "introduction": "Hi",
            "variables": {"who": null},
        });
        assert_eq!(whole(&prompt), "prompt_1\n  begins: Hi\n  call {{who}}\n  who: to be said");
        assert_eq!(row(&prompt), "prompt_1  call {{who}}");
    }
}
