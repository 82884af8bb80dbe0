//! [`Resampler`]: between the rates of voices and recordings and the 8 kHz of the line.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction};

/// Taps at the lower rate: 2 ms of delay at 8 kHz.
const SINC_LEN: usize = 32;
/// Chunks a second: what is held back of a stream is 5 ms at most.
const CHUNKS_PER_SECOND: u32 = 200;
/// Rates beyond these are none.
const RATES: std::ops::RangeInclusive<u32> = 1000..=384_000;

/// Why a resampler cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot resample from {from} Hz to {to} Hz")]
pub struct Error {
    from: u32,
    to: u32,
}

/// Mono, a stream in pieces of any length. What comes out is aligned with what went in: the filter's delay is taken off.
pub struct Resampler {
    /// `None` between equal rates.
    filter: Option<Async<f32>>,
    from: u32,
    to: u32,
    pending: Vec<f32>,
    output: Vec<f32>,
    /// Samples of the filter's delay still to be dropped.
    skip: usize,
    consumed: u64,
    produced: u64,
}

impl Resampler {
    /// A stream from one rate to another.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, Error> {
        let error = Error { from: from_hz, to: to_hz };
        if !RATES.contains(&from_hz) || !RATES.contains(&to_hz) {
            return Err(error);
        }
        let filter = if from_hz == to_hz { None } else { Some(filter(from_hz, to_hz).ok_or(error)?) };
        let (skip, output) = filter.as_ref().map_or((0, 0), |f| (f.output_delay(), f.output_frames_max()));
        Ok(Self {
            filter,
            from: from_hz,
            to: to_hz,
            pending: Vec::new(),
            output: vec![0.0; output],
            skip,
            consumed: 0,
            produced: 0,
        })
    }

    /// Takes the next samples of the stream; gives what can be made of all so far.
    pub fn process(&mut self, samples: &[i16]) -> Vec<i16> {
        if self.filter.is_none() {
            return samples.to_vec();
        }
        self.consumed += samples.len() as u64;
        self.pending.extend(samples.iter().map(|sample| f32::from(*sample)));
        let mut resampled = Vec::new();
        self.drain(&mut resampled);
        resampled
    }

    /// Ends the stream: gives the rest, so that all in all its duration is that of the input. A new stream may begin.
    pub fn finish(&mut self) -> Vec<i16> {
        let mut rest = Vec::new();
        let expected = (self.consumed * u64::from(self.to)).div_ceil(u64::from(self.from));
        if let Some(chunk) = self.filter.as_ref().map(|filter| filter.input_frames_next()) {
            // As many chunks of silence as the filter's delay can hold back.
            for _ in 0..8 {
                if self.produced + rest.len() as u64 >= expected {
                    break;
                }
                self.pending.resize(self.pending.len() + chunk, 0.0);
                let before = rest.len();
                self.drain(&mut rest);
                self.produced -= (rest.len() - before) as u64;
            }
            rest.truncate((expected - self.produced.min(expected)) as usize);
        }
        if let Some(filter) = &mut self.filter {
            filter.reset();
            self.skip = filter.output_delay();
        }
        self.pending.clear();
        (self.consumed, self.produced) = (0, 0);
        rest
    }

    fn drain(&mut self, into: &mut Vec<i16>) {
        let Some(filter) = &mut self.filter else { return };
        let mut used = 0;
        while self.pending.len() - used >= filter.input_frames_next() {
            let input = &self.pending[used..];
            let room = self.output.len();
            let (Ok(input), Ok(mut output)) =
                (InterleavedSlice::new(input, 1, input.len()), InterleavedSlice::new_mut(&mut self.output, 1, room))
            else {
                break;
            };
            let Ok((read, written)) = filter.process_into_buffer(&input, &mut output, None) else { break };
            used += read;
            let skipped = self.skip.min(written);
            self.skip -= skipped;
            self.produced += (written - skipped) as u64;
            into.extend(self.output[skipped..written].iter().map(|sample| sample.round() as i16));
        }
        self.pending.drain(..used);
    }
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resampler({} Hz → {} Hz)", self.from, self.to)
    }
}

/// Resamples all of a recording.
pub fn resample(from_hz: u32, to_hz: u32, samples: &[i16]) -> Result<Vec<i16>, Error> {
    let mut resampler = Resampler::new(from_hz, to_hz)?;
    let mut resampled = resampler.process(samples);
    resampled.append(&mut resampler.finish());
    Ok(resampled)
}

fn filter(from: u32, to: u32) -> Option<Async<f32>> {
    // When the rate falls the filter must be as long at the lower rate, or what lies above comes back as an alias.
    let length = SINC_LEN * from.div_ceil(to).max(1) as usize;
    let parameters = SincInterpolationParameters::new(length, WindowFunction::BlackmanHarris2)
        .oversampling_factor(128)
        .interpolation(SincInterpolationType::Linear);
    let chunk = (from / CHUNKS_PER_SECOND) as usize;
    Async::new_sinc(f64::from(to) / f64::from(from), 1.0, &parameters, chunk, 1, FixedAsync::Input).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tones::Sine;

    fn sine(hertz: f32, rate: u32, len: usize) -> Vec<i16> {
        // The generator counts at 8 kHz.
        let mut sine = Sine::new(hertz * 8000.0 / rate as f32, -6.0);
        (0..len).map(|_| sine.next_sample() as i16).collect()
    }

    fn rms(samples: &[i16]) -> f32 {
        (samples.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / samples.len() as f32).sqrt()
    }

    #[test]
    fn tones_keep_level_and_place_between_all_rates() {
        for (from, to) in [
            (16_000, 8000),
            (22_050, 8000),
            (24_000, 8000),
            (44_100, 8000),
            (48_000, 8000),
            (8000, 16_000),
            (8000, 22_050),
            (8000, 24_000),
            (8000, 44_100),
            (8000, 48_000),
        ] {
            let mut resampler = Resampler::new(from, to).unwrap();
            let mut out = Vec::new();
            for piece in sine(1000.0, from, from as usize).chunks(from as usize / 50) {
                out.append(&mut resampler.process(piece));
            }
            out.append(&mut resampler.finish());
            assert_eq!(out.len(), to as usize, "{from} → {to}");
            let (level, expected) = (rms(&out[200..out.len() - 200]), rms(&sine(1000.0, to, to as usize)));
            assert!((level / expected - 1.0).abs() < 0.02, "{from} → {to}: {level} instead of {expected}");
            let mut click = vec![0; from as usize];
            click[from as usize / 2] = i16::MAX;
            let out = resample(from, to, &click).unwrap();
            let loudest = (0..out.len()).max_by_key(|n| out[*n]).unwrap();
            assert!(loudest.abs_diff(to as usize / 2) <= to as usize / 4000, "{from} → {to}: click at {loudest}");
        }
    }

    #[test]
    fn what_lies_above_the_line_does_not_come_back_as_an_alias() {
        for hertz in [5000.0, 6500.0, 10_000.0] {
            let alias = resample(48_000, 8000, &sine(hertz, 48_000, 48_000)).unwrap();
            assert!(rms(&alias[200..7800]) < 80.0, "{hertz} Hz: {}", rms(&alias[200..7800]));
        }
    }

    #[test]
    fn rates_that_are_none_are_refused() {
        assert_eq!(Resampler::new(0, 8000).unwrap_err().to_string(), "cannot resample from 0 Hz to 8000 Hz");
    }
}
