//! Packet loss concealment after the idea of G.711 Appendix I: repeat the last pitch periods, fade to nothing in 60 ms.

use crate::SAMPLE_RATE;
use crate::analysis::dot;

/// Shortest pitch period looked for: 200 Hz and its multiples.
const MIN_PERIOD: usize = 40;
/// Longest pitch period: 66 Hz.
const MAX_PERIOD: usize = 120;
/// Samples compared to find the period: 20 ms.
const MATCH: usize = 160;
/// What is remembered of the sound: three of the longest periods, or a match at the longest lag.
const HISTORY: usize = 3 * MAX_PERIOD;
/// Samples at full level before the fade begins: 10 ms.
const HOLD: usize = SAMPLE_RATE as usize / 100;
/// Samples until silence: 60 ms.
const FADE_END: usize = SAMPLE_RATE as usize * 60 / 1000;
/// Samples over which sound that comes back is blended in: 4 ms.
const BLEND: usize = SAMPLE_RATE as usize * 4 / 1000;

/// Makes up what was lost.
#[derive(Debug)]
pub struct Concealer {
    history: [i16; HISTORY],
    gap: Option<Gap>,
    /// Samples of the blend that are still to do after a gap.
    blend_left: usize,
}

/// A gap being filled.
#[derive(Debug, Clone, Copy)]
struct Gap {
    period: usize,
    filled: usize,
}

impl Concealer {
    /// Nothing heard yet: conceals with silence.
    pub fn new() -> Self {
        Self { history: [0; HISTORY], gap: None, blend_left: 0 }
    }

    /// Fills the samples that are not `present`; smooths the return of those that are. True if any were made up from
    /// sound (and not merely left silent).
    pub fn fill(&mut self, samples: &mut [i16], present: &[bool]) -> bool {
        let mut concealed = false;
        let mut start = 0;
        while start < samples.len() {
            let here = present[start];
            let len = present[start..].iter().take_while(|p| **p == here).count();
            let run = &mut samples[start..start + len];
            if here {
                self.resume(run);
                self.remember(run);
            } else {
                concealed |= self.conceal(run);
            }
            start += len;
        }
        concealed
    }

    fn conceal(&mut self, run: &mut [i16]) -> bool {
        let mut gap = self.gap.unwrap_or_else(|| Gap { period: best_period(&self.history), filled: 0 });
        let audible = gap.filled < FADE_END && self.history.iter().any(|sample| *sample != 0);
        for sample in run.iter_mut() {
            *sample = self.made_up(gap);
            gap.filled = (gap.filled + 1).min(FADE_END);
        }
        self.gap = Some(gap);
        self.blend_left = BLEND;
        audible
    }

    fn resume(&mut self, run: &mut [i16]) {
        let Some(mut gap) = self.gap else { return };
        for sample in run.iter_mut() {
            if self.blend_left == 0 {
                break;
            }
            let new = (BLEND - self.blend_left + 1) as i32;
            let made_up = i32::from(self.made_up(gap));
            *sample = ((i32::from(*sample) * new + made_up * (BLEND as i32 + 1 - new)) / (BLEND as i32 + 1)) as i16;
            gap.filled = (gap.filled + 1).min(FADE_END);
            self.blend_left -= 1;
        }
        self.gap = if self.blend_left == 0 { None } else { Some(gap) };
    }

    /// The sample that continues the sound `gap.filled` samples after it broke off.
    fn made_up(&self, gap: Gap) -> i16 {
        // One period for 10 ms, then two, then three: a single one repeated for long buzzes.
        let periods = (1 + gap.filled / HOLD).min(HISTORY / gap.period).min(3);
        let length = periods * gap.period;
        let source = i32::from(self.history[HISTORY - length + gap.filled % length]);
        let fade = FADE_END.saturating_sub(gap.filled.max(HOLD)) as i32;
        (source * fade / (FADE_END - HOLD) as i32) as i16
    }

    fn remember(&mut self, run: &[i16]) {
        if let Some(run) = run.len().checked_sub(HISTORY).map(|excess| &run[excess..]) {
            self.history.copy_from_slice(run);
            return;
        }
        self.history.copy_within(run.len().., 0);
        self.history[HISTORY - run.len()..].copy_from_slice(run);
    }
}

impl Default for Concealer {
    fn default() -> Self {
        Self::new()
    }
}

/// The lag at which the end of the history looks most like itself.
fn best_period(history: &[i16; HISTORY]) -> usize {
    let history = history.map(f32::from);
    let recent = &history[HISTORY - MATCH..];
    let likeness = |lag: usize| {
        let earlier = &history[HISTORY - MATCH - lag..HISTORY - lag];
        let (product, energy) = (dot(recent, earlier), dot(earlier, earlier));
        product / (energy + 1.0).sqrt()
    };
    let (mut best, mut best_likeness) = (MAX_PERIOD, f32::MIN);
    for lag in MIN_PERIOD..=MAX_PERIOD {
        let likeness = likeness(lag);
        if likeness > best_likeness {
            (best, best_likeness) = (lag, likeness);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FRAME_SAMPLES;

    /// A buzz of 125 Hz, frame by frame.
    fn buzz(frame: usize) -> [i16; FRAME_SAMPLES] {
        std::array::from_fn(|n| if (frame * FRAME_SAMPLES + n) % 64 < 8 { 8000 } else { -1000 })
    }

    fn level(samples: &[i16]) -> i32 {
        samples.iter().map(|s| i32::from(*s).abs()).sum::<i32>() / samples.len() as i32
    }

    #[test]
    fn a_lost_frame_continues_the_pitch_and_a_long_gap_fades_to_silence() {
        let mut concealer = Concealer::new();
        for n in 0..5 {
            assert!(!concealer.fill(&mut buzz(n), &[true; FRAME_SAMPLES]));
        }
        let mut lost = [[0; FRAME_SAMPLES]; 5];
        let concealed: Vec<bool> = lost.iter_mut().map(|f| concealer.fill(f, &[false; FRAME_SAMPLES])).collect();
        assert_eq!(concealed, [true, true, true, false, false]);
        assert_eq!(lost[0][..HOLD], buzz(5)[..HOLD], "the first 10 ms go on as if nothing had happened");
        let levels: Vec<i32> = lost.iter().map(|frame| level(frame)).collect();
        assert!(levels[0] > levels[1] && levels[1] > levels[2] && levels[2] > 0, "{levels:?}");
        assert_eq!(levels[3..], [0, 0]);
    }

    #[test]
    fn a_missing_part_of_a_frame_is_filled() {
        let mut concealer = Concealer::new();
        concealer.fill(&mut buzz(0), &[true; FRAME_SAMPLES]);
        concealer.fill(&mut buzz(1), &[true; FRAME_SAMPLES]);
        concealer.fill(&mut buzz(2), &[true; FRAME_SAMPLES]);
        let (mut samples, mut present) = (buzz(3), [true; FRAME_SAMPLES]);
        samples[40..80].fill(0);
        present[40..80].fill(false);
        assert!(concealer.fill(&mut samples, &present));
        assert_eq!(samples[40..80], buzz(3)[40..80]);
    }

    #[test]
    fn silence_is_concealed_with_silence() {
        let mut frame = [0; FRAME_SAMPLES];
        Concealer::new().fill(&mut frame, &[false; FRAME_SAMPLES]);
        assert_eq!(frame, [0; FRAME_SAMPLES]);
    }
}
