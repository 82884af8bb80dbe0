//! Recordings: encrypted ones are served as they were, and all go when their time is over.

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::Request;
use common::{App, ended, until};
use gateway::{CallStatus, EndCause, RecordingFailure, RecordingKey, SealedWriter};
use serde_json::{Value, json};
use store::{CallEnding, CallRow, EventRow, RecordingRow, TranscriptRow};
use tempfile::TempDir;
use tower::ServiceExt;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const LONG_AGO: &str = "2020-01-01T00:00:00.000Z";

fn key(byte: u8) -> RecordingKey {
    RecordingKey::new([byte; 32])
}

/// A recorder's file; one that `died` has no end.
fn write_encrypted(path: &Path, content: &[u8], died: bool) {
    let mut writer = SealedWriter::new(File::create(path).unwrap(), &key(7), &[3; 32]).unwrap();
    writer.write_all(content).unwrap();
    if !died {
        writer.finish().unwrap();
    }
}

/// A server with that key, and the path of an encrypted recording there is of a call.
async fn with_recording(server: Option<RecordingKey>, content: &[u8], died: bool) -> (App, String, PathBuf) {
    let app = App::with(|config| config.recording_key = server).await;
    let mut path = PathBuf::new();
    let call = app
        .played(async |line| {
            line.status(CallStatus::Answered);
            path = line.dial.record.clone().unwrap();
            write_encrypted(&path, content, died);
            ended(EndCause::HungUp)
        })
        .await;
    (app, format!("/v1/calls/{}/recording", call["id"].as_str().unwrap()), path)
}

