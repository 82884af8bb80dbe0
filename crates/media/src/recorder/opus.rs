//! [`OpusRecorder`]: both sides of a call as Opus in Ogg (RFC 7845), they left, we right.
//!
//! Each side is a stream of its own within the packets, not coupled with the other (§5.1.1.2): however few bits there are,
//! what one side says cannot be heard on the other.

use std::io::{self, Write};
use std::time::Duration;

use super::frames_in;
use crate::codec::opus::{Encoder, MAX_PACKET};
use crate::ogg::Pages;
use crate::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};

/// What a position counts in a frame: samples of 48 kHz (RFC 7845 §4).
const FRAME_GRANULES: u64 = 960;
/// Frames in a page, which is written when it is full: what a crash may cost is one second.
const FRAMES_PER_PAGE: u64 = 50;
/// Bytes that one byte of length can tell (RFC 6716 §3.2.1).
const SHORT: usize = 252;
const _: () = assert!(MAX_PACKET <= SHORT);

/// Writes stereo Opus. Nothing is written before there is sound; then a whole page a second.
#[derive(Debug)]
pub struct OpusRecorder<W: Write> {
    pages: Pages<W>,
    sides: [Encoder; 2],
    frames: u64,
    limit: u64,
}

impl<W: Write> OpusRecorder<W> {
    /// Begins a recording that stops growing after `max_duration`.
    pub fn new(file: W, max_duration: Option<Duration>) -> Self {
        Self {
            pages: Pages::new(file),
            sides: Default::default(),
            frames: 0,
            limit: max_duration.map_or(u64::MAX, frames_in),
        }
    }

    /// Appends 20 ms. False if the recording is full.
    pub fn write(&mut self, they: &AudioFrame, we: &AudioFrame) -> io::Result<bool> {
        if self.frames >= self.limit {
            return Ok(false);
        }
        if self.frames == 0 {
            self.write_headers()?;
        }
        self.push([&they.samples, &we.samples])?;
        self.frames += 1;
        if self.frames.is_multiple_of(FRAMES_PER_PAGE) {
            self.pages.flush(self.frames * FRAME_GRANULES, false)?;
        }
        Ok(true)
    }

