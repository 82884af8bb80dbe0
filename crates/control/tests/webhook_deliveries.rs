//! What webhooks are sent: signed, in order, once, again when it was not taken, and nowhere else.

mod common;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use common::{App, at, ended};
use control::{Resolver, WebhookRules};
use gateway::{CallStatus, EndCause};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PATH: &str = "/v1/webhooks";
/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_event_is_sent_in_the_bytes_of_the_journal_and_signed() {
    let (app, receiver, _deliveries) = started().await;
    let webhook = receiver.webhook(&app, json!({})).await;
    call(&app).await;
    let got = receiver.taken(&app, 3).await;
    let page = app.get("/v1/events").await;
    let bodies = got.iter().map(|message| message.body.as_str()).collect::<Vec<_>>().join(",");
    assert_eq!(page.text, format!("{{\"data\":[{bodies}],\"next_cursor\":null}}"));
    for message in &got {
        assert_eq!(message.header("content-type"), "application/json");
        assert!(message.header("user-agent").starts_with("offhook/"));
        assert_eq!(message.header("webhook-id"), message.event()["id"]);
        assert_eq!(message.header("webhook-timestamp"), at("09:00:00").as_second().to_string());
        assert_eq!(message.header("webhook-signature"), message.signature(&webhook.secret));
    }
    let shown = quiet(&app, &webhook.path).await;
    assert_eq!(shown["last_event_id"], got[2].event()["id"]);
    let kept = app.get(&format!("{}/deliveries", webhook.path)).await.json();
    assert_eq!(
        kept["data"][0],
        json!({
            "event_id": got[2].event()["id"], "call_id": got[2].event()["data"]["call_id"], "status": "delivered",
            "attempts": 1, "first_attempt_at": "2026-12-01T09:00:00.000Z",
            "last_attempt_at": "2026-12-01T09:00:00.000Z", "next_attempt_at": null, "response_status": 200,
            "error": null,
        })
    );
}

