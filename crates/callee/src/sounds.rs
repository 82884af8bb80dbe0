//! Pure: no I/O, no clock.
//!
//! What a line sounds like when nobody speaks: tones, beeps, music on hold.

use std::f32::consts::TAU;
use std::time::Duration;

use media::SAMPLE_RATE;

use crate::scenario::ToneKind;

/// −15 dBFS a frequency.
const TONE_LEVEL: f32 = 5800.0;
/// Music is softer than speech.
const MUSIC_LEVEL: f32 = 2200.0;

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

/// Notes of the tune, in semitones above A3; a bar of four each has its chord.
const TUNE: [[i32; 4]; 4] = [[3, 7, 10, 15], [0, 3, 7, 12], [8, 12, 15, 20], [10, 14, 17, 14]];
/// Milliseconds a note.
const NOTE_MS: usize = 300;

/// A slow tune over soft chords.
pub(crate) fn music(length: Duration) -> impl Iterator<Item = i16> {
    let note_samples = NOTE_MS * SAMPLE_RATE as usize / 1000;
    (0..samples(length)).map(move |n| {
        let note = n / note_samples;
        let bar = TUNE[note / 4 % TUNE.len()];
        let fade = 1.0 - (n % note_samples) as f32 / note_samples as f32 * 0.7;
        let attack = ((n % note_samples) as f32 / 80.0).min(1.0);
        let melody = pitch(bar[note % 4] + 12);
        let lead = (sine(melody, n) + 0.3 * sine(2.0 * melody, n)) * fade * attack;
        let chord: f32 = bar[..3].iter().map(|semitone| sine(pitch(*semitone), n)).sum();
        (MUSIC_LEVEL * (lead + 0.35 * chord)) as i16
    })
}

fn pitch(semitones_above_a3: i32) -> f32 {
    220.0 * 2f32.powf(semitones_above_a3 as f32 / 12.0)
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

    #[test]
    fn music_never_pauses_and_never_clips() {
        let music: Vec<i16> = music(Duration::from_secs(10)).collect();
        assert!(music.chunks(800).all(|piece| piece.iter().any(|sample| sample.abs() > 500)));
        assert!(music.iter().all(|sample| sample.unsigned_abs() < 12_000));
    }
}
