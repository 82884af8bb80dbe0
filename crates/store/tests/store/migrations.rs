//! Old tables with something in them, and tables of a version to come.

use std::path::{Path, PathBuf};

use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use store::{Store, TranscriptRow};
use tempfile::TempDir;

use crate::databases::{NODE, Server};
use crate::records::{call, ending};

/// A call that was not over, with all that the first tables wanted.
const CALL: &str = "INSERT INTO calls (id, status, direction, to_party, request_json, created_at, warnings_json) \
     VALUES ('call_1', 'queued', 'outbound', '+15550100', '{}', '2026-01-02T03:04:00.000Z', '[]')";
/// One of PostgreSQL, whose tables have had nodes from the first.
const CALL_OF_NODE: &str = "INSERT INTO calls (id, status, direction, to_party, request_json, created_at, warnings_json, node) \
     VALUES ('call_1', 'queued', 'outbound', '+15550100', '{}', '2026-01-02T03:04:00.000Z', '[]', 'edge-1')";
const SAID: &str = "INSERT INTO transcript_entries (call_id, position, at_ms, end_ms, speaker, text) \
     VALUES ('call_1', 1, 100, 600, 'callee', 'hello')";

#[tokio::test]
async fn what_any_former_version_kept_in_sqlite_is_there_after_the_migrations() {
    let migrations = migrations("sqlite").await;
    for version in migrations.iter().map(|migration| migration.version) {
        let directory = TempDir::new().unwrap();
        let url = format!("sqlite://{}/offhook.db?mode=rwc", directory.path().display());
        let mut old = SqliteConnection::connect(&url).await.unwrap();
        migrations.run_to(version, &mut old).await.unwrap();
        for statement in [CALL, SAID] {
            sqlx::raw_sql(statement).execute(&mut old).await.unwrap();
        }
        old.close().await.unwrap();
        check(&url).await;
    }
}

#[tokio::test]
async fn what_any_former_version_kept_in_postgresql_is_there_after_the_migrations() {
    let migrations = migrations("postgres").await;
    for version in migrations.iter().map(|migration| migration.version) {
        let url = Server::shared().database().await;
        let mut old = PgConnection::connect(&url).await.unwrap();
        migrations.run_to(version, &mut old).await.unwrap();
        for statement in [CALL_OF_NODE, SAID] {
            sqlx::raw_sql(statement).execute(&mut old).await.unwrap();
        }
        old.close().await.unwrap();
        check(&url).await;
    }
}

/// Reads what was kept, and goes on with it.
async fn check(url: &str) {
    let store = Store::connect(url, NODE).await.unwrap();
    assert_eq!(store.unfinished_calls().await.unwrap(), [call("call_1")]);
    let said = TranscriptRow { at_ms: 100, end_ms: 600, speaker: "callee".into(), text: "hello".into() };
    assert_eq!(store.transcript("call_1").await.unwrap(), [said]);
    assert!(store.end_call("call_1", &ending(), &[]).await.unwrap());
    store.insert_call(&call("call_2"), &[], None).await.unwrap();
}

/// What a version to come may do to the tables, and what it leaves of having done it.
const TO_COME: &str = "ALTER TABLE calls ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'; \
     CREATE TABLE moods (name TEXT PRIMARY KEY); \
     INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
     VALUES (9999, 'moods', TRUE, 'x', 1)";

#[tokio::test]
async fn a_binary_that_is_rolled_back_goes_on_with_the_tables_of_its_successor_in_sqlite() {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite://{}/offhook.db", directory.path().display());
    Store::connect(&url, NODE).await.unwrap().close().await;
    let mut successor = SqliteConnection::connect(&url).await.unwrap();
    // SQLite takes a text for a blob only where it is told so.
    let to_come = TO_COME.replace("'x'", "X'00'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(to_come)).execute(&mut successor).await.unwrap();
    sqlx::raw_sql(CALL).execute(&mut successor).await.unwrap();
    sqlx::raw_sql(SAID).execute(&mut successor).await.unwrap();
    successor.close().await.unwrap();
    check(&url).await;
}

#[tokio::test]
async fn a_binary_that_is_rolled_back_goes_on_with_the_tables_of_its_successor_in_postgresql() {
    let url = Server::shared().database().await;
    Store::connect(&url, NODE).await.unwrap().close().await;
    let mut successor = PgConnection::connect(&url).await.unwrap();
    for statement in [TO_COME, CALL_OF_NODE, SAID] {
        sqlx::raw_sql(statement).execute(&mut successor).await.unwrap();
    }
    successor.close().await.unwrap();
    check(&url).await;
}

#[tokio::test]
async fn a_node_that_runs_goes_on_while_its_successor_changes_the_tables_of_a_shared_postgresql() {
    let url = Server::shared().database().await;
    let store = Store::connect(&url, NODE).await.unwrap();
    store.insert_call(&call("call_1"), &[], None).await.unwrap();
    // PostgreSQL remembers what columns a statement gave, and refuses to give others.
    let ask = async || {
        assert_eq!(store.call("call_1").await.unwrap(), Some(call("call_1")));
        assert_eq!(store.unfinished_calls().await.unwrap(), [call("call_1")]);
        assert_eq!(store.keys().await.unwrap(), []);
        assert_eq!(store.idempotent_request("ops", "key").await.unwrap(), None);
    };
    ask().await;
    let mut successor = PgConnection::connect(&url).await.unwrap();
    for table in ["calls", "api_keys", "idempotent_requests"] {
        let add = format!("ALTER TABLE {table} ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'");
        sqlx::raw_sql(sqlx::AssertSqlSafe(add)).execute(&mut successor).await.unwrap();
    }
    ask().await;
}

/// So that the last version, which knows nothing of it, can still write.
#[tokio::test]
async fn migrations_only_add_and_what_they_add_to_a_table_may_be_left_out() {
    for database in ["sqlite", "postgres"] {
        let all = migrations(database).await;
        assert!(all.iter().count() > 0);
        for migration in all.iter() {
            let text = migration.sql.as_str();
            let code: Vec<&str> = text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
            for statement in code.join(" ").split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                let new_table = statement.starts_with("CREATE TABLE ");
                let index = statement.starts_with("CREATE INDEX ") || statement.starts_with("CREATE UNIQUE INDEX ");
                let column = statement.starts_with("ALTER TABLE ") && statement.contains(" ADD COLUMN ");
                let may_be_left_out = !statement.contains("NOT NULL") || statement.contains(" DEFAULT ");
                assert!(
                    new_table || index || (column && may_be_left_out),
                    "{database} {}: {statement}",
                    migration.version
                );
            }
        }
    }
}

async fn migrations(database: &str) -> Migrator {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    Migrator::new(folder.as_path()).await.unwrap()
}
