//! Files of recordings: kept when there is sound in them, and for as long as the configuration says, as SIP messages
//! are.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::calls::Calls;
use crate::{Error, clock, signalling};

/// The header of a WAV file: one that is no longer has no sound.
const HEADER: u64 = 44;
/// How often recordings are looked through.
const SWEEP: Duration = Duration::from_secs(3600);
/// Recordings taken from the store at once.
const PAGE: u32 = 100;

/// The recording of a call that has ended, if there is sound in it; without any the file is deleted.
pub(crate) async fn kept(path: &Path) -> Option<String> {
    let length = tokio::fs::metadata(path).await.ok()?.len();
    if length > HEADER {
        return Some(path.display().to_string());
    }
    if let Err(error) = tokio::fs::remove_file(path).await {
        tracing::warn!(path = %path.display(), %error, "an empty recording could not be deleted");
    }
    None
}

/// Deletes recordings and SIP messages older than `retention`, now and every hour, until the program stops.
pub(crate) async fn keep_for(calls: &Calls, retention: Duration) {
    let stop = calls.stopped();
    loop {
        let cutoff = cutoff(clock::now(), retention);
        if let Err(error) = signalling::delete_until(calls, cutoff).await {
            tracing::error!(%error, "old SIP messages could not be deleted");
        }
        match delete_until(calls, cutoff).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "recordings whose time was over are deleted"),
            Err(error) => tracing::error!(%error, "old recordings could not be deleted"),
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
    let mut deleted = 0;
    loop {
        let before = deleted;
        for row in store.recordings_until(&clock::rfc3339(cutoff), PAGE).await? {
            match tokio::fs::remove_file(&row.path).await {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::error!(call_id = %row.call_id, %error, "a recording could not be deleted");
                }
                // Deleted already, if the program ended before it could be noted.
                Ok(()) | Err(_) => {
                    store.recording_deleted(&row.call_id, &clock::rfc3339(clock::now())).await?;
                    deleted += 1;
                }
            }
        }
        // What could not be deleted is found again; in an hour it is tried again.
        if deleted == before {
            return Ok(deleted);
        }
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
}
