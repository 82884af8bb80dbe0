//! WAV files: reading what others wrote, writing mono.

use crate::codec::Codec;

/// Channels beyond which a file is refused.
const MAX_CHANNELS: u16 = 8;

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No RIFF/WAVE header.
    #[error("not a WAV file")]
    NotWav,
    /// No usable `fmt ` chunk before the data.
    #[error("the WAV file does not say how its samples are coded")]
    NoFormat,
    /// No `data` chunk.
    #[error("the WAV file holds no sound")]
    NoData,
    /// A coding we do not know.
    #[error("unknown WAV coding: format {format:#06x}, {bits} bits, {channels} channels, {rate} Hz")]
    Unsupported {
        /// The format tag.
        format: u16,
        /// Bits a sample.
        bits: u16,
        /// Channels.
        channels: u16,
        /// Samples a second.
        rate: u32,
    },
}

/// What `fmt ` says.
#[derive(Debug, Clone, Copy)]
struct Format {
    tag: u16,
    channels: u16,
    rate: u32,
    bits: u16,
}

/// Reads PCM of 8, 16, 24 or 32 bits, 32-bit float, A-law or µ-law: (rate, channels, interleaved samples).
///
/// Tolerates `WAVE_FORMAT_EXTENSIBLE`, chunks it does not know, and a data length that was never completed.
pub fn read(file: &[u8]) -> Result<(u32, u16, Vec<i16>), Error> {
    let header = file.get(..12).ok_or(Error::NotWav)?;
    if &header[..4] != b"RIFF" || &header[8..] != b"WAVE" {
        return Err(Error::NotWav);
    }
    let mut rest = &file[12..];
    let mut format = None;
    while let Some((header, body)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        // The recording of a process that died says 0 or −1; then the sound goes on to the end of the file.
        let unfinished = &header[..4] == b"data" && (length == 0 || length > body.len());
        let chunk = &body[..if unfinished { body.len() } else { length.min(body.len()) }];
        match &header[..4] {
            b"fmt " => format = Format::parse(chunk),
            b"data" => {
                let format = format.ok_or(Error::NoFormat)?;
                return Ok((format.rate, format.channels, format.decode(chunk)?));
            }
            _ => {}
        }
        // Chunks are padded to an even length.
        rest = body.get(chunk.len() + chunk.len() % 2..).unwrap_or_default();
    }
    Err(if format.is_some() { Error::NoData } else { Error::NoFormat })
}

/// Mixes interleaved channels to one.
pub fn to_mono(channels: u16, samples: &[i16]) -> Vec<i16> {
    let channels = usize::from(channels.max(1));
    let mean = |frame: &[i16]| (frame.iter().map(|s| i32::from(*s)).sum::<i32>() / frame.len() as i32) as i16;
    samples.chunks_exact(channels).map(mean).collect()
}

