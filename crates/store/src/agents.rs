//! Agents and their versions.

use crate::statement::{Transaction, sql};
use crate::{Error, IdempotentRow, Store, idempotency};

/// An agent in one of its versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct AgentRow {
    /// `agent_…`; sorts by time.
    pub id: String,
    /// From 1, without gaps.
    pub version: i64,
    /// Its name today, whatever the version; no other agent has it.
    pub name: Option<String>,
    /// `inbound` or `outbound`.
    #[sqlx(rename = "type")]
    pub kind: String,
    /// What the model is told first.
    pub system_prompt: String,
    /// What it says first.
    pub greeting: Option<String>,
    /// Its voice.
    pub voice: Option<String>,
    /// Its language.
    pub language: Option<String>,
    /// What it may use.
    pub tools_json: String,
    /// How long and how much.
    pub limits_json: String,
    /// What it always knows.
    pub context_json: String,
    /// For people.
    pub notes: Option<String>,
    /// When the agent was made.
    pub created_at: String,
    /// When this version was.
    pub updated_at: String,
}

/// Agents in one version each, before what says which.
macro_rules! select_agents {
    ($which:literal) => {
        concat!(
            "SELECT agents.id, agents.name, agent_versions.version, type, system_prompt, greeting, voice, language, \
             tools_json, limits_json, context_json, notes, agents.created_at, agent_versions.created_at AS updated_at \
             FROM agents JOIN agent_versions ON agent_versions.agent_id = agents.id ",
            $which
        )
    };
}

impl Store {
    /// Keeps a new agent in its version and, in the same transaction, the answer to the idempotent request for it.
    /// [`Error::Taken`] when another has its name.
    pub async fn insert_agent(&self, row: &AgentRow, request: Option<&IdempotentRow>) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sql("INSERT INTO agents (id, name, version, created_at) VALUES ($1, $2, $3, $4)")
            .bind(&row.id)
            .bind(&row.name)
            .bind(row.version)
            .bind(&row.created_at)
            .execute(&mut transaction)
            .await?;
        insert_version(&mut transaction, row).await?;
        if let Some(request) = request {
            idempotency::insert(&mut transaction, request).await?;
        }
        transaction.commit().await
    }

    /// Makes this the newest version of its agent. False, and nothing is written, unless the newest so far is the one
    /// before it: somebody else was faster, or there is no such agent. [`Error::Taken`] when another has its name.
    pub async fn add_agent_version(&self, row: &AgentRow) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let changed = sql("UPDATE agents SET version = $2, name = $3 \
             WHERE id = $1 AND version = $2 - 1 AND deleted_at IS NULL")
        .bind(&row.id)
        .bind(row.version)
        .bind(&row.name)
        .execute(&mut transaction)
        .await?;
        if changed == 0 {
            return Ok(false);
        }
        insert_version(&mut transaction, row).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Deletes an agent: only its versions can still be asked for, and its numbers have nobody. False when there is none.
    pub async fn delete_agent(&self, id: &str, now: &str) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let deleted = sql("UPDATE agents SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL")
            .bind(id)
            .bind(now)
            .execute(&mut transaction)
            .await?;
        sql("UPDATE numbers SET agent_id = NULL WHERE agent_id = $1").bind(id).execute(&mut transaction).await?;
        transaction.commit().await?;
        Ok(deleted == 1)
    }

    /// An agent in its newest version.
    pub async fn agent(&self, id: &str) -> Result<Option<AgentRow>, Error> {
        sql(select_agents!("AND agent_versions.version = agents.version WHERE agents.id = $1 AND deleted_at IS NULL"))
            .bind(id)
            .fetch_optional(&mut self.reader().await?)
            .await
    }

    /// The agent of a name, in its newest version.
    pub async fn agent_named(&self, name: &str) -> Result<Option<AgentRow>, Error> {
        sql(select_agents!("AND agent_versions.version = agents.version WHERE agents.name = $1 AND deleted_at IS NULL"))
            .bind(name)
            .fetch_optional(&mut self.reader().await?)
            .await
    }

    /// An agent as it was in a version, deleted or not.
    pub async fn agent_version(&self, id: &str, version: i64) -> Result<Option<AgentRow>, Error> {
        sql(select_agents!("WHERE agents.id = $1 AND agent_versions.version = $2"))
            .bind(id)
            .bind(version)
            .fetch_optional(&mut self.reader().await?)
            .await
    }

    /// All versions of an agent, newest first, deleted or not.
    pub async fn agent_versions(&self, id: &str) -> Result<Vec<AgentRow>, Error> {
        sql(select_agents!("WHERE agents.id = $1 ORDER BY agent_versions.version DESC"))
            .bind(id)
            .fetch_all(&mut self.reader().await?)
            .await
    }

    /// Agents in their newest versions, newest agent first; of a page, those older than the last of the one before.
    pub async fn agents(&self, before: Option<&str>, limit: u32) -> Result<Vec<AgentRow>, Error> {
        sql(select_agents!(
            "AND agent_versions.version = agents.version WHERE deleted_at IS NULL AND ($1 IS NULL OR agents.id < $1) \
             ORDER BY agents.id DESC LIMIT $2"
        ))
        .bind(before)
        .bind(limit)
        .fetch_all(&mut self.reader().await?)
        .await
    }
}

async fn insert_version(transaction: &mut Transaction, row: &AgentRow) -> Result<(), Error> {
    sql("INSERT INTO agent_versions (agent_id, version, type, system_prompt, greeting, voice, language, tools_json, \
         limits_json, context_json, notes, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
    .bind(&row.id)
    .bind(row.version)
    .bind(&row.kind)
    .bind(&row.system_prompt)
    .bind(&row.greeting)
    .bind(&row.voice)
    .bind(&row.language)
    .bind(&row.tools_json)
    .bind(&row.limits_json)
    .bind(&row.context_json)
    .bind(&row.notes)
    .bind(&row.updated_at)
    .execute(transaction)
    .await?;
    Ok(())
}
