//! Speech to text.

use std::time::Duration;

use media::AudioFrame;
use tokio::sync::mpsc;

use crate::Error;

/// What a recogniser should expect to hear; never sentences of the other side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// Phrases or single words likely in this call: names, doctors, products, cities.
    pub phrases: Vec<String>,
    /// Only these phrases and the general vocabulary's glue words matter (a small grammar).
    pub closed: bool,
}

/// A recogniser; opens one [`Recognition`] a call.
pub trait SpeechToText: Send + Sync + std::fmt::Debug {
    /// `"local"`, `"scripted"`, …
    fn name(&self) -> &'static str;
    /// Starts listening; cheap, the work happens in a task of its own on the current tokio runtime.
    fn open(&self, vocabulary: Vocabulary) -> Result<Recognition, Error>;
}

/// A recogniser at work on one call. Dropping it cancels.
#[derive(Debug)]
pub struct Recognition {
    /// Audio and orders to the task.
    pub input: mpsc::Sender<RecognitionInput>,
    /// What it understood.
    pub events: mpsc::Receiver<RecognitionEvent>,
}

/// To a recogniser. It may wait for the first of these before it loads what it needs: many a call is never answered.
#[derive(Debug)]
pub enum RecognitionInput {
    /// Audio will come: be ready for it.
    Prepare,
    /// 20 ms, in order. Frames between utterances may be left out.
    Audio(AudioFrame),
    /// The turn is over by our own judgement: say what it was, as `Final`, now (empty text if nothing).
    Finish,
    /// New words to expect (a menu's names, a slot's).
    Vocabulary(Vocabulary),
}

/// From a recogniser.
#[derive(Debug, Clone, PartialEq)]
pub enum RecognitionEvent {
    /// What it seems to be so far; may change. At least every 300 ms of speech when changed.
    Interim {
        /// Lower case words.
        text: String,
    },
    /// What it was; answers each `Finish`, in order.
    Final(Transcript),
    /// The provider failed; a fallback may be tried.
    Failed {
        /// In words.
        message: String,
    },
}

/// One recognised stretch of speech.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// Lower case words; numbers as words.
    pub text: String,
    /// Media time of the first audio since the last `Finish`.
    pub start: Duration,
    /// Media time of the end of the last audio.
    pub end: Duration,
    /// 0 to 1, where the provider says so.
    pub confidence: Option<f32>,
}
