//! Leaves a message on a simulated voicemail, and prints what it understood:
//! `cargo run -p callee --example voicemail -- 7`.

use std::io::Write;
use std::time::Duration;

use gateway::{CallLimits, Config, Dial, Gateway, LineEvent, Trunk};
use media::UtteranceId;
use media::ear::Tone;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seed = std::env::args().nth(1).map_or(Ok(1), |seed| seed.parse())?;
    let (_, _, toml) = callee::embedded().find(|(name, ..)| *name == "voicemail").ok_or("no such scenario")?;
    let instance = callee::Scenario::parse(toml)?.instantiate(seed)?;
    let message = instance.task.facts["message"].clone();
    let tts = speech::local_tts()?;
    let (report, mut reports) = mpsc::channel(64);
    let party = callee::serve(callee::Serve {
        instance,
        listen: ([127, 0, 0, 1], 0).into(),
        rtp_ports: (16384, 32767),
        registrar: None,
        stt: speech::local_stt()?,
        tts: tts.clone(),
        llm: None,
        report,
    })
    .await?;
    let trunk = Trunk::new("voicemail", "voicemail.invalid", party.local_addresses()[0]);
    let stop = CancellationToken::new();
    let party = tokio::spawn(party.run(stop.clone()));
    let printer = tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            let _ = writeln!(std::io::stdout(), "{:6} ms {:?}", report.at_ms, report.event);
        }
    });

    let caller = Gateway::start(Config { trunks: vec![trunk], ..Config::default() }).await?;
    let limits = CallLimits { call: Duration::from_secs(60), ..CallLimits::default() };
    let mut call =
        caller.dial(Dial { to: "voicemail".into(), trunk: None, caller_id: None, limits, record: None }).await?;
    while let Some(event) = call.line.next().await {
        match event {
            LineEvent::Tone { tone: Tone::Beep, .. } => {
                let spoken = speech::synthesize(tts.as_ref(), &message, Some("slt")).await?;
                let frames = spoken.chunks(160).count();
                for (n, chunk) in spoken.chunks(160).enumerate() {
                    let mut frame = [0; 160];
                    frame[..chunk.len()].copy_from_slice(chunk);
                    call.line.play(UtteranceId(1), frame, n + 1 == frames).await?;
                }
            }
            LineEvent::Played { .. } => call.line.hang_up(),
            _ => {}
        }
    }
    caller.stop().await;
    stop.cancel();
    party.await?;
    printer.await?;
    Ok(())
}
