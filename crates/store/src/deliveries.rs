//! Deliveries: what became of an event for a webhook.
//!
//! An event after the cursor of its webhook has none yet. One that was not taken is `pending` until it is, or is given
//! up. Of what is over, the newest are kept, to be looked at.

use crate::statement::sql;
use crate::{Error, Store};

/// One event for one webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct DeliveryRow {
    /// The webhook.
    pub webhook_id: String,
    /// The event; its bytes are in the journal.
    pub event_id: String,
    /// The call it tells of, if any: events of one are sent in their order.
    pub call_id: Option<String>,
    /// `pending`, `delivered` or `failed`.
    pub status: String,
    /// How often it was sent.
    pub attempts: i64,
    /// When it was sent first.
    pub first_attempt_at: Option<String>,
    /// When it was sent last.
    pub last_attempt_at: Option<String>,
    /// When to try next; while `pending`.
    pub next_attempt_at: Option<String>,
    /// What they answered last.
    pub response_status: Option<i64>,
    /// Why it was not taken.
    pub error: Option<String>,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only with this status.
    pub status: Option<String>,
    /// Only of events before this id.
    pub before: Option<String>,
}

/// Deliveries, before what says which.
macro_rules! select_deliveries {
    ($which:literal) => {
        concat!(
            "SELECT webhook_id, event_id, call_id, status, attempts, first_attempt_at, last_attempt_at, \
             next_attempt_at, response_status, error FROM deliveries WHERE webhook_id = $1 ",
            $which
        )
    };
}

impl Store {
    /// Keeps what became of an event, instead of what was kept of it before; of a webhook that is no longer there,
    /// nothing.
    pub async fn keep_delivery(&self, row: &DeliveryRow) -> Result<(), Error> {
        sql("INSERT INTO deliveries (webhook_id, event_id, call_id, status, attempts, first_attempt_at, \
             last_attempt_at, next_attempt_at, response_status, error) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 \
             WHERE EXISTS (SELECT 1 FROM webhooks WHERE id = $1) \
             ON CONFLICT (webhook_id, event_id) DO UPDATE SET status = excluded.status, attempts = excluded.attempts, \
             first_attempt_at = excluded.first_attempt_at, last_attempt_at = excluded.last_attempt_at, \
             next_attempt_at = excluded.next_attempt_at, response_status = excluded.response_status, \
             error = excluded.error")
        .bind(&row.webhook_id)
        .bind(&row.event_id)
        .bind(&row.call_id)
        .bind(&row.status)
        .bind(row.attempts)
        .bind(&row.first_attempt_at)
        .bind(&row.last_attempt_at)
        .bind(&row.next_attempt_at)
        .bind(row.response_status)
        .bind(&row.error)
        .execute(&mut self.writer().await?)
        .await?;
        Ok(())
    }

    /// One delivery.
    pub async fn delivery(&self, webhook_id: &str, event_id: &str) -> Result<Option<DeliveryRow>, Error> {
        sql(select_deliveries!("AND event_id = $2"))
            .bind(webhook_id)
            .bind(event_id)
            .fetch_optional(&mut self.reader().await?)
            .await
    }

    /// Deliveries of a webhook, those of the newest events first.
    pub async fn deliveries(
        &self,
        webhook_id: &str,
        filter: &DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, Error> {
        sql(select_deliveries!(
            "AND ($2 IS NULL OR status = $2) AND ($3 IS NULL OR event_id < $3) ORDER BY event_id DESC LIMIT $4"
        ))
        .bind(webhook_id)
        .bind(&filter.status)
        .bind(&filter.before)
        .bind(limit)
        .fetch_all(&mut self.reader().await?)
        .await
    }

    /// What waits to be sent again, in the order of its events.
    pub async fn pending_deliveries(&self, webhook_id: &str, limit: u32) -> Result<Vec<DeliveryRow>, Error> {
        sql(select_deliveries!("AND status = 'pending' ORDER BY event_id LIMIT $2"))
            .bind(webhook_id)
            .bind(limit)
            .fetch_all(&mut self.reader().await?)
            .await
    }

    /// Events after an id that have been seen to already.
    pub async fn delivered_after(&self, webhook_id: &str, event_id: &str) -> Result<Vec<String>, Error> {
        let ids: Vec<(String,)> = sql("SELECT event_id FROM deliveries WHERE webhook_id = $1 AND event_id > $2")
            .bind(webhook_id)
            .bind(event_id)
            .fetch_all(&mut self.reader().await?)
            .await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    /// What waits for a later time is to be sent at this one.
    pub async fn hasten_deliveries(&self, webhook_id: &str, now: &str) -> Result<u64, Error> {
        sql("UPDATE deliveries SET next_attempt_at = $2 \
             WHERE webhook_id = $1 AND status = 'pending' AND next_attempt_at > $2")
        .bind(webhook_id)
        .bind(now)
        .execute(&mut self.writer().await?)
        .await
    }

    /// Forgets what is over, but for that of the newest events, so many, and of events after the cursor. How many there
    /// were.
    pub async fn trim_deliveries(&self, webhook_id: &str, keep: u32) -> Result<u64, Error> {
        sql("DELETE FROM deliveries WHERE webhook_id = $1 AND status <> 'pending' \
             AND event_id <= (SELECT cursor FROM webhooks WHERE id = $1) \
             AND event_id <= (SELECT event_id FROM deliveries WHERE webhook_id = $1 AND status <> 'pending' \
             ORDER BY event_id DESC LIMIT 1 OFFSET $2)")
        .bind(webhook_id)
        .bind(keep)
        .execute(&mut self.writer().await?)
        .await
    }
}
