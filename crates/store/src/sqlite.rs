//! Opening SQLite: options, pools, migrations.

use std::path::Path;
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

/// The pool of readers and the pool of the one writer.
pub(crate) async fn connect(url: &str) -> Result<(SqlitePool, SqlitePool), Error> {
    let unsupported = || Error::UnsupportedUrl { url: url.to_owned() };
    if !url.starts_with("sqlite:") {
        return Err(unsupported());
    }
    let in_memory = url.starts_with("sqlite::memory:");
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
