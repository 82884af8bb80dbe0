//! `offhook backup` and `offhook restore`: the database of a configuration, to a file and back.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;
use store::Store;

use super::{Exit, WrongUse, complain, print};
use crate::config::{self, Config};

#[derive(Debug, clap::Args)]
pub struct BackupArguments {
    /// Where to; there must be nothing yet. Recordings are files, and not in it.
    #[arg(value_name = "FILE")]
    to: PathBuf,
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct RestoreArguments {
    /// A file that `offhook backup` wrote.
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
    /// Replace the database that is there, for good.
    #[arg(long)]
    force: bool,
}

pub async fn backup(arguments: &BackupArguments, json: bool) -> anyhow::Result<Exit> {
    let Some(config) = configuration(&arguments.config) else { return Ok(Exit::WrongUse) };
    let url = file_of(&config)?;
    Store::backup(url, &arguments.to).await?;
    let file = arguments.to.display().to_string();
    let bytes = std::fs::metadata(&arguments.to).with_context(|| format!("cannot read {file}"))?.len();
    print(&if json { json!({"file": file, "bytes": bytes}).to_string() } else { format!("{file}: {bytes} bytes") });
    Ok(Exit::Success)
}

pub async fn restore(arguments: &RestoreArguments, json: bool) -> anyhow::Result<Exit> {
    let Some(config) = configuration(&arguments.config) else { return Ok(Exit::WrongUse) };
    let url = file_of(&config)?;
    match Store::restore(url, &arguments.from, arguments.force).await {
        Err(error @ store::Error::Exists { .. }) => {
            return Err(anyhow::Error::from(error).context("nothing is restored; --force replaces the database"));
        }
        restored => restored?,
    }
    let from = arguments.from.display().to_string();
    print(&if json { json!({"file": from, "store": url}).to_string() } else { format!("{url} is now {from}") });
    Ok(Exit::Success)
}

/// The configuration, unless it has mistakes, which are told.
fn configuration(path: &Path) -> Option<Config> {
    let problems = match config::load(path) {
        Ok(config) => return Some(config),
        Err(problems) => problems,
    };
    for problem in problems {
        complain(&format!("{}: {problem}", path.display()));
    }
    None
}

fn file_of(config: &Config) -> Result<&str, WrongUse> {
    let url = &config.store_url.0;
    if url.starts_with("sqlite:") {
        Ok(url)
    } else {
        Err(WrongUse(store::Error::NoFile { url: Store::shown(url) }.to_string()))
    }
}
