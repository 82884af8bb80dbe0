//! [`SimWorld`]: a trunk with a gateway at each end and parties to call, in simulated time.
//!
//! ```text
//!   whoever holds the Line ── gateway ══ SimNetwork ══ gateway ── parties, by number
//!                            registers,   loss,        digest
//!                            dials        jitter       registrar
//! ```
//!
//! It belongs in a tokio runtime of one thread whose clock is paused: minutes of a call then take as
//! long as their arithmetic, and a seed gives the same trace each time.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway::{
    Call, CallLimits, Config, Dial, DigitPolicy, Error, Gateway, Impairment, IncomingCall, Network, Registration,
    SimNetwork, Trunk,
};
use media::SAMPLE_RATE;
use sip::sdp::AudioCodec;
use speech::TextToSpeech;
use speech::scripted::{Script, ScriptedStt, ScriptedTts};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::instance::Instance;
use crate::party::{self, Speech};
use crate::report::{Event, Report};

const CALLER: &str = "10.0.0.1:5060";
const CALLEE: &str = "10.0.0.2:5060";
const TRUNK: &str = "world";
const REALM: &str = "trunk.test";
const USER: &str = "gateway";
const PASSWORD: &str = "secret";
/// From user of every call.
const CALLER_ID: &str = "+15550199";
/// One way through the network, where nothing else is said.
const LATENCY: Duration = Duration::from_millis(10);
/// Calls at once.
const MAX_CALLS: usize = 500;
/// Reports of a party that wait to be written down.
const MAX_REPORTS: usize = 256;
/// Lines of a trace; later ones are left out.
const MAX_LINES: usize = 100_000;
const NOT_FOUND: u16 = 404;
/// How often the melody of a voice turns.
const MELODY_HERTZ: f32 = 6.0;
/// How far its pitch goes up and down.
const MELODY_DEPTH: f32 = 0.12;

/// What a world is made from.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// What becomes of datagrams, those of signalling too.
    pub network: Impairment,
    /// The parties' codecs, best first.
    pub codecs: Vec<AudioCodec>,
    /// The parties offer telephone-event.
    pub telephone_event: bool,
}

impl SimConfig {
    /// A good line.
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            network: Impairment { latency: LATENCY, ..Impairment::default() },
            codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
            telephone_event: true,
        }
    }

    /// The line of a scenario.
    pub fn of(instance: &Instance) -> Self {
        let line = &instance.line;
        Self {
            network: Impairment { latency: LATENCY, ..line.impairment.into() },
            codecs: line.codecs.iter().copied().map(Into::into).collect(),
            telephone_event: line.telephone_event,
            ..Self::seeded(instance.seed)
        }
    }
}

/// A running world.
pub struct SimWorld {
    caller: Gateway,
    callee: Gateway,
    directory: Directory,
    parties: TaskTracker,
    trace: Trace,
}

/// Who answers which number.
type Directory = Arc<Mutex<BTreeMap<String, Answer>>>;
type Answer = Arc<dyn Fn(IncomingCall) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

impl SimWorld {
    /// Starts both gateways and waits for the registration.
    pub async fn start(config: SimConfig) -> Result<Self, Error> {
        let trace = Trace::begin();
        let network = SimNetwork::new(config.network, seed(config.seed, 0));
        let callee = Gateway::start(callee_config(&config, &network)).await?;
        let caller = Gateway::start(caller_config(&config, &network)).await?;
        caller.registered().await;
        trace.note("trunk", format!("{:?}", caller.registration(TRUNK).unwrap_or(Registration::Off)));
        let (directory, parties) = (Directory::default(), TaskTracker::new());
        tokio::spawn(accept_all(callee.clone(), Arc::clone(&directory), parties.clone()));
        Ok(Self { caller, callee, directory, parties, trace })
    }

    /// From now on this party answers the number, as often as it is called; what it reports is
    /// traced and handed out here.
    pub fn settle(&self, number: &str, instance: Instance, speech: Speech) -> Reports {
        let reports = Reports::default();
        let (told, trace, parties) = (reports.clone(), self.trace.clone(), self.parties.clone());
        self.answer(number, move |call| {
            let (sender, receiver) = mpsc::channel(MAX_REPORTS);
            parties.spawn(write_down(receiver, told.clone(), trace.clone()));
            party::run(call, instance.clone(), speech.clone(), sender)
        });
        reports
    }

    /// From now on this answers the number, as often as it is called.
    pub fn answer<F>(&self, number: &str, party: impl Fn(IncomingCall) -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let answer: Answer = Arc::new(move |call| Box::pin(party(call)));
        lock(&self.directory).insert(number.to_owned(), answer);
    }

    /// Dials a number of this world.
    pub async fn call(&self, number: &str, record: Option<PathBuf>) -> Result<Call, Error> {
        let (to, limits) = (number.to_owned(), CallLimits::default());
        self.caller.dial(Dial { to, trunk: None, caller_id: None, limits, record }).await
    }

    /// What happened so far; also takes what whoever holds the line has to tell.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Waits until all parties are done, then stops both gateways.
    pub async fn stop(self) {
        self.parties.close();
        self.parties.wait().await;
        self.caller.stop().await;
        self.callee.stop().await;
    }
}

impl Speech {
    /// Speaks and understands by way of a script, without a language model.
    pub fn scripted(script: &Script) -> Self {
        Self {
            stt: Arc::new(ScriptedStt::new(script.clone())),
            tts: Arc::new(Intoned(ScriptedTts::new(script.clone()))),
            llm: None,
        }
    }
}

