//! [`Ahead`]: what they say as soon as it is there, for those who only listen.
//!
//! Who is played to wants each frame at its time, and waits in the jitter buffer for that. Detectors and recognition do not: they
//! get what has come, in order, the moment it is whole. Only where something is missing do they wait, until it comes or until
//! play-out has made it up; so they hear no less than is played, and never later.

use std::time::Duration;

use crate::jitter::{JitterBuffer, MAX_DELAY_MS};
use crate::{AudioFrame, FRAME_SAMPLES, SAMPLE_RATE};

/// Silence that is taken for granted between two packets of which none is missing between them.
const MAX_PAUSE: i64 = MAX_DELAY_MS as i64 * SAMPLE_RATE as i64 / 1000;

#[derive(Debug)]
pub(super) struct Ahead {
    /// Timestamp of the next sample to hear, as the jitter buffer extends it; `None` before their first.
    next: Option<i64>,
    /// The frame that is filling.
    samples: [i16; FRAME_SAMPLES],
    filled: usize,
    /// Frames that were filled.
    frames: u64,
    /// Their latest packet, and where the sound in it, or before it, begins.
    latest: Option<(u16, i64)>,
    /// When their first sample was heard, in samples.
    first_sound: Option<u64>,
}

impl Ahead {
    pub fn new() -> Self {
        Self { next: None, samples: [0; FRAME_SAMPLES], filled: 0, frames: 0, latest: None, first_sound: None }
    }

    /// Media time at which their first sample was heard.
    pub fn first_sound(&self) -> Option<Duration> {
        self.first_sound.map(|samples| Duration::from_micros(samples * 125))
    }

    /// Another source begins.
    pub fn restart(&mut self) {
        self.next = None;
        self.latest = None;
    }

    /// A packet without sound came.
    pub fn pass(&mut self, sequence: u16) {
        self.latest =
            self.latest.filter(|latest| latest.0.wrapping_add(1) == sequence).map(|(_, start)| (sequence, start));
    }

    /// A packet of sound is in the buffer; `before` is the position of play-out before it was.
    pub fn arrived(
        &mut self,
        sequence: u16,
        before: Option<i64>,
        jitter: &JitterBuffer,
        silence: impl FnMut() -> i16,
        heard: &mut impl FnMut(AudioFrame),
    ) {
        let (Some(start), Some(position)) = (jitter.newest(), jitter.position()) else { return };
        let went_back = before.is_none_or(|before| position < before);
        let mut next = self.next.filter(|next| !went_back && (next - position).abs() <= MAX_PAUSE).unwrap_or(start);
        // Nothing is missing between them, nor before the latest.
        let follows = self.latest.is_some_and(|latest| latest.0.wrapping_add(1) == sequence && latest.1 < next);
        self.latest = Some((sequence, start));
        if follows && (1..=MAX_PAUSE).contains(&(start - next)) {
            self.hear_silence((start - next) as usize, silence, heard);
            next = start;
        }
        self.first_sound.get_or_insert(self.frames * FRAME_SAMPLES as u64 + self.filled as u64);
        self.next = Some(next.max(position));
        self.hear_known(jitter, heard);
    }

    /// A frame was played out: what of it has not been heard yet is heard now.
    pub fn played(
        &mut self,
        samples: &[i16; FRAME_SAMPLES],
        jitter: &JitterBuffer,
        heard: &mut impl FnMut(AudioFrame),
    ) {
        let position = jitter.position();
        let unheard = match (self.next, position) {
            (Some(next), Some(position)) => (position - next).clamp(0, FRAME_SAMPLES as i64) as usize,
            _ => FRAME_SAMPLES,
        };
        let mut rest = &samples[FRAME_SAMPLES - unheard..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(FRAME_SAMPLES - self.filled));
            self.samples[self.filled..][..now.len()].copy_from_slice(now);
            rest = later;
            self.fill(now.len(), heard);
        }
        self.next = self.next.zip(position).map(|(next, position)| next.max(position));
        self.hear_known(jitter, heard);
    }

    /// Hears what is there, up to what is missing.
    fn hear_known(&mut self, jitter: &JitterBuffer, heard: &mut impl FnMut(AudioFrame)) {
        while let Some(next) = self.next {
            let known = jitter.known_from(next, &mut self.samples[self.filled..]);
            if known == 0 {
                break;
            }
            self.next = Some(next + known as i64);
            self.fill(known, heard);
        }
    }

    fn hear_silence(&mut self, mut count: usize, mut silence: impl FnMut() -> i16, heard: &mut impl FnMut(AudioFrame)) {
        while count > 0 {
            let now = count.min(FRAME_SAMPLES - self.filled);
            self.samples[self.filled..][..now].fill_with(&mut silence);
            count -= now;
            self.fill(now, heard);
        }
    }

    /// So many more samples of the frame are there.
    fn fill(&mut self, count: usize, heard: &mut impl FnMut(AudioFrame)) {
        self.filled += count;
        if self.filled == FRAME_SAMPLES {
            self.filled = 0;
            self.frames += 1;
            heard(AudioFrame { at: super::frame_time(self.frames - 1), samples: self.samples });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jitter::DEFAULT_DELAY_MS;

    /// Steps: `.` a frame is played out; `3` the packet of that number, which is its time in frames, comes in the middle between
    /// two of those; `3/9` packet 3, whose time is 9. Each frame heard is told by the digit in it, silence by `_`, what is of
    /// two by `~`; steps are parted by a bar.
    fn check(steps: &str, expected: &str) {
        let mut jitter = JitterBuffer::new(DEFAULT_DELAY_MS);
        let mut ahead = Ahead::new();
        let mut said = Vec::new();
        let mut frames = 0;
        for step in steps.split_whitespace() {
            let mut heard = String::new();
            let mut hear = |frame: AudioFrame| {
                assert_eq!(frame.at, super::super::frame_time(frames), "{steps}: gapless");
                frames += 1;
                let first = frame.samples[0];
                let is_one = frame.samples.iter().all(|sample| *sample == first);
                heard.push(if !is_one {
                    '~'
                } else {
                    char::from_digit(first as u32, 10).filter(|c| *c != '0').unwrap_or('_')
                });
            };
            if step == "." {
                let popped = jitter.pop();
                ahead.played(&popped.samples, &jitter, &mut hear);
            } else {
                let (sequence, time) = step.split_once('/').unwrap_or((step, step));
                let (sequence, time): (u16, u32) = (sequence.parse().unwrap(), time.parse().unwrap());
                let before = jitter.position();
                jitter.push(time * FRAME_SAMPLES as u32, FRAME_SAMPLES / 2, &[time as i16; FRAME_SAMPLES]);
                ahead.arrived(sequence, before, &jitter, || 0, &mut hear);
            }
            said.push(heard);
        }
        assert_eq!(said.join("|"), expected, "{steps}");
    }

    #[test]
    fn what_comes_in_order_is_heard_at_once() {
        check(". . 1 . 2 . 3 . 4", "_|_|1||2||3||4");
        check("1 2 3 4 . . . . .", "1|2|3|4|||||");
    }

    #[test]
    fn what_was_overtaken_is_waited_for_and_what_is_lost_until_play_out_is_there() {
        check("1 . 3 2 . 4", "1|||23||4");
        // Packet 1 waits 40 ms: the fourth frame has the second half of packet 2, which is then given up.
        check("1 . 3 . 4 . 5 . 6 .", "1|||||||_345|6|");
    }

    #[test]
    fn a_silence_in_which_nothing_was_lost_delays_nothing() {
        check("1 . . . . . 2/9 .", "1||||_|_|_____9|");
    }
}
