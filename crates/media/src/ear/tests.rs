//! What the ear makes of synthetic lines, tones, music and something like speech.

use super::*;
use crate::testing::{Dice, Signal};
use crate::tones::{COUNTRIES, CadencePlayer, Country, DtmfTone, HoldMusic};

fn hear(signal: &Signal) -> Vec<Heard> {
    let mut ear = Ear::new(Config { dtmf: true, progress: true, voice: true });
    let mut heard = Vec::new();
    for frame in signal.frames() {
        ear.hear(&frame, &mut heard);
    }
    heard
}

/// Share of frames taken for speech.
fn false_speech(signal: &Signal) -> f32 {
    let mut ear = Ear::new(Config { dtmf: true, progress: true, voice: true });
    let frames = signal.frames();
    let mut speech = 0;
    for frame in &frames {
        ear.hear(frame, &mut Vec::new());
        speech += u32::from(ear.speech_probability() >= 0.5);
    }
    speech as f32 / frames.len() as f32
}

fn played(ms: f32, fill: impl FnOnce(&mut [i16])) -> Signal {
    let mut samples = vec![0; (ms * 8.0) as usize];
    fill(&mut samples);
    let samples: Vec<f32> = samples.into_iter().map(f32::from).collect();
    Signal::default().silence(400.0).then(&samples).silence(1500.0)
}

fn no_speech(name: &str, signal: &Signal) {
    let heard = hear(signal);
    let speech = heard.iter().any(|heard| matches!(heard, Heard::SpeechStarted { .. }));
    assert!(!speech, "{name}: {heard:?}");
    assert!(false_speech(signal) <= 0.01, "{name}: {}", false_speech(signal));
}

#[test]
fn tones_noise_and_music_are_not_speech() {
    for country in COUNTRIES {
        for tone in [Tone::Ringback, Tone::Busy, Tone::Congestion, Tone::Dial, Tone::Sit] {
            if let Some(mut player) = CadencePlayer::new(country, tone, -15.0) {
                no_speech(&format!("{country:?} {tone:?}"), &played(10_000.0, |samples| _ = player.fill(samples)));
            }
        }
    }
    let mut digits = Signal::default();
    for event in 0..16 {
        let mut samples = [0; 1600];
        DtmfTone::new(Digit::from_event(event).unwrap(), Duration::from_millis(100)).fill(&mut samples);
        digits = digits.then(&samples.map(f32::from));
    }
    no_speech("digits", &digits);
    for hertz in [440, 850, 1000, 1400] {
        no_speech("beep", &played(1500.0, |samples| _ = CadencePlayer::beep(hertz, 800, -12.0).fill(samples)));
    }
    for dbm0 in [-60.0, -40.0, -30.0] {
        no_speech("noise", &Signal::default().silence(20_000.0).noise(dbm0, &mut Dice::new(4)));
    }
    no_speech("music", &played(40_000.0, |samples| HoldMusic::new().fill(samples)));
}

#[test]
fn tones_of_the_network_are_named_and_are_not_music() {
    for country in COUNTRIES {
        for tone in [Tone::Ringback, Tone::Busy, Tone::Congestion, Tone::Dial, Tone::Sit] {
            let Some(mut player) = CadencePlayer::new(country, tone, -15.0) else { continue };
            // ES busy and IT congestion are the same tone. SIT does not repeat: an announcement follows.
            let expected = if (country, tone) == (Country::It, Tone::Congestion) { Tone::Busy } else { tone };
            let ms = if tone == Tone::Sit { 1500.0 } else { 11_000.0 };
            let heard = hear(&played(ms, |samples| _ = player.fill(samples)));
            assert!(
                matches!(heard[..], [Heard::Tone { tone, .. }] if tone == expected),
                "{country:?} {tone:?}: {heard:?}"
            );
        }
    }
}

#[test]
fn music_on_hold_begins_and_ends_once() {
    let heard = hear(&played(30_000.0, |samples| HoldMusic::new().fill(samples)));
    let [Heard::MusicStarted { at: start }, Heard::MusicEnded { at: end }] = heard[..] else {
        panic!("{heard:?}");
    };
    assert!(start < Duration::from_millis(1000), "{start:?}");
    assert!((29_500..31_000).contains(&end.as_millis()), "{end:?}");
}

#[test]
fn speech_is_heard_from_its_onset_to_its_end_in_clear_and_in_noise() {
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        let before = 1000.0 + dice.range(0.0, 20.0);
        let signal = Signal::default().silence(before).speech(900.0, -20.0, &mut dice);
        // A phrase may be over before its time is.
        let end = signal.0.iter().rposition(|sample| sample.abs() > 100.0).unwrap() as f32 / 8.0;
        for noise in [-70.0, -40.0] {
            let heard = hear(&signal.clone().silence(600.0).noise(noise, &mut dice));
            let starts: Vec<f32> = heard
                .iter()
                .filter_map(
                    |h| if let Heard::SpeechStarted { at } = h { Some(at.as_secs_f32() * 1000.0) } else { None },
                )
                .collect();
            let last =
                heard.iter().rev().find_map(|h| if let Heard::SpeechEnded { at } = h { Some(*at) } else { None });
            assert!(!starts.is_empty(), "seed {seed}, noise {noise}: nothing heard");
            let (first, last) = (starts[0], last.unwrap().as_secs_f32() * 1000.0);
            assert!(
                (-30.0..110.0).contains(&(first - before)),
                "seed {seed}, noise {noise}: onset {first} for {before}"
            );
            assert!((-80.0..60.0).contains(&(last - end)), "seed {seed}, noise {noise}: end {last} for {end}");
        }
    }
}

#[test]
fn speech_that_goes_over_into_a_beep_ends_where_the_beep_begins() {
    let mut dice = Dice::new(8);
    let signal = Signal::default().silence(500.0).speech(1500.0, -20.0, &mut dice).silence(60.0);
    let beep = signal.len_ms();
    let heard = hear(&signal.tones(800.0, &[(1000.0, -14.0)], &mut dice).silence(800.0));
    let last = heard.iter().rev().find_map(|h| if let Heard::SpeechEnded { at } = h { Some(*at) } else { None });
    let last = last.unwrap().as_secs_f32() * 1000.0;
    assert!(last < beep + 150.0, "{last} for a beep at {beep}");
    let tones: Vec<Tone> =
        heard.iter().filter_map(|h| if let Heard::Tone { tone, .. } = h { Some(*tone) } else { None }).collect();
    assert_eq!(tones, [Tone::Beep]);
}
