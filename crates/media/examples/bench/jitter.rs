//! How much longer than it had to packets wait in the jitter buffer.

use media::FRAME_SAMPLES;
use media::jitter::{DEFAULT_DELAY_MS, JitterBuffer};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::measure::Table;

/// Packets of a trace, and those at its beginning during which the buffer may learn: two minutes, fifteen seconds.
const PACKETS: u32 = 6_000;
const LEARNING: u32 = 750;
/// Late packets that are allowed, of all.
const LATE_BOUND: f64 = 0.01;
/// Milliseconds of delay that are allowed beyond the smallest that meets it.
const EXCESS_BOUND: f64 = 10.0;

pub fn jitter(table: &mut Table) {
    println!("jitter: mean delay beside the smallest fixed one that keeps late packets under 1 %; 16 traces each");
    let mut worst = 0.0f64;
    for jitter_ms in [20, 60, 100, 200] {
        let traces: Vec<_> = (0..16).map(|seed| trace(seed, jitter_ms)).collect();
        let mean = |of: fn(&Outcome) -> f64| traces.iter().map(of).sum::<f64>() / traces.len() as f64;
        let excess = mean(|outcome| outcome.delay_ms - outcome.smallest_ms);
        table.at_most(&format!("{jitter_ms} ms of jitter: delay beyond the smallest"), excess, "ms", EXCESS_BOUND);
        table.at_most("  packets late, in a hundred", 100.0 * mean(|outcome| outcome.late), "", 100.0 * LATE_BOUND);
        table.beside("  delay, mean", mean(|outcome| outcome.delay_ms), "ms", "");
        worst = worst.max(excess);
    }
    table.highlight(format!("jitter buffer at most {worst:.0} ms above the smallest delay"));
}

/// What became of a trace, its beginning left out.
struct Outcome {
    delay_ms: f64,
    smallest_ms: f64,
    late: f64,
}

/// Delays of 0 to `jitter_ms`, each as likely, from a seed that also says when in its 20 ms a packet is sent.
fn trace(seed: u8, jitter_ms: u32) -> Outcome {
    let mut rng = ChaCha12Rng::from_seed([seed; 32]);
    let mut uniform = |below: u32| (u64::from(rng.next_u32()) * u64::from(below)) >> 32;
    let frame = FRAME_SAMPLES as u64;
    let phase = uniform(FRAME_SAMPLES as u32);
    let mut packets: Vec<(u64, u32)> =
        (0..PACKETS).map(|n| (u64::from(n) * frame + phase + uniform(jitter_ms * 8 + 1), n)).collect();
    packets.sort_unstable();
    let mut buffer = JitterBuffer::new(DEFAULT_DELAY_MS);
    let mut packets = packets.into_iter().peekable();
    let (mut delays, mut late_before, mut waits) = (0.0, 0, Vec::new());
    let voice: Vec<i16> = (0..64).map(|n| if n < 8 { 8000 } else { -1000 }).cycle().take(64 + FRAME_SAMPLES).collect();
    for pops in 0..u64::from(PACKETS) {
        let pop_at = (pops + 1) * frame;
        while let Some((at, n)) = packets.next_if(|(at, _)| *at < pop_at) {
            let timestamp = n * FRAME_SAMPLES as u32;
            let until_pop = (pop_at - at) as usize;
            let from = timestamp as usize % 64;
            buffer.push(timestamp, until_pop, &voice[from..from + FRAME_SAMPLES]);
            if n >= LEARNING {
                // How long it would wait, and how early it came, against a position that equals the frames taken.
                let slack = i64::from(timestamp) - (pops * frame) as i64;
                waits.push((slack, slack + until_pop as i64));
            }
        }
        buffer.pop();
        if pops < u64::from(LEARNING) {
            late_before = buffer.late();
        } else {
            delays += f64::from(buffer.delay_ms());
        }
    }
    waits.sort_unstable();
    let position = waits[waits.len() / 100].0;
    let smallest = waits.iter().map(|(_, wait)| wait - position).sum::<i64>() as f64 / waits.len() as f64;
    Outcome {
        delay_ms: delays / f64::from(PACKETS - LEARNING),
        smallest_ms: smallest / 8.0,
        late: (buffer.late() - late_before) as f64 / waits.len() as f64,
    }
}
