//! The rows of ITU-T Q.24 and of the trade's test tapes, as bursts with random phase and block offset.

use super::*;
use crate::AudioFrame;
use crate::testing::{Dice, Signal};

/// A kind of burst: 16 digits, five of each, whose reports are counted.
struct Burst {
    on: f32,
    off: f32,
    level: f32,
    /// High tone over low tone in dB.
    twist: f32,
    /// Deviation of low and high tone in percent.
    deviation: (f32, f32),
    noise: Option<f32>,
    /// A hole of so many ms in the middle.
    hole: f32,
}

const NOMINAL: Burst =
    Burst { on: 50.0, off: 50.0, level: -10.0, twist: 0.0, deviation: (0.0, 0.0), noise: None, hole: 0.0 };

/// Reports a digit sent: (share exactly once, share more than once, longest report after the end in ms).
fn measure(burst: &Burst) -> (f32, f32, f32) {
    let mut dice = Dice::new(5);
    let (mut once, mut more, mut total, mut slowest) = (0, 0, 0, f32::MIN);
    for _ in 0..5 {
        for event in 0..16 {
            let digit = Digit::from_event(event).unwrap();
            let (low, high) = digit.hertz();
            let tones = [
                (low * (1.0 + burst.deviation.0 / 100.0), burst.level - burst.twist.max(0.0)),
                (high * (1.0 + burst.deviation.1 / 100.0), burst.level + burst.twist.min(0.0)),
            ];
            let mut signal = Signal::default().silence(100.0 + dice.range(0.0, 20.0));
            let start = signal.0.len();
            signal = signal.tones(burst.on, &tones, &mut dice);
            let end = signal.len_ms();
            let hole = (burst.hole * 8.0) as usize;
            let middle = start + (burst.on * 4.0) as usize - hole / 2;
            signal.0[middle..middle + hole].fill(0.0);
            signal = signal.silence(burst.off + 100.0);
            if let Some(below) = burst.noise {
                signal = signal.noise(burst.level + 3.0 - below, &mut dice);
            }
            let mut detector = Detector::new();
            let mut reports = Vec::new();
            for frame in signal.frames() {
                if let Some((heard, into)) = detector.hear(&frame.samples) {
                    reports.push((heard, (frame.at + into).as_secs_f32() * 1000.0));
                }
            }
            total += 1;
            once += usize::from(reports.len() == 1 && reports[0].0 == digit);
            more += usize::from(reports.len() > 1);
            slowest = reports.iter().map(|r| r.1 - end).fold(slowest, f32::max);
        }
    }
    (once as f32 / total as f32, more as f32 / total as f32, slowest)
}

fn accepts(name: &str, burst: Burst) {
    let (once, more, slowest) = measure(&burst);
    assert!(once == 1.0, "{name}: {once} heard once, {more} more than once");
    assert!(slowest < 60.0, "{name}: {slowest} ms after the end");
}

fn refuses(name: &str, burst: Burst) {
    let (once, more, _) = measure(&burst);
    assert!(once + more == 0.0, "{name}: {once} heard once, {more} more than once");
}

#[test]
fn nominal_and_shortest_digits_are_heard_once() {
    accepts("50/50", NOMINAL);
    accepts("40/40", Burst { on: 40.0, off: 40.0, ..NOMINAL });
    accepts("100/100", Burst { on: 100.0, off: 100.0, ..NOMINAL });
    refuses("23 ms", Burst { on: 23.0, ..NOMINAL });
    refuses("20 ms", Burst { on: 20.0, ..NOMINAL });
}

#[test]
fn one_and_a_half_percent_is_accepted_and_three_refused() {
    for deviation in [(1.5, 1.5), (-1.5, -1.5), (1.5, -1.5), (-1.5, 1.5), (1.8, 1.8), (-1.8, -1.8)] {
        accepts(&format!("{deviation:?} %"), Burst { deviation, ..NOMINAL });
    }
    for deviation in [(3.0, 0.0), (-3.0, 0.0), (0.0, 3.0), (0.0, -3.0), (3.5, 0.0), (0.0, -3.5)] {
        refuses(&format!("{deviation:?} %"), Burst { deviation, ..NOMINAL });
    }
}

