//! Text to speech.

use tokio::sync::mpsc;

use crate::Error;

/// A synthesiser.
pub trait TextToSpeech: Send + Sync + std::fmt::Debug {
    /// `"local"`, `"scripted"`, …
    fn name(&self) -> &'static str;
    /// Begins to speak one sentence or more; the first audio arrives before the last is made.
    fn speak(&self, text: &str, voice: Option<&str>) -> Result<Speech, Error>;
}

/// Speech on its way. Dropping it cancels.
#[derive(Debug)]
pub struct Speech {
    /// 8 kHz mono PCM in pieces of any length; closed after the last.
    pub audio: mpsc::Receiver<Result<Vec<i16>, Error>>,
}
