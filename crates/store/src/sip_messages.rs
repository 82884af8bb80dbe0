//! SIP messages of calls that have ended.

use crate::statement::sql;
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
        let mut transaction = self.begin().await?;
        for row in rows {
            sql("INSERT INTO sip_messages (call_id, number, at_us, sent, transport, local, remote, message) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (call_id, number) DO UPDATE SET \
                 at_us = excluded.at_us, sent = excluded.sent, transport = excluded.transport, \
                 local = excluded.local, remote = excluded.remote, message = excluded.message")
            .bind(call_id)
            .bind(row.number)
            .bind(row.at_us)
            .bind(row.sent)
            .bind(&row.transport)
            .bind(&row.local)
            .bind(&row.remote)
            .bind(&row.message)
            .execute(&mut transaction)
            .await?;
        }
        transaction.commit().await
    }

    /// The messages of a call, oldest first.
    pub async fn sip_messages(&self, call_id: &str) -> Result<Vec<SipMessageRow>, Error> {
        sql("SELECT number, at_us, sent, transport, local, remote, message FROM sip_messages WHERE call_id = $1 \
             ORDER BY number")
        .bind(call_id)
        .fetch_all(&mut self.reader().await?)
        .await
    }

    /// Deletes the messages of calls that ended at `time` or before, of so many calls at most. How many there were.
    pub async fn delete_sip_messages_until(&self, time: &str, calls: u32) -> Result<u64, Error> {
        sql("DELETE FROM sip_messages WHERE call_id IN (SELECT DISTINCT call_id FROM sip_messages \
             JOIN calls ON calls.id = sip_messages.call_id WHERE calls.ended_at <= $1 LIMIT $2)")
        .bind(time)
        .bind(calls)
        .execute(&mut self.writer().await?)
        .await
    }
}
