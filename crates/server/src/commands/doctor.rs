//! `offhook doctor`: tries what `serve` would need, and says of each thing how it is and what mends it.

mod judge;
mod machine;
mod options;
mod provider;
mod report;
mod trunks;

use std::path::PathBuf;

use super::{Exit, configuration};
use report::{Check, Report};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
}

pub async fn run(arguments: Arguments, json: bool) -> anyhow::Result<Exit> {
    let Some(config) = configuration(&arguments.config) else { return Ok(Exit::WrongUse) };
    let mut report = Report::new(json);
    let running = machine::is_running(&config).await;
    report.tell(machine::store(&config).await);
    if config.record {
        report.tell(machine::recordings(&config));
    }
    report.tell(machine::rtp_ports(&config));
    report.tell(machine::clock());
    for check in machine::speech() {
        report.tell(check);
    }
    if let Some(check) = provider::check(&config.llm).await {
        report.tell(check);
    }
    if running {
        // A second endpoint would take the ports, or register where calls then go.
        report.tell(Check::skipped(
            "sip",
            "an offhook runs with this configuration; it tells how its trunks stand: offhook trunks",
        ));
    } else {
        report.tell(machine::api_port(&config).await);
        trunks::check(&config, &mut report).await;
    }
    Ok(if report.all_well() { Exit::Success } else { Exit::Failed })
}
