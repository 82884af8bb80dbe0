//! Calls.

use crate::statement::{Transaction, sql};
use crate::{Error, EventRow, IdempotentRow, Store, events, idempotency};

/// A call as it is kept. Times are RFC 3339 in UTC; `*_json` are JSON texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct CallRow {
    /// `call_…`; sorts by time.
    pub id: String,
    /// `queued`, …, `ended`.
    pub status: String,
    /// `outbound` or `inbound`.
    pub direction: String,
    /// Called party.
    #[sqlx(rename = "to_party")]
    pub to: String,
    /// Calling party.
    #[sqlx(rename = "from_party")]
    pub from: Option<String>,
    /// Trunk by name.
    pub trunk: Option<String>,
    /// Agent by id.
    pub agent_id: Option<String>,
    /// What was asked for.
    pub request_json: String,
    /// When it was asked for.
    pub created_at: String,
    /// When it was answered.
    pub answered_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// From answer to end.
    pub duration_ms: Option<i64>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// The peer's final status.
    pub sip_status: Option<i64>,
    /// The peer's own words.
    pub reason: Option<String>,
    /// Who answered.
    pub answered_by: Option<String>,
    /// Keys pressed so far.
    pub digits_sent: String,
    /// What came of it.
    pub result_json: Option<String>,
    /// How fast we answered.
    pub latency_json: Option<String>,
    /// How it sounded.
    pub quality_json: Option<String>,
    /// What it cost.
    pub cost_json: Option<String>,
    /// A JSON array of texts.
    pub warnings_json: String,
    /// Path of the recording.
    pub recording: Option<String>,
    /// When the recording was deleted, its time to be kept being over.
    pub recording_deleted_at: Option<String>,
    /// What the trunk says of who calls.
    pub caller_json: Option<String>,
    /// What a refusal says of the next try.
    pub disposition: Option<String>,
    /// Least wait before the next try, in seconds.
    pub retry_after_s: Option<i64>,
    /// Their Reason header at the end, as it came.
    pub reason_header: Option<String>,
}

/// What may change while a call lives; `None` leaves as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallChange {
    /// New status, never `ended`.
    pub status: Option<String>,
    /// When it was answered; only the first counts.
    pub answered_at: Option<String>,
    /// Who answered.
    pub answered_by: Option<String>,
    /// Keys to append.
    pub digits: Option<String>,
}

/// All that is final when a call ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `CallRow`")]
pub struct CallEnding {
    pub answered_at: Option<String>,
    pub ended_at: String,
    pub duration_ms: i64,
    pub end_reason: String,
    pub sip_status: Option<i64>,
    pub reason: Option<String>,
    pub answered_by: Option<String>,
    pub digits_sent: String,
    pub result_json: String,
    pub latency_json: String,
    pub quality_json: Option<String>,
    pub cost_json: String,
    pub recording: Option<String>,
    pub disposition: Option<String>,
    pub retry_after_s: Option<i64>,
    pub reason_header: Option<String>,
}

/// Which calls to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Only with this status.
    pub status: Option<String>,
    /// Only in this direction.
    pub direction: Option<String>,
    /// Only older than this id.
    pub before: Option<String>,
}

/// Calls, before what says which.
macro_rules! select_calls {
    ($which:literal) => {
        concat!(
            "SELECT id, status, direction, to_party, from_party, trunk, agent_id, request_json, created_at, answered_at, \
             ended_at, duration_ms, end_reason, sip_status, reason, answered_by, digits_sent, result_json, \
             latency_json, quality_json, cost_json, warnings_json, recording, recording_deleted_at, caller_json, \
             disposition, retry_after_s, reason_header \
             FROM calls ",
            $which
        )
    };
}

impl Store {
    /// Keeps a new call with its first events and, in the same transaction, the answer to the
    /// idempotent request that asked for it.
    pub async fn insert_call(
        &self,
        row: &CallRow,
        events: &[EventRow],
        request: Option<&IdempotentRow>,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        insert(&mut transaction, row, self.node()).await?;
        events::append(&mut transaction, events).await?;
        if let Some(request) = request {
            idempotency::insert(&mut transaction, request).await?;
        }
        transaction.commit().await
    }