/// A scripted voice with the melody of speech: a syllable that holds its pitch is music to a line.
#[derive(Debug)]
struct Intoned(ScriptedTts);

impl TextToSpeech for Intoned {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn speak(&self, text: &str, voice: Option<&str>) -> Result<speech::Speech, speech::Error> {
        let mut plain = self.0.speak(text, voice)?;
        let mut samples = Vec::new();
        // A scripted voice has made all of it already.
        while let Ok(piece) = plain.audio.try_recv() {
            samples.extend(piece?);
        }
        let (sender, audio) = mpsc::channel(1);
        sender.try_send(Ok(intoned(&samples))).expect("there is room for one");
        Ok(speech::Speech { audio })
    }
}

/// The pitch goes up and down; words stay in their place to a few milliseconds.
fn intoned(samples: &[i16]) -> Vec<i16> {
    let turn = MELODY_HERTZ * std::f32::consts::TAU / SAMPLE_RATE as f32;
    let last = samples.len().saturating_sub(1);
    (0..samples.len())
        .map(|index| {
            let from = index as f32 + MELODY_DEPTH / turn * (index as f32 * turn).sin();
            let from = from.clamp(0.0, last as f32);
            let (before, part) = (samples[from as usize], from.fract());
            let after = samples[(from as usize + 1).min(last)];
            (f32::from(before) * (1.0 - part) + f32::from(after) * part) as i16
        })
        .collect()
}

/// What a settled party reported so far. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    reports: Arc<Mutex<Vec<Report>>>,
}

impl Reports {
    /// In order.
    pub fn all(&self) -> Vec<Report> {
        lock(&self.reports).clone()
    }
}

/// What happened, as text to read and to compare: a line an event, each with its simulated time in
/// seconds. Clones are the same trace.
#[derive(Debug, Clone)]
pub struct Trace {
    began: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Trace {
    fn begin() -> Self {
        Self { began: Instant::now(), lines: Arc::default() }
    }

    /// Writes down that somebody did something now.
    pub fn note(&self, who: &str, what: impl fmt::Display) {
        let at = self.began.elapsed().as_secs_f64();
        let mut lines = lock(&self.lines);
        if lines.len() < MAX_LINES {
            lines.push(format!("{at:>8.3} {who:<7} {what}"));
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lock(&self.lines).iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

async fn accept_all(callee: Gateway, directory: Directory, parties: TaskTracker) {
    while let Some(mut incoming) = callee.accept().await {
        let answer = lock(&directory).get(&incoming.to).cloned();
        match answer {
            Some(answer) => drop(parties.spawn(answer(incoming))),
            None => incoming.call.line.reject(NOT_FOUND),
        }
    }
}

async fn write_down(mut receiver: mpsc::Receiver<Report>, told: Reports, trace: Trace) {
    while let Some(report) = receiver.recv().await {
        trace.note("party", InWords(&report.event));
        lock(&told.reports).push(report);
    }
}

/// An event as a line of the trace has it.
struct InWords<'a>(&'a Event);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Event::Listening { address } => write!(f, "listens at {address}"),
            Event::Call { to, from } => write!(f, "is called at {to} by {from}"),
            Event::Said { text } => write!(f, "says {text:?}"),
            Event::Heard { text } => write!(f, "hears {text:?}"),
            Event::Digits { digits } => write!(f, "hears keys {digits}"),
            Event::Captured { key, value } => write!(f, "knows {key} = {value:?}"),
            Event::MessageLeft { text, duration_ms, after_beep } => {
                let when = if *after_beep { "after" } else { "before the end of" };
                write!(f, "has a message of {duration_ms} ms from {when} the beep: {text:?}")
            }
            Event::Trouble { message } => write!(f, "has trouble: {message}"),
            Event::Ended { cause } => write!(f, "is done: {cause}"),
        }
    }
}

fn caller_config(config: &SimConfig, network: &SimNetwork) -> Config {
    Config {
        listen: vec![address(CALLER).into()],
        trunks: vec![Trunk {
            credentials: Some(sip::Credentials::new(USER, PASSWORD)),
            register: true,
            caller_id: CALLER_ID.to_owned(),
            max_calls: MAX_CALLS,
            ..Trunk::new(TRUNK, REALM, address(CALLEE))
        }],
        max_calls: MAX_CALLS,
        network: Network::Simulated(network.clone()),
        seed: Some(seed(config.seed, 1)),
        ..Config::default()
    }
}

fn callee_config(config: &SimConfig, network: &SimNetwork) -> Config {
    let dtmf = if config.telephone_event { DigitPolicy::Auto } else { DigitPolicy::Inband };
    Config {
        listen: vec![address(CALLEE).into()],
        trunks: vec![Trunk {
            caller_id: CALLER_ID.to_owned(),
            codecs: config.codecs.clone(),
            dtmf,
            max_calls: MAX_CALLS,
            ..Trunk::new(TRUNK, REALM, address(CALLER))
        }],
        registrar: Some(sip::Registrar {
            realm: REALM.to_owned(),
            users: vec![(USER.to_owned(), PASSWORD.to_owned())],
            algorithms: vec![sip::DigestAlgorithm::Sha256, sip::DigestAlgorithm::Md5],
        }),
        max_calls: MAX_CALLS,
        telephone_event: config.telephone_event,
        network: Network::Simulated(network.clone()),
        seed: Some(seed(config.seed, 2)),
        ..Config::default()
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("a literal address")
}

/// A seed for each part, so that one more draw in one of them changes nothing in another.
fn seed(world: u64, part: u8) -> [u8; 32] {
    let mut seed = [part; 32];
    seed[..8].copy_from_slice(&world.to_le_bytes());
    seed
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
