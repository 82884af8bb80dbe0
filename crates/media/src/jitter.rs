//! [`JitterBuffer`]: packets in whenever they come, 20 ms out whenever asked.
//!
//! Samples are kept by their RTP timestamp in a ring, so reordering, duplicates, any packet length and timestamps that
//! wrap need no case of their own. The play-out position moves 160 samples with every [`JitterBuffer::pop`], whether or
//! not anything arrived: silence on the network does not stop the clock.
//!
//! The delay follows the network: it becomes the smallest with which almost all packets of the last ten seconds would have
//! come in time. While somebody speaks it changes by pitch periods, sung twice or left out; in silence it just changes.

mod slack;
mod stretch;

use std::ops::Range;

use crate::{FRAME_SAMPLES, SAMPLE_RATE};
use slack::Slack;
use stretch::{Fit, MAX_LAG};

/// Samples in a millisecond.
const MS: i64 = SAMPLE_RATE as i64 / 1000;
/// Samples in a frame.
const FRAME: i64 = FRAME_SAMPLES as i64;
/// How long the first packet waits.
pub const DEFAULT_DELAY_MS: u32 = 40;
/// The longest a packet may wait; what would wait longer moves the play-out position.
pub const MAX_DELAY_MS: u32 = 240;
/// Samples the ring holds: the longest wait, the longest packet (240 ms) and the frame played last fit, a power of two.
const CAPACITY: usize = 4096;
/// Stands for a sample that has not come. One of that value, the loudest of all, is kept as its neighbour.
const MISSING: i16 = i16::MIN;
/// A timestamp further than this from the play-out position is a jump of the sender's clock.
const JUMP: i64 = 1000 * MS;
/// Late packets in a row after which the position moves to where they are.
const LATE_LIMIT: u32 = 3;
/// A packet that comes so shortly before a frame is taken may be late for it the next time.
const CLOSE: usize = MS as usize;
/// Less delay than this too much is left as it is: nothing shorter can be left out.
const SURPLUS: i64 = stretch::MIN_LAG as i64;
/// Packets that must have come before the delay may shrink: five seconds, in which loss has shown itself.
const SHRINK_AFTER: usize = 250;
/// Frames between two cuts, and between two repetitions.
const CUT_EVERY: u32 = 5;
const REPEAT_EVERY: u32 = 2;
/// Frames in which nothing fits well after which anything is repeated.
const REPEAT_PATIENCE: u32 = 10;
/// Frames without silence after which sound is cut where it fits, and after which anything is.
const CUT_PATIENCE: u32 = 50;
const LAST_CUT_PATIENCE: u32 = 100;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It will be played.
    Stored,
    /// Its time has passed; dropped.
    Late,
    /// All of it was there already.
    Duplicate,
}

/// One frame out of the buffer.
#[derive(Debug, Clone, Copy)]
pub struct Popped {
    /// The samples; zero where missing.
    pub samples: [i16; FRAME_SAMPLES],
    /// Which samples arrived.
    pub present: [bool; FRAME_SAMPLES],
}

/// See the module's description.
#[derive(Debug)]
pub struct JitterBuffer {
    initial_delay: i64,
    ring: Box<[i16; CAPACITY]>,
    /// The frame popped last.
    latest: [i16; FRAME_SAMPLES],
    /// Extended timestamp of the next sample to play; `None` until the first packet.
    position: Option<i64>,
    /// Extended timestamp of the first sample of the packet stored last.
    newest: Option<i64>,
    /// Frames taken: the clock against which the slack of packets is measured.
    frames: i64,
    /// Where a jump of the sender's clock would continue, if the next packet confirms it.
    suspect: Option<u32>,
    slack: Slack,
    /// Whether packets are being lost, so that it is worth waiting for what follows them.
    lossy: bool,
    late_run: u32,
    /// Frames until the delay may change in the midst of sound, and frames in which it should have and could not.
    rest: u32,
    waited: u32,
    /// The frame before was whole.
    was_whole: bool,
    /// What packets have been waiting, in 16ths of a sample, smoothed.
    wait: i64,
    late: u64,
}

