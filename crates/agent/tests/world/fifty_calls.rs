//! Fifty calls at once on one pair of gateways: none hears, says or is told anything of another.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent::{AgentEvent, Policy, Task};
use callee::{SimConfig, SimWorld, Speech};
use gateway::{IncomingCall, Line, LineEvent};
use media::{FRAME_SAMPLES, SAMPLE_RATE, UtteranceId};
use speech::chat::{ChatRequest, Message, Piece, ToolCall};
use speech::scripted::{Script, ScriptedModel};
use speech::{Vocabulary, synthesize, transcribe};
use tokio::sync::Barrier;

use crate::{agent, converse, in_simulated_time};

const CALLS: usize = 50;
const SEED: u64 = 50;
/// Multiples of 10 Hz, so that a tenth of a second of one tone has nothing of any other.
const LOWEST_HERTZ: usize = 400;
const APART_HERTZ: usize = 60;
const AMPLITUDE: f32 = 8000.0;
const TONE_FRAMES: usize = 100;
/// A tenth of a second.
const WINDOW: usize = SAMPLE_RATE as usize / 10;
/// The silence after their words that ends a turn of the agent, as its callee takes it.
const AFTER_WORDS: Duration = Duration::from_millis(1500);

#[test]
fn fifty_calls_in_one_world_keep_their_sounds_and_words_to_themselves() {
    eprintln!("world seed {SEED}");
    let directory = tempfile::tempdir().expect("a directory");
    let (calls, requests) = in_simulated_time(hold_calls(directory.path()));
    assert_eq!(calls.len(), CALLS);
    for call in &calls {
        assert_words_are_its_own(call);
        assert_sounds_are_its_own(call.number, &directory.path().join(recording(call.number)));
    }
    assert_prompts_are_of_one_call_each(&requests);
}

/// What is known of a call when it is over.
struct Held {
    number: usize,
    /// What the agent took down of both sides.
    transcript: Vec<String>,
    /// What the callee understood.
    understood: String,
}

async fn hold_calls(directory: &Path) -> (Vec<Held>, Vec<ChatRequest>) {
    let world = Arc::new(SimWorld::start(SimConfig::seeded(SEED)).await.expect("the world has room"));
    let speech = Speech::scripted(&Script::new());
    let (model, requests) = model();
    // All tones sound at the same time.
    let together = Arc::new(Barrier::new(CALLS));
    let mut agents = Vec::new();
    for number in 0..CALLS {
        let understood = Arc::new(Mutex::new(String::new()));
        let callee = Callee {
            number,
            speech: speech.clone(),
            together: Arc::clone(&together),
            understood: Arc::clone(&understood),
        };
        world.answer(&telephone(number), move |call| callee.clone().take(call));
        let (world, recording) = (Arc::clone(&world), directory.join(recording(number)));
        let facts = [("reference".to_owned(), fact(number))].into();
        let task = Task { goal: "Tell them the reference".to_owned(), facts };
        let config = agent(task, &speech, Policy::Model(Arc::new(model.clone())), number as u64);
        agents.push(tokio::spawn(async move {
            let call = world.call(&telephone(number), Some(recording)).await.expect("the trunk has room");
            let handle = call.handle.clone();
            let (_, events) = converse(&world, call, config).await;
            handle.ended().await;
            let transcript = events.into_iter().filter_map(|event| match event {
                AgentEvent::Transcript { text, .. } => Some(text),
                _ => None,
            });
            (number, transcript.collect(), understood)
        }));
    }
    let mut held = Vec::new();
    for agent in agents {
        let (number, transcript, understood) = agent.await.expect("an agent does not fail");
        held.push((number, transcript, understood));
    }
    let Ok(world) = Arc::try_unwrap(world) else { panic!("all agents are gone") };
    world.stop().await;
    let held = held.into_iter().map(|(number, transcript, understood)| {
        let understood = lock(&understood).clone();
        Held { number, transcript, understood }
    });
    let requests = lock(&requests).clone();
    (held.collect(), requests)
}

