//! Recordings at rest: bytes that are encrypted as they are written, and read back with the same key.
//!
//! A layer below the container: whatever writes a sound file writes it through [`SealedWriter`], and
//! [`RecordingReader`] gives the same bytes again, of files that are not encrypted too.
//!
//! # The format
//!
//! For whoever wants to read such a file without us. Integers are big-endian, `‖` joins bytes, and K is the recording
//! key, 32 bytes.
//!
//! ```text
//!  offset  bytes
//!       0      8  "offhook" and the byte 1, which is the version
//!       8     32  salt: random, of this file alone
//!      40     16  check: the first 16 bytes of HMAC-SHA256(K, bytes 0 to 39 ‖ 2)
//!      56         chunks to the end of the file
//! ```
//!
//! A chunk is 4096 bytes of content, encrypted, and a tag of 16 bytes; the last one has 0 to 4096 bytes of content. They
//! are encrypted by AES-256-GCM without associated data. Its key is HMAC-SHA256(K, bytes 0 to 39 ‖ 1). The nonce of a
//! chunk is 12 bytes: three of zero, the number of the chunk from 0 in eight, and 1 for the last chunk or 0 for another.
//! This is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015) under a key for each file: a chunk that is
//! changed, moved, left out or taken from another file does not open, and without a last chunk something is missing.
//!
//! A file whose writer died has no last chunk and may end within one; what comes before is whole. The check tells a
//! wrong key from a damaged file.
//!
//! Nothing is encrypted twice, so a WAV header keeps the sizes that it began with, of a file without sound. A reader
//! completes them from the length of the content: see [`RecordingReader`].

mod reader;
mod writer;

pub use reader::{RecordingError, RecordingReader, recording_len};
pub use writer::SealedWriter;

use std::fmt;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroize;

/// What a file begins with, before its version.
const NAME: &[u8; 7] = b"offhook";
const VERSION: u8 = 1;
const SALT_LEN: usize = 32;
/// Name, version and salt: what keys are derived from.
const PREFIX_LEN: usize = 8 + SALT_LEN;
const CHECK_LEN: usize = 16;
const HEADER_LEN: usize = PREFIX_LEN + CHECK_LEN;
/// Bytes of content in a chunk: 128 ms of a stereo WAV.
const CHUNK: usize = 4096;
const TAG_LEN: usize = 16;
const SEALED_CHUNK: usize = CHUNK + TAG_LEN;

/// What recordings are encrypted with. Never printed, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordingKey([u8; 32]);

impl RecordingKey {
    /// These bytes, which nobody may guess.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for RecordingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordingKey")
    }
}

impl Drop for RecordingKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What is derived from the recording key for one file.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Chunks = 1,
    Check = 2,
}

fn derived(key: &RecordingKey, prefix: &[u8; PREFIX_LEN], purpose: Purpose) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes keys of any length");
    mac.chain_update(prefix).chain_update([purpose as u8])
}

fn prefix(salt: &[u8; SALT_LEN]) -> [u8; PREFIX_LEN] {
    let mut prefix = [0; PREFIX_LEN];
    prefix[..NAME.len()].copy_from_slice(NAME);
    prefix[NAME.len()] = VERSION;
    prefix[PREFIX_LEN - SALT_LEN..].copy_from_slice(salt);
    prefix
}

/// Which chunk of a file.
#[derive(Debug, Clone, Copy)]
struct ChunkId {
    number: u64,
    last: bool,
}

impl ChunkId {
    fn nonce(self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.number.to_be_bytes());
        nonce[11] = u8::from(self.last);
        nonce
    }
}

/// The key of one file's chunks, ready for use.
struct ChunkCipher(Aes256Gcm);

impl ChunkCipher {
    fn new(key: &RecordingKey, prefix: &[u8; PREFIX_LEN]) -> Self {
        let mut bytes: [u8; 32] = derived(key, prefix, Purpose::Chunks).finalize().into_bytes().into();
        let cipher = Aes256Gcm::new(&bytes.into());
        bytes.zeroize();
        Self(cipher)
    }

    /// Encrypts a chunk's content in place and appends the tag. False beyond 64 GB, which no chunk has.
    fn seal(&self, id: ChunkId, chunk: &mut Vec<u8>) -> bool {
        let nonce = Nonce::from(id.nonce());
        let tag = self.0.encrypt_inout_detached(&nonce, &[], chunk.as_mut_slice().into());
        tag.map(|tag| chunk.extend_from_slice(&tag)).is_ok()
    }

    /// Decrypts a chunk in place and takes its tag off; false, and nothing of its content, if it is not that chunk.
    #[must_use]
    fn open(&self, id: ChunkId, chunk: &mut Vec<u8>) -> bool {
        let Some((content, tag)) = chunk.split_last_chunk_mut::<TAG_LEN>() else { return false };
        let (nonce, tag) = (Nonce::from(id.nonce()), (*tag).into());
        let opened = self.0.decrypt_inout_detached(&nonce, &[], content.into(), &tag).is_ok();
        chunk.truncate(if opened { chunk.len() - TAG_LEN } else { 0 });
        opened
    }
}

impl fmt::Debug for ChunkCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChunkCipher")
    }
}

#[cfg(test)]
mod tests;
