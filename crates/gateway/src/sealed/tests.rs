use std::io::{Cursor, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use media::recorder::WavRecorder;
use media::{AudioFrame, FRAME_SAMPLES};
use sha2::Digest;
use tempfile::TempDir;

use super::*;

const SALT: [u8; SALT_LEN] = {
    let mut salt = [0; SALT_LEN];
    let mut at = 0;
    while at < SALT_LEN {
        salt[at] = at as u8;
        at += 1;
    }
    salt
};

fn key(byte: u8) -> RecordingKey {
    RecordingKey::new([byte; 32])
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// A complete file.
fn sealed(content: &[u8]) -> Vec<u8> {
    let mut writer = SealedWriter::new(Vec::new(), &key(7), &SALT).expect("memory takes all");
    writer.write_all(content).expect("memory takes all");
    writer.finish().expect("memory takes all")
}

/// What is read of a file, and whether its end is there.
fn read(file: &[u8], with: Option<&RecordingKey>) -> Result<(Vec<u8>, bool), RecordingError> {
    let directory = TempDir::new().expect("a folder");
    let path = written(&directory, file);
    let mut reader = RecordingReader::open(&path, with)?;
    let mut bytes = Vec::new();
    loop {
        let piece = reader.read()?;
        if piece.is_empty() {
            assert_eq!(bytes.len() as u64, reader.len(), "as long as it said");
            return Ok((bytes, reader.is_complete()));
        }
        bytes.extend(piece);
    }
}

fn written(directory: &TempDir, file: &[u8]) -> PathBuf {
    let path = directory.path().join("call.wav");
    std::fs::write(&path, file).expect("the folder takes it");
    path
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_is_written_is_read_whatever_its_length() {
    let directory = TempDir::new().expect("a folder");
    for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 44, 40 * CHUNK + 7] {
        let file = sealed(&content(len));
        let chunks = len.div_ceil(CHUNK).max(1);
        assert_eq!(file.len(), HEADER_LEN + len + chunks * TAG_LEN);
        assert_eq!(read(&file, Some(&key(7))).expect("it opens"), (content(len), true), "{len} bytes");
        assert_eq!(recording_len(&written(&directory, &file)).expect("it is there"), len as u64);
    }
}

// Made with `hmac` and `cryptography` of Python from the description of the format alone.
#[test]
fn a_stranger_who_reads_the_description_writes_the_same_file() {
    let file = sealed(&content(CHUNK + 5));
    assert_eq!(hex(&file[40..56]), "6a02ebeebf37c141390e68e75dac774c");
    assert_eq!(hex(&file[56..72]), "9bee5844765cc19739d6f9ec7ae77fc2");
    let whole = "e2104f5b807563e849ffb953a40b0b813d641966372e5a3e7dfc0934123e863c";
    assert_eq!(hex(&Sha256::digest(&file)), whole);
}

#[test]
fn nothing_of_the_content_or_the_key_is_in_the_file() {
    let text = b"they said something that nobody else may hear";
    let file = sealed(&text.repeat(200));
    let has = |part: &[u8]| file.windows(part.len()).any(|window| window == part);
    assert!(!has(b"nobody") && !has(&[7; 16]));
    assert_eq!(format!("{:?}", key(7)), "RecordingKey");
}

#[test]
fn of_a_file_that_is_cut_off_the_chunks_before_are_read_and_the_end_is_missed() {
    let file = sealed(&content(3 * CHUNK + 100));
    for cut in [file.len() - 1, HEADER_LEN + 3 * SEALED_CHUNK, HEADER_LEN + 3 * SEALED_CHUNK + 15] {
        let (bytes, complete) = read(&file[..cut], Some(&key(7))).expect("it opens");
        assert!(bytes == content(3 * CHUNK) && !complete, "cut at {cut}: {} bytes", bytes.len());
    }
    let (bytes, complete) = read(&file[..HEADER_LEN + SEALED_CHUNK + 9], Some(&key(7))).expect("it opens");
    assert!(bytes == content(CHUNK) && !complete);
    assert_eq!(read(&file[..HEADER_LEN], Some(&key(7))).expect("it opens"), (Vec::new(), false));
    for cut in [HEADER_LEN - 1, HEADER_LEN + 100] {
        assert!(matches!(read(&file[..cut], Some(&key(7))), Err(RecordingError::Damaged)), "cut at {cut}");
    }
}

#[test]
fn what_a_recorder_that_dies_has_written_is_read_up_to_its_last_whole_chunk() {
    let mut file = Cursor::new(Vec::new());
    let mut writer = SealedWriter::new(&mut file, &key(7), &SALT).expect("memory takes all");
    writer.write_all(&content(2 * CHUNK + 50)).expect("memory takes all");
    drop(writer);
    assert_eq!(read(file.get_ref(), Some(&key(7))).expect("it opens"), (content(2 * CHUNK), false));
}

#[test]
fn chunks_that_are_changed_moved_or_foreign_are_never_handed_out() {
    let file = sealed(&content(4 * CHUNK + 1));
    let chunk = |number: usize| HEADER_LEN + number * SEALED_CHUNK..HEADER_LEN + (number + 1) * SEALED_CHUNK;
    let refused = |file: &[u8], what: &str| match read(file, Some(&key(7))) {
        Err(RecordingError::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{what}"),
        other => panic!("{what}: {other:?}"),
    };
    let mut flipped = file.clone();
    flipped[chunk(1).start + 70] ^= 1;
    refused(&flipped, "a bit");
    let mut swapped = file.clone();
    swapped[chunk(1)].copy_from_slice(&file[chunk(2)]);
    swapped[chunk(2)].copy_from_slice(&file[chunk(1)]);
    refused(&swapped, "an order");
    let mut shorter = file.clone();
    shorter.drain(chunk(2));
    // The last one is not where it was sealed, and nor is the one before it.
    let (bytes, complete) = read(&shorter, Some(&key(7))).expect("it opens");
    assert!(bytes == content(2 * CHUNK) && !complete);

    let other_salt = [9; SALT_LEN];
    let mut writer = SealedWriter::new(Vec::new(), &key(7), &other_salt).expect("memory takes all");
    writer.write_all(&content(4 * CHUNK + 1)).expect("memory takes all");
    let other = writer.finish().expect("memory takes all");
    let mut mixed = file.clone();
    mixed[chunk(1)].copy_from_slice(&other[chunk(1)]);
    refused(&mixed, "a chunk of another file");

    let mut ended = file;
    ended[chunk(4).start] ^= 1;
    let (bytes, complete) = read(&ended, Some(&key(7))).expect("it opens");
    assert!(bytes == content(4 * CHUNK) && !complete, "the last chunk");
}

#[test]
fn another_key_no_key_and_another_version_are_told_apart() {
    let file = sealed(&content(100));
    assert!(matches!(read(&file, Some(&key(8))), Err(RecordingError::OtherKey)));
    assert!(matches!(read(&file, None), Err(RecordingError::NoKey)));
    let mut newer = file.clone();
    newer[7] = 2;
    assert!(matches!(read(&newer, Some(&key(7))), Err(RecordingError::UnknownVersion)));
    let mut salted = file;
    salted[8] ^= 1;
    assert!(matches!(read(&salted, Some(&key(7))), Err(RecordingError::OtherKey)));
}

#[test]
fn a_file_that_is_not_encrypted_is_read_as_it_is_with_a_key_or_without() {
    let long = content(100_000);
    for file in [&b""[..], b"RIFF", b"offhoo", &long[..]] {
        for with in [None, Some(&key(7))] {
            assert_eq!(read(file, with).expect("it opens"), (file.to_vec(), true));
        }
    }
}

#[test]
fn a_wav_file_has_its_sizes_whether_its_recorder_finished_or_died() {
    fn recorded<W: Write + Seek>(to: W, frames: i16) -> WavRecorder<W> {
        let mut recorder = WavRecorder::new(to, None).expect("memory takes all");
        for level in 0..frames {
            let frame = |level| AudioFrame { at: Duration::ZERO, samples: [level; FRAME_SAMPLES] };
            recorder.write(&frame(level), &frame(-level)).expect("memory takes all");
        }
        recorder
    }
    // 20 ms of both sides are 640 bytes; the header is completed every second.
    let plain = recorded(Cursor::new(Vec::new()), 130).finish().expect("memory takes all").into_inner();
    let writer = SealedWriter::new(Vec::new(), &key(7), &SALT).expect("memory takes all");
    let file = recorded(writer, 130).finish().and_then(SealedWriter::finish).expect("memory takes all");
    let (bytes, complete) = read(&file, Some(&key(7))).expect("it opens");
    assert!(complete && bytes == plain, "{} and {} bytes", bytes.len(), plain.len());

    let died = &file[..HEADER_LEN + 2 * SEALED_CHUNK];
    let (bytes, complete) = read(died, Some(&key(7))).expect("it opens");
    assert_eq!((bytes.len(), complete), (2 * CHUNK, false));
    assert_eq!(bytes[4..8], (2 * CHUNK as u32 - 8).to_le_bytes());
    assert_eq!(bytes[40..44], (2 * CHUNK as u32 - 44).to_le_bytes());
    assert_eq!(bytes[44..], plain[44..2 * CHUNK]);
}

#[test]
fn going_back_changes_nothing_and_going_beyond_the_end_is_refused() {
    let mut writer = SealedWriter::new(Vec::new(), &key(7), &SALT).expect("memory takes all");
    writer.write_all(&content(CHUNK + 10)).expect("memory takes all");
    writer.rewind().expect("it is there");
    writer.write_all(&[0xFF; CHUNK + 12]).expect("the last two are new");
    assert_eq!(writer.stream_position().expect("it is there"), CHUNK as u64 + 12);
    assert!(writer.seek(SeekFrom::End(1)).is_err());
    let (bytes, _) = read(&writer.finish().expect("memory takes all"), Some(&key(7))).expect("it opens");
    assert!(bytes[..CHUNK + 10] == content(CHUNK + 10) && bytes[CHUNK + 10..] == [0xFF, 0xFF]);
}
