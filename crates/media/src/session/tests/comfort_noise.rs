//! Pauses that they announce, and ours (RFC 3389).

use super::*;

// RFC 3389 §4.
#[test]
fn a_pause_that_is_announced_sounds_as_described_and_keeps_the_clock() {
    let mut line = Line::configured();
    let mut sequence = 0;
    let mut talk = |line: &mut Line, from: u64| {
        for n in from..from + 10 {
            line.run_until(n * 20);
            line.receive_from(PEER, &packet(0, sequence, n as u32 * 160, &[0x90; 160]));
            sequence += 1;
        }
        sequence += 1;
        sequence - 1
    };
    let noise = talk(&mut line, 0);
    line.receive_from(PEER, &packet(13, noise, 10 * 160, &[50, 127, 90]));
    let last = talk(&mut line, 110);
    line.run_until(3000);
    assert_eq!(last, 21);
    let audio = line.audio();
    let loud = |frame: &&AudioFrame| frame.samples[100] > 10_000;
    assert_eq!(audio[..120].iter().filter(loud).count(), 20);
    let between = &audio[13..109];
    let noisy = |frame: &AudioFrame| {
        let power = frame.samples.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / FRAME_SAMPLES as f32;
        (40.0..250.0).contains(&power.sqrt())
    };
    assert!(between.iter().all(noisy), "−50 dBov is a level of 101");
    let statistics = line.session.statistics();
    assert_eq!((statistics.packets_received, statistics.packets_ignored, statistics.packets_lost), (21, 0, 0));
}

fn quiet() -> Line {
    let mut line = Line::with(Config { ear: ear::Config::DEAF, audio: true, record: true });
    line.order(Order::Configure(StreamConfig { comfort_noise: Some(13), ..stream() }));
    line
}

// RFC 3389 §4, RFC 3551 §4.1.
#[test]
fn our_silence_is_announced_and_kept_alive_and_a_marker_ends_it() {
    let mut line = quiet();
    line.run_until(427);
    line.play(1, 1000, false);
    line.play(1, 1000, true);
    line.run_until(700);
    assert_eq!(line.ladder(), "n@0 n@200 n@400 Ms@427 s@447 n@480 n@680");
    let first = line.sent[0].clone();
    let slots: Vec<_> = line.sent.iter().map(|sent| sent.timestamp.wrapping_sub(first.timestamp) / 160).collect();
    assert_eq!(slots, [0, 10, 20, 22, 23, 24, 34]);
    assert!(line.sent.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    assert_eq!(first.payload, [127]);
    assert_eq!(line.session.statistics().packets_sent, 7);
    let mut we: Vec<_> = line.recorded.iter().map(|(_, recorded)| recorded.we.samples[0]).collect();
    assert_eq!(we.drain(22..24).collect::<Vec<_>>(), [988; 2]);
    assert_eq!(we, [0; 33], "silence in the recording");
}

#[test]
fn keys_and_tones_of_ours_end_a_silence_and_the_milliwatt_has_none() {
    use crate::dtmf::Digit;
    let mut line = quiet();
    line.run_until(50);
    for (method, at) in [(DigitMethod::Rfc4733, 250), (DigitMethod::Inband, 450)] {
        line.order(Order::SendDigit { digit: Digit::from_char('5').unwrap(), method, duration: ms(40) });
        line.run_until(at);
    }
    assert_eq!(
        line.ladder(),
        "n@0 M5/160@60 5/320E@80 5/320E@100 5/320E@120 .@140 .@160 .@180 n@200 Ms@260 s@280 .@300 .@320 .@340 .@360 .@380 n@400"
    );
    line.order(Order::Tone(Some(SteadyTone { hertz: 1004.0, dbm0: 0.0 })));
    line.run_until(500);
    assert!(line.ladder().ends_with("n@400 Ms@460 s@480 s@500"), "{}", line.ladder());
}

#[test]
fn who_echoes_announces_its_silence_too() {
    let mut line = Line::with(Config { ear: ear::Config::DEAF, audio: false, record: false });
    line.order(Order::Configure(StreamConfig { comfort_noise: Some(13), ..stream() }));
    line.order(Order::Echo(true));
    line.receive_from(PEER, &packet(0, 8, 1000, &[1; 160]));
    line.run_until(2500);
    assert_eq!(line.ladder(), "n@0 s@0 n@1000 n@2000");
}

#[test]
fn a_pause_of_ours_is_one_to_our_own_ear() {
    let mut caller = quiet();
    caller.run_until(427);
    for n in 0..10 {
        caller.play(1, 1000, n == 9);
    }
    caller.run_until(1200);
    let mut callee = quiet();
    for sent in &caller.sent {
        callee.run_until(sent.at + 7);
        let mut datagram = packet(sent.payload_type, sent.sequence, sent.timestamp, &sent.payload);
        datagram[1] |= if sent.marker { 0x80 } else { 0 };
        callee.receive_from(PEER, &datagram);
    }
    callee.run_until(1400);
    let sounding = callee.recorded.iter().filter(|(_, recorded)| recorded.they.samples[80] == 988).count();
    assert_eq!(sounding, 10);
    let statistics = callee.session.statistics();
    assert_eq!((statistics.packets_lost, statistics.packets_late, statistics.packets_ignored), (0, 0, 0));
    assert_eq!(statistics.concealed_frames, 0, "silence, not loss");
}
