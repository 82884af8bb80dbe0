//! Keys of the API, hashed.

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
        let mut transaction = self.writer.begin().await?;
        for key in stale_names(&mut transaction, keys).await? {
            sqlx::query("DELETE FROM api_keys WHERE name = ?").bind(key).execute(&mut *transaction).await?;
        }
        for key in keys {
            sqlx::query(
                "INSERT INTO api_keys (name, role, sha256, created_at) VALUES (?, ?, ?, ?) \
                 ON CONFLICT (name) DO UPDATE SET role = excluded.role, sha256 = excluded.sha256",
            )
            .bind(&key.name)
            .bind(&key.role)
            .bind(&key.sha256)
            .bind(&key.created_at)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// All keys, by name.
    pub async fn keys(&self) -> Result<Vec<KeyRow>, Error> {
        Ok(sqlx::query_as("SELECT * FROM api_keys ORDER BY name").fetch_all(&self.readers).await?)
    }
}

/// The names that are kept and are not among these keys.
async fn stale_names(connection: &mut sqlx::SqliteConnection, keys: &[KeyRow]) -> Result<Vec<String>, Error> {
    let kept: Vec<String> = sqlx::query_scalar("SELECT name FROM api_keys").fetch_all(connection).await?;
    Ok(kept.into_iter().filter(|name| keys.iter().all(|key| key.name != *name)).collect())
}
