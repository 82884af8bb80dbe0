//! [`Statement`]: one SQL text and its values, for either database.
//!
//! Both know the placeholders `$1`, `$2`, … and most of what is needed else, so a query is written once. Where they
//! differ, the text for PostgreSQL stands beside it ([`Statement::in_postgres`]).

use std::borrow::Cow;

use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{FromRow, PgConnection, Postgres, Sqlite, SqliteConnection};

use crate::Error;

/// A query about to be run.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    sqlite: &'static str,
    postgres: &'static str,
    values: Vec<Value<'a>>,
}

/// A query with no values yet.
pub(crate) fn sql<'a>(text: &'static str) -> Statement<'a> {
    Statement { sqlite: text, postgres: text, values: Vec::new() }
}

impl<'a> Statement<'a> {
    /// The text for PostgreSQL, with the same values.
    pub(crate) fn in_postgres(self, text: &'static str) -> Self {
        Self { postgres: text, ..self }
    }

    /// The next of `$1`, `$2`, …
    pub(crate) fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// How many rows it changed.
    pub(crate) async fn execute(self, on: impl Into<Link<'_>>) -> Result<u64, Error> {
        Ok(match on.into() {
            Link::Sqlite(connection) => sqlx::query_with::<Sqlite, _>(self.sqlite, self.for_sqlite()?)
                .execute(connection)
                .await?
                .rows_affected(),
            Link::Postgres(connection) => sqlx::query_with::<Postgres, _>(self.postgres, self.for_postgres()?)
                .execute(connection)
                .await?
                .rows_affected(),
        })
    }

    /// All its rows.
    pub(crate) async fn fetch_all<T: Record>(self, on: impl Into<Link<'_>>) -> Result<Vec<T>, Error> {
        Ok(match on.into() {
            Link::Sqlite(connection) => {
                sqlx::query_as_with::<Sqlite, _, _>(self.sqlite, self.for_sqlite()?).fetch_all(connection).await?
            }
            Link::Postgres(connection) => {
                sqlx::query_as_with::<Postgres, _, _>(self.postgres, self.for_postgres()?).fetch_all(connection).await?
            }
        })
    }

    /// Its first row, if any.
    pub(crate) async fn fetch_optional<T: Record>(self, on: impl Into<Link<'_>>) -> Result<Option<T>, Error> {
        Ok(match on.into() {
            Link::Sqlite(connection) => {
                sqlx::query_as_with::<Sqlite, _, _>(self.sqlite, self.for_sqlite()?).fetch_optional(connection).await?
            }
            Link::Postgres(connection) => {
                sqlx::query_as_with::<Postgres, _, _>(self.postgres, self.for_postgres()?)
                    .fetch_optional(connection)
                    .await?
            }
        })
    }

    fn for_sqlite(&self) -> Result<SqliteArguments, Error> {
        let mut arguments = SqliteArguments::default();
        let add = |value: &Value<'_>| match value {
            Value::Text(text) => sqlx::Arguments::add(&mut arguments, *text),
            Value::Integer(number) => sqlx::Arguments::add(&mut arguments, *number),
            Value::Flag(flag) => sqlx::Arguments::add(&mut arguments, *flag),
            Value::Bytes(bytes) => sqlx::Arguments::add(&mut arguments, *bytes),
        };
        self.values.iter().try_for_each(add).map_err(unencodable)?;
        Ok(arguments)
    }

    fn for_postgres(&self) -> Result<PgArguments, Error> {
        let mut arguments = PgArguments::default();
        let add = |value: &Value<'_>| match value {
            Value::Text(text) => sqlx::Arguments::add(&mut arguments, text.map(without_nul).as_deref()),
            Value::Integer(number) => sqlx::Arguments::add(&mut arguments, *number),
            Value::Flag(flag) => sqlx::Arguments::add(&mut arguments, *flag),
            Value::Bytes(bytes) => sqlx::Arguments::add(&mut arguments, *bytes),
        };
        self.values.iter().try_for_each(add).map_err(unencodable)?;
        Ok(arguments)
    }
}

/// PostgreSQL has no NUL in a text. A peer's words may, and they must not keep a call from being written.
fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn unencodable(error: BoxDynError) -> Error {
    Error::Query(sqlx::Error::Encode(error))
}

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(Option<&'a str>),
    Integer(Option<i64>),
    Flag(bool),
    Bytes(&'a [u8]),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a String>> for Value<'a> {
    fn from(text: Option<&'a String>) -> Self {
        Self::Text(text.map(String::as_str))
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::Text(text.as_deref())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Integer(Some(number.into()))
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// A row type that can be read from either database.
pub(crate) trait Record: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// Where a statement runs.
pub(crate) enum Link<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

/// A connection taken from its pool, each statement a transaction of its own.
#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl<'a> From<&'a mut SqliteConnection> for Link<'a> {
    fn from(connection: &'a mut SqliteConnection) -> Self {
        Self::Sqlite(connection)
    }
}

impl<'a> From<&'a mut PgConnection> for Link<'a> {
    fn from(connection: &'a mut PgConnection) -> Self {
        Self::Postgres(connection)
    }
}

impl<'a> From<&'a mut Connection> for Link<'a> {
    fn from(connection: &'a mut Connection) -> Self {
        match connection {
            Connection::Sqlite(connection) => Self::Sqlite(connection),
            Connection::Postgres(connection) => Self::Postgres(connection),
        }
    }
}

/// Statements that are written together or not at all; not at all when it is dropped.
#[derive(Debug)]
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    pub(crate) async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

impl<'a> From<&'a mut Transaction> for Link<'a> {
    fn from(transaction: &'a mut Transaction) -> Self {
        match transaction {
            Transaction::Sqlite(transaction) => Self::Sqlite(transaction),
            Transaction::Postgres(transaction) => Self::Postgres(transaction),
        }
    }
}
