//! A control plane on a database file of its own, with lines that the test plays.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use agent::{AgentCommand, AgentConfig, AgentEvent, AgentOrder, Outcome, OutcomeKind, Refused};
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use control::{
    AgentError, AgentRequest, ApiKey, BoxFuture, CallRunner, Clock, Control, ControlConfig, Conversation, Follower,
    Limits, LiveCall, NewCall, NewTask, Price, Role, Scheduling, StoredEvent, TrunkInfo, WebhookRules,
};
use gateway::{
    CallEnd, CallStatus, Dial, DroppedAudio, EndCause, MediaLoad, OneWay, PacketTotals, Quality, RecordingFailure,
    Registration, RegistrationChanged, TracedMessage, TrunkStatus,
};
use jiff::Timestamp;
use serde_json::Value;
use store::Store;
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tower::ServiceExt;

/// A control plane under test.
pub struct App {
    pub control: Control,
    pub store: Store,
    pub directory: TempDir,
    lines: tokio::sync::Mutex<mpsc::UnboundedReceiver<Line>>,
    pub full: Arc<AtomicBool>,
    pub overloaded: Arc<AtomicBool>,
    /// How the media threads keep up.
    pub threads: Arc<Mutex<Vec<MediaLoad>>>,
    /// How the trunks stand.
    pub trunks: Arc<Mutex<Vec<TrunkStatus>>>,
    /// What becomes of their registrations.
    pub registrations: mpsc::UnboundedSender<RegistrationChanged>,
    /// What time it is for scheduled calls.
    pub time: watch::Sender<Timestamp>,
}

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    /// Status and code of a problem document; panics when it is none.
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        assert!(json["title"].is_string() && json["detail"].is_string(), "{json}");
        let code = json["code"].as_str().unwrap();
        assert_eq!(json["type"], format!("urn:offhook:problem:{code}"));
        (self.status.as_u16(), code.to_owned())
    }
}

impl App {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut ControlConfig)) -> Self {
        Self::in_directory(TempDir::new().unwrap(), change).await
    }

    pub async fn in_directory(directory: TempDir, change: impl FnOnce(&mut ControlConfig)) -> Self {
        let url = format!("sqlite://{}/offhook.db", directory.path().display());
        let store = Store::connect(&url, "test").await.unwrap();
        let key = |name: &str, role| ApiKey { name: name.into(), role, key: format!("{name}-secret") };
        let (time, clock) = watch::channel(at("09:00:00"));
        let mut config = ControlConfig {
            store: store.clone(),
            gateway: None,
            agents: Arc::new(agent),
            trunks: vec![TrunkInfo {
                name: "carrier".into(),
                host: "sip.example.com".into(),
                caller_id: "+15550111".into(),
                ..TrunkInfo::default()
            }],
            routes: Vec::new(),
            dial_allow: vec!["+1".into(), "20".into()],
            limits: Limits::default(),
            scheduling: Scheduling { clock: Clock::Set(clock), ..Scheduling::default() },
            webhooks: WebhookRules::default(),
            record: true,
            recordings_dir: Some(directory.path().join("recordings")),
            recording_key: None,
            recording_format: gateway::RecordingFormat::Wav,
            price: Price { micros_per_minute: 60_000, currency: "USD".into() },
            keys: vec![
                key("read", Role::Read),
                key("operate", Role::Operate),
                key("dial", Role::Dial),
                key("admin", Role::Admin),
            ],
            open_metrics: false,
            seed: [7; 32],
        };
        change(&mut config);
        let (dialled, lines) = mpsc::unbounded_channel();
        let full = Arc::new(AtomicBool::new(false));
        let overloaded = Arc::new(AtomicBool::new(false));
        let threads = Arc::new(Mutex::new(vec![thread()]));
        let trunks: Arc<Mutex<Vec<_>>> = Arc::new(Mutex::new(config.trunks.iter().map(standing).collect()));
        let (registrations, changes) = mpsc::unbounded_channel();
        let runner = Arc::new(PlayedLines {
            dialled,
            full: Arc::clone(&full),
            overloaded: Arc::clone(&overloaded),
            threads: Arc::clone(&threads),
            trunks: Arc::clone(&trunks),
            changes: tokio::sync::Mutex::new(changes),
        });
        let control = Control::with_runner(config, runner).await.unwrap();
        let lines = tokio::sync::Mutex::new(lines);
        Self { control, store, directory, lines, full, overloaded, threads, trunks, registrations, time }
    }

    /// Sends a request with the key of a role (none, when empty).
    pub async fn send(&self, role: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !role.is_empty() {
            request = request.header("authorization", format!("Bearer {role}-secret"));
        }
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.control.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&body).into_owned() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("read", "GET", path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("admin", "POST", path, &[], body).await
    }

    /// Places a call that is good in every respect; its id.
    pub async fn place(&self) -> String {
        let answer = self.post("/v1/calls", GOOD).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// The next line that was dialled.
    pub async fn line(&self) -> Line {
        self.lines.lock().await.recv().await.unwrap()
    }

    /// Nothing was dialled besides what the test has taken.
    pub async fn assert_quiet(&self) {
        assert!(self.lines.lock().await.try_recv().is_err(), "another line was dialled");
    }

    pub async fn call(&self, id: &str) -> Value {
        self.get(&format!("/v1/calls/{id}")).await.json()
    }

    /// Places a call, lets `play` play it, and shows it when it has ended.
    pub async fn played(&self, play: impl AsyncFnOnce(&mut Line) -> Outcome) -> Value {
        let mut events = self.control.follow_events(None);
        let id = self.place().await;
        let mut line = self.line().await;
        let outcome = play(&mut line).await;
        line.end(outcome);
        until(&mut events, "call.ended").await;
        self.call(&id).await
    }
}