    /// How long the recording is.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.frames * FRAME_DURATION.as_millis() as u64)
    }

    /// Writes the end, and gives the file back.
    pub fn finish(mut self) -> io::Result<W> {
        if self.frames > 0 {
            // The encoders are behind: their last samples come with a frame more, of which the rest is not to be played (§4.4).
            self.push([&[0; FRAME_SAMPLES]; 2])?;
            let end = u64::from(self.sides[0].delay()) + self.frames * FRAME_GRANULES;
            self.pages.flush(end, true)?;
        }
        Ok(self.pages.into_inner())
    }

    fn push(&mut self, sides: [&[i16; FRAME_SAMPLES]; 2]) -> io::Result<()> {
        let mut packet = [0; 1 + 2 * MAX_PACKET];
        let mut len = 0;
        for (n, (encoder, samples)) in self.sides.iter_mut().zip(sides).enumerate() {
            let mut side = [0; MAX_PACKET];
            let side_len = encoder.encode(samples, &mut side);
            // RFC 6716 §3.2.2: one frame.
            let Some((toc, frame)) = side[..side_len].split_first().filter(|(toc, _)| *toc & 3 == 0) else {
                return Err(io::Error::other("Opus encoded no single frame"));
            };
            packet[len] = *toc;
            len += 1;
            // RFC 6716 appendix B: every stream but the last says how long it is.
            if n == 0 {
                packet[len] = frame.len() as u8;
                len += 1;
            }
            packet[len..len + frame.len()].copy_from_slice(frame);
            len += frame.len();
        }
        if self.pages.push(&packet[..len]) { Ok(()) } else { Err(io::Error::other("an Ogg page is full")) }
    }

    /// Identification and comments, a page each (RFC 7845 §5).
    fn write_headers(&mut self) -> io::Result<()> {
        let mut head = b"OpusHead\x01\x02".to_vec();
        head.extend(self.sides[0].delay().to_le_bytes());
        head.extend(SAMPLE_RATE.to_le_bytes());
        // No gain; channels as in Vorbis, which are two streams, none coupled, the first left.
        head.extend([0, 0, 1, 2, 0, 0, 1]);
        let (vendor, comment) = (&b"offhook"[..], &b"DESCRIPTION=left they, right we"[..]);
        let mut tags = b"OpusTags".to_vec();
        tags.extend((vendor.len() as u32).to_le_bytes());
        tags.extend(vendor);
        tags.extend(1u32.to_le_bytes());
        tags.extend((comment.len() as u32).to_le_bytes());
        tags.extend(comment);
        for packet in [head, tags] {
            self.pages.push(&packet);
            self.pages.flush(0, false)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::opus::Decoder;
    use crate::ogg::reading::{Page, read};
    use crate::tones::{Sine, amplitude};

    /// A recording of so many frames with a tone on each side.
    fn recorded(frames: u32, limit: Option<Duration>) -> OpusRecorder<Vec<u8>> {
        let mut recorder = OpusRecorder::new(Vec::new(), limit);
        let mut tones = [440.0, 1700.0].map(|hertz| Sine::new(hertz, -10.0));
        for _ in 0..frames {
            let [they, we] = tones.each_mut().map(|tone| AudioFrame {
                at: Duration::ZERO,
                samples: std::array::from_fn(|_| tone.next_sample() as i16),
            });
            recorder.write(&they, &we).unwrap();
        }
        recorder
    }

    /// Left and right of pages, as a player plays them: without what comes before the sound and after its end.
    fn played(pages: &[Page]) -> [Vec<i16>; 2] {
        let head = &pages[0].packets[0];
        assert_eq!(head[..10], *b"OpusHead\x01\x02");
        assert_eq!(head[12..], [0x40, 0x1F, 0, 0, 0, 0, 1, 2, 0, 0, 1]);
        let skip = usize::from(u16::from_le_bytes([head[10], head[11]])) / 6;
        let mut decoders = [Decoder::default(), Decoder::default()];
        let mut sides = [Vec::new(), Vec::new()];
        for packet in pages[2..].iter().flat_map(|page| &page.packets) {
            let (left, right) = packet[2..].split_at(usize::from(packet[1]));
            let left = [&packet[..1], left].concat();
            for ((decoder, packet), side) in decoders.iter_mut().zip([&left[..], right]).zip(&mut sides) {
                let mut samples = [0; FRAME_SAMPLES];
                assert_eq!(decoder.decode(packet, &mut samples), FRAME_SAMPLES);
                side.extend(samples);
            }
        }
        let end = pages.last().unwrap().granule as usize / 6;
        sides.map(|side| side[skip..end].to_vec())
    }

    /// Level of a frequency, 1 for the tone of a recording.
    fn level(samples: &[i16], hertz: f32) -> f32 {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let (sine, cosine) = (std::f32::consts::TAU * hertz * n as f32 / SAMPLE_RATE as f32).sin_cos();
            re += f32::from(*sample) * cosine;
            im += f32::from(*sample) * sine;
        }
        2.0 * re.hypot(im) / samples.len() as f32 / amplitude(-10.0)
    }

    // RFC 7845 §3, §4, §5.
    #[test]
    fn they_are_left_and_we_are_right_from_the_first_sample_to_the_last() {
        let recorder = recorded(120, None);
        assert_eq!(recorder.duration(), Duration::from_millis(2400));
        let file = recorder.finish().unwrap();
        let pages = read(&file);
        let marks: Vec<_> = pages.iter().map(|page| (page.number, page.granule, page.packets.len())).collect();
        assert_eq!(marks, [(0, 0, 1), (1, 0, 1), (2, 48_000, 50), (3, 96_000, 50), (4, 115_512, 21)]);
        let flags: Vec<_> = pages.iter().map(|page| (page.begins, page.ends)).collect();
        assert_eq!(flags, [(true, false), (false, false), (false, false), (false, false), (false, true)]);
        assert_eq!(pages[1].packets[0][..19], *b"OpusTags\x07\0\0\0offhook");
        let [left, right] = played(&pages);
        assert_eq!((left.len(), right.len()), (120 * FRAME_SAMPLES, 120 * FRAME_SAMPLES));
        for (side, heard, apart) in [(&left, 440.0, 1700.0), (&right, 1700.0, 440.0)] {
            let (heard, apart) = (level(side, heard), level(side, apart));
            assert!((0.5..1.2).contains(&heard) && apart < 0.001, "{heard} and {apart}");
        }
        assert!(file.len() < 2400 * 7, "{} bytes", file.len());
    }

    #[test]
    fn what_a_crash_leaves_is_whole_but_for_its_last_second() {
        let mut recorder = recorded(149, None);
        // As after a crash: no `finish`.
        let file = std::mem::replace(&mut recorder.pages, Pages::new(Vec::new())).into_inner();
        let pages = read(&file);
        assert_eq!((pages.len(), pages[3].granule), (4, 96_000));
        let [left, _] = played(&pages);
        assert_eq!(left.len(), 100 * FRAME_SAMPLES - 52);
        assert_eq!(read(&file[..file.len() - 7])[..], pages[..3], "torn within a page");
    }

    #[test]
    fn it_stops_growing_at_its_limit_and_without_sound_is_no_file() {
        let limited = recorded(4, Some(Duration::from_millis(40)));
        assert_eq!(limited.duration(), Duration::from_millis(40));
        let pages = read(&limited.finish().unwrap());
        assert_eq!(played(&pages)[0].len(), 2 * FRAME_SAMPLES);
        assert!(recorded(0, None).finish().unwrap().is_empty());
    }

    #[test]
    fn another_reader_understands_it() {
        let file = recorded(60, None).finish().unwrap();
        let mut reader = opus_pure::OggOpusReader::new(std::io::Cursor::new(&file)).unwrap();
        let head = reader.head();
        assert_eq!((head.channel_count, head.input_sample_rate, head.pre_skip), (2, 8000, 312));
        assert_eq!(reader.packets().map(|packet| packet.unwrap().data.len()).filter(|len| *len > 3).count(), 61);
    }
}
