//! A language model that is a function.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::Error;
use crate::chat::{Chat, ChatRequest, LanguageModel, Piece};

/// Pieces that may wait for the listener.
const MAX_WAITING: usize = 64;

type Policy = dyn Fn(&ChatRequest) -> Result<Vec<Piece>, Error> + Send + Sync;

/// Answers each request by a closure, after a delay.
#[derive(Clone)]
pub struct ScriptedModel {
    policy: Arc<Policy>,
    delay: Duration,
}

impl ScriptedModel {
    /// Answers with the closure's pieces; a [`Piece::Done`] is added when they lack one.
    pub fn new(policy: impl Fn(&ChatRequest) -> Vec<Piece> + Send + Sync + 'static) -> Self {
        Self::fallible(move |request| Ok(policy(request)))
    }

    /// The same, but may fail.
    pub fn fallible(policy: impl Fn(&ChatRequest) -> Result<Vec<Piece>, Error> + Send + Sync + 'static) -> Self {
        Self { policy: Arc::new(policy), delay: Duration::ZERO }
    }

    /// Waits before each piece.
    pub fn with_delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedModel").field("delay", &self.delay).finish_non_exhaustive()
    }
}

impl LanguageModel for ScriptedModel {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn chat(&self, request: ChatRequest) -> Result<Chat, Error> {
        let runtime = Handle::try_current()
            .map_err(|error| Error::Provider { provider: "scripted", message: error.to_string() })?;
        let mut pieces = (self.policy)(&request)?;
        if !pieces.iter().any(|piece| matches!(piece, Piece::Done { .. })) {
            pieces.push(Piece::Done { input_tokens: None, output_tokens: None });
        }
        let delay = self.delay;
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        runtime.spawn(async move {
            for piece in pieces {
                tokio::time::sleep(delay).await;
                if sender.send(Ok(piece)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Chat { pieces: receiver })
    }
}
