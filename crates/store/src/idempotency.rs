//! Answers to idempotent requests.

use sqlx::SqliteConnection;

use crate::{Error, Store};

/// The answer once given to a request that carried an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct IdempotentRow {
    /// Name of the API key that asked: one client cannot see another's answers.
    pub api_key: String,
    /// The idempotency key.
    pub key: String,
    /// Digest of the request.
    pub digest: Vec<u8>,
    /// Status of the answer.
    pub status: i64,
    /// `Location` of the answer.
    pub location: Option<String>,
    /// Body of the answer.
    pub body: String,
    /// When.
    pub created_at: String,
}

impl Store {
    /// The answer given before, if any.
    pub async fn idempotent_request(&self, api_key: &str, key: &str) -> Result<Option<IdempotentRow>, Error> {
        Ok(sqlx::query_as("SELECT * FROM idempotent_requests WHERE api_key = ? AND key = ?")
            .bind(api_key)
            .bind(key)
            .fetch_optional(&self.readers)
            .await?)
    }

    /// Keeps an answer.
    pub async fn insert_idempotent_request(&self, row: &IdempotentRow) -> Result<(), Error> {
        let mut connection = self.writer.acquire().await?;
        insert(&mut connection, row).await
    }

    /// Forgets answers given before a time.
    pub async fn forget_idempotent_requests_before(&self, time: &str) -> Result<u64, Error> {
        let forgotten = sqlx::query("DELETE FROM idempotent_requests WHERE created_at < ?")
            .bind(time)
            .execute(&self.writer)
            .await?;
        Ok(forgotten.rows_affected())
    }
}

pub(crate) async fn insert(connection: &mut SqliteConnection, row: &IdempotentRow) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO idempotent_requests (api_key, key, digest, status, location, body, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.api_key)
    .bind(&row.key)
    .bind(&row.digest)
    .bind(row.status)
    .bind(&row.location)
    .bind(&row.body)
    .bind(&row.created_at)
    .execute(connection)
    .await?;
    Ok(())
}
