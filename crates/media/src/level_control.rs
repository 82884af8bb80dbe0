//! [`LevelControl`]: raises a line on which they are hardly heard, and leaves every other as it is.
//!
//! It goes by the mean level of what they say, learns only while they say something, and changes slowly: the words of a
//! sentence keep their levels, and so do speech and the silence around it.

use crate::FRAME_SAMPLES;
use crate::tones::DBM0_AMPLITUDE;

/// A line is quiet when speech is below this, in dBm0.
pub const QUIET: f32 = -30.0;
/// What a quiet line is raised to, in dBm0.
pub const TARGET: f32 = -22.0;
/// The most by which it is raised, in dB.
pub const MOST: f32 = 15.0;
/// Above [`QUIET`] by so many dB nothing is raised any more; between, ever less.
const KNEE: f32 = 2.0;
/// Frames of speech after which the level is known: half a second.
const LEARNING: u32 = 25;
/// Frames of speech that the mean goes back to: two seconds.
const MEMORY: u32 = 100;
/// How fast the gain rises and falls, in dB a frame of speech: 3 and 12 dB a second.
const RISE: f32 = 0.06;
const FALL: f32 = 0.24;

/// See the module's description.
#[derive(Debug, Default)]
pub struct LevelControl {
    /// Of what they said, over as many frames.
    mean_square: f32,
    frames: u32,
    /// In dB.
    gain: f32,
    /// The gain at the end of the frame before, in dB: less than `gain` where a peak was in the way.
    applied: f32,
}

impl LevelControl {
    /// Adjusts the next frame. `speaking`: they say something in it.
    pub fn adjust(&mut self, samples: &mut [i16; FRAME_SAMPLES], speaking: bool) {
        if speaking {
            self.learn(samples);
        }
        if self.gain == 0.0 && self.applied == 0.0 {
            return;
        }
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).fold(1, u16::max);
        let headroom = 20.0 * (f32::from(i16::MAX) / f32::from(peak)).log10().max(0.0);
        let (from, to) = (self.applied.min(headroom), self.gain.min(headroom));
        self.applied = to;
        let (from, to) = (factor(from), factor(to));
        for (n, sample) in (1..).zip(samples) {
            let share = n as f32 / FRAME_SAMPLES as f32;
            *sample = (f32::from(*sample) * (from + (to - from) * share)) as i16;
        }
    }

    fn learn(&mut self, samples: &[i16; FRAME_SAMPLES]) {
        let mean_square = samples.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>() / FRAME_SAMPLES as f32;
        self.frames = (self.frames + 1).min(MEMORY);
        self.mean_square += (mean_square - self.mean_square) / self.frames as f32;
        if self.frames < LEARNING {
            return;
        }
        let reference = DBM0_AMPLITUDE * DBM0_AMPLITUDE / 2.0;
        let wanted = wanted(10.0 * (self.mean_square / reference).max(1e-10).log10());
        self.gain = wanted.clamp(self.gain - FALL, self.gain + RISE);
    }
}

/// By how many dB a line of this level is raised.
fn wanted(dbm0: f32) -> f32 {
    if dbm0 <= QUIET {
        return (TARGET - dbm0).min(MOST);
    }
    (TARGET - QUIET) * (1.0 - (dbm0 - QUIET) / KNEE).max(0.0)
}

fn factor(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tones::Sine;

    fn level(samples: &[i16]) -> f32 {
        let mean_square = samples.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / samples.len() as f32;
        10.0 * (mean_square * 2.0 / (DBM0_AMPLITUDE * DBM0_AMPLITUDE)).log10()
    }

    /// What becomes of so many frames of a line of one level.
    fn hear(control: &mut LevelControl, dbm0: f32, frames: usize, speaking: bool) -> [i16; FRAME_SAMPLES] {
        let mut sine = Sine::new(400.0, dbm0);
        let mut frame = [0; FRAME_SAMPLES];
        for _ in 0..frames {
            frame.fill_with(|| sine.next_sample() as i16);
            control.adjust(&mut frame, speaking);
        }
        frame
    }

    #[test]
    fn quiet_lines_are_raised_to_the_target_and_by_no_more_than_the_bound() {
        for (dbm0, raised) in [(-31.0, -22.0), (-36.0, -22.0), (-45.0, -30.0), (-29.0, -25.0)] {
            let heard = level(&hear(&mut LevelControl::default(), dbm0, 500, true));
            assert!((heard - raised).abs() < 0.5, "{dbm0}: {heard}");
        }
    }

    #[test]
    fn a_normal_line_is_never_touched() {
        for dbm0 in [-27.9, -22.0, -10.0, 3.0] {
            let mut sine = Sine::new(400.0, dbm0);
            let expected: Vec<i16> = (0..FRAME_SAMPLES).map(|_| sine.next_sample() as i16).collect();
            let mut control = LevelControl::default();
            let mut frame: [i16; FRAME_SAMPLES] = expected[..].try_into().unwrap();
            for _ in 0..500 {
                control.adjust(&mut frame, true);
                assert_eq!(frame[..], expected, "{dbm0}");
            }
        }
    }

    #[test]
    fn it_is_slow_and_stands_still_in_silence() {
        let mut control = LevelControl::default();
        let at = |control: &mut LevelControl, frames| level(&hear(control, -40.0, frames, true));
        let early = at(&mut control, LEARNING as usize - 1);
        assert!((early + 40.0).abs() < 0.3, "nothing is known yet: {early}");
        let second = at(&mut control, 50);
        assert!((-38.0..-36.0).contains(&second), "3 dB a second: {second}");
        let silence = level(&hear(&mut control, -50.0, 1000, false));
        assert!((silence - second + 10.0).abs() < 0.5, "as before, neither more nor less: {silence}");
    }

    #[test]
    fn a_peak_is_not_cut_off_and_a_louder_line_is_let_alone_again() {
        let mut control = LevelControl::default();
        hear(&mut control, -40.0, 500, true);
        let mut frame = [1000; FRAME_SAMPLES];
        frame[80] = 30_000;
        control.adjust(&mut frame, false);
        assert!(frame[80] > 32_000 && frame[80].abs_diff(frame[0] * 30) < 60, "{} beside {}", frame[80], frame[0]);
        hear(&mut control, -15.0, 200, true);
        assert_eq!((control.gain, control.applied), (0.0, 0.0));
    }
}