impl JitterBuffer {
    /// A buffer whose first packet waits `delay_ms`.
    pub fn new(delay_ms: u32) -> Self {
        let initial_delay = i64::from(delay_ms.min(MAX_DELAY_MS)) * MS;
        Self {
            initial_delay,
            ring: Box::new([MISSING; CAPACITY]),
            latest: [0; FRAME_SAMPLES],
            position: None,
            newest: None,
            frames: 0,
            suspect: None,
            slack: Slack::new(),
            lossy: false,
            late_run: 0,
            rest: 0,
            waited: 0,
            was_whole: false,
            wait: initial_delay * 16,
            late: 0,
        }
    }

    /// Stores a packet. `until_pop` is the number of samples (0 to 160) until the next [`Self::pop`].
    pub fn push(&mut self, timestamp: u32, until_pop: usize, samples: &[i16]) -> Pushed {
        let Some((start, mut position)) = self.locate(timestamp, until_pop, samples.len()) else {
            return Pushed::Late;
        };
        let end = start + samples.len() as i64;
        let headroom = start - position + until_pop as i64;
        if headroom > i64::from(MAX_DELAY_MS) * MS {
            position = start - self.initial_delay + until_pop as i64;
            self.move_to(position);
            self.slack.forget();
        }
        let frames = self.frames + i64::from(until_pop < CLOSE);
        self.slack.note(start - frames * FRAME);
        if end <= position {
            self.late_run += 1;
            if self.late_run < LATE_LIMIT {
                self.late += 1;
                return Pushed::Late;
            }
            // Sooner than needed for this packet alone, so that its successors are in time too.
            position = start - FRAME;
            self.move_to(position);
            self.slack.forget();
        }
        self.late_run = 0;
        self.wait += (start - position + until_pop as i64).max(0) - self.wait / 16;
        let first = start.max(position);
        let past = (first - start) as usize;
        // What is left of it helps to conceal the rest.
        self.late += u64::from(past * 2 > samples.len());
        self.newest = Some(start);
        // No packet may reach round the ring.
        let len = samples.len().min((position + CAPACITY as i64 - FRAME - start) as usize);
        if self.store(first, samples.get(past..len).unwrap_or_default()) { Pushed::Stored } else { Pushed::Duplicate }
    }

    /// Takes the next 20 ms.
    pub fn pop(&mut self) -> Popped {
        let Some(position) = self.position else {
            self.was_whole = false;
            return Popped { samples: [0; FRAME_SAMPLES], present: [false; FRAME_SAMPLES] };
        };
        let popped = self.adapt(position).unwrap_or_else(|| self.take_frame());
        self.frames += 1;
        self.was_whole = popped.present.iter().all(|present| *present);
        self.latest = popped.samples;
        popped
    }

    /// Copies what is known of the time after the frame popped last.
    pub fn look_ahead(&self, samples: &mut [i16], present: &mut [bool]) {
        let Some(position) = self.position else { return };
        let places = (position..).zip(samples.iter_mut().zip(present));
        for (timestamp, (sample, present)) in places {
            let known = self.ring[index(timestamp)];
            *present = known != MISSING;
            *sample = if *present { known } else { 0 };
        }
    }

    /// Copies what has come of the time from `timestamp` on, up to the first sample that has not; how many those are. Times are as
    /// [`Self::position`] counts them, and not before it.
    pub fn known_from(&self, timestamp: i64, into: &mut [i16]) -> usize {
        let known = self.run_of(timestamp, into.len(), true);
        for (sample, timestamp) in into[..known].iter_mut().zip(timestamp..) {
            *sample = self.ring[index(timestamp)];
        }
        known
    }

    /// The first sample of the packet that was stored last, counted as [`Self::position`].
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Timestamp of the next sample, extended beyond 32 bits: it does not wrap.
    pub fn position(&self) -> Option<i64> {
        self.position
    }

