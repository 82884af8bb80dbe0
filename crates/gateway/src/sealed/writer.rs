//! [`SealedWriter`]: bytes in, encrypted chunks out.

use std::io::{self, Seek, SeekFrom, Write};

use hmac::Mac;

use super::{CHECK_LEN, CHUNK, ChunkCipher, ChunkId, Purpose, RecordingKey, SALT_LEN, SEALED_CHUNK, derived, prefix};

/// Encrypts what is written, a chunk at a time. Only [`SealedWriter::finish`] makes the file a complete one.
///
/// It can be sought in for containers that complete their header when they know their length. What they write over bytes
/// that are there is not kept: the reader completes the header instead.
#[derive(Debug)]
pub struct SealedWriter<W: Write> {
    to: W,
    cipher: ChunkCipher,
    /// The content of the chunk that is being filled. It waits when full, since it may be the last.
    chunk: Vec<u8>,
    number: u64,
    /// Where the container writes next.
    position: u64,
}

impl<W: Write> SealedWriter<W> {
    /// Begins a file. The salt must be random and of this file alone: it makes the key that the file is encrypted with.
    pub fn new(mut to: W, key: &RecordingKey, salt: &[u8; SALT_LEN]) -> io::Result<Self> {
        let prefix = prefix(salt);
        let check = derived(key, &prefix, Purpose::Check).finalize().into_bytes();
        to.write_all(&prefix)?;
        to.write_all(&check[..CHECK_LEN])?;
        let cipher = ChunkCipher::new(key, &prefix);
        Ok(Self { to, cipher, chunk: Vec::with_capacity(SEALED_CHUNK), number: 0, position: 0 })
    }

    /// Writes the last chunk and gives the file back.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn len(&self) -> u64 {
        self.number * CHUNK as u64 + self.chunk.len() as u64
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let id = ChunkId { number: self.number, last };
        // Whatever fails, no number is used twice.
        self.number += 1;
        let sealed = self.cipher.seal(id, &mut self.chunk);
        let written = if sealed { self.to.write_all(&self.chunk) } else { Err(io::Error::other("not encrypted")) };
        self.chunk.clear();
        written
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let behind = self.len() - self.position;
        let taken = if behind > 0 {
            bytes.len().min(usize::try_from(behind).unwrap_or(usize::MAX))
        } else {
            if self.chunk.len() == CHUNK {
                self.seal(false)?;
            }
            let taken = bytes.len().min(CHUNK - self.chunk.len());
            self.chunk.extend_from_slice(&bytes[..taken]);
            taken
        };
        self.position += taken as u64;
        Ok(taken)
    }

    /// What fills no chunk yet stays here.
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Write> Seek for SealedWriter<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::End(by) => self.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        let within = to.filter(|to| *to <= self.len());
        self.position = within.ok_or_else(|| io::Error::other("an encrypted recording has no gaps"))?;
        Ok(self.position)
    }
}
