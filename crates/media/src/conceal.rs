//! Packet loss concealment after the idea of G.711 Appendix I: repeat the last pitch periods, fade to nothing in 60 ms.

use crate::SAMPLE_RATE;

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
        let period = best_period(&self.history);
        let mut gap = *self.gap.get_or_insert(Gap { period, filled: 0 });
        let audible = gap.filled < FADE_END;
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
    let recent = &history[HISTORY - MATCH..];
    let likeness = |lag: usize| {
        let earlier = &history[HISTORY - MATCH - lag..HISTORY - lag];
        let (mut product, mut energy) = (0.0f32, 1.0f32);
        for (a, b) in recent.iter().zip(earlier) {
            product += f32::from(*a) * f32::from(*b);
            energy += f32::from(*b) * f32::from(*b);
        }
        product / energy.sqrt()
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
