//! Files of recordings, and what has become of them.

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
}

impl Store {
    /// Recordings of calls that ended at `time` or before, oldest first.
    pub async fn recordings_until(&self, time: &str, limit: u32) -> Result<Vec<RecordingRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT id, recording FROM calls WHERE recording IS NOT NULL AND ended_at <= ? ORDER BY ended_at, id LIMIT ?",
        )
        .bind(time)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?)
    }

    /// Notes that the recording of a call was deleted.
    pub async fn recording_deleted(&self, call_id: &str, time: &str) -> Result<(), Error> {
        sqlx::query(
            "UPDATE calls SET recording = NULL, recording_deleted_at = ? WHERE id = ? AND recording IS NOT NULL",
        )
        .bind(time)
        .bind(call_id)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
