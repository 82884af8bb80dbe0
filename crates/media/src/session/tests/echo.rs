//! The echo route.

use super::*;

/// A session that nobody listens to, which sends back what comes.
fn echoing() -> Line {
    echoing_to(stream())
}

fn echoing_to(stream: StreamConfig) -> Line {
    let mut line = Line::with(Config { ear: ear::Config::DEAF, audio: false, record: false });
    line.order(Order::Configure(stream));
    line.order(Order::Echo(true));
    line
}

#[test]
fn the_echo_route_sends_back_each_packet_as_it_comes() {
    let mut line = echoing();
    line.run_until(300);
    line.receive_from(PEER, &event(7, 100, 5, 160, true));
    line.run_until(307);
    line.receive_from(PEER, &packet(0, 8, 1000, &[1; 160]));
    line.receive_from(PEER, &packet(0, 8, 1000, &[1; 160]));
    line.receive_from(STRANGER, &packet(0, 9, 1160, &[1; 160]));
    line.run_until(900);
    line.receive_from(PEER, &packet(13, 10, 9000, &[40]));
    assert_eq!(line.ladder(), ".@0 5/160E@300 s@307 n@900");
    let since = |sent: &Sent| sent.timestamp.wrapping_sub(line.sent[0].timestamp);
    assert_eq!(line.sent.iter().map(since).collect::<Vec<_>>(), [0, 2400, 3300, 11_300], "its own distances");
    assert_eq!(line.sent.windows(2).map(|w| w[1].sequence.wrapping_sub(w[0].sequence)).collect::<Vec<_>>(), [1; 3]);
    assert_eq!((line.sent[2].payload.as_slice(), line.sent[3].payload_type), (&[1; 160][..], 13));
}

// RFC 7362 §5.
#[test]
fn the_echo_route_sends_nothing_back_to_who_only_tries_the_port() {
    let mut line = echoing();
    for n in 0..3u16 {
        line.receive_from(STRANGER, &packet(0, n, u32::from(n) * 160, &[1; 160]));
        line.run_until(20 * (u64::from(n) + 1));
    }
    line.receive_from(PEER, &packet(0, 900, 9000, &[2; 160]));
    line.receive_from(STRANGER, &packet(0, 3, 480, &[1; 160]));
    assert_eq!(line.ladder(), ".@0 s@60");
    assert_eq!(line.sent[1].payload, [2; 160]);
    let statistics = line.session.statistics();
    assert_eq!((statistics.packets_received, statistics.packets_ignored), (1, 4));
}

#[test]
fn behind_a_nat_the_echo_begins_when_the_source_is_proved() {
    let mut line = echoing_to(behind_nat());
    for n in 0..6u16 {
        line.run_until(5 + u64::from(n) * 20);
        line.receive_from(PEER, &packet(0, n, u32::from(n) * 160, &[1; 160]));
    }
    assert_eq!(line.ladder(), "?.@0 s@65 s@85 s@105");
}

#[test]
fn the_echo_route_says_nothing_of_its_own_but_keeps_the_path_open() {
    let mut line = echoing();
    line.run_until(1500);
    line.receive_from(PEER, &packet(0, 8, 1000, &[1; 160]));
    line.run_until(4000);
    assert_eq!(line.ladder(), ".@0 .@1000 s@1500 .@2500 .@3500");
    let since = |sent: &Sent| sent.timestamp.wrapping_sub(line.sent[0].timestamp) / 8;
    assert_eq!(line.sent.iter().map(since).collect::<Vec<_>>(), [0, 1000, 1500, 2500, 3500]);
}

#[test]
fn the_echo_route_knows_long_packets_another_codec_another_source_and_hold() {
    let mut line = echoing();
    line.receive_from(PEER, &packet(0, 1, 0, &[1; 800]));
    let long: Vec<_> = line.sent[1..].iter().map(|sent| (sent.payload.len(), sent.timestamp)).collect();
    assert_eq!(long, [(480, line.sent[1].timestamp), (320, line.sent[1].timestamp.wrapping_add(480))]);
    line.receive_from(PEER, &packet(8, 2, 800, &[0x2A; 80]));
    assert_eq!(line.sent[3].payload_type, 0);
    let (mut theirs, mut ours) = ([0; 1], [0; 1]);
    Codec::Pcma.decode(&[0x2A], &mut theirs);
    Codec::Pcmu.encode(&theirs, &mut ours);
    assert_eq!(line.sent[3].payload, [ours[0]; 80]);
    line.run_until(300);
    let mut other = packet(0, 900, 123_456, &[1; 160]);
    other[11] = 99;
    line.receive_from(PEER, &other);
    assert_eq!(
        line.sent[4].timestamp.wrapping_sub(line.sent[1].timestamp),
        2400,
        "300 ms later, whatever its clock says"
    );
    line.order(Order::Configure(StreamConfig { sending: false, ..stream() }));
    line.run_until(600);
    line.receive_from(PEER, &packet(0, 3, 880, &[1; 160]));
    line.run_until(5000);
    assert_eq!(line.sent.len(), 5);
    assert_eq!(line.session.statistics().packets_received, 4);
}
