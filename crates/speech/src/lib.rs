//! Speech recognition, language models and speech synthesis behind three traits, and their providers.
//!
//! A provider knows nothing of calls. All three stream, and all three are canceled by dropping
//! what they handed out.

pub mod chat;
mod once;
pub mod providers;
mod recognition;
pub mod resample;
pub mod scripted;
mod synthesis;
pub mod words;

pub use chat::LanguageModel;
pub use once::{synthesize, transcribe};
pub use providers::local::{local_stt, local_tts};
pub use recognition::*;
pub use synthesis::*;

/// What went wrong at a provider.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A library or model is not installed.
    #[error("{what} is missing: {fix}")]
    Missing {
        /// What was looked for.
        what: String,
        /// What to install or set.
        fix: String,
    },
    /// The provider refused or failed.
    #[error("{provider} failed: {message}")]
    Provider {
        /// Its name.
        provider: &'static str,
        /// Its words, without secrets.
        message: String,
    },
    /// No answer in time.
    #[error("{provider} did not answer within {waited:?}")]
    Timeout {
        /// Its name.
        provider: &'static str,
        /// How long we waited.
        waited: std::time::Duration,
    },
}
