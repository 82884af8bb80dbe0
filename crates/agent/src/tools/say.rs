//! Pure: no I/O, no clock.

use serde_json::{Value, json};
use speech::chat::ToolDefinition;

use super::Action;

pub(super) const NAME: &str = "say";
/// Characters of one thing to say.
const MAX_TEXT: usize = 2_000;

pub(super) fn definition() -> ToolDefinition {
    super::definition(
        NAME,
        "Say something on the call. Plain text of your reply is said too; use this only to say something together with other tools.",
        json!({"type": "object", "properties": {"text": {"type": "string", "description": "Short spoken sentences, no markup."}}, "required": ["text"]}),
    )
}

pub(super) fn arguments(text: &str) -> Value {
    json!({ "text": text })
}

pub(super) fn parse(arguments: &Value) -> Result<Action, String> {
    let text = super::text(arguments, "text").ok_or("say needs a \"text\"")?;
    Ok(Action::Say(text.chars().take(MAX_TEXT).collect()))
}
