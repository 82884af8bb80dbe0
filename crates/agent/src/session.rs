//! [`run`]: the task that carries a call's conversation.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::{AnsweredBy, Outcome, Task, TurnLatency};

/// What an agent is made of.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// What to do; `None` for a default agent on an inbound call.
    pub task: Option<Task>,
    /// On whose behalf, if not the task's `name`.
    pub on_behalf_of: Option<String>,
    /// First words on an inbound call, or when a person answers.
    pub greeting: Option<String>,
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

/// What an observer learns while it happens; becomes events and the transcript.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentEvent {
    /// Somebody said something (final text). Times in ms since the answer.
    Transcript {
        /// Start.
        at_ms: u64,
        /// End.
        end_ms: u64,
        /// Who.
        speaker: Speaker,
        /// Words; for the agent only what was really played.
        text: String,
    },
    /// Who answered.
    AnsweredBy {
        /// Since the answer.
        at_ms: u64,
        /// Who.
        answered_by: AnsweredBy,
        /// 0 to 1.
        confidence: f32,
    },
    /// What kind of prompt was heard: `menu`, `question`, `date_input`, `number_input`, `confirmation`, `hold`, …
    PromptClassified {
        /// Since the answer.
        at_ms: u64,
        /// Kind.
        kind: String,
        /// The words.
        text: String,
    },
    /// A menu was understood.
    Menu {
        /// Since the answer.
        at_ms: u64,
        /// Key → label.
        options: Vec<(String, String)>,
    },
    /// An option was chosen.
    Chose {
        /// Since the answer.
        at_ms: u64,
        /// Key.
        key: String,
        /// Label.
        label: String,
    },
    /// Keys went out.
    DtmfSent {
        /// Since the answer.
        at_ms: u64,
        /// Keys.
        digits: String,
    },
    /// A turn of ours began to sound.
    Turn(TurnLatency),
    /// Hold began or ended.
    Hold {
        /// Since the answer.
        at_ms: u64,
        /// Now on hold.
        holding: bool,
    },
    /// They were silent and we asked.
    Nudged {
        /// Since the answer.
        at_ms: u64,
        /// Which nudge, from 1.
        count: u32,
    },
    /// A tool was called.
    ToolCalled {
        /// Since the answer.
        at_ms: u64,
        /// Its name.
        name: String,
        /// Its arguments as JSON.
        arguments: String,
        /// Why (the rule or `model`).
        because: String,
    },
    /// A message was left after a beep.
    VoicemailLeft {
        /// Since the answer.
        at_ms: u64,
    },
}

/// A speaker of the transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Speaker { Agent, Callee, Operator }

/// What an operator may order while it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentCommand {
    /// Say this next.
    Say(String),
    /// Press these keys.
    Press(String),
    /// Say goodbye (if answered) and end.
    HangUp,
}

/// Runs one conversation to its end. Never panics, always ends: a watchdog outside the
/// conversation guards every limit. Events are dropped, and counted, when nobody reads them.
pub async fn run(line: gateway::Line, config: AgentConfig, events: mpsc::Sender<AgentEvent>, commands: mpsc::Receiver<AgentCommand>) -> Outcome {
    todo!("{line:?} {config:?} {events:?} {commands:?}")
}
