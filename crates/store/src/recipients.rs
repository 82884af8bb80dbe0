//! Recipients of scheduled calls, and the attempts to reach them.
//!
//! ```text
//!             claim                 begin                  settle
//!   pending ────────▶ pending, leased ────▶ in_progress, leased ────▶ completed, failed
//!      ▲                   │                       │                    or canceled
//!      └───────────────────┴───────────────────────┘
//!              settle with another time
//! ```
//!
//! Whoever claims a recipient has it until the lease is over, and renews that while it works. A lease that ends with its
//! owner makes the recipient due again, `in_progress` or not; then its last attempt tells what was begun. An attempt is
//! written before its INVITE is sent, under a number that it shares with no other.

use crate::scheduled_calls::refresh_status;
use crate::statement::{Transaction, sql};
use crate::{CallRow, Error, EventRow, Store, calls, events};

/// Somebody to be called.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct RecipientRow {
    /// Its own; no other recipient has it.
    pub id: String,
    /// The scheduled call.
    pub scheduled_call_id: String,
    /// Its place among the recipients of that, from 1.
    pub position: i64,
    /// Who is called.
    #[sqlx(rename = "to_party")]
    pub to: String,
    /// `pending`, `in_progress`, `completed`, `canceled` or `failed`.
    pub status: String,
    /// What the agent knows of this one.
    pub facts_json: String,
    /// What is higher goes first.
    pub priority: i64,
    /// When to try next; while `pending`.
    pub next_attempt_at: Option<String>,
    /// How many attempts were begun.
    pub attempts: i64,
    /// Why it stands as it does.
    pub reason: Option<String>,
    /// Who has it.
    pub lease_owner: Option<String>,
    /// Until when.
    pub lease_until: Option<String>,
}

/// One attempt to reach a recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct AttemptRow {
    /// The recipient.
    pub recipient_id: String,
    /// From 1.
    pub attempt: i64,
    /// The call it is; no other attempt has it.
    pub call_id: String,
    /// When it was about to be made.
    pub created_at: String,
    /// When it was over.
    pub ended_at: Option<String>,
    /// The call's end reason.
    pub end_reason: Option<String>,
}

/// What becomes of a recipient when its owner lets go of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Its new status; `pending` becomes `canceled` when the scheduled call was canceled meanwhile.
    pub status: String,
    /// When to try next, where it is `pending`; `None` leaves that as it is.
    pub next_attempt_at: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The attempt that is over, if one was begun.
    pub ended: Option<AttemptEnding>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `AttemptRow`")]
pub struct AttemptEnding {
    pub attempt: i64,
    pub ended_at: String,
    pub end_reason: String,
}

/// The columns of a [`RecipientRow`], between what stands before and after them.
macro_rules! recipients {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, scheduled_call_id, position, to_party, status, facts_json, priority, next_attempt_at, \
             attempts, reason, lease_owner, lease_until ",
            $after
        )
    };
}

impl Store {
    /// Leases recipients that are due to `owner`, so many at most: those of higher priority first, and of one priority
    /// those that have waited longest. No two owners get the same one.
    pub async fn claim_recipients(
        &self,
        owner: &str,
        now: &str,
        lease_until: &str,
        limit: u32,
    ) -> Result<Vec<RecipientRow>, Error> {
        let (mut claimed, mut room, mut below) = (Vec::new(), limit, i64::MAX);
        while room > 0 {
            let Some(priority) = self.next_priority(below).await? else { break };
            let of_priority = self.claim_of_priority(priority, owner, now, lease_until, room).await?;
            room = room.saturating_sub(u32::try_from(of_priority.len()).unwrap_or(u32::MAX));
            claimed.extend(of_priority);
            below = priority;
        }
        Ok(claimed)
    }

    /// The highest priority below one at which anybody waits.
    async fn next_priority(&self, below: i64) -> Result<Option<i64>, Error> {
        let found: Option<(i64,)> = sql("SELECT priority FROM recipients WHERE due_at IS NOT NULL AND priority < $1 \
             ORDER BY priority DESC LIMIT 1")
        .bind(below)
        .fetch_optional(&mut self.reader().await?)
        .await?;
        Ok(found.map(|(priority,)| priority))
    }

