//! Which connection is taken, and which gives way.

use std::net::Ipv4Addr;

use super::*;

#[test]
fn where_one_address_has_its_share_the_oldest_that_is_not_in_use_gives_way() {
    let mut streams = streams();
    let tokens: Vec<_> = (0..MAX_FROM_ONE_SOURCE).map(|n| open(&mut streams, source(1), n, n % 2 == 0)).collect();
    assert_eq!(streams.make_room(source(2)), Ok(()));
    assert_eq!(given_up(&tokens), [], "another address has its own share");
    assert_eq!(streams.make_room(source(1)), Ok(()));
    assert_eq!(given_up(&tokens), [1], "0 is in use");
    for n in (3..MAX_FROM_ONE_SOURCE).step_by(2) {
        open(&mut streams, source(1), 100 + n, true);
        assert_eq!(streams.make_room(source(1)), Ok(()));
    }
    open(&mut streams, source(1), 200, true);
    assert_eq!(streams.make_room(source(1)), Err(Declined::TooManyFromThere), "all of them are in use");
    assert!(given_up(&tokens).iter().all(|n| n % 2 == 1), "none that is in use was given up");
}

#[test]
fn others_cannot_take_the_room_of_our_own_connections() {
    let mut streams = streams();
    let tokens: Vec<_> = (0..MAX_INBOUND).map(|n| open(&mut streams, source(n), 0, n != 7)).collect();
    assert!(streams.open.len() < MAX_CONNECTIONS);
    assert_eq!(streams.make_room(source(5000)), Ok(()));
    assert_eq!(given_up(&tokens), [7]);
    open(&mut streams, source(5000), 0, true);
    assert_eq!(streams.make_room(source(5001)), Err(Declined::TooMany));
}

// RFC 5922 §7: the certificate is that of the domain that was asked for. Only where we connect do we see one.
#[test]
fn what_is_for_a_domain_goes_only_where_its_certificate_was_seen() {
    let peer = Peer { transport: Transport::Tls, address: SocketAddr::new(source(1), 5061) };
    let ours = |domain: &str| Opened::ByUs { domain: Some(domain.to_owned()) };
    let (theirs, a, b) = (Opened::ByPeer, ours("a.test"), ours("b.test"));
    let check = |open: &[&Opened], domain: Option<&str>, answers, expected: Option<&Opened>| {
        let mut streams = streams();
        for (opened, number) in open.iter().zip(1..) {
            streams.open.insert((peer, (*opened).clone()), connection(number).0);
        }
        let number = streams.serving(peer, domain, answers).map(|connection| connection.number);
        let serving = number.and_then(|number| streams.remove(peer, number));
        assert_eq!(serving.as_ref(), expected, "{open:?} {domain:?} {answers}");
    };
    check(&[], None, false, None);
    check(&[&theirs], None, false, Some(&theirs));
    check(&[&theirs], Some("a.test"), false, None);
    // RFC 3261 §18.2.2: an answer goes by the connection of its request.
    check(&[&theirs], Some("a.test"), true, Some(&theirs));
    let all = [&theirs, &b, &a];
    check(&all, Some("a.test"), true, Some(&a));
    check(&all, Some("b.test"), false, Some(&b));
    check(&all, Some("c.test"), false, None);
    check(&all, None, false, Some(&a));
}

#[tokio::test]
async fn what_connects_to_us_takes_the_place_of_no_connection_of_ours() {
    let mut streams = streams();
    let flow = flow(5061);
    let (ours, mut sent) = connection(1);
    streams.open.insert((flow.peer(), Opened::ByUs { domain: None }), ours);
    let (theirs, _their_queue) = connection(2);
    streams.open.insert((flow.peer(), Opened::ByPeer), theirs);
    streams.send(flow, None, b"OPTIONS sip:a SIP/2.0".to_vec());
    assert!(sent.try_recv().is_ok(), "ours is still the one to send by");
    assert!(!streams.closed(flow, 2), "ours goes on");
    assert!(streams.closed(flow, 1) && !streams.closed(flow, 1));
    assert!(streams.open.is_empty());
}

#[tokio::test]
async fn what_waits_over_a_connection_that_ended_or_is_full_is_told_and_only_what_nobody_repeats_goes_by_another() {
    for (message, goes_by_another) in
        [("INVITE sip:a", false), ("BYE sip:a", false), ("SIP/2.0 200 OK", true), ("ACK sip:a", true)]
    {
        let mut streams = streams();
        let (ended, queue) = connection(7);
        drop(queue);
        streams.open.insert((flow(9).peer(), Opened::ByUs { domain: None }), ended);
        streams.send(flow(9), None, message.as_bytes().to_vec());
        assert_eq!(streams.poll_lost(), Some((flow(9), None)), "{message}");
        assert_eq!((streams.poll_lost(), streams.open.len()), (None, usize::from(goes_by_another)), "{message}");
        assert!(!streams.closed(flow(9), 7), "it is told already");
    }
    let mut streams = streams();
    let (full, _queue) = connection(1);
    streams.open.insert((flow(9).peer(), Opened::ByPeer), full);
    streams.send(flow(9), None, b"OPTIONS sip:a SIP/2.0".to_vec());
    streams.bury(flow(9));
    assert_eq!(streams.poll_lost(), None);
    streams.send(flow(9), None, b"OPTIONS sip:a SIP/2.0".to_vec());
    assert_eq!(streams.poll_lost(), Some((flow(9), None)));
    assert!(streams.open.is_empty());
}

#[test]
fn a_connection_that_has_ended_is_buried_before_a_call_is_to_go_by_it() {
    let mut streams = streams();
    let (ended, queue) = connection(1);
    drop(queue);
    streams.open.insert((flow(9).peer(), Opened::ByUs { domain: None }), ended);
    streams.bury(flow(9));
    assert_eq!((streams.poll_lost(), streams.open.len()), (Some((flow(9), None)), 0));
}

fn flow(port: u16) -> Flow {
    let local = SocketAddr::new(source(0), 5060);
    Flow { transport: Transport::Tcp, local, remote: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port) }
}

/// One with room for one message, and what is written to it.
fn connection(number: u64) -> (Connection, mpsc::Receiver<Vec<u8>>) {
    let (queue, sent) = mpsc::channel(1);
    (Connection { number, queue, in_use: false, stop: CancellationToken::new() }, sent)
}

fn streams() -> Streams {
    let tls = Tls::load(&TlsFiles::default()).expect("no files are needed");
    Streams::new(tls, mpsc::channel(1).0)
}

fn source(number: usize) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(number).expect("a small number")).into()
}

/// One more connection from there, which may be in use.
fn open(streams: &mut Streams, source: IpAddr, port: usize, in_use: bool) -> CancellationToken {
    let address = SocketAddr::new(source, u16::try_from(port).expect("a port"));
    let (number, stop) = (streams.take_number(), CancellationToken::new());
    let connection = Connection { number, queue: mpsc::channel(1).0, in_use, stop: stop.clone() };
    streams.open.insert((Peer { transport: Transport::Tcp, address }, Opened::ByPeer), connection);
    stop
}

fn given_up(tokens: &[CancellationToken]) -> Vec<usize> {
    tokens.iter().enumerate().filter(|(_, token)| token.is_cancelled()).map(|(n, _)| n).collect()
}
