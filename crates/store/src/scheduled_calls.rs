//! Scheduled calls: what is to be done for whom, and when. What becomes of each recipient is in `recipients.rs`.

use crate::statement::{Transaction, sql};
use crate::{Error, EventRow, IdempotentRow, RecipientRow, Store, events, idempotency, recipients};

/// A wish for calls. What it takes from a prompt is frozen in it. Times of the day (`not_before`,
/// `not_after`) are as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct ScheduledCallRow {
    /// `sched_…`; sorts by time.
    pub id: String,
    /// `pending`, `in_progress`, `completed`, `canceled` or `failed`, as follows from its recipients.
    pub status: String,
    /// The prompt that was asked for.
    pub prompt_id: Option<String>,
    /// What the prompt said then.
    pub content: Option<String>,
    /// How it began then.
    pub introduction: Option<String>,
    /// The task, where there is no prompt.
    pub task_json: Option<String>,
    /// The agent that was asked for.
    pub agent_id: Option<String>,
    /// When the first attempts are wanted.
    pub scheduled_at: String,
    /// Where the recipients are: of the times of the day.
    pub time_zone: Option<String>,
    /// No attempt earlier in the day.
    pub not_before: Option<String>,
    /// No attempt later in the day.
    pub not_after: Option<String>,
    /// What is higher goes first.
    pub priority: i64,
    /// How often and when to try again.
    pub retry_json: String,
    /// What the agent knows besides.
    pub context_json: String,
    /// When it was asked for.
    pub created_at: String,
    /// When what was left of it was canceled.
    pub canceled_at: Option<String>,
}

/// Which scheduled calls to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduledCallFilter {
    /// Only with this status.
    pub status: Option<String>,
    /// Only older than this id.
    pub before: Option<String>,
}

/// A new time for what has not begun.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `ScheduledCallRow`")]
pub struct Reschedule {
    pub scheduled_at: String,
    pub time_zone: Option<String>,
    pub not_before: Option<String>,
    pub not_after: Option<String>,
    /// When those that wait are tried next.
    pub next_attempt_at: String,
}

/// Scheduled calls, before what says which.
macro_rules! select_scheduled_calls {
    ($which:literal) => {
        concat!(
            "SELECT id, status, prompt_id, content, introduction, task_json, agent_id, scheduled_at, \
             time_zone, not_before, not_after, priority, retry_json, context_json, created_at, canceled_at \
             FROM scheduled_calls ",
            $which
        )
    };
}

impl Store {
    /// Keeps a new scheduled call with its recipients and events and, in the same transaction, the answer to the
    /// idempotent request for it.
    pub async fn insert_scheduled_call(
        &self,
        row: &ScheduledCallRow,
        recipients: &[RecipientRow],
        events: &[EventRow],
        request: Option<&IdempotentRow>,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        insert(&mut transaction, row).await?;
        for recipient in recipients {
            recipients::insert(&mut transaction, recipient).await?;
        }
        events::append(&mut transaction, events).await?;
        if let Some(request) = request {
            idempotency::insert(&mut transaction, request).await?;
        }
        transaction.commit().await
    }

