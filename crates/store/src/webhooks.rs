//! Webhooks: who is told of events by HTTP, and how far. What becomes of each event is in `deliveries.rs`.
//!
//! Events up to the cursor have been seen to; what follows it waits in the journal, not here. Whoever leases a webhook
//! is the only one that sends for it, and renews that while it works.

use crate::statement::sql;
use crate::{Error, EventRow, IdempotentRow, Store, events, idempotency};

/// Somebody who is told of events.
#[derive(Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct WebhookRow {
    /// `hook_…`; sorts by time.
    pub id: String,
    /// Where.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// Types of events; of none, all.
    pub events_json: String,
    /// What signatures are made with.
    pub secret: Vec<u8>,
    /// What they are made with besides, until `previous_until`.
    pub previous_secret: Option<Vec<u8>>,
    /// Until when.
    pub previous_until: Option<String>,
    /// Events up to this id have been seen to.
    pub cursor: String,
    /// Attempts in a row that failed.
    pub failures: i64,
    /// Nothing is sent before.
    pub retry_at: Option<String>,
    /// What went wrong last, while it does.
    pub error: Option<String>,
    /// Since when nothing is sent at all.
    pub disabled_at: Option<String>,
    /// Why.
    pub disabled_reason: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it was changed last.
    pub updated_at: String,
}

/// Secrets are not shown.
impl std::fmt::Debug for WebhookRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookRow")
            .field("id", &self.id)
            .field("url", &self.url)
            .field("cursor", &self.cursor)
            .field("failures", &self.failures)
            .field("retry_at", &self.retry_at)
            .field("disabled_at", &self.disabled_at)
            .finish_non_exhaustive()
    }
}

/// How far a webhook has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `WebhookRow`")]
pub struct WebhookProgress {
    pub cursor: String,
    pub failures: i64,
    pub retry_at: Option<String>,
    pub error: Option<String>,
}

/// Webhooks, before what says which.
macro_rules! select_webhooks {
    ($which:literal) => {
        concat!(
            "SELECT id, url, description, events_json, secret, previous_secret, previous_until, cursor, failures, \
             retry_at, error, disabled_at, disabled_reason, created_at, updated_at FROM webhooks ",
            $which
        )
    };
}

