//! [`ScheduledCall`]: a call to be made later, as the API shows it.

use serde::Serialize;
use serde_json::{Map, Value};
use store::{AttemptRow, RecipientRow, ScheduledCallRow};
use utoipa::ToSchema;

use super::request::RetryRule;
use crate::request::NewTask;
use crate::{Error, target};

/// A call to be made later, to one or several. All fields are always present.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct ScheduledCall {
    /// `sched_…`; sorts by time.
    pub(crate) id: String,
    /// `pending`: nobody has been called. `in_progress`: somebody has. When nobody is to be called any more, `completed`
    /// where somebody was reached, else `canceled` where somebody's call was, else `failed`.
    #[schema(example = "pending")]
    pub(crate) status: String,
    /// Whom.
    to_phone_numbers: Vec<String>,
    /// What became of each of them, in this order.
    pub(crate) recipients: Vec<Recipient>,
    /// The prompt that was copied.
    prompt_id: Option<String>,
    /// Its content then, with variables filled in.
    content: Option<String>,
    /// Its introduction then: first words to a person.
    introduction: Option<String>,
    /// What to do, where no prompt says it.
    task: Option<NewTask>,
    /// Agent by id.
    agent_id: String,
    /// RFC 3339.
    scheduled_at: String,
    /// Where the recipients are.
    time_zone: Option<String>,
    /// `09:00` of every day there, or RFC 3339.
    not_before: Option<String>,
    /// `20:00` of every day there, or RFC 3339.
    not_after: Option<String>,
    /// The greatest goes first where not all can.
    priority: i64,
    /// When somebody is called again.
    retry: RetryRule,
    /// What else the agent may know.
    #[schema(value_type = Option<Object>)]
    context: Option<Map<String, Value>>,
    /// What looked odd.
    warnings: Vec<String>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    canceled_at: Option<String>,
}

/// Somebody to be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Recipient {
    /// Whom.
    to: String,
    /// `pending`: to be called, or called again, at `next_attempt_at`. `in_progress`: the last of `call_ids` has not ended.
    /// `completed`: reached. `failed`, `canceled`.
    pub(crate) status: String,
    /// Calls so far.
    attempts: usize,
    /// These calls, the first one first.
    pub(crate) call_ids: Vec<String>,
    /// RFC 3339.
    next_attempt_at: Option<String>,
    /// How the last call ended.
    end_reason: Option<String>,
    /// Why they are not called though they were to be, in words.
    reason: Option<String>,
}

impl ScheduledCall {
    /// What the store has of one; `recipients` and `attempts` in their order.
    pub(crate) fn from_rows(
        row: ScheduledCallRow,
        recipients: Vec<RecipientRow>,
        attempts: &[AttemptRow],
    ) -> Result<Self, Error> {
        let to_phone_numbers: Vec<String> = recipients.iter().map(|recipient| recipient.to.clone()).collect();
        Ok(Self {
            warnings: to_phone_numbers.iter().flat_map(|to| target::warnings(to)).collect(),
            to_phone_numbers,
            recipients: recipients.into_iter().map(|recipient| Recipient::from_rows(recipient, attempts)).collect(),
            task: row.task_json.as_deref().map(serde_json::from_str).transpose()?,
            retry: serde_json::from_str(&row.retry_json)?,
            context: serde_json::from_str(&row.context_json)?,
            agent_id: row.agent_id.unwrap_or_default(),
            id: row.id,
            status: row.status,
            prompt_id: row.prompt_id,
            content: row.content,
            introduction: row.introduction,
            scheduled_at: row.scheduled_at,
            time_zone: row.time_zone,
            not_before: row.not_before,
            not_after: row.not_after,
            priority: row.priority,
            created_at: row.created_at,
            canceled_at: row.canceled_at,
        })
    }
}

impl Recipient {
    fn from_rows(row: RecipientRow, attempts: &[AttemptRow]) -> Self {
        let of_it: Vec<&AttemptRow> = attempts.iter().filter(|attempt| attempt.recipient_id == row.id).collect();
        Self {
            attempts: of_it.len(),
            call_ids: of_it.iter().map(|attempt| attempt.call_id.clone()).collect(),
            end_reason: of_it.iter().rev().find_map(|attempt| attempt.end_reason.clone()),
            to: row.to,
            status: row.status,
            next_attempt_at: row.next_attempt_at,
            reason: row.reason,
        }
    }
}
