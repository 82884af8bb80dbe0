//! [`Pitch`]: the period of a voice, from what it said last.

use crate::analysis::dot;

/// Shortest period looked for: 200 Hz; of higher voices a multiple is found.
pub(crate) const MIN_PERIOD: usize = 40;
/// Longest period: 50 Hz.
pub(crate) const MAX_PERIOD: usize = 160;
/// Samples compared to find the period: 20 ms.
const MATCH: usize = 160;
/// Less alike than this is no voice: noise is repeated in long stretches, lest it buzz.
const VOICED: f32 = 0.4;

/// The period of a voice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pitch {
    /// In samples.
    pub period: usize,
    /// How alike a period and the one before are, up to 1.
    pub likeness: f32,
}

impl Pitch {
    /// The lag at which the end of some sound looks most like itself. There must be [`MATCH`] and [`MAX_PERIOD`] of it.
    pub fn of(sound: &[i16]) -> Self {
        let mut recent = [0.0; MAX_PERIOD + MATCH];
        let end = sound.iter().skip(sound.len().saturating_sub(recent.len()));
        recent.iter_mut().zip(end).for_each(|(into, sample)| *into = f32::from(*sample));
        let now = &recent[MAX_PERIOD..];
        let power = dot(now, now);
        let mut best = Self { period: MAX_PERIOD, likeness: f32::MIN };
        for period in MIN_PERIOD..=MAX_PERIOD {
            let earlier = &recent[MAX_PERIOD - period..][..MATCH];
            let likeness = dot(now, earlier) / (power * dot(earlier, earlier) + 1.0).sqrt();
            if likeness > best.likeness {
                best = Self { period, likeness };
            }
        }
        if best.likeness < VOICED { Self { period: MAX_PERIOD, ..best } } else { best }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Dice, Signal};

    fn period(signal: &Signal) -> Pitch {
        let samples: Vec<i16> = signal.0.iter().map(|sample| *sample as i16).collect();
        Pitch::of(&samples)
    }

    #[test]
    fn a_voice_has_its_period_and_noise_the_longest() {
        let mut dice = Dice::new(3);
        for hertz in [60.0f32, 100.0, 125.0, 190.0] {
            let tones = [(hertz, -20.0), (2.0 * hertz, -22.0), (3.0 * hertz, -24.0)];
            let pitch = period(&Signal::default().tones(60.0, &tones, &mut dice));
            let cycles = pitch.period as f32 * hertz / 8000.0;
            assert!((cycles - cycles.round()).abs() < 0.03 && pitch.likeness > 0.95, "{hertz} Hz: {pitch:?}");
        }
        let noise = period(&Signal::default().silence(60.0).noise(-30.0, &mut dice));
        assert!(noise.period == MAX_PERIOD && noise.likeness < VOICED, "{noise:?}");
        assert_eq!(period(&Signal::default().silence(60.0)).period, MAX_PERIOD);
    }
}
