//! Keys, theirs and ours.

use super::*;
use crate::dtmf::Digit;

#[test]
fn digits_follow_speech_and_hold_back_later_speech() {
    let mut line = Line::configured();
    line.play(1, 1000, false);
    line.order(Order::SendDigit { digit: Digit::from_char('5').unwrap(), method: DigitMethod::Auto, duration: ms(60) });
    line.play(1, 1000, true);
    line.play(2, 1000, true);
    line.run_until(220);
    assert_eq!(
        line.ladder(),
        ".@0 Ms@0 s@20 M5/160@40 5/320@60 5/480E@80 5/480E@100 5/480E@120 .@140 .@160 .@180 Ms@200"
    );
    assert_eq!(line.said(), "started 1@0, played 1 40ms@20, digits@200, started 2@200, played 2 20ms@200");
    let events: Vec<_> = line.sent.iter().filter(|sent| sent.payload_type == 101).collect();
    assert!(events.iter().all(|sent| sent.timestamp == events[0].timestamp));
    assert!(line.sent.windows(2).all(|w| w[1].sequence == w[0].sequence.wrapping_add(1)));
    // RFC 4733 §2.5.1.2: audio goes on with the timestamp of the time at which it is sent.
    let after = line.sent.iter().rfind(|sent| sent.marker).unwrap();
    assert_eq!(after.timestamp.wrapping_sub(events[0].timestamp), 8 * 160);
}

#[test]
fn a_telephone_event_is_heard_once() {
    let mut line = Line::configured();
    for (n, (duration, end)) in
        [(160, false), (320, false), (480, true), (480, true), (480, true)].into_iter().enumerate()
    {
        line.receive_from(PEER, &event(n as u16, 1000, 5, duration, end));
        line.run_until(20 * (n as u64 + 1));
    }
    assert_eq!(line.digits(), "5");
}

fn dialled(digits: &str, on: f32, off: f32) -> Vec<AudioFrame> {
    let mut dice = crate::testing::Dice::new(2);
    let mut signal = crate::testing::Signal::default().silence(500.0);
    for c in digits.chars() {
        let (low, high) = Digit::from_char(c).unwrap().hertz();
        signal = signal.tones(on, &[(low, -10.0), (high, -8.0)], &mut dice).silence(off);
    }
    signal.frames()
}

#[test]
fn tones_dialled_over_a_bad_network_are_each_heard_once() {
    let digits = "159D3570*28#6A4B0C".repeat(5);
    let mut line = Line::configured();
    say(&mut line, &dialled(&digits, 100.0, 100.0), 0.03, 40.0, 8);
    assert_eq!(line.digits(), digits);
    let audio = line.audio();
    assert!(audio.iter().zip(0..).all(|(frame, n)| frame.at == ms(n * 20)), "gapless");
    // What waits to be played in the end is silence, and not heard yet.
    let delay = line.session.statistics().delay.as_millis() as usize / 20 + 1;
    let played = (digits.len() * 200 + 500 + 500) / 20;
    assert!((played - delay..=played).contains(&audio.len()), "{} of {played}, less {delay}", audio.len());
    let statistics = line.session.statistics();
    let lost = (digits.len() * 10 + 25) as u64 - statistics.packets_received;
    assert!(lost > 10 && statistics.packets_lost <= lost, "{statistics:?}");
    assert!((5..20).contains(&statistics.jitter.as_millis()), "{statistics:?}");
}

#[test]
fn our_own_tones_are_heard_by_our_own_ear() {
    let mut caller = Line::new();
    caller.order(Order::Configure(StreamConfig { telephone_event_send: None, ..stream() }));
    for c in "0123456789*#ABCD".chars() {
        let digit = Digit::from_char(c).unwrap();
        caller.order(Order::SendDigit { digit, method: DigitMethod::Auto, duration: ms(100) });
    }
    caller.run_until(4000);
    let mut callee = Line::configured();
    for sent in &caller.sent {
        callee.run_until(sent.at);
        callee.receive_from(PEER, &packet(0, sent.sequence, sent.timestamp, &sent.payload));
    }
    callee.run_until(4500);
    assert_eq!(callee.digits(), "0123456789*#ABCD");
    assert!(caller.said().ends_with("digits@3220"), "{}", caller.said());
}

#[test]
fn a_digit_in_both_ways_is_one_digit_whichever_comes_first() {
    // The tone leaks for 200 ms before the gateway's event arrives; later tones are only echoes.
    let mut line = Line::configured();
    let frames = dialled("55", 200.0, 300.0);
    for (n, frame) in (0u16..).zip(&frames) {
        let at = u64::from(n) * 20;
        line.run_until(at);
        let mut payload = [0; FRAME_SAMPLES];
        Codec::Pcmu.encode(&frame.samples, &mut payload);
        line.receive_from(PEER, &packet(0, 2 * n, u32::from(n) * 160, &payload));
        if at == 700 || at == 1200 {
            line.receive_from(PEER, &event(2 * n + 1, u32::from(n) * 160, 5, 160, true));
        }
    }
    line.run_until(2000);
    assert_eq!(line.digits(), "55");
}
