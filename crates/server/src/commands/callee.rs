//! `offhook callee`: a simulated party as a SIP endpoint.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use callee::{Serve, serve};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Exit, WrongUse, configuration, print, scenario};
use crate::wiring;

/// Reports waiting for a slow reader of standard output.
const MAX_REPORTS: usize = 256;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// An embedded scenario or a file.
    #[arg(long)]
    scenario: String,
    /// Where to listen; port 0 takes any free one.
    #[arg(long, default_value = "udp://127.0.0.1:0")]
    listen: String,
    /// What the scenario's choices are made from; drawn at random when left out.
    #[arg(long)]
    seed: Option<u64>,
    /// User that may register and call; the password comes from OFFHOOK_CALLEE_PASSWORD.
    #[arg(long)]
    user: Option<String>,
    /// A configuration file whose `[llm]` plays the scenario's persona.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Ends when standard input does.
    #[arg(long)]
    until_eof: bool,
}

pub async fn run(arguments: Arguments, json: bool) -> anyhow::Result<Exit> {
    let seed = arguments.seed.map_or_else(wiring::random_number, Ok)?;
    let instance = scenario(&arguments.scenario)?
        .instantiate(seed)
        .map_err(|error| WrongUse(format!("scenario {:?}: {error}", arguments.scenario)))?;
    let config = match arguments.config.as_deref().map(configuration) {
        Some(None) => return Ok(Exit::WrongUse),
        read => read.flatten(),
    };
    let llm = config.map_or(Ok(None), |config| wiring::language_model(&config.llm))?;
    if instance.persona.is_some() && llm.is_none() {
        let message = "has a persona, for a language model to play: add --config FILE with [llm] provider = \"openai\"";
        return Err(WrongUse(format!("scenario {:?} {message}", arguments.scenario)).into());
    }
    let listen: SocketAddr =
        arguments.listen.strip_prefix("udp://").and_then(|address| address.parse().ok()).ok_or_else(|| {
            WrongUse(format!("--listen {:?}: write for example udp://127.0.0.1:5080", arguments.listen))
        })?;
    let (report, mut reports) = mpsc::channel(MAX_REPORTS);
    let server = serve(Serve {
        instance,
        listen,
        rtp_ports: (30_000, 39_998),
        registrar: arguments.user.map(registrar).transpose()?,
        stt: speech::local_stt()?,
        tts: speech::local_tts()?,
        llm,
        report,
    })
    .await
    .context("the simulated party cannot start")?;
    let stop = CancellationToken::new();
    let telling = tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            if json {
                // A report is plain data: it always serialises.
                print(&serde_json::to_string(&report).unwrap_or_default());
            } else {
                print(&format!("{:>8.2} s  {:?}", report.at_ms as f64 / 1000.0, report.event));
            }
        }
    });
    let until_eof = arguments.until_eof;
    tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::select! { biased;
                _ = tokio::signal::ctrl_c() => {}
                () = end_of_input(), if until_eof => {}
            }
            stop.cancel();
        }
    });
    server.run(stop).await;
    telling.await?;
    Ok(Exit::Success)
}

fn registrar(user: String) -> anyhow::Result<sip::Registrar> {
    let password = std::env::var("OFFHOOK_CALLEE_PASSWORD")
        .map_err(|_| WrongUse("--user needs the password in OFFHOOK_CALLEE_PASSWORD".to_owned()))?;
    Ok(sip::Registrar {
        realm: "offhook.invalid".to_owned(),
        users: vec![(user, password)],
        algorithms: vec![sip::DigestAlgorithm::Sha256, sip::DigestAlgorithm::Md5],
    })
}

/// Waits for the end of standard input: whoever started us is gone.
async fn end_of_input() {
    let reading = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
    // An input that cannot be read has ended, too.
    let _ = reading.await;
}