/// A time of Tuesday, 2026-12-01, in UTC.
pub fn at(time: &str) -> Timestamp {
    format!("2026-12-01T{time}Z").parse().unwrap()
}

/// A good request.
pub const GOOD: &str = r#"{"to":"+12025550123","task":{"goal":"ask for the opening hours","facts":{"name":"Ada"}}}"#;

pub fn new_call() -> NewCall {
    NewCall {
        to: "+12025550123".into(),
        task: NewTask { goal: "ask for the opening hours".into(), facts: BTreeMap::new() },
        ..NewCall::default()
    }
}

/// Reads events up to one of a kind, which it hands out.
pub async fn until(events: &mut Follower, kind: &str) -> StoredEvent {
    let wait = async {
        loop {
            let event = events.next().await.unwrap();
            if event.kind == kind {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("{kind} did not come"))
}

/// How a line ended that nobody answered, or on which nothing was said.
pub fn ended(cause: EndCause) -> Outcome {
    Outcome {
        result: agent::CallResult {
            outcome: OutcomeKind::Unknown,
            summary: String::new(),
            answers: BTreeMap::new(),
            evidence: Vec::new(),
        },
        ended: None,
        call_end: CallEnd::because(cause),
        answered_by: None,
        digits_sent: String::new(),
        turns: Vec::new(),
    }
}

/// A line as the test plays it.
pub struct Line {
    pub dial: Dial,
    pub agent: AgentConfig,
    pub events: mpsc::Sender<AgentEvent>,
    pub orders: mpsc::Receiver<AgentOrder>,
    seen: Arc<Seen>,
    outcome: oneshot::Sender<Outcome>,
}

impl Line {
    pub fn status(&self, status: CallStatus) {
        if status == CallStatus::Answered {
            return self.answered_ago(Duration::ZERO);
        }
        self.seen.status.send_replace(status);
    }

    pub fn answered_ago(&self, ago: Duration) {
        *self.seen.answered_at.lock().unwrap() = Instant::now().checked_sub(ago);
        self.seen.status.send_replace(CallStatus::Answered);
    }

    pub fn one_way(&self, cause: Option<OneWay>) {
        self.seen.one_way.send_replace(cause);
    }

    /// Its recording will not be whole.
    pub fn recording_fails(&self, failure: RecordingFailure) {
        *self.seen.recording_failure.lock().unwrap() = Some(failure);
    }

    /// What is on the wire of this line, even after its end.
    pub fn wire(&self) -> Wire {
        Wire(Arc::clone(&self.seen))
    }

    pub async fn tell(&self, event: AgentEvent) {
        self.events.send(event).await.unwrap();
    }

    /// The next order to the agent, answered so.
    pub async fn answer(&mut self, answer: Result<(), Refused>) -> AgentCommand {
        let order = self.orders.recv().await.unwrap();
        if let Some(asker) = order.answer {
            asker.send(answer).unwrap();
        }
        order.command
    }

    /// Waits until the call is hung up over our heads.
    pub async fn hung_up(&self) {
        self.seen.hung_up.notified().await;
    }

    pub fn end(self, outcome: Outcome) {
        self.outcome.send(outcome).unwrap();
    }
}

/// The wire of a line.
pub struct Wire(Arc<Seen>);

impl Wire {
    /// A message of that number.
    pub fn message(&self, number: u32) {
        let message = TracedMessage {
            number,
            at: UNIX_EPOCH + Duration::from_secs(1_800_000_000 + u64::from(number)),
            sent: true,
            transport: "UDP".into(),
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.2:5060".parse().unwrap(),
            bytes: format!("INFO sip:number-{number} SIP/2.0\r\nCall-ID: 7\r\n\r\n").into_bytes(),
        };
        self.0.messages.lock().unwrap().push(message);
    }
}

struct Seen {
    status: watch::Sender<CallStatus>,
    one_way: watch::Sender<Option<OneWay>>,
    answered_at: Mutex<Option<Instant>>,
    recording_failure: Mutex<Option<RecordingFailure>>,
    messages: Mutex<Vec<TracedMessage>>,
    hung_up: Notify,
}

impl LiveCall for Seen {
    fn one_way(&self) -> watch::Receiver<Option<OneWay>> {
        self.one_way.subscribe()
    }

    fn status(&self) -> watch::Receiver<CallStatus> {
        self.status.subscribe()
    }

    fn answered_at(&self) -> Option<Instant> {
        *self.answered_at.lock().unwrap()
    }

    fn quality(&self) -> Quality {
        Quality { mos: 4.2, loss: 0.01, jitter_ms: 3.0, level_dbm0: -18.5, unheard_ms: 40, unrecorded_ms: 0 }
    }

    fn recording_failure(&self) -> Option<RecordingFailure> {
        self.recording_failure.lock().unwrap().clone()
    }

    fn explain(&self) -> String {
        "RTP 0 PCMU".to_owned()
    }

    fn sip_messages(&self) -> Vec<TracedMessage> {
        self.messages.lock().unwrap().clone()
    }

    fn hang_up(&self) {
        self.hung_up.notify_one();
    }
}

/// A trunk that does not register, without calls.
fn standing(trunk: &TrunkInfo) -> TrunkStatus {
    TrunkStatus {
        name: trunk.name.clone(),
        host: trunk.host.clone(),
        transport: None,
        targets: Vec::new(),
        penalised: Vec::new(),
        registration: Registration::Off,
        since: UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        expires_at: None,
        retry_at: None,
        foreign_contact: None,
        learnt_address: None,
        calls: 0,
        max_calls: 50,
    }
}

/// A media thread that keeps up.
pub fn thread() -> MediaLoad {
    MediaLoad {
        late: [40, 5, 0, 0, 3, 0, 0, 0, 0, 2],
        lateness: Duration::from_millis(500),
        busy: 250,
        is_full: false,
        is_dead: false,
    }
}

struct PlayedLines {
    dialled: mpsc::UnboundedSender<Line>,
    full: Arc<AtomicBool>,
    overloaded: Arc<AtomicBool>,
    threads: Arc<Mutex<Vec<MediaLoad>>>,
    trunks: Arc<Mutex<Vec<TrunkStatus>>>,
    changes: tokio::sync::Mutex<mpsc::UnboundedReceiver<RegistrationChanged>>,
}

impl CallRunner for PlayedLines {
    fn dial(
        &self,
        dial: Dial,
        agent: AgentConfig,
        events: mpsc::Sender<AgentEvent>,
        orders: mpsc::Receiver<AgentOrder>,
    ) -> BoxFuture<'_, Result<Conversation, gateway::Error>> {
        Box::pin(async move {
            if self.full.load(Ordering::SeqCst) {
                return Err(gateway::Error::Full { limit: 1 });
            }
            if self.overloaded.load(Ordering::SeqCst) {
                return Err(gateway::Error::Overloaded);
            }
            let seen = Arc::new(Seen {
                status: watch::Sender::new(CallStatus::Dialing),
                one_way: watch::Sender::default(),
                answered_at: Mutex::default(),
                recording_failure: Mutex::default(),
                messages: Mutex::default(),
                hung_up: Notify::new(),
            });
            let (outcome, ended) = oneshot::channel();
            let line = Line { dial, agent, events, orders, seen: Arc::clone(&seen), outcome };
            self.dialled.send(line).unwrap_or_else(|_| panic!("the test is over"));
            Ok(Conversation { live: seen, outcome: Box::pin(async { ended.await.expect("the agent panics") }) })
        })
    }

    fn accept(&self) -> BoxFuture<'_, Option<gateway::IncomingCall>> {
        Box::pin(async { None })
    }

    fn media_load(&self) -> Vec<MediaLoad> {
        self.threads.lock().unwrap().clone()
    }

    fn packets(&self) -> PacketTotals {
        PacketTotals { sent: 100, received: 90, lost: 7, late: 2, ignored: 1 }
    }

    fn dropped_audio(&self) -> DroppedAudio {
        DroppedAudio { unheard: 5, unrecorded: 6 }
    }

    fn trunks(&self) -> BoxFuture<'_, Vec<TrunkStatus>> {
        let trunks = self.trunks.lock().unwrap().clone();
        Box::pin(async { trunks })
    }

    fn registration_changed(&self) -> BoxFuture<'_, Option<RegistrationChanged>> {
        Box::pin(async { self.changes.lock().await.recv().await })
    }
}

