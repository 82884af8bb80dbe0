//! A simulated party that anything may call: `cargo run -p callee --example answer -- voicemail 7`.
//! Prints its address first, then what happens, one line each.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "voicemail".to_owned());
    let seed = arguments.next().map_or(Ok(1), |seed| seed.parse())?;
    let (_, _, toml) = callee::embedded().find(|(other, ..)| *other == name).ok_or("no such scenario")?;
    let (report, mut reports) = mpsc::channel(64);
    let party = callee::serve(callee::Serve {
        instance: callee::Scenario::parse(toml)?.instantiate(seed)?,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        rtp_ports: (16384, 32767),
        registrar: None,
        stt: speech::local_stt()?,
        tts: speech::local_tts()?,
        llm: None,
        report,
    });
    let running = tokio::spawn(party.await?.run(CancellationToken::new()));
    while let Some(report) = reports.recv().await {
        let _ = writeln!(std::io::stdout(), "{:6} ms {:?}", report.at_ms, report.event);
    }
    Ok(running.await?)
}
