//! What they say: whose it is, when it is heard, and what is recorded.

use super::*;

#[test]
fn what_they_send_is_heard_in_order_as_it_comes_and_played_after_40_ms() {
    let mut line = Line::with(Config { ear: ear::Config::DEAF, audio: true, record: true });
    line.order(Order::Configure(stream()));
    for (n, slot) in [0u16, 2, 1, 3, 4, 5].into_iter().zip(1..) {
        line.receive_from(PEER, &packet(0, n, u32::from(n) * 160, &[0x80 + n as u8; 160]));
        line.run_until(20 * slot - 5);
    }
    line.run_until(400);
    let first = |samples: &[i16; FRAME_SAMPLES]| samples[100];
    let heard: Vec<_> = line.audio().iter().map(|frame| (frame.at.as_millis(), first(&frame.samples))).collect();
    assert_eq!(heard[..6], [(0, 32124), (20, 31100), (40, 30076), (60, 29052), (80, 28028), (100, 27004)]);
    assert!(heard.iter().zip(0..).all(|((at, _), n)| *at == n * 20), "gapless: {heard:?}");
    let when: Vec<_> = line.events.iter().filter(|(_, e)| matches!(e, Event::Audio(_))).map(|(at, _)| *at).collect();
    assert_eq!(when[..6], [0, 35, 35, 55, 75, 95], "the second was overtaken by the third");
    let played: Vec<_> = line.recorded.iter().map(|(at, recorded)| (*at, first(&recorded.they.samples))).collect();
    assert_eq!(played[..5], [(20, 0), (40, 32124), (60, 31100), (80, 30076), (100, 29052)]);
    assert_eq!(played.len(), 20);
    assert_eq!(line.session.statistics().packets_received, 6);
}

#[test]
fn strangers_rtcp_rubbish_and_unknown_types_are_counted_and_ignored() {
    let mut line = Line::new();
    line.receive_from(PEER, &packet(0, 0, 0, &[0; 160]));
    line.order(Order::Configure(stream()));
    line.receive_from(PEER, &packet(0, 1, 160, &[0; 160]));
    line.receive_from(STRANGER, &packet(0, 2, 320, &[0; 160]));
    line.receive_from(PEER, &packet(200 & 0x7F, 2, 320, &[0; 160]));
    line.receive_from(PEER, &packet(97, 2, 320, &[0; 160]));
    line.receive_from(PEER, b"hello");
    let statistics = line.session.statistics();
    assert_eq!((statistics.packets_received, statistics.packets_ignored), (1, 5));
    let told: Vec<_> = line.events.iter().filter(|(_, event)| !matches!(event, Event::Audio(_))).collect();
    assert!(told.is_empty(), "{told:?}");
}

// RFC 7362 §4.
#[test]
fn packets_go_back_to_where_theirs_come_from_once_that_is_proved() {
    let mut line = Line::new();
    line.order(Order::Configure(behind_nat()));
    for n in 0..4u16 {
        line.run_until(5 + u64::from(n) * 20);
        line.receive_from(PEER, &packet(0, n, u32::from(n) * 160, &[0x80 + n as u8; 160]));
    }
    line.run_until(200);
    assert_eq!(line.ladder(), "?.@0 ?.@20 ?.@40 ?.@60 .@80 .@100 .@120 .@140 .@160 .@180 .@200");
    let heard: Vec<_> = line.audio().iter().map(|frame| frame.samples[100]).collect();
    assert_eq!(heard[..7], [0, 0, 0, 32124, 31100, 30076, 29052], "from the first on");
    let statistics = line.session.statistics();
    assert_eq!((statistics.packets_received, statistics.packets_ignored), (4, 0));
    assert_eq!(statistics.jitter.as_millis(), 0, "each at the time at which it came");
}

// RFC 7362 §5.
#[test]
fn who_only_tries_the_port_is_neither_recorded_nor_gives_digits() {
    for remote in [PEER, PRIVATE] {
        let mut line = Line::with(Config { ear: ear::Config::DEAF, audio: true, record: true });
        line.order(Order::Configure(StreamConfig { remote: remote.parse().unwrap(), ..stream() }));
        line.receive_from(STRANGER, &packet(0, 1, 160, &[0x90; 160]));
        line.receive_from(STRANGER, &event(2, 320, 5, 160, true));
        line.run_until(30);
        line.receive_from(STRANGER, &packet(0, 3, 480, &[0x90; 160]));
        for n in 0..10u16 {
            line.run_until(35 + u64::from(n) * 20);
            line.receive_from(PEER, &packet(0, 900 + n, u32::from(n) * 160, &[0xA0 + n as u8; 160]));
        }
        line.run_until(500);
        assert_eq!(line.digits(), "", "described at {remote}");
        let mut level = [0];
        Codec::Pcmu.decode(&[0x90], &mut level);
        assert!(line.recorded.iter().all(|(_, recorded)| recorded.they.samples[80] != level[0]), "{remote}");
        let statistics = line.session.statistics();
        // Behind a NAT the first three of the peer come while the stranger has not given way yet.
        let first = line.audio().iter().map(|frame| frame.samples[80]).find(|sample| *sample != 0);
        Codec::Pcmu.decode(&[if remote == PEER { 0xA0 } else { 0xA3 }], &mut level);
        assert_eq!(first, Some(level[0]), "{remote}: {statistics:?}");
        assert_eq!(statistics.packets_received + statistics.packets_ignored, 13, "{remote}: {statistics:?}");
    }
}

