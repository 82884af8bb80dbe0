//! The simulated party as a child process: it shares nothing with us but the network.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use callee::Report;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::wiring;

/// Loading voices and models may take this long on a slow machine.
const START: Duration = Duration::from_secs(20);
/// The party ends by itself once its standard input closes and it has understood the last words.
const STOP: Duration = Duration::from_secs(25);
/// Reports kept for the judgement at the end.
const MAX_REPORTS: usize = 10_000;
const USER: &str = "gateway";

/// A running party.
pub struct PartyProcess {
    /// Where it listens.
    pub address: SocketAddr,
    /// How to register with it.
    pub credentials: sip::Credentials,
    child: Child,
    input: Option<ChildStdin>,
    reading: JoinHandle<Vec<Report>>,
}

impl PartyProcess {
    pub async fn start(scenario: &str, seed: u64) -> anyhow::Result<Self> {
        let password = format!("{:016x}", wiring::random_number()?);
        let program = std::env::current_exe().context("cannot find our own program")?;
        let mut child = Command::new(program)
            .args(["callee", "--json", "--until-eof", "--listen", "udp://127.0.0.1:0", "--user", USER])
            .args(["--scenario", scenario, "--seed", &seed.to_string()])
            .env("OFFHOOK_CALLEE_PASSWORD", &password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the simulated party")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("the party has no output")?;
        let mut lines = BufReader::new(output).lines();
        let address = match tokio::time::timeout(START, lines.next_line()).await {
            Ok(Ok(Some(line))) => listening(&line)?,
            Ok(_) => bail!("the simulated party ended before it listened"),
            Err(_) => bail!("the simulated party did not start within {START:?}"),
        };
        let reading = tokio::spawn(read(lines));
        let credentials = sip::Credentials::new(USER, password);
        Ok(Self { address, credentials, child, input, reading })
    }

    /// Ends the party; what it reported.
    pub async fn stop(&mut self) -> Vec<Report> {
        drop(self.input.take());
        if tokio::time::timeout(STOP, self.child.wait()).await.is_err() {
            // It is a simulation: nothing of it needs saving.
            let _ = self.child.kill().await;
        }
        (&mut self.reading).await.unwrap_or_default()
    }
}

fn listening(line: &str) -> anyhow::Result<SocketAddr> {
    let report: Report = serde_json::from_str(line).with_context(|| format!("the party said {line:?}"))?;
    match report.event {
        callee::Event::Listening { address } => Ok(address),
        other => bail!("the party began with {other:?}"),
    }
}

async fn read(mut lines: Lines<BufReader<ChildStdout>>) -> Vec<Report> {
    let mut reports = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(report) if reports.len() < MAX_REPORTS => reports.push(report),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, line, "the party reported something unreadable"),
        }
    }
    reports
}
