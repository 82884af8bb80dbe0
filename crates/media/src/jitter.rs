//! [`JitterBuffer`]: packets in whenever they come, 20 ms out whenever asked.
//!
//! Samples are kept by their RTP timestamp in a ring, so reordering, duplicates, any packet length and timestamps that
//! wrap need no case of their own. The play-out position moves 160 samples with every [`JitterBuffer::pop`], whether or
//! not anything arrived: silence on the network does not stop the clock.
//!
//! The delay adapts in steps: packets that keep coming late move the position back, packets that keep coming far too
//! early move it forward in a quiet moment.

use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// Samples in a millisecond.
const MS: i64 = SAMPLE_RATE as i64 / 1000;
/// How long the first packet waits.
pub const DEFAULT_DELAY_MS: u32 = 40;
/// The longest a packet may wait; what would wait longer moves the play-out position.
pub const MAX_DELAY_MS: u32 = 200;
/// Samples the ring holds: over a second, a power of two.
const CAPACITY: usize = 8192;
/// A timestamp further than this from the play-out position is a jump of the sender's clock.
const JUMP: i64 = 1000 * MS;
/// Late packets among [`WINDOW`] after which the delay grows.
const LATE_LIMIT: u32 = 3;
/// Packets over which lateness and earliness are judged.
const WINDOW: u32 = 100;
/// A frame whose loudest sample is below this may be skipped to shorten the delay.
const QUIET: i16 = 300;

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
    delay: i64,
    ring: Box<[i16; CAPACITY]>,
    present: Box<[bool; CAPACITY]>,
    /// Extended timestamp of the next sample to play; `None` until the first packet.
    position: Option<i64>,
    /// Where a jump of the sender's clock would continue, if the next packet confirms it.
    suspect: Option<u32>,
    late_run: u32,
    late_in_window: u32,
    packets_in_window: u32,
    least_headroom: i64,
    /// Samples to skip in quiet moments.
    surplus: i64,
    late: u64,
}

impl JitterBuffer {
    /// A buffer whose first packet waits `delay_ms`.
    pub fn new(delay_ms: u32) -> Self {
        Self {
            delay: i64::from(delay_ms.min(MAX_DELAY_MS)) * MS,
            ring: Box::new([0; CAPACITY]),
            present: Box::new([false; CAPACITY]),
            position: None,
            suspect: None,
            late_run: 0,
            late_in_window: 0,
            packets_in_window: 0,
            least_headroom: i64::MAX,
            surplus: 0,
            late: 0,
        }
    }

    /// Stores a packet. `until_pop` is the number of samples (0 to 160) until the next [`Self::pop`].
    pub fn push(&mut self, timestamp: u32, until_pop: usize, samples: &[i16]) -> Pushed {
        let Some((start, mut position)) = self.locate(timestamp, until_pop, samples.len()) else {
            return Pushed::Late;
        };
        let end = start + samples.len() as i64;
        if end <= position {
            if !self.is_chronically_late() {
                self.late += 1;
                return Pushed::Late;
            }
            // Sooner than needed for this packet alone, so that its successors are in time too.
            position = start - FRAME_SAMPLES as i64;
            self.move_to(position);
        } else {
            self.late_run = 0;
        }
        let headroom = start - position + until_pop as i64;
        if headroom > i64::from(MAX_DELAY_MS) * MS {
            position = start - self.delay + until_pop as i64;
            self.move_to(position);
        }
        self.judge_headroom(headroom);
        let mut news = false;
        for (timestamp, &sample) in (start..).zip(samples) {
            let index = index(timestamp);
            if timestamp >= position && !self.present[index] {
                self.ring[index] = sample;
                self.present[index] = true;
                news = true;
            }
        }
        if news { Pushed::Stored } else { Pushed::Duplicate }
    }

    /// Takes the next 20 ms.
    pub fn pop(&mut self) -> Popped {
        let mut popped = self.take_frame();
        if self.surplus >= FRAME_SAMPLES as i64 && popped.samples.iter().all(|s| s.unsigned_abs() < QUIET as u16) {
            self.surplus -= FRAME_SAMPLES as i64;
            popped = self.take_frame();
        }
        popped
    }

    /// Forgets everything but the counters: another source begins.
    pub fn restart(&mut self) {
        self.present.fill(false);
        self.position = None;
        self.suspect = None;
        self.start_window();
        self.late_run = 0;
    }

    /// Packets dropped because their time had passed.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Milliseconds of sound that wait to be played.
    pub fn depth_ms(&self) -> u32 {
        let waiting = self.present.iter().filter(|present| **present).count();
        (waiting as i64 / MS) as u32
    }

    fn take_frame(&mut self) -> Popped {
        let mut popped = Popped { samples: [0; FRAME_SAMPLES], present: [false; FRAME_SAMPLES] };
        if let Some(position) = self.position {
            for (offset, (sample, present)) in popped.samples.iter_mut().zip(&mut popped.present).enumerate() {
                let index = index(position + offset as i64);
                if self.present[index] {
                    *sample = self.ring[index];
                    *present = true;
                    self.present[index] = false;
                }
            }
            self.position = Some(position + FRAME_SAMPLES as i64);
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
        let position = start - self.delay + until_pop as i64;
        self.position = Some(position);
        Some((start, position))
    }

    fn is_chronically_late(&mut self) -> bool {
        self.late_run += 1;
        self.late_in_window += 1;
        let chronic = self.late_run >= LATE_LIMIT || self.late_in_window >= LATE_LIMIT;
        if chronic {
            self.start_window();
        }
        chronic
    }

    fn judge_headroom(&mut self, headroom: i64) {
        self.least_headroom = self.least_headroom.min(headroom);
        self.packets_in_window += 1;
        if self.packets_in_window >= WINDOW {
            let surplus = self.least_headroom - self.delay;
            // Less than a frame too early is normal phase.
            self.surplus = if surplus > FRAME_SAMPLES as i64 { surplus } else { 0 };
            self.start_window();
        }
    }

    fn start_window(&mut self) {
        self.late_in_window = 0;
        self.packets_in_window = 0;
        self.least_headroom = i64::MAX;
    }

    fn move_to(&mut self, position: i64) {
        let from = self.position.unwrap_or(position);
        if position > from {
            for timestamp in from..position.min(from + CAPACITY as i64) {
                self.present[index(timestamp)] = false;
            }
        } else {
            // Samples past the ring's new end would be taken for older ones.
            for timestamp in position + CAPACITY as i64..from + CAPACITY as i64 {
                self.present[index(timestamp)] = false;
            }
        }
        self.position = Some(position);
        self.surplus = 0;
        self.late_run = 0;
    }
}

fn index(timestamp: i64) -> usize {
    timestamp as usize % CAPACITY
}
