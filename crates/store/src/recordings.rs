//! Files of recordings, and what has become of them.

use crate::statement::sql;
use crate::{Error, Store};

/// The recording of one call.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct RecordingRow {
    /// The call.
    #[sqlx(rename = "id")]
    pub call_id: String,
    /// Path of the file.
    #[sqlx(rename = "recording")]
    pub path: String,
    /// When the call ended.
    pub ended_at: String,
}

impl Store {
    /// Recordings of this node's calls that ended at `time` or before, oldest first; of a page, those `after` the last
    /// of the one before.
    pub async fn recordings_until(
        &self,
        time: &str,
        after: Option<&RecordingRow>,
        limit: u32,
    ) -> Result<Vec<RecordingRow>, Error> {
        sql("SELECT id, recording, ended_at FROM calls WHERE recording IS NOT NULL AND ended_at <= $1 AND node = $5 \
             AND ($2 IS NULL OR (ended_at, id) > ($2, $3)) ORDER BY ended_at, id LIMIT $4")
        .bind(time)
        .bind(after.map(|row| &row.ended_at))
        .bind(after.map(|row| &row.call_id))
        .bind(limit)
        .bind(self.node())
        .fetch_all(&mut self.reader().await?)
        .await
    }

    /// Notes that the recording of a call was deleted.
    pub async fn recording_deleted(&self, call_id: &str, time: &str) -> Result<(), Error> {
        sql("UPDATE calls SET recording = NULL, recording_deleted_at = $1 WHERE id = $2 AND recording IS NOT NULL")
            .bind(time)
            .bind(call_id)
            .execute(&mut self.writer().await?)
            .await?;
        Ok(())
    }
}
