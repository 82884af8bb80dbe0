//! The task that asks a language model and hands its reply on, sentence by sentence.

use std::sync::Arc;

use speech::LanguageModel;
use speech::chat::{ChatRequest, Message, Piece, ToolCall};
use tokio::sync::mpsc;

use crate::conversation::{Input, View};
use crate::prompt;
use crate::tools::{Action, definitions};

/// Longest reply, in tokens.
const MAX_TOKENS: u32 = 400;
/// Requests for one turn: a report or a wrong call is answered and the model goes on.
const MAX_ROUNDS: usize = 4;
/// Inputs waiting for the conversation.
const QUEUE: usize = 32;

/// A question to the model under way. Dropping it cancels it.
#[derive(Debug)]
pub(crate) struct Asking {
    replies: mpsc::Receiver<Input>,
    task: tokio::task::JoinHandle<()>,
}

impl Asking {
    pub(crate) fn start(model: Arc<dyn LanguageModel>, view: &View) -> Self {
        let (tell, replies) = mpsc::channel(QUEUE);
        let messages = prompt::messages(view);
        let task = tokio::spawn(async move {
            let end = match ask(model.as_ref(), messages, &tell).await {
                Ok(()) => Input::ModelDone,
                Err(message) => Input::ModelFailed(message),
            };
            let _ = tell.send(end).await;
        });
        Self { replies, task }
    }

    /// What the model wants next; `None` when it has said all.
    pub(crate) async fn next(&mut self) -> Option<Input> {
        self.replies.recv().await
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn ask(model: &dyn LanguageModel, mut messages: Vec<Message>, tell: &mpsc::Sender<Input>) -> Result<(), String> {
    for _ in 0..MAX_ROUNDS {
        let request = ChatRequest { messages: messages.clone(), tools: definitions(), max_tokens: MAX_TOKENS };
        let mut chat = model.chat(request).map_err(|error| error.to_string())?;
        let mut text = String::new();
        let mut unsaid = String::new();
        let mut calls: Vec<ToolCall> = Vec::new();
        let mut done = false;
        while let Some(piece) = chat.pieces.recv().await {
            match piece.map_err(|error| error.to_string())? {
                Piece::Text(piece) => {
                    text.push_str(&piece);
                    unsaid.push_str(&piece);
                    while let Some(end) = end_of_sentence(&unsaid) {
                        let rest = unsaid.split_off(end);
                        act(tell, Action::Say(std::mem::replace(&mut unsaid, rest))).await;
                    }
                }
                Piece::ToolCall(call) => calls.push(call),
                Piece::Done { .. } => done = true,
            }
        }
        if !done && text.is_empty() && calls.is_empty() {
            return Err("the reply was empty".to_owned());
        }
        if !unsaid.trim().is_empty() {
            act(tell, Action::Say(unsaid)).await;
        }
        if calls.is_empty() {
            return Ok(());
        }
        let mut results = Vec::new();
        // What ends or changes the turn needs no further words; a report alone, or a mistake, does.
        let mut turn_is_made = !text.trim().is_empty();
        for call in &calls {
            let content = match Action::parse(&call.name, &call.arguments) {
                Ok(action) => {
                    turn_is_made |= !matches!(action, Action::Report { .. });
                    act(tell, action).await;
                    "ok".to_owned()
                }
                Err(message) => message,
            };
            results.push(Message::Tool { call_id: call.id.clone(), content });
        }
        if turn_is_made {
            return Ok(());
        }
        messages.push(Message::Assistant { text, tool_calls: calls });
        messages.extend(results);
    }
    Ok(())
}

async fn act(tell: &mpsc::Sender<Input>, action: Action) {
    let _ = tell.send(Input::Model(action)).await;
}

/// Where the first sentence ends, if it is known to have ended.
fn end_of_sentence(text: &str) -> Option<usize> {
    let first = crate::speaker::sentences(text).first().map(|sentence| sentence.len())?;
    let lead = text.len() - text.trim_start().len();
    (lead + first < text.trim_end().len()
        || text[..lead + first].ends_with(['.', '!', '?']) && text.len() > lead + first)
        .then_some(lead + first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_handed_on_as_soon_as_the_next_begins() {
        assert_eq!(end_of_sentence("Hello, I"), None);
        assert_eq!(end_of_sentence("Hello."), None);
        assert_eq!(end_of_sentence("Hello. I"), Some(6));
        assert_eq!(end_of_sentence(" Hello. "), Some(7));
    }
}
