//! Every tone of every country, made and heard.

use super::*;
use crate::analysis::Analyser;
use crate::testing::{Dice, Signal};
use crate::tones::{COUNTRIES, CadencePlayer, Country};

fn cadence_signal(country: Country, tone: Tone, ms: f32) -> Option<Signal> {
    let mut player = CadencePlayer::new(country, tone, -15.0)?;
    let mut samples = vec![0; (ms * 8.0) as usize];
    player.fill(&mut samples);
    let samples: Vec<f32> = samples.into_iter().map(f32::from).collect();
    Some(Signal::default().silence(330.0).then(&samples))
}

/// What is recognised: names with the end in units of 10 ms.
fn check(signal: Signal, noise: f32, speech_before: bool, expected: &str) {
    let mut dice = Dice::new(3);
    let signal = signal.silence(1500.0).noise(noise, &mut dice);
    let mut analyser = Analyser::new();
    let mut progress = CallProgress::new();
    let mut heard = Vec::new();
    for frame in signal.frames() {
        let analysis = analyser.hear(&frame.samples);
        if let Some(recognised) = progress.hear(frame.at, &analysis, speech_before) {
            heard.push(format!("{:?}", recognised.tone));
        }
    }
    assert_eq!(heard.join(" "), expected);
}

#[test]
fn every_cadence_of_every_country_is_named_once() {
    for country in COUNTRIES {
        for tone in [Tone::Ringback, Tone::Busy, Tone::Congestion, Tone::Dial] {
            // ES busy and IT congestion are the same tone.
            let expected = if (country, tone) == (Country::It, Tone::Congestion) { Tone::Busy } else { tone };
            for noise in [-70.0, -38.0] {
                let signal = cadence_signal(country, tone, 11_000.0).unwrap();
                check(signal, noise, false, &format!("{expected:?}"));
            }
        }
    }
}

#[test]
fn special_information_tones_are_named() {
    check(cadence_signal(Country::Us, Tone::Sit, 1500.0).unwrap(), -60.0, false, "Sit");
}

#[test]
fn fax_machines_are_named() {
    let mut dice = Dice::new(1);
    let mut dice = |ms: f32, hertz: f32| Signal::default().silence(500.0).tones(ms, &[(hertz, -15.0)], &mut dice);
    check(dice(500.0, 1100.0), -60.0, false, "Fax");
    check(dice(2800.0, 2100.0), -60.0, false, "Fax");
}

#[test]
fn beeps_are_named_when_they_have_ended() {
    for hertz in [620.0, 850.0, 1000.0, 1400.0, 2000.0] {
        for ms in [150.0, 400.0, 1000.0] {
            let signal = Signal::default().silence(413.0).tones(ms, &[(hertz, -15.0)], &mut Dice::new(1));
            check(signal, -55.0, false, "Beep");
        }
    }
    let low = || Signal::default().silence(413.0).tones(500.0, &[(440.0, -15.0)], &mut Dice::new(1));
    check(low(), -55.0, true, "Beep");
    check(low(), -55.0, false, "Beep");
}

#[test]
fn digits_and_speech_are_no_tones_of_the_network() {
    let mut dice = Dice::new(1);
    let mut signal = Signal::default();
    for _ in 0..10 {
        signal = signal.tones(100.0, &[(770.0, -10.0), (1336.0, -8.0)], &mut dice).silence(100.0);
    }
    check(signal, -60.0, false, "");
    check(Signal::default().speech(60_000.0, -18.0, &mut dice), -50.0, false, "");
}
