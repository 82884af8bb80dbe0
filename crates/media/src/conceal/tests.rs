//! Gaps in sounds whose continuation is known.

use super::*;
use crate::FRAME_SAMPLES;
use crate::testing::{Dice, Signal};

/// A buzz of 125 Hz, frame by frame.
fn buzz(frame: usize) -> [i16; FRAME_SAMPLES] {
    std::array::from_fn(|n| if (frame * FRAME_SAMPLES + n) % 64 < 8 { 8000 } else { -1000 })
}

fn level(samples: &[i16]) -> i32 {
    samples.iter().map(|s| i32::from(*s).abs()).sum::<i32>() / samples.len() as i32
}

fn lose(concealer: &mut Concealer) -> ([i16; FRAME_SAMPLES], bool) {
    let mut lost = [0; FRAME_SAMPLES];
    let concealed = concealer.fill(&mut lost, &[false; FRAME_SAMPLES], FRAME_SAMPLES);
    (lost, concealed)
}

/// Signal to error in dB when the frames named are lost, where the one after each is known in time.
fn fidelity(sound: &[i16], lost: &[usize]) -> f32 {
    let frames: Vec<_> = sound.chunks_exact(FRAME_SAMPLES).collect();
    let mut concealer = Concealer::new();
    let (mut power, mut error) = (1.0f64, 1.0f64);
    for (n, frame) in frames.iter().enumerate().take(frames.len() - 1) {
        let mut samples = [*frame, frames[n + 1]].concat();
        let present = [n, n + 1].map(|n| [!lost.contains(&n); FRAME_SAMPLES]).concat();
        for (sample, present) in samples.iter_mut().zip(&present) {
            *sample = if *present { *sample } else { 0 };
        }
        concealer.fill(&mut samples, &present, FRAME_SAMPLES);
        if lost.contains(&n) {
            for (made_up, real) in samples.iter().zip(*frame) {
                power += f64::from(*real).powi(2);
                error += (f64::from(*made_up) - f64::from(*real)).powi(2);
            }
        }
    }
    (10.0 * (power / error).log10()) as f32
}

/// A voice whose pitch glides, in Hz.
fn glide(from: f32, to: f32) -> Vec<i16> {
    let mut phase = 0.0f32;
    (0..4000)
        .map(|n| {
            phase += std::f32::consts::TAU * (from + (to - from) * n as f32 / 4000.0) / SAMPLE_RATE as f32;
            ((1..6).map(|k| (phase * k as f32).sin() / k as f32).sum::<f32>() * 4000.0) as i16
        })
        .collect()
}

#[test]
fn a_lost_frame_continues_the_pitch_and_a_long_gap_fades_to_silence() {
    let mut concealer = Concealer::new();
    for n in 0..5 {
        concealer.hear(&mut buzz(n));
    }
    let (lost, concealed): (Vec<_>, Vec<_>) = (0..8).map(|_| lose(&mut concealer)).unzip();
    assert_eq!(concealed, [true, true, true, true, true, true, false, false]);
    assert_eq!(lost[0], buzz(5), "the first 20 ms go on as if nothing had happened");
    let levels: Vec<i32> = lost.iter().map(|frame| level(frame)).collect();
    assert!(levels[3..7].windows(2).all(|pair| pair[0] > pair[1]), "{levels:?}");
    assert_eq!(levels[6..], [0, 0]);
}

#[test]
fn a_missing_part_of_a_frame_is_filled() {
    let mut concealer = Concealer::new();
    for n in 0..3 {
        concealer.hear(&mut buzz(n));
    }
    let (mut samples, mut present) = (buzz(3), [true; FRAME_SAMPLES]);
    samples[40..80].fill(0);
    present[40..80].fill(false);
    assert!(concealer.fill(&mut samples, &present, FRAME_SAMPLES));
    assert_eq!(samples[40..80], buzz(3)[40..80]);
}

#[test]
fn silence_is_concealed_with_silence() {
    assert_eq!(lose(&mut Concealer::new()), ([0; FRAME_SAMPLES], false));
}

#[test]
fn a_gliding_voice_arrives_in_phase_at_what_is_known_to_follow() {
    for (from, to) in [(100.0, 130.0), (180.0, 140.0), (90.0, 100.0)] {
        let sound = glide(from, to);
        let one_by_one = fidelity(&sound, &[8, 12, 17, 20]);
        assert!(one_by_one > 12.0, "{from} to {to} Hz: {one_by_one} dB");
        let in_pairs = fidelity(&sound, &[8, 9, 16, 17]);
        assert!(in_pairs > 5.0, "{from} to {to} Hz: {in_pairs} dB");
    }
}

#[test]
fn made_up_sound_keeps_the_level_of_its_surroundings() {
    let mut dice = Dice::new(6);
    let sounds = [
        Signal::default().silence(400.0).noise(-20.0, &mut dice),
        Signal::default().tones(400.0, &[(120.0, -20.0), (240.0, -20.0), (720.0, -25.0)], &mut dice),
    ];
    for sound in sounds {
        let frames = sound.frames();
        let mut concealer = Concealer::new();
        frames[..10].iter().for_each(|frame| concealer.hear(&mut frame.samples.clone()));
        let mut samples = [[0; FRAME_SAMPLES], frames[11].samples].concat();
        let present = [[false; FRAME_SAMPLES], [true; FRAME_SAMPLES]].concat();
        assert!(concealer.fill(&mut samples, &present, FRAME_SAMPLES));
        let (made_up, real) = (level(&samples[..FRAME_SAMPLES]), level(&frames[10].samples));
        assert!((real * 7 / 10..real * 14 / 10).contains(&made_up), "{made_up} instead of {real}");
    }
}

#[test]
fn sound_that_comes_back_unexpectedly_makes_no_click() {
    let sound = glide(110.0, 110.0);
    let frames: Vec<_> = sound.chunks_exact(FRAME_SAMPLES).collect();
    let steepest = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max().unwrap();
    let mut concealer = Concealer::new();
    frames[..5].iter().for_each(|frame| concealer.hear(&mut frame.to_vec()));
    let mut played = frames[4].to_vec();
    played.extend((0..2).flat_map(|_| lose(&mut concealer).0));
    // Not what would have followed.
    let mut back = frames[10].to_vec();
    concealer.hear(&mut back);
    played.extend(back);
    let step = played.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap();
    assert!(step < i32::from(steepest) * 2, "{step}, {steepest} in the voice itself");
}
