//! [`TheirClock`]: their timestamps as counts of samples of ours, whatever the clock of their codec.
//!
//! Behind this everything counts 8,000 a second: play-out, concealment, jitter. Only the clock of Opus is another.

use crate::{Codec, SAMPLE_RATE};

#[derive(Debug)]
pub(super) struct TheirClock {
    /// Ticks of the latest sound's clock in a sample.
    ticks: u32,
    /// A timestamp of theirs, and the sample that it stands for.
    anchor: Option<(u32, u32)>,
}

impl TheirClock {
    pub fn new() -> Self {
        Self { ticks: 1, anchor: None }
    }

    /// The sample that a timestamp of sound in this codec stands for. It wraps as timestamps do, where theirs wrap sooner.
    pub fn sample(&mut self, codec: Codec, timestamp: u32) -> u32 {
        let ticks = codec.clock_rate() / SAMPLE_RATE;
        if ticks != self.ticks {
            *self = Self { ticks, anchor: None };
        }
        if ticks == 1 {
            return timestamp;
        }
        let (theirs, ours) = *self.anchor.get_or_insert((timestamp, timestamp));
        let samples = (timestamp.wrapping_sub(theirs) as i32).div_euclid(ticks as i32) as u32;
        let anchor = (theirs.wrapping_add(samples.wrapping_mul(ticks)), ours.wrapping_add(samples));
        self.anchor = Some(anchor);
        anchor.1
    }

    /// So many samples in ticks of the latest sound's clock.
    pub fn in_ticks(&self, samples: u32) -> u32 {
        samples.saturating_mul(self.ticks)
    }
}

#[cfg(all(test, feature = "opus"))]
mod tests {
    use super::*;

    // RFC 7587 §4.1.
    #[test]
    fn six_ticks_of_opus_are_a_sample_over_every_wrap_and_in_any_order() {
        let mut clock = TheirClock::new();
        let first = u32::MAX - 2000;
        let before = clock.sample(Codec::Opus, first);
        let mut latest = before;
        for n in 1..1_000_000u32 {
            latest = clock.sample(Codec::Opus, first.wrapping_add(n.wrapping_mul(960)));
            assert_eq!(latest, before.wrapping_add(n.wrapping_mul(160)));
        }
        assert_eq!(
            clock.sample(Codec::Opus, first.wrapping_add(999_997u32.wrapping_mul(960))),
            latest.wrapping_sub(320)
        );
        assert_eq!(clock.in_ticks(80), 480);
        assert_eq!((clock.sample(Codec::Pcmu, 77), clock.in_ticks(80)), (77, 80));
        for jump in [0, i32::MAX as u32, i32::MIN as u32, 5, u32::MAX] {
            clock.sample(Codec::Opus, jump);
        }
    }
}