#[tokio::test]
async fn an_encrypted_recording_is_served_as_it_was_recorded() {
    let content: String = (0..30_000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let (app, url, path) = with_recording(Some(key(7)), content.as_bytes(), false).await;
    assert!(!fs::read(path).unwrap().windows(8).any(|window| window == b"abcdefgh"));
    let recording = app.get(&url).await;
    assert_eq!((recording.status.as_u16(), &recording.headers["content-length"]), (200, &"30000".parse().unwrap()));
    assert_eq!(recording.headers["content-type"], "audio/wav");
    assert!(recording.text == content && !recording.headers.contains_key("recording-incomplete"));
}

#[tokio::test]
async fn what_cannot_be_decrypted_says_what_to_do() {
    for (server, says) in [
        (
            Some(key(8)),
            "this recording is encrypted with another key than the server has now: set [media] recording_key",
        ),
        (None, "this recording is encrypted, and the server has no key: set [media] recording_key"),
    ] {
        let (app, url, _) = with_recording(server, &[7; 100], false).await;
        let refused = app.get(&url).await;
        assert_eq!(refused.problem(), (409, "recording_encrypted".into()));
        assert!(refused.json()["detail"].as_str().unwrap().starts_with(says), "{refused:?}");
    }
}

#[tokio::test]
async fn a_recording_that_is_not_whole_is_told_as_failed_and_what_there_is_of_it_is_kept() {
    let app = App::start().await;
    let why = "No space left on device (os error 28)";
    let mut events = app.control.follow_events(None);
    let call = app
        .played(async |line| {
            line.status(CallStatus::Answered);
            fs::write(line.dial.record.as_ref().unwrap(), [7; 100]).unwrap();
            line.recording_fails(RecordingFailure::Write(why.into()));
            ended(EndCause::HungUp)
        })
        .await;
    let url = format!("/v1/calls/{}/recording", call["id"].as_str().unwrap());
    let failed = until(&mut events, "call.recording.failed").await;
    let data = &serde_json::from_str::<Value>(&failed.json).unwrap()["data"];
    assert_eq!(
        (&data["cause"], &data["detail"], &data["url"]),
        (&json!("write_failed"), &json!(why), &json!(url.as_str()))
    );
    assert!(!app.get("/v1/events?limit=100").await.text.contains("call.recording.ready"));
    assert_eq!(app.get(&url).await.status, 200);
}

#[tokio::test]
async fn of_a_recording_whose_end_is_missing_the_rest_is_served_and_says_so() {
    let (app, url, _) = with_recording(Some(key(7)), &[b'x'; 10_000], true).await;
    let recording = app.get(&url).await;
    assert_eq!(recording.headers["recording-incomplete"], "true");
    assert_eq!((recording.text, &recording.headers["content-length"]), ("x".repeat(8192), &"8192".parse().unwrap()));
}

#[tokio::test]
async fn a_damaged_recording_is_never_served_as_whole() {
    let (app, url, path) = with_recording(Some(key(7)), &[b'x'; 200_000], false).await;
    let mut file = fs::read(&path).unwrap();
    let middle = file.len() / 2;
    file[middle] ^= 1;
    fs::write(&path, &file).unwrap();
    let request = Request::get(&url).header("authorization", "Bearer read-secret").body(Body::empty()).unwrap();
    let response = app.control.router().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-length"], "200000");
    assert!(axum::body::to_bytes(response.into_body(), 1 << 20).await.is_err(), "the body breaks off");

    file.truncate(500);
    fs::write(&path, &file).unwrap();
    assert_eq!(app.get(&url).await.problem(), (500, "recording_unreadable".into()));
}

/// Looks through the recordings once, since the program is about to stop.
async fn sweep(app: &App, retention: Duration) {
    app.control.drain(Duration::ZERO).await;
    app.control.keep_recordings_for(retention).await;
}

fn recordings(app: &App) -> PathBuf {
    app.directory.path().join("recordings")
}

/// A file that was written to last so long ago.
fn write_old(path: &Path, age: Duration) {
    fs::write(path, "sound").unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

/// A call of 2020 that goes on.
async fn begun(app: &App, id: &str) {
    let row = CallRow {
        id: id.into(),
        status: "queued".into(),
        direction: "outbound".into(),
        to: "+15550100".into(),
        request_json: "{}".into(),
        created_at: LONG_AGO.into(),
        warnings_json: "[]".into(),
        ..CallRow::default()
    };
    app.store.insert_call(&row, &[], None).await.unwrap();
}

/// A call that ended in 2020, with a recording.
async fn long_ended(app: &App, id: &str, recording: &Path) {
    begun(app, id).await;
    let ending = CallEnding {
        ended_at: LONG_AGO.into(),
        end_reason: "completed".into(),
        result_json: "{}".into(),
        latency_json: "{}".into(),
        cost_json: "{}".into(),
        recording: Some(recording.display().to_string()),
        ..CallEnding::default()
    };
    app.store.end_call(id, &ending, &[]).await.unwrap();
}

async fn is_deleted(app: &App, id: &str) -> bool {
    let row = app.store.call(id).await.unwrap().unwrap();
    row.recording.is_none() && row.recording_deleted_at.is_some()
}

#[tokio::test]
async fn an_encrypted_recording_goes_when_its_time_is_over() {
    let (app, url, path) = with_recording(None, &[7; 100], false).await;
    sweep(&app, Duration::ZERO).await;
    assert!(!path.exists(), "it is deleted without its key too");
    assert_eq!(app.get(&url).await.problem(), (410, "recording_deleted".into()));
}

#[tokio::test]
async fn recordings_that_cannot_be_deleted_do_not_keep_others_from_it() {
    let app = App::start().await;
    let folder = recordings(&app).join("folder");
    fs::create_dir(&folder).unwrap();
    // More than are taken from the store at once.
    for n in 0..120 {
        long_ended(&app, &format!("call_a{n:03}"), &folder).await;
    }
    let path = recordings(&app).join("call_b.wav");
    write_old(&path, Duration::ZERO);
    long_ended(&app, "call_b", &path).await;
    sweep(&app, DAY).await;
    assert!(!path.exists() && is_deleted(&app, "call_b").await);
    assert!(folder.exists() && !is_deleted(&app, "call_a000").await, "what is still there is not said to be gone");
    let first: Vec<RecordingRow> = app.store.recordings_until("2021", None, 1000).await.unwrap();
    assert_eq!(first.len(), 120);
}

#[tokio::test]
async fn a_file_that_went_before_it_could_be_noted_is_noted() {
    let app = App::start().await;
    long_ended(&app, "call_a", &recordings(&app).join("call_a.wav")).await;
    sweep(&app, DAY).await;
    assert!(is_deleted(&app, "call_a").await);
}

#[tokio::test]
async fn what_was_said_on_a_call_goes_with_its_events_when_its_time_is_over() {
    let app = App::start().await;
    let said = TranscriptRow { at_ms: 1, end_ms: 2, speaker: "callee".into(), text: "a secret".into() };
    begun(&app, "call_a").await;
    app.store.append_transcript("call_a", &said, &[]).await.unwrap();
    long_ended(&app, "call_b", &recordings(&app).join("call_b.wav")).await;
    let event = EventRow { id: "evt_b".into(), call_id: Some("call_b".into()), body: "{}".into() };
    app.store.append_transcript("call_b", &said, &[event]).await.unwrap();
    sweep(&app, DAY).await;
    assert_eq!(app.store.transcript("call_a").await.unwrap(), [said], "it goes on");
    assert_eq!(app.store.transcript("call_b").await.unwrap(), []);
    assert_eq!(app.store.events_after("", Some("call_b"), 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_link_is_not_taken_for_the_recording_it_leads_to() {
    let app = App::start().await;
    let (link, target) = (recordings(&app).join("call_a.wav"), app.directory.path().join("elsewhere"));
    write_old(&target, DAY * 2);
    std::os::unix::fs::symlink(&target, &link).unwrap();
    long_ended(&app, "call_a", &link).await;
    let stray = recordings(&app).join("call_01J9ZQ8XK3M4N5P6Q7R8S9T0VW.wav");
    std::os::unix::fs::symlink(&target, &stray).unwrap();
    sweep(&app, DAY).await;
    assert!(target.exists() && link.is_symlink() && stray.is_symlink());
    assert!(!is_deleted(&app, "call_a").await, "the sound is still there");
}

#[tokio::test]
async fn files_that_no_call_has_go_too_and_those_of_others_or_of_calls_under_way_stay() {
    let app = App::start().await;
    let live = "call_01J9ZQ8XK3M4N5P6Q7R8S9T0VX";
    begun(&app, live).await;
    let file = |name: &str| recordings(&app).join(name);
    let gone = [file("call_01J9ZQ8XK3M4N5P6Q7R8S9T0VW.wav"), file("inbound-0123456789abcdef.wav")];
    let stay = [file(&format!("{live}.wav")), file("notes.txt"), file("inbound-notes.wav")];
    for path in gone.iter().chain(&stay) {
        write_old(path, DAY + HOUR);
    }
    let fresh = file("inbound-fedcba9876543210.wav");
    write_old(&fresh, DAY - HOUR);
    sweep(&app, DAY).await;
    assert!(gone.iter().all(|path| !path.exists()));
    assert!(stay.iter().all(|path| path.exists()));
    assert!(fresh.exists(), "its time is not over");

    // However short the time is: somebody may still write.
    let (app, brief) = (App::start().await, "inbound-0123456789abcdef.wav");
    let brief = recordings(&app).join(brief);
    write_old(&brief, HOUR / 2);
    sweep(&app, Duration::from_secs(1)).await;
    assert!(brief.exists());
}

#[tokio::test]
async fn a_recording_of_a_crash_is_found_though_calls_are_recorded_no_longer() {
    let before = App::start().await;
    let id = before.place().await;
    let line = before.line().await;
    assert!(line.dial.record.is_some());
    // What a crash leaves behind: the files as they are now, and nobody who holds them.
    let left_behind = TempDir::new().unwrap();
    for name in ["offhook.db", "offhook.db-wal"] {
        fs::copy(before.directory.path().join(name), left_behind.path().join(name)).unwrap();
    }
    let path = left_behind.path().join(format!("recordings/{id}.wav"));
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, [b'x'; 100]).unwrap();

    let after = App::in_directory(left_behind, |config| config.record = false).await;
    assert_eq!(after.call(&id).await["end_reason"], "interrupted");
    assert_eq!(after.get(&format!("/v1/calls/{id}/recording")).await.text, "x".repeat(100));
    after.place().await;
    let line = after.line().await;
    assert_eq!(line.dial.record, None);
    line.end(ended(EndCause::HungUp));
    sweep(&after, Duration::ZERO).await;
    assert!(!path.exists());
}
