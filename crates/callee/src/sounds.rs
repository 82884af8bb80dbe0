//! Pure: no I/O, no clock.
//!
//! What a line sounds like when nobody speaks: tones, beeps, music on hold.

use std::f32::consts::TAU;
use std::time::Duration;

use media::SAMPLE_RATE;
use media::tones::HoldMusic;

use crate::scenario::ToneKind;

/// −15 dBFS a frequency.
const TONE_LEVEL: f32 = 5800.0;

/// How many samples a stretch of sound has.
pub(crate) fn samples(length: Duration) -> usize {
    (length.as_secs_f64() * f64::from(SAMPLE_RATE)) as usize
}

/// One frequency.
pub(crate) fn beep(hertz: u16, length: Duration) -> impl Iterator<Item = i16> {
    (0..samples(length)).map(move |n| (TONE_LEVEL * sine(f32::from(hertz), n)) as i16)
}

/// A tone of the network, with its cadence.
pub(crate) fn tone(kind: ToneKind, length: Duration) -> impl Iterator<Item = i16> {
    (0..samples(length)).map(move |n| {
        let ms = n * 1000 / SAMPLE_RATE as usize;
        let (frequencies, on): (&[f32], bool) = match kind {
            ToneKind::Busy => (&[480.0, 620.0], ms % 1000 < 500),
            ToneKind::Congestion => (&[480.0, 620.0], ms % 500 < 250),
            ToneKind::Ringback => (&[440.0, 480.0], ms % 6000 < 2000),
            ToneKind::Dial => (&[350.0, 440.0], true),
            // ITU-T Q.35: 950, 1400 and 1800 Hz, 330 ms each, then a pause.
            ToneKind::Sit => match ms % 2000 / 330 {
                0 => (&[950.0], true),
                1 => (&[1400.0], true),
                2 => (&[1800.0], true),
                _ => (&[], false),
            },
        };
        if on { frequencies.iter().map(|hertz| TONE_LEVEL * sine(*hertz, n)).sum::<f32>() as i16 } else { 0 }
    })
}

/// Music on hold.
pub(crate) fn music(length: Duration) -> impl Iterator<Item = i16> {
    let mut music = HoldMusic::new();
    (0..samples(length)).map(move |_| {
        let mut sample = [0];
        music.fill(&mut sample);
        sample[0]
    })
}

fn sine(hertz: f32, n: usize) -> f32 {
    // Whole periods are taken off first, so that long sounds keep their pitch in 32 bits.
    let turns = f64::from(hertz) * n as f64 / f64::from(SAMPLE_RATE);
    (turns.fract() as f32 * TAU).sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_on_and_off_for_half_a_second_each() {
        let tone: Vec<i16> = tone(ToneKind::Busy, Duration::from_secs(1)).collect();
        assert_eq!(tone.len(), 8000);
        assert!(tone[..4000].iter().any(|sample| *sample > 8000));
        assert!(tone[4000..].iter().all(|sample| *sample == 0));
    }
}
