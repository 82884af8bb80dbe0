//! [`RecordingFile`]: where a recorder's bytes go, encrypted when there is a key.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::sealed::{RecordingKey, SealedWriter};

/// A file being recorded to. It blocks, as files do.
#[derive(Debug)]
pub(super) enum RecordingFile {
    Plain(BufWriter<File>),
    Sealed(Box<SealedWriter<BufWriter<File>>>),
}

impl RecordingFile {
    /// Makes the file, and the folder it is in.
    pub(super) fn create(path: &Path, key: Option<&RecordingKey>) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        // For nobody else on this machine, with a key or without.
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let file = BufWriter::new(file);
        let Some(key) = key else { return Ok(Self::Plain(file)) };
        // Of the system whatever seed the gateway has: no two files may have the same.
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self::Sealed(Box::new(SealedWriter::new(file, key, &salt)?)))
    }

    /// Nothing more will be written.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Sealed(file) => file.finish().map(drop),
        }
    }
}

impl Write for RecordingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Sealed(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Sealed(file) => file.flush(),
        }
    }
}

impl Seek for RecordingFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Plain(file) => file.seek(to),
            Self::Sealed(file) => file.seek(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_recording_can_be_read_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        for (name, key) in [("plain.wav", None), ("sealed.wav", Some(RecordingKey::new([7; 32])))] {
            let path = folder.path().join(name);
            RecordingFile::create(&path, key.as_ref()).unwrap();
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
