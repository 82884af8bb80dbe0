//! What opening a database makes, refuses, and finds again.

use store::{Error, Store, TranscriptRow};
use tempfile::TempDir;

use crate::databases::{NODE, Server};
use crate::records::{call, ending, event};

#[tokio::test]
async fn directories_and_file_are_made_and_records_survive_a_restart() {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite://{}/a/b/offhook.db", directory.path().display());
    records_survive_a_restart(&url).await;
}

#[tokio::test]
async fn records_in_postgresql_survive_a_restart() {
    records_survive_a_restart(&Server::shared().database().await).await;
}

async fn records_survive_a_restart(url: &str) {
    let store = Store::connect(url, NODE).await.unwrap();
    store.insert_call(&call("call_1"), &[event("evt_1", "call_1")], None).await.unwrap();
    store.close().await;

    let store = Store::connect(url, NODE).await.unwrap();
    assert_eq!(store.call("call_1").await.unwrap().unwrap(), call("call_1"));
    assert_eq!(store.last_event_id().await.unwrap().as_deref(), Some("evt_1"));
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_file_belongs_to_one_program_at_a_time() {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite://{}/offhook.db", directory.path().display());
    let first = Store::connect(&url, NODE).await.unwrap();
    // Whatever it calls itself.
    let error = Store::connect(&url, "edge-2").await.unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(matches!(Store::check(&url, NODE).await, Err(Error::InUse { .. })));
    first.close().await;
    Store::check(&url, NODE).await.unwrap();
    Store::connect(&url, NODE).await.unwrap();
}

#[tokio::test]
async fn programs_that_share_a_postgresql_each_end_their_own_calls_only() {
    let url = Server::shared().database().await;
    let first = Store::connect(&url, "edge-1").await.unwrap();
    let second = Store::connect(&url, "edge-2").await.unwrap();
    first.insert_call(&call("call_1"), &[], None).await.unwrap();
    second.insert_call(&call("call_2"), &[], None).await.unwrap();
    let ids =
        async |store: &Store| store.unfinished_calls().await.unwrap().into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!((ids(&first).await, ids(&second).await), (vec!["call_1".to_owned()], vec!["call_2".to_owned()]));
    assert_eq!(second.call("call_1").await.unwrap(), Some(call("call_1")));

    let error = Store::connect(&url, "edge-2").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "an offhook named \"edge-2\" is running on this database: stop that one, or give this one another [node] name"
    );
    assert!(matches!(Store::check(&url, "edge-1").await, Err(Error::NodeInUse { .. })));
    second.close().await;
    Store::check(&url, "edge-2").await.unwrap();
    Store::connect(&url, "edge-2").await.unwrap();
}

#[tokio::test]
async fn what_is_deleted_is_no_longer_in_the_files() {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite://{}/offhook.db", directory.path().display());
    let store = Store::connect(&url, NODE).await.unwrap();
    store.insert_call(&call("call_1"), &[], None).await.unwrap();
    let secret = "my number is four eight one six";
    // Enough for pages of its own, which are then let go as a whole.
    for n in 0..100 {
        let said = TranscriptRow { at_ms: n, end_ms: n, speaker: "callee".into(), text: secret.repeat(10) };
        store.append_transcript("call_1", &said, &[]).await.unwrap();
    }
    store.end_call("call_1", &ending(), &[]).await.unwrap();
    let is_there = || {
        let files = std::fs::read_dir(directory.path()).unwrap().map(|entry| std::fs::read(entry.unwrap().path()));
        files.map(Result::unwrap).any(|file| file.windows(secret.len()).any(|window| window == secret.as_bytes()))
    };
    store.scrub().await.unwrap();
    assert!(is_there(), "it was written");
    assert_eq!(store.delete_words_until("2027", "2027", 10).await.unwrap(), 1);
    store.scrub().await.unwrap();
    assert!(!is_there());
}

#[tokio::test]
async fn a_database_in_memory_keeps_what_it_is_given() {
    let store = Store::connect("sqlite::memory:", NODE).await.unwrap();
    store.insert_call(&call("call_1"), &[], None).await.unwrap();
    assert_eq!(store.unfinished_calls().await.unwrap().len(), 1);
}

#[tokio::test]
async fn another_kind_of_url_is_refused_with_what_to_write_and_without_its_password() {
    let error = Store::connect("mysql://me:s3cr3t@localhost/offhook", NODE).await.unwrap_err();
    assert!(matches!(error, Error::UnsupportedUrl { .. }));
    assert_eq!(
        error.to_string(),
        "the store URL \"mysql://me:***@localhost/offhook\" is not supported: write sqlite:///absolute/path.db, \
         sqlite://relative/path.db, sqlite::memory: or postgres://user:password@host/database"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error_that_names_it() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("notes.txt");
    std::fs::write(&file, "this is not a database, it only looks like a file".repeat(40)).unwrap();
    let error = Store::connect(&format!("sqlite://{}", file.display()), NODE).await.unwrap_err();
    assert!(error.to_string().contains("notes.txt"), "{error}");
}

#[tokio::test]
async fn a_postgresql_that_is_not_there_is_an_error_that_names_it() {
    let directory = TempDir::new().unwrap();
    let url = format!("postgres://me:s3cr3t@localhost/offhook?host={}", directory.path().display());
    let error = Store::connect(&url, NODE).await.unwrap_err();
    assert!(matches!(error, Error::Open { .. }), "{error:?}");
    assert!(error.to_string().starts_with("cannot open the database postgres://me:***@localhost/offhook?"), "{error}");
}
