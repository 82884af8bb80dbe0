//! [`ComfortNoise`]: the background that a peer describes instead of sending it, and how we describe ours (RFC 3389).

/// The payload type that needs no negotiation (RFC 3551 §6).
pub const PAYLOAD_TYPE: u8 = 13;
/// Our own background: none, as in the silence that is sent as sound (RFC 3389 §3.1: −127 dBov).
pub const SILENCE: [u8; 1] = [127];
/// The finest spectrum taken; what is finer is left out.
const MAX_ORDER: usize = 12;
/// 0 dBov: a square wave between the largest values of µ-law (RFC 3389 §3.1).
const OVERLOAD: f32 = 32_124.0;

/// Noise with the level and the spectrum that were described last.
#[derive(Debug)]
pub struct ComfortNoise {
    /// The latest number of a linear congruential generator.
    random: u32,
    /// Root mean square of what goes into the filter.
    drive: f32,
    /// Reflection coefficients of an all-pole filter, and its state.
    reflections: [f32; MAX_ORDER],
    backward: [f32; MAX_ORDER],
}

impl ComfortNoise {
    /// Silence, until something is described.
    pub fn new() -> Self {
        // One noise is as good as another.
        Self { random: 1, drive: 0.0, reflections: [0.0; MAX_ORDER], backward: [0.0; MAX_ORDER] }
    }

    /// Takes the payload of a packet. False if there is none.
    pub fn describe(&mut self, payload: &[u8]) -> bool {
        let Some((level, spectrum)) = payload.split_first() else { return false };
        self.reflections = [0.0; MAX_ORDER];
        for (reflection, byte) in self.reflections.iter_mut().zip(spectrum) {
            // RFC 3389 §3.2: −1 to 1 in 254 steps. A pole on the circle would never decay.
            *reflection = ((f32::from(*byte) - 127.0) / 127.0).clamp(-0.99, 0.99);
        }
        let level = OVERLOAD * 10f32.powf(f32::from(level & 0x7F) / -20.0);
        // The filter amplifies noise by 1/Π(1 − k²) in power.
        let gain: f32 = self.reflections.iter().map(|k| 1.0 - k * k).product();
        self.drive = level * gain.sqrt();
        true
    }

    /// The next sample.
    pub fn next_sample(&mut self) -> i16 {
        // Uniform, so of a third of the square of its bound in power.
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let uniform = self.random as i32 as f32 / -(i32::MIN as f32);
        let mut forward = uniform * 3f32.sqrt() * self.drive;
        for order in (0..MAX_ORDER).rev() {
            let (reflection, delayed) = (self.reflections[order], self.backward[order]);
            forward -= reflection * delayed;
            if let Some(next) = self.backward.get_mut(order + 1) {
                *next = delayed + reflection * forward;
            }
        }
        self.backward[0] = forward;
        forward as i16
    }
}

impl Default for ComfortNoise {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Level in dBov, and how alike neighbouring samples are (−1 to 1).
    fn heard(payload: &[u8]) -> (f32, f32) {
        let mut noise = ComfortNoise::new();
        assert!(noise.describe(payload));
        let samples: Vec<f32> = (0..16_000).map(|_| f32::from(noise.next_sample())).collect();
        let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
        let product = samples.windows(2).map(|pair| pair[0] * pair[1]).sum::<f32>() / samples.len() as f32;
        (10.0 * (power.max(1e-9) / (OVERLOAD * OVERLOAD)).log10(), product / power.max(1e-9))
    }

    // RFC 3389 §3.1, §3.2.
    #[test]
    fn noise_has_the_level_and_the_colour_described() {
        for level in [30, 50, 65] {
            let (dbov, likeness) = heard(&[level]);
            assert!((dbov + f32::from(level)).abs() < 0.5 && likeness.abs() < 0.05, "{level}: {dbov} {likeness}");
        }
        // A first reflection of −0.8 makes it dull, +0.8 sharp, at the same level.
        for (byte, expected) in [(127 - 102, 0.8), (127 + 102, -0.8)] {
            let (dbov, likeness) = heard(&[50, byte]);
            assert!((dbov + 50.0).abs() < 1.0 && (likeness - expected).abs() < 0.05, "{byte}: {dbov} {likeness}");
        }
        let (dbov, _) = heard(&[50, 25, 200, 100, 127, 140, 90, 127, 127, 127, 127, 127, 127, 0, 255]);
        assert!((dbov + 50.0).abs() < 1.5, "{dbov}");
    }

    #[test]
    fn whatever_is_described_stays_within_bounds() {
        assert!(!ComfortNoise::new().describe(&[]));
        let mut dice = crate::testing::Dice::new(2);
        for _ in 0..200 {
            let payload: Vec<u8> = (0..30).map(|_| dice.range(0.0, 256.0) as u8).collect();
            let (dbov, _) = heard(&payload);
            assert!(dbov <= 0.5, "{payload:?}: {dbov}");
        }
    }
}
