//! [`Outcome`]: what came of a call.

use std::collections::BTreeMap;

/// `result` of the API.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CallResult {
    /// How it went.
    pub outcome: OutcomeKind,
    /// Plain sentences.
    pub summary: String,
    /// What was asked for and learnt, as a person would write it: `1284.17`, `10:30`, `December 1`.
    pub answers: BTreeMap<String, String>,
    /// What was heard and done that shows it.
    pub evidence: Vec<Evidence>,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum OutcomeKind {
    Succeeded,
    Partial,
    Failed,
    Unknown,
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Evidence {
    /// Since the answer.
    pub at_ms: u64,
    /// `heard`, `said`, `pressed`, `tone`, …
    pub kind: String,
    /// In words.
    pub text: String,
}

/// Why the agent ended the call (or `None` when signalling did): the agent's part of `end_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum AgentEnd {
    Completed,
    Voicemail,
    MessageLeft,
    Fax,
    DoNotCall,
    Silence,
    ToolLoop,
    TimeLimit,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum AnsweredBy {
    Human,
    Machine,
    Ivr,
    Fax,
    Screening,
    Unknown,
}

/// The latency of one turn, in the API's terms; times in ms, `at_ms` since the answer.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub struct TurnLatency {
    pub at_ms: u64,
    /// End of their speech to our first sound on the wire.
    pub response_ms: f64,
    pub endpoint_ms: f64,
    pub stt_ms: f64,
    pub llm_ms: f64,
    pub tts_ms: f64,
    pub gateway_ms: f64,
}

/// All that an agent hands back.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// `result`.
    pub result: CallResult,
    /// The agent's own reason for ending.
    pub ended: Option<AgentEnd>,
    /// How the line ended.
    pub call_end: gateway::CallEnd,
    /// Who answered, if anybody.
    pub answered_by: Option<AnsweredBy>,
    /// Every key pressed, in order.
    pub digits_sent: String,
    /// One a turn.
    pub turns: Vec<TurnLatency>,
}