#[test]
fn on_hold_there_is_neither_sound_nor_a_key() {
    let held = StreamConfig { sending: false, receiving: false, ..stream() };
    let nowhere = StreamConfig { remote: "0.0.0.0:4000".parse().unwrap(), ..held.clone() };
    let one_way = StreamConfig { receiving: false, ..stream() };
    for hold in [held, nowhere, one_way] {
        let mut line = Line::with(Config { ear: ear::Config::DEAF, audio: true, record: true });
        line.order(Order::Configure(stream()));
        line.receive_from(PEER, &packet(0, 1, 160, &[0xFF; 160]));
        line.receive_from(PEER, &packet(13, 2, 320, &[30]));
        line.run_until(200);
        line.order(Order::Configure(hold.clone()));
        for (n, from) in (3..).zip([PEER, STRANGER].into_iter().cycle().take(40)) {
            line.run_until(200 + u64::from(n) * 20);
            line.receive_from(from, &packet(0, n, u32::from(n) * 160, &[0x90; 160]));
            line.receive_from(from, &event(n, u32::from(n) * 160, 5, 160, true));
            line.receive_from(from, &packet(13, n + 1000, u32::from(n) * 160, &[20]));
        }
        line.run_until(1200);
        assert_eq!(line.digits(), "", "{hold:?}");
        // What was before fades out.
        let sounds = |(at, recorded): &&(u64, Recorded)| *at > 400 && recorded.they.samples != [0; FRAME_SAMPLES];
        assert_eq!(line.recorded.iter().find(sounds), None, "{hold:?}");
        assert_eq!(line.audio().last().unwrap().samples, [0; FRAME_SAMPLES]);
    }
}

#[test]
fn a_pause_that_is_announced_behind_a_nat_leads_to_them_with_its_second_packet() {
    let mut line = Line::new();
    line.order(Order::Configure(behind_nat()));
    for n in 0..2u16 {
        line.run_until(5 + u64::from(n) * 200);
        line.receive_from(PEER, &packet(13, n, u32::from(n) * 1600, &[40]));
    }
    line.run_until(240);
    assert_eq!(line.sent.iter().position(|sent| sent.to == PEER.parse().unwrap()), Some(11), "at 220 ms");
}

