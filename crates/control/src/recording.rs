//! Files of recordings: kept when there is sound in them, read with the key they were written with, and deleted when the
//! configuration says, as SIP messages are.

use std::ffi::OsStr;
use std::fs::DirEntry;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{Stream, try_unfold};
use gateway::{DISK_PATIENCE, RecordingError, RecordingFailure, RecordingReader};
use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::calls::{CALL_PREFIX, Calls};
use crate::config::ControlConfig;
use crate::{Error, clock, ids, signalling};

/// The header of a WAV file: one that is no longer has no sound.
const HEADER: u64 = 44;
/// How often recordings are looked through.
const SWEEP: Duration = Duration::from_secs(3600);
/// Recordings taken from the store at once.
const PAGE: u32 = 100;
/// A file that no call has is left alone for so long at least after it was written to last.
const STRAY: Duration = Duration::from_secs(3600);

/// The recording of a call that has just ended, and why it is not whole: as its writer said, or because the disk does not
/// answer now. Such a file may still be completed, so it is kept unseen.
pub(crate) async fn left(path: &Path, failure: Option<RecordingFailure>) -> (Option<String>, Option<RecordingFailure>) {
    if failure != Some(RecordingFailure::Stalled)
        && let Ok(kept) = timeout(DISK_PATIENCE, kept(path)).await
    {
        return (kept, failure);
    }
    (Some(path.display().to_string()), Some(RecordingFailure::Stalled))
}

/// The recording of a call that has ended, if there is sound in it; without any the file is deleted.
pub(crate) async fn kept(path: &Path) -> Option<String> {
    let asked = path.to_owned();
    let length = spawn_blocking(move || gateway::recording_len(&asked)).await.ok()?;
    match length {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => tracing::error!(path = %path.display(), %error, "a recording cannot be read"),
        Ok(length) if length <= HEADER => {
            delete_empty(path).await;
            return None;
        }
        Ok(_) => {}
    }
    Some(path.display().to_string())
}

async fn delete_empty(path: &Path) {
    if let Err(error) = tokio::fs::remove_file(path).await {
        tracing::warn!(path = %path.display(), %error, "an empty recording could not be deleted");
    }
}

/// Opens the recording of a call.
pub(crate) async fn open(config: &ControlConfig, path: PathBuf) -> Result<RecordingReader, Error> {
    let key = config.recording_key.clone();
    let opened = spawn_blocking(move || RecordingReader::open(&path, key.as_ref())).await;
    let encrypted = |message: &str| Error::Conflict { code: "recording_encrypted", message: message.to_owned() };
    opened.unwrap_or_else(|error| Err(io::Error::other(error).into())).map_err(|error| match error {
        RecordingError::Io(error) if error.kind() == ErrorKind::NotFound => {
            Error::NotRecorded("the file of the recording is gone")
        }
        RecordingError::NoKey => encrypted(
            "this recording is encrypted, and the server has no key: set [media] recording_key to the key that it was made \
             with, and restart",
        ),
        RecordingError::OtherKey => encrypted(
            "this recording is encrypted with another key than the server has now: set [media] recording_key to the key \
             that it was made with, and restart",
        ),
        RecordingError::UnknownVersion => encrypted(
            "this recording is encrypted in a way that this version does not know: read it with the version that made it",
        ),
        error => Error::Unreadable(error),
    })
}

/// What there is to send of it. A client that is slow holds no thread; a file that turns out to be damaged breaks off
/// short of the length that was told.
pub(crate) fn pieces(reader: RecordingReader, call_id: String) -> impl Stream<Item = io::Result<Vec<u8>>> {
    try_unfold((reader, call_id), |(mut reader, call_id): (RecordingReader, String)| async move {
        let read = spawn_blocking(move || reader.read().map(|piece| (piece, reader))).await;
        match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok((piece, _)) if piece.is_empty() => Ok(None),
            Ok((piece, reader)) => Ok(Some((piece, (reader, call_id)))),
            Err(error) => {
                tracing::error!(%call_id, %error, "a recording breaks off");
                Err(error)
            }
        }
    })
}

