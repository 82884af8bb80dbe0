//! What `offhook serve` costs as a process: memory idle and a call, CPU a call, size of the binary.
//!
//! `bench PATH-OF-OFFHOOK [PATH-OF-RTPLOAD]`: starts that binary on loopback and calls its echo route.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../../../scripts/bench/measure.rs"]
mod measure;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use gateway::{Call, CallLimits, Config, Dial, Gateway, LineEvent, Trunk};
use measure::Table;
use sip::sdp::AudioCodec;
use tokio::task::JoinHandle;

/// Calls before the first look, so that what is made once is not counted as a call's.
const FIRST: usize = 50;
/// Calls between the first look and the second.
const MORE: usize = 100;
/// Between two calls placed.
const PACE: Duration = Duration::from_millis(10);
/// Talk before a look: all rings have gone round.
const SETTLE: Duration = Duration::from_secs(4);
/// CPU is measured for so long.
const WINDOW: Duration = Duration::from_secs(5);

/// A judge that is later than this with its own packets, one time in a hundred, judges itself.
const MAX_JUDGE_LATENESS_MS: f64 = 5.0;

const IDLE_BOUND: f64 = 30e6;
const CALL_BOUND: f64 = 150e3;
const STRIPPED_BOUND: f64 = 32e6;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.is_empty());
    let offhook = PathBuf::from(arguments.next().context("which binary?")?);
    let judge = arguments.next();
    let mut table = Table::new("process");
    size(&mut table, &offhook)?;
    let server = Server::start(&offhook).await?;
    let idle = server.resident()?;
    table.at_most("resident memory of offhook serve, idle", idle, "B", IDLE_BOUND);
    table.highlight(format!("idle {}", measure::amount(idle, "B")));
    calls(&mut table, &server).await?;
    match judge {
        Some(judge) => judged(&mut table, &server, &judge)?,
        None => table.skipped("round trip, loss and CPU judged from outside", "give RTPLOAD=path"),
    }
    drop(server);
    Ok(table.finish())
}

fn size(table: &mut Table, offhook: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stripped = folder.path().join("stripped");
    let whole = std::fs::metadata(offhook).with_context(|| offhook.display().to_string())?.len() as f64;
    let done = Command::new("strip").arg("-o").arg(&stripped).arg(offhook).status().context("strip, of binutils")?;
    ensure!(done.success(), "strip failed");
    let small = std::fs::metadata(&stripped)?.len() as f64;
    table.beside("size of the binary, with line tables", whole, "B", "");
    table.at_most("size of the binary, stripped", small, "B", STRIPPED_BOUND);
    table.highlight(format!("binary {} stripped", measure::amount(small, "B")));
    Ok(())
}

async fn calls(table: &mut Table, server: &Server) -> anyhow::Result<()> {
    let gateway = caller(server.sip).await?;
    let own = std::process::id();
    let mut calls = Vec::new();
    dial(&gateway, FIRST, &mut calls).await?;
    tokio::time::sleep(SETTLE).await;
    let (first, our_first) = (server.resident()?, resident(own)?);
    dial(&gateway, MORE, &mut calls).await?;
    tokio::time::sleep(SETTLE).await;
    let (second, our_second) = (server.resident()?, resident(own)?);
    let call = (second - first) / MORE as f64;
    let heard = (our_second - our_first) / MORE as f64;
    println!("memory of a call: growth from {FIRST} to {} calls with audio both ways", FIRST + MORE);
    table.at_most("a call of the echo route", call, "B", CALL_BOUND);
    table.beside("a call that somebody listens to", heard, "B", "the caller's side, all detectors on");
    let (before, since) = (cpu(server.process.id())?, Instant::now());
    tokio::time::sleep(WINDOW).await;
    let busy = cpu(server.process.id())? - before;
    let share = busy / since.elapsed().as_secs_f64() / calls.len() as f64;
    table.beside("CPU a call", share * 1e9, "ns", "of a second, sockets included, 50 packets each way");
    table.highlight(format!("call {}", measure::amount(call, "B")));
    for (call, listener) in calls {
        call.hang_up();
        listener.await?;
    }
    gateway.stop().await;
    Ok(())
}

