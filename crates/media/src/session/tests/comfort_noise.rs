//! Pauses that they announce (RFC 3389).

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
