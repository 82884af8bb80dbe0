//! Answers to idempotent requests.

use crate::statement::{Link, sql};
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
        sql("SELECT api_key, key, digest, status, location, body, created_at FROM idempotent_requests \
             WHERE api_key = $1 AND key = $2")
        .bind(api_key)
        .bind(key)
        .fetch_optional(&mut self.reader().await?)
        .await
    }

    /// Keeps an answer.
    pub async fn insert_idempotent_request(&self, row: &IdempotentRow) -> Result<(), Error> {
        insert(&mut self.writer().await?, row).await
    }

    /// Forgets answers given before a time.
    pub async fn forget_idempotent_requests_before(&self, time: &str) -> Result<u64, Error> {
        sql("DELETE FROM idempotent_requests WHERE created_at < $1").bind(time).execute(&mut self.writer().await?).await
    }
}

pub(crate) async fn insert(on: impl Into<Link<'_>>, row: &IdempotentRow) -> Result<(), Error> {
    sql("INSERT INTO idempotent_requests (api_key, key, digest, status, location, body, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .bind(&row.api_key)
    .bind(&row.key)
    .bind(&row.digest)
    .bind(row.status)
    .bind(&row.location)
    .bind(&row.body)
    .bind(&row.created_at)
    .execute(on)
    .await?;
    Ok(())
}