type Placed = (gateway::CallHandle, JoinHandle<()>);

async fn dial(gateway: &Gateway, count: usize, calls: &mut Vec<Placed>) -> anyhow::Result<()> {
    for _ in 0..count {
        let dial =
            Dial { to: "echo".into(), trunk: None, caller_id: None, limits: CallLimits::default(), record: None };
        let Call { mut line, handle } = gateway.dial(dial).await?;
        while let Some(event) = line.next().await {
            ensure!(!matches!(event, LineEvent::Ended(_)), "the echo route did not answer: {event:?}");
            if event == LineEvent::Answered {
                break;
            }
        }
        calls.push((handle, tokio::spawn(async move { while line.next().await.is_some() {} })));
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

async fn caller(server: SocketAddr) -> Result<Gateway, gateway::Error> {
    let trunk = Trunk { codecs: vec![AudioCodec::Pcmu], max_calls: 1000, ..Trunk::new("offhook", "localhost", server) };
    Gateway::start(Config { trunks: vec![trunk], rtp_ports: (40000, 49999), ..Config::default() }).await
}

/// The judge's own words: what it saw on the wire.
fn judged(table: &mut Table, server: &Server, judge: &str) -> anyhow::Result<()> {
    let output = Command::new(judge)
        .args(["--target", &server.sip.to_string(), "--user", "echo", "--calls", "100", "--rate", "50"])
        .args(["--duration", "5", "--pid", &server.process.id().to_string()])
        .output()
        .with_context(|| judge.to_owned())?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{judge}: {}", String::from_utf8_lossy(&output.stderr)))?;
    println!("judged from outside, 100 calls: {report}");
    let number = |path: &str| report.pointer(path).and_then(serde_json::Value::as_f64);
    if number("/generator/late_ms/p99").is_none_or(|late| late > MAX_JUDGE_LATENESS_MS) {
        table.skipped("round trip judged from outside", "void: the judge itself was late; this machine is too busy");
        return Ok(());
    }
    for (what, path) in [
        ("round trip of a frame, median", "/round_trip_ms/p50"),
        ("round trip of a frame, 99 of 100", "/round_trip_ms/p99"),
    ] {
        match number(path) {
            Some(ms) => table.beside(what, ms * 1e6, "ns", ""),
            None => table.skipped(what, "not in the judge's report"),
        }
    }
    Ok(())
}

/// `offhook serve` with a configuration of its own.
struct Server {
    process: Child,
    sip: SocketAddr,
    /// Removed with it.
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start(offhook: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (sip, api) = (free_udp()?, free_tcp()?);
        let config = folder.path().join("bench.toml");
        let text = format!(
            "[node]\ndata_dir = {:?}\n[sip]\nlisten = [\"udp://{sip}\"]\nallow_from = [\"127.0.0.0/8\"]\n\
             [media]\nports = \"30000-39999\"\n[[route]]\nto = \"echo\"\nagent = \"echo\"\n[api]\nlisten = \"{api}\"\n",
            folder.path()
        );
        std::fs::write(&config, text)?;
        let process = Command::new(offhook)
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| offhook.display().to_string())?;
        let server = Self { process, sip, _folder: folder };
        let give_up = Instant::now() + Duration::from_secs(20);
        while !is_ready(api) {
            ensure!(Instant::now() < give_up, "offhook serve is not ready after 20 s");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(server)
    }

    fn resident(&self) -> anyhow::Result<f64> {
        resident(self.process.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_udp() -> std::io::Result<SocketAddr> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn free_tcp() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn is_ready(api: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(api)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /v1/health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// Bytes of physical memory that a process has (proc(5): VmRSS).
fn resident(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024.0)
}

/// Seconds of CPU that a process has used (proc(5): utime and stime of `stat`, in ticks of 10 ms).
fn cpu(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in brackets, may hold spaces.
    let (_, fields) = stat.rsplit_once(')').context("stat")?;
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}