    async fn claim_of_priority(
        &self,
        priority: i64,
        owner: &str,
        now: &str,
        lease_until: &str,
        limit: u32,
    ) -> Result<Vec<RecipientRow>, Error> {
        let mut claimed: Vec<RecipientRow> = sql(recipients!(
            "UPDATE recipients SET lease_owner = $1, lease_until = $2, due_at = $2 WHERE id IN (SELECT id FROM \
             recipients WHERE priority = $3 AND due_at <= $4 ORDER BY due_at, id LIMIT $5) RETURNING",
            ""
        ))
        // What another is claiming is passed over, not waited for.
        .in_postgres(recipients!(
            "WITH due AS MATERIALIZED (SELECT id AS due_id FROM recipients WHERE priority = $3 AND due_at <= $4 \
             ORDER BY due_at, id LIMIT $5 FOR UPDATE SKIP LOCKED) \
             UPDATE recipients SET lease_owner = $1, lease_until = $2, due_at = $2 FROM due WHERE id = due_id RETURNING",
            ""
        ))
        .bind(owner)
        .bind(lease_until)
        .bind(priority)
        .bind(now)
        .bind(limit)
        .fetch_all(&mut self.writer().await?)
        .await?;
        claimed.sort_by(|a, b| (&a.next_attempt_at, &a.id).cmp(&(&b.next_attempt_at, &b.id)));
        Ok(claimed)
    }

    /// Prolongs those of these recipients that `owner` has. How many there are.
    pub async fn renew_leases(&self, owner: &str, recipient_ids: &[String], lease_until: &str) -> Result<u64, Error> {
        let ids = serde_json::json!(recipient_ids).to_string();
        sql("UPDATE recipients SET lease_until = $2, due_at = $2 WHERE lease_owner = $1 \
             AND id IN (SELECT value FROM json_each($3))")
        .in_postgres(
            "UPDATE recipients SET lease_until = $2, due_at = $2 WHERE lease_owner = $1 \
             AND id IN (SELECT json_array_elements_text($3::json))",
        )
        .bind(owner)
        .bind(lease_until)
        .bind(ids.as_str())
        .execute(&mut self.writer().await?)
        .await
    }

    /// Lets go of all that `owner` has but these: they are due at once, each in its turn. How many there are.
    pub async fn release_leases(&self, owner: &str, but: &[String], now: &str) -> Result<u64, Error> {
        let but = serde_json::json!(but).to_string();
        sql("UPDATE recipients SET lease_owner = NULL, lease_until = NULL, due_at = COALESCE(next_attempt_at, $2) \
             WHERE lease_owner = $1 AND id NOT IN (SELECT value FROM json_each($3))")
        .in_postgres(
            "UPDATE recipients SET lease_owner = NULL, lease_until = NULL, due_at = COALESCE(next_attempt_at, $2) \
             WHERE lease_owner = $1 AND id NOT IN (SELECT json_array_elements_text($3::json))",
        )
        .bind(owner)
        .bind(now)
        .bind(but.as_str())
        .execute(&mut self.writer().await?)
        .await
    }

    /// When somebody must look next for what is due, after a time; at all, when it is empty.
    pub async fn next_due_after(&self, time: &str) -> Result<Option<String>, Error> {
        let found: Option<(String,)> =
            sql("SELECT due_at FROM recipients WHERE due_at IS NOT NULL AND due_at > $1 ORDER BY due_at LIMIT 1")
                .bind(time)
                .fetch_optional(&mut self.reader().await?)
                .await?;
        Ok(found.map(|(due_at,)| due_at))
    }

