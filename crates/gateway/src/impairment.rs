//! [`Impairment`]: what a bad network does to datagrams, as a value.

use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How bad a path is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Impairment {
    /// Share of datagrams lost, 0 to 1.
    pub loss: f64,
    /// Fixed delay.
    pub latency: Duration,
    /// Further delay of each datagram, uniform between zero and this.
    pub jitter: Duration,
    /// Share of datagrams delivered twice, 0 to 1.
    pub duplicate: f64,
}

impl Impairment {
    /// Nothing happens to anything.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Draws the fate of each datagram.
#[derive(Debug)]
pub(crate) struct Fate {
    rng: ChaCha12Rng,
}

impl Fate {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { rng: ChaCha12Rng::from_seed(seed) }
    }

    /// The delays after which copies of one datagram arrive; none when it is lost.
    pub(crate) fn draw(&mut self, impairment: &Impairment) -> impl Iterator<Item = Duration> + use<> {
        let lost = self.share() < impairment.loss;
        let twice = self.share() < impairment.duplicate;
        let first = (!lost).then(|| self.delay(impairment));
        let second = (!lost && twice).then(|| self.delay(impairment));
        first.into_iter().chain(second)
    }

    fn delay(&mut self, impairment: &Impairment) -> Duration {
        impairment.latency + impairment.jitter.mul_f64(self.share())
    }

    /// Uniform in 0..1.
    fn share(&mut self) -> f64 {
        f64::from(self.rng.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_fates_and_the_shares_are_right() {
        let bad = Impairment { loss: 0.03, jitter: Duration::from_millis(40), ..Impairment::default() };
        let fates = |seed| {
            let mut fate = Fate::new([seed; 32]);
            (0..10_000).map(|_| fate.draw(&bad).next()).collect::<Vec<_>>()
        };
        assert_eq!(fates(7), fates(7));
        assert_ne!(fates(7), fates(8));
        let lost = fates(7).iter().filter(|fate| fate.is_none()).count();
        assert!((250..350).contains(&lost), "3 % of 10 000 is about 300, not {lost}");
        assert!(fates(7).iter().flatten().all(|delay| *delay < Duration::from_millis(40)));
    }
}
