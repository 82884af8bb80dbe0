//! Prompts.

use crate::statement::sql;
use crate::{Error, IdempotentRow, Store, idempotency};

/// A prompt. Whoever uses one copies its texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct PromptRow {
    /// `prompt_…`; sorts by time.
    pub id: String,
    /// What the agent is told.
    pub content: String,
    /// What it says first.
    pub introduction: Option<String>,
    /// The variables in its texts.
    pub variables_json: String,
    /// When it was made.
    pub created_at: String,
    /// When it was changed last.
    pub updated_at: String,
}

impl Store {
    /// Keeps a new prompt and, in the same transaction, the answer to the idempotent request for it.
    pub async fn insert_prompt(&self, row: &PromptRow, request: Option<&IdempotentRow>) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sql("INSERT INTO prompts (id, content, introduction, variables_json, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(&row.id)
        .bind(&row.content)
        .bind(&row.introduction)
        .bind(&row.variables_json)
        .bind(&row.created_at)
        .bind(&row.updated_at)
        .execute(&mut transaction)
        .await?;
        if let Some(request) = request {
            idempotency::insert(&mut transaction, request).await?;
        }
        transaction.commit().await
    }

    /// Changes all but the id and the time it was made. False when there is none.
    pub async fn update_prompt(&self, row: &PromptRow) -> Result<bool, Error> {
        let changed = sql("UPDATE prompts SET content = $2, introduction = $3, variables_json = $4, updated_at = $5 \
             WHERE id = $1")
        .bind(&row.id)
        .bind(&row.content)
        .bind(&row.introduction)
        .bind(&row.variables_json)
        .bind(&row.updated_at)
        .execute(&mut self.writer().await?)
        .await?;
        Ok(changed == 1)
    }

    /// Deletes a prompt. False when there is none.
    pub async fn delete_prompt(&self, id: &str) -> Result<bool, Error> {
        let deleted = sql("DELETE FROM prompts WHERE id = $1").bind(id).execute(&mut self.writer().await?).await?;
        Ok(deleted == 1)
    }

    /// One prompt.
    pub async fn prompt(&self, id: &str) -> Result<Option<PromptRow>, Error> {
        sql("SELECT id, content, introduction, variables_json, created_at, updated_at FROM prompts WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut self.reader().await?)
            .await
    }

    /// Prompts, newest first; of a page, those older than the last of the one before.
    pub async fn prompts(&self, before: Option<&str>, limit: u32) -> Result<Vec<PromptRow>, Error> {
        sql("SELECT id, content, introduction, variables_json, created_at, updated_at FROM prompts \
             WHERE ($1 IS NULL OR id < $1) ORDER BY id DESC LIMIT $2")
        .bind(before)
        .bind(limit)
        .fetch_all(&mut self.reader().await?)
        .await
    }
}
