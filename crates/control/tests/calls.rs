//! A call from `queued` to `ended`, as the API shows it.

mod common;

use agent::{
    AgentCommand, AgentEnd, AgentEvent, AnsweredBy, Evidence, Outcome, OutcomeKind, Refused, Speaker, TurnLatency,
};
use common::{App, GOOD, ended, new_call, thread, until};
use control::TrunkInfo;
use gateway::{CallEnd, CallStatus, Disposition, EndCause, MediaLoad};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A recording: its header, and one stereo sample.
const WAV: &str = "RIFF and the rest of a header of 44 octets..LRLR";

#[tokio::test]
async fn a_call_goes_from_queued_to_ended_with_everything_final() {
    let app = App::start().await;
    let mut events = app.control.follow_events(None);
    let placed = app.post("/v1/calls", GOOD).await;
    assert_eq!(placed.status, 202);
    let id = placed.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(placed.headers["location"], format!("/v1/calls/{id}"));
    assert_eq!(
        without_times(placed.json()),
        json!({
            "id": id, "status": "queued", "direction": "outbound", "to": "+12025550123", "from": "+15550111",
            "trunk": "carrier", "agent_id": "default", "created_at": "a time", "answered_at": null, "ended_at": null,
            "duration_ms": null, "end_reason": null, "sip_status": null, "reason": null, "answered_by": null,
            "digits_sent": "", "result": null, "latency": null, "quality": null, "cost": null, "warnings": [],
            "caller": null, "disposition": null, "retry_after_s": null, "reason_header": null,
        })
    );

    let line = app.line().await;
    assert_eq!(line.dial.to, "+12025550123");
    assert_eq!(line.agent.task.as_ref().unwrap().facts["name"], "Ada");
    // Ten seconds of the call's ten minutes are left for the goodbye.
    assert_eq!(line.agent.limits.call, Duration::from_secs(590));
    until(&mut events, "call.dialing").await;
    line.status(CallStatus::Ringing);
    until(&mut events, "call.ringing").await;
    assert_eq!(app.call(&id).await["status"], "ringing");
    line.status(CallStatus::EarlyMedia);
    until(&mut events, "call.early_media").await;
    line.status(CallStatus::Answered);
    until(&mut events, "call.answered").await;
    line.tell(AgentEvent::AnsweredBy { at_ms: 900, answered_by: AnsweredBy::Ivr, confidence: 0.9 }).await;
    line.tell(AgentEvent::Transcript { at_ms: 100, end_ms: 800, speaker: Speaker::Callee, text: "press one".into() })
        .await;
    line.tell(AgentEvent::DtmfSent { at_ms: 1000, digits: "1".into() }).await;
    until(&mut events, "call.dtmf.sent").await;
    let live = app.call(&id).await;
    assert_eq!(
        (&live["status"], &live["digits_sent"], &live["answered_by"]),
        (&json!("answered"), &json!("1"), &json!("ivr"))
    );
    assert_eq!(
        app.get(&format!("/v1/calls/{id}/explain")).await.json(),
        json!({"call_id": id, "status": "answered", "explanation": "RTP 0 PCMU"})
    );
    assert_eq!(app.get(&format!("/v1/calls/{id}/recording")).await.problem(), (409, "recording_not_ready".into()));

    std::fs::write(line.dial.record.as_ref().unwrap(), WAV).unwrap();
    line.end(succeeded());
    let last = until(&mut events, "call.ended").await;
    let call = app.call(&id).await;
    assert_eq!(call["status"], "ended");
    assert_eq!(call["end_reason"], "completed");
    assert_eq!(call["digits_sent"], "12");
    assert_eq!(
        call["result"],
        json!({
            "outcome": "succeeded", "summary": "They open at 10:30.", "answers": {"opening": "10:30"},
            "evidence": [{"at_ms": 4000, "kind": "heard", "text": "we open at half past ten"}],
        })
    );
    assert_eq!(call["latency"]["response_ms"], json!({"p50": 700.0, "p95": 900.0}));
    assert_eq!(call["latency"]["turns"].as_array().unwrap().len(), 2);
    let quality = json!({
        "mos": 4.2, "loss": 0.01, "jitter_ms": 3.0, "level_dbm0": -18.5, "unheard_ms": 40, "unrecorded_ms": 0
    });
    assert_eq!(call["quality"], quality);
    assert_eq!(call["cost"], json!({"amount": 0.001, "currency": "USD"}));
    assert_eq!(serde_json::from_str::<Value>(&last.json).unwrap()["data"]["result"], call["result"]);

    let transcript = app.get(&format!("/v1/calls/{id}/transcript")).await.json();
    let said = json!({"at_ms": 100, "end_ms": 800, "speaker": "callee", "text": "press one", "final": true});
    assert_eq!(transcript, json!({"data": [said]}));
    let recording = app.get(&format!("/v1/calls/{id}/recording")).await;
    assert_eq!((recording.text.as_str(), &recording.headers["content-type"]), (WAV, &"audio/wav".parse().unwrap()));
    assert_eq!(recording.headers["content-length"], "48");
}