/// A mono 16-bit file in memory.
pub fn write_mono(rate: u32, samples: &[i16]) -> Vec<u8> {
    let mut file = header(rate, 1, samples.len() as u32 * 2).to_vec();
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// Length of the header we write.
pub(crate) const HEADER_LEN: usize = 44;

/// The header of a 16-bit PCM file.
pub(crate) fn header(rate: u32, channels: u16, data_len: u32) -> [u8; HEADER_LEN] {
    let block = channels * 2;
    let mut header = [0; HEADER_LEN];
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &(data_len.saturating_add(HEADER_LEN as u32 - 8)).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16u32.to_le_bytes(),
        &1u16.to_le_bytes(),
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &(rate * u32::from(block)).to_le_bytes(),
        &block.to_le_bytes(),
        &16u16.to_le_bytes(),
        b"data",
        &data_len.to_le_bytes(),
    ];
    let mut at = 0;
    for field in fields {
        header[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    header
}

impl Format {
    const PCM: u16 = 1;
    const FLOAT: u16 = 3;
    const ALAW: u16 = 6;
    const ULAW: u16 = 7;
    const EXTENSIBLE: u16 = 0xFFFE;

    fn parse(chunk: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_le_bytes([*chunk.get(at)?, *chunk.get(at + 1)?]));
        let mut tag = word(0)?;
        if tag == Self::EXTENSIBLE {
            // The real tag is the first word of the sub-format's GUID.
            tag = word(24)?;
        }
        let rate = u32::from(word(4)?) | u32::from(word(6)?) << 16;
        Some(Self { tag, channels: word(2)?, rate, bits: word(14)? })
    }

    fn decode(self, data: &[u8]) -> Result<Vec<i16>, Error> {
        let law = |codec: Codec| {
            let mut samples = vec![0; data.len()];
            codec.decode(data, &mut samples);
            samples
        };
        let usable = (1..=MAX_CHANNELS).contains(&self.channels) && (1000..=384_000).contains(&self.rate);
        match (self.tag, self.bits) {
            _ if !usable => Err(self.unsupported()),
            (Self::ULAW, 8) => Ok(law(Codec::Pcmu)),
            (Self::ALAW, 8) => Ok(law(Codec::Pcma)),
            (Self::PCM, 8) => Ok(data.iter().map(|byte| (i16::from(*byte) - 128) << 8).collect()),
            // Of wider samples the upper 16 bits.
            (Self::PCM, bits @ (16 | 24 | 32)) => {
                let width = usize::from(bits / 8);
                let upper = |sample: &[u8]| i16::from_le_bytes([sample[width - 2], sample[width - 1]]);
                Ok(data.chunks_exact(width).map(upper).collect())
            }
            (Self::FLOAT, 32) => {
                let sample = |b: &[u8]| (f32::from_le_bytes([b[0], b[1], b[2], b[3]]) * 32767.0) as i16;
                Ok(data.chunks_exact(4).map(sample).collect())
            }
            _ => Err(self.unsupported()),
        }
    }

    fn unsupported(self) -> Error {
        Error::Unsupported { format: self.tag, bits: self.bits, channels: self.channels, rate: self.rate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the given `fmt ` fields, an unknown chunk of odd length, and data.
    fn file(tag: u16, channels: u16, bits: u16, extension: &[u8], data: &[u8]) -> Vec<u8> {
        let mut fmt = Vec::new();
        for word in [tag, channels, 8000, 0, 0, 0, 0, bits] {
            fmt.extend_from_slice(&word.to_le_bytes());
        }
        fmt.extend_from_slice(extension);
        let mut file = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt ".to_vec();
        file.extend_from_slice(&(fmt.len() as u32).to_le_bytes());
        file.extend_from_slice(&fmt);
        file.extend_from_slice(b"LIST\x03\0\0\0abc\0data");
        file.extend_from_slice(&(data.len() as u32).to_le_bytes());
        file.extend_from_slice(data);
        file
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&write_mono(16_000, &[1, -2, 3])), Ok((16_000, 1, vec![1, -2, 3])));
    }

    #[test]
    fn all_codings_in_use_are_read() {
        let mut extension = vec![22, 0, 16, 0, 0, 0, 0, 0, 1, 0];
        extension.resize(24, 0);
        assert_eq!(read(&file(0xFFFE, 2, 16, &extension, &[1, 0, 2, 0])), Ok((8000, 2, vec![1, 2])));
        assert_eq!(read(&file(7, 1, 8, &[0, 0], &[0xFF, 0x80])), Ok((8000, 1, vec![0, 32124])));
        assert_eq!(read(&file(6, 1, 8, &[0, 0], &[0xD5])), Ok((8000, 1, vec![8])));
        assert_eq!(read(&file(1, 1, 8, &[], &[128, 0])), Ok((8000, 1, vec![0, -32768])));
        assert_eq!(read(&file(1, 1, 24, &[], &[9, 1, 0, 9, 2, 0])), Ok((8000, 1, vec![1, 2])));
        assert_eq!(read(&file(3, 1, 32, &[], &1f32.to_le_bytes())), Ok((8000, 1, vec![32767])));
    }

    #[test]
    fn a_file_whose_writer_died_is_read_to_its_end() {
        let mut wav = write_mono(8000, &[1, 2, 3]);
        for length in [0u32, u32::MAX] {
            wav[40..44].copy_from_slice(&length.to_le_bytes());
            assert_eq!(read(&wav), Ok((8000, 1, vec![1, 2, 3])));
        }
    }

    #[test]
    fn what_is_no_wav_says_so() {
        assert_eq!(read(b"OggS"), Err(Error::NotWav));
        assert_eq!(read(b"RIFF\0\0\0\0WAVE"), Err(Error::NoFormat));
        let error = read(&file(0x55, 2, 0, &[], &[0; 4])).unwrap_err();
        assert_eq!(error.to_string(), "unknown WAV coding: format 0x0055, 0 bits, 2 channels, 8000 Hz");
    }

    #[test]
    fn channels_mix_to_their_mean() {
        assert_eq!(to_mono(2, &[10, 20, -10, -30]), [15, -20]);
    }
}
