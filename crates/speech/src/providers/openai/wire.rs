//! Pure: no I/O, no clock. Chat requests to JSON, and the JSON of replies to pieces.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::chat::{ChatRequest, Message, Piece, ToolCall, ToolDefinition};

/// Calls in one reply; more are dropped.
const MAX_CALLS: usize = 32;
/// Arguments of one call, in bytes; a longer call is not JSON to us.
const MAX_ARGUMENTS: usize = 64 * 1024;

/// The body of a request. `limit` is the name of the token limit, on which servers differ.
pub fn body(model: &str, request: &ChatRequest, temperature: Option<f32>, limit: &str) -> Value {
    let mut body = json!({
        "model": model,
        "messages": request.messages.iter().map(message).collect::<Vec<_>>(),
        "stream": true,
        "stream_options": { "include_usage": true },
        limit: request.max_tokens,
    });
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    if let Some(temperature) = temperature {
        body["temperature"] = json!(temperature);
    }
    body
}

fn message(message: &Message) -> Value {
    match message {
        Message::System(content) => json!({ "role": "system", "content": content }),
        Message::User(content) => json!({ "role": "user", "content": content }),
        Message::Tool { call_id, content } => json!({ "role": "tool", "tool_call_id": call_id, "content": content }),
        Message::Assistant { text, tool_calls } if tool_calls.is_empty() => {
            json!({ "role": "assistant", "content": text })
        }
        Message::Assistant { text, tool_calls } => json!({
            "role": "assistant",
            "content": if text.is_empty() { Value::Null } else { json!(text) },
            "tool_calls": tool_calls.iter().map(call).collect::<Vec<_>>(),
        }),
    }
}

fn call(call: &ToolCall) -> Value {
    // Arguments are a string of JSON, even when the model had sent none.
    let arguments = if call.arguments.is_null() { "{}".to_owned() } else { call.arguments.to_string() };
    json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
}

fn tool(tool: &ToolDefinition) -> Value {
    json!({
        "type": "function",
        "function": { "name": tool.name, "description": tool.description, "parameters": tool.parameters },
    })
}

/// A reply being put together.
#[derive(Debug, Default)]
pub struct Reply {
    /// In front of ids made here, for servers that send none.
    id_prefix: String,
    calls: BTreeMap<usize, PartialCall>,
    last: usize,
    moved: bool,
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    finished: bool,
}

#[derive(Debug, Default)]
struct PartialCall {
    id: String,
    name: String,
    arguments: String,
}

impl Reply {
    /// A reply to a request that had so many messages.
    pub fn to(messages: usize) -> Self {
        Self { id_prefix: format!("call_{messages}"), ..Self::default() }
    }

    /// Whether the server said that this is all.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The server said so in another way.
    pub fn end(&mut self) {
        self.finished = true;
    }

