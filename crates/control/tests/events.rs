//! The journal as pages and as a stream over a real socket.

mod common;

use std::time::Duration;

use common::{App, ended, until};
use gateway::{CallStatus, EndCause, OneWay};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

#[tokio::test]
async fn events_are_listed_oldest_first_in_pages_of_one_call_or_all() {
    let app = App::start().await;
    let first = ended_call(&app).await;
    let second = ended_call(&app).await;
    let all = app.get("/v1/events").await.json();
    assert_eq!(kinds(&all), ["call.dialing", "call.ended", "call.dialing", "call.ended"]);
    assert_eq!(all["next_cursor"], Value::Null);
    let event = &all["data"][0];
    assert_eq!((event["data"]["call_id"].as_str(), &event["data"]["at_ms"]), (Some(first.as_str()), &Value::from(0)));
    assert!(event["id"].as_str().unwrap().starts_with("evt_") && event["timestamp"].as_str().unwrap().ends_with('Z'));

    let page = app.get("/v1/events?limit=3").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/v1/events?limit=3&cursor={cursor}")).await.json();
    assert_eq!((kinds(&page).len(), kinds(&rest)), (3, vec!["call.ended"]));

    let of_second = app.get(&format!("/v1/calls/{second}/events")).await;
    assert_eq!(of_second.text, app.get(&format!("/v1/events?call_id={second}")).await.text);
    assert_eq!(kinds(&of_second.json()), ["call.dialing", "call.ended"]);
}

#[tokio::test]
async fn a_stream_shows_what_happens_in_the_bytes_of_the_page() {
    let app = App::start().await;
    ended_call(&app).await;
    let mut stream = Stream::open(&app, "/v1/events", None).await;
    let id = app.place().await;
    let line = app.line().await;
    line.status(CallStatus::Ringing);
    let seen = [stream.event().await, stream.event().await];
    line.end(ended(EndCause::Busy));
    let last = stream.event().await;
    // What was before the stream is not in it.
    assert_eq!([&*seen[0].kind, &*seen[1].kind, &*last.kind], ["call.dialing", "call.ringing", "call.ended"]);

    let page = app.get(&format!("/v1/calls/{id}/events")).await;
    let bytes = [&seen[0], &seen[1], &last].map(|event| event.data.clone()).join(",");
    assert_eq!(page.text, format!("{{\"data\":[{bytes}],\"next_cursor\":null}}"));
    assert_eq!(page.json()["data"][2]["id"], last.id);
}

#[tokio::test]
async fn a_stream_resumes_after_the_last_event_seen() {
    let app = App::start().await;
    let first = ended_call(&app).await;
    ended_call(&app).await;
    let events = app.get("/v1/events").await.json();
    let seen = events["data"][1]["id"].as_str().unwrap();

    let mut stream = Stream::open(&app, "/v1/events", Some(seen)).await;
    assert_eq!(stream.event().await.id, events["data"][2]["id"]);
    assert_eq!(stream.event().await.id, events["data"][3]["id"]);
    ended_call(&app).await;
    assert_eq!(stream.event().await.kind, "call.dialing");

    let mut of_first = Stream::open(&app, &format!("/v1/calls/{first}/events"), events["data"][0]["id"].as_str()).await;
    assert_eq!(of_first.event().await.id, events["data"][1]["id"]);
}

#[tokio::test]
async fn a_stream_ends_when_the_program_stops() {
    let app = App::start().await;
    let mut stream = Stream::open(&app, "/v1/events", None).await;
    app.control.drain(Duration::ZERO).await;
    while let Some(line) = stream.lines.next_line().await.unwrap() {
        assert!(!line.starts_with("data"), "{line}");
    }
}

#[tokio::test]
async fn a_stream_cannot_resume_after_what_is_no_event() {
    let app = App::start().await;
    let headers = [("accept", "text/event-stream"), ("last-event-id", "yesterday")];
    let answer = app.send("read", "GET", "/v1/events", &headers, "").await;
    assert_eq!(answer.problem(), (422, "invalid_field".into()));
}

#[tokio::test]
async fn a_call_that_is_heard_one_way_says_why() {
    let app = App::start().await;
    let id = app.place().await;
    let mut events = app.control.follow_events(Some(id.clone()));
    let line = app.line().await;
    line.status(CallStatus::Answered);
    for cause in [Some(OneWay::PrivateAddress("10.1.2.3".parse().unwrap())), None] {
        line.one_way(cause);
        until(&mut events, "media.one_way").await;
    }
    let page = app.get(&format!("/v1/calls/{id}/events")).await.json();
    let told: Vec<_> =
        page["data"].as_array().unwrap().iter().filter(|event| event["type"] == "media.one_way").collect();
    let is = |event: &Value, name: &str, expected: &str| assert_eq!(event["data"][name], expected, "{event}");
    is(told[0], "phase", "start");
    is(told[0], "cause", "private_address");
    is(told[0], "detail", "nothing arrives, and they wait for us at 10.1.2.3, which is private to their network");
    is(told[1], "phase", "end");
}

async fn ended_call(app: &App) -> String {
    let mut events = app.control.follow_events(None);
    let id = app.place().await;
    let line = app.line().await;
    until(&mut events, "call.dialing").await;
    line.end(ended(EndCause::Busy));
    until(&mut events, "call.ended").await;
    id
}

fn kinds(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// A client of Server-Sent Events over HTTP/1.1 on a socket.
struct Stream {
    lines: Lines<BufReader<OwnedReadHalf>>,
    /// Kept open: a client that closes its half has gone.
    _requests: OwnedWriteHalf,
}

#[derive(Debug, Default)]
struct Event {
    id: String,
    kind: String,
    data: String,
}

impl Stream {
    /// Opens a stream; it has begun when this returns.
    async fn open(app: &App, path: &str, last_event_id: Option<&str>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = app.control.router();
        tokio::spawn(async move { axum::serve(listener, router).await });

        let (reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
        let resume = last_event_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer read-secret\r\n\
             Accept: text/event-stream\r\nConnection: close\r\n{resume}\r\n"
        );
        writer.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(reader).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "HTTP/1.1 200 OK");
        while !lines.next_line().await.unwrap().unwrap().is_empty() {}
        Self { lines, _requests: writer }
    }

    async fn event(&mut self) -> Event {
        let read = async {
            let mut event = Event::default();
            loop {
                let line = self.lines.next_line().await.unwrap().unwrap();
                match line.split_once(": ") {
                    Some(("id", id)) => event.id = id.to_owned(),
                    Some(("event", kind)) => event.kind = kind.to_owned(),
                    Some(("data", data)) => event.data = data.to_owned(),
                    // Between events are empty lines and the sizes of chunks.
                    _ if !event.data.is_empty() => return event,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), read).await.unwrap()
    }
}