#[tokio::test]
async fn while_a_secret_is_rotated_either_verifies_and_then_the_new_one_alone() {
    let (app, receiver, _deliveries) = started().await;
    let webhook = receiver.webhook(&app, json!({"events": ["call.ended"]})).await;
    let rotate = format!("{}/actions/rotate-secret", webhook.path);
    let new = app.post(&rotate, r#"{"keep_previous":"1h"}"#).await.json()["secret"].as_str().unwrap().to_owned();
    call(&app).await;
    let message = receiver.taken(&app, 1).await.remove(0);
    let both = format!("{} {}", message.signature(&new), message.signature(&webhook.secret));
    assert_eq!(message.header("webhook-signature"), both);

    quiet(&app, &webhook.path).await;
    app.time.send_replace(at("10:00:00"));
    call(&app).await;
    let message = receiver.taken(&app, 2).await.remove(1);
    assert_eq!(message.header("webhook-signature"), message.signature(&new));
    assert_eq!(app.get(&webhook.path).await.json()["previous_secret_until"], Value::Null);
}

#[tokio::test]
async fn only_what_was_asked_for_is_sent() {
    let (app, receiver, _deliveries) = started().await;
    receiver.webhook(&app, json!({"events": ["call.ended", "registration.*"]})).await;
    call(&app).await;
    call(&app).await;
    let kinds: Vec<Value> =
        receiver.taken(&app, 2).await.iter().map(|message| message.event()["type"].clone()).collect();
    assert_eq!(kinds, ["call.ended", "call.ended"]);
}

#[tokio::test]
async fn a_receiver_that_was_down_for_a_day_gets_everything_once_and_in_order_of_each_call() {
    for answer in [503, 500, 429] {
        let (app, receiver, _deliveries) = started().await;
        let webhook = receiver.webhook(&app, json!({})).await;
        receiver.answers(move |_| answer);
        let up_again = at("09:00:00") + SignedDuration::from_hours(24);
        let (mut failures, mut calls) = (0, 0);
        loop {
            if failures % 4 == 0 {
                call(&app).await;
                calls += 1;
            }
            let failing = eventually(&app, &webhook.path, |shown| shown["failures"].as_i64() > Some(failures)).await;
            assert_eq!(failing["error"], format!("they answered {answer}"));
            failures = failing["failures"].as_i64().unwrap();
            let retry_at: Timestamp = failing["retry_at"].as_str().unwrap().parse().unwrap();
            if retry_at > up_again {
                break;
            }
            app.time.send_replace(retry_at);
        }
        // Every hour or so, and no more.
        assert!((20..=30).contains(&failures), "{failures}");
        assert_eq!(receiver.all().len() as i64, failures, "one attempt each time");

        receiver.answers(|_| 200);
        app.time.send_replace(up_again + SignedDuration::from_hours(2));
        let events = journal(&app).await;
        assert_eq!(events.len(), 3 * calls);
        let got = receiver.taken(&app, events.len()).await;
        quiet(&app, &webhook.path).await;
        in_order_and_once(&receiver.all(), &events);
        assert_eq!(got.len(), events.len());
        assert_eq!(app.get(&format!("{}/deliveries?status=pending", webhook.path)).await.json()["data"], json!([]));
    }
}

#[tokio::test]
async fn an_event_that_is_refused_holds_up_its_own_call_alone() {
    let (app, receiver, _deliveries) = started().await;
    let webhook = receiver.webhook(&app, json!({})).await;
    receiver.answers(|event| if event["type"] == "call.ringing" { 400 } else { 200 });
    let (first, second) = (call(&app).await, call(&app).await);
    let shown = eventually(&app, &format!("{}/deliveries?status=pending", webhook.path), |page| {
        page["data"].as_array().unwrap().len() == 4
    })
    .await;
    let of = |call: &str, attempts: i64| {
        let found = shown["data"].as_array().unwrap().iter();
        found.filter(|row| row["call_id"] == call && row["attempts"] == attempts).count()
    };
    assert_eq!([of(&first, 1), of(&first, 0), of(&second, 1), of(&second, 0)], [1; 4]);
    let taken = receiver.taken(&app, 2).await;
    assert!(taken.iter().all(|message| message.event()["type"] == "call.dialing"), "{taken:?}");
    assert_eq!(quiet(&app, &webhook.path).await["failures"], 0, "it takes others");

    receiver.answers(|_| 200);
    app.time.send_replace(at("09:00:10"));
    receiver.taken(&app, 6).await;
    in_order_and_once(&receiver.all(), &journal(&app).await);
}

#[tokio::test]
async fn what_was_refused_is_sent_again_as_soon_as_the_webhook_is_changed() {
    let (app, receiver, _deliveries) = started().await;
    let webhook = receiver.webhook(&app, json!({})).await;
    receiver.answers(|event| if event["type"] == "call.ringing" { 404 } else { 200 });
    call(&app).await;
    let pending = format!("{}/deliveries?status=pending", webhook.path);
    eventually(&app, &pending, |page| page["data"].as_array().unwrap().len() == 2).await;
    receiver.answers(|_| 200);
    app.send("admin", "PATCH", &webhook.path, &[], r#"{"description":"mended"}"#).await;
    receiver.taken(&app, 3).await;
    in_order_and_once(&receiver.all(), &journal(&app).await);
}

#[tokio::test]
async fn an_event_that_is_never_taken_is_given_up_after_days_and_what_is_behind_it_goes_on() {
    let (app, receiver, _deliveries) = started().await;
    let webhook = receiver.webhook(&app, json!({})).await;
    receiver.answers(|event| if event["type"] == "call.ringing" { 307 } else { 200 });
    call(&app).await;
    let pending = format!("{}/deliveries?status=pending", webhook.path);
    for attempts in 1..10 {
        let waiting = eventually(&app, &pending, |page| page["data"][1]["attempts"] == attempts).await;
        let row = &waiting["data"][1];
        assert!(row["error"].as_str().unwrap().contains("redirects are not followed"), "{row}");
        app.time.send_replace(row["next_attempt_at"].as_str().unwrap().parse().unwrap());
    }
    receiver.taken(&app, 2).await;
    let failed = app.get(&format!("{}/deliveries?status=failed", webhook.path)).await.json();
    assert_eq!((&failed["data"][0]["attempts"], &failed["data"][0]["response_status"]), (&json!(10), &json!(307)));
    let days = app.time.borrow().duration_since(at("09:00:00")).as_hours() / 24;
    assert!((3..4).contains(&days), "{days} days");
    assert!(receiver.all().iter().all(|message| message.path == "/hook"), "no redirect was followed");
}

#[tokio::test]
async fn one_that_is_gone_is_disabled_and_that_is_told() {
    let (app, receiver, _deliveries) = started().await;
    let webhook = receiver.webhook(&app, json!({"events": ["call.ended"]})).await;
    receiver.answers(|_| 410);
    call(&app).await;
    let gone = eventually(&app, &webhook.path, |shown| shown["enabled"] == false).await;
    assert_eq!(gone["disabled_reason"], "gone");
    let told = journal(&app).await.pop().unwrap();
    assert_eq!((&told["type"], &told["data"]["reason"]), (&json!("webhook.disabled"), &json!("gone")));
    call(&app).await;
    app.time.send_replace(at("20:00:00"));
    assert_eq!(receiver.all().len(), 1);

    // Once it is wanted again, nothing of it is missing.
    receiver.answers(|_| 200);
    app.send("admin", "PATCH", &webhook.path, &[], r#"{"enabled":true}"#).await;
    assert_eq!(receiver.taken(&app, 2).await.len(), 2);
}

#[tokio::test]
async fn what_was_sent_is_sent_again_on_demand() {
    let (app, receiver, _deliveries) = started().await;
    let webhook = receiver.webhook(&app, json!({})).await;
    call(&app).await;
    call(&app).await;
    receiver.taken(&app, 6).await;
    quiet(&app, &webhook.path).await;
    let events = journal(&app).await;
    let id = |n: usize| events[n]["id"].as_str().unwrap();
    let replay = async |what: Value, total| {
        let answer = app.post(&format!("{}/actions/replay", webhook.path), &what.to_string()).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let got = receiver.taken(&app, total).await;
        quiet(&app, &webhook.path).await;
        got.iter().map(|message| message.event()["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(replay(json!({"event_id": id(1)}), 7).await[6..], [id(1)]);
    assert_eq!(replay(json!({"after": id(3)}), 9).await[7..], [id(4), id(5)]);
    assert_eq!(replay(json!({"since": "2020-01-01T00:00:00Z"}), 15).await.len(), 15);
    // What is still to come is not there to be sent again.
    assert_eq!(replay(json!({"after": id(5)}), 15).await.len(), 15);
}

#[tokio::test]
async fn what_was_sent_before_a_restart_is_not_sent_after_it_and_the_rest_is() {
    let (app, receiver, deliveries) = started().await;
    let webhook = receiver.webhook(&app, json!({})).await;
    call(&app).await;
    receiver.taken(&app, 3).await;
    quiet(&app, &webhook.path).await;
    deliveries.abort();
    assert!(deliveries.await.unwrap_err().is_cancelled());
    call(&app).await;
    app.store.close().await;
    let rules = receiver.rules(true);
    let app = App::in_directory(app.directory, |config| config.webhooks = rules).await;
    let _deliveries = run(&app);
    receiver.taken(&app, 6).await;
    quiet(&app, &webhook.path).await;
    in_order_and_once(&receiver.all(), &journal(&app).await);
}

#[tokio::test]
async fn a_name_that_comes_to_stand_for_a_private_address_is_not_connected_to() {
    let receiver = Receiver::start().await;
    // It is not found while the webhook is made, and stands for this machine when it is sent to.
    let nothing = WebhookRules { resolver: Resolver::Table(Arc::default()), ..WebhookRules::default() };
    let app = App::with(|config| config.webhooks = nothing).await;
    let url = format!("https://hook.test:{}/hook", receiver.address.port());
    let made = app.post(PATH, &json!({"url": url}).to_string()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = made.headers["location"].to_str().unwrap().to_owned();
    app.store.close().await;
    let rules = receiver.rules(false);
    let app = App::in_directory(app.directory, |config| config.webhooks = rules).await;
    let _deliveries = run(&app);
    call(&app).await;
    let failing = eventually(&app, &path, |shown| shown["failures"] == 1).await;
    assert_eq!(failing["error"], "hook.test is 127.0.0.1, which is not on the public internet");
    assert_eq!(receiver.all().len(), 0);
}

#[tokio::test]
async fn what_was_allowed_when_it_was_made_is_looked_at_again() {
    let (app, receiver, deliveries) = started().await;
    deliveries.abort();
    let webhook = receiver.webhook(&app, json!({})).await;
    assert!(deliveries.await.unwrap_err().is_cancelled());
    app.store.close().await;
    let rules = receiver.rules(false);
    let app = App::in_directory(app.directory, |config| config.webhooks = rules).await;
    let _deliveries = run(&app);
    call(&app).await;
    let failing = eventually(&app, &webhook.path, |shown| shown["failures"] == 1).await;
    assert!(failing["error"].as_str().unwrap().contains("[webhooks] allow_private"), "{failing}");
    assert_eq!(receiver.all().len(), 0);
}

#[tokio::test]
async fn one_where_nobody_listens_says_so_and_others_do_not_wait_for_it() {
    let (app, receiver, _deliveries) = started().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let made = app.post(PATH, &json!({"url": format!("http://{nobody}/")}).to_string()).await;
    let path = made.headers["location"].to_str().unwrap().to_owned();
    receiver.webhook(&app, json!({})).await;
    call(&app).await;
    assert_eq!(receiver.taken(&app, 3).await.len(), 3);
    let failing = eventually(&app, &path, |shown| shown["failures"] == 1).await;
    assert!(failing["error"].as_str().unwrap().to_lowercase().contains("refused"), "{failing}");
    // Of a name there is nothing to be told but that it is not known.
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert!(!app.get(&path).await.text.contains(&secret));
}

/// An app that delivers, and a receiver that takes everything.
async fn started() -> (App, Receiver, JoinHandle<()>) {
    let receiver = Receiver::start().await;
    let rules = receiver.rules(true);
    let app = App::with(|config| config.webhooks = rules).await;
    let deliveries = run(&app);
    (app, receiver, deliveries)
}

/// Runs what delivers.
fn run(app: &App) -> JoinHandle<()> {
    let control = app.control.clone();
    tokio::spawn(async move { control.deliver_webhooks().await })
}

/// A call that rings and is busy: three events. Its id.
async fn call(app: &App) -> String {
    let mut events = app.control.follow_events(None);
    let id = app.place().await;
    let line = app.line().await;
    line.status(CallStatus::Ringing);
    common::until(&mut events, "call.ringing").await;
    line.end(ended(EndCause::Busy));
    common::until(&mut events, "call.ended").await;
    id
}

async fn journal(app: &App) -> Vec<Value> {
    let page = app.get("/v1/events?limit=100").await.json();
    page["data"].as_array().unwrap().clone()
}

/// What is shown at a path, as soon as it is so.
async fn eventually(app: &App, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let look = async {
        loop {
            let shown = app.get(path).await.json();
            if is_so(&shown) {
                return shown;
            }
            tokio::task::yield_now().await;
        }
    };
    match timeout(PATIENCE, look).await {
        Ok(shown) => shown,
        Err(_) => panic!("it stays as it is: {}", app.get(path).await.text),
    }
}

/// The webhook, when all events have been seen to.
async fn quiet(app: &App, path: &str) -> Value {
    let newest = journal(app).await.pop().unwrap()["id"].clone();
    eventually(app, path, |shown| shown["last_event_id"] == newest).await
}

/// Each event was taken once, and those of one call in their order.
fn in_order_and_once(got: &[Message], events: &[Value]) {
    let taken: Vec<Value> = got.iter().filter(|message| message.answer == 200).map(Message::event).collect();
    let ids = |events: &[Value]| events.iter().map(|event| event["id"].to_string()).collect::<Vec<_>>();
    let mut sorted = ids(&taken);
    sorted.sort();
    assert_eq!(sorted, ids(events));
    let mut by_call: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in &taken {
        by_call.entry(event["data"]["call_id"].to_string()).or_default().push(event["id"].to_string());
    }
    for (call, ids) in by_call {
        assert!(ids.is_sorted(), "{call}: {ids:?}");
    }
}

type Answers = Box<dyn Fn(&Value) -> u16 + Send>;

/// Somebody who is told of events.
struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<Received>>,
}

struct Received {
    answers: Answers,
    messages: Vec<Message>,
}

#[derive(Debug, Clone)]
struct Message {
    path: String,
    headers: HeaderMap,
    body: String,
    answer: u16,
}

struct Made {
    path: String,
    secret: String,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(Received { answers: Box::new(|_| 200), messages: Vec::new() }));
        let router = axum::Router::new().fallback(receive).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, state }
    }

    /// It has a name.
    fn rules(&self, allow_private: bool) -> WebhookRules {
        let table = BTreeMap::from([("hook.test".to_owned(), vec![Ipv4Addr::LOCALHOST.into()])]);
        WebhookRules { allow_private, resolver: Resolver::Table(Arc::new(table)) }
    }

    /// Makes a webhook that sends here.
    async fn webhook(&self, app: &App, change: Value) -> Made {
        let mut request = json!({"url": format!("http://hook.test:{}/hook", self.address.port())});
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let made = app.post(PATH, &request.to_string()).await;
        assert_eq!(made.status, 201, "{made:?}");
        let secret = made.json()["secret"].as_str().unwrap().to_owned();
        Made { path: made.headers["location"].to_str().unwrap().to_owned(), secret }
    }

    fn answers(&self, answers: impl Fn(&Value) -> u16 + Send + 'static) {
        self.state.lock().unwrap().answers = Box::new(answers);
    }

    fn all(&self) -> Vec<Message> {
        self.state.lock().unwrap().messages.clone()
    }

    /// So many messages that were answered 200, as soon as there are, and no more of them.
    async fn taken(&self, app: &App, count: usize) -> Vec<Message> {
        let look = async {
            loop {
                let taken: Vec<_> = self.all().into_iter().filter(|message| message.answer == 200).collect();
                if taken.len() >= count {
                    assert_eq!(taken.len(), count, "{taken:?}");
                    return taken;
                }
                // Something that takes its time, so that others have theirs.
                app.get("/v1/health/ready").await;
            }
        };
        match timeout(PATIENCE, look).await {
            Ok(taken) => taken,
            Err(_) => panic!("{count} messages did not come, but {:?}", self.all()),
        }
    }
}

async fn receive(
    State(state): State<Arc<Mutex<Received>>>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let mut state = state.lock().unwrap();
    let answer = (state.answers)(&serde_json::from_str(&body).unwrap());
    state.messages.push(Message { path: uri.path().to_owned(), headers, body, answer });
    (StatusCode::from_u16(answer).unwrap(), [(header::LOCATION, "/elsewhere")], "thanks").into_response()
}

impl Message {
    fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// What a receiver reckons that the signature is.
    fn signature(&self, secret: &str) -> String {
        let key = from_base64(secret.strip_prefix("whsec_").unwrap());
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let signed = format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body);
        mac.update(signed.as_bytes());
        let given = self.header("webhook-signature").split(' ').find(|signature| {
            let bytes = from_base64(signature.strip_prefix("v1,").unwrap());
            mac.clone().verify_slice(&bytes).is_ok()
        });
        given.unwrap_or("none verifies").to_owned()
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=').bytes().map(|digit| ALPHABET.iter().position(|&one| one == digit).unwrap());
    let bits: Vec<bool> = digits.flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |value, &bit| value << 1 | u8::from(bit))).collect()
}
