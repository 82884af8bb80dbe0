//! Copies of a SQLite file: made while it is in use, put back when nobody uses it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use crate::sqlite::{self, BUSY_TIMEOUT, beside};
use crate::statement::sql;
use crate::{Error, Store};

impl Store {
    /// Copies the database of a URL to a new file, which its owner alone may read. It has all that was committed when
    /// the copy began; whoever uses the database goes on meanwhile. A file that breaks off never has that name.
    pub async fn backup(url: &str, to: &Path) -> Result<(), Error> {
        let database = file_of(url)?;
        if to.exists() {
            return Err(Error::Exists { file: to.display().to_string() });
        }
        let copy = copy(&database, to).await?;
        put(&copy, to)
    }

    /// Makes a backup the database of a URL. Refused while a program uses that, and when there is one already, unless it
    /// is to be replaced; until the backup is read and found whole, nothing of it is touched.
    pub async fn restore(url: &str, from: &Path, replace: bool) -> Result<(), Error> {
        let database = file_of(url)?;
        let _lock = sqlite::lock(url)?;
        if database.exists() && !replace {
            return Err(Error::Exists { file: database.display().to_string() });
        }
        let copy = copy(from, &database).await?;
        // What is in the journal of the old file would be written into the new one.
        for ending in ["-wal", "-shm"] {
            let journal = beside(&database, ending);
            remove(&journal).map_err(|source| Error::Copy { file: journal.display().to_string(), source })?;
        }
        put(&copy, &database)
    }
}

fn file_of(url: &str) -> Result<PathBuf, Error> {
    if !url.starts_with("sqlite:") || sqlite::is_in_memory(url) {
        return Err(Error::NoFile { url: crate::error::shown(url) });
    }
    Ok(sqlite::options(url)?.get_filename().to_owned())
}

/// Copies a database to a file beside `to`, and sees whether it is whole.
async fn copy(from: &Path, to: &Path) -> Result<PathBuf, Error> {
    let copy = beside(to, ".part");
    let failed = |source| Error::Copy { file: copy.display().to_string(), source };
    remove(&copy).map_err(failed)?;
    // Made before there is anything in it, so that nobody else can read it at any time.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy).map_err(failed)?;
    match fill(from, &copy).await {
        Ok(()) => {
            File::open(&copy).and_then(|file| file.sync_all()).map_err(failed)?;
            Ok(copy)
        }
        Err(error) => {
            // The first error tells more.
            let _ = remove(&copy);
            Err(error)
        }
    }
}

async fn fill(from: &Path, copy: &Path) -> Result<(), Error> {
    let copy_name = copy.to_str().ok_or_else(|| Error::Copy {
        file: copy.display().to_string(),
        source: io::Error::new(ErrorKind::InvalidInput, "the path is not UTF-8"),
    })?;
    let mut database = connect(from).await?;
    sql("VACUUM INTO $1").bind(copy_name).execute(&mut database).await.map_err(|error| unreadable(from, error))?;
    database.close().await?;

    let mut copied = connect(copy).await?;
    let found: Vec<(String,)> = sql("PRAGMA quick_check(1)").fetch_all(&mut copied).await?;
    let ours: Option<(String,)> =
        sql("SELECT name FROM sqlite_schema WHERE name = '_sqlx_migrations'").fetch_optional(&mut copied).await?;
    copied.close().await?;
    if let Some((says,)) = found.into_iter().find(|(says,)| says != "ok") {
        return Err(Error::Damaged { file: from.display().to_string(), says });
    }
    ours.map(drop).ok_or_else(|| Error::NotOurs { file: from.display().to_string() })
}

async fn connect(file: &Path) -> Result<SqliteConnection, Error> {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(BUSY_TIMEOUT);
    let connected = SqliteConnection::connect_with(&options).await;
    connected.map_err(|source| Error::Open { url: file.display().to_string(), source })
}

/// That the file cannot be read is told with its name; that there is no room, or no turn, as everywhere.
fn unreadable(file: &Path, error: Error) -> Error {
    match error {
        Error::Query(source) => Error::Open { url: file.display().to_string(), source },
        error => error,
    }
}

/// Gives the copy its name, for good.
fn put(copy: &Path, to: &Path) -> Result<(), Error> {
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::rename(copy, to)
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|source| Error::Copy { file: to.display().to_string(), source })
}

/// That it is not there is as good.
fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
