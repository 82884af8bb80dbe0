//! `offhook check`: every mistake of a configuration at once, with its key and line.

use std::path::PathBuf;

use serde_json::json;

use super::{Exit, print};
use crate::config::{self, Problem};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
}

pub fn run(arguments: &Arguments, json: bool) -> anyhow::Result<Exit> {
    let file = arguments.config.display();
    let (problems, warnings) = match config::load(&arguments.config) {
        Ok(config) => (Vec::new(), config.warnings),
        Err(problems) => (problems, Vec::new()),
    };
    for (level, problem) in
        problems.iter().map(|problem| ("error", problem)).chain(warnings.iter().map(|warning| ("warning", warning)))
    {
        if json {
            let Problem { key, line, message } = problem;
            print(&json!({"level": level, "key": key, "line": line, "message": message}).to_string());
        } else {
            print(&format!("{file}: {level}: {problem}"));
        }
    }
    if !problems.is_empty() {
        return Ok(Exit::WrongUse);
    }
    if !json {
        print(&format!("{file}: no mistakes"));
    }
    Ok(Exit::Success)
}
