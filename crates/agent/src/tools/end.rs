//! Pure: no I/O, no clock.

use serde_json::{Value, json};
use speech::chat::ToolDefinition;

use super::Action;
use crate::AgentEnd;

pub(super) const NAME: &str = "end";

pub(super) fn definition() -> ToolDefinition {
    super::definition(
        NAME,
        "End the call. What you say in the same reply is said to its end first, so say goodbye with it. Call report before or with it.",
        json!({"type": "object", "properties": {"reason": {"type": "string", "enum": ["completed", "do_not_call"]}}}),
    )
}

pub(super) fn arguments(end: AgentEnd) -> Value {
    json!({ "reason": serde_json::to_value(end).unwrap_or(Value::Null) })
}

pub(super) fn parse(arguments: &Value) -> Result<Action, String> {
    let end = match super::text(arguments, "reason").as_deref() {
        Some("do_not_call") => AgentEnd::DoNotCall,
        _ => AgentEnd::Completed,
    };
    Ok(Action::End(end))
}
