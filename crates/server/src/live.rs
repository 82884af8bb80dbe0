//! A call as it happens, a line an event, for people.

use serde::Deserialize;
use serde_json::Value;

use crate::commands::print;

/// Prints events as they come: to standard output, or to standard error when that is for JSON.
#[derive(Debug)]
pub struct Live {
    to_stderr: bool,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

impl Live {
    pub fn new(json: bool) -> Self {
        Self { to_stderr: json }
    }

    /// A line that is no event.
    pub fn heading(&mut self, line: &str) {
        if self.to_stderr {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        } else {
            print(line);
        }
    }

    /// One event of the journal, as JSON; what people need not see is left out.
    pub fn event(&mut self, json: &str) {
        let Ok(event) = serde_json::from_str::<Event>(json) else { return };
        if let Some(text) = describe(&event) {
            let at = event.data["at_ms"].as_f64().unwrap_or(0.0) / 1000.0;
            self.heading(&format!("{at:>7.1} s  {text}"));
        }
    }
}

fn describe(event: &Event) -> Option<String> {
    let text = |key: &str| match &event.data[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(match event.kind.as_str() {
        "call.dialing" => "… dialing".to_owned(),
        "call.ringing" => "… ringing".to_owned(),
        "call.early_media" => "… early media".to_owned(),
        "call.answered" => "… answered".to_owned(),
        "call.answered_by" => format!("… sounds like: {}", text("answered_by")),
        "call.transcript" if text("speaker") == "callee" => format!("they   {}", text("text")),
        "call.transcript" if text("speaker") == "agent" => format!("agent  {}", text("text")),
        "call.transcript" => format!("{}  {}", text("speaker"), text("text")),
        "call.ivr.chose" => format!("… chooses {} for {:?}", text("key"), text("label")),
        "call.dtmf.sent" => format!("agent  [presses {}]", text("digits")),
        "call.hold.started" => "… on hold".to_owned(),
        "call.hold.ended" => "… off hold".to_owned(),
        "call.nudged" => format!("… silent, asked again ({})", text("count")),
        "call.voicemail.left" => "… message left".to_owned(),
        "call.ended" => "… ended".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_become_lines_and_the_rest_is_left_out() {
        let check = |json: &str, expected: Option<&str>| {
            let event: Event = serde_json::from_str(json).expect("an event");
            assert_eq!(describe(&event).as_deref(), expected);
        };
        check(
            r#"{"type":"call.transcript","data":{"at_ms":10,"speaker":"callee","text":"hello"}}"#,
            Some("they   hello"),
        );
        check(r#"{"type":"call.dtmf.sent","data":{"digits":"12#"}}"#, Some("agent  [presses 12#]"));
        check(r#"{"type":"call.tool.called","data":{"name":"wait"}}"#, None);
    }
}
