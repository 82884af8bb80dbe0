//! SIP messages of calls that have ended.

use crate::{Error, Store};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SipMessageRow {
    /// Its place in the call, from 1.
    pub number: i64,
    /// Microseconds since 1970.
    pub at_us: i64,
    /// Whether we sent it.
    pub sent: bool,
    /// `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// Our address and port.
    pub local: String,
    /// The peer's.
    pub remote: String,
    /// Its bytes.
    pub message: Vec<u8>,
}

impl Store {
    /// Keeps the messages of a call; again does no harm.
    pub async fn keep_sip_messages(&self, call_id: &str, rows: &[SipMessageRow]) -> Result<(), Error> {
        let mut transaction = self.writer.begin().await?;
        for row in rows {
            sqlx::query(
                "INSERT OR REPLACE INTO sip_messages (call_id, number, at_us, sent, transport, local, remote, message) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(call_id)
            .bind(row.number)
            .bind(row.at_us)
            .bind(row.sent)
            .bind(&row.transport)
            .bind(&row.local)
            .bind(&row.remote)
            .bind(&row.message)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The messages of a call, oldest first.
    pub async fn sip_messages(&self, call_id: &str) -> Result<Vec<SipMessageRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT number, at_us, sent, transport, local, remote, message FROM sip_messages WHERE call_id = ? \
             ORDER BY number",
        )
        .bind(call_id)
        .fetch_all(&self.readers)
        .await?)
    }

    /// Deletes the messages of calls that ended at `time` or before, of so many calls at most. How many there were.
    pub async fn delete_sip_messages_until(&self, time: &str, calls: u32) -> Result<u64, Error> {
        let deleted = sqlx::query(
            "DELETE FROM sip_messages WHERE call_id IN (SELECT DISTINCT call_id FROM sip_messages \
             JOIN calls ON calls.id = sip_messages.call_id WHERE calls.ended_at <= ? LIMIT ?)",
        )
        .bind(time)
        .bind(calls)
        .execute(&self.writer)
        .await?;
        Ok(deleted.rows_affected())
    }
}