#[tokio::test]
async fn unanswered_calls_have_a_result_in_plain_words() {
    let app = App::start().await;
    for (cause, sip_status, reason, summary) in [
        (EndCause::Busy, Some(486), "busy", "The line was busy."),
        (EndCause::NoAnswer, Some(480), "no_answer", "Nobody answered."),
        (EndCause::Rejected, Some(603), "rejected", "The call was declined. The reason given: As they said."),
        (EndCause::Failed, Some(500), "failed", "The call could not be connected. The reason given: As they said."),
        (EndCause::Canceled, None, "canceled", "The call was canceled before anybody answered."),
    ] {
        let words = "As they said".to_owned();
        let call = app
            .played(async |line| {
                line.status(CallStatus::Ringing);
                // The recorder has written its header, and nothing came to be recorded.
                std::fs::write(line.dial.record.as_ref().unwrap(), &WAV[..44]).unwrap();
                let call_end = CallEnd { sip_status, reason: Some(words.clone()), ..CallEnd::because(cause) };
                Outcome { call_end, ..ended(cause) }
            })
            .await;
        assert_eq!(call["end_reason"], reason);
        assert_eq!(call["sip_status"], json!(sip_status));
        assert_eq!(call["reason"], "As they said");
        assert_eq!(call["result"], json!({"outcome": "failed", "summary": summary, "answers": {}, "evidence": []}));
        assert_eq!(call["latency"], json!({"response_ms": {"p50": null, "p95": null}, "turns": []}));
        assert_eq!(call["cost"], json!({"amount": 0.0, "currency": "USD"}));
        assert_eq!(
            (&call["duration_ms"], &call["answered_at"], &call["quality"]),
            (&json!(0), &Value::Null, &Value::Null)
        );
        let recording = app.get(&format!("/v1/calls/{}/recording", call["id"].as_str().unwrap())).await;
        assert_eq!(recording.problem(), (404, "not_recorded".into()));
        assert_eq!(recording.json()["detail"], "the call was never connected: nothing was recorded");
    }
    assert_eq!(std::fs::read_dir(app.directory.path().join("recordings")).unwrap().count(), 0);
    assert!(!app.get("/v1/events?limit=100").await.text.contains("call.recording.ready"));
}

// RFC 3326 §2: why the telephone network refused, beside the status. RFC 3261 §20.33: when to come again.
#[tokio::test]
async fn what_a_refusal_says_of_the_next_try_is_in_the_call() {
    let app = App::start().await;
    let header = "Q.850;cause=17;text=\"User busy\"";
    let call = app
        .played(async |_| {
            let call_end = CallEnd {
                sip_status: Some(486),
                reason_header: Some(header.to_owned()),
                disposition: Some(Disposition::Busy { after: Some(Duration::from_secs(90)) }),
                ..CallEnd::because(EndCause::Busy)
            };
            Outcome { call_end, ..ended(EndCause::Busy) }
        })
        .await;
    assert_eq!(call["reason_header"], header);
    assert_eq!((&call["disposition"], &call["retry_after_s"]), (&json!("busy"), &json!(90)));
}

