//! [`Concealer`]: makes up what was lost.
//!
//! From the left the last pitch periods go on, as in G.711 Appendix I. Where the jitter buffer already holds what comes
//! after the gap, the same is done backwards from the right: the voice from the left is stretched or squeezed a little, so
//! that it arrives in phase, and goes over into the one from the right.

mod pitch;

use crate::SAMPLE_RATE;
use crate::analysis::dot;
use pitch::{MAX_PERIOD, Pitch};

/// Samples in a millisecond.
const MS: usize = SAMPLE_RATE as usize / 1000;
/// What is remembered of the sound: twice the longest cycle that is repeated.
const HISTORY: usize = 2 * MAX_CYCLE;
/// The longest stretch that is repeated.
const MAX_CYCLE: usize = 30 * MS;
/// After so much of a gap one more period is repeated: a single one repeated for long buzzes.
const CYCLE_GROWS: usize = 20 * MS;
/// The end of a cycle goes over into its beginning within this.
const OVERLAP: usize = 4 * MS;
/// At full level for so long,
const HOLD: usize = 60 * MS;
/// silent after so long.
const FADE_END: usize = 120 * MS;
/// Sound that comes back unexpectedly is blended in over this.
const BLEND: usize = 5 * MS;
/// Samples of the right side that the left has to meet in phase; with fewer there is no right side.
const MEETING: usize = 10 * MS;
/// The left side is stretched or squeezed by this at most.
const MAX_STRETCH: f32 = 0.1;
/// What is left of a step at either end of a gap, a sample later.
const STEP_DECAY: f32 = 0.85;

/// Makes up what was lost.
#[derive(Debug)]
pub struct Concealer {
    /// What was played, made up or not.
    history: [i16; HISTORY],
    /// The history when the gap began.
    frozen: [i16; HISTORY],
    gap: Option<Gap>,
}

/// A gap being filled.
#[derive(Debug, Clone, Copy)]
struct Gap {
    period: usize,
    filled: usize,
    /// How far the left side has got, in samples of its own.
    position: f32,
    /// The share of the right side in what was made up last.
    right_share: f32,
    /// What is left of the step from the last sample to the first made up.
    step: f32,
    /// Samples of the blend at the end that are still to do.
    blend_left: usize,
}

/// How the left side meets the right.
#[derive(Debug, Clone, Copy)]
struct Meeting<'a> {
    right: &'a [i16],
    /// Samples of the left side in a sample.
    rate: f32,
    /// The period on the right side.
    period: f32,
    /// How alike both sides are, 0 to 1.
    likeness: f32,
    /// The share of the right side grows by this in a sample.
    growth: f32,
    /// The step from the last sample made up to the first real one.
    step: f32,
}

impl Concealer {
    /// Nothing heard yet: conceals with silence.
    pub fn new() -> Self {
        Self { history: [0; HISTORY], frozen: [0; HISTORY], gap: None }
    }

    /// Takes note of sound that came whole.
    pub fn hear(&mut self, samples: &mut [i16]) {
        self.resume(samples);
        self.remember(samples);
    }

    /// Fills those of the first `wanted` samples that are not `present`; what is present beyond them helps. True if any
    /// were made up from sound (and not merely left silent).
    pub fn fill(&mut self, samples: &mut [i16], present: &[bool], wanted: usize) -> bool {
        let mut concealed = false;
        let mut start = 0;
        while start < wanted {
            let here = present[start];
            let len = present[start..].iter().take_while(|p| **p == here).count();
            let end = (start + len).min(wanted);
            if here {
                self.hear(&mut samples[start..end]);
            } else {
                let (left, right) = samples.split_at_mut(start + len);
                let right_len = present[start + len..].iter().take_while(|p| **p).count();
                let run = &mut left[start..end];
                concealed |= self.conceal(run, len, &right[..right_len]);
                self.remember(run);
            }
            start = end;
        }
        concealed
    }

    /// Makes up the first samples of a gap that goes on for `len`, after which comes `right` if that is known.
    fn conceal(&mut self, run: &mut [i16], len: usize, right: &[i16]) -> bool {
        let mut gap = self.gap.take().unwrap_or_else(|| self.begin());
        if gap.level() == 0.0 || self.frozen.iter().all(|sample| *sample == 0) {
            run.fill(0);
            gap.filled += run.len();
            self.gap = Some(gap);
            return false;
        }
        let meeting = (right.len() >= MEETING).then(|| self.meet(&gap, len, right));
        for (sample, left) in run.iter_mut().zip((1..=len).rev()) {
            let mut made_up = self.left(&gap);
            match &meeting {
                Some(meeting) => {
                    gap.right_share = (gap.right_share + meeting.growth).min(1.0);
                    made_up = meeting.mix(made_up, left, gap.right_share);
                    gap.position += meeting.rate;
                }
                None => gap.position += 1.0,
            }
            gap.filled += 1;
            gap.step *= STEP_DECAY;
            *sample = made_up as i16;
        }
        gap.blend_left = BLEND;
        self.gap = Some(gap);
        true
    }