#[test]
fn random_datagrams_do_no_harm() {
    use rand_chacha::rand_core::Rng;
    let mut line = Line::configured();
    let mut rng = ChaCha12Rng::from_seed([3; 32]);
    let real = packet(0, 1, 160, &[0x55; 160]);
    for n in 0..50_000u64 {
        let mut datagram = real.clone();
        if n % 3 == 0 {
            datagram.truncate(rng.next_u32() as usize % 200);
        }
        for _ in 0..rng.next_u32() % 8 {
            let bit = rng.next_u32() as usize % (8 * datagram.len().max(1));
            if let Some(byte) = datagram.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        if n % 4 == 0 {
            datagram.resize(rng.next_u32() as usize % 2000, 0);
            rng.fill_bytes(&mut datagram);
        }
        let from = if n % 5 == 0 { "192.0.2.7:1" } else { PEER };
        line.session.receive(line.now, from.parse().unwrap(), &datagram);
        if n % 50 == 0 {
            line.run_until(n / 50 * 20);
            line.events.clear();
            line.sent.clear();
        }
    }
    let statistics = line.session.statistics();
    assert!(statistics.packets_received + statistics.packets_ignored <= 50_000);
    assert!(line.session.events.len() <= EVENT_LIMIT);
}

#[test]
fn another_source_and_another_codec_go_on_at_once() {
    let mut line = Line::configured();
    let loud =
        crate::testing::Signal::default().tones(400.0, &[(600.0, -10.0)], &mut crate::testing::Dice::new(1)).frames();
    say(&mut line, &loud, 0.0, 0.0, 0);
    let before = line.audio().len();
    let at = (line.now - line.start).as_millis() as u64;
    for (n, frame) in (0u16..).zip(&loud) {
        line.run_until(at + u64::from(n) * 20);
        let mut payload = [0; FRAME_SAMPLES];
        Codec::Pcma.encode(&frame.samples, &mut payload);
        let mut datagram = packet(8, 7000 + n, 77 + u32::from(n) * 160, &payload);
        datagram[11] = 99;
        line.receive_from(PEER, &datagram);
    }
    line.run_until(at + 600);
    let sounding = line.audio()[before..].iter().filter(|frame| frame.samples.iter().any(|s| s.abs() > 5000)).count();
    // And four frames of concealment when it stops.
    assert_eq!(sounding, 24);
    let statistics = line.session.statistics();
    assert_eq!((statistics.packets_lost, statistics.codec), (0, Some(Codec::Pcma)));
}

#[test]
fn a_call_in_which_only_unknown_sound_arrives_is_one_way_until_it_is_known() {
    use crate::one_way::{Cause, Verdict};
    let mut line = Line::configured();
    line.order(Order::Answered { signals: Some("192.0.2.1".parse().unwrap()) });
    let mut verdicts = Vec::new();
    for n in 0..100u16 {
        line.run_until(u64::from(n) * 20);
        let payload_type = if n < 90 { 97 } else { 0 };
        line.receive_from(PEER, &packet(payload_type, n, u32::from(n) * 160, &[0x55; 160]));
        verdicts.extend(line.session.poll_one_way().map(|verdict| (n * 20, verdict)));
        let cause = (75..90).contains(&n).then_some(Cause::PayloadType(97));
        assert_eq!(line.session.statistics().one_way, cause, "{n}");
    }
    assert_eq!(verdicts, [(1500, Verdict::Begun(Cause::PayloadType(97))), (1800, Verdict::Ended)]);
}

#[test]
fn a_quiet_line_is_raised_for_who_listens_and_stays_as_it_is_for_the_recorder() {
    let heard = |raise| {
        let mut line = Line::with(Config {
            ear: ear::Config { dtmf: true, progress: true, voice: true },
            audio: true,
            record: true,
        });
        line.order(Order::Configure(stream()));
        line.order(Order::RaiseQuiet(raise));
        let quiet = crate::testing::Signal::default().speech(12_000.0, -38.0, &mut crate::testing::Dice::new(5));
        say(&mut line, &quiet.frames(), 0.0, 0.0, 0);
        let recorded: Vec<_> = line.recorded.iter().map(|(_, recorded)| recorded.they).collect();
        let power = |frames: &[AudioFrame]| {
            frames.iter().flat_map(|frame| frame.samples).map(|sample| f64::from(sample).powi(2)).sum::<f64>()
        };
        (power(&line.audio()[400..600]), power(&recorded[400..600]), line.session.statistics().level_dbm0)
    };
    let (raised, as_it_was) = (heard(true), heard(false));
    assert_eq!(as_it_was.0, as_it_was.1);
    assert_eq!((raised.1, raised.2), (as_it_was.1, as_it_was.2));
    let db = 10.0 * (raised.0 / raised.1).log10();
    assert!((8.0..15.1).contains(&db), "{db} dB");
}

#[test]
fn both_sides_are_recorded_side_by_side() {
    let config = Config { ear: ear::Config { dtmf: false, progress: false, voice: false }, audio: true, record: true };
    let mut line = Line::with(config);
    line.order(Order::Configure(stream()));
    line.run_until(45);
    line.play(1, 1000, false);
    line.play(1, 1000, true);
    line.run_until(200);
    let we: Vec<_> =
        line.recorded.iter().map(|(_, recorded)| (recorded.they.at.as_millis(), recorded.we.samples[0])).collect();
    // 1000 as µ-law has it.
    assert_eq!(we[..6], [(0, 0), (20, 0), (40, 0), (60, 988), (80, 988), (100, 0)]);
}

#[test]
fn what_we_say_is_recorded_at_its_time_however_late_a_wake_is() {
    for late in 1..=10 {
        for with_an_order in [false, true] {
            check_recorded_in_step(late, with_an_order);
        }
    }
}

/// Wakes that are late by so many slots, one of them with an order: each frame of ours is recorded where its timestamp is.
fn check_recorded_in_step(late: u64, with_an_order: bool) {
    let mut line = Line::with(Config { ear: ear::Config::DEAF, audio: false, record: true });
    line.order(Order::Configure(stream()));
    // Each frame tells which it is.
    let level = |n: i16| 1000 + 500 * n;
    for n in 0..40 {
        line.play(1, level(n), n == 39);
    }
    for stall in [205, 515] {
        line.run_until(stall);
        line.now += ms(late * 20);
        if with_an_order {
            line.order(Order::SendPause(ms(0)));
        }
        line.session.handle_timeout(line.now);
        line.drain();
    }
    line.run_until(1600);
    let mut expected = vec![0; line.recorded.len()];
    for sent in line.sent.iter().filter(|sent| sent.payload[0] != 0xFF) {
        let slot = sent.timestamp.wrapping_sub(line.sent[0].timestamp) as usize / FRAME_SAMPLES;
        Codec::Pcmu.decode(&sent.payload[..1], &mut expected[slot..=slot]);
    }
    let we: Vec<_> = line.recorded.iter().map(|(_, recorded)| recorded.we.samples[0]).collect();
    assert_eq!(we, expected, "late by {late}, order {with_an_order}");
    // The first slot was silent. A wake 20 ms later is on time for the slot before the one that it is late for.
    let lost = expected[1..41].iter().filter(|level| **level == 0).count() as u64;
    let skipped = if late > 3 { 2 * (late - 1) } else { 0 };
    assert_eq!(lost, skipped, "late by {late}, order {with_an_order}");
}

/// A packet under another SSRC.
fn of_another(mut datagram: Vec<u8>, ssrc: u8) -> Vec<u8> {
    datagram[11] = ssrc;
    datagram
}

// RFC 3550 §A.1, RFC 4733 §2.6.
#[test]
fn two_sources_by_turns_break_no_sound_and_keys_of_another_one_are_read() {
    let mut line = Line::with(Config { ear: ear::Config::DEAF, audio: true, record: true });
    line.order(Order::Configure(stream()));
    for n in 0..50u16 {
        line.run_until(u64::from(n) * 20);
        line.receive_from(PEER, &packet(0, n, u32::from(n) * 160, &[0x90; 160]));
        line.receive_from(PEER, &of_another(packet(0, 500 + n, 77 + u32::from(n) * 160, &[0xA0; 160]), 9));
        if n < 25 {
            line.receive_from(PEER, &of_another(event(900 + n, 5000, 5, 160 * (n + 1), n > 20), 7));
        }
    }
    line.run_until(1000);
    assert_eq!(line.digits(), "5");
    let mut level = [0];
    Codec::Pcmu.decode(&[0xA0], &mut level);
    let whole = line.audio().iter().filter(|frame| frame.samples == [level[0]; FRAME_SAMPLES]).count();
    assert_eq!(whole, 50);
    let statistics = line.session.statistics();
    assert_eq!((statistics.packets_received, statistics.packets_ignored), (51, 49), "{statistics:?}");
    assert_eq!((statistics.packets_lost, statistics.packets_late, statistics.concealed_frames), (0, 0, 0));
}

#[test]
fn a_source_that_follows_another_at_once_is_heard_from_its_first_packet_on() {
    let mut line = Line::with(Config { ear: ear::Config::DEAF, audio: true, record: false });
    line.order(Order::Configure(stream()));
    for n in 0..20u16 {
        line.run_until(u64::from(n) * 20 + 3);
        let sound = packet(0, n, u32::from(n) * 160, &[0x90 + n as u8; 160]);
        line.receive_from(PEER, &if n < 10 { sound } else { of_another(sound, 9) });
    }
    line.run_until(500);
    let audio = line.audio();
    for n in 0..20u8 {
        let mut level = [0];
        Codec::Pcmu.decode(&[0x90 + n], &mut level);
        assert!(audio.iter().any(|frame| frame.samples[100] == level[0]), "{n}");
    }
    let statistics = line.session.statistics();
    assert_eq!((statistics.packets_received, statistics.packets_ignored), (20, 0));
}

#[test]
fn strangers_raise_no_alarm_while_the_peer_is_silent_and_a_peer_that_moved_does() {
    use crate::one_way::{Cause, Verdict};
    let rubbish = of_another(packet(97, 1, 160, &[0x55; 160]), 9);
    let sound = of_another(packet(0, 1, 160, &[0x55; 160]), 9);
    let moved = packet(0, 1000, 160_000, &[0x55; 160]);
    let source = Verdict::Begun(Cause::Source(STRANGER.parse().unwrap()));
    for (datagram, expected) in [(rubbish, None), (sound, None), (b"hello".to_vec(), None), (moved, Some(source))] {
        let mut line = Line::configured();
        line.order(Order::Answered { signals: None });
        line.receive_from(PEER, &packet(0, 1, 160, &[0x55; 160]));
        line.receive_from(PEER, &packet(13, 2, 320, &[40]));
        for n in 0..200u64 {
            line.run_until(n * 20);
            line.receive_from(STRANGER, &datagram);
        }
        assert_eq!(line.session.poll_one_way(), expected, "{datagram:?}");
    }
}
