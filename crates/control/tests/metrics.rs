//! `/metrics`: what a scrape gets, who gets it, and what is never in it.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use agent::{AgentEvent, Outcome, OutcomeKind, TurnLatency};
use common::{App, Line, ended, until};
use gateway::{CallStatus, EndCause, Registration};

#[tokio::test]
async fn figures_are_open_only_where_nobody_else_can_ask() {
    let open = App::with(|config| config.open_metrics = true).await;
    let answer = open.send("", "GET", "/metrics", &[], "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");

    let closed = App::start().await;
    assert_eq!(closed.send("", "GET", "/metrics", &[], "").await.problem(), (401, "unauthorized".into()));
    assert_eq!(closed.send("wrong", "GET", "/metrics", &[], "").await.status, 401);
    assert_eq!(closed.get("/metrics").await.status, 200);
    assert!(!control::openapi_json().contains("/metrics"), "it is no part of the API");
}

#[tokio::test]
async fn a_scrape_parses_and_counts_what_happened() {
    let app = App::start().await;
    app.trunks.lock().unwrap()[0].registration = Registration::Registered;
    app.played(talk).await;
    app.played(async |_| ended(EndCause::Busy)).await;
    let waiting = app.place().await;
    let line = app.line().await;

    let scrape = scrape(&app).await;
    let is = |sample: &str, expected: f64| assert_eq!(scrape.get(sample), Some(&expected), "{sample}");
    is("offhook_calls_ended_total{end_reason=\"completed\"}", 1.0);
    is("offhook_calls_ended_total{end_reason=\"busy\"}", 1.0);
    is("offhook_calls_ended_total{end_reason=\"failed\"}", 0.0);
    is("offhook_turn_latency_seconds_bucket{le=\"0.5\"}", 0.0);
    is("offhook_turn_latency_seconds_bucket{le=\"0.75\"}", 1.0);
    is("offhook_turn_latency_seconds_count", 1.0);
    is("offhook_call_rtp_loss_ratio_bucket{le=\"0.01\"}", 1.0);
    is("offhook_call_duration_seconds_count", 1.0);
    is("offhook_registration_state{trunk=\"carrier\",state=\"registered\"}", 1.0);
    is("offhook_registration_state{trunk=\"carrier\",state=\"failed\"}", 0.0);
    is("offhook_trunk_max_calls{trunk=\"carrier\"}", 50.0);
    is("offhook_calls{state=\"answered\"}", 0.0);
    is("offhook_rtp_packets_total{fate=\"lost\"}", 7.0);
    is("offhook_audio_dropped_frames_total{by=\"agent\"}", 5.0);
    is("offhook_audio_dropped_frames_total{by=\"recorder\"}", 6.0);
    is("offhook_media_lateness_seconds_bucket{le=\"0.0001\"}", 40.0);
    is("offhook_media_lateness_seconds_bucket{le=\"0.06\"}", 48.0);
    is("offhook_media_lateness_seconds_count", 50.0);
    is("offhook_media_lateness_seconds_sum", 0.5);
    is("offhook_media_busy_ratio{thread=\"0\"}", 0.25);
    is("offhook_media_full{thread=\"0\"}", 0.0);
    is("offhook_media_dead{thread=\"0\"}", 0.0);
    assert!(scrape["process_resident_memory_bytes"] > 1e6, "{scrape:?}");

    let mut events = app.control.follow_events(Some(waiting));
    line.status(CallStatus::Answered);
    until(&mut events, "call.answered").await;
    let scrape = self::scrape(&app).await;
    assert_eq!(scrape["offhook_calls{state=\"answered\"}"], 1.0);
}

#[tokio::test]
async fn labels_come_from_us_and_nothing_that_was_dialed_or_said_is_a_figure() {
    let app = App::start().await;
    let before: BTreeSet<String> = scrape(&app).await.into_keys().collect();
    for _ in 0..3 {
        app.played(talk).await;
    }
    let after: BTreeSet<String> = scrape(&app).await.into_keys().collect();
    assert_eq!(before, after, "a scrape has as many samples after many calls as before");

    let text = app.get("/metrics").await.text;
    // Whom we called and as whom, what was asked for and said, keys of the API, the name of a call.
    for canary in ["2025550123", "15550111", "opening", "Ada", "the canary sings", "secret", "call_"] {
        let found = text.lines().find(|line| line.replace("offhook_call_", "").contains(canary));
        assert_eq!(found, None, "{canary}");
    }
}

#[tokio::test]
async fn the_alerts_and_the_board_of_the_documentation_ask_for_figures_that_there_are() {
    let app = App::start().await;
    let samples = scrape(&app).await;
    let names: BTreeSet<&str> = samples.keys().filter_map(|sample| sample.split('{').next()).collect();
    let files =
        [include_str!("../../../docs/monitoring/alerts.yml"), include_str!("../../../docs/monitoring/grafana.json")];
    for text in files {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let asked: BTreeSet<&str> = words.filter(|word| word.starts_with("offhook_")).collect();
        assert!(asked.len() > 5, "{asked:?}");
        assert!(asked.is_subset(&names), "{:?}", asked.difference(&names).collect::<Vec<_>>());
    }
}

/// An answered call with one turn of ours, which ends well.
async fn talk(line: &mut Line) -> Outcome {
    line.status(CallStatus::Answered);
    let turn = TurnLatency {
        at_ms: 1000,
        response_ms: 640.0,
        endpoint_ms: 400.0,
        stt_ms: 40.0,
        llm_ms: 0.0,
        tts_ms: 100.0,
        gateway_ms: 100.0,
    };
    line.tell(AgentEvent::Turn(turn)).await;
    let said = AgentEvent::Transcript {
        at_ms: 0,
        end_ms: 900,
        speaker: agent::Speaker::Callee,
        text: "the canary sings".into(),
    };
    line.tell(said).await;
    let mut outcome = ended(EndCause::HungUp);
    outcome.ended = Some(agent::AgentEnd::Completed);
    outcome.result.outcome = OutcomeKind::Succeeded;
    outcome
}

/// Samples by name and labels, from a text that is as Prometheus wants it.
async fn scrape(app: &App) -> BTreeMap<String, f64> {
    let text = app.get("/metrics").await.text;
    assert!(text.ends_with('\n'), "{text:?}");
    let (mut family, mut kind, mut described) = ("", "", String::new());
    let mut families = BTreeSet::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            described = help.split(' ').next().unwrap().to_owned();
            continue;
        }
        if let Some(head) = line.strip_prefix("# TYPE ") {
            (family, kind) = head.split_once(' ').unwrap();
            assert_eq!(described, family, "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", family.ends_with("_total"), "{line}");
            assert!(families.insert(family), "{family} comes twice");
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        let parts: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(parts.iter().any(|part| format!("{family}{part}") == name), "{line} under {family}");
        let labels = labels.strip_suffix('}').unwrap();
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (name, value) = label.split_once('=').unwrap();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
            assert!(value.len() > 1 && value.starts_with('"') && value.ends_with('"'), "{line}");
        }
        let value: f64 = value.parse().unwrap();
        assert!(samples.insert(sample.to_owned(), value).is_none(), "{sample} comes twice");
    }
    samples
}
