//! [`Analyser`]: what all detectors but DTMF want to know of a frame, computed once.
//!
//! Two windows of 64 ms, 10 ms apart, go through one transform as its real and imaginary part. The magnitude gives the
//! spectrum; the advance of the phase from one to the other gives the frequency of each peak to about a hertz. Tones and
//! notes hold their frequency; voices never do for long: that difference is what steadiness measures.

mod fft;
mod voicing;

use std::f32::consts::TAU;

use crate::tones::DBM0_AMPLITUDE;
use crate::{FRAME_SAMPLES, SAMPLE_RATE};
use fft::{Fft, SIZE};
use voicing::Voicing;

/// Samples between the two windows.
const HOP: usize = 80;
/// What is remembered: both windows.
const HISTORY: usize = SIZE + HOP;
/// Hertz in a bin.
const BIN: f32 = SAMPLE_RATE as f32 / SIZE as f32;
/// The band looked at: 190 to 3440 Hz.
const FIRST_BIN: usize = 12;
const LAST_BIN: usize = 220;
/// Peaks kept of a frame.
pub(crate) const PEAKS: usize = 6;
/// A peak this far below the strongest is none: −20 dB.
const MIN_PEAK: f32 = 0.01;
/// Bins to either side of a peak that belong to it.
const PEAK_WIDTH: usize = 6;
/// Frequencies this close are the same tone: relative, and at least so many hertz.
const SAME_RELATIVE: f32 = 0.0035;
const SAME_HERTZ: f32 = 1.8;
/// Levels are not given below this.
const FLOOR_DBM0: f32 = -90.0;
/// Parts of a frame whose level is measured: 5 ms each.
pub(crate) const PARTS: usize = 4;

/// A peak of the spectrum.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Peak {
    pub hertz: f32,
    /// Relative to all power in the band.
    pub share: f32,
}

/// What a frame sounds like.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Analysis {
    /// Level of the 20 ms in dBm0.
    pub level: f32,
    /// Levels of its four parts.
    pub parts: [f32; PARTS],
    /// Peaks of the spectrum, strongest first; the rest is zero.
    pub peaks: [Peak; PEAKS],
    /// Share of the power within ±94 Hz of the strongest peak.
    pub concentration: f32,
    /// How periodic the sound is, 0 to 1, with a period of 60 to 400 Hz.
    pub voicing: f32,
    /// Share of the peaks' amplitude that stands where it stood 20 ms before.
    pub steady_for_20_ms: f32,
    /// Share of the peaks' amplitude that stands where it stood 40 ms before.
    pub steady_for_40_ms: f32,
}

/// Analyses frames in order.
#[derive(Debug)]
pub(crate) struct Analyser {
    history: [i16; HISTORY],
    voicing: Voicing,
    before: [[Peak; PEAKS]; 2],
}

impl Analyser {
    pub fn new() -> Self {
        Self { history: [0; HISTORY], voicing: Voicing::new(), before: [[Peak::default(); PEAKS]; 2] }
    }

    pub fn hear(&mut self, samples: &[i16; FRAME_SAMPLES]) -> Analysis {
        self.history.copy_within(FRAME_SAMPLES.., 0);
        self.history[HISTORY - FRAME_SAMPLES..].copy_from_slice(samples);
        let voicing = self.voicing.hear(samples);
        let (peaks, concentration) = self.spectrum();
        let frame = samples.map(f32::from);
        let analysis = Analysis {
            level: level(&frame),
            parts: std::array::from_fn(|n| level(&frame[n * FRAME_SAMPLES / PARTS..(n + 1) * FRAME_SAMPLES / PARTS])),
            peaks,
            concentration,
            voicing,
            steady_for_20_ms: steady_share(&peaks, &self.before[0]),
            steady_for_40_ms: steady_share(&peaks, &self.before[1]),
        };
        self.before = [peaks, self.before[0]];
        analysis
    }

