//! Numbers that are called, and who answers.

use crate::statement::sql;
use crate::{Error, IdempotentRow, Store, idempotency};

/// A number.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct NumberRow {
    /// `+` and digits, an extension or a user name.
    pub number: String,
    /// The trunk by which it comes, by name.
    pub trunk: String,
    /// The agent that answers, if any.
    pub agent_id: Option<String>,
    /// When it was made.
    pub created_at: String,
}

impl Store {
    /// Keeps a new number and, in the same transaction, the answer to the idempotent request for it. [`Error::Taken`]
    /// when it is there.
    pub async fn insert_number(&self, row: &NumberRow, request: Option<&IdempotentRow>) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sql("INSERT INTO numbers (number, trunk, agent_id, created_at) VALUES ($1, $2, $3, $4)")
            .bind(&row.number)
            .bind(&row.trunk)
            .bind(&row.agent_id)
            .bind(&row.created_at)
            .execute(&mut transaction)
            .await?;
        if let Some(request) = request {
            idempotency::insert(&mut transaction, request).await?;
        }
        transaction.commit().await
    }

    /// Moves a number to another trunk. False when there is none.
    pub async fn update_number(&self, number: &str, trunk: &str) -> Result<bool, Error> {
        let changed = sql("UPDATE numbers SET trunk = $2 WHERE number = $1")
            .bind(number)
            .bind(trunk)
            .execute(&mut self.writer().await?)
            .await?;
        Ok(changed == 1)
    }

    /// Gives a number to an agent. False when there is no such number or agent, or another agent has it: whoever wants it
    /// takes it from that one first.
    pub async fn assign_number(&self, number: &str, agent_id: &str) -> Result<bool, Error> {
        let changed =
            sql("UPDATE numbers SET agent_id = $2 WHERE number = $1 AND (agent_id IS NULL OR agent_id = $2) \
             AND EXISTS (SELECT 1 FROM agents WHERE id = $2 AND deleted_at IS NULL)")
            .bind(number)
            .bind(agent_id)
            .execute(&mut self.writer().await?)
            .await?;
        Ok(changed == 1)
    }

    /// Takes a number from its agent. False when it has none.
    pub async fn unassign_number(&self, number: &str) -> Result<bool, Error> {
        let changed = sql("UPDATE numbers SET agent_id = NULL WHERE number = $1 AND agent_id IS NOT NULL")
            .bind(number)
            .execute(&mut self.writer().await?)
            .await?;
        Ok(changed == 1)
    }

    /// Deletes a number. False when there is none.
    pub async fn delete_number(&self, number: &str) -> Result<bool, Error> {
        let deleted =
            sql("DELETE FROM numbers WHERE number = $1").bind(number).execute(&mut self.writer().await?).await?;
        Ok(deleted == 1)
    }

    /// One number.
    pub async fn number(&self, number: &str) -> Result<Option<NumberRow>, Error> {
        sql("SELECT number, trunk, agent_id, created_at FROM numbers WHERE number = $1")
            .bind(number)
            .fetch_optional(&mut self.reader().await?)
            .await
    }

    /// Numbers in the order of their characters; of a page, those after the last of the one before.
    pub async fn numbers(&self, after: Option<&str>, limit: u32) -> Result<Vec<NumberRow>, Error> {
        sql("SELECT number, trunk, agent_id, created_at FROM numbers \
             WHERE ($1 IS NULL OR number > $1) ORDER BY number LIMIT $2")
        .bind(after)
        .bind(limit)
        .fetch_all(&mut self.reader().await?)
        .await
    }
}