/// The same model for all calls; once it has heard the callee's word it says what it was told, then waits.
fn model() -> (ScriptedModel, Arc<Mutex<Vec<ChatRequest>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&requests);
    let model = ScriptedModel::new(move |request| {
        lock(&asked).push(request.clone());
        let said = request.messages.iter().any(|message| matches!(message, Message::Assistant { .. }));
        let known = (0..CALLS).find(|number| text(request).contains(&fact(*number)));
        match known {
            Some(number) if text(request).contains(&word(number)) && !said => {
                vec![Piece::Text(format!("The reference is {}.", fact(number)))]
            }
            _ => vec![Piece::ToolCall(ToolCall {
                id: "wait".to_owned(),
                name: "wait".to_owned(),
                arguments: serde_json::json!({"seconds": 60}),
            })],
        }
    });
    (model.with_delay(Duration::from_millis(200)), requests)
}

/// Says its word, hears the agent's, plays its tone and hangs up.
#[derive(Clone)]
struct Callee {
    number: usize,
    speech: Speech,
    together: Arc<Barrier>,
    understood: Arc<Mutex<String>>,
}

impl Callee {
    async fn take(self, incoming: IncomingCall) {
        let mut line = incoming.call.line;
        line.answer();
        until(&mut line, |event| *event == LineEvent::Answered).await;
        let words = format!("Hello, this is {}.", word(self.number));
        let words = synthesize(self.speech.tts.as_ref(), &words, None).await.expect("it can be said");
        play(&mut line, 1, &words).await;
        let heard = hear_words(&mut line).await;
        let transcript = transcribe(self.speech.stt.as_ref(), Vocabulary::default(), &heard).await;
        lock(&self.understood).push_str(&transcript.expect("it can be heard").text);
        wait_for_all(&mut line, &self.together).await;
        play(&mut line, 2, &tone(self.number)).await;
        line.hang_up();
        until(&mut line, |event| matches!(event, LineEvent::Ended(_))).await;
    }
}

async fn until(line: &mut Line, wanted: impl Fn(&LineEvent) -> bool) {
    while !wanted(&line.next().await.expect("the call goes on")) {}
}

async fn play(line: &mut Line, utterance: u32, samples: &[i16]) {
    let utterance = UtteranceId(utterance);
    let frames: Vec<[i16; FRAME_SAMPLES]> = samples
        .chunks(FRAME_SAMPLES)
        .map(|chunk| std::array::from_fn(|index| chunk.get(index).copied().unwrap_or(0)))
        .collect();
    let mut player = line.player();
    tokio::spawn(async move {
        let last = frames.len() - 1;
        for (index, frame) in frames.into_iter().enumerate() {
            player.play(utterance, frame, index == last).await.expect("the call is up");
        }
    });
    until(line, |event| matches!(event, LineEvent::Played { utterance: played, .. } if *played == utterance)).await;
}

/// All that is heard until they have spoken and been silent for a while.
async fn hear_words(line: &mut Line) -> Vec<i16> {
    let (mut heard, mut ended) = (Vec::new(), None);
    loop {
        match line.next().await.expect("the call goes on") {
            LineEvent::Audio(frame) => {
                heard.extend(frame.samples);
                if ended.is_some_and(|ended| frame.at > ended + AFTER_WORDS) {
                    return heard;
                }
            }
            LineEvent::SpeechStarted { .. } => ended = None,
            LineEvent::SpeechEnded { at } => ended = Some(at),
            _ => {}
        }
    }
}

async fn wait_for_all(line: &mut Line, together: &Barrier) {
    let mut all = pin!(together.wait());
    loop {
        tokio::select! { biased;
            _ = &mut all => return,
            event = line.next() => drop(event.expect("the call goes on")),
        }
    }
}

fn assert_words_are_its_own(call: &Held) {
    let Held { number, transcript, understood } = call;
    let words = transcript.join("\n").to_lowercase();
    assert!(understood.contains(&fact(*number)), "call {number}: its callee understood {understood:?}");
    assert!(words.contains(&fact(*number)), "call {number}: the agent said its reference: {words}");
    assert!(words.contains(&word(*number)), "call {number}: the agent heard its callee: {words}");
    assert_eq!(calls_named_in(&words), BTreeSet::from([*number]), "call {number}: {words}");
    assert_eq!(calls_named_in(understood), BTreeSet::from([*number]), "call {number}: {understood}");
}

