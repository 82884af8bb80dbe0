//! Records and their queries.
//!
//! One file a noun: [`CallRow`], [`TranscriptRow`], [`RecordingRow`], [`SipMessageRow`], [`EventRow`],
//! [`KeyRow`], [`IdempotentRow`].
//! The rows are this crate's own types: they say what is kept, never what it means. A change of
//! the world and the events that tell of it are written in one transaction, so that the journal
//! never tells of what did not happen.
//!
//! SQLite in WAL mode: many readers, one writer connection, so that no write waits for a lock
//! held by a sibling. Migrations only go forward and run in [`Store::connect`].

mod calls;
mod events;
mod idempotency;
mod keys;
mod recordings;
mod sip_messages;
mod sqlite;
mod transcripts;

pub use calls::{CallChange, CallEnding, CallFilter, CallRow};
pub use events::EventRow;
pub use idempotency::IdempotentRow;
pub use keys::KeyRow;
pub use recordings::RecordingRow;
pub use sip_messages::SipMessageRow;
pub use transcripts::TranscriptRow;

use std::fs::File;
use std::sync::Arc;

use sqlx::SqlitePool;

/// An open database; clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Store {
    readers: SqlitePool,
    writer: SqlitePool,
    /// Held as long as the database is ours; one in memory needs none.
    lock: Option<Arc<File>>,
}

impl Store {
    /// Opens `sqlite://PATH` or `sqlite::memory:`, makes what is missing (directories, file,
    /// tables) and brings older files up to date. A file belongs to one program at a time: what is
    /// unfinished in it is that program's.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let lock = sqlite::lock(url)?.map(Arc::new);
        let (readers, writer) = sqlite::connect(url).await?;
        Ok(Self { readers, writer, lock })
    }

    /// Whether [`Store::connect`] would have the file of this URL to itself; its directory is made.
    pub fn check(url: &str) -> Result<(), Error> {
        sqlite::lock(url).map(drop)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    /// Closes all connections, after what they do now.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Some(lock) = &self.lock {
            // Should it fail, the file is let go with the last handle.
            let _ = lock.unlock();
        }
    }
}

/// What went wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a URL this build understands.
    #[error(
        "the store URL {url:?} is not supported: write sqlite:///absolute/path.db, sqlite://relative/path.db or sqlite::memory:"
    )]
    UnsupportedUrl {
        /// As given.
        url: String,
    },
    /// The directory of the file cannot be made.
    #[error("cannot make the directory {directory} for the database")]
    Directory {
        /// Which.
        directory: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The lock beside the file cannot be made.
    #[error("cannot make {file} beside the database")]
    Lock {
        /// Which.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another program has the file open.
    #[error(
        "the database {file} belongs to an offhook that is running: stop that one, or give this one another [store] url"
    )]
    InUse {
        /// Which.
        file: String,
    },
    /// The file cannot be opened.
    #[error("cannot open the database {url}")]
    Open {
        /// As given.
        url: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The tables cannot be brought up to date; a newer program may have made them.
    #[error("cannot bring the tables of {url} up to date")]
    Migrate {
        /// As given.
        url: String,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// A query failed.
    #[error("the database failed")]
    Query(#[from] sqlx::Error),
}