    /// Changes a call that has not ended, and tells of it. False when it had ended: then nothing is written.
    pub async fn change_call(&self, id: &str, change: &CallChange, events: &[EventRow]) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let changed = sql("UPDATE calls SET status = COALESCE($1, status), answered_at = COALESCE(answered_at, $2), \
             answered_by = COALESCE($3, answered_by), digits_sent = digits_sent || COALESCE($4, '') \
             WHERE id = $5 AND status <> 'ended'")
        .bind(&change.status)
        .bind(&change.answered_at)
        .bind(&change.answered_by)
        .bind(&change.digits)
        .bind(id)
        .execute(&mut transaction)
        .await?;
        tell_if(changed == 1, transaction, events).await
    }

    /// Ends a call, once. False when it had ended: then nothing is written.
    pub async fn end_call(&self, id: &str, ending: &CallEnding, events: &[EventRow]) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let changed = sql(
            "UPDATE calls SET status = 'ended', answered_at = COALESCE(answered_at, $1), ended_at = $2, duration_ms = $3, \
             end_reason = $4, sip_status = $5, reason = $6, answered_by = COALESCE($7, answered_by), digits_sent = $8, \
             result_json = $9, latency_json = $10, quality_json = $11, cost_json = $12, recording = $13, \
             disposition = $14, retry_after_s = $15, reason_header = $16 WHERE id = $17 AND status <> 'ended'",
        )
        .bind(&ending.answered_at)
        .bind(&ending.ended_at)
        .bind(ending.duration_ms)
        .bind(&ending.end_reason)
        .bind(ending.sip_status)
        .bind(&ending.reason)
        .bind(&ending.answered_by)
        .bind(&ending.digits_sent)
        .bind(&ending.result_json)
        .bind(&ending.latency_json)
        .bind(&ending.quality_json)
        .bind(&ending.cost_json)
        .bind(&ending.recording)
        .bind(&ending.disposition)
        .bind(ending.retry_after_s)
        .bind(&ending.reason_header)
        .bind(id)
        .execute(&mut transaction)
        .await?;
        tell_if(changed == 1, transaction, events).await
    }

    /// One call.
    pub async fn call(&self, id: &str) -> Result<Option<CallRow>, Error> {
        sql(select_calls!("WHERE id = $1")).bind(id).fetch_optional(&mut self.reader().await?).await
    }

    /// Calls, newest first.
    pub async fn calls(&self, filter: &CallFilter, limit: u32) -> Result<Vec<CallRow>, Error> {
        sql(select_calls!(
            "WHERE ($1 IS NULL OR status = $1) AND ($2 IS NULL OR direction = $2) \
             AND ($3 IS NULL OR id < $3) ORDER BY id DESC LIMIT $4"
        ))
        .bind(&filter.status)
        .bind(&filter.direction)
        .bind(&filter.before)
        .bind(limit)
        .fetch_all(&mut self.reader().await?)
        .await
    }

    /// Calls of this node that a crash left without an end, oldest first.
    pub async fn unfinished_calls(&self) -> Result<Vec<CallRow>, Error> {
        sql(select_calls!("WHERE status <> 'ended' AND node = $1 ORDER BY id"))
            .bind(self.node())
            .fetch_all(&mut self.reader().await?)
            .await
    }
}

async fn tell_if(changed: bool, mut transaction: Transaction, events: &[EventRow]) -> Result<bool, Error> {
    if changed {
        events::append(&mut transaction, events).await?;
        transaction.commit().await?;
    }
    Ok(changed)
}

pub(crate) async fn insert(transaction: &mut Transaction, row: &CallRow, node: &str) -> Result<(), Error> {
    sql("INSERT INTO calls (id, status, direction, to_party, from_party, trunk, agent_id, request_json, created_at, \
         warnings_json, recording, caller_json, node) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
    .bind(&row.id)
    .bind(&row.status)
    .bind(&row.direction)
    .bind(&row.to)
    .bind(&row.from)
    .bind(&row.trunk)
    .bind(&row.agent_id)
    .bind(&row.request_json)
    .bind(&row.created_at)
    .bind(&row.warnings_json)
    .bind(&row.recording)
    .bind(&row.caller_json)
    .bind(node)
    .execute(transaction)
    .await?;
    Ok(())
}
