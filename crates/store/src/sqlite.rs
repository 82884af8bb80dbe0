//! Opening SQLite: options, pools, migrations.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::Error;

/// How long a connection waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that only read.
const READERS: u32 = 4;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations/sqlite");

/// Takes the file beside the database that only one program at a time may hold. One in memory has none.
pub(crate) fn lock(url: &str) -> Result<Option<File>, Error> {
    if !url.starts_with("sqlite:") || is_in_memory(url) {
        return Ok(None);
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|_| Error::UnsupportedUrl { url: url.to_owned() })?;
    let database = options.get_filename();
    make_directory_of(database)?;
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = File::create(&path).map_err(|source| Error::Lock { file: path.display().to_string(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { file: database.display().to_string() }),
        // A file system without locks: as it was before there was one.
        Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

fn is_in_memory(url: &str) -> bool {
    url.starts_with("sqlite::memory:")
}

/// The pool of readers and the pool of the one writer.
pub(crate) async fn connect(url: &str) -> Result<(SqlitePool, SqlitePool), Error> {
    let unsupported = || Error::UnsupportedUrl { url: url.to_owned() };
    if !url.starts_with("sqlite:") {
        return Err(unsupported());
    }
    let in_memory = is_in_memory(url);
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| unsupported())?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A crash of the program loses nothing; a power cut may lose the last transactions, never the file.
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT);
    if !in_memory {
        make_directory_of(options.get_filename())?;
    }

    let open = |source| Error::Open { url: url.to_owned(), source };
    let writer = pool_of(1).connect_with(options.clone()).await.map_err(open)?;
    MIGRATIONS.run(&writer).await.map_err(|source| Error::Migrate { url: url.to_owned(), source })?;
    // Each connection to `:memory:` is a database of its own, so there can be only one.
    let readers =
        if in_memory { writer.clone() } else { pool_of(READERS).connect_with(options).await.map_err(open)? };
    Ok((readers, writer))
}

/// Connections live as long as the pool: one to `:memory:` holds the data.
fn pool_of(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().min_connections(1).max_connections(size).idle_timeout(None).max_lifetime(None)
}

fn make_directory_of(file: &Path) -> Result<(), Error> {
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => std::fs::create_dir_all(directory)
            .map_err(|source| Error::Directory { directory: directory.display().to_string(), source }),
        _ => Ok(()),
    }
}
