//! [`Error`]: what went wrong with the database, told apart by what may be done about it.

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;

/// What the database itself says of it.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a URL this build understands.
    #[error(
        "the store URL {url:?} is not supported: write sqlite:///absolute/path.db, sqlite://relative/path.db, \
         sqlite::memory: or postgres://user:password@host/database"
    )]
    UnsupportedUrl {
        /// As given, without its password.
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
    /// Another program has this node's name on the same PostgreSQL.
    #[error(
        "an offhook named {node:?} is running on this database: stop that one, or give this one another [node] name"
    )]
    NodeInUse {
        /// The name.
        node: String,
    },
    /// The database cannot be opened.
    #[error("cannot open the database {url}")]
    Open {
        /// As given, without its password.
        url: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The tables cannot be brought up to date.
    #[error("cannot bring the tables of {url} up to date")]
    Migrate {
        /// As given, without its password.
        url: String,
        /// Why.
        #[source]
        source: MigrateError,
    },
    /// Only a file can be copied.
    #[error("the database {url} is not in a file; what backs up PostgreSQL is pg_dump, what restores it pg_restore")]
    NoFile {
        /// As given, without its password.
        url: String,
    },
    /// A file is in the way.
    #[error("{file} is there already")]
    Exists {
        /// Which.
        file: String,
    },
    /// The copy of a database cannot be written.
    #[error("cannot write {file}")]
    Copy {
        /// Which.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A database of something else.
    #[error("{file} is a database, but not of offhook")]
    NotOurs {
        /// Which.
        file: String,
    },
    /// What was read of a file does not fit together.
    #[error("{file} is damaged: {says}")]
    Damaged {
        /// Which.
        file: String,
        /// What SQLite says of it.
        says: String,
    },
    /// Somebody else held a lock for too long; nothing was written, and it may be tried again.
    #[error("the database is locked by another program, or has too much to do")]
    Busy(#[source] Cause),
    /// There is no room left; nothing was written.
    #[error("the disk of the database is full")]
    Full(#[source] Cause),
    /// The database cannot be reached, or not read. Connections come back by themselves when it does.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Cause),
    /// There is one of that id or key already; nothing was written.
    #[error("there is one already")]
    Taken(#[source] Cause),
    /// A query failed.
    #[error("the database failed")]
    Query(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(told) if told.is_unique_violation() => Self::Taken(error.into()),
            sqlx::Error::Database(told) => match kind_of(told.as_ref()) {
                Kind::Busy => Self::Busy(error.into()),
                Kind::Full => Self::Full(error.into()),
                Kind::Unavailable => Self::Unavailable(error.into()),
                Kind::Other => Self::Query(error),
            },
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => Self::Unavailable(error.into()),
            sqlx::Error::PoolTimedOut => Self::Busy(error.into()),
            _ => Self::Query(error),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Busy,
    Full,
    Unavailable,
    Other,
}

fn kind_of(told: &(dyn DatabaseError + 'static)) -> Kind {
    let code = told.code().unwrap_or_default();
    if told.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        kind_of_sqlstate(&code)
    } else {
        code.parse().map_or(Kind::Other, kind_of_sqlite)
    }
}

/// By SQLite's extended result codes, whose low byte is the primary one.
fn kind_of_sqlite(code: u32) -> Kind {
    match code & 0xff {
        // SQLITE_BUSY, SQLITE_LOCKED
        5 | 6 => Kind::Busy,
        // SQLITE_FULL
        13 => Kind::Full,
        // SQLITE_IOERR, SQLITE_CANTOPEN
        10 | 14 => Kind::Unavailable,
        _ => Kind::Other,
    }
}

/// By PostgreSQL's SQLSTATE, whose first two characters are its class.
fn kind_of_sqlstate(code: &str) -> Kind {
    match code {
        // serialization_failure, deadlock_detected, lock_not_available, query_canceled
        "40001" | "40P01" | "55P03" | "57014" => Kind::Busy,
        // disk_full
        "53100" => Kind::Full,
        // too_many_connections; admin_shutdown, crash_shutdown, cannot_connect_now; read_only_sql_transaction, which is
        // what a standby says
        "53300" | "57P01" | "57P02" | "57P03" | "25006" => Kind::Unavailable,
        // connection_exception
        code if code.starts_with("08") => Kind::Unavailable,
        _ => Kind::Other,
    }
}

/// A URL as it may be shown: without its password.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((who, _)) => match who.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:***{}", &rest[who.len()..]),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("postgres://offhook:s3cr3t@db.test/offhook"), "postgres://offhook:***@db.test/offhook");
        assert_eq!(shown("postgres://offhook:a@b:c@db.test:5433"), "postgres://offhook:***@db.test:5433");
        for plain in
            ["postgres://offhook@db.test/a:b@c", "postgres:///offhook", "sqlite:///a:b@c.db", "sqlite::memory:"]
        {
            assert_eq!(shown(plain), plain);
        }
    }

    #[test]
    fn codes_of_both_databases_are_told_apart_by_what_may_be_done() {
        // SQLITE_BUSY_SNAPSHOT, SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_CONSTRAINT_UNIQUE
        assert_eq!([517, 13, 778, 2067].map(kind_of_sqlite), [Kind::Busy, Kind::Full, Kind::Unavailable, Kind::Other]);
        assert_eq!(
            ["55P03", "53100", "08006", "57P03", "23505"].map(kind_of_sqlstate),
            [Kind::Busy, Kind::Full, Kind::Unavailable, Kind::Unavailable, Kind::Other]
        );
    }
}