/// Deletes recordings, SIP messages, transcripts and events older than `retention`, now and every hour, until the program stops.
pub(crate) async fn keep_for(calls: &Calls, retention: Duration) {
    let stop = calls.stopped();
    loop {
        let cutoff = cutoff(clock::now(), retention);
        if let Err(error) = signalling::delete_until(calls, cutoff).await {
            tracing::error!(%error, "old SIP messages could not be deleted");
        }
        match delete_words_until(calls, cutoff).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "transcripts and events of calls whose time was over are deleted"),
            Err(error) => tracing::error!(%error, "old transcripts and events could not be deleted"),
        }
        match delete_until(calls, cutoff).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "recordings whose time was over are deleted"),
            Err(error) => tracing::error!(%error, "old recordings could not be deleted"),
        }
        if let Err(error) = delete_strays(calls, cutoff.min(self::cutoff(clock::now(), STRAY))).await {
            tracing::error!(%error, "recordings that no call has could not be looked for");
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
    }
}

/// Recordings of calls that ended then or before are not kept any longer.
fn cutoff(now: Timestamp, retention: Duration) -> Timestamp {
    now.checked_sub(retention).unwrap_or(Timestamp::MIN)
}

async fn delete_until(calls: &Calls, cutoff: Timestamp) -> Result<usize, Error> {
    let store = &calls.config().store;
    let cutoff = clock::rfc3339(cutoff);
    let (mut deleted, mut seen) = (0, None);
    loop {
        // What could not be deleted keeps nothing after it from being; in an hour it is tried again.
        let page = store.recordings_until(&cutoff, seen.as_ref(), PAGE).await?;
        for row in &page {
            match delete(Path::new(&row.path)).await {
                Ok(()) => {
                    store.recording_deleted(&row.call_id, &clock::rfc3339(clock::now())).await?;
                    deleted += 1;
                }
                Err(error) => tracing::error!(call_id = %row.call_id, %error, "a recording could not be deleted"),
            }
        }
        match page.into_iter().next_back() {
            Some(last) => seen = Some(last),
            None => return Ok(deleted),
        }
    }
}

async fn delete_words_until(calls: &Calls, cutoff: Timestamp) -> Result<usize, Error> {
    let store = &calls.config().store;
    let (cutoff, now) = (clock::rfc3339(cutoff), clock::rfc3339(clock::now()));
    let mut deleted = 0;
    loop {
        match store.delete_words_until(&cutoff, &now, PAGE).await? {
            0 => break,
            page => deleted += page,
        }
    }
    // SIP messages went before.
    store.scrub().await?;
    Ok(deleted)
}

/// Deletes files of ours that no call has: left behind by a program that died, or back after a crash of the machine. So
/// late as a recording would go, and never while somebody may still write.
async fn delete_strays(calls: &Calls, cutoff: Timestamp) -> Result<(), Error> {
    let ControlConfig { store, recordings_dir: Some(directory), .. } = calls.config() else { return Ok(()) };
    for path in files_until(directory, cutoff).await {
        let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let known = match owner(stem) {
            Some(Owner::Call(id)) => {
                let row = store.call(id).await?;
                row.is_some_and(|row| row.status != "ended" || row.recording.is_some())
            }
            Some(Owner::Unnamed) => false,
            None => true,
        };
        if known {
            continue;
        }
        match delete(&path).await {
            Ok(()) => tracing::warn!(path = %path.display(), "a recording that no call has is deleted"),
            Err(error) => tracing::error!(path = %path.display(), %error, "a recording could not be deleted"),
        }
    }
    Ok(())
}

/// Whose recording a file is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner<'a> {
    /// Of the call with that id.
    Call(&'a str),
    /// Of an inbound call that never got an id.
    Unnamed,
}

/// `None` for files that are not ours.
fn owner(stem: &str) -> Option<Owner<'_>> {
    if ids::is_id(stem, CALL_PREFIX) {
        return Some(Owner::Call(stem));
    }
    let number = stem.strip_prefix("inbound-")?;
    (number.len() == 16 && number.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(Owner::Unnamed)
}

