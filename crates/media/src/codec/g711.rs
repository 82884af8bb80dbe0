//! G.711: 256-entry decode tables made at compile time; encoding reads segment and mantissa off a float.
//!
//! Both laws are floating-point numbers of 3 bits exponent and 4 bits mantissa. A magnitude of 15 bits is exact in an
//! `f32`, whose own exponent and first mantissa bits are then the code: no branch, no search, so that the compiler does
//! several samples at once.

/// Linear value of each µ-law byte.
pub static ULAW_TO_LINEAR: [i16; 256] = ulaw_table();
/// Linear value of each A-law byte.
pub static ALAW_TO_LINEAR: [i16; 256] = alaw_table();

/// Added before the segment search so that every segment has the same form.
const ULAW_BIAS: i32 = 0x84;
/// The largest magnitude µ-law can hold.
const ULAW_CLIP: i32 = 32_635;

/// The µ-law byte nearest to a sample.
pub fn ulaw_from_linear(sample: i16) -> u8 {
    let sample = i32::from(sample);
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.abs().min(ULAW_CLIP) + ULAW_BIAS;
    // The bias guarantees bit 7, the clip forbids bit 15: the segment is 0 to 7.
    !(sign | segment_and_mantissa(magnitude, 7)) as u8
}

/// The A-law byte of a sample.
pub fn alaw_from_linear(sample: i16) -> u8 {
    let sample = i32::from(sample) >> 3;
    // One's complement, so that −1 falls into the first negative interval.
    let (sign, magnitude) = if sample >= 0 { (0x80, sample) } else { (0, !sample) };
    // Segment 0 is linear: the subnormal numbers of this format.
    let code = if magnitude < 32 { magnitude >> 1 } else { segment_and_mantissa(magnitude, 4) };
    (sign | code) as u8 ^ 0x55
}

/// The seven bits below the sign; a magnitude with its highest bit at `first_bit` is segment 0.
fn segment_and_mantissa(magnitude: i32, first_bit: i32) -> i32 {
    const MANTISSA_BITS: i32 = 23;
    const EXPONENT_BIAS: i32 = 127;
    let bits = (magnitude as f32).to_bits() as i32;
    (bits >> (MANTISSA_BITS - 4)) - ((EXPONENT_BIAS + first_bit) << 4)
}

const fn ulaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let bits = !(byte as u8) as i32;
        let magnitude = ((((bits & 0x0F) << 3) + ULAW_BIAS) << ((bits >> 4) & 7)) - ULAW_BIAS;
        table[byte] = if bits & 0x80 != 0 { -magnitude } else { magnitude } as i16;
        byte += 1;
    }
    table
}

const fn alaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let bits = (byte as u8 ^ 0x55) as i32;
        let segment = (bits >> 4) & 7;
        let mantissa = ((bits & 0x0F) << 4) + 8;
        let magnitude = if segment == 0 { mantissa } else { (mantissa + 0x100) << (segment - 1) };
        table[byte] = if bits & 0x80 != 0 { magnitude } else { -magnitude } as i16;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_tables_hold_the_values_of_the_recommendation() {
        // G.711 tables 1 and 2, scaled to 16 bits.
        let ulaw =
            [(0x00, -32124), (0x80, 32124), (0xFF, 0), (0x7F, 0), (0xFE, 8), (0x7E, -8), (0xD5, 716), (0x8F, 16764)];
        for (byte, linear) in ulaw {
            assert_eq!(ULAW_TO_LINEAR[byte], linear, "µ-law {byte:#04x}");
        }
        let alaw = [(0xD5, 8), (0x55, -8), (0xD4, 24), (0xAA, 32256), (0x2A, -32256), (0x80, 5504), (0xC5, 264)];
        for (byte, linear) in alaw {
            assert_eq!(ALAW_TO_LINEAR[byte], linear, "A-law {byte:#04x}");
        }
    }

    #[test]
    fn every_byte_survives_decoding_and_encoding() {
        for byte in 0..=255u8 {
            // µ-law has two zeros; the negative one becomes the positive one.
            let expected = if byte == 0x7F { 0xFF } else { byte };
            assert_eq!(ulaw_from_linear(ULAW_TO_LINEAR[usize::from(byte)]), expected);
            assert_eq!(alaw_from_linear(ALAW_TO_LINEAR[usize::from(byte)]), byte);
        }
    }

    #[test]
    fn every_sample_is_coded_within_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            let magnitude = i32::from(sample).abs();
            let ulaw = i32::from(ULAW_TO_LINEAR[usize::from(ulaw_from_linear(sample))]);
            let ulaw_step = 8 << (24 - (magnitude.min(ULAW_CLIP) + ULAW_BIAS).leading_zeros() as i32);
            let clipped = i32::from(sample).clamp(-ULAW_CLIP, ULAW_CLIP);
            assert!((clipped - ulaw).abs() <= ulaw_step / 2 + 4, "µ-law {sample} → {ulaw}");
            let alaw = i32::from(ALAW_TO_LINEAR[usize::from(alaw_from_linear(sample))]);
            let alaw_step = i32::try_from((magnitude as u32 / 16).next_power_of_two()).unwrap().max(16);
            assert!((i32::from(sample) - alaw).abs() <= alaw_step / 2 + 8, "A-law {sample} → {alaw}");
        }
    }
}
