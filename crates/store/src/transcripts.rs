//! Transcripts.

use crate::statement::sql;
use crate::{Error, EventRow, Store, events};

/// One thing said.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TranscriptRow {
    /// From the answer to its beginning.
    pub at_ms: i64,
    /// From the answer to its end.
    pub end_ms: i64,
    /// `agent`, `callee` or `operator`.
    pub speaker: String,
    /// The words.
    pub text: String,
}

impl Store {
    /// Appends one thing said, and tells of it; of one call, one at a time.
    pub async fn append_transcript(
        &self,
        call_id: &str,
        row: &TranscriptRow,
        events: &[EventRow],
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sql("INSERT INTO transcript_entries (call_id, position, at_ms, end_ms, speaker, text) \
             SELECT $1, COALESCE(MAX(position), 0) + 1, $2, $3, $4, $5 FROM transcript_entries WHERE call_id = $1")
        .bind(call_id)
        .bind(row.at_ms)
        .bind(row.end_ms)
        .bind(&row.speaker)
        .bind(&row.text)
        .execute(&mut transaction)
        .await?;
        events::append(&mut transaction, events).await?;
        transaction.commit().await
    }

    /// Deletes what was said on calls that ended at `until` or before, and their events, of so many calls at most, and
    /// notes when. How many calls there were.
    pub async fn delete_words_until(&self, until: &str, now: &str, calls: u32) -> Result<usize, Error> {
        let mut transaction = self.begin().await?;
        let ended: Vec<(String,)> = sql("UPDATE calls SET words_deleted_at = $2 WHERE id IN (SELECT id FROM calls \
             WHERE words_deleted_at IS NULL AND ended_at <= $1 ORDER BY ended_at LIMIT $3) RETURNING id")
        .bind(until)
        .bind(now)
        .bind(calls)
        .fetch_all(&mut transaction)
        .await?;
        for (id,) in &ended {
            sql("DELETE FROM transcript_entries WHERE call_id = $1").bind(id).execute(&mut transaction).await?;
            sql("DELETE FROM events WHERE call_id = $1").bind(id).execute(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(ended.len())
    }

    /// All that was said on a call, in the order it was said.
    pub async fn transcript(&self, call_id: &str) -> Result<Vec<TranscriptRow>, Error> {
        sql("SELECT at_ms, end_ms, speaker, text FROM transcript_entries WHERE call_id = $1 ORDER BY at_ms, position")
            .bind(call_id)
            .fetch_all(&mut self.reader().await?)
            .await
    }
}