fn agent(request: &AgentRequest) -> Result<AgentConfig, AgentError> {
    match request.agent_id.as_str() {
        "default" => Ok(AgentConfig {
            task: request.task.clone(),
            on_behalf_of: request.on_behalf_of.clone(),
            greeting: request.introduction.clone(),
            consent: None,
            system_prompt: None,
            stt: Arc::new(Mute),
            tts: Arc::new(Mute),
            voice: None,
            policy: agent::Policy::Rules,
            limits: agent::Limits {
                call: Duration::from_secs(600),
                silence_nudges: 3,
                silence: Duration::from_secs(8),
                hold: Duration::from_secs(60),
                tool_calls: 50,
            },
            seed: [1; 32],
            today: jiff::civil::date(2026, 1, 2),
        }),
        "broken" => Err(AgentError::Unavailable("libflite.so.1 is missing".into())),
        other => Err(AgentError::Unknown(other.into())),
    }
}

/// Neither hears nor speaks: no test here reaches it.
#[derive(Debug)]
struct Mute;

impl speech::SpeechToText for Mute {
    fn name(&self) -> &'static str {
        "mute"
    }

    fn open(&self, _: speech::Vocabulary) -> Result<speech::Recognition, speech::Error> {
        Err(speech::Error::Missing { what: "hearing".into(), fix: "none".into() })
    }
}

impl speech::TextToSpeech for Mute {
    fn name(&self) -> &'static str {
        "mute"
    }

    fn speak(&self, _: &str, _: Option<&str>) -> Result<speech::Speech, speech::Error> {
        Err(speech::Error::Missing { what: "a voice".into(), fix: "none".into() })
    }
}
