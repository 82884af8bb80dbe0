//! Language models: messages in, text and tool calls out, streamed.

use tokio::sync::mpsc;

use crate::Error;

/// A chat model with tools.
pub trait LanguageModel: Send + Sync + std::fmt::Debug {
    /// `"openai"`, `"scripted"`, …
    fn name(&self) -> &'static str;
    /// Asks for one reply.
    fn chat(&self, request: ChatRequest) -> Result<Chat, Error>;
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The conversation so far; system prompt first.
    pub messages: Vec<Message>,
    /// Tools offered.
    pub tools: Vec<ToolDefinition>,
    /// Upper bound of the reply.
    pub max_tokens: u32,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Instructions.
    System(String),
    /// What the other side said, or what happened on the line.
    User(String),
    /// What we said (as far as it was really heard) and the tools we called.
    Assistant {
        /// Text; may be empty.
        text: String,
        /// Calls made in the same reply.
        tool_calls: Vec<ToolCall>,
    },
    /// The result of one tool call.
    Tool {
        /// Which call.
        call_id: String,
        /// Its result.
        content: String,
    },
}

/// A tool the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDefinition {
    /// Name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: serde_json::Value,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The provider's id, or one made here.
    pub id: String,
    /// Name.
    pub name: String,
    /// Arguments as JSON; `Null` when they were not JSON.
    pub arguments: serde_json::Value,
}

/// A reply on its way. Dropping it cancels the request.
#[derive(Debug)]
pub struct Chat {
    /// Pieces, in order; closed after `Done` or an error.
    pub pieces: mpsc::Receiver<Result<Piece, Error>>,
}

/// A piece of a reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Text to say.
    Text(String),
    /// A complete tool call.
    ToolCall(ToolCall),
    /// The end, with what it cost where the server said so.
    Done {
        /// Prompt tokens.
        input_tokens: Option<u32>,
        /// Reply tokens.
        output_tokens: Option<u32>,
    },
}
