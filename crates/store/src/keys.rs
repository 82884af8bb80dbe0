//! Keys of the API, hashed.

use crate::statement::{Transaction, sql};
use crate::{Error, Store};

/// One key. The key itself is never kept.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct KeyRow {
    /// Its name in configuration and logs.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// SHA-256 of the key.
    pub sha256: Vec<u8>,
    /// When it was first seen.
    pub created_at: String,
}

impl Store {
    /// Makes these the only keys. A key that keeps its name keeps its `created_at`.
    pub async fn replace_keys(&self, keys: &[KeyRow]) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        for key in stale_names(&mut transaction, keys).await? {
            sql("DELETE FROM api_keys WHERE name = $1").bind(&key).execute(&mut transaction).await?;
        }
        for key in keys {
            sql("INSERT INTO api_keys (name, role, sha256, created_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (name) DO UPDATE SET role = excluded.role, sha256 = excluded.sha256")
            .bind(&key.name)
            .bind(&key.role)
            .bind(&key.sha256)
            .bind(&key.created_at)
            .execute(&mut transaction)
            .await?;
        }
        transaction.commit().await
    }

    /// All keys, by name.
    pub async fn keys(&self) -> Result<Vec<KeyRow>, Error> {
        sql("SELECT name, role, sha256, created_at FROM api_keys ORDER BY name")
            .fetch_all(&mut self.reader().await?)
            .await
    }
}

/// The names that are kept and are not among these keys.
async fn stale_names(transaction: &mut Transaction, keys: &[KeyRow]) -> Result<Vec<String>, Error> {
    let kept: Vec<(String,)> = sql("SELECT name FROM api_keys").fetch_all(transaction).await?;
    Ok(kept.into_iter().map(|(name,)| name).filter(|name| keys.iter().all(|key| key.name != *name)).collect())
}
