use std::net::{IpAddr, Ipv4Addr};

use media::{StreamConfig, ear};

use super::*;
use crate::SimNetwork;
use crate::network::Network;
use crate::packets::Packets;
use crate::ports::Ports;

#[test]
fn packets_are_counted_every_second_and_to_the_end_of_the_call() {
    let all = Arc::<Packets>::default();
    let start = Instant::now();
    let (ends, stream) = stream(start, Share::new(all.clone()));
    let mut worker = MediaWorker::new(Arc::default());
    worker.add(start, 0, stream);
    let mut now = start;
    while now < start + Duration::from_millis(1500) {
        now = worker.turn(now).expect("a slot every 20 ms");
    }
    assert_eq!(all.totals().sent, 51, "those of the first second");
    drop(ends);
    worker.ordered(now, 0);
    assert_eq!((all.totals().sent, worker.take_removed().count()), (76, 1));
}

#[test]
fn a_full_thread_has_room_again_when_its_last_call_has_left() {
    let load = Arc::<Load>::default();
    let mut worker = MediaWorker::new(load.clone());
    let mut now = Instant::now();
    let (ends, stream) = stream(now, Share::new(Arc::default()));
    worker.add(now, 0, stream);
    while !load.is_full() {
        worker.worked(now, now + Duration::from_millis(10));
        now += Duration::from_millis(10);
    }
    drop(ends);
    worker.ordered(now, 0);
    // From here on the thread waits without a deadline.
    worker.worked(now, now + Duration::from_millis(1));
    assert!(!load.is_full());
    assert_eq!(load.now().busy, 0);
}

#[test]
fn a_fault_in_one_call_ends_that_call_and_no_other_of_its_thread() {
    let all = Arc::<Packets>::default();
    let start = Instant::now();
    let (mut lost, faulty) = stream(start, Share::new(all.clone()));
    // A moment that far off is none.
    let overflow = Impairment { latency: Duration::MAX, ..Impairment::default() };
    let faulty = Stream { impaired: Some(Box::new(Impaired::new(overflow, [1; 32]))), ..faulty };
    let (_kept, sound) = stream(start, Share::new(all.clone()));
    let mut worker = MediaWorker::new(Arc::default());
    worker.add(start, 0, faulty);
    worker.add(start, 1, sound);
    assert_eq!(worker.take_removed().count(), 1);
    while lost.events.pop().is_some() {}
    assert!(lost.events.is_closed(), "its call learns of it");
    let mut now = start;
    while now < start + Duration::from_millis(1100) {
        now = worker.turn(now).expect("a slot every 20 ms");
    }
    assert_eq!(all.totals().sent, 51, "the other talks on");
}

#[test]
fn a_recorder_that_is_too_slow_loses_frames_and_delays_no_audio() {
    let all = Arc::<Packets>::default();
    let start = Instant::now();
    let (ends, stream) = stream(start, Share::new(all.clone()));
    let recorded = media::Config { ear: ear::Config::DEAF, audio: false, record: true };
    let (sender, mut disk) = ring::channel(2);
    let stream = Stream { session: MediaSession::new(start, recorded, [1; 32]), recording: Some(sender), ..stream };
    let dropped = stream.dropped.clone();
    let mut worker = MediaWorker::new(Arc::default());
    worker.add(start, 0, stream);
    let mut now = start;
    while now < start + Duration::from_millis(1500) {
        now = worker.turn(now).expect("a slot every 20 ms");
    }
    assert_eq!(all.totals().sent, 51, "those of the first second");
    let kept = std::iter::from_fn(|| disk.pop()).count() as u64;
    assert_eq!((kept, dropped.of_call().unrecorded), (2, 72));
    drop(ends);
}

#[test]
fn a_verdict_that_finds_no_room_is_told_when_there_is_some() {
    let start = Instant::now();
    let (mut ends, mut stream) = stream(start, Share::new(Arc::default()));
    ends.control.push(Order::Answered { signals: None }).expect("there is room");
    while stream.events.push(MediaEvent::Statistics(Statistics::default())).is_ok() {}
    let mut worker = MediaWorker::new(Arc::default());
    worker.add(start, 0, stream);
    let mut now = start;
    while now < start + Duration::from_secs(2) {
        now = worker.turn(now).expect("a slot every 20 ms");
    }
    let told = |ends: &mut Ends| {
        let events = std::iter::from_fn(|| ends.events.pop());
        events.filter(|event| matches!(event, MediaEvent::OneWay(Some(one_way::Cause::NothingArrives)))).count()
    };
    assert_eq!(told(&mut ends), 0, "there was no room");
    worker.turn(now).expect("a slot every 20 ms");
    assert_eq!(told(&mut ends), 1);
}

/// The call's ends of a stream.
pub(crate) struct Ends {
    control: ring::Sender<Order>,
    events: ring::Receiver<MediaEvent>,
}

/// A stream that sends from the start, and that nobody listens to.
pub(crate) fn stream(now: Instant, packets: Share) -> (Ends, Stream) {
    let network = Network::Simulated(SimNetwork::new(Impairment::default(), [1; 32]));
    let ports = Ports::new((4000, 4001), 0);
    let (socket, lease) = ports.bind(&network, IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("a free port");
    let session = media::Config { ear: ear::Config::DEAF, audio: false, record: false };
    let (mut orders, control) = ring::channel(4);
    let (events, heard) = ring::channel(4);
    orders.push(Order::Configure(StreamConfig::pcmu(([127, 0, 0, 1], 5000).into()))).expect("there is room");
    let stream = Stream {
        socket,
        _lease: lease,
        session: MediaSession::new(now, session, [1; 32]),
        control,
        queue: ring::channel(1).1,
        events,
        recording: None,
        reserved_events: 1,
        idle: Arc::default(),
        told: Arc::default(),
        packets,
        dropped: DropCounter::new(Arc::default()),
        one_way: None,
        impaired: None,
    };
    (Ends { control: orders, events: heard }, stream)
}
