//! G.722 at 64 kbit/s, its lower band: telephone quality on both sides, between peers that speak wideband.
//!
//! G.722 splits sound at 4 kHz and codes each half by itself. We live at 8 kHz, so the lower half is all that we hear of
//! theirs, and the upper half of what we send is silence. The RTP clock counts 8,000 a second, one byte each
//! (RFC 3551 §4.5.2). The adaptive quantiser remembers, so each direction of a stream has a [`Decoder`] or [`Encoder`].

/// Decision levels of the quantiser, in 4096ths of the step.
const DECISIONS: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// What a code of 4 bits stands for: what both ends adapt by.
const COARSE: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
/// What a code of 6 bits stands for: what is heard.
const FINE: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
    -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
    -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
/// By how much a code of 4 bits makes the step grow, as a logarithm.
const GROWTH: [i32; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
/// 2^(n/32) of the step.
const POWERS: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
/// The logarithm of the largest step.
const MAX_LOG_STEP: i32 = 18432;
/// The upper band of what we send: the smallest code of it, over and over.
const NO_UPPER_BAND: u8 = 0xC0;

/// The receiving end.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    band: Band,
}

/// The sending end.
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    band: Band,
}

impl Decoder {
    /// Decodes as many bytes as both slices hold; one sample a byte.
    pub fn decode(&mut self, payload: &[u8], samples: &mut [i16]) {
        for (sample, byte) in samples.iter_mut().zip(payload) {
            let code = byte & 0x3F;
            let fine = (self.band.step * FINE[usize::from(code)]) >> 15;
            let heard = (self.band.expected + fine).clamp(-16384, 16383);
            self.band.adapt(code);
            *sample = (heard * 2) as i16;
        }
    }
}

impl Encoder {
    /// Encodes as many samples as both slices hold; one byte a sample.
    pub fn encode(&mut self, samples: &[i16], payload: &mut [u8]) {
        for (byte, sample) in payload.iter_mut().zip(samples) {
            let error = saturated((i32::from(*sample) >> 1) - self.band.expected);
            let magnitude = if error >= 0 { error } else { !error };
            let above = DECISIONS[1..].iter().take_while(|decision| magnitude >= (**decision * self.band.step) >> 12);
            let level = 1 + above.count() as u8;
            // Codes count down from the smallest level; two negative ones are where they collided with a reserved code.
            let code = match (error >= 0, level) {
                (true, level) => 62 - level,
                (false, 1) => 63,
                (false, 2) => 62,
                (false, level) => 34 - level,
            };
            self.band.adapt(code);
            *byte = NO_UPPER_BAND | code;
        }
    }
}

/// The adaptive state that both ends of the lower band keep alike (blocks 3L and 4L of the recommendation).
#[derive(Debug, Clone)]
struct Band {
    /// The quantiser's step, and its logarithm.
    step: i32,
    log_step: i32,
    /// What the predictor expects next, all of it and the part of its zeros.
    expected: i32,
    expected_by_zeros: i32,
    /// The two latest reconstructed samples, and sums of difference and zeros.
    reconstructed: [i32; 2],
    partial: [i32; 2],
    /// The latest six differences.
    differences: [i32; 6],
    poles: [i32; 2],
    zeros: [i32; 6],
}

impl Default for Band {
    fn default() -> Self {
        Self {
            step: 32,
            log_step: 0,
            expected: 0,
            expected_by_zeros: 0,
            reconstructed: [0; 2],
            partial: [0; 2],
            differences: [0; 6],
            poles: [0; 2],
            zeros: [0; 6],
        }
    }
}

impl Band {
    /// Learns from a code of 6 bits.
    fn adapt(&mut self, code: u8) {
        let coarse = usize::from(code >> 2);
        let difference = (self.step * COARSE[coarse]) >> 15;
        self.log_step = (((self.log_step * 127) >> 7) + GROWTH[coarse]).clamp(0, MAX_LOG_STEP);
        let shift = 8 - (self.log_step >> 11);
        let power = POWERS[(self.log_step >> 6) as usize & 31];
        let step = if shift < 0 { power << -shift } else { power >> shift };
        self.step = step << 2;
        self.predict(difference);
    }