fn assert_prompts_are_of_one_call_each(requests: &[ChatRequest]) {
    let mut seen = BTreeSet::new();
    for request in requests {
        let named = calls_named_in(&text(request));
        assert_eq!(named.len(), 1, "{request:#?}");
        seen.extend(named);
    }
    assert_eq!(seen, (0..CALLS).collect(), "each call asked the model");
}

/// Whose facts or words are in a text.
fn calls_named_in(text: &str) -> BTreeSet<usize> {
    (0..CALLS).filter(|number| text.contains(&fact(*number)) || text.contains(&word(*number))).collect()
}

fn assert_sounds_are_its_own(number: usize, path: &Path) {
    let file = std::fs::read(path).expect("the recording is there");
    let (rate, channels, samples) = media::wav::read(&file).expect("a WAV file");
    assert_eq!((rate, channels), (SAMPLE_RATE, 2));
    let they: Vec<i16> = samples.iter().step_by(2).copied().collect();
    let steady: Vec<&[i16]> =
        they.chunks_exact(WINDOW).filter(|window| amplitude(window, hertz(number)) > 0.9 * AMPLITUDE).collect();
    let expected = TONE_FRAMES * FRAME_SAMPLES / WINDOW - 2;
    assert!(steady.len() >= expected, "call {number}: {} windows of its own tone", steady.len());
    let own = amplitude(&they, hertz(number));
    for other in (0..CALLS).filter(|other| *other != number) {
        let whole = amplitude(&they, hertz(other)) / own;
        assert!(whole < 0.1, "call {number}: {whole:.3} of the tone of call {other}");
        let loudest = steady.iter().map(|window| amplitude(window, hertz(other))).fold(0.0, f32::max) / AMPLITUDE;
        assert!(loudest < 0.03, "call {number}: {loudest:.3} of the tone of call {other} beside its own");
    }
}

/// Of one frequency (Goertzel).
fn amplitude(samples: &[i16], hertz: f32) -> f32 {
    let step = f64::from(hertz) * std::f64::consts::TAU / f64::from(SAMPLE_RATE);
    let coefficient = 2.0 * step.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (f64::from(*sample) + coefficient * last - before, last);
    }
    let power = last * last + before * before - coefficient * last * before;
    (power.max(0.0).sqrt() * 2.0 / samples.len() as f64) as f32
}

fn tone(number: usize) -> Vec<i16> {
    let step = hertz(number) * std::f32::consts::TAU / SAMPLE_RATE as f32;
    (0..TONE_FRAMES * FRAME_SAMPLES).map(|index| ((index as f32 * step).sin() * AMPLITUDE) as i16).collect()
}

fn hertz(number: usize) -> f32 {
    (LOWEST_HERTZ + APART_HERTZ * number) as f32
}

fn telephone(number: usize) -> String {
    format!("+155501{number:02}")
}

fn recording(number: usize) -> String {
    format!("{number}.wav")
}

/// What only this call's agent is told.
fn fact(number: usize) -> String {
    format!("zor{}", syllables(number))
}

/// What only this call's callee says.
fn word(number: usize) -> String {
    format!("vex{}", syllables(number))
}

/// Two syllables, no number's within another's.
fn syllables(number: usize) -> String {
    const SYLLABLES: [&str; 10] = ["ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru"];
    format!("{}{}", SYLLABLES[number / 10], SYLLABLES[number % 10])
}

fn text(request: &ChatRequest) -> String {
    request.messages.iter().map(told).collect::<Vec<_>>().join("\n").to_lowercase()
}

fn told(message: &Message) -> &str {
    match message {
        Message::System(text) | Message::User(text) | Message::Assistant { text, .. } => text,
        Message::Tool { content, .. } => content,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