    fn begin(&mut self) -> Gap {
        self.frozen = self.history;
        let Pitch { period, .. } = Pitch::of(&self.history);
        let last = HISTORY - 1;
        let step = f32::from(self.history[last]) - f32::from(self.history[last - period]);
        Gap { period, filled: 0, position: 0.0, right_share: 0.0, step, blend_left: BLEND }
    }

    /// The left side where it has got to.
    fn left(&self, gap: &Gap) -> f32 {
        (self.repeated(gap, gap.position) + gap.step) * gap.level()
    }

    /// The sound from before the gap, repeated, so many samples into the gap.
    fn repeated(&self, gap: &Gap, position: f32) -> f32 {
        let cycle = gap.cycle();
        let within = position % cycle as f32;
        let at = within as usize;
        let (here, next) = (self.in_cycle(cycle, at % cycle), self.in_cycle(cycle, (at + 1) % cycle));
        here + (next - here) * (within - at as f32)
    }

    fn in_cycle(&self, cycle: usize, at: usize) -> f32 {
        let recent = f32::from(self.frozen[HISTORY - cycle + at]);
        let left = cycle - at;
        if left > OVERLAP {
            return recent;
        }
        // What came before the cycle leads into its beginning.
        let before = f32::from(self.frozen[HISTORY - 2 * cycle + at]);
        before + (recent - before) * left as f32 / (OVERLAP + 1) as f32
    }

    /// Finds how far the left side is out of phase with the right one after `len` more samples.
    fn meet<'a>(&self, gap: &Gap, len: usize, right: &'a [i16]) -> Meeting<'a> {
        const REACH: usize = MAX_PERIOD / 2;
        let reach = (gap.period / 2).min((len as f32 * MAX_STRETCH) as usize);
        let mut left = [0.0; 2 * REACH + MEETING];
        let begin = gap.position + len as f32 - reach as f32;
        for (n, sample) in left.iter_mut().take(2 * reach + MEETING).enumerate() {
            *sample = self.repeated(gap, (begin + n as f32).max(0.0));
        }
        let mut wanted = [0.0; MEETING];
        wanted.iter_mut().zip(right).for_each(|(wanted, sample)| *wanted = f32::from(*sample));
        let power = dot(&wanted, &wanted);
        let likeness = |shift: usize| {
            let left = &left[shift..shift + MEETING];
            dot(left, &wanted) / (dot(left, left) * power + 1.0).sqrt()
        };
        let mut best = (reach, likeness(reach));
        for shift in 0..=2 * reach {
            let likeness = likeness(shift);
            if likeness > best.1 {
                best = (shift, likeness);
            }
        }
        let rate = (len as f32 + best.0 as f32 - reach as f32) / len as f32;
        let period = (gap.period as f32 / rate).min(right.len() as f32 - 1.0);
        let step = f32::from(right[0]) - interpolated(right, period);
        let growth = (1.0 - gap.right_share) / len as f32;
        Meeting { right, rate, period, likeness: best.1.clamp(0.0, 1.0), growth, step }
    }

    fn resume(&mut self, run: &mut [i16]) {
        let Some(mut gap) = self.gap.take() else { return };
        // A right side that was known has been reached already.
        let mut left = if gap.right_share > 0.99 { 0 } else { gap.blend_left };
        for sample in run.iter_mut() {
            if left == 0 {
                return;
            }
            let share = left as f32 / (BLEND + 1) as f32;
            let real = f32::from(*sample);
            *sample = (real + (self.left(&gap) - real) * share) as i16;
            gap.position += 1.0;
            gap.filled += 1;
            left -= 1;
        }
        gap.blend_left = left;
        self.gap = (left > 0).then_some(gap);
    }

    fn remember(&mut self, run: &[i16]) {
        if let Some(excess) = run.len().checked_sub(HISTORY) {
            self.history.copy_from_slice(&run[excess..]);
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

impl Gap {
    /// How much is repeated: whole periods.
    fn cycle(&self) -> usize {
        let periods = (1 + self.filled / CYCLE_GROWS).min(MAX_CYCLE / self.period).max(1);
        periods * self.period
    }

    fn level(&self) -> f32 {
        let left = FADE_END.saturating_sub(self.filled.max(HOLD));
        left as f32 / (FADE_END - HOLD) as f32
    }
}

impl Meeting<'_> {
    /// Both sides, `left` samples before the right one really begins.
    fn mix(&self, from_left: f32, left: usize, share: f32) -> f32 {
        let back = left as f32;
        let within = (back / self.period).ceil() * self.period - back;
        let from_right = interpolated(self.right, within) + self.step * STEP_DECAY.powi(left as i32);
        // The more alike the sides, the more their levels add up.
        let both = share * (1.0 - share);
        let level = (1.0 - 2.0 * both * (1.0 - self.likeness)).max(0.25).sqrt();
        (from_left + (from_right - from_left) * share) / level
    }
}

fn interpolated(samples: &[i16], at: f32) -> f32 {
    let index = at as usize;
    let sample = |index: usize| samples.get(index).or(samples.last()).map_or(0.0, |sample| f32::from(*sample));
    sample(index) + (sample(index + 1) - sample(index)) * (at - index as f32)
}

#[cfg(test)]
mod tests;