    /// Whether all of the frame popped last had come.
    pub fn was_whole(&self) -> bool {
        self.was_whole
    }

    /// Whether packets are being lost: then packets wait a frame longer, and what follows a lost one is known in time.
    pub fn expect_loss(&mut self, lossy: bool) {
        self.lossy = lossy;
    }

    /// Forgets everything but the counters: another source begins.
    pub fn restart(&mut self) {
        self.ring.fill(MISSING);
        self.position = None;
        self.newest = None;
        self.suspect = None;
        self.slack.forget();
        self.late_run = 0;
        self.was_whole = false;
    }

    /// Packets of which at least a half came after its time.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// How long packets wait.
    pub fn delay_ms(&self) -> u32 {
        (self.wait / 16 / MS) as u32
    }

    /// Milliseconds of sound that wait to be played.
    pub fn depth_ms(&self) -> u32 {
        let waiting = self.ring.iter().filter(|sample| **sample != MISSING).count();
        (waiting as i64 / MS) as u32
    }

    /// Changes the delay if it has to; gives the frame if that made it another than the next.
    fn adapt(&mut self, position: i64) -> Option<Popped> {
        self.rest = self.rest.saturating_sub(1);
        let spare = if self.lossy { FRAME } else { 0 };
        let surplus = self.slack.target()? - spare - (position - self.frames * FRAME);
        let may_shrink = surplus > SURPLUS && self.slack.len() >= SHRINK_AFTER;
        let must_grow = surplus < 0;
        if !may_shrink && !must_grow {
            self.waited = 0;
            return None;
        }
        let missing = self.run(position, false);
        if missing >= FRAME_SAMPLES {
            // Nothing sounds: nobody hears the clock being set.
            let change = surplus.min((missing - FRAME_SAMPLES) as i64);
            self.move_to(position + change);
            return None;
        }
        if self.rest > 0 {
            return None;
        }
        self.waited += 1;
        let (popped, change) = if must_grow { self.repeat(position, -surplus)? } else { self.skip(position, surplus)? };
        self.rest = if must_grow { REPEAT_EVERY } else { CUT_EVERY };
        self.waited = 0;
        self.move_to(position + FRAME + change);
        Some(popped)
    }

    /// The next frame with a stretch left out, and how long that is.
    fn skip(&self, position: i64, surplus: i64) -> Option<(Popped, i64)> {
        let known = self.run(position, true).min(FRAME_SAMPLES + MAX_LAG);
        let longest = known.checked_sub(FRAME_SAMPLES)?.min(surplus as usize);
        let sound = self.copy(position);
        let fit = match self.waited {
            waited if waited <= CUT_PATIENCE => Fit::Silence,
            waited if waited <= LAST_CUT_PATIENCE => Fit::Alike,
            _ => Fit::Any,
        };
        let lag = stretch::lag_to_skip(&sound, longest, fit)?;
        Some((Popped { samples: stretch::skipped(&sound, lag), present: [true; FRAME_SAMPLES] }, lag as i64))
    }

    /// The next frame with a stretch repeated, and the length of that, below zero.
    fn repeat(&self, position: i64, deficit: i64) -> Option<(Popped, i64)> {
        if !self.was_whole || self.run(position, true) < FRAME_SAMPLES {
            return None;
        }
        let mut sound = [0; MAX_LAG + FRAME_SAMPLES];
        sound[..MAX_LAG].copy_from_slice(&self.latest);
        sound[MAX_LAG..].copy_from_slice(&self.copy::<FRAME_SAMPLES>(position));
        let longest = ((deficit + SURPLUS) as usize).min(MAX_LAG);
        let fit = if self.waited > REPEAT_PATIENCE { Fit::Any } else { Fit::Alike };
        let lag = stretch::lag_to_repeat(&sound, longest, fit)?;
        Some((Popped { samples: stretch::repeated(&sound, lag), present: [true; FRAME_SAMPLES] }, -(lag as i64)))
    }

