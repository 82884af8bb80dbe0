//! Pure: no I/O, no clock.

use serde_json::{Value, json};
use speech::chat::ToolDefinition;

use super::Action;

pub(super) const NAME: &str = "press";
/// Keys of one press.
const MAX_KEYS: usize = 64;

pub(super) fn definition() -> ToolDefinition {
    super::definition(
        NAME,
        "Press telephone keys, for menus and for numbers that a machine asks to be entered.",
        json!({"type": "object", "properties": {"keys": {"type": "string", "description": "0-9, * and #; w waits half a second. Example: 1 or 48213077#"}}, "required": ["keys"]}),
    )
}

pub(super) fn arguments(keys: &str) -> Value {
    json!({ "keys": keys })
}

pub(super) fn parse(arguments: &Value) -> Result<Action, String> {
    let keys =
        super::text(arguments, "keys").or_else(|| super::text(arguments, "digits")).ok_or("press needs \"keys\"")?;
    let keys: String = keys.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if keys.is_empty() || keys.len() > MAX_KEYS || !keys.chars().all(|c| c.is_ascii_digit() || "*#w,ABCD".contains(c)) {
        return Err(format!("{keys:?} cannot be pressed: use 0-9, *, # and w, at most {MAX_KEYS}"));
    }
    Ok(Action::Press(keys))
}