    /// Writes down that `owner` is about to make an attempt, with the new call that it is; then it may be made. False, and
    /// nothing is written, when it may not: the lease is over or another's, the recipient was canceled or moved to a later
    /// time, or this is not the attempt after its last.
    pub async fn begin_attempt(
        &self,
        owner: &str,
        attempt: &AttemptRow,
        call: &CallRow,
        events: &[EventRow],
    ) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let Some(scheduled) = lock_scheduled_call(&mut transaction, &attempt.recipient_id).await? else {
            return Ok(false);
        };
        let begun = sql("UPDATE recipients SET status = 'in_progress', attempts = $3, reason = NULL WHERE id = $1 \
             AND lease_owner = $2 AND lease_until > $4 AND status = 'pending' AND next_attempt_at <= $4 \
             AND attempts = $3 - 1")
        .bind(&attempt.recipient_id)
        .bind(owner)
        .bind(attempt.attempt)
        .bind(&attempt.created_at)
        .execute(&mut transaction)
        .await?;
        if begun == 0 {
            return Ok(false);
        }
        sql("INSERT INTO attempts (recipient_id, attempt, call_id, created_at) VALUES ($1, $2, $3, $4)")
            .bind(&attempt.recipient_id)
            .bind(attempt.attempt)
            .bind(&attempt.call_id)
            .bind(&attempt.created_at)
            .execute(&mut transaction)
            .await?;
        calls::insert(&mut transaction, call, self.node()).await?;
        refresh_status(&mut transaction, &scheduled.id).await?;
        events::append(&mut transaction, events).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Lets go of a recipient that `owner` has. False, and nothing is written, when it has it no longer.
    pub async fn settle_recipient(
        &self,
        id: &str,
        owner: &str,
        settlement: &Settlement,
        events: &[EventRow],
    ) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let Some(scheduled) = lock_scheduled_call(&mut transaction, id).await? else { return Ok(false) };
        let waits = settlement.status == "pending";
        let (status, next_attempt_at) = match &scheduled.canceled_at {
            Some(_) if waits => ("canceled", None),
            _ => (settlement.status.as_str(), settlement.next_attempt_at.as_deref().filter(|_| waits)),
        };
        let settled = sql("UPDATE recipients SET status = $3, reason = $5, lease_owner = NULL, lease_until = NULL, \
             next_attempt_at = CASE WHEN $3 = 'pending' THEN COALESCE($4, next_attempt_at) END, \
             due_at = CASE WHEN $3 = 'pending' THEN COALESCE($4, next_attempt_at) END \
             WHERE id = $1 AND lease_owner = $2")
        .bind(id)
        .bind(owner)
        .bind(status)
        .bind(next_attempt_at)
        .bind(&settlement.reason)
        .execute(&mut transaction)
        .await?;
        if settled == 0 {
            return Ok(false);
        }
        if let Some(ended) = &settlement.ended {
            sql("UPDATE attempts SET ended_at = $3, end_reason = $4 WHERE recipient_id = $1 AND attempt = $2")
                .bind(id)
                .bind(ended.attempt)
                .bind(&ended.ended_at)
                .bind(&ended.end_reason)
                .execute(&mut transaction)
                .await?;
        }
        refresh_status(&mut transaction, &scheduled.id).await?;
        events::append(&mut transaction, events).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// One recipient.
    pub async fn recipient(&self, id: &str) -> Result<Option<RecipientRow>, Error> {
        sql(recipients!("SELECT", "FROM recipients WHERE id = $1"))
            .bind(id)
            .fetch_optional(&mut self.reader().await?)
            .await
    }

    /// Recipients of a scheduled call by their places; of a page, those after the last place of the one before.
    pub async fn recipients(
        &self,
        scheduled_call_id: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<RecipientRow>, Error> {
        sql(recipients!(
            "SELECT",
            "FROM recipients WHERE scheduled_call_id = $1 AND position > $2 ORDER BY position LIMIT $3"
        ))
        .bind(scheduled_call_id)
        .bind(after)
        .bind(limit)
        .fetch_all(&mut self.reader().await?)
        .await
    }

    /// The attempts to reach any recipient of a scheduled call, first to last for each.
    pub async fn attempts_of(&self, scheduled_call_id: &str) -> Result<Vec<AttemptRow>, Error> {
        sql("SELECT recipient_id, attempt, call_id, created_at, ended_at, end_reason FROM attempts \
             JOIN recipients ON recipients.id = recipient_id WHERE scheduled_call_id = $1 ORDER BY position, attempt")
        .bind(scheduled_call_id)
        .fetch_all(&mut self.reader().await?)
        .await
    }

    /// The attempts to reach a recipient, first to last.
    pub async fn attempts(&self, recipient_id: &str) -> Result<Vec<AttemptRow>, Error> {
        sql("SELECT recipient_id, attempt, call_id, created_at, ended_at, end_reason FROM attempts \
             WHERE recipient_id = $1 ORDER BY attempt")
        .bind(recipient_id)
        .fetch_all(&mut self.reader().await?)
        .await
    }
}

/// What of a scheduled call decides about its recipients.
#[derive(Debug, sqlx::FromRow)]
struct Scheduled {
    id: String,
    canceled_at: Option<String>,
}

/// The scheduled call of a recipient. Whatever changes its status locks it first, so that no two deadlock and none
/// overlooks the other.
async fn lock_scheduled_call(transaction: &mut Transaction, recipient_id: &str) -> Result<Option<Scheduled>, Error> {
    sql("SELECT id, canceled_at FROM scheduled_calls \
         WHERE id = (SELECT scheduled_call_id FROM recipients WHERE recipients.id = $1)")
    .in_postgres(
        "SELECT id, canceled_at FROM scheduled_calls \
         WHERE id = (SELECT scheduled_call_id FROM recipients WHERE recipients.id = $1) FOR UPDATE",
    )
    .bind(recipient_id)
    .fetch_optional(transaction)
    .await
}

pub(crate) async fn insert(transaction: &mut Transaction, row: &RecipientRow) -> Result<(), Error> {
    sql("INSERT INTO recipients (id, scheduled_call_id, position, to_party, status, facts_json, priority, \
         next_attempt_at, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)")
    .bind(&row.id)
    .bind(&row.scheduled_call_id)
    .bind(row.position)
    .bind(&row.to)
    .bind(&row.status)
    .bind(&row.facts_json)
    .bind(row.priority)
    .bind(&row.next_attempt_at)
    .execute(transaction)
    .await?;
    Ok(())
}
