//! [`Limiter`]: makes a sum fit 16 bits by turning it down, not by cutting its tops off.

use crate::FRAME_SAMPLES;

/// By how much the gain may fall in a sample: to nothing within 5 ms before a peak.
const FALL: f32 = 1.0 / 40.0;
/// By how much it may rise in a sample: all the way within half a second.
const RISE: f32 = 1.0 / 4000.0;

/// One listener's. What fits is left as it is, to the bit, unless something just before did not.
#[derive(Debug)]
pub(super) struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    /// Limits the next frame.
    pub fn limit(&mut self, sum: &[i32; FRAME_SAMPLES]) -> [i16; FRAME_SAMPLES] {
        if self.gain >= 1.0 && sum.iter().all(fits) {
            return sum.map(|sample| sample as i16);
        }
        // What each sample allows, and what the peaks after it want by then.
        let mut bounds = [1.0f32; FRAME_SAMPLES];
        let mut after = 1.0;
        for (bound, sample) in bounds.iter_mut().zip(sum).rev() {
            let allowed = if fits(sample) { 1.0 } else { f32::from(i16::MAX) / sample.unsigned_abs() as f32 };
            after = allowed.min(after + FALL);
            *bound = after;
        }
        let mut limited = [0; FRAME_SAMPLES];
        for ((limited, sample), bound) in limited.iter_mut().zip(sum).zip(bounds) {
            self.gain = bound.min(self.gain + RISE);
            *limited = (*sample as f32 * self.gain) as i16;
        }
        limited
    }
}

fn fits(sample: &i32) -> bool {
    i16::try_from(*sample).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    /// Two sines at +3 dBm0, too loud together by far.
    fn clash(frame: usize) -> [i32; FRAME_SAMPLES] {
        std::array::from_fn(|n| {
            let time = (frame * FRAME_SAMPLES + n) as f32 / 8000.0;
            (31_500.0 * ((TAU * 400.0 * time).sin() + (TAU * 1000.0 * time).sin())) as i32
        })
    }

    /// Of a second of sound the share of its power, in dB, that is neither of the two sines.
    fn distortion(samples: &[i16]) -> f32 {
        let count = samples.len() as f64;
        let power = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / count;
        let of = |hertz: f64| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, sample) in samples.iter().enumerate() {
                let angle = std::f64::consts::TAU * hertz * n as f64 / 8000.0;
                re += f64::from(*sample) * angle.cos();
                im += f64::from(*sample) * angle.sin();
            }
            2.0 * (re * re + im * im) / (count * count)
        };
        (10.0 * ((power - of(400.0) - of(1000.0)) / power).log10()) as f32
    }

    #[test]
    fn a_sum_too_loud_is_turned_down_and_not_cut_off() {
        let mut limiter = Limiter::default();
        let limited: Vec<i16> = (0..60).flat_map(|frame| limiter.limit(&clash(frame))).collect();
        let cut: Vec<i16> = (0..60)
            .flat_map(|frame| clash(frame).map(|sample| sample.clamp(i16::MIN.into(), i16::MAX.into()) as i16))
            .collect();
        let (limited, cut) = (distortion(&limited[1600..]), distortion(&cut[1600..]));
        assert!(limited < -40.0 && cut > -20.0, "{limited} dB, cut off {cut} dB");
    }

    #[test]
    fn the_gain_falls_before_a_peak_without_a_step_and_comes_back_in_half_a_second() {
        let mut limiter = Limiter::default();
        let mut frame = [20_000; FRAME_SAMPLES];
        frame[100] = 60_000;
        let limited = limiter.limit(&frame);
        assert_eq!(limited[..70], [20_000; 70]);
        assert!((32_766..=32_767).contains(&limited[100]));
        let step = limited[..100].windows(2).map(|pair| pair[0].abs_diff(pair[1])).max();
        assert!(step.is_some_and(|step| step <= 501), "{step:?}");
        let quiet = [1000; FRAME_SAMPLES];
        let back = (0..100).position(|_| limiter.limit(&quiet) == [1000; FRAME_SAMPLES]);
        assert!(back.is_some_and(|frames| (8..14).contains(&frames)), "{back:?}");
    }
}
