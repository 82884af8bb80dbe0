//! Requests within a call that are too long for a datagram (RFC 3261 §18.1.1).

mod wire;

use sip::sdp::{Direction, SessionDescription};
use sip::{Event, Flow, Hop, Input, Invite, SessionId, Transport};
use wire::{CONTACT, SDP, Wire, called_in, description, field, flow, invite_to, response};

const STREAM: &str = "sip:192.0.2.2:5060;transport=tcp";

fn stream() -> Flow {
    Flow { transport: Transport::Tcp, ..flow() }
}

/// A description that makes a request longer than 1300 bytes.
fn long() -> SessionDescription {
    let mut long = description(4000, Direction::SendOnly);
    long.media[0].fmtps.push(("0".to_owned(), "x".repeat(1300)));
    long
}

/// An answered call of ours by a hop with such a stream; its INVITE was a datagram.
fn called(wire: &mut Wire, stream: Option<Flow>) -> SessionId {
    let session = wire.agent.invite(wire.now, Invite { hops: vec![Hop { flow: flow(), stream }], ..invite_to(flow()) });
    let (path, invite) = wire.sent_by_path().remove(0);
    assert_eq!(path, flow());
    wire.receive(&response(&invite, "200 OK", "b", CONTACT, SDP));
    wire.events();
    session
}

#[test]
fn a_long_reinvite_takes_the_stream_of_the_hop_and_a_short_one_does_not() {
    let mut wire = Wire::new();
    let session = called(&mut wire, Some(stream()));
    wire.agent.offer(wire.now, session, long()).unwrap();
    let (path, reinvite) = wire.sent_by_path().remove(0);
    assert_eq!(path, stream());
    assert!(field(&reinvite, "Via").unwrap().starts_with("SIP/2.0/TCP 192.0.2.1:5060;"));
    let (path, ack) = {
        let answer = response(&reinvite, "200 OK", "", CONTACT, SDP).replace("\r\n", "\n").replace('\n', "\r\n");
        wire.agent.handle_input(wire.now, Input::Received { flow: stream(), payload: answer.as_bytes() });
        wire.sent_by_path().remove(0)
    };
    assert_eq!((path, ack.starts_with("ACK ")), (flow(), true), "as short as any");
    wire.events();
    wire.agent.offer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    assert_eq!(wire.sent_by_path()[0].0, flow());
}

#[test]
fn when_the_stream_fails_datagrams_will_do() {
    for lost in [Input::Closed { flow: stream(), why: None }, Input::Unreachable { flow: stream() }] {
        let mut wire = Wire::new();
        let session = called(&mut wire, Some(stream()));
        wire.agent.offer(wire.now, session, long()).unwrap();
        wire.sent();
        wire.agent.handle_input(wire.now, lost);
        let (path, again) = wire.sent_by_path().remove(0);
        assert_eq!((path, field(&again, "CSeq")), (flow(), Some("3 INVITE")));
        wire.receive(&response(&again, "200 OK", "", CONTACT, SDP));
        wire.events();
        wire.agent.offer(wire.now, session, long()).unwrap();
        assert_eq!(wire.sent_by_path()[0].0, flow(), "it is not tried again");
    }
}

#[test]
fn without_a_stream_datagrams_will_do() {
    let mut wire = Wire::new();
    let session = called(&mut wire, None);
    wire.agent.offer(wire.now, session, long()).unwrap();
    assert_eq!(wire.sent_by_path()[0].0, flow());
}

#[test]
fn in_a_call_of_theirs_the_shell_is_asked_for_a_stream_once() {
    for (found, expected) in [(Some(stream()), stream()), (None, flow())] {
        let mut wire = Wire::new();
        let (session, ..) = called_in(&mut wire, "");
        wire.agent.offer(wire.now, session, long()).unwrap();
        assert!(wire.sent().is_empty());
        let events = wire.events();
        assert!(matches!(&events[..], [Event::Locate { uri, .. }] if uri == STREAM), "{events:?}");
        wire.agent.located(wire.now, session, STREAM, found);
        let (path, reinvite) = wire.sent_by_path().remove(0);
        assert_eq!(path, expected);
        wire.receive(&response(&reinvite, "200 OK", "", CONTACT, SDP));
        wire.events();
        wire.agent.offer(wire.now, session, long()).unwrap();
        assert_eq!(wire.sent_by_path()[0].0, expected);
        assert!(wire.events().is_empty());
    }
}

#[test]
fn a_shell_that_does_not_say_is_not_waited_for() {
    let mut wire = Wire::new();
    let (session, ..) = called_in(&mut wire, "");
    wire.agent.offer(wire.now, session, long()).unwrap();
    let sent = wire.wait_by_path(std::time::Duration::from_secs(5));
    assert_eq!((sent.len(), sent[0].0), (1, flow()));
}