    fn spectrum(&self) -> ([Peak; PEAKS], f32) {
        let (earlier, later) = (&self.history[..SIZE], &self.history[HOP..]);
        let mut fft = Fft::new();
        fft.transform_pair(earlier, later);
        let mut power = [0.0; SIZE / 2];
        let mut total = 1.0;
        for (bin, power) in power.iter_mut().enumerate().take(LAST_BIN + 2).skip(FIRST_BIN - 1) {
            let (_, later) = fft.pair(bin);
            *power = later.re * later.re + later.im * later.im;
            total += *power;
        }
        let mut peaks = [Peak::default(); PEAKS];
        let mut bins = [0; PEAKS];
        let mut strongest = FIRST_BIN;
        for bin in FIRST_BIN + 1..LAST_BIN {
            let is_peak = power[bin] >= power[bin - 1] && power[bin] > power[bin + 1];
            if power[bin] > power[strongest] {
                strongest = bin;
            }
            if !is_peak {
                continue;
            }
            // A tone spreads over its neighbours: that belongs to the peak.
            let share = (power[bin - 1] + power[bin] + power[bin + 1]) / total;
            if share > peaks[PEAKS - 1].share {
                let at = peaks.partition_point(|peak| peak.share >= share);
                peaks.copy_within(at..PEAKS - 1, at + 1);
                bins.copy_within(at..PEAKS - 1, at + 1);
                (peaks[at].share, bins[at]) = (share, bin);
            }
        }
        let least = peaks[0].share * MIN_PEAK;
        for peak in peaks.iter_mut().filter(|peak| peak.share < least) {
            *peak = Peak::default();
        }
        for (peak, bin) in peaks.iter_mut().zip(bins).filter(|(peak, _)| peak.share > 0.0) {
            peak.hertz = frequency(&fft, bin);
        }
        let around = strongest.saturating_sub(PEAK_WIDTH).max(FIRST_BIN)..=(strongest + PEAK_WIDTH).min(LAST_BIN);
        (peaks, power[around].iter().sum::<f32>() / total)
    }
}

/// The true frequency of a peak, from how far its phase advanced from window to window.
fn frequency(fft: &Fft, bin: usize) -> f32 {
    let (earlier, later) = fft.pair(bin);
    let re = later.re * earlier.re + later.im * earlier.im;
    let im = later.im * earlier.re - later.re * earlier.im;
    let expected = TAU * (bin * HOP % SIZE) as f32 / SIZE as f32;
    let mut ahead = im.atan2(re) - expected;
    ahead -= TAU * (ahead / TAU).round();
    bin as f32 * BIN + ahead / TAU * SAMPLE_RATE as f32 / HOP as f32
}

/// Sums side by side: one alone waits for each addition before the next.
const LANES: usize = 8;

/// The sum of products.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let ((a, rest_of_a), (b, rest_of_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = rest_of_a.iter().zip(rest_of_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// `dot(a, b)` and `dot(b, b)` in one pass, to the bit: twice as many sums that need not wait for each other.
fn dot_and_energy(a: &[f32], b: &[f32]) -> (f32, f32) {
    let (mut sums, mut energies) = ([0.0; LANES], [0.0; LANES]);
    let ((a, rest_of_a), (b, rest_of_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
            energies[lane] += b[lane] * b[lane];
        }
    }
    let rest: f32 = rest_of_a.iter().zip(rest_of_b).map(|(a, b)| a * b).sum();
    let rest_of_energy: f32 = rest_of_b.iter().map(|b| b * b).sum();
    (sums.iter().sum::<f32>() + rest, energies.iter().sum::<f32>() + rest_of_energy)
}

/// Level in dBm0 of a sine of the same power.
fn level(samples: &[f32]) -> f32 {
    let power = dot(samples, samples) / samples.len() as f32;
    (10.0 * (power * 2.0 / (DBM0_AMPLITUDE * DBM0_AMPLITUDE)).max(1e-12).log10()).max(FLOOR_DBM0)
}

fn steady_share(now: &[Peak; PEAKS], before: &[Peak; PEAKS]) -> f32 {
    let mut all = 1e-9;
    let mut steady = 0.0;
    for peak in now.iter().filter(|peak| peak.share > 0.0) {
        // By amplitude, so that the harmonics of a voice weigh beside a strong fundamental.
        let weight = peak.share.sqrt();
        all += weight;
        let same = (peak.hertz * SAME_RELATIVE).max(SAME_HERTZ);
        if before.iter().any(|old| old.share > 0.0 && (old.hertz - peak.hertz).abs() <= same) {
            steady += weight;
        }
    }
    steady / all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Dice;

    #[test]
    fn products_and_energy_in_one_pass_are_those_of_two_to_the_bit() {
        let mut dice = Dice::new(3);
        for len in [0, 7, 8, 61, 128] {
            let mut some = || (0..len).map(|_| 1e4 * dice.normal()).collect::<Vec<f32>>();
            let (a, b) = (some(), some());
            assert_eq!(dot_and_energy(&a, &b), (dot(&a, &b), dot(&b, &b)), "{len} samples");
        }
    }
}
