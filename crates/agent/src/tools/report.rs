//! Pure: no I/O, no clock.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use speech::chat::ToolDefinition;

use super::Action;
use crate::OutcomeKind;

pub(super) const NAME: &str = "report";
/// Answers of one report.
const MAX_ANSWERS: usize = 32;

pub(super) fn definition() -> ToolDefinition {
    super::definition(
        NAME,
        "Report what came of the call: only what was really heard. May be called again; the last one counts.",
        json!({
            "type": "object",
            "properties": {
                "outcome": {"type": "string", "enum": ["succeeded", "partial", "failed", "unknown"]},
                "summary": {"type": "string", "description": "One or two plain sentences."},
                "answers": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                    "description": "What was asked for, as a person writes it: date \"December 1\", time \"10:30\", balance \"1284.17\", confirmation \"B12\", hours, status, department."
                }
            },
            "required": ["outcome", "summary"]
        }),
    )
}

pub(super) fn arguments(outcome: OutcomeKind, summary: &str, answers: &BTreeMap<String, String>) -> Value {
    json!({ "outcome": outcome, "summary": summary, "answers": answers })
}

pub(super) fn parse(arguments: &Value) -> Result<Action, String> {
    let outcome = arguments
        .get("outcome")
        .and_then(|outcome| serde_json::from_value(outcome.clone()).ok())
        .ok_or("report needs an \"outcome\": succeeded, partial, failed or unknown")?;
    let summary = super::text(arguments, "summary").unwrap_or_default();
    let answers = arguments
        .get("answers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .take(MAX_ANSWERS)
        .filter_map(|(key, value)| match value {
            Value::String(text) => Some((key.clone(), text.clone())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            other => Some((key.clone(), other.to_string())),
        })
        .collect();
    Ok(Action::Report { outcome, summary, answers })
}
