//! [`RecordingReader`]: the bytes of a recording, encrypted or not.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use hmac::Mac;

use super::{
    CHECK_LEN, CHUNK, ChunkCipher, ChunkId, HEADER_LEN, NAME, PREFIX_LEN, Purpose, RecordingKey, SEALED_CHUNK, TAG_LEN,
    VERSION, derived,
};

/// Bytes that are handed out at once, at most.
const PIECE: usize = 16 * CHUNK;
/// The sizes in the header of a WAV file, as we write it: of all that follows, and of its sound.
const WAV_SIZES: [(usize, u64); 2] = [(4, 8), (40, 44)];

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("the file of the recording cannot be read")]
    Io(#[from] io::Error),
    /// It is encrypted, and there is no key.
    #[error("the recording is encrypted, and no key is configured")]
    NoKey,
    /// It is encrypted with another key.
    #[error("the recording is encrypted with another key than the configured one")]
    OtherKey,
    /// It is encrypted in a way that is not known here.
    #[error("the recording is encrypted in a way that this version does not know")]
    UnknownVersion,
    /// Nothing of it is what was written.
    #[error("the file of the recording is damaged")]
    Damaged,
}

/// A recording that is open to be read from its beginning. It blocks, as files do.
///
/// The sizes in a WAV header are completed when the file is encrypted: what was written first of it said nothing of them.
#[derive(Debug)]
pub struct RecordingReader {
    file: File,
    len: u64,
    /// `None` when the file is not encrypted.
    sealed: Option<Sealed>,
}

#[derive(Debug)]
struct Sealed {
    cipher: ChunkCipher,
    /// How many chunks can be read, and which is next.
    chunks: u64,
    next: u64,
    /// The last of them is the last that was written.
    complete: bool,
}

impl RecordingReader {
    /// Opens the file, and tries the key on its beginning and its end.
    pub fn open(path: &Path, key: Option<&RecordingKey>) -> Result<Self, RecordingError> {
        let mut file = File::open(path)?;
        let file_len = file.metadata()?.len();
        let Some(header) = sealed_header(&mut file)? else {
            file.rewind()?;
            return Ok(Self { file, len: file_len, sealed: None });
        };
        if header.get(NAME.len()).is_some_and(|version| *version != VERSION) {
            return Err(RecordingError::UnknownVersion);
        }
        let key = key.ok_or(RecordingError::NoKey)?;
        let (prefix, check) = header.split_first_chunk::<PREFIX_LEN>().ok_or(RecordingError::Damaged)?;
        if check.len() != CHECK_LEN {
            return Err(RecordingError::Damaged);
        }
        derived(key, prefix, Purpose::Check).verify_truncated_left(check).map_err(|_| RecordingError::OtherKey)?;
        let cipher = ChunkCipher::new(key, prefix);
        let (len, sealed) = find_end(&mut file, file_len, cipher)?;
        file.seek(SeekFrom::Start(HEADER_LEN as u64))?;
        Ok(Self { file, len, sealed: Some(sealed) })
    }

    /// Bytes that there are to read.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Is there nothing to read?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Is the end there too? Of a file that is not encrypted nobody can tell; it is taken to be.
    pub fn is_complete(&self) -> bool {
        self.sealed.as_ref().is_none_or(|sealed| sealed.complete)
    }

    /// The next bytes, up to 64 KiB; none at the end. A chunk that is not what was written is an error, and nothing of
    /// it is handed out.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        let Some(sealed) = &mut self.sealed else {
            let mut piece = Vec::with_capacity(PIECE);
            (&mut self.file).take(PIECE as u64).read_to_end(&mut piece)?;
            return Ok(piece);
        };
        let mut piece = Vec::with_capacity(PIECE);
        while sealed.next < sealed.chunks && piece.len() < PIECE {
            let id = ChunkId { number: sealed.next, last: sealed.complete && sealed.next + 1 == sealed.chunks };
            let mut chunk = Vec::with_capacity(SEALED_CHUNK);
            (&mut self.file).take(SEALED_CHUNK as u64).read_to_end(&mut chunk)?;
            if !sealed.cipher.open(id, &mut chunk) {
                let message = format!("chunk {} of a recording is not what was written", id.number);
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            if id.number == 0 {
                complete_sizes(&mut chunk, self.len);
            }
            piece.append(&mut chunk);
            sealed.next += 1;
        }
        Ok(piece)
    }
}

/// Bytes that a recording has, read without its key; of one whose writer died it may be a few too many.
pub fn recording_len(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let file_len = file.metadata()?.len();
    if sealed_header(&mut file)?.is_none() {
        return Ok(file_len);
    }
    let chunks = file_len.saturating_sub(HEADER_LEN as u64);
    let (whole, rest) = (chunks / SEALED_CHUNK as u64, chunks % SEALED_CHUNK as u64);
    Ok(whole * CHUNK as u64 + rest.saturating_sub(TAG_LEN as u64))
}

/// The header, as far as it is there; `None` if this is no encrypted file.
fn sealed_header(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let mut header = Vec::with_capacity(HEADER_LEN);
    file.take(HEADER_LEN as u64).read_to_end(&mut header)?;
    Ok(header.starts_with(NAME).then_some(header))
}

/// How much there is, up to the last chunk that opens. That is the last one written, unless the writer died.
fn find_end(file: &mut File, file_len: u64, cipher: ChunkCipher) -> Result<(u64, Sealed), RecordingError> {
    let bytes = file_len.saturating_sub(HEADER_LEN as u64);
    let there = bytes.div_ceil(SEALED_CHUNK as u64);
    let mut chunks = there;
    while let Some(number) = chunks.checked_sub(1) {
        for last in [true, false] {
            let Some(content) = read_chunk(file, &cipher, ChunkId { number, last })? else { continue };
            // Only the last one may be short, and nothing may follow it.
            if last && chunks == there || !last && content == CHUNK {
                let len = number * CHUNK as u64 + content as u64;
                return Ok((len, Sealed { cipher, chunks, next: 0, complete: last }));
            }
        }
        chunks = number;
    }
    if there > 0 {
        return Err(RecordingError::Damaged);
    }
    // It died before its first chunk.
    Ok((0, Sealed { cipher, chunks: 0, next: 0, complete: false }))
}

/// How much content a chunk has, if it is that chunk.
fn read_chunk(file: &mut File, cipher: &ChunkCipher, id: ChunkId) -> io::Result<Option<usize>> {
    file.seek(SeekFrom::Start(HEADER_LEN as u64 + id.number * SEALED_CHUNK as u64))?;
    let mut chunk = Vec::with_capacity(SEALED_CHUNK);
    file.take(SEALED_CHUNK as u64).read_to_end(&mut chunk)?;
    Ok(cipher.open(id, &mut chunk).then_some(chunk.len()))
}

/// Writes the sizes into the header of a WAV file of that length; leaves what is no WAV file of ours alone.
fn complete_sizes(beginning: &mut [u8], len: u64) {
    let is_wav = |at: usize, name: &[u8]| beginning.get(at..at + name.len()) == Some(name);
    if !(is_wav(0, b"RIFF") && is_wav(8, b"WAVE") && is_wav(36, b"data")) {
        return;
    }
    for (at, before) in WAV_SIZES {
        if let Some(size) = beginning.get_mut(at..at + 4) {
            let follows = u32::try_from(len.saturating_sub(before)).unwrap_or(u32::MAX);
            size.copy_from_slice(&follows.to_le_bytes());
        }
    }
}
