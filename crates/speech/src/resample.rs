//! Pure: no I/O, no clock. Sample rate conversion between 8 kHz, where the telephone lives, and 16 kHz, where
//! the local voices and the recogniser live, by windowed-sinc FIR filters.

use std::f64::consts::PI;

/// Taps of the band-pass in front of the decimator, at the higher rate.
const DECIMATOR_TAPS: usize = 255;
/// Taps of the interpolator, at the higher rate.
const INTERPOLATOR_TAPS: usize = 95;
/// How much of the telephone band is mirrored into the empty octave above it. The recogniser's model looks up to
/// 6.8 kHz; with something there that moves as speech does, it errs less than with nothing.
const IMAGE: f32 = 0.3;
/// The telephone band in hertz.
const BAND: (f64, f64) = (200.0, 3500.0);

/// Limits `input` to the telephone band and brings it to 8 kHz. Any multiple of 8 kHz will do as a rate; others
/// are taken for the nearest multiple.
pub fn to_telephone(input: &[i16], rate: u32) -> Vec<i16> {
    let step = ((rate + 4000) / 8000).max(1) as usize;
    let taps = band_pass(DECIMATOR_TAPS, BAND.0 / f64::from(rate), BAND.1 / f64::from(rate));
    let middle = DECIMATOR_TAPS / 2;
    (0..input.len().div_ceil(step))
        .map(|index| {
            let centre = index * step + middle;
            let first = (centre + 1).saturating_sub(input.len());
            let last = taps.len().min(centre + 1);
            let sum: f32 = (first..last).map(|tap| taps[tap] * f32::from(input[centre - tap])).sum();
            sum.round() as i16
        })
        .collect()
}

/// 8 kHz to 16 kHz for the recogniser, piece by piece, with a faint mirror image above 4 kHz; the output lags by
/// [`Upsampler::LAG`] input samples.
#[derive(Debug, Clone)]
pub struct Upsampler {
    phases: [Vec<f32>; 2],
    history: Vec<f32>,
}

impl Default for Upsampler {
    fn default() -> Self {
        Self::new()
    }
}

impl Upsampler {
    /// By how many input samples the output lags: push that much silence to get the rest out.
    pub const LAG: usize = INTERPOLATOR_TAPS / 4;

    /// With silence before the first sample.
    pub fn new() -> Self {
        let taps: Vec<f32> = band_pass(INTERPOLATOR_TAPS, 0.0, 0.25).iter().map(|tap| tap * 2.0).collect();
        // A mirror image is the signal times (-1)^n: one phase louder, the other softer.
        let phase = |first: usize, gain: f32| taps.iter().skip(first).step_by(2).map(|tap| tap * gain).collect();
        let phases: [Vec<f32>; 2] = [phase(0, 1.0 + IMAGE), phase(1, 1.0 - IMAGE)];
        let history = vec![0.0; phases[0].len() - 1];
        Self { phases, history }
    }

    /// The next input; twice as many samples come out.
    pub fn push(&mut self, input: &[i16]) -> Vec<i16> {
        let keep = self.history.len();
        self.history.extend(input.iter().map(|&sample| f32::from(sample)));
        let mut output = Vec::with_capacity(input.len() * 2);
        for end in keep..self.history.len() {
            for phase in &self.phases {
                let sum: f32 = phase.iter().zip(self.history[..=end].iter().rev()).map(|(tap, x)| tap * x).sum();
                output.push(sum.round() as i16);
            }
        }
        self.history.drain(..input.len());
        output
    }
}

/// A Hamming-windowed linear-phase FIR that passes `low..high`, both as fractions of the sample rate.
fn band_pass(taps: usize, low: f64, high: f64) -> Vec<f32> {
    let middle = (taps - 1) as f64 / 2.0;
    let low_pass = |cut: f64, x: f64| {
        if x == 0.0 { 2.0 * cut } else { (2.0 * PI * cut * x).sin() / (PI * x) }
    };
    (0..taps)
        .map(|index| {
            let x = index as f64 - middle;
            let window = 0.54 - 0.46 * (2.0 * PI * index as f64 / (taps - 1) as f64).cos();
            ((low_pass(high, x) - low_pass(low, x)) * window) as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_in_the_band_keeps_its_level_when_halved_and_one_above_it_is_gone() {
        assert!((rms(&to_telephone(&tone(1000.0, 16_000), 16_000)) / 7071.0 - 1.0).abs() < 0.03);
        assert!(rms(&to_telephone(&tone(5000.0, 16_000), 16_000)) < 30.0);
        assert!(rms(&to_telephone(&tone(50.0, 16_000), 16_000)) < 700.0);
        assert_eq!(to_telephone(&tone(1000.0, 16_000), 16_000).len(), 8000);
    }

    #[test]
    fn a_tone_gets_its_image_when_doubled_in_pieces_of_any_size() {
        let input = tone(1000.0, 8000);
        let mut whole = Upsampler::new();
        let mut pieces = Upsampler::new();
        let expected = whole.push(&input);
        let actual: Vec<i16> = input.chunks(37).flat_map(|piece| pieces.push(piece)).collect();
        assert_eq!(actual, expected);
        assert_eq!(expected.len(), 16_000);
        let with_image = 7071.0 * f64::from(1.0 + IMAGE * IMAGE).sqrt();
        assert!((rms(&expected) / with_image - 1.0).abs() < 0.02);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(to_telephone(&[], 16_000).is_empty());
        assert!(Upsampler::new().push(&[]).is_empty());
    }

    fn tone(frequency: f64, rate: u32) -> Vec<i16> {
        (0..rate).map(|n| (10_000.0 * (2.0 * PI * frequency * f64::from(n) / f64::from(rate)).sin()) as i16).collect()
    }

    fn rms(samples: &[i16]) -> f64 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        (middle.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / middle.len() as f64).sqrt()
    }
}