#[tokio::test]
async fn what_was_heard_before_a_refusal_stays_recorded() {
    let app = App::start().await;
    let call = app
        .played(async |line| {
            line.status(CallStatus::EarlyMedia);
            std::fs::write(line.dial.record.as_ref().unwrap(), WAV).unwrap();
            ended(EndCause::Rejected)
        })
        .await;
    let id = call["id"].as_str().unwrap();
    assert_eq!(app.get(&format!("/v1/calls/{id}/recording")).await.text, WAV);
}

#[tokio::test]
async fn a_recording_whose_time_is_over_is_deleted_and_says_so() {
    let app = App::start().await;
    let mut recorded = None;
    let call = app
        .played(async |line| {
            line.status(CallStatus::Answered);
            recorded = line.dial.record.clone();
            std::fs::write(recorded.as_ref().unwrap(), WAV).unwrap();
            succeeded()
        })
        .await;
    let path = format!("/v1/calls/{}/recording", call["id"].as_str().unwrap());
    // Looked through once, since the program is about to stop.
    app.control.drain(Duration::ZERO).await;
    app.control.keep_recordings_for(Duration::from_secs(3600)).await;
    assert_eq!(app.get(&path).await.status, 200);
    app.control.keep_recordings_for(Duration::ZERO).await;
    let gone = app.get(&path).await;
    assert_eq!(gone.problem(), (410, "recording_deleted".into()));
    assert!(gone.json()["detail"].as_str().unwrap().contains("[media] record_retention"), "{gone:?}");
    assert!(!recorded.unwrap().exists());
}

#[tokio::test]
async fn what_was_on_the_wire_is_shown_while_the_call_lives_and_when_it_has_ended() {
    let app = App::start().await;
    let mut events = app.control.follow_events(None);
    let id = app.place().await;
    let path = format!("/v1/calls/{id}/sip");
    let line = app.line().await;
    until(&mut events, "call.dialing").await;
    let wire = line.wire();
    assert_eq!(app.get(&path).await.problem(), (404, "no_sip_messages".into()));
    wire.message(1);
    let live = app.get(&path).await;
    assert_eq!(live.headers["content-type"], "text/plain; charset=utf-8");
    assert!(live.text.contains("|── INFO sip:number-1 ─"), "{live:?}");

    line.end(ended(EndCause::Failed));
    until(&mut events, "call.ended").await;
    // The answer to a BYE comes after the end.
    wire.message(2);
    let settling = app.get(&path).await;
    assert!(settling.text.contains("|── INFO sip:number-2 ─"), "{settling:?}");
    // The program stops: they are written at once, and nothing more is.
    app.control.drain(Duration::ZERO).await;
    wire.message(3);
    assert_eq!(app.get(&path).await.text, settling.text);
    let pcap = app.send("read", "GET", &path, &[("accept", "application/vnd.tcpdump.pcap")], "").await;
    assert_eq!(pcap.headers["content-type"], "application/vnd.tcpdump.pcap");
    assert_eq!(pcap.headers["content-disposition"], format!("attachment; filename=\"{id}.pcap\""));
    assert!(pcap.text.contains("INFO sip:number-1 ") && pcap.text.contains("INFO sip:number-2 "), "{pcap:?}");
    // They go when a recording would.
    app.control.keep_recordings_for(Duration::from_secs(3600)).await;
    assert_eq!(app.get(&path).await.status, 200);
    app.control.keep_recordings_for(Duration::ZERO).await;
    assert_eq!(app.get(&path).await.problem(), (404, "no_sip_messages".into()));
    assert_eq!(app.get("/v1/calls/call_nobody/sip").await.problem(), (404, "not_found".into()));
}