/// Files, not links or folders, that were written to last at that time or before.
async fn files_until(directory: &Path, cutoff: Timestamp) -> Vec<PathBuf> {
    let directory = directory.to_owned();
    let listed = spawn_blocking(move || {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let is_old = |entry: &DirEntry| {
            // Of the link itself, where it is one.
            let Ok(metadata) = entry.metadata() else { return false };
            let written = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
            metadata.is_file() && written.is_some_and(|time| time <= cutoff)
        };
        entries.filter(is_old).map(|entry| entry.path()).collect()
    });
    listed.await.unwrap_or_default()
}

/// Deletes a file. That it is not there is as good: the program may have ended before it could be noted.
async fn delete(path: &Path) -> io::Result<()> {
    let deleted = match tokio::fs::symlink_metadata(path).await {
        Ok(found) if found.is_file() => tokio::fs::remove_file(path).await,
        // Deleting a link would leave the sound, and what it leads to may be anything.
        Ok(_) => Err(io::Error::other("it is a link or a folder, not a file; delete what it stands for, then it")),
        Err(error) => Err(error),
    };
    match deleted {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        deleted => deleted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_goes_when_its_call_ended_so_long_ago() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        assert_eq!(cutoff(at("2026-03-31T12:00:00Z"), days(30)), at("2026-03-01T12:00:00Z"));
        assert_eq!(cutoff(at("2026-03-31T12:00:00Z"), Duration::ZERO), at("2026-03-31T12:00:00Z"));
        assert_eq!(cutoff(at("2026-03-31T12:00:00Z"), days(36_500_000)), Timestamp::MIN);
    }

    #[tokio::test]
    async fn a_file_with_no_more_than_a_header_is_deleted() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("call.wav");
        assert_eq!(kept(&path).await, None);
        std::fs::write(&path, [0; 44]).unwrap();
        assert_eq!(kept(&path).await, None);
        assert!(!path.exists());
        std::fs::write(&path, [0; 45]).unwrap();
        assert_eq!(kept(&path).await, Some(path.display().to_string()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_does_not_answer_keeps_no_call_from_its_end() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("call.wav");
        // Whoever opens a pipe to read waits for who writes.
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let asked = path.clone();
        let waiting = tokio::spawn(async move { left(&asked, None).await });
        // While a thread of its own is at work, this clock moves only when it is told to.
        tokio::task::yield_now().await;
        tokio::time::advance(DISK_PATIENCE * 2).await;
        let stalled = (Some(path.display().to_string()), Some(RecordingFailure::Stalled));
        assert_eq!(waiting.await.unwrap(), stalled);
        assert_eq!(left(&path, Some(RecordingFailure::Stalled)).await, stalled, "without asking again");
        drop(std::fs::OpenOptions::new().write(true).open(&path).unwrap());
    }

    #[tokio::test]
    async fn an_encrypted_file_is_judged_by_what_is_in_it() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("call.wav");
        for (content, is_kept) in [(44, false), (45, true)] {
            let file = std::fs::File::create(&path).unwrap();
            let mut writer = gateway::SealedWriter::new(file, &gateway::RecordingKey::new([7; 32]), &[1; 32]).unwrap();
            io::Write::write_all(&mut writer, &vec![0; content]).unwrap();
            writer.finish().unwrap();
            assert_eq!((kept(&path).await.is_some(), path.exists()), (is_kept, is_kept), "{content} bytes");
        }
    }

    #[test]
    fn only_files_that_are_named_as_ours_are_ours() {
        let call = "call_01J9ZQ8XK3M4N5P6Q7R8S9T0VW";
        assert_eq!(owner(call), Some(Owner::Call(call)));
        assert_eq!(owner("inbound-0123456789abcdef"), Some(Owner::Unnamed));
        for other in ["notes", "call_", "call_of_the_year", "inbound-", "inbound-0123456789abcdeg", ".doctor-7"] {
            assert_eq!(owner(other), None, "{other}");
        }
    }
}
