//! The command line.

mod backup;
mod call;
mod callee;
mod check;
mod demo;
mod doctor;
mod init;
mod listen;
mod prompts;
mod records;
mod say;
mod scheduled_calls;
mod serve;
mod transcribe;
mod trunks;
mod webhooks;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config, Problem};

/// An AI agent on a telephone line: SIP endpoint, media engine and agent in one program.
#[derive(Debug, Parser)]
#[command(name = "offhook", version, propagate_version = true)]
pub struct CommandLine {
    /// Machine-readable output: one JSON object a line on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// Logs as JSON.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays a real SIP/RTP call against a simulated party; needs no key, no number, no internet.
    Demo(demo::Arguments),
    /// Runs the service.
    Serve(serve::Arguments),
    /// Writes a small configuration for a trunk, and files for its secrets.
    Init(init::Arguments),
    /// Checks a configuration without starting.
    Check(check::Arguments),
    /// Copies the database to a file, while the service runs or not.
    Backup(backup::BackupArguments),
    /// Makes a copy the database, while the service does not run.
    Restore(backup::RestoreArguments),
    /// Tries what the service needs: DNS, registration, NAT, ports, keys; a line each, with the fix.
    Doctor(doctor::Arguments),
    /// Places a call through a running server and shows it live.
    Call(call::Arguments),
    /// Calls of a running server.
    Calls(records::Arguments),
    /// Calls that a running server is to make later.
    ScheduledCalls(scheduled_calls::Arguments),
    /// What to say and do in calls, kept on a running server to be used again.
    Prompts(prompts::Arguments),
    /// Who a running server tells of events by HTTP, and what became of these.
    Webhooks(webhooks::Arguments),
    /// The trunks of a running server: registration, calls, limits.
    Trunks(trunks::Arguments),
    /// Runs a simulated party as a SIP endpoint that anything may call.
    Callee(callee::Arguments),
    /// Runs a recording or capture through the receive path of live calls.
    Listen(listen::Arguments),
    /// Speaks a text into a WAV file.
    Say(say::Arguments),
    /// Recognises the speech of a WAV file.
    Transcribe(transcribe::Arguments),
    /// Prints the OpenAPI document of the control API.
    Openapi,
}

/// How a command ended.
pub enum Exit {
    /// It did what it was asked.
    Success,
    /// The job failed, and that has been told.
    Failed,
    /// Wrong use or configuration, and that has been told.
    WrongUse,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            Exit::WrongUse => Self::from(2),
        }
    }
}

impl CommandLine {
    /// Whether it runs for long and is watched by its logs; other commands show what happens themselves.
    pub fn is_a_service(&self) -> bool {
        matches!(self.command, Command::Serve(_))
    }

    /// Whether logs are wanted as JSON.
    pub fn log_json(&self) -> bool {
        self.log_json
    }
}

/// Runs the command; errors are told once, here, with their causes.
pub async fn run(line: CommandLine) -> Exit {
    let json = line.json;
    let result = match line.command {
        Command::Demo(arguments) => demo::run(arguments, json).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Init(arguments) => init::run(arguments, json),
        Command::Check(arguments) => check::run(&arguments, json),
        Command::Backup(arguments) => backup::backup(&arguments, json).await,
        Command::Restore(arguments) => backup::restore(&arguments, json).await,
        Command::Doctor(arguments) => doctor::run(arguments, json).await,
        Command::Call(arguments) => call::run(arguments, json).await,
        Command::Calls(arguments) => records::run(arguments, json).await,
        Command::ScheduledCalls(arguments) => scheduled_calls::run(arguments, json).await,
        Command::Prompts(arguments) => prompts::run(arguments, json).await,
        Command::Webhooks(arguments) => webhooks::run(arguments, json).await,
        Command::Trunks(arguments) => trunks::run(arguments, json).await,
        Command::Callee(arguments) => callee::run(arguments, json).await,
        Command::Listen(arguments) => listen::run(&arguments),
        Command::Say(arguments) => say::run(&arguments, json).await,
        Command::Transcribe(arguments) => transcribe::run(&arguments, json).await,
        Command::Openapi => {
            print(&control::openapi_json());
            Ok(Exit::Success)
        }
    };
    result.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        if error.is::<WrongUse>() { Exit::WrongUse } else { Exit::Failed }
    })
}

/// A mistake of the user, to be mended on the command line or in a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUse(pub String);

/// `KEY=VALUE`s of a flag that may be given several times.
fn pairs(flag: &str, texts: &[String]) -> Result<serde_json::Map<String, serde_json::Value>, WrongUse> {
    let pair = |text: &String| match text.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_owned(), serde_json::Value::from(value.trim()))),
        None => Err(WrongUse(format!("{flag} {text:?}: write KEY=VALUE"))),
    };
    texts.iter().map(pair).collect()
}

/// A text of an answer, or a dash.
fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or("–")
}

/// A line on standard output.
pub fn print(line: &str) {
    use std::io::Write as _;
    // A reader that has gone (`| head`) is no reason to panic, as `println!` would.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// A line on standard error.
pub fn complain(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "offhook: {line}");
}

/// The configuration in a file; of one with mistakes each has been told.
pub fn configuration(path: &Path) -> Option<Config> {
    let tell = |problems: Vec<Problem>| {
        problems.iter().for_each(|problem| complain(&format!("{}: {problem}", path.display())));
    };
    config::load(path).map_err(tell).ok()
}

/// A scenario by the name of an embedded one or by its file.
pub fn scenario(name: &str) -> anyhow::Result<::callee::Scenario> {
    let text = match ::callee::embedded().find(|(known, ..)| *known == name) {
        Some((_, _, text)) => text.to_owned(),
        None => std::fs::read_to_string(PathBuf::from(name)).map_err(|error| {
            let known: Vec<&str> = ::callee::embedded().map(|(known, ..)| known).collect();
            WrongUse(format!("no scenario {name:?} (as a file: {error}); embedded are {}", known.join(", ")))
        })?,
    };
    Ok(::callee::Scenario::parse(&text).map_err(|error| WrongUse(format!("scenario {name:?}: {error}")))?)
}
