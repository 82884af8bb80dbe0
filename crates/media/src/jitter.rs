//! [`JitterBuffer`]: packets in whenever they come, 20 ms out whenever asked.
//!
//! Samples are kept by their RTP timestamp in a ring, so reordering, duplicates, any packet length and timestamps that
//! wrap need no case of their own. The play-out position moves 160 samples with every [`JitterBuffer::pop`], whether or
//! not anything arrived: silence on the network does not stop the clock.
//!
//! The delay adapts in steps: packets that keep coming late move the position back, packets that keep coming far too
//! early move it forward in a quiet moment.

use std::ops::Range;

use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// Samples in a millisecond.
const MS: i64 = SAMPLE_RATE as i64 / 1000;
/// How long the first packet waits.
pub const DEFAULT_DELAY_MS: u32 = 40;
/// The longest a packet may wait; what would wait longer moves the play-out position.
pub const MAX_DELAY_MS: u32 = 200;
/// Samples the ring holds: the longest wait and the longest packet (240 ms) fit, a power of two.
const CAPACITY: usize = 4096;
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
        let first = start.max(position);
        let past = (first - start) as usize;
        // No packet may reach round the ring.
        let len = samples.len().min((position + CAPACITY as i64 - start) as usize);
        if self.store(first, samples.get(past..len).unwrap_or_default()) { Pushed::Stored } else { Pushed::Duplicate }
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

    /// How long a first packet waits.
    pub fn delay_ms(&self) -> u32 {
        (self.delay / MS) as u32
    }

    /// Milliseconds of sound that wait to be played.
    pub fn depth_ms(&self) -> u32 {
        let waiting = self.present.iter().filter(|present| **present).count();
        (waiting as i64 / MS) as u32
    }

    /// Fills what is empty from a timestamp on; false if nothing was.
    fn store(&mut self, from: i64, samples: &[i16]) -> bool {
        let mut rest = samples;
        let mut news = false;
        for slots in slots(from, samples.len()) {
            let (here, after) = rest.split_at(slots.len());
            rest = after;
            let places = self.ring[slots.clone()].iter_mut().zip(&mut self.present[slots]);
            for ((place, present), sample) in places.zip(here) {
                *place = if *present { *place } else { *sample };
                news |= !*present;
                *present = true;
            }
        }
        news
    }

    fn take_frame(&mut self) -> Popped {
        let mut popped = Popped { samples: [0; FRAME_SAMPLES], present: [false; FRAME_SAMPLES] };
        if let Some(position) = self.position {
            let mut taken = 0;
            for slots in slots(position, FRAME_SAMPLES) {
                let (samples, present) = (&self.ring[slots.clone()], &mut self.present[slots]);
                let after = taken + samples.len();
                for ((into, sample), present) in popped.samples[taken..after].iter_mut().zip(samples).zip(&*present) {
                    *into = if *present { *sample } else { 0 };
                }
                popped.present[taken..after].copy_from_slice(present);
                present.fill(false);
                taken = after;
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

/// The places of so many samples (no more than the ring has): whole, or in two parts where the ring begins anew.
fn slots(from: i64, len: usize) -> [Range<usize>; 2] {
    let start = index(from);
    let end = (start + len).min(CAPACITY);
    [start..end, 0..start + len - end]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets as `1@20` (number, arrival in ms) with `/40` for another length in ms; a pop every 20 ms, at 20, 40, …
    /// What is played comes as `1@40`, missing frames after the first as `-@60`.
    fn check(arrive: &str, play: &str) -> JitterBuffer {
        run(JitterBuffer::new(DEFAULT_DELAY_MS), 0xFFFF_FF00, arrive, play)
    }

    fn run(mut buffer: JitterBuffer, base: u32, arrive: &str, play: &str) -> JitterBuffer {
        let mut packets: Vec<(u64, u32, u32)> = arrive
            .split_whitespace()
            .map(|word| {
                let (packet, at) = word.split_once('@').unwrap();
                let (number, length) = packet.split_once('/').unwrap_or((packet, "20"));
                (at.parse().unwrap(), number.parse().unwrap(), length.parse().unwrap())
            })
            .collect();
        packets.sort_by_key(|(at, ..)| *at);
        let end = packets.last().unwrap().0 + 300;
        let mut played: Vec<String> = Vec::new();
        let mut packets = packets.into_iter().peekable();
        for pop in (20..=end).step_by(20) {
            while let Some((at, number, length)) = packets.next_if(|(at, ..)| *at < pop) {
                // Each 20 ms of a packet hold its number, counted on.
                let samples: Vec<i16> =
                    (0..length * 8).map(|n| 1000 + (number + n / FRAME_SAMPLES as u32) as i16).collect();
                buffer.push(base.wrapping_add(number * 160), (pop - at) as usize * 8, &samples);
            }
            let popped = buffer.pop();
            // The middle of a frame tells whose it is, whatever the phase.
            let middle = FRAME_SAMPLES / 2;
            if popped.present[middle] {
                played.push(format!("{}@{pop}", popped.samples[middle] - 1000));
            } else if !played.is_empty() {
                played.push(format!("-@{pop}"));
            }
        }
        while played.last().is_some_and(|word| word.starts_with('-')) {
            played.pop();
        }
        assert_eq!(played.join(" "), play, "{arrive}");
        buffer
    }

    #[test]
    fn packets_wait_40_ms_and_are_put_in_order() {
        check("1@0 2@20 3@40", "1@40 2@60 3@80");
        check("1@0 3@20 2@41 3@42 4@60", "1@40 2@60 3@80 4@100");
    }

    #[test]
    fn a_late_packet_is_dropped_and_counted() {
        let buffer = check("1@0 2@20 4@60 3@95 5@100", "1@40 2@60 -@80 4@100 5@120");
        assert_eq!(buffer.late(), 1);
    }

    #[test]
    fn packets_of_any_length_come_out_in_20_ms() {
        check("1/60@0 4/60@60 7/60@120", "1@40 2@60 3@80 4@100 5@120 6@140 7@160 8@180 9@200");
    }

    #[test]
    fn silence_on_the_network_does_not_stop_the_clock() {
        check("1@0 2@20 8@140 9@160", "1@40 2@60 -@80 -@100 -@120 -@140 -@160 8@180 9@200");
    }

    #[test]
    fn a_sender_whose_clock_stood_still_in_silence_is_heard_again() {
        // Packets 3 and on are stamped as though there had been no pause of 400 ms: all are late, until that is noticed.
        let buffer = check(
            "1@0 2@20 3@140 4@160 5@180 6@200 7@220",
            "1@40 2@60 -@80 -@100 -@120 -@140 -@160 -@180 -@200 5@220 6@240 7@260",
        );
        assert_eq!(buffer.late(), 2);
    }

    #[test]
    fn a_jump_of_the_clock_needs_two_packets() {
        check("1@0 2@20 90001@40 3@41 4@60", "1@40 2@60 3@80 4@100");
        check("1@0 2@20 90001@40 90002@60 90003@80", "1@40 2@60 -@80 24466@100 24467@120");
    }

    #[test]
    fn a_burst_after_a_stall_does_not_leave_a_long_delay() {
        let mut buffer = JitterBuffer::new(DEFAULT_DELAY_MS);
        for n in 0..2 {
            buffer.push(n * 160, 160, &[1; FRAME_SAMPLES]);
            buffer.pop();
        }
        for _ in 0..20 {
            buffer.pop();
        }
        for n in 2..40 {
            buffer.push(n * 160, 160, &[1; FRAME_SAMPLES]);
        }
        assert!(buffer.depth_ms() <= MAX_DELAY_MS, "{} ms", buffer.depth_ms());
    }
}
