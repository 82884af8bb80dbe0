//! Opening PostgreSQL: options, pool, migrations, the lock of a node.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::Error;
use crate::error::shown;
use crate::statement::{Connection, Transaction, sql};

/// Connections for reading and writing.
const CONNECTIONS: u32 = 8;
/// How long a query waits for a connection, new ones included.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server lets a statement run, wait for a lock, and a transaction lie idle.
const DEADLINES: [(&str, &str); 3] =
    [("statement_timeout", "30s"), ("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "60s")];

/// An open database. Connections that break are made again when they are next wanted.
#[derive(Debug, Clone)]
pub(crate) struct Postgres {
    pool: PgPool,
    /// Holds the lock of the node as long as it is open.
    owner: Arc<Mutex<Option<PgConnection>>>,
}

impl Postgres {
    pub(crate) async fn open(url: &str, node: &str) -> Result<Self, Error> {
        let open = |source| Error::Open { url: shown(url), source };
        let options = options(url)?;
        // Without deadlines: a migration may take its time.
        let mut owner = connect(&options).await.map_err(open)?;
        lock(&mut owner, node).await?;
        migrations().run(&mut owner).await.map_err(|source| Error::Migrate { url: shown(url), source })?;
        let pool = PgPoolOptions::new()
            .min_connections(1)
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.options(DEADLINES))
            .await
            .map_err(open)?;
        Ok(Self { pool, owner: Arc::new(Mutex::new(Some(owner))) })
    }

    /// Whether [`Postgres::open`] would have the node's name to itself.
    pub(crate) async fn check(url: &str, node: &str) -> Result<(), Error> {
        let open = |source| Error::Open { url: shown(url), source };
        let mut connection = connect(&options(url)?).await.map_err(open)?;
        lock(&mut connection, node).await?;
        unlock(connection).await
    }

    pub(crate) async fn connection(&self) -> Result<Connection, Error> {
        Ok(Connection::Postgres(self.pool.acquire().await.map_err(unreached)?))
    }

    pub(crate) async fn begin(&self) -> Result<Transaction, Error> {
        Ok(Transaction::Postgres(self.pool.begin().await.map_err(unreached)?))
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
        if let Some(owner) = self.owner.lock().await.take() {
            // Should it fail, the server lets go of the lock by itself.
            let _ = unlock(owner).await;
        }
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connected = timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(options)).await;
    connected.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// A server that refuses connections is tried again until the pool's time is up.
fn unreached(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::PoolTimedOut => Error::Unavailable(error.into()),
        error => error.into(),
    }
}

/// As for SQLite, a binary that was rolled back may go on with the tables of its successor.
fn migrations() -> Migrator {
    let mut migrations = sqlx::migrate!("./migrations/postgres");
    migrations.set_ignore_missing(true);
    migrations
}

fn options(url: &str) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(url).map_err(|_| Error::UnsupportedUrl { url: shown(url) })?;
    Ok(options.application_name("offhook"))
}

/// Takes the advisory lock of a node's name, which goes with the connection.
async fn lock(connection: &mut PgConnection, node: &str) -> Result<(), Error> {
    let locked: Option<(bool,)> = sql("SELECT pg_try_advisory_lock(hashtext('offhook node'), hashtext($1))")
        .bind(node)
        .fetch_optional(connection)
        .await?;
    match locked {
        Some((true,)) => Ok(()),
        _ => Err(Error::NodeInUse { node: node.to_owned() }),
    }
}

/// Lets go of the lock before the connection, so that whoever comes next need not wait for the server to notice.
async fn unlock(mut connection: PgConnection) -> Result<(), Error> {
    sql("SELECT pg_advisory_unlock_all()").execute(&mut connection).await?;
    Ok(connection.close().await?)
}