    /// One `chat.completion.chunk`, or a whole `chat.completion`; gives its text. An error the server reports within
    /// the stream comes back in its words.
    pub fn push(&mut self, chunk: &Value) -> Result<Option<String>, String> {
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            let message = error.get("message").unwrap_or(error);
            return Err(message.as_str().map_or_else(|| message.to_string(), str::to_owned));
        }
        let tokens = |name: &str| chunk["usage"][name].as_u64().and_then(|count| u32::try_from(count).ok());
        self.input_tokens = tokens("prompt_tokens").or(self.input_tokens);
        self.output_tokens = tokens("completion_tokens").or(self.output_tokens);
        let choice = &chunk["choices"][0];
        self.finished |= choice["finish_reason"].is_string();
        let delta = match &choice["delta"] {
            Value::Null => &choice["message"],
            delta => delta,
        };
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.push_call(call);
        }
        let text = delta["content"].as_str().filter(|text| !text.is_empty());
        Ok(text.map(str::to_owned))
    }

    /// Whether a call has begun; counts as the first token.
    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// The calls and the end.
    pub fn finish(self) -> Vec<Piece> {
        let prefix = self.id_prefix;
        let mut pieces: Vec<Piece> = Vec::with_capacity(self.calls.len() + 1);
        for (index, call) in self.calls.into_values().filter(|call| !call.name.is_empty()).enumerate() {
            let id = if call.id.is_empty() { format!("{prefix}_{index}") } else { call.id };
            let arguments = match call.arguments.trim() {
                "" => json!({}),
                arguments => serde_json::from_str(arguments).unwrap_or(Value::Null),
            };
            pieces.push(Piece::ToolCall(ToolCall { id, name: call.name, arguments }));
        }
        pieces.push(Piece::Done { input_tokens: self.input_tokens, output_tokens: self.output_tokens });
        pieces
    }

    fn push_call(&mut self, delta: &Value) {
        let id = delta["id"].as_str().unwrap_or_default();
        let name = delta["function"]["name"].as_str().unwrap_or_default();
        let named = delta["index"].as_u64().and_then(|index| usize::try_from(index).ok());
        let next = self.calls.keys().next_back().map_or(0, |last| last + 1);
        let mut index = match named {
            Some(index) => index,
            // Without an index, a name begins a call and anything else continues the last.
            None if name.is_empty() => self.last,
            None => next,
        };
        // Some servers number every call 0; another id is another call.
        if self.calls.get(&index).is_some_and(|call| !id.is_empty() && !call.id.is_empty() && call.id != id) {
            index = next;
            self.moved = true;
            // … and what has neither id nor name goes on with the call that was moved.
        } else if id.is_empty() && name.is_empty() && self.moved && index == 0 {
            index = self.last;
        }
        if self.calls.len() >= MAX_CALLS && !self.calls.contains_key(&index) {
            return;
        }
        self.last = index;
        let call = self.calls.entry(index).or_default();
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        if call.name.is_empty() {
            name.clone_into(&mut call.name);
        }
        let arguments = match &delta["function"]["arguments"] {
            Value::String(piece) => piece.clone(),
            Value::Null => String::new(),
            // Some servers send an object where a string belongs.
            object => object.to_string(),
        };
        if call.arguments.len() + arguments.len() <= MAX_ARGUMENTS {
            call.arguments.push_str(&arguments);
        } else {
            // Cut JSON is no JSON, so this call comes out with `Null`.
            call.arguments.truncate(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_shape_of_the_openai_api() {
        let request = ChatRequest {
            messages: vec![
                Message::System("be brief".into()),
                Message::User("hello".into()),
                Message::Assistant { text: String::new(), tool_calls: vec![press("call_1")] },
                Message::Tool { call_id: "call_1".into(), content: "pressed".into() },
                Message::Assistant { text: "done".into(), tool_calls: vec![] },
            ],
            tools: vec![ToolDefinition {
                name: "press".into(),
                description: "presses keys".into(),
                parameters: json!({ "type": "object" }),
            }],
            max_tokens: 200,
        };
        let expected = json!({
            "model": "m", "stream": true, "stream_options": { "include_usage": true }, "max_tokens": 200,
            "messages": [
                { "role": "system", "content": "be brief" },
                { "role": "user", "content": "hello" },
                { "role": "assistant", "content": null, "tool_calls": [
                    { "id": "call_1", "type": "function", "function": { "name": "press", "arguments": "{\"keys\":\"1\"}" } },
                ] },
                { "role": "tool", "tool_call_id": "call_1", "content": "pressed" },
                { "role": "assistant", "content": "done" },
            ],
            "tools": [{ "type": "function", "function": {
                "name": "press", "description": "presses keys", "parameters": { "type": "object" } } }],
        });
        assert_eq!(body("m", &request, None, "max_tokens"), expected);
    }

    #[test]
    fn calls_are_put_together_by_index() {
        check(
            &[
                r#"{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"press","arguments":""}}]}}]}"#,
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"keys\""}}]}}]}"#,
                r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"y","function":{"name":"end"}}]}}]}"#,
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":":\"1\"}"}}]},"finish_reason":"tool_calls"}]}"#,
                r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#,
            ],
            r#"press x {"keys":"1"}; end y {}; done Some(7) Some(3)"#,
        );
    }

    #[test]
    fn servers_that_send_no_index_no_id_or_the_whole_call_at_once_are_understood() {
        check(
            &[
                r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"press","arguments":{"keys":"1"}}},{"function":{"name":"end","arguments":"{}"}}]},"finish_reason":"stop"}]}"#,
            ],
            r#"press call_4_0 {"keys":"1"}; end call_4_1 {}; done None None"#,
        );
        check(
            &[
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"press","arguments":"{}"}}]}}]}"#,
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"y","function":{"name":"end","arguments":"nonsense"}}]}}]}"#,
            ],
            "press x {}; end y null; done None None",
        );
    }

    #[test]
    fn a_whole_reply_reads_like_a_stream_of_one() {
        let mut reply = Reply::to(1);
        let whole = json!({ "choices": [{ "message": { "content": "hi" }, "finish_reason": "stop" }] });
        assert_eq!(reply.push(&whole), Ok(Some("hi".to_owned())));
        assert!(reply.is_finished());
    }

    #[test]
    fn an_error_within_the_stream_comes_back_in_the_servers_words() {
        assert_eq!(Reply::to(1).push(&json!({ "error": { "message": "overloaded" } })), Err("overloaded".to_owned()));
    }

    fn press(id: &str) -> ToolCall {
        ToolCall { id: id.into(), name: "press".into(), arguments: json!({ "keys": "1" }) }
    }

    fn check(chunks: &[&str], expected: &str) {
        let mut reply = Reply::to(4);
        for chunk in chunks {
            assert_eq!(reply.push(&serde_json::from_str(chunk).unwrap()), Ok(None));
        }
        let pieces: Vec<String> = reply
            .finish()
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::ToolCall(call) => format!("{} {} {}", call.name, call.id, call.arguments),
                Piece::Done { input_tokens, output_tokens } => format!("done {input_tokens:?} {output_tokens:?}"),
            })
            .collect();
        assert_eq!(pieces.join("; "), expected);
    }
}