impl Store {
    /// Keeps a new webhook and, in the same transaction, the answer to the idempotent request for it. False, and nothing
    /// is written, when there are `most` already.
    pub async fn insert_webhook(
        &self,
        row: &WebhookRow,
        most: u32,
        request: Option<&IdempotentRow>,
    ) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let inserted = sql("INSERT INTO webhooks (id, url, description, events_json, secret, cursor, created_at, \
             updated_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE (SELECT COUNT(*) FROM webhooks) < $9")
        .bind(&row.id)
        .bind(&row.url)
        .bind(&row.description)
        .bind(&row.events_json)
        .bind(&row.secret)
        .bind(&row.cursor)
        .bind(&row.created_at)
        .bind(&row.updated_at)
        .bind(most)
        .execute(&mut transaction)
        .await?;
        if inserted == 0 {
            return Ok(false);
        }
        if let Some(request) = request {
            idempotency::insert(&mut transaction, request).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Changes where, what for, of what, and whether events are sent. One that is enabled, or has moved, is tried at
    /// once. False when there is none.
    pub async fn update_webhook(&self, row: &WebhookRow) -> Result<bool, Error> {
        let changed = sql("UPDATE webhooks SET url = $2, description = $3, events_json = $4, disabled_at = $5, \
             disabled_reason = $6, updated_at = $7, failures = 0, retry_at = NULL, error = NULL WHERE id = $1")
        .bind(&row.id)
        .bind(&row.url)
        .bind(&row.description)
        .bind(&row.events_json)
        .bind(&row.disabled_at)
        .bind(&row.disabled_reason)
        .bind(&row.updated_at)
        .execute(&mut self.writer().await?)
        .await?;
        Ok(changed == 1)
    }

    /// Gives a webhook a new secret; the one it had is good until `previous_until`. The answer to the idempotent request
    /// for it is kept in the same transaction. False when there is none.
    pub async fn rotate_webhook_secret(
        &self,
        id: &str,
        secret: &[u8],
        previous_until: &str,
        now: &str,
        request: Option<&IdempotentRow>,
    ) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let changed = sql("UPDATE webhooks SET previous_secret = secret, previous_until = $3, secret = $2, \
             updated_at = $4 WHERE id = $1")
        .bind(id)
        .bind(secret)
        .bind(previous_until)
        .bind(now)
        .execute(&mut transaction)
        .await?;
        if changed == 0 {
            return Ok(false);
        }
        if let Some(request) = request {
            idempotency::insert(&mut transaction, request).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Forgets secrets that were good until now.
    pub async fn forget_webhook_secrets_until(&self, now: &str) -> Result<u64, Error> {
        sql("UPDATE webhooks SET previous_secret = NULL, previous_until = NULL WHERE previous_until <= $1")
            .bind(now)
            .execute(&mut self.writer().await?)
            .await
    }

    /// Deletes a webhook with its deliveries. False when there is none.
    pub async fn delete_webhook(&self, id: &str) -> Result<bool, Error> {
        let deleted = sql("DELETE FROM webhooks WHERE id = $1").bind(id).execute(&mut self.writer().await?).await?;
        Ok(deleted == 1)
    }

    /// Sends nothing more to a webhook, and tells of it. False when it was disabled before, or is not there.
    pub async fn disable_webhook(&self, id: &str, reason: &str, now: &str, events: &[EventRow]) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let disabled = sql("UPDATE webhooks SET disabled_at = $2, disabled_reason = $3, updated_at = $2 \
             WHERE id = $1 AND disabled_at IS NULL")
        .bind(id)
        .bind(now)
        .bind(reason)
        .execute(&mut transaction)
        .await?;
        if disabled == 0 {
            return Ok(false);
        }
        events::append(&mut transaction, events).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Leases all webhooks to `owner` that are enabled and nobody else has; again renews. Their ids.
    pub async fn claim_webhooks(&self, owner: &str, now: &str, lease_until: &str) -> Result<Vec<String>, Error> {
        let ids: Vec<(String,)> = sql("UPDATE webhooks SET lease_owner = $1, lease_until = $3 \
             WHERE disabled_at IS NULL AND (lease_owner IS NULL OR lease_owner = $1 OR lease_until <= $2) RETURNING id")
        .bind(owner)
        .bind(now)
        .bind(lease_until)
        .fetch_all(&mut self.writer().await?)
        .await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    /// Notes how far a webhook has come since it was read. False, and nothing is written, when somebody has moved its
    /// cursor or forgiven its failures meanwhile, or somebody else has it.
    pub async fn advance_webhook(
        &self,
        from: &WebhookRow,
        owner: &str,
        progress: &WebhookProgress,
    ) -> Result<bool, Error> {
        let advanced = sql("UPDATE webhooks SET cursor = $5, failures = $6, retry_at = $7, error = $8 \
             WHERE id = $1 AND lease_owner = $2 AND cursor = $3 AND failures = $4")
        .bind(&from.id)
        .bind(owner)
        .bind(&from.cursor)
        .bind(from.failures)
        .bind(&progress.cursor)
        .bind(progress.failures)
        .bind(&progress.retry_at)
        .bind(&progress.error)
        .execute(&mut self.writer().await?)
        .await?;
        Ok(advanced == 1)
    }

    /// Sends again all events after an id, where they have been seen to. False, and nothing is written, when none has.
    pub async fn replay_webhook(&self, id: &str, after: &str) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let moved = sql("UPDATE webhooks SET cursor = $2, failures = 0, retry_at = NULL, error = NULL WHERE id = $1 AND cursor > $2")
            .bind(id)
            .bind(after)
            .execute(&mut transaction)
            .await?;
        if moved == 0 {
            return Ok(false);
        }
        sql("DELETE FROM deliveries WHERE webhook_id = $1 AND event_id > $2")
            .bind(id)
            .bind(after)
            .execute(&mut transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// One webhook.
    pub async fn webhook(&self, id: &str) -> Result<Option<WebhookRow>, Error> {
        sql(select_webhooks!("WHERE id = $1")).bind(id).fetch_optional(&mut self.reader().await?).await
    }

    /// Webhooks, newest first; of a page, those older than the last of the one before.
    pub async fn webhooks(&self, before: Option<&str>, limit: u32) -> Result<Vec<WebhookRow>, Error> {
        sql(select_webhooks!("WHERE ($1 IS NULL OR id < $1) ORDER BY id DESC LIMIT $2"))
            .bind(before)
            .bind(limit)
            .fetch_all(&mut self.reader().await?)
            .await
    }
}
