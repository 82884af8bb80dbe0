//! [`Task`]: what a call is for.

use std::collections::BTreeMap;

/// What a call is for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// In plain words: "book an appointment with the dermatologist on Tuesday".
    pub goal: String,
    /// What we know and may say: `name`, `date_of_birth`, `account_number`, … in plain spelling.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}
