//! [`Recorder`]: both sides of a call as a stereo file, they left, we right; as WAV, or as Opus in Ogg.

#[cfg(feature = "opus")]
mod opus;

use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

#[cfg(feature = "opus")]
pub use opus::OpusRecorder;

use crate::wav::{HEADER_LEN, header};
use crate::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};

/// Bytes of a frame of both sides.
const FRAME_BYTES: usize = FRAME_SAMPLES * 2 * 2;
/// Frames between two updates of the header: what a crash may cost is one second.
const FRAMES_PER_UPDATE: u64 = 50;
/// No recording is longer, so that its length fits the header: about 37 hours.
const MAX_FRAMES: u64 = (u32::MAX as u64 - HEADER_LEN as u64) / FRAME_BYTES as u64;

/// What a recording is written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// WAV, 32,000 bytes a second.
    #[default]
    Wav,
    /// Opus in Ogg, about a sixth of that.
    #[cfg(feature = "opus")]
    Opus,
}

/// Writes a recording in either format.
#[derive(Debug)]
pub enum Recorder<W: Write + Seek> {
    /// As WAV.
    Wav(WavRecorder<W>),
    /// As Opus in Ogg.
    #[cfg(feature = "opus")]
    Opus(Box<OpusRecorder<W>>),
}

impl Format {
    /// All that this build can write.
    pub const ALL: &[Self] = &[
        Self::Wav,
        #[cfg(feature = "opus")]
        Self::Opus,
    ];

    /// How the names of its files end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            #[cfg(feature = "opus")]
            Self::Opus => "opus",
        }
    }

    /// What the name of a file says; WAV where it says nothing.
    pub fn of(path: &Path) -> Self {
        let named = |format: &&Self| path.extension().is_some_and(|extension| extension == format.extension());
        Self::ALL.iter().find(named).copied().unwrap_or_default()
    }
}

impl<W: Write + Seek> Recorder<W> {
    /// Begins a recording that stops growing after `max_duration`.
    pub fn new(format: Format, file: W, max_duration: Option<Duration>) -> io::Result<Self> {
        match format {
            Format::Wav => WavRecorder::new(file, max_duration).map(Self::Wav),
            #[cfg(feature = "opus")]
            Format::Opus => Ok(Self::Opus(Box::new(OpusRecorder::new(file, max_duration)))),
        }
    }

    /// Appends 20 ms. False if the recording is full.
    pub fn write(&mut self, they: &AudioFrame, we: &AudioFrame) -> io::Result<bool> {
        match self {
            Self::Wav(recorder) => recorder.write(they, we),
            #[cfg(feature = "opus")]
            Self::Opus(recorder) => recorder.write(they, we),
        }
    }

    /// Completes the file and gives it back.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Wav(recorder) => recorder.finish(),
            #[cfg(feature = "opus")]
            Self::Opus(recorder) => recorder.finish(),
        }
    }
}

fn frames_in(duration: Duration) -> u64 {
    (duration.as_millis() / FRAME_DURATION.as_millis()) as u64
}

/// Writes stereo 16-bit WAV at 8 kHz. The header is valid at all times, a second behind at most.
#[derive(Debug)]
pub struct WavRecorder<W: Write + Seek> {
    file: W,
    frames: u64,
    limit: u64,
}

impl<W: Write + Seek> WavRecorder<W> {
    /// Begins a recording that stops growing after `max_duration`.
    pub fn new(mut file: W, max_duration: Option<Duration>) -> io::Result<Self> {
        file.write_all(&header(SAMPLE_RATE, 2, 0))?;
        Ok(Self { file, frames: 0, limit: max_duration.map_or(MAX_FRAMES, frames_in).min(MAX_FRAMES) })
    }

    /// Appends 20 ms. False if the recording is full.
    pub fn write(&mut self, they: &AudioFrame, we: &AudioFrame) -> io::Result<bool> {
        if self.is_full() {
            return Ok(false);
        }
        let mut bytes = [0; FRAME_BYTES];
        for ((block, left), right) in bytes.chunks_exact_mut(4).zip(&they.samples).zip(&we.samples) {
            block[..2].copy_from_slice(&left.to_le_bytes());
            block[2..].copy_from_slice(&right.to_le_bytes());
        }
        self.file.write_all(&bytes)?;
        self.frames += 1;
        if self.frames.is_multiple_of(FRAMES_PER_UPDATE) || self.is_full() {
            self.update_header()?;
        }
        Ok(true)
    }

    /// Has the longest duration been reached?
    pub fn is_full(&self) -> bool {
        self.frames >= self.limit
    }

    /// How long the recording is.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.frames * FRAME_DURATION.as_millis() as u64)
    }

    /// Completes the header and gives the file back.
    pub fn finish(mut self) -> io::Result<W> {
        self.update_header()?;
        Ok(self.file)
    }

    fn update_header(&mut self) -> io::Result<()> {
        let data_len = self.frames * FRAME_BYTES as u64;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(SAMPLE_RATE, 2, data_len as u32))?;
        self.file.seek(SeekFrom::Start(HEADER_LEN as u64 + data_len))?;
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::wav;

    fn frame(level: i16) -> AudioFrame {
        AudioFrame { at: Duration::ZERO, samples: [level; FRAME_SAMPLES] }
    }

    #[test]
    fn the_name_of_a_file_says_its_format() {
        let format = |name: &str| Format::of(Path::new(name)).extension();
        assert_eq!([format("a/call.wav"), format("call"), format("opus")], ["wav"; 3]);
        assert_eq!(format("a/call.opus"), if cfg!(feature = "opus") { "opus" } else { "wav" });
    }

    #[test]
    fn they_are_left_and_we_are_right() {
        let mut recorder = WavRecorder::new(Cursor::new(Vec::new()), None).unwrap();
        assert!(recorder.write(&frame(1), &frame(-1)).unwrap());
        let (rate, channels, samples) = wav::read(recorder.finish().unwrap().get_ref()).unwrap();
        assert_eq!((rate, channels, samples.len()), (8000, 2, 320));
        assert_eq!(samples[..4], [1, -1, 1, -1]);
    }

    #[test]
    fn it_stops_growing_at_its_limit() {
        let mut recorder = WavRecorder::new(Cursor::new(Vec::new()), Some(Duration::from_millis(40))).unwrap();
        let written: Vec<bool> = (0..4).map(|_| recorder.write(&frame(1), &frame(2)).unwrap()).collect();
        assert_eq!(written, [true, true, false, false]);
        assert_eq!(recorder.duration(), Duration::from_millis(40));
        assert_eq!(recorder.finish().unwrap().get_ref().len(), 44 + 2 * 640);
    }

    #[test]
    fn the_header_is_never_more_than_a_second_behind() {
        let mut recorder = WavRecorder::new(Cursor::new(Vec::new()), None).unwrap();
        for _ in 0..120 {
            recorder.write(&frame(1), &frame(2)).unwrap();
        }
        // As after a crash: no `finish`.
        let bytes = recorder.file.get_ref();
        assert_eq!(bytes[40..44], (100u32 * 640).to_le_bytes());
        assert_eq!(bytes.len(), 44 + 120 * 640);
    }
}
