//! Opening SQLite: options, pools, migrations, the lock beside the file.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::Error;
use crate::statement::{Connection, Transaction};

/// How long a connection waits for another process's lock.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a write waits for those before it, and a read for a connection.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections that only read.
const READERS: u32 = 4;

/// An open file: many readers, one writer connection, so that no write waits for a lock held by a sibling.
#[derive(Debug, Clone)]
pub(crate) struct Sqlite {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl Sqlite {
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, BUSY_TIMEOUT).await
    }

    async fn open_with(url: &str, busy_timeout: Duration) -> Result<Self, Error> {
        let in_memory = is_in_memory(url);
        let options = options(url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A crash of the program loses nothing; a power cut may lose the last transactions, never the file.
            .synchronous(SqliteSynchronous::Normal)
            // What is deleted is overwritten: it was said in confidence.
            .pragma("secure_delete", "ON")
            .busy_timeout(busy_timeout);
        if !in_memory {
            make_directory_of(options.get_filename())?;
        }

        let open = |source| Error::Open { url: url.to_owned(), source };
        let writer = pool_of(1).connect_with(options.clone()).await.map_err(open)?;
        migrations().run(&writer).await.map_err(|source| Error::Migrate { url: url.to_owned(), source })?;
        // Each connection to `:memory:` is a database of its own, so there can be only one.
        let readers =
            if in_memory { writer.clone() } else { pool_of(READERS).connect_with(options).await.map_err(open)? };
        Ok(Self { readers, writer })
    }

    pub(crate) async fn reader(&self) -> Result<Connection, Error> {
        Ok(Connection::Sqlite(self.readers.acquire().await?))
    }

    pub(crate) async fn writer(&self) -> Result<Connection, Error> {
        Ok(Connection::Sqlite(self.writer.acquire().await?))
    }

    /// Begins with the lock that writing needs: taken only at the first write, it may be refused to a transaction that
    /// has read, however long that would wait.
    pub(crate) async fn begin(&self) -> Result<Transaction, Error> {
        Ok(Transaction::Sqlite(self.writer.begin_with("BEGIN IMMEDIATE").await?))
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A binary that was rolled back meets tables of its successor: they only ever gain, so it may go on.
fn migrations() -> Migrator {
    let mut migrations = sqlx::migrate!("./migrations/sqlite");
    migrations.set_ignore_missing(true);
    migrations
}

/// What `sqlite:` URLs say.
pub(crate) fn options(url: &str) -> Result<SqliteConnectOptions, Error> {
    SqliteConnectOptions::from_str(url).map_err(|_| Error::UnsupportedUrl { url: url.to_owned() })
}

/// Takes the file beside the database that only one program at a time may hold. One in memory has none.
pub(crate) fn lock(url: &str) -> Result<Option<File>, Error> {
    if is_in_memory(url) {
        return Ok(None);
    }
    let options = options(url)?;
    let database = options.get_filename();
    make_directory_of(database)?;
    let path = beside(database, ".lock");
    let file = File::create(&path).map_err(|source| Error::Lock { file: path.display().to_string(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { file: database.display().to_string() }),
        // A file system without locks: as it was before there was one.
        Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// The file with this ending after the database's whole name.
pub(crate) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(ending);
    PathBuf::from(path)
}

pub(crate) fn is_in_memory(url: &str) -> bool {
    url.starts_with("sqlite::memory:")
}

/// Connections live as long as the pool: one to `:memory:` holds the data.
fn pool_of(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(size)
        .acquire_timeout(TURN_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
}

fn make_directory_of(file: &Path) -> Result<(), Error> {
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => std::fs::create_dir_all(directory)
            .map_err(|source| Error::Directory { directory: directory.display().to_string(), source }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::{Statement, sql};

    #[tokio::test]
    async fn a_file_that_another_program_has_locked_is_busy_and_serves_again_afterwards() {
        let directory = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite://{}/offhook.db", directory.path().display());
        let ours = Sqlite::open_with(&url, Duration::from_millis(20)).await.unwrap();
        let other = Sqlite::open(&url).await.unwrap();
        let theirs = other.begin().await.unwrap();
        assert!(matches!(ours.begin().await, Err(Error::Busy(_))));
        let delete = || sql("DELETE FROM api_keys");
        assert!(matches!(delete().execute(&mut ours.writer().await.unwrap()).await, Err(Error::Busy(_))));
        // Readers do not wait for writers.
        sql("SELECT name FROM api_keys").fetch_all::<(String,)>(&mut ours.reader().await.unwrap()).await.unwrap();

        theirs.commit().await.unwrap();
        delete().execute(&mut ours.writer().await.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_is_told_apart_and_loses_nothing_that_was_written() {
        let directory = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite://{}/offhook.db", directory.path().display());
        let store = Sqlite::open(&url).await.unwrap();
        let mut writer = store.writer().await.unwrap();
        insert("first", "read").execute(&mut writer).await.unwrap();
        // SQLite's own limit stands for the disk's: the file has no page left to grow by.
        let (pages,): (i64,) = sql("PRAGMA page_count").fetch_optional(&mut writer).await.unwrap().unwrap();
        assert!(pages > 1, "{pages} pages");
        sql("PRAGMA max_page_count = 1").fetch_all::<(i64,)>(&mut writer).await.unwrap();
        let long = "x".repeat(1_000_000);
        assert!(matches!(insert("second", &long).execute(&mut writer).await, Err(Error::Full(_))));

        sql("PRAGMA max_page_count = 1000000").fetch_all::<(i64,)>(&mut writer).await.unwrap();
        insert("third", "read").execute(&mut writer).await.unwrap();
        let names: Vec<(String,)> =
            sql("SELECT name FROM api_keys ORDER BY name").fetch_all(&mut writer).await.unwrap();
        assert_eq!(names, [("first".to_owned(),), ("third".to_owned(),)]);
    }

    fn insert<'a>(name: &'a str, role: &'a str) -> Statement<'a> {
        sql("INSERT INTO api_keys (name, role, sha256, created_at) VALUES ($1, $2, X'', '')").bind(name).bind(role)
    }
}