    fn predict(&mut self, difference: i32) {
        let reconstructed = saturated(self.expected + difference);
        let partial = saturated(self.expected_by_zeros + difference);
        self.adapt_poles(partial);
        // Zeros move by 1/256 of full scale with the sign of the latest difference, and leak.
        let pull = if difference == 0 { 0 } else { 128 };
        for (zero, past) in self.zeros.iter_mut().zip(self.differences) {
            let towards = if (past ^ difference) < 0 { -pull } else { pull };
            *zero = saturated(towards + ((*zero * 32640) >> 15));
        }
        self.differences.rotate_right(1);
        self.differences[0] = difference;
        self.partial = [partial, self.partial[0]];
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        let doubled = |sample: i32| saturated(sample + sample);
        let by_poles = ((self.poles[0] * doubled(self.reconstructed[0])) >> 15)
            + ((self.poles[1] * doubled(self.reconstructed[1])) >> 15);
        let zeros = self.zeros.iter().zip(self.differences);
        self.expected_by_zeros = saturated(zeros.map(|(zero, past)| (zero * doubled(past)) >> 15).sum());
        self.expected = saturated(saturated(by_poles) + self.expected_by_zeros);
    }

    fn adapt_poles(&mut self, partial: i32) {
        let [first, second] = self.poles;
        let same = |other: i32| (partial ^ other) >= 0;
        let leant = saturated(first << 2) * if same(self.partial[0]) { -1 } else { 1 };
        let leant = leant.min(i16::MAX.into());
        let towards = if same(self.partial[1]) { 128 } else { -128 };
        let second = (towards + (leant >> 7) + ((second * 32512) >> 15)).clamp(-12288, 12288);
        let towards = if same(self.partial[0]) { 192 } else { -192 };
        let bound = saturated(15360 - second);
        let first = saturated(towards + ((first * 32640) >> 15)).clamp(-bound, bound);
        self.poles = [first, second];
    }
}

fn saturated(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hex;

    /// Noise that falls and rises in level.
    fn noise(samples: usize) -> Vec<i16> {
        let mut state = 1u32;
        (0..samples)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i16 >> (1 + n / 100 % 6)
            })
            .collect()
    }

    fn encoded(samples: &[i16]) -> Vec<u8> {
        let mut bytes = vec![0; samples.len()];
        Encoder::default().encode(samples, &mut bytes);
        bytes
    }

    fn decoded(bytes: &[u8]) -> Vec<i16> {
        let mut samples = vec![0; bytes.len()];
        Decoder::default().decode(bytes, &mut samples);
        samples
    }

    /// FNV-1a, for what is too long to write down.
    fn digest(bytes: impl IntoIterator<Item = u8>) -> u32 {
        bytes.into_iter().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    #[test]
    fn codes_and_samples_are_those_of_another_implementation() {
        // Made with spandsp 0.0.6 at 64 kbit/s and 8,000 samples a second.
        let bytes = encoded(&noise(16_000));
        assert_eq!(
            hex(&bytes[..40]),
            "e0e0c4c4e4e0c7c8fcc9eae5cad5edfed5e8ccc8f0f6f2e8f0cfc9e6ecd1dbf0e6ffe3c8e2dadccb"
        );
        assert_eq!(digest(bytes.iter().copied()), 0xCB0F_61BB);
        let samples = decoded(&bytes);
        assert_eq!(
            samples[..16],
            [48, 132, -368, -1032, 1640, 4138, -7422, -15328, 526, -11368, 8220, 13528, -13054, -5408, 7712, -632]
        );
        assert_eq!(digest(samples.iter().flat_map(|sample| sample.to_le_bytes())), 0x2359_C0A0);
        // Any bytes are a stream: those of a wideband sender have an upper band too.
        let samples = decoded(&noise(16_000).iter().map(|sample| *sample as u8).collect::<Vec<_>>());
        assert_eq!(digest(samples.iter().flat_map(|sample| sample.to_le_bytes())), 0x5977_4B5B);
    }

    #[test]
    fn a_voice_comes_back_as_it_was() {
        let signal = crate::testing::Signal::default().speech(2000.0, -20.0, &mut crate::testing::Dice::new(4));
        let voice: Vec<i16> = signal.0.iter().map(|sample| *sample as i16).collect();
        let heard = decoded(&encoded(&voice));
        let power: f64 = voice.iter().map(|s| f64::from(*s).powi(2)).sum();
        let error: f64 = voice.iter().zip(&heard).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        let fidelity = 10.0 * (power / error).log10();
        assert!(fidelity > 12.0, "{fidelity} dB");
    }
}
