//! The journal of events.

use crate::statement::{Transaction, sql};
use crate::{Error, Store};

/// One event. The ids of a journal grow with time; `body` is kept and handed out byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct EventRow {
    /// `evt_…`.
    pub id: String,
    /// The call it tells of, if any.
    pub call_id: Option<String>,
    /// The event as JSON.
    pub body: String,
}

impl Store {
    /// Keeps events that tell of no change of a record.
    pub async fn append_events(&self, events: &[EventRow]) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        append(&mut transaction, events).await?;
        transaction.commit().await
    }

    /// Events after an id (all, when it is empty), oldest first.
    pub async fn events_after(&self, id: &str, call_id: Option<&str>, limit: u32) -> Result<Vec<EventRow>, Error> {
        let query = match call_id {
            Some(call_id) => {
                sql("SELECT id, call_id, body FROM events WHERE call_id = $1 AND id > $2 ORDER BY id LIMIT $3")
                    .bind(call_id)
                    .bind(id)
            }
            None => sql("SELECT id, call_id, body FROM events WHERE id > $1 ORDER BY id LIMIT $2").bind(id),
        };
        query.bind(limit).fetch_all(&mut self.reader().await?).await
    }

    /// One event.
    pub async fn event(&self, id: &str) -> Result<Option<EventRow>, Error> {
        sql("SELECT id, call_id, body FROM events WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut self.reader().await?)
            .await
    }

    /// The newest event of one call.
    pub async fn last_event_of(&self, call_id: &str) -> Result<Option<EventRow>, Error> {
        sql("SELECT id, call_id, body FROM events WHERE call_id = $1 ORDER BY id DESC LIMIT 1")
            .bind(call_id)
            .fetch_optional(&mut self.reader().await?)
            .await
    }

    /// The id of the newest event.
    pub async fn last_event_id(&self) -> Result<Option<String>, Error> {
        let newest: Option<(Option<String>,)> =
            sql("SELECT MAX(id) FROM events").fetch_optional(&mut self.reader().await?).await?;
        Ok(newest.and_then(|(id,)| id))
    }
}

pub(crate) async fn append(transaction: &mut Transaction, events: &[EventRow]) -> Result<(), Error> {
    for event in events {
        sql("INSERT INTO events (id, call_id, body) VALUES ($1, $2, $3)")
            .bind(&event.id)
            .bind(&event.call_id)
            .bind(&event.body)
            .execute(&mut *transaction)
            .await?;
    }
    Ok(())
}
