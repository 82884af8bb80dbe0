//! Records and their queries.
//!
//! One file a noun: [`CallRow`], [`TranscriptRow`], [`RecordingRow`], [`SipMessageRow`], [`EventRow`],
//! [`KeyRow`], [`IdempotentRow`], [`PromptRow`], [`ScheduledCallRow`], [`RecipientRow`], [`AttemptRow`], [`WebhookRow`],
//! [`DeliveryRow`].
//! The rows are this crate's own types: they say what is kept, never what it means. A change of
//! the world and the events that tell of it are written in one transaction, so that the journal
//! never tells of what did not happen.
//!
//! SQLite, or PostgreSQL by its URL: a query is written once for both (`statement.rs`), opening them is not
//! (`sqlite.rs`, `postgres.rs`). Migrations only go forward, only add, and run in [`Store::connect`].

mod backup;
mod calls;
mod deliveries;
mod error;
mod events;
mod idempotency;
mod keys;
mod postgres;
mod prompts;
mod recipients;
mod recordings;
mod scheduled_calls;
mod sip_messages;
mod sqlite;
mod statement;
mod transcripts;
mod webhooks;

pub use calls::{CallChange, CallEnding, CallFilter, CallRow};
pub use deliveries::{DeliveryFilter, DeliveryRow};
pub use error::{Cause, Error};
pub use events::EventRow;
pub use idempotency::IdempotentRow;
pub use keys::KeyRow;
pub use prompts::PromptRow;
pub use recipients::{AttemptEnding, AttemptRow, RecipientRow, Settlement};
pub use recordings::RecordingRow;
pub use scheduled_calls::{Reschedule, ScheduledCallFilter, ScheduledCallRow};
pub use sip_messages::SipMessageRow;
pub use transcripts::TranscriptRow;
pub use webhooks::{WebhookProgress, WebhookRow};

use std::fs::File;
use std::sync::Arc;

use postgres::Postgres;
use sqlite::Sqlite;
use statement::{Connection, Transaction, sql};

/// An open database; clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
}

#[derive(Debug, Clone)]
enum Database {
    Sqlite {
        sqlite: Sqlite,
        /// Held as long as the file is ours; a database in memory needs none.
        lock: Option<Arc<File>>,
    },
    Postgres {
        postgres: Postgres,
        /// Whose calls are ours.
        node: Arc<str>,
    },
}

/// Which database a URL names.
enum Scheme {
    Sqlite,
    Postgres,
}

impl Store {
    /// Opens `sqlite://PATH`, `sqlite::memory:` or `postgres://…`, makes what is missing (directories, file, tables) and
    /// brings older tables up to date. A file belongs to one program at a time: what is unfinished in it is that
    /// program's. A PostgreSQL may be shared by several of different names: what is unfinished there under `node` is
    /// this one's.
    pub async fn connect(url: &str, node: &str) -> Result<Self, Error> {
        let database = match scheme(url)? {
            Scheme::Sqlite => {
                let lock = sqlite::lock(url)?.map(Arc::new);
                Database::Sqlite { sqlite: Sqlite::open(url).await?, lock }
            }
            Scheme::Postgres => {
                Database::Postgres { postgres: Postgres::open(url, node).await?, node: Arc::from(node) }
            }
        };
        Ok(Self { database })
    }

    /// Whether [`Store::connect`] would have the database, or its part of it, to itself; the directory of a file is made.
    pub async fn check(url: &str, node: &str) -> Result<(), Error> {
        match scheme(url)? {
            Scheme::Sqlite => sqlite::lock(url).map(drop),
            Scheme::Postgres => Postgres::check(url, node).await,
        }
    }

    /// A URL as it may be shown: without its password.
    #[must_use]
    pub fn shown(url: &str) -> String {
        error::shown(url)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        sql("SELECT 1").execute(&mut self.reader().await?).await?;
        Ok(())
    }

    /// Takes what was deleted out of SQLite's journal too, where former states of the file wait to be written over.
    /// PostgreSQL does the like when it vacuums.
    pub async fn scrub(&self) -> Result<(), Error> {
        if let Database::Sqlite { sqlite, .. } = &self.database {
            sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut sqlite.writer().await?).await?;
        }
        Ok(())
    }

    /// Closes all connections, after what they do now.
    pub async fn close(&self) {
        match &self.database {
            Database::Sqlite { sqlite, lock } => {
                sqlite.close().await;
                if let Some(lock) = lock {
                    // Should it fail, the file is let go with the last handle.
                    let _ = lock.unlock();
                }
            }
            Database::Postgres { postgres, .. } => postgres.close().await,
        }
    }

    /// A connection to read by.
    async fn reader(&self) -> Result<Connection, Error> {
        match &self.database {
            Database::Sqlite { sqlite, .. } => sqlite.reader().await,
            Database::Postgres { postgres, .. } => postgres.connection().await,
        }
    }

    /// A connection for one statement that writes.
    async fn writer(&self) -> Result<Connection, Error> {
        match &self.database {
            Database::Sqlite { sqlite, .. } => sqlite.writer().await,
            Database::Postgres { postgres, .. } => postgres.connection().await,
        }
    }

    /// A transaction that writes.
    async fn begin(&self) -> Result<Transaction, Error> {
        match &self.database {
            Database::Sqlite { sqlite, .. } => sqlite.begin().await,
            Database::Postgres { postgres, .. } => postgres.begin().await,
        }
    }

    /// Whose calls are ours, as it is written beside them.
    #[must_use]
    pub fn node(&self) -> &str {
        match &self.database {
            Database::Sqlite { .. } => "",
            Database::Postgres { node, .. } => node,
        }
    }
}

fn scheme(url: &str) -> Result<Scheme, Error> {
    if url.starts_with("sqlite:") {
        Ok(Scheme::Sqlite)
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(Scheme::Postgres)
    } else {
        Err(Error::UnsupportedUrl { url: error::shown(url) })
    }
}
