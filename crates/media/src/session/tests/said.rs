//! What we say: when it leaves, and what is told of it.

use super::*;

#[test]
fn packets_leave_every_20_ms_from_the_first_configure_on() {
    let mut line = Line::new();
    assert_eq!(line.session.poll_timeout(), None);
    line.order(Order::Configure(stream()));
    line.run_until(70);
    assert_eq!(line.ladder(), ".@0 .@20 .@40 .@60");
    let steps: Vec<_> = line
        .sent
        .windows(2)
        .map(|w| (w[1].sequence.wrapping_sub(w[0].sequence), w[1].timestamp.wrapping_sub(w[0].timestamp)))
        .collect();
    assert_eq!(steps, [(1, 160); 3]);
}

#[test]
fn a_talk_spurt_leaves_at_once_and_its_lead_is_paid_back() {
    let mut line = Line::configured();
    line.run_until(27);
    line.play(1, 1000, false);
    line.play(1, 1000, true);
    line.run_until(100);
    assert_eq!(line.ladder(), ".@0 .@20 Ms@27 s@47 .@80 .@100");
    assert_eq!(line.said(), "started 1@27, played 1 40ms@47");
    let first = line.sent[0].timestamp;
    let slots: Vec<_> = line.sent.iter().map(|sent| sent.timestamp.wrapping_sub(first) / 160).collect();
    assert_eq!(slots, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_second_spurt_waits_for_the_end_of_the_first() {
    let mut line = Line::configured();
    line.run_until(27);
    line.play(1, 1000, true);
    line.run_until(30);
    line.play(2, 1000, true);
    line.run_until(80);
    assert_eq!(line.ladder(), ".@0 .@20 Ms@27 s@47 .@80");
}

#[test]
fn flush_stops_the_sound_with_the_next_frame_and_tells_what_was_heard() {
    let mut line = Line::configured();
    for n in 0..10 {
        line.play(1, 1000, n == 9);
    }
    line.play(2, 1000, true);
    line.run_until(50);
    line.order(Order::Flush(UtteranceId(2)));
    line.play(2, 1000, true);
    line.run_until(100);
    assert_eq!(line.ladder(), ".@0 Ms@0 s@20 s@40 .@80 .@100");
    assert_eq!(line.said(), "started 1@0, cut 1 60ms@50, cut 2 0ms@50");
}

#[test]
fn a_flushed_utterance_that_never_came_is_reported_and_stays_silent() {
    let mut line = Line::configured();
    line.order(Order::Flush(UtteranceId(3)));
    line.play(3, 1000, true);
    line.run_until(40);
    assert_eq!((line.said().as_str(), line.ladder().as_str()), ("cut 3 0ms@0", ".@0 .@20 .@40"));
}

#[test]
fn the_queue_holds_a_second_and_refuses_more() {
    let mut line = Line::configured();
    for _ in 0..60 {
        line.play(1, 1000, false);
    }
    assert_eq!(line.session.room(), 0);
    line.run_until(2000);
    assert_eq!(line.session.room(), PLAY_QUEUE_FRAMES);
}

#[test]
fn a_late_wake_up_drops_frames_and_never_bursts() {
    let mut line = Line::configured();
    line.run_until(20);
    for _ in 0..20 {
        line.play(1, 1000, false);
    }
    line.now = line.start + ms(220);
    line.session.handle_timeout(line.now);
    line.drain();
    line.run_until(260);
    let late: Vec<_> = line.sent.iter().filter(|sent| sent.at >= 220).map(|sent| sent.at).collect();
    assert_eq!(late, [220, 240, 260]);
    let first = line.sent[0].timestamp;
    assert_eq!(line.sent.last().unwrap().timestamp.wrapping_sub(first) / 160, 14);
}

#[test]
fn held_streams_are_silent_and_speech_waits() {
    let mut line = Line::configured();
    line.order(Order::Configure(StreamConfig { sending: false, ..stream() }));
    line.play(1, 1000, true);
    line.run_until(100);
    assert_eq!(line.ladder(), ".@0");
    line.order(Order::Configure(stream()));
    line.run_until(140);
    assert_eq!(line.ladder(), ".@0 Ms@120 .@140");
}

#[test]
fn the_steady_tone_fills_silence_and_gives_way_to_speech() {
    let mut line = Line::configured();
    line.order(Order::Tone(Some(SteadyTone { hertz: 1004.0, dbm0: 0.0 })));
    line.run_until(50);
    line.play(1, 0, true);
    line.run_until(100);
    assert_eq!(line.ladder(), ".@0 s@20 s@40 M.@50 s@80 s@100");
}

#[test]
fn what_waits_is_said_in_the_codec_of_its_time() {
    let mut line = Line::configured();
    line.play(1, 1000, false);
    line.play(1, 1000, false);
    line.play(1, 1000, true);
    for (codec, payload_type, until) in [(Codec::Pcma, 8, 25), (Codec::G722, 9, 45)] {
        line.order(Order::Configure(StreamConfig { send: (codec, payload_type), ..stream() }));
        line.run_until(until);
    }
    let said: Vec<_> = line.sent.iter().filter(|sent| sent.payload.iter().any(|byte| *byte != 0xFF)).collect();
    let first = |codec: Codec, sample: i16| {
        let mut payload = [0; 1];
        codec.encode(&[sample], &mut payload);
        payload[0]
    };
    assert_eq!(said.iter().map(|sent| sent.payload_type).collect::<Vec<_>>(), [0, 8, 9]);
    assert_eq!(said[0].payload, [first(Codec::Pcmu, 1000); 160]);
    assert_eq!(said[1].payload, [first(Codec::Pcma, 988); 160]);
    assert_eq!(said[2].payload[0], first(Codec::G722, 988));
}
