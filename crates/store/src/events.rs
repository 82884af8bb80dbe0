//! The journal of events.

use sqlx::SqliteConnection;

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
        let mut transaction = self.writer.begin().await?;
        append(&mut transaction, events).await?;
        Ok(transaction.commit().await?)
    }

    /// Events after an id (all, when it is empty), oldest first.
    pub async fn events_after(&self, id: &str, call_id: Option<&str>, limit: u32) -> Result<Vec<EventRow>, Error> {
        let query = match call_id {
            Some(call_id) => sqlx::query_as(
                "SELECT id, call_id, body FROM events WHERE call_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
            )
            .bind(call_id),
            None => {
                sqlx::query_as("SELECT id, call_id, body FROM events WHERE ?1 IS NULL AND id > ?2 ORDER BY id LIMIT ?3")
                    .bind(None::<&str>)
            }
        };
        Ok(query.bind(id).bind(limit).fetch_all(&self.readers).await?)
    }

    /// The newest event of one call.
    pub async fn last_event_of(&self, call_id: &str) -> Result<Option<EventRow>, Error> {
        Ok(sqlx::query_as("SELECT id, call_id, body FROM events WHERE call_id = ? ORDER BY id DESC LIMIT 1")
            .bind(call_id)
            .fetch_optional(&self.readers)
            .await?)
    }

    /// The id of the newest event.
    pub async fn last_event_id(&self) -> Result<Option<String>, Error> {
        Ok(sqlx::query_scalar("SELECT MAX(id) FROM events").fetch_one(&self.readers).await?)
    }
}

pub(crate) async fn append(connection: &mut SqliteConnection, events: &[EventRow]) -> Result<(), Error> {
    for event in events {
        sqlx::query("INSERT INTO events (id, call_id, body) VALUES (?, ?, ?)")
            .bind(&event.id)
            .bind(&event.call_id)
            .bind(&event.body)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
