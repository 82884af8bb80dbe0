//! What a demo shows at its end.

use std::path::Path;

use callee::Instance;
use control::Call;
use serde_json::{Value, json};

use crate::live::Live;

/// A table for people.
pub fn table(live: &mut Live, call: &Call, recording: &Path) {
    let none = || "–".to_owned();
    let result = call.result.as_ref();
    let latency = call.latency.as_ref();
    let answers = result.map_or_else(none, |result| {
        let answers: Vec<String> = result.answers.iter().map(|(key, value)| format!("{key} {value}")).collect();
        if answers.is_empty() { none() } else { answers.join(", ") }
    });
    let response = latency.map_or_else(none, |latency| {
        let show = |value: Option<f64>| value.map_or_else(none, |value| format!("{value:.0} ms"));
        format!(
            "p50 {}, p95 {} over {} turns",
            show(latency.response_ms.p50),
            show(latency.response_ms.p95),
            latency.turns.len()
        )
    });
    let quality = call.quality.as_ref().map_or_else(none, |quality| {
        format!("MOS {:.2}, loss {:.1} %, jitter {:.1} ms", quality.mos, quality.loss * 100.0, quality.jitter_ms)
    });
    let recorded = if recording.is_file() { recording.display().to_string() } else { none() };
    for (name, value) in [
        ("Outcome", result.map_or_else(none, |result| result.outcome.clone())),
        ("Ended", call.end_reason.clone().unwrap_or_else(none)),
        ("Answered by", call.answered_by.clone().unwrap_or_else(none)),
        ("Keys pressed", if call.digits_sent.is_empty() { none() } else { call.digits_sent.clone() }),
        ("Answers", answers),
        ("Response", response),
        ("Quality", quality),
        ("Recording", recorded),
        ("Summary", result.map_or_else(none, |result| result.summary.clone())),
    ] {
        live.heading(&format!("{name:<13} {value}"));
    }
}

/// The last line with `--json`.
pub fn summary(instance: &Instance, call: &Call, recording: &Path) -> Value {
    let result = serde_json::to_value(&call.result).unwrap_or(Value::Null);
    let latency = call.latency.as_ref();
    json!({
        "scenario": instance.name,
        "seed": instance.seed,
        "outcome": call.result.as_ref().map(|result| result.outcome.clone()),
        "end_reason": call.end_reason,
        "answered_by": call.answered_by,
        "digits_sent": call.digits_sent,
        "turns": latency.map_or(0, |latency| latency.turns.len()),
        "response_ms": {
            "p50": latency.and_then(|latency| latency.response_ms.p50),
            "p95": latency.and_then(|latency| latency.response_ms.p95),
        },
        "result": result,
        "recording": recording.is_file().then(|| recording.display().to_string()),
        "providers": {"stt": "local", "llm": "rules", "tts": "local"},
    })
}