    /// How many samples from a position on are present, or missing; counted no further than it matters.
    fn run(&self, position: i64, present: bool) -> usize {
        self.run_of(position, FRAME_SAMPLES + MAX_LAG, present)
    }

    fn run_of(&self, position: i64, at_most: usize, present: bool) -> usize {
        let far = position + at_most as i64;
        (position..far).take_while(|timestamp| (self.ring[index(*timestamp)] != MISSING) == present).count()
    }

    fn copy<const LEN: usize>(&self, from: i64) -> [i16; LEN] {
        let mut timestamp = from;
        std::array::from_fn(|_| {
            timestamp += 1;
            self.ring[index(timestamp - 1)]
        })
    }

    /// Fills what is empty from a timestamp on; false if nothing was.
    fn store(&mut self, from: i64, samples: &[i16]) -> bool {
        let mut rest = samples;
        let mut news = false;
        for slots in slots(from, samples.len()) {
            let (here, after) = rest.split_at(slots.len());
            rest = after;
            for (place, sample) in self.ring[slots].iter_mut().zip(here) {
                let is_new = *place == MISSING;
                *place = if is_new { (*sample).max(MISSING + 1) } else { *place };
                news |= is_new;
            }
        }
        news
    }

    fn take_frame(&mut self) -> Popped {
        let mut popped = Popped { samples: [0; FRAME_SAMPLES], present: [false; FRAME_SAMPLES] };
        if let Some(position) = self.position {
            let mut taken = 0;
            for slots in slots(position, FRAME_SAMPLES) {
                let samples = &mut self.ring[slots];
                let after = taken + samples.len();
                let into = popped.samples[taken..after].iter_mut().zip(&mut popped.present[taken..after]);
                for ((into, present), sample) in into.zip(&mut *samples) {
                    *present = *sample != MISSING;
                    *into = if *present { *sample } else { 0 };
                }
                samples.fill(MISSING);
                taken = after;
            }
            self.position = Some(position + FRAME);
        }
        popped
    }

    /// Extends a timestamp around the play-out position. `None` for a packet of an unconfirmed jump.
    fn locate(&mut self, timestamp: u32, until_pop: usize, len: usize) -> Option<(i64, i64)> {
        if let Some(position) = self.position {
            let start = position + i64::from(timestamp.wrapping_sub(position as u32) as i32);
            if (start - position).abs() < JUMP {
                self.suspect = None;
                return Some((start, position));
            }
            // One stray packet is no reason to lose what is buffered; two that agree are.
            let confirmed = self.suspect == Some(timestamp);
            self.suspect = Some(timestamp.wrapping_add(len as u32));
            if !confirmed {
                self.late += 1;
                return None;
            }
            self.restart();
        }
        // Far from zero, so that positions stay positive whatever comes.
        let start = (1 << 32) + i64::from(timestamp);
        let position = start - self.initial_delay + until_pop as i64;
        self.position = Some(position);
        Some((start, position))
    }

    fn move_to(&mut self, position: i64) {
        let from = self.position.unwrap_or(position);
        if position > from {
            for timestamp in from..position.min(from + CAPACITY as i64) {
                self.ring[index(timestamp)] = MISSING;
            }
        } else {
            // Samples past the ring's new end would be taken for older ones.
            for timestamp in position + CAPACITY as i64..from + CAPACITY as i64 {
                self.ring[index(timestamp)] = MISSING;
            }
        }
        self.position = Some(position);
        self.late_run = 0;
    }
}

fn index(timestamp: i64) -> usize {
    timestamp as usize % CAPACITY
}

/// The places of so many samples (no more than the ring has): whole, or in two parts where the ring begins anew.
fn slots(from: i64, len: usize) -> [Range<usize>; 2] {
    let start = index(from);
    let end = (start + len).min(CAPACITY);
    [start..end, 0..start + len - end]
}

#[cfg(test)]
mod tests;
