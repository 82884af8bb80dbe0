//! What an agent is made of.

use std::sync::Arc;
use std::time::Duration;

use crate::Task;

/// What an agent is made of.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// What to do; `None` for a default agent on an inbound call.
    pub task: Option<Task>,
    /// On whose behalf, if not the task's `name`.
    pub on_behalf_of: Option<String>,
    /// First words on an inbound call, or when a person answers.
    pub greeting: Option<String>,
    /// Said before all else to a person, and to its end: that the call is recorded.
    pub consent: Option<String>,
    /// Extra instructions (model policy only).
    pub system_prompt: Option<String>,
    /// Hears.
    pub stt: Arc<dyn speech::SpeechToText>,
    /// Speaks.
    pub tts: Arc<dyn speech::TextToSpeech>,
    /// Voice of `tts`.
    pub voice: Option<String>,
    /// Decides.
    pub policy: Policy,
    /// Limits.
    pub limits: Limits,
    /// For variation in wording and jitter.
    pub seed: [u8; 32],
    /// The calendar day of the call (year, month, day), for "tomorrow" and "next Tuesday".
    pub today: jiff::civil::Date,
}

/// Who decides what to do next.
#[derive(Debug, Clone)]
pub enum Policy {
    /// Rules, no model; says so openly in logs and documentation.
    Rules,
    /// A language model with tools.
    Model(Arc<dyn speech::LanguageModel>),
}

/// The watchdog's limits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the answer to our goodbye.
    pub call: Duration,
    /// Nudges before a polite end.
    pub silence_nudges: u32,
    /// How long a person may say nothing before a nudge.
    pub silence: Duration,
    /// How long we wait on hold.
    pub hold: Duration,
    /// Tool calls of one call.
    pub tool_calls: u32,
}
