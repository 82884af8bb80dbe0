//! `offhook demo`: a real SIP/RTP call against a simulated party in a process of its own.

mod party;
mod report;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use callee::{AgentSide, Instance};
use control::{Call, Control, ControlConfig, NewCall, NewTask, TrunkInfo};
use gateway::{Gateway, Trunk};
use store::Store;

use super::{Exit, WrongUse, complain, print, scenario};
use crate::config::{Limits, Provider};
use crate::live::Live;
use crate::wiring::{self, AgentSettings};
use party::PartyProcess;

/// The number the demo dials; the simulated trunk takes any.
const NUMBER: &str = "+15550100";
/// Who calls.
const CALLER: &str = "+15550199";
/// How long a demo's call may ring and take.
const LIMITS: Limits = Limits {
    ring: Duration::from_secs(12),
    call: Duration::from_secs(300),
    drain: Duration::from_secs(300),
    silence_nudges: 3,
    hold: Duration::from_secs(120),
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// An embedded scenario or a file.
    #[arg(long, default_value = "hospital")]
    scenario: String,
    /// What names, slots, wording and keys are made from; drawn at random when left out.
    #[arg(long)]
    seed: Option<u64>,
    /// Where the recording goes.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Lists the embedded scenarios.
    #[arg(long)]
    list: bool,
}

pub async fn run(arguments: Arguments, json: bool) -> anyhow::Result<Exit> {
    if arguments.list {
        for (name, summary, _) in callee::embedded() {
            print(&if json {
                serde_json::json!({"scenario": name, "summary": summary}).to_string()
            } else {
                format!("{name:<20} {summary}")
            });
        }
        return Ok(Exit::Success);
    }
    let seed = arguments.seed.map_or_else(wiring::random_number, Ok)?;
    let instance = scenario(&arguments.scenario)?
        .instantiate(seed)
        .map_err(|error| WrongUse(format!("scenario {:?}: {error}", arguments.scenario)))?;
    let directory = match arguments.record {
        Some(directory) => directory,
        None => std::env::temp_dir().join(format!("offhook-demo-{}-{seed}-{}", instance.name, std::process::id())),
    };
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;

    let mut live = Live::new(json);
    live.heading(&format!("Scenario {}, seed {seed}", instance.name));
    live.heading(&format!("Goal: {}", instance.task.goal));
    for (fact, value) in &instance.task.facts {
        live.heading(&format!("      {fact}: {value}"));
    }
    let mut party = PartyProcess::start(&arguments.scenario, seed).await?;
    let outcome = place_call(&instance, &party, &directory, seed, &mut live).await;
    let reports = party.stop().await;
    let call = outcome?;

    let mut differences = instance.judge(&agent_side(&call));
    differences.extend(instance.judge_party(&reports));
    let recording = directory.join(format!("{}.wav", call.id));
    live.heading("");
    report::table(&mut live, &call, &recording);
    for difference in &differences {
        complain(&format!("not as the scenario expects: {difference}"));
    }
    if json {
        print(&report::summary(&instance, &call, &recording).to_string());
    }
    Ok(if differences.is_empty() { Exit::Success } else { Exit::Failed })
}

async fn place_call(
    instance: &Instance,
    party: &PartyProcess,
    directory: &std::path::Path,
    seed: u64,
    live: &mut Live,
) -> anyhow::Result<Call> {
    let gateway = Gateway::start(gateway::Config {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()],
        trunks: vec![trunk(party)],
        rtp_ports: (40_000, 49_998),
        ..gateway::Config::default()
    })
    .await?;
    gateway.registered().await;
    live.heading(&match gateway.registration("demo") {
        Some(gateway::Registration::Registered) => format!("Registered with {}", party.address),
        state => format!("Not registered with {}: {state:?}", party.address),
    });
    let control = Control::new(ControlConfig {
        store: Store::connect("sqlite::memory:", "demo").await?,
        gateway: Some(gateway.clone()),
        agents: wiring::agents(AgentSettings {
            llm: Provider { name: "rules".to_owned(), ..Provider::default() },
            voice: None,
            limits: LIMITS,
            consent: None,
            seed: Some(agent_seed(seed)),
        }),
        trunks: vec![TrunkInfo {
            name: "demo".to_owned(),
            host: party.address.to_string(),
            caller_id: CALLER.to_owned(),
            calls_apart: None,
            inbound_only: false,
        }],
        routes: Vec::new(),
        dial_allow: vec!["+".to_owned()],
        scheduling: control::Scheduling::default(),
        webhooks: control::WebhookRules::default(),
        limits: control::Limits { ring: LIMITS.ring, call: LIMITS.call, ..control::Limits::default() },
        record: true,
        recordings_dir: Some(directory.to_owned()),
        recording_key: None,
        recording_format: gateway::RecordingFormat::Wav,
        price: control::Price::default(),
        keys: Vec::new(),
        open_metrics: false,
        seed: wiring::random_seed()?,
    })
    .await?;
    let request = NewCall {
        to: NUMBER.to_owned(),
        task: NewTask { goal: instance.task.goal.clone(), facts: instance.task.facts.clone() },
        ..NewCall::default()
    };
    let call = control.place_and_wait(request, |event| live.event(&event.json)).await?;
    gateway.stop().await;
    Ok(call)
}

fn trunk(party: &PartyProcess) -> Trunk {
    Trunk {
        credentials: Some(party.credentials.clone()),
        register: true,
        caller_id: CALLER.to_owned(),
        max_calls: 1,
        ..Trunk::new("demo", party.address.to_string(), party.address)
    }
}

/// The agent's own variation follows the scenario's seed, so that a run can be repeated.
fn agent_seed(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes
}

fn agent_side(call: &Call) -> AgentSide {
    let result = call.result.clone();
    AgentSide {
        outcome: result.as_ref().map(|result| result.outcome.clone()).unwrap_or_default(),
        end_reason: call.end_reason.clone().unwrap_or_default(),
        digits_sent: call.digits_sent.clone(),
        answers: result.map(|result| result.answers).unwrap_or_default(),
    }
}
