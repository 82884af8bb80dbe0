//! Backups of a SQLite file, and what they are good for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use store::{Error, Store};
use tempfile::TempDir;

use crate::databases::NODE;
use crate::records::call;

#[tokio::test]
async fn what_was_written_before_a_backup_is_there_after_it_is_restored_and_nothing_else() {
    let place = Place::new();
    let store = Store::connect(&place.url, NODE).await.unwrap();
    store.insert_call(&call("call_1"), &[], None).await.unwrap();
    // While the server runs.
    Store::backup(&place.url, &place.backup).await.unwrap();
    assert_eq!(fs::metadata(&place.backup).unwrap().permissions().mode() & 0o777, 0o600);
    store.insert_call(&call("call_2"), &[], None).await.unwrap();

    let refused = Store::restore(&place.url, &place.backup, true).await;
    assert!(matches!(refused, Err(Error::InUse { .. })), "{refused:?}");
    store.close().await;
    let refused = Store::restore(&place.url, &place.backup, false).await;
    assert!(matches!(refused, Err(Error::Exists { .. })), "{refused:?}");
    assert_eq!(place.calls().await, ["call_2", "call_1"]);

    Store::restore(&place.url, &place.backup, true).await.unwrap();
    assert_eq!(place.calls().await, ["call_1"]);
    fs::remove_dir_all(place.directory.path().join("data")).unwrap();
    Store::restore(&place.url, &place.backup, false).await.unwrap();
    assert_eq!(place.calls().await, ["call_1"]);
}

#[tokio::test]
async fn the_journal_of_the_database_before_does_not_reach_into_the_one_that_is_restored() {
    let place = Place::new();
    Store::connect(&place.url, NODE).await.unwrap().close().await;
    Store::backup(&place.url, &place.backup).await.unwrap();
    let store = Store::connect(&place.url, NODE).await.unwrap();
    store.insert_call(&call("call_1"), &[], None).await.unwrap();
    // As a program leaves them that dies.
    let data = place.directory.path().join("data");
    let kept: Vec<(PathBuf, Vec<u8>)> = ["offhook.db", "offhook.db-wal"]
        .map(|name| data.join(name))
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .to_vec();
    store.close().await;
    for (path, content) in kept {
        fs::write(path, content).unwrap();
    }

    Store::restore(&place.url, &place.backup, true).await.unwrap();
    assert_eq!(place.calls().await, [""; 0]);
}

#[tokio::test]
async fn what_is_no_backup_is_refused_and_changes_nothing() {
    let place = Place::new();
    let store = Store::connect(&place.url, NODE).await.unwrap();
    store.insert_call(&call("call_1"), &[], None).await.unwrap();
    store.close().await;
    for (content, says) in [
        (Some(&b"not a database at all, whatever its name says"[..]), "cannot open the database "),
        // An empty file is an empty database.
        (Some(&b""[..]), "is a database, but not of offhook"),
        (None, "cannot open the database "),
    ] {
        let _ = fs::remove_file(&place.backup);
        if let Some(content) = content {
            fs::write(&place.backup, content).unwrap();
        }
        let error = Store::restore(&place.url, &place.backup, true).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    assert_eq!(place.calls().await, ["call_1"]);
    let mut left: Vec<_> = fs::read_dir(place.directory.path().join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".part"))
        .collect();
    left.sort();
    assert_eq!(left, [""; 0]);
}

#[tokio::test]
async fn a_backup_replaces_no_file_and_has_no_database_but_one_in_a_file() {
    let place = Place::new();
    Store::connect(&place.url, NODE).await.unwrap().close().await;
    fs::write(&place.backup, "precious").unwrap();
    assert!(matches!(Store::backup(&place.url, &place.backup).await, Err(Error::Exists { .. })));
    assert_eq!(fs::read_to_string(&place.backup).unwrap(), "precious");
    for url in ["sqlite::memory:", "postgres://me:s3cr3t@localhost/offhook"] {
        let error = Store::backup(url, &place.directory.path().join("other.db")).await.unwrap_err();
        assert!(matches!(error, Error::NoFile { .. }) && !error.to_string().contains("s3cr3t"), "{error}");
    }
}

/// A folder with a database, and room for its backup.
struct Place {
    directory: TempDir,
    url: String,
    backup: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let url = format!("sqlite://{}/data/offhook.db", directory.path().display());
        let backup = directory.path().join("backup.db");
        Self { directory, url, backup }
    }

    /// The ids of the calls there are, newest first.
    async fn calls(&self) -> Vec<String> {
        let store = Store::connect(&self.url, NODE).await.unwrap();
        let calls = store.calls(&store::CallFilter::default(), 10).await.unwrap();
        store.close().await;
        calls.into_iter().map(|row| row.id).collect()
    }
}
