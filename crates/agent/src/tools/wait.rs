//! Pure: no I/O, no clock.

use std::time::Duration;

use serde_json::{Value, json};
use speech::chat::ToolDefinition;

use super::Action;

pub(super) const NAME: &str = "wait";
/// The longest wait in one call of the tool.
const MAX_SECONDS: u64 = 120;
const DEFAULT_SECONDS: u64 = 5;

pub(super) fn definition() -> ToolDefinition {
    super::definition(
        NAME,
        "Say nothing and keep listening, for instance while a menu is still being read or when asked to hold.",
        json!({"type": "object", "properties": {"seconds": {"type": "integer", "minimum": 1, "maximum": MAX_SECONDS}}}),
    )
}

pub(super) fn arguments(duration: Duration) -> Value {
    json!({ "seconds": duration.as_secs() })
}

pub(super) fn parse(arguments: &Value) -> Result<Action, String> {
    let seconds = arguments.get("seconds").and_then(Value::as_f64).map_or(DEFAULT_SECONDS, |seconds| seconds as u64);
    Ok(Action::Wait(Duration::from_secs(seconds.clamp(1, MAX_SECONDS))))
}
