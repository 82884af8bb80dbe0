//! Writes one call's recording: left they, right we. A slow disk loses recording, never audio.

mod file;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use media::Recorded;
use media::recorder::{Format, Recorder};

use crate::{RecordingKey, ring};
use file::RecordingFile;

/// Frames between the worker and the disk: 1.3 s.
pub(crate) const MAX_RECORDED: usize = 64;
/// How often frames are taken to the disk.
const WRITE_EVERY: Duration = Duration::from_millis(500);

/// A recording being written.
#[derive(Debug)]
pub(crate) struct Recording {
    task: tokio::task::JoinHandle<()>,
    /// What to remove when nobody answered.
    unwanted: Option<PathBuf>,
}

impl Recording {
    /// Creates the file, in the format of its name, and starts writing what comes through the ring, encrypted when there is a
    /// key.
    pub(crate) fn start(
        path: &Path,
        key: Option<&RecordingKey>,
        longest: Duration,
        frames: ring::Receiver<Recorded>,
        keep_unanswered: bool,
    ) -> io::Result<Self> {
        let recorder = Recorder::new(Format::of(path), RecordingFile::create(path, key)?, Some(longest))?;
        let unwanted = (!keep_unanswered).then(|| path.to_owned());
        Ok(Self { task: tokio::spawn(write(recorder, frames)), unwanted })
    }

    /// Waits until the last frame is on disk; the ring's writer must be gone.
    pub(crate) async fn finish(self, answered: bool) {
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "recording task failed");
        }
        if let (Some(path), false) = (self.unwanted, answered) {
            // Gone already when somebody renamed it.
            let _ = tokio::fs::remove_file(path).await;
        }
    }
}

async fn write(mut recorder: Recorder<RecordingFile>, mut frames: ring::Receiver<Recorded>) {
    loop {
        let mut batch = Vec::with_capacity(MAX_RECORDED);
        while let Some(frame) = frames.pop() {
            batch.push(frame);
        }
        let last = frames.is_closed() && frames.is_empty();
        let written = tokio::task::spawn_blocking(move || {
            for Recorded { they, we } in &batch {
                recorder.write(they, we)?;
            }
            if last {
                recorder.finish()?.finish()?;
                return Ok(None);
            }
            io::Result::Ok(Some(recorder))
        });
        match written.await {
            Ok(Ok(Some(returned))) => recorder = returned,
            Ok(Ok(None)) => return,
            Ok(Err(error)) => return tracing::warn!(%error, "recording stopped"),
            Err(error) => return tracing::warn!(%error, "recording stopped"),
        }
        // The end of the call cuts the wait short.
        let _ = tokio::time::timeout(WRITE_EVERY, frames.closed()).await;
    }
}
