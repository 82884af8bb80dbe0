//! Writes one call's recording: left they, right we. A slow disk loses recording, never audio, and never time.

mod file;

use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use media::recorder::{Format, Recorder};
use media::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES, Recorded};

use crate::{RecordingKey, ring};
use file::RecordingFile;

/// Frames between the worker and the disk: 1.3 s.
pub(crate) const MAX_RECORDED: usize = 64;
/// How often frames are taken to the disk.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// How long a call that is over waits for the last frames to be on disk.
pub const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// Why a recording is not whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingFailure {
    /// The disk did not take it in time. It may be whole later.
    #[error("the disk has not taken all of it {} s after the end of the call", DISK_PATIENCE.as_secs())]
    Stalled,
    /// The disk would not take more of it.
    #[error("{0}")]
    Write(String),
}

/// A recording being written.
#[derive(Debug)]
pub(crate) struct Recording {
    task: tokio::task::JoinHandle<io::Result<()>>,
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
        let tape = Tape { recorder, until: Duration::ZERO };
        let unwanted = (!keep_unanswered).then(|| path.to_owned());
        Ok(Self { task: tokio::spawn(write(tape, frames)), unwanted })
    }

    /// Waits until the last frame is on disk, or for so long that the disk must have stalled: then it goes on without anybody
    /// waiting. The ring's writer must be gone.
    pub(crate) async fn finish(self, answered: bool) -> Result<(), RecordingFailure> {
        let unwanted = self.unwanted.filter(|_| !answered);
        let finishing = tokio::spawn(async move {
            let written = self.task.await.unwrap_or_else(|error| Err(io::Error::other(error)));
            if let Some(path) = unwanted {
                // Gone already when somebody renamed it.
                let _ = tokio::fs::remove_file(path).await;
            }
            written
        });
        match tokio::time::timeout(DISK_PATIENCE, finishing).await {
            Ok(written) => written
                .unwrap_or_else(|error| Err(io::Error::other(error)))
                .map_err(|error| RecordingFailure::Write(error.to_string())),
            Err(_) => Err(RecordingFailure::Stalled),
        }
    }
}

/// A recorder that keeps time: what was lost on the way to it is silence.
#[derive(Debug)]
struct Tape<W: Write + Seek> {
    recorder: Recorder<W>,
    /// Media time up to which it is recorded.
    until: Duration,
}

impl<W: Write + Seek> Tape<W> {
    fn write(&mut self, Recorded { they, we }: &Recorded) -> io::Result<()> {
        let silence = AudioFrame { samples: [0; FRAME_SAMPLES], ..*they };
        // As long as the file may grow.
        while self.until < they.at && self.recorder.write(&silence, &silence)? {
            self.until += FRAME_DURATION;
        }
        self.recorder.write(they, we)?;
        self.until = they.at + FRAME_DURATION;
        Ok(())
    }
}

async fn write(mut tape: Tape<RecordingFile>, mut frames: ring::Receiver<Recorded>) -> io::Result<()> {
    loop {
        let mut batch = Vec::with_capacity(MAX_RECORDED);
        while let Some(frame) = frames.pop() {
            batch.push(frame);
        }
        let last = frames.is_closed() && frames.is_empty();
        let written = tokio::task::spawn_blocking(move || {
            for frame in &batch {
                tape.write(frame)?;
            }
            if last {
                tape.recorder.finish()?.finish()?;
                return Ok(None);
            }
            io::Result::Ok(Some(tape))
        });
        match written.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(Some(returned)) => tape = returned,
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::warn!(%error, "recording stopped");
                return Err(error);
            }
        }
        // The end of the call cuts the wait short.
        let _ = tokio::time::timeout(WRITE_EVERY, frames.closed()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs::OpenOptions;
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    /// A pipe stands for the disk: it takes a page, then makes whoever writes wait until somebody reads.
    fn stalling_disk(path: &Path) -> std::fs::File {
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the name ends with a zero and lives as long as the call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let reader = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap();
        // SAFETY: it changes the pipe, which is open.
        assert_eq!(unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETPIPE_SZ, 4096) }, 4096);
        reader
    }

    fn frame(n: u64) -> Recorded {
        let frame = AudioFrame { at: Duration::from_millis(20 * n), samples: [1; 160] };
        Recorded { they: frame, we: frame }
    }

    fn start(path: &Path, frames: ring::Receiver<Recorded>) -> Recording {
        Recording::start(path, None, Duration::from_secs(60), frames, true).unwrap()
    }

    #[test]
    fn what_was_lost_on_the_way_to_the_file_is_silence_of_the_same_length() {
        let recorder =
            Recorder::new(Format::Wav, io::Cursor::new(Vec::new()), Some(Duration::from_millis(140))).unwrap();
        let mut tape = Tape { recorder, until: Duration::ZERO };
        for n in [0, 1, 4, 5, 9999] {
            tape.write(&frame(n)).unwrap();
        }
        let file = tape.recorder.finish().unwrap().into_inner();
        let (_, _, samples) = media::wav::read(&file).unwrap();
        let frames: Vec<_> = samples.chunks(2 * FRAME_SAMPLES).map(|frame| frame[0]).collect();
        assert_eq!(frames, [1, 1, 0, 0, 1, 1, 0], "and no longer than a recording may be");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_for_a_disk_that_has_stalled_no_longer_than_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.wav");
        let reader = stalling_disk(&path);
        let (mut frames, receiver) = ring::channel(MAX_RECORDED);
        let recording = start(&path, receiver);
        (0..49).for_each(|n| frames.push(frame(n)).unwrap());
        drop(frames);
        let waiting = tokio::spawn(recording.finish(true));
        // While a thread of its own is at work, this clock moves only when it is told to.
        tokio::task::yield_now().await;
        tokio::time::advance(DISK_PATIENCE * 2).await;
        assert_eq!(waiting.await.unwrap(), Err(RecordingFailure::Stalled));
        // With nobody to read, whoever waits to write is told so.
        std::fs::remove_file(&path).unwrap();
        drop(reader);
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_takes_no_more_is_told() {
        let (mut frames, receiver) = ring::channel(MAX_RECORDED);
        let recording = start(Path::new("/dev/full"), receiver);
        frames.push(frame(0)).unwrap();
        drop(frames);
        let failure = recording.finish(true).await.unwrap_err();
        assert!(matches!(&failure, RecordingFailure::Write(why) if why.contains("No space left")), "{failure:?}");
    }
}