#[test]
fn twist_is_accepted_from_minus_8_to_plus_4_db() {
    accepts("+4 dB", Burst { twist: 4.0, ..NOMINAL });
    accepts("−8 dB", Burst { twist: -8.0, ..NOMINAL });
    refuses("+9 dB", Burst { twist: 9.0, ..NOMINAL });
    refuses("−13 dB", Burst { twist: -13.0, ..NOMINAL });
}

#[test]
fn levels_and_noise_of_real_lines_are_borne() {
    for level in [-3.0, -25.0, -38.0] {
        accepts(&format!("{level} dBm0"), Burst { level, ..NOMINAL });
    }
    refuses("−55 dBm0", Burst { level: -55.0, ..NOMINAL });
    for noise in [15.0, 10.0, 8.0] {
        accepts(&format!("S/N {noise} dB"), Burst { noise: Some(noise), ..NOMINAL });
    }
    accepts("all at once", Burst { on: 40.0, deviation: (1.5, -1.5), noise: Some(15.0), ..NOMINAL });
}

#[test]
fn an_interruption_is_no_pause_and_a_pause_is_no_interruption() {
    accepts("10 ms hole", Burst { on: 100.0, hole: 10.0, ..NOMINAL });
    accepts("a lost packet", Burst { on: 100.0, hole: 20.0, ..NOMINAL });
    let mut dice = Dice::new(1);
    for pause in [30.0, 40.0, 50.0] {
        let tones = [(770.0, -10.0), (1336.0, -10.0)];
        let mut signal = Signal::default();
        for _ in 0..20 {
            signal = signal.tones(50.0, &tones, &mut dice).silence(pause);
        }
        let mut detector = Detector::new();
        let heard = signal.silence(100.0).frames().iter().filter_map(|f| detector.hear(&f.samples)).count();
        assert_eq!(heard, 20, "pauses of {pause} ms");
    }
}

#[test]
fn frames_that_never_came_are_no_pause_and_a_pause_as_long_is_one() {
    let mut dice = Dice::new(3);
    let tones = [(770.0, -10.0), (1336.0, -10.0)];
    let heard = |frames: &[AudioFrame]| {
        let mut detector = Detector::new();
        frames.iter().filter_map(|frame| detector.hear(&frame.samples)).count()
    };
    // Tones of 100 ms: 30 ms, two frames lost, 30 ms.
    let mut signal = Signal::default();
    for _ in 0..20 {
        signal = signal.silence(90.0).tones(100.0, &tones, &mut dice).silence(110.0);
    }
    let mut frames = signal.frames();
    for first in (0..20).map(|n| 15 * n + 6) {
        frames[first].samples.fill(0);
        frames[first + 1].samples.fill(0);
    }
    assert_eq!(heard(&frames), 20, "two of its frames lost, each is one digit");
    // The same, but a new press each time: its tones begin anywhere.
    let mut signal = Signal::default();
    for _ in 0..20 {
        signal = signal.silence(90.0).tones(30.0, &tones, &mut dice).silence(40.0).tones(30.0, &tones, &mut dice);
        signal = signal.silence(110.0);
    }
    assert!(heard(&signal.frames()) >= 38, "after a pause of two frames it is a new one, but for a rare coincidence");
}

#[test]
fn a_digit_is_decided_while_it_sounds_within_30_ms() {
    let mut dice = Dice::new(4);
    let mut delays = Vec::new();
    for event in 0..16 {
        let (low, high) = Digit::from_event(event).unwrap().hertz();
        let signal = Signal::default().silence(100.0 + dice.range(0.0, 20.0));
        let begin = signal.len_ms();
        let signal = signal.tones(50.0, &[(low, -10.0), (high, -10.0)], &mut dice).silence(50.0);
        let mut detector = Detector::new();
        let decided = signal.frames().iter().find_map(|frame| Some(frame.at + detector.hear(&frame.samples)?.1));
        delays.push(decided.unwrap().as_secs_f32() * 1000.0 - begin);
    }
    delays.sort_by(f32::total_cmp);
    assert!(delays[8] <= 30.0 && delays[15] <= 35.0, "{delays:?}");
}

#[test]
fn speech_holds_no_digits() {
    let mut dice = Dice::new(2);
    let signal = Signal::default().speech(300_000.0, -15.0, &mut dice);
    let mut detector = Detector::new();
    let heard: Vec<_> = signal.frames().iter().filter_map(|f| detector.hear(&f.samples)).collect();
    assert_eq!(heard, []);
}
