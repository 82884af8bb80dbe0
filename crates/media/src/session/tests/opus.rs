//! Calls in Opus (RFC 7587).

use super::*;
use crate::codec::{Decoder, Encoder};
use crate::testing::{Dice, Signal};

fn opus() -> StreamConfig {
    StreamConfig { send: (Codec::Opus, 111), receive: vec![(Codec::Opus, 111), (Codec::Pcma, 8)], ..stream() }
}

fn configured(config: Config) -> Line {
    let mut line = Line::with(config);
    line.order(Order::Configure(opus()));
    line
}

fn listening() -> Line {
    configured(Config { ear: ear::Config::DEAF, audio: true, record: false })
}

fn echoing() -> Line {
    let mut line = configured(Config { ear: ear::Config::DEAF, audio: false, record: false });
    line.order(Order::Echo(true));
    line
}

fn tone(ms: f32) -> Vec<AudioFrame> {
    Signal::default().tones(ms, &[(1000.0, -10.0)], &mut Dice::new(1)).frames()
}

/// Packets of a peer who says these frames.
fn said(frames: &[AudioFrame]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::default();
    let packets = (0u16..).zip(frames).map(|(n, frame)| {
        let mut payload = [0; FRAME_SAMPLES];
        let len = encoder.encode(Codec::Opus, &frame.samples, &mut payload);
        packet(111, n.wrapping_sub(20), 0xFFFF_F000u32.wrapping_add(u32::from(n) * 960), &payload[..len])
    });
    packets.collect()
}

/// Frames as loud as the tone.
fn loud(frames: &[AudioFrame]) -> usize {
    let rms =
        |samples: &[i16]| (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt();
    let wanted = rms(&tone(20.0)[0].samples);
    frames.iter().filter(|frame| (0.8..1.2).contains(&(rms(&frame.samples) / wanted))).count()
}

/// By how much each timestamp is ahead of the one before.
fn steps(line: &Line) -> Vec<u32> {
    line.sent.windows(2).map(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp)).collect()
}

// RFC 7587 §4.1.
#[test]
fn what_is_said_leaves_at_the_clock_of_opus_and_is_heard() {
    let mut caller = listening();
    for (n, frame) in tone(1000.0).into_iter().enumerate() {
        caller.order(Order::Play { utterance: UtteranceId(1), frame, last: n == 49 });
    }
    caller.run_until(1195);
    assert!(steps(&caller).iter().all(|step| *step == 960), "{:?}", steps(&caller));
    assert!(caller.sent.iter().all(|sent| sent.payload_type == 111 && (2..=160).contains(&sent.payload.len())));
    let mut callee = listening();
    for sent in &caller.sent {
        callee.run_until(sent.at + 7);
        callee.receive_from(PEER, &packet(111, sent.sequence, sent.timestamp, &sent.payload));
    }
    callee.run_until(1400);
    let heard = loud(&callee.audio());
    assert!((48..=50).contains(&heard), "{heard} frames");
    let statistics = callee.session.statistics();
    assert_eq!((statistics.packets_late, statistics.packets_lost, statistics.jitter.as_millis()), (0, 0, 0));
    assert!(callee.session.describe().contains("RTP 111 opus"), "{}", callee.session.describe());
}

#[test]
fn what_is_lost_is_concealed_and_what_comes_late_or_out_of_order_is_in_its_place() {
    let mut line = listening();
    let mut packets = said(&tone(2000.0));
    packets.swap(30, 31);
    for (n, packet) in (0..).zip(packets).filter(|(n, _)| *n != 60) {
        line.run_until(n * 20 + if n == 70 { 15 } else { 0 });
        line.receive_from(PEER, &packet);
    }
    line.run_until(2100);
    let heard = loud(&line.audio());
    // And what is concealed when it stops.
    assert!((96..=105).contains(&heard), "{heard} frames");
    let statistics = line.session.statistics();
    assert!((1..=6).contains(&statistics.concealed_frames), "{statistics:?}");
    assert_eq!(statistics.packets_late, 0);
}

#[test]
fn an_echo_is_the_same_packet_at_our_own_time() {
    let mut line = echoing();
    let packets = said(&tone(200.0));
    for (packet, at) in packets.iter().zip((3..).step_by(20)) {
        line.run_until(at);
        line.receive_from(PEER, packet);
    }
    let payloads: Vec<_> = line.sent.iter().map(|sent| sent.payload.clone()).collect();
    // The first is our own silence.
    assert_eq!(payloads[1..], packets.iter().map(|packet| packet[12..].to_vec()).collect::<Vec<_>>());
    assert_eq!(steps(&line)[1..], [960; 9]);
    line.receive_from(PEER, &packet(111, 90, 90, &[0x0B; 481]));
    assert_eq!(line.sent.len(), 11, "longer than our packets are");
}

#[test]
fn another_codec_comes_back_in_ours() {
    let mut line = echoing();
    let sound: Vec<i16> = tone(60.0).iter().flat_map(|frame| frame.samples).collect();
    let mut payload = [0; 3 * FRAME_SAMPLES];
    Codec::Pcma.encode(&sound, &mut payload);
    line.run_until(3);
    line.receive_from(PEER, &packet(8, 1, 160, &payload));
    assert_eq!(line.sent.iter().map(|sent| sent.payload_type).collect::<Vec<_>>(), [111; 4]);
    assert_eq!(steps(&line)[1..], [960; 2]);
    let mut decoder = Decoder::default();
    for sent in &line.sent {
        assert_eq!(decoder.decode(Codec::Opus, &sent.payload, &mut [0; 960]), FRAME_SAMPLES);
    }
}

#[test]
fn packets_of_garbage_do_no_harm() {
    let mut line = listening();
    let mut dice = Dice::new(5);
    for n in 0..2000u16 {
        line.run_until(u64::from(n) * 20);
        let len = dice.range(1.0, if n % 8 == 0 { 1900.0 } else { 60.0 }) as usize;
        let payload: Vec<u8> = (0..len).map(|_| dice.range(0.0, 256.0) as u8).collect();
        line.receive_from(PEER, &packet(111, n, u32::from(n) * 960, &payload));
    }
    // Another source, after which there is sound again.
    let before = line.audio().len();
    for (mut packet, at) in said(&tone(1000.0)).into_iter().zip((40_000..).step_by(20)) {
        line.run_until(at);
        packet[11] = 99;
        line.receive_from(PEER, &packet);
    }
    line.run_until(41_200);
    let heard = loud(&line.audio()[before..]);
    assert!(heard > 44, "{heard} frames");
}