#[tokio::test]
async fn all_that_is_said_is_kept_though_it_comes_faster_than_it_is_written() {
    let app = App::start().await;
    let said =
        |n: u64| AgentEvent::Transcript { at_ms: n, end_ms: n, speaker: Speaker::Callee, text: format!("line {n}") };
    // More than can wait between agent and store.
    let lines = 1500;
    let call = app
        .played(async |line| {
            line.status(CallStatus::Answered);
            for n in 0..lines {
                line.tell(said(n)).await;
            }
            succeeded()
        })
        .await;
    let transcript = app.get(&format!("/v1/calls/{}/transcript", call["id"].as_str().unwrap())).await.json();
    let texts: Vec<_> = transcript["data"].as_array().unwrap().iter().map(|line| line["text"].clone()).collect();
    assert_eq!(texts, (0..lines).map(|n| json!(format!("line {n}"))).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_agents_reason_is_the_calls_reason() {
    let app = App::start().await;
    let call = app
        .played(async |line| {
            line.status(CallStatus::Answered);
            Outcome { ended: Some(AgentEnd::MessageLeft), ..ended(EndCause::HungUp) }
        })
        .await;
    assert_eq!((&call["end_reason"], &call["sip_status"]), (&json!("message_left"), &Value::Null));
    assert_eq!(call["result"]["summary"], "The call ended.");
}

#[tokio::test]
async fn an_agent_that_panics_ends_its_call_and_no_other() {
    let app = App::start().await;
    let mut events = app.control.follow_events(None);
    let (first, other) = (app.place().await, app.place().await);
    let (first_line, other_line) = (app.line().await, app.line().await);
    drop(first_line);
    until(&mut events, "call.ended").await;
    other_line.end(ended(EndCause::Busy));
    until(&mut events, "call.ended").await;
    let reasons = [app.call(&first).await["end_reason"].clone(), app.call(&other).await["end_reason"].clone()];
    assert!(reasons.contains(&json!("failed")) && reasons.contains(&json!("busy")), "{reasons:?}");
}

#[tokio::test]
async fn an_agent_that_cannot_work_is_the_reason_of_the_failure() {
    let app = App::start().await;
    let mut events = app.control.follow_events(None);
    let body = GOOD.replace("{\"to\"", "{\"agent_id\":\"broken\",\"to\"");
    let id = app.post("/v1/calls", &body).await.json()["id"].as_str().unwrap().to_owned();
    until(&mut events, "call.ended").await;
    let call = app.call(&id).await;
    assert_eq!((&call["end_reason"], &call["reason"]), (&json!("failed"), &json!("libflite.so.1 is missing")));
}

#[tokio::test]
async fn orders_reach_the_agent_of_an_answered_call_only() {
    let app = App::start().await;
    let mut events = app.control.follow_events(None);
    let id = app.place().await;
    let mut line = app.line().await;
    until(&mut events, "call.dialing").await;
    let (dtmf, say) = (format!("/v1/calls/{id}/actions/dtmf"), format!("/v1/calls/{id}/actions/say"));
    assert_eq!(app.post(&dtmf, r#"{"digits":"1"}"#).await.problem(), (409, "call_not_answered".into()));

    line.status(CallStatus::Answered);
    until(&mut events, "call.answered").await;
    let (answer, order) = tokio::join!(app.post(&dtmf, r#"{"digits":"1w2#"}"#), line.answer(Ok(())));
    assert_eq!((answer.json()["id"].clone(), order), (json!(id), AgentCommand::Press("1w2#".into())));
    let (answer, order) = tokio::join!(app.post(&say, r#"{"text":"one moment"}"#), line.answer(Ok(())));
    assert_eq!((answer.status.as_u16(), order), (202, AgentCommand::Say("one moment".into())));

    let (full, _) = tokio::join!(app.post(&dtmf, r#"{"digits":"1"}"#), line.answer(Err(Refused::Full)));
    assert_eq!(full.problem(), (429, "too_many_orders".into()));
    assert_eq!(full.headers["retry-after"], "10");

    assert_eq!(app.post(&format!("/v1/calls/{id}/actions/hangup"), "").await.status, 202);
    assert_eq!(line.answer(Ok(())).await, AgentCommand::HangUp);
    let (ending, _) = tokio::join!(app.post(&say, r#"{"text":"wait"}"#), line.answer(Err(Refused::Ending)));
    assert_eq!(ending.problem(), (409, "call_ending".into()));
    line.end(ended(EndCause::HungUp));
    until(&mut events, "call.ended").await;
    assert_eq!(app.call(&id).await["end_reason"], "canceled");
    assert_eq!(app.post(&dtmf, r#"{"digits":"1"}"#).await.problem(), (409, "call_ended".into()));
    assert_eq!(app.post(&format!("/v1/calls/{id}/actions/hangup"), "{}").await.status, 202);
}

#[tokio::test]
async fn an_order_to_an_agent_that_is_gone_is_answered() {
    let app = App::start().await;
    let mut events = app.control.follow_events(None);
    let id = app.place().await;
    let mut line = app.line().await;
    line.status(CallStatus::Answered);
    until(&mut events, "call.answered").await;
    let (_never_sent, orders) = tokio::sync::mpsc::channel(1);
    line.orders = orders;
    let answer = app.post(&format!("/v1/calls/{id}/actions/say"), r#"{"text":"hello"}"#).await;
    assert_eq!(answer.problem(), (409, "call_ended".into()));
}

#[tokio::test]
async fn a_ringing_call_is_hung_up_at_once() {
    let app = App::start().await;
    let call = app
        .played(async |line| {
            line.status(CallStatus::Ringing);
            let id = app.get("/v1/calls").await.json()["data"][0]["id"].as_str().unwrap().to_owned();
            assert_eq!(app.post(&format!("/v1/calls/{id}/actions/hangup"), "{}").await.status, 202);
            line.hung_up().await;
            ended(EndCause::Canceled)
        })
        .await;
    assert_eq!(call["end_reason"], "canceled");
}

#[tokio::test]
async fn calls_beyond_the_lines_wait_and_beyond_the_queue_are_refused() {
    let app = App::with(|config| {
        config.limits.concurrent_calls = 1;
        config.limits.queued_calls = 1;
    })
    .await;
    let mut events = app.control.follow_events(None);
    let first = app.place().await;
    let line = app.line().await;
    let second = app.place().await;
    let refused = app.post("/v1/calls", GOOD).await;
    assert_eq!(refused.problem(), (503, "queue_full".into()));
    assert_eq!(refused.headers["retry-after"], "10");
    assert_eq!(app.call(&second).await["status"], "queued");

    line.end(ended(EndCause::Busy));
    let second_line = app.line().await;
    assert_eq!(app.call(&first).await["status"], "ended");
    second_line.end(ended(EndCause::Busy));
    until(&mut events, "call.ended").await;
    until(&mut events, "call.ended").await;
    assert_eq!(app.call(&second).await["end_reason"], "busy");
}

/// Two calls that find no room, one of which is given up and one of which goes on when there is some.
async fn check_waiting(room: impl Fn(&App) -> &AtomicBool) {
    let app = App::start().await;
    let mut events = app.control.follow_events(None);
    room(&app).store(true, Ordering::SeqCst);
    let (given_up, waiting) = (app.place().await, app.place().await);
    assert_eq!(app.post(&format!("/v1/calls/{given_up}/actions/hangup"), "{}").await.status, 202);
    until(&mut events, "call.ended").await;
    let call = app.call(&given_up).await;
    assert_eq!((&call["end_reason"], &call["status"]), (&json!("canceled"), &json!("ended")));
    assert_eq!(app.call(&waiting).await["status"], "queued");
    // The end of the other call rings the bell; a second of patience does the same.
    room(&app).store(false, Ordering::SeqCst);
    app.line().await.end(ended(EndCause::NoAnswer));
    until(&mut events, "call.ended").await;
    assert_eq!(app.call(&waiting).await["end_reason"], "no_answer");
}

#[tokio::test]
async fn a_call_that_finds_the_gateway_full_stays_queued_and_can_be_canceled() {
    check_waiting(|app| &app.full).await;
}

#[tokio::test]
async fn a_call_that_finds_the_gateway_overloaded_stays_queued_and_can_be_canceled() {
    check_waiting(|app| &app.overloaded).await;
}

#[tokio::test]
async fn a_media_thread_that_has_died_is_told_and_without_any_there_are_no_calls() {
    let app = App::start().await;
    let dead = MediaLoad { is_dead: true, ..thread() };
    let ready = async || app.send("", "GET", "/v1/health/ready", &[], "").await;
    assert_eq!(ready().await.json(), json!({"status": "ready"}));
    *app.threads.lock().unwrap() = vec![thread(), dead.clone()];
    assert_eq!(ready().await.json(), json!({"status": "ready", "media_threads_lost": 1}));
    *app.threads.lock().unwrap() = vec![dead];
    assert_eq!(ready().await.problem(), (503, "media_lost".into()));
}

#[tokio::test]
async fn draining_refuses_new_calls_and_ends_the_ones_that_stay() {
    let app = App::start().await;
    let id = app.place().await;
    let line = app.line().await;
    let drained = {
        let control = app.control.clone();
        tokio::spawn(async move { control.drain(Duration::ZERO).await })
    };
    line.hung_up().await;
    assert_eq!(app.post("/v1/calls", GOOD).await.problem(), (503, "draining".into()));
    assert_eq!(app.send("", "GET", "/v1/health/ready", &[], "").await.problem(), (503, "draining".into()));
    assert_eq!(app.send("", "GET", "/v1/health/live", &[], "").await.status, 200);
    line.end(ended(EndCause::Canceled));
    drained.await.unwrap();
    assert_eq!(app.call(&id).await["end_reason"], "shutdown");
}

#[tokio::test]
async fn calls_left_open_by_a_crash_are_ended_as_interrupted() {
    let before = App::start().await;
    let mut events = before.control.follow_events(None);
    let id = before.place().await;
    let line = before.line().await;
    line.status(CallStatus::Answered);
    let answered = until(&mut events, "call.answered").await;
    let ringing = before.place().await;
    let ringing_line = before.line().await;
    ringing_line.status(CallStatus::Ringing);
    until(&mut events, "call.ringing").await;
    before.full.store(true, Ordering::SeqCst);
    let queued = before.place().await;
    // What a crash leaves behind: the files as they are now, and nobody who holds them.
    let left_behind = TempDir::new().unwrap();
    for name in ["offhook.db", "offhook.db-wal"] {
        std::fs::copy(before.directory.path().join(name), left_behind.path().join(name)).unwrap();
    }
    let after = App::in_directory(left_behind, |_| {}).await;
    let call = after.call(&id).await;
    assert_eq!((&call["status"], &call["end_reason"]), (&json!("ended"), &json!("interrupted")));
    assert_eq!(call["result"]["outcome"], "unknown");
    assert_eq!(call["result"]["summary"], "The service stopped unexpectedly during the call.");
    assert_eq!(call["ended_at"], serde_json::from_str::<Value>(&answered.json).unwrap()["timestamp"]);
    let last = after.get(&format!("/v1/events?call_id={id}")).await.json();
    assert_eq!(last["data"][2]["type"], "call.ended");
    assert!(last["data"][2]["id"].as_str() > last["data"][1]["id"].as_str());
    for (id, summary) in [
        (ringing, "The service stopped unexpectedly before anybody answered."),
        (queued, "The service stopped unexpectedly before the call was dialed."),
    ] {
        let call = after.call(&id).await;
        assert_eq!((&call["status"], &call["end_reason"]), (&json!("ended"), &json!("interrupted")));
        assert_eq!((&call["result"]["outcome"], &call["result"]["summary"]), (&json!("failed"), &json!(summary)));
    }
}

#[tokio::test]
async fn calls_beyond_the_pace_of_their_trunk_wait_as_queued() {
    let app = App::with(|config| config.trunks[0].calls_apart = Some(Duration::from_secs(3600))).await;
    let first = app.place().await;
    let line = app.line().await;
    let second = app.place().await;
    let mut events = app.control.follow_events(None);
    line.end(ended(EndCause::Busy));
    until(&mut events, "call.ended").await;
    assert_eq!(app.call(&first).await["status"], "ended");
    assert_eq!(app.call(&second).await["status"], "queued");
    assert_eq!(app.post(&format!("/v1/calls/{second}/actions/hangup"), "{}").await.status, 202);
    until(&mut events, "call.ended").await;
    assert_eq!(app.call(&second).await["result"]["summary"], "The call was canceled before it was dialed.");
}

#[tokio::test]
async fn a_call_that_names_no_trunk_goes_by_the_first_that_leads_out() {
    let app = App::with(|config| {
        let only_theirs = TrunkInfo {
            name: "theirs".into(),
            caller_id: "+15550122".into(),
            calls_apart: Some(Duration::from_secs(3600)),
            inbound_only: true,
            ..TrunkInfo::default()
        };
        config.trunks.insert(0, only_theirs);
    })
    .await;
    for _ in 0..2 {
        let id = app.place().await;
        // At the pace of its own trunk, which has none.
        let line = app.line().await;
        assert_eq!(line.dial.trunk.as_deref(), Some("carrier"));
        let call = app.call(&id).await;
        assert_eq!((&call["trunk"], &call["from"]), (&json!("carrier"), &json!("+15550111")));
    }
}

#[tokio::test]
async fn a_call_can_be_placed_and_waited_for_without_http() {
    let app = App::start().await;
    let mut kinds = Vec::new();
    let play = async {
        let line = app.line().await;
        line.status(CallStatus::Answered);
        line.tell(AgentEvent::Nudged { at_ms: 9, count: 1 }).await;
        line.end(succeeded());
    };
    let (call, ()) = tokio::join!(app.control.place_and_wait(new_call(), |event| kinds.push(event.kind.clone())), play);
    let call = call.unwrap();
    assert_eq!((call.status.as_str(), call.result.unwrap().outcome.as_str()), ("ended", "succeeded"));
    assert_eq!(kinds, ["call.dialing", "call.answered", "call.nudged", "call.quality", "call.ended"]);
}

#[tokio::test]
async fn a_call_that_goes_on_tells_how_it_sounds() {
    let app = App::start().await;
    let mut events = app.control.follow_events(None);
    assert_eq!(app.post("/v1/calls", GOOD).await.status, 202);
    let line = app.line().await;
    line.answered_ago(Duration::from_secs(31));
    until(&mut events, "call.answered").await;
    let told = until(&mut events, "call.quality").await;
    let told: Value = serde_json::from_str(&told.json).unwrap();
    let quality = json!({
        "mos": 4.2, "loss": 0.01, "jitter_ms": 3.0, "level_dbm0": -18.5, "unheard_ms": 40, "unrecorded_ms": 0
    });
    assert_eq!(told["data"]["quality"], quality);
    assert!((31_000..60_000).contains(&told["data"]["at_ms"].as_u64().unwrap()));
}

#[tokio::test]
async fn a_call_may_be_shorter_than_the_limit() {
    let app = App::start().await;
    let body = GOOD.replace("{\"to\"", "{\"max_duration\":\"20s\",\"to\"");
    assert_eq!(app.post("/v1/calls", &body).await.status, 202);
    let line = app.line().await;
    assert_eq!((line.dial.limits.call, line.agent.limits.call), (Duration::from_secs(20), Duration::from_secs(15)));
}

fn succeeded() -> Outcome {
    let turn = |at_ms, response_ms| TurnLatency {
        at_ms,
        response_ms,
        endpoint_ms: 300.0,
        stt_ms: 100.0,
        llm_ms: 100.0,
        tts_ms: 100.0,
        gateway_ms: 20.0,
    };
    Outcome {
        result: agent::CallResult {
            outcome: OutcomeKind::Succeeded,
            summary: "They open at 10:30.".into(),
            answers: BTreeMap::from([("opening".into(), "10:30".into())]),
            evidence: vec![Evidence { at_ms: 4000, kind: "heard".into(), text: "we open at half past ten".into() }],
        },
        ended: Some(AgentEnd::Completed),
        digits_sent: "12".into(),
        turns: vec![turn(2000, 900.0), turn(3000, 700.0)],
        ..ended(EndCause::HungUp)
    }
}

fn without_times(mut call: Value) -> Value {
    assert!(call["created_at"].as_str().unwrap().ends_with('Z'));
    call["created_at"] = json!("a time");
    call
}
