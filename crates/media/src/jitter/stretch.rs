//! Sound made shorter or longer by a stretch that repeats itself, as in WSOLA: a pitch period of a voice, or any in silence.

use crate::FRAME_SAMPLES;
use crate::analysis::dot;

/// The shortest and the longest stretch.
pub(super) const MIN_LAG: usize = 40;
pub(super) const MAX_LAG: usize = FRAME_SAMPLES;
/// Samples compared, and samples in which one place goes over into the other.
const OVERLAP: usize = 80;
/// Less alike than this does not fit.
const FITS: f32 = 0.7;
/// A frame whose loudest sample is below this is silence.
const QUIET: u16 = 300;

/// How well a stretch has to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Only silence will do.
    Silence,
    /// What comes after it has to go on as it began.
    Alike,
    /// The best there is.
    Any,
}

/// A frame and the longest stretch, after or before it.
type Sound = [i16; FRAME_SAMPLES + MAX_LAG];

/// Which stretch of at most `longest` may be left out from the beginning of `sound`.
pub(super) fn lag_to_skip(sound: &Sound, longest: usize, fit: Fit) -> Option<usize> {
    best_lag(sound, 0, longest, fit, |lag| lag)
}

/// Which stretch of at most `longest` may be repeated before the last frame of `sound`.
pub(super) fn lag_to_repeat(sound: &Sound, longest: usize, fit: Fit) -> Option<usize> {
    best_lag(sound, MAX_LAG, longest, fit, |lag| MAX_LAG - lag)
}

/// The first frame with `lag` samples left out.
pub(super) fn skipped(sound: &Sound, lag: usize) -> [i16; FRAME_SAMPLES] {
    std::array::from_fn(|n| blended(sound[n], sound[n + lag], n))
}

/// The last frame with `lag` samples before it said again.
pub(super) fn repeated(sound: &Sound, lag: usize) -> [i16; FRAME_SAMPLES] {
    std::array::from_fn(|n| blended(sound[MAX_LAG + n], sound[MAX_LAG + n - lag], n))
}

/// The lag at which the sound at `other(lag)` goes on most like the sound at `from`.
fn best_lag(sound: &Sound, from: usize, longest: usize, fit: Fit, other: impl Fn(usize) -> usize) -> Option<usize> {
    if longest < MIN_LAG {
        return None;
    }
    let is_quiet = sound[from..from + FRAME_SAMPLES].iter().all(|sample| sample.unsigned_abs() < QUIET);
    if is_quiet || fit == Fit::Silence {
        return is_quiet.then_some(longest);
    }
    let samples = sound.map(f32::from);
    let here = &samples[from..from + OVERLAP];
    let power = dot(here, here);
    let likeness = |lag: usize| {
        let there = &samples[other(lag)..other(lag) + OVERLAP];
        dot(here, there) / (power * dot(there, there) + 1.0).sqrt()
    };
    let best = (MIN_LAG..=longest).map(|lag| (lag, likeness(lag))).max_by(|a, b| a.1.total_cmp(&b.1))?;
    (fit == Fit::Any || best.1 >= FITS).then_some(best.0)
}

/// Sample `n` of a frame that goes over from one place to another.
fn blended(from: i16, to: i16, n: usize) -> i16 {
    let share = (n + 1).min(OVERLAP) as i32;
    let blended = i32::from(from) * (OVERLAP as i32 - share) + i32::from(to) * share;
    (blended / OVERLAP as i32) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buzz of 125 Hz.
    fn buzz() -> Sound {
        std::array::from_fn(|n| (8000.0 * (n as f32 * std::f32::consts::TAU / 64.0).sin()) as i16)
    }

    #[test]
    fn a_voice_is_cut_and_repeated_by_its_period() {
        let sound = buzz();
        let lag = lag_to_skip(&sound, 100, Fit::Alike).unwrap();
        assert_eq!(lag, 64);
        assert_eq!(lag_to_skip(&sound, 100, Fit::Silence), None);
        let close = |a: &[i16], b: &[i16]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1);
        assert!(close(&skipped(&sound, lag), &sound[..FRAME_SAMPLES]), "a period less makes no difference");
        let lag = lag_to_repeat(&sound, 100, Fit::Alike).unwrap();
        assert_eq!(lag, 64);
        assert!(close(&repeated(&sound, lag), &sound[MAX_LAG..]));
    }

    #[test]
    fn silence_is_cut_anywhere_and_noise_only_when_it_must_be() {
        let silence = [100; FRAME_SAMPLES + MAX_LAG];
        assert_eq!(lag_to_skip(&silence, 150, Fit::Silence), Some(150));
        assert_eq!(lag_to_skip(&silence, MIN_LAG - 1, Fit::Any), None, "too short a stretch");
        let mut dice = crate::testing::Dice::new(1);
        let noise: Sound = std::array::from_fn(|_| (3000.0 * dice.normal()) as i16);
        assert_eq!(lag_to_skip(&noise, 160, Fit::Alike), None);
        assert!(lag_to_skip(&noise, 160, Fit::Any).is_some());
        assert!(lag_to_repeat(&noise, 160, Fit::Any).is_some());
    }

    #[test]
    fn both_ends_of_a_stretched_frame_fit_their_neighbours() {
        let sound: Sound = std::array::from_fn(|n| n as i16 * 10);
        let cut = skipped(&sound, 50);
        assert!(cut[0] - sound[0] < 10 && cut[FRAME_SAMPLES - 1] == sound[FRAME_SAMPLES - 1 + 50]);
        let longer = repeated(&sound, 50);
        assert!(sound[MAX_LAG] - longer[0] < 10 && longer[FRAME_SAMPLES - 1] == sound[MAX_LAG + FRAME_SAMPLES - 51]);
    }
}
