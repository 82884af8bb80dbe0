//! Walks every embedded scenario with a perfect caller, for many seeds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use callee::callee::{Input, Output, Sound};
use callee::instance::{Action, Ask, Instance, Step};
use callee::{Event, Party, Scenario};

const SEEDS: std::ops::Range<u64> = 0..200;

#[test]
fn every_scenario_is_consistent_for_every_seed() {
    for (name, summary, toml) in callee::embedded() {
        let scenario = Scenario::parse(toml).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((scenario.name.as_str(), scenario.summary.as_str()), (name, summary));
        let mut goals = BTreeSet::new();
        for seed in SEEDS {
            let instance = scenario.instantiate(seed).unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
            assert_eq!(instance, scenario.instantiate(seed).unwrap());
            check_menus(&instance);
            let texts: Vec<&String> = instance.task.facts.values().chain([&instance.task.goal]).collect();
            assert!(texts.iter().all(|text| !text.contains(['{', '}'])), "{name}, seed {seed}: {texts:?}");
            goals.insert(format!("{:?}{:?}", instance.task, instance.steps));
        }
        let least = if matches!(name, "busy" | "no-answer") { 100 } else { 195 };
        assert!(goals.len() >= least, "{name}: only {} of 200 seeds differ", goals.len());
    }
}

#[test]
fn expected_keys_and_answers_lead_to_the_expected_end() {
    for (name, leaf) in [
        ("hospital", "confirm-wanted"),
        ("nested-menu", "answer"),
        ("enter-your-number", "balance"),
        ("press-or-say", "hours"),
        ("hold-then-person", "answer"),
        ("lossy", "answer"),
    ] {
        let scenario = scenario(name);
        for seed in SEEDS {
            let instance = scenario.instantiate(seed).unwrap();
            let call = Call::place(&instance, leaf);
            assert!(call.visited.contains(&leaf.to_owned()), "{name}, seed {seed}: visited {:?}", call.visited);
            assert!(call.length < Duration::from_secs(90), "{name}, seed {seed}: {:?}", call.length);
            if let Some(expected) = &instance.expect.digits {
                let mut pressed = call.pressed.chars();
                assert!(expected.chars().all(|key| pressed.any(|other| other == key)), "{name}, seed {seed}");
            }
            for (key, value) in &instance.expect.heard {
                assert_eq!(call.captured.get(key), Some(value), "{name}, seed {seed}");
            }
        }
    }
}

#[test]
fn the_receptionist_keeps_what_she_was_told() {
    let instance = scenario("hospital").instantiate(5).unwrap();
    let call = Call::place(&instance, "confirm-wanted");
    let facts = &instance.task.facts;
    assert_eq!(call.captured["name"], facts["name"]);
    assert_eq!(format!("Doctor {}", call.captured["doctor"]), facts["doctor"]);
    assert_eq!(call.captured["day"], facts["day"]);
}

fn scenario(name: &str) -> Scenario {
    let (_, _, toml) = callee::embedded().find(|(other, ..)| *other == name).unwrap();
    Scenario::parse(toml).unwrap()
}

fn check_menus(instance: &Instance) {
    for step in &instance.steps {
        if let Action::Menu(menu) = &step.action {
            let targets: BTreeSet<usize> = menu.keys.values().copied().collect();
            assert_eq!(targets.len(), menu.keys.len(), "{}: a key was lost", step.id);
            assert!(menu.again.is_none_or(|again| !menu.keys.contains_key(&again)), "{}", step.id);
        }
    }
}

/// A call by somebody who understands everything and knows where to go.
struct Call {
    visited: Vec<String>,
    pressed: String,
    captured: BTreeMap<String, String>,
    length: Duration,
}

