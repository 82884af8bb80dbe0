//! Pure: no I/O, no clock. Brings synthesised speech to one level and cuts the silence around it.

/// Active speech level wanted, as RMS: -20 dBFS.
const TARGET_RMS: f64 = 3276.8;
/// 10 ms at 8 kHz.
const BLOCK: usize = 80;
/// A block is speech when its power is within 35 dB of the loudest block's.
const ACTIVE: f64 = 3.2e-4;
/// Silence for edges: 45 dB below the loudest block.
const EDGE: f64 = 3.2e-5;
/// What is left of the silence before speech: 50 ms.
const LEAD: usize = 400;
/// What is left of the silence after it: 120 ms.
const TAIL: usize = 960;
/// Where the soft limiter begins.
const KNEE: f64 = 24_000.0;

/// Speech at -20 dBFS with 50 ms of silence before and 120 ms after; nothing if nothing was there.
pub fn levelled_and_trimmed(samples: &[i16]) -> Vec<i16> {
    let powers: Vec<f64> = samples.chunks(BLOCK).map(power).collect();
    let loudest = powers.iter().copied().fold(0.0, f64::max);
    if loudest < 1.0 {
        return Vec::new();
    }
    let active: Vec<f64> = powers.iter().copied().filter(|&power| power > loudest * ACTIVE).collect();
    let rms = (active.iter().sum::<f64>() / active.len().max(1) as f64).sqrt().max(1.0);
    let gain = TARGET_RMS / rms;
    let audible = |power: &f64| *power > loudest * EDGE;
    let first = powers.iter().position(audible).unwrap_or(0) * BLOCK;
    let last = powers.iter().rposition(audible).map_or(samples.len(), |block| (block + 1) * BLOCK).min(samples.len());
    let lead = std::iter::repeat_n(0, LEAD.saturating_sub(first));
    let from = first.saturating_sub(LEAD);
    let to = (last + TAIL).min(samples.len());
    let tail = std::iter::repeat_n(0, last + TAIL - to);
    lead.chain(samples[from..to].iter().map(|&sample| limited(f64::from(sample) * gain))).chain(tail).collect()
}

fn power(block: &[i16]) -> f64 {
    block.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / block.len().max(1) as f64
}

/// Above the knee the curve bends towards full scale instead of clipping.
fn limited(sample: f64) -> i16 {
    let size = sample.abs();
    if size <= KNEE {
        return sample.round() as i16;
    }
    let room = f64::from(i16::MAX) - KNEE;
    ((KNEE + room * (1.0 - (-(size - KNEE) / room).exp())) * sample.signum()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_and_loud_speech_come_out_alike() {
        for amplitude in [300, 3000, 30_000] {
            let levelled = levelled_and_trimmed(&square(amplitude, 4000));
            let middle = &levelled[LEAD..LEAD + 4000];
            assert!(middle.iter().all(|sample| (3200..3350).contains(&sample.abs())), "{amplitude}");
        }
    }

    #[test]
    fn silence_around_speech_is_cut_or_filled_to_the_same_length() {
        for silence in [0, 400, 8000] {
            let mut samples = vec![0; silence];
            samples.extend(square(1000, 1600));
            samples.extend(vec![0; silence]);
            assert_eq!(levelled_and_trimmed(&samples).len(), LEAD + 1600 + TAIL);
        }
    }

    #[test]
    fn silence_becomes_nothing_and_peaks_do_not_wrap() {
        assert!(levelled_and_trimmed(&[0; 800]).is_empty());
        assert!(levelled_and_trimmed(&[]).is_empty());
        assert!(limited(1e9) > 32_000 && limited(-1e9) < -32_000);
    }

    fn square(amplitude: i16, length: usize) -> Vec<i16> {
        (0..length).map(|n| if n / 8 % 2 == 0 { amplitude } else { -amplitude }).collect()
    }
}
