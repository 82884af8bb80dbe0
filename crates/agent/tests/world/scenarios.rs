//! Scenarios from the INVITE to the BYE, with rules that decide and speech that is played but not spoken.

use agent::{AgentEnd, Outcome, Policy, Task};
use callee::{AgentSide, Instance, Report, Scenario, SimConfig, SimWorld, Speech};
use gateway::EndCause;
use speech::scripted::Script;

use crate::{agent, converse, in_simulated_time};

const NUMBER: &str = "+15550100";
/// Worked in turn, one a seed.
const SCENARIOS: [&str; 9] = [
    "hospital",
    "enter-your-number",
    "voicemail",
    "busy",
    "nested-menu",
    "hold-then-person",
    "press-or-say",
    "no-answer",
    "lossy",
];

#[test]
fn every_scenario_of_the_world_ends_as_it_expects() {
    let (first, count) = (number("WORLD_SEED", 1), number("WORLD_COUNT", SCENARIOS.len() as u64));
    let mut failures = String::new();
    for seed in first..first.saturating_add(count) {
        let scenario = SCENARIOS[(seed % SCENARIOS.len() as u64) as usize];
        let worked = Worked::scenario(scenario, seed);
        let differences = worked.differences();
        eprintln!("world seed {seed}: {scenario}, {} differences", differences.len());
        if !differences.is_empty() {
            failures += &format!("world seed {seed}, {scenario}: {differences:#?}\n{}\n", worked.trace);
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn the_same_seed_is_the_same_world_to_the_millisecond() {
    let seed = number("WORLD_SEED", 1);
    eprintln!("world seed {seed}");
    let [once, again] = [(); 2].map(|()| Worked::scenario("lossy", seed).trace);
    assert!(once.lines().count() > 10, "{once}");
    assert_eq!(once, again);
}

/// A scenario that was worked to its end.
struct Worked {
    instance: Instance,
    outcome: Outcome,
    reports: Vec<Report>,
    trace: String,
}

impl Worked {
    fn scenario(name: &str, seed: u64) -> Self {
        let (_, _, toml) = callee::embedded().find(|(known, ..)| *known == name).expect("it is embedded");
        let instance = Scenario::parse(toml).and_then(|scenario| scenario.instantiate(seed)).expect("it is sound");
        in_simulated_time(Self::instance(instance))
    }

    async fn instance(instance: Instance) -> Self {
        let world = SimWorld::start(SimConfig::of(&instance)).await.expect("the world has room");
        let speech = voices();
        let reports = world.settle(NUMBER, instance.clone(), speech.clone());
        let task = Task { goal: instance.task.goal.clone(), facts: instance.task.facts.clone() };
        world.trace().note("agent", format_args!("dials: {:?}, {:?}", task.goal, task.facts));
        let call = world.call(NUMBER, None).await.expect("the trunk is there");
        let (outcome, _) = converse(&world, call, agent(task, &speech, Policy::Rules, instance.seed)).await;
        let trace = world.trace().clone();
        world.stop().await;
        Self { reports: reports.all(), trace: trace.to_string(), instance, outcome }
    }

    /// From what the scenario expects of both sides.
    fn differences(&self) -> Vec<String> {
        let Outcome { result, digits_sent, .. } = &self.outcome;
        let outcome = serde_json::to_value(result.outcome).expect("a name");
        let mut differences = self.instance.judge(&AgentSide {
            outcome: outcome.as_str().unwrap_or_default().to_owned(),
            end_reason: end_reason(&self.outcome).to_owned(),
            digits_sent: digits_sent.clone(),
            answers: result.answers.clone(),
        });
        differences.extend(self.instance.judge_party(&self.reports));
        differences
    }
}

/// As far as a scenario expects one.
fn end_reason(outcome: &Outcome) -> &'static str {
    match (outcome.ended, outcome.call_end.cause) {
        (_, EndCause::Busy) => "busy",
        (_, EndCause::NoAnswer | EndCause::Canceled) => "no_answer",
        (Some(AgentEnd::MessageLeft), _) => "message_left",
        (Some(AgentEnd::Completed), _) => "completed",
        (None, EndCause::CalleeHungUp) => "callee_hung_up",
        _ => "another",
    }
}

/// `WORLD_SPEECH=local` speaks and listens in earnest: seconds for a call, and no two the same.
fn voices() -> Speech {
    if std::env::var("WORLD_SPEECH").is_ok_and(|speech| speech == "local") {
        let (stt, tts) = (speech::local_stt(), speech::local_tts());
        return Speech { stt: stt.expect("a recogniser"), tts: tts.expect("a voice"), llm: None };
    }
    Speech::scripted(&Script::new())
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, not a number")),
        Err(_) => default,
    }
}
