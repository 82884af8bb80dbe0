//! The agent on simulated lines: real SIP, RTP and gateways on a network in memory, in simulated time.
//!
//! `make world SEED=1183 COUNT=1` replays a seed.

mod fifty_calls;
mod scenarios;

use std::sync::Arc;
use std::time::Duration;

use agent::{AgentConfig, AgentEvent, Limits, Outcome, Policy, Speaker, Task};
use callee::{SimWorld, Speech};
use gateway::Call;
use tokio::sync::mpsc;

/// Events of one conversation that may wait to be written down.
const MAX_EVENTS: usize = 1024;

/// Runs a world: its clock stands still while anything is left to do, then jumps to the next deadline.
fn in_simulated_time<T>(world: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(world)
}

fn agent(task: Task, speech: &Speech, policy: Policy, seed: u64) -> AgentConfig {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    AgentConfig {
        task: Some(task),
        on_behalf_of: None,
        greeting: None,
        consent: None,
        system_prompt: None,
        stt: Arc::clone(&speech.stt),
        tts: Arc::clone(&speech.tts),
        voice: None,
        policy,
        limits: Limits {
            call: Duration::from_secs(300),
            silence_nudges: 3,
            silence: Duration::from_secs(8),
            hold: Duration::from_secs(120),
            tool_calls: 200,
        },
        seed: bytes,
        today: jiff::civil::date(2026, 11, 23),
    }
}

/// Holds the conversation; all that the agent told meanwhile is traced and returned.
async fn converse(world: &SimWorld, call: Call, config: AgentConfig) -> (Outcome, Vec<AgentEvent>) {
    let (sender, mut receiver) = mpsc::channel(MAX_EVENTS);
    let (_operator, commands) = mpsc::channel(1);
    let trace = world.trace().clone();
    let reading = tokio::spawn(async move {
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            if let Some(what) = in_words(&event) {
                trace.note("agent", what);
            }
            events.push(event);
        }
        events
    });
    let outcome = agent::run(call.line, config, sender, commands).await;
    world.trace().note("agent", format_args!("is done: {:?}, {:?}", outcome.ended, outcome.call_end.cause));
    (outcome, reading.await.expect("reading does not fail"))
}

fn in_words(event: &AgentEvent) -> Option<String> {
    Some(match event {
        AgentEvent::Transcript { speaker: Speaker::Agent, text, .. } => format!("said {text:?}"),
        AgentEvent::Transcript { text, .. } => format!("heard {text:?}"),
        AgentEvent::AnsweredBy { answered_by, .. } => format!("is answered by {answered_by:?}"),
        AgentEvent::PromptClassified { kind, .. } => format!("takes it for: {kind}"),
        AgentEvent::Chose { key, label, .. } => format!("chose {key} for {label:?}"),
        AgentEvent::DtmfSent { digits, .. } => format!("pressed {digits}"),
        AgentEvent::Hold { holding, .. } => format!("holding: {holding}"),
        AgentEvent::Nudged { count, .. } => format!("nudged, {count}"),
        AgentEvent::VoicemailLeft { .. } => "left a message".to_owned(),
        AgentEvent::ToolCalled { name, because, .. } => format!("calls {name}: {because}"),
        AgentEvent::DigitReceived { digit, .. } => format!("hears the key {digit}"),
        AgentEvent::Menu { .. } | AgentEvent::Turn(_) => return None,
    })
}