    /// Moves the next attempts of all recipients that wait to another time. False, and nothing is written, when none
    /// waits. An attempt that somebody is about to make, having leased it, is not made at the old time either.
    pub async fn reschedule(&self, id: &str, change: &Reschedule, events: &[EventRow]) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        sql("UPDATE scheduled_calls SET scheduled_at = $2, time_zone = $3, not_before = $4, not_after = $5 WHERE id = $1")
            .bind(id)
            .bind(&change.scheduled_at)
            .bind(&change.time_zone)
            .bind(&change.not_before)
            .bind(&change.not_after)
            .execute(&mut transaction)
            .await?;
        let moved = sql("UPDATE recipients SET next_attempt_at = $2, \
             due_at = CASE WHEN lease_owner IS NULL THEN $2 ELSE due_at END \
             WHERE scheduled_call_id = $1 AND status = 'pending'")
        .bind(id)
        .bind(&change.next_attempt_at)
        .execute(&mut transaction)
        .await?;
        if moved == 0 {
            return Ok(false);
        }
        events::append(&mut transaction, events).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Cancels all recipients that wait; attempts that are being made go on, and are the last. False, and nothing is
    /// written, when it was canceled before, is over, or is not there.
    pub async fn cancel_scheduled_call(&self, id: &str, now: &str, events: &[EventRow]) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let canceled = sql("UPDATE scheduled_calls SET canceled_at = $2 \
             WHERE id = $1 AND canceled_at IS NULL AND status IN ('pending', 'in_progress')")
        .bind(id)
        .bind(now)
        .execute(&mut transaction)
        .await?;
        if canceled == 0 {
            return Ok(false);
        }
        sql("UPDATE recipients SET status = 'canceled', next_attempt_at = NULL, due_at = NULL, lease_owner = NULL, \
             lease_until = NULL WHERE scheduled_call_id = $1 AND status = 'pending'")
        .bind(id)
        .execute(&mut transaction)
        .await?;
        refresh_status(&mut transaction, id).await?;
        events::append(&mut transaction, events).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// One scheduled call.
    pub async fn scheduled_call(&self, id: &str) -> Result<Option<ScheduledCallRow>, Error> {
        sql(select_scheduled_calls!("WHERE id = $1")).bind(id).fetch_optional(&mut self.reader().await?).await
    }

    /// Scheduled calls, newest first.
    pub async fn scheduled_calls(
        &self,
        filter: &ScheduledCallFilter,
        limit: u32,
    ) -> Result<Vec<ScheduledCallRow>, Error> {
        sql(select_scheduled_calls!(
            "WHERE ($1 IS NULL OR status = $1) AND ($2 IS NULL OR id < $2) \
             ORDER BY id DESC LIMIT $3"
        ))
        .bind(&filter.status)
        .bind(&filter.before)
        .bind(limit)
        .fetch_all(&mut self.reader().await?)
        .await
    }
}

/// Makes the status of a scheduled call what follows from its recipients. Once one has begun, it is in progress until
/// all are over, and then completed when one is.
pub(crate) async fn refresh_status(transaction: &mut Transaction, id: &str) -> Result<(), Error> {
    sql("UPDATE scheduled_calls SET status = CASE \
         WHEN EXISTS (SELECT 1 FROM recipients WHERE scheduled_call_id = $1 AND recipients.status = 'in_progress') \
         THEN 'in_progress' \
         WHEN EXISTS (SELECT 1 FROM recipients WHERE scheduled_call_id = $1 AND recipients.status = 'pending') \
         THEN status \
         WHEN EXISTS (SELECT 1 FROM recipients WHERE scheduled_call_id = $1 AND recipients.status = 'completed') \
         THEN 'completed' \
         WHEN EXISTS (SELECT 1 FROM recipients WHERE scheduled_call_id = $1 AND recipients.status = 'canceled') \
         THEN 'canceled' ELSE 'failed' END WHERE id = $1")
    .bind(id)
    .execute(transaction)
    .await?;
    Ok(())
}

async fn insert(transaction: &mut Transaction, row: &ScheduledCallRow) -> Result<(), Error> {
    sql("INSERT INTO scheduled_calls (id, status, prompt_id, content, introduction, task_json, agent_id, \
         scheduled_at, time_zone, not_before, not_after, priority, retry_json, context_json, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)")
    .bind(&row.id)
    .bind(&row.status)
    .bind(&row.prompt_id)
    .bind(&row.content)
    .bind(&row.introduction)
    .bind(&row.task_json)
    .bind(&row.agent_id)
    .bind(&row.scheduled_at)
    .bind(&row.time_zone)
    .bind(&row.not_before)
    .bind(&row.not_after)
    .bind(row.priority)
    .bind(&row.retry_json)
    .bind(&row.context_json)
    .bind(&row.created_at)
    .execute(transaction)
    .await?;
    Ok(())
}