impl Call {
    fn place(instance: &Instance, leaf: &str) -> Self {
        let distance = distances(instance, leaf);
        let mut call =
            Self { visited: Vec::new(), pressed: String::new(), captured: BTreeMap::new(), length: Duration::ZERO };
        let mut party = Party::new(instance.clone());
        let mut now = Duration::ZERO;
        party.handle_input(now, Input::Incoming);
        for _ in 0..400 {
            let mut played = false;
            while let Some(output) = party.poll_output() {
                match output {
                    Output::Play(sounds) => {
                        now += sounds.iter().map(length).sum();
                        played = true;
                    }
                    Output::Report(Event::Captured { key, value }) => {
                        call.captured.insert(key, value);
                    }
                    Output::HangUp => {
                        call.length = now;
                        return call;
                    }
                    _ => {}
                }
            }
            call.visited.push(party.step().to_owned());
            if !played {
                now = party.poll_timeout().expect("a party that does nothing waits for something");
                party.handle_input(now, Input::Timeout);
                continue;
            }
            party.handle_input(now, Input::Played);
            now += Duration::from_millis(800);
            let step = instance.steps.iter().find(|step| step.id == party.step()).unwrap();
            let arrived = call.visited.iter().any(|id| id == leaf);
            match answer(instance, step, &distance, arrived) {
                Some(Answer::Keys(keys)) => {
                    for key in keys.chars() {
                        call.pressed.push(key);
                        party.handle_input(now, Input::Digit(key));
                        now += Duration::from_millis(200);
                        if party.step() != step.id {
                            break;
                        }
                    }
                }
                Some(Answer::Words(words)) => {
                    party.handle_input(now, Input::SpeechStarted);
                    now += Duration::from_millis(1500);
                    party.handle_input(now, Input::SpeechEnded);
                    now += Duration::from_millis(800);
                    party.handle_input(now, Input::Heard(words));
                }
                None => {}
            }
        }
        panic!("the call never ends; visited {:?}", call.visited);
    }
}

enum Answer {
    Keys(String),
    Words(String),
}

fn answer(instance: &Instance, step: &Step, distance: &BTreeMap<usize, usize>, arrived: bool) -> Option<Answer> {
    match &step.action {
        Action::Menu(menu) => {
            let (key, _) =
                menu.keys.iter().min_by_key(|(_, next)| distance.get(next).copied().unwrap_or(usize::MAX))?;
            Some(Answer::Keys(key.to_string()))
        }
        Action::Collect(collect) => {
            let number = collect.expects.clone()?;
            let terminator = collect.terminator.map(String::from).unwrap_or_default();
            let confirm = collect.confirm.as_ref().map(|confirm| confirm.yes.to_string()).unwrap_or_default();
            Some(Answer::Keys(number + &terminator + &confirm))
        }
        Action::Ask(ask) => Some(Answer::Words(say(instance, step, ask, distance, arrived))),
        _ => None,
    }
}

fn say(instance: &Instance, step: &Step, ask: &Ask, distance: &BTreeMap<usize, usize>, arrived: bool) -> String {
    if let Some(fact) =
        ask.capture.as_deref().filter(|capture| *capture == "name").and_then(|key| instance.task.facts.get(key))
    {
        return format!("my name is {}", fact.to_lowercase());
    }
    if ask.matches.is_empty() {
        return "march fifth nineteen eighty two".to_owned();
    }
    if arrived {
        return ask.matches[0].words[0].clone();
    }
    let best = ask.matches.iter().min_by_key(|meaning| {
        meaning.next.or(step.next).and_then(|next| distance.get(&next)).copied().unwrap_or(usize::MAX)
    });
    best.unwrap().words[0].clone()
}

/// Steps to the leaf, from each step that can reach it.
fn distances(instance: &Instance, leaf: &str) -> BTreeMap<usize, usize> {
    let leaf = instance.steps.iter().position(|step| step.id == leaf).unwrap();
    let mut distances = BTreeMap::from([(leaf, 0)]);
    let mut queue = VecDeque::from([leaf]);
    while let Some(to) = queue.pop_front() {
        for (from, step) in instance.steps.iter().enumerate() {
            let mut targets: Vec<usize> = step.next.into_iter().collect();
            match &step.action {
                Action::Menu(menu) => targets = menu.keys.values().copied().collect(),
                Action::Ask(ask) => targets.extend(ask.matches.iter().filter_map(|meaning| meaning.next)),
                _ => {}
            }
            if targets.contains(&to) && !distances.contains_key(&from) {
                distances.insert(from, distances[&to] + 1);
                queue.push_back(from);
            }
        }
    }
    distances
}

/// About as long as it takes to say it: three words a second.
fn length(sound: &Sound) -> Duration {
    match sound {
        Sound::Say(text) => Duration::from_millis(330 * text.split_whitespace().count() as u64),
        Sound::Music(length) | Sound::Silence(length) => *length,
        Sound::Tone { length, .. } | Sound::Beep { length, .. } => *length,
    }
}
