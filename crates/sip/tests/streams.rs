//! Calls over connections, and connections that die (RFC 3261 §18, §8.1.3.1).

mod link;
mod wire;

use std::time::Duration;

use link::{Link, Side, Weather, offer_of};
use sip::sdp::Direction;
use sip::{Event, Flow, Input, SessionEnd, Transport};
use wire::{CONTACT, SDP, Wire, called_in, called_out, calling, description, field, firsts, request, response};

/// What the peer at the far end of the connection sends.
fn over_tcp(message: &str) -> String {
    message.replace("SIP/2.0/UDP", "SIP/2.0/TCP").replace(";rport", "")
}

fn close(wire: &mut Wire) -> Vec<(Flow, String)> {
    let flow = wire.flow;
    wire.agent.handle_input(wire.now, Input::Closed { flow, why: None });
    wire.sent_by_path()
}

/// A wire whose peer connected from an ephemeral port.
fn connected() -> Wire {
    let mut wire = Wire::over(Transport::Tcp);
    wire.flow.remote.set_port(41_000);
    wire
}

fn port(sent: &[(Flow, String)]) -> u16 {
    sent[0].0.remote.port()
}

#[test]
fn an_invite_over_a_stream_says_so_and_is_sent_once() {
    for (transport, token, parameter) in [(Transport::Tcp, "TCP", "tcp"), (Transport::Tls, "TLS", "tls")] {
        let mut wire = Wire::over(transport);
        let (_, invite) = calling(&mut wire);
        assert!(field(&invite, "Via").unwrap().starts_with(&format!("SIP/2.0/{token} 192.0.2.1:5060;branch=")));
        let contact = format!("<sip:alice@192.0.2.1:5060;transport={parameter}>");
        assert_eq!(field(&invite, "Contact"), Some(contact.as_str()));
        assert!(wire.wait(Duration::from_secs(33)).is_empty());
        assert!(matches!(
            wire.events()[..],
            [Event::TargetFailed { .. }, Event::Ended { end: SessionEnd::Unanswered { why: "timeout" }, .. }]
        ));
    }
}

#[test]
fn an_invite_whose_connection_dies_unanswered_fails_at_once() {
    let mut wire = Wire::over(Transport::Tcp);
    calling(&mut wire);
    assert!(close(&mut wire).is_empty());
    assert!(matches!(
        wire.events()[..],
        [Event::TargetFailed { .. }, Event::Ended { end: SessionEnd::Unanswered { why: "connection lost" }, .. }]
    ));
    assert_eq!(wire.agent.transaction_count(), 0);
}

#[test]
fn why_a_connection_died_is_told_of_what_died_with_it() {
    const WHY: &str = "the peer's certificate has expired";
    let mut wire = Wire::over(Transport::Tls);
    calling(&mut wire);
    let flow = wire.flow;
    wire.agent.handle_input(wire.now, Input::Closed { flow, why: Some(WHY) });
    let events = wire.events();
    assert!(
        matches!(
            events[..],
            [Event::TargetFailed { why: WHY, .. }, Event::Ended { end: SessionEnd::Unanswered { why: WHY }, .. }]
        ),
        "{events:?}"
    );
}

#[test]
fn an_invite_that_rings_may_still_be_answered_by_another_connection() {
    let mut wire = Wire::over(Transport::Tcp);
    let (_, invite) = calling(&mut wire);
    wire.receive(&response(&invite, "180 Ringing", "b", CONTACT, ""));
    close(&mut wire);
    wire.flow.remote.set_port(42_000);
    let sent = wire.receive(&response(&invite, "200 OK", "b", CONTACT, SDP));
    assert_eq!(firsts(&sent), ["ACK sip:them@192.0.2.2:5060 SIP/2.0"]);
    assert!(matches!(wire.events()[..], [Event::Progress { .. }, Event::Answered { .. }]));
}

// RFC 3262 §4.
#[test]
fn a_prack_that_goes_down_with_its_connection_is_sent_by_another() {
    let mut wire = Wire::over(Transport::Tcp);
    let (_, invite) = calling(&mut wire);
    let reliable = format!("{CONTACT}Require: 100rel\nRSeq: 7\n");
    let first = wire.receive(&response(&invite, "183 Session Progress", "b", &reliable, SDP)).remove(0);
    let again = close(&mut wire);
    assert_eq!((again.len(), port(&again)), (1, 5060));
    assert!(again[0].1.starts_with("PRACK sip:them@192.0.2.2:5060 SIP/2.0\r\n"));
    assert_eq!((field(&first, "CSeq"), field(&again[0].1, "CSeq")), (Some("2 PRACK"), Some("3 PRACK")));
    for same in ["RAck", "To", "From", "Call-ID"] {
        assert_eq!(field(&first, same), field(&again[0].1, same));
    }
    wire.receive(&response(&invite, "200 OK", "b", CONTACT, SDP));
    assert!(close(&mut wire).is_empty(), "once it is answered nobody waits for it");
    assert!(matches!(wire.events()[..], [Event::Progress { .. }, Event::Answered { .. }]));
}

// RFC 3261 §18.2.2.
#[test]
fn a_response_takes_the_connection_of_its_request_and_then_the_sent_by_port() {
    let mut wire = connected();
    let invite =
        over_tcp(&request("INVITE", "1", 1, "", "", SDP)).replace("192.0.2.2:5060;branch", "pbx.test:5077;branch");
    wire.receive(&invite);
    let session = wire.incoming();
    wire.agent.progress(wire.now, session, 180, None).unwrap();
    assert_eq!(port(&wire.sent_by_path()), 41_000);
    close(&mut wire);
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    let sent = wire.sent_by_path();
    assert!(sent[0].1.starts_with("SIP/2.0 200 OK"));
    assert_eq!((sent[0].0.transport, port(&sent)), (Transport::Tcp, 5077));
    wire.now += Duration::from_millis(500);
    wire.agent.handle_input(wire.now, Input::Timeout);
    assert_eq!(port(&wire.sent_by_path()), 5077, "a 2xx is repeated until its ACK, over streams too");
}

#[test]
fn a_call_outlives_its_connection_and_the_bye_opens_another_to_the_remote_target() {
    let mut wire = connected();
    let (session, ..) = called_in(&mut wire, "");
    close(&mut wire);
    assert_eq!((wire.agent.session_count(), wire.events().len()), (1, 0));
    wire.agent.hang_up(wire.now, session);
    let sent = wire.sent_by_path();
    assert!(sent[0].1.starts_with("BYE sip:them@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/TCP "));
    assert_eq!(port(&sent), 5060);
}

#[test]
fn a_bye_that_goes_down_with_its_connection_is_sent_by_another_a_few_times() {
    let mut wire = connected();
    let (session, ..) = called_in(&mut wire, "");
    wire.agent.hang_up(wire.now, session);
    assert_eq!(port(&wire.sent_by_path()), 41_000);
    let mut sent = close(&mut wire);
    let mut again = 0;
    while !sent.is_empty() {
        assert_eq!((port(&sent), field(&sent[0].1, "CSeq").unwrap().ends_with(" BYE")), (5060, true));
        again += 1;
        wire.flow = sent[0].0;
        sent = close(&mut wire);
    }
    assert_eq!((again, wire.agent.transaction_count()), (3, 1), "the INVITE is remembered for Timer L");
}

#[test]
fn an_offer_that_goes_down_with_its_connection_is_made_by_another() {
    let mut wire = Wire::over(Transport::Tcp);
    let (session, _) = called_out(&mut wire, "");
    wire.agent.offer(wire.now, session, description(4000, Direction::SendOnly)).unwrap();
    wire.sent();
    let sent = close(&mut wire);
    assert!(sent[0].1.starts_with("INVITE sip:them@192.0.2.2:5060 "));
    assert_eq!(field(&sent[0].1, "CSeq"), Some("3 INVITE"));
    wire.agent.handle_input(wire.now, Input::Unreachable { flow: sent[0].0 });
    assert!(matches!(wire.events()[..], [Event::OfferAnswered { status: 503, description: None, .. }]));
    assert_eq!(wire.agent.session_count(), 1, "as it was");
}

#[test]
fn a_peer_that_connects_anew_is_answered_and_asked_there() {
    let mut wire = connected();
    let (session, to_tag, _) = called_in(&mut wire, "");
    close(&mut wire);
    wire.flow.remote.set_port(43_000);
    assert_eq!(firsts(&wire.receive(&over_tcp(&request("UPDATE", "3", 2, &to_tag, "", "")))), ["SIP/2.0 200 OK"]);
    wire.agent.hang_up(wire.now, session);
    assert_eq!(port(&wire.sent_by_path()), 43_000);
}

#[test]
fn however_often_the_connection_dies_both_ends_agree_and_forget() {
    let (mut answered, mut offers) = (0, 0);
    for seed in 0..300 {
        let mut link = Link::new(seed, Weather::FAIR);
        let path = Flow { transport: Transport::Tcp, ..link::flow(Side::A) };
        let ours = link.call_by(vec![path.into()], None);
        let mut theirs = None;
        for _ in 0..30 {
            let pause = link.random(200);
            link.run_for(Duration::from_millis(pause));
            if link.random(4) == 0 {
                link.cut(Transport::Tcp);
            }
            let (dice, now) = (link.random(6), link.now);
            // Most of these are refused in most states, which is what is tried here.
            let _ = match (dice, theirs) {
                (0, _) => link.a.offer(now, ours, offer_of(Side::A)),
                (1, _) => link.a.update(now, ours, None),
                (2, Some(session)) => link.b.answer(now, session, offer_of(Side::B)),
                (3, Some(session)) => link.b.offer(now, session, offer_of(Side::B)),
                _ => Ok(()),
            };
            for side in [Side::A, Side::B] {
                while let Some(event) = link.take(side) {
                    match event {
                        Event::Incoming { session, .. } => theirs = Some(session),
                        Event::Answered { .. } => answered += 1,
                        Event::Offer { session, .. } => {
                            let now = link.now;
                            let _ = link.side(side).answer_offer(now, session, offer_of(side));
                        }
                        Event::OfferAnswered { status: 200, .. } => offers += 1,
                        _ => {}
                    }
                }
            }
        }
        let now = link.now;
        link.a.hang_up(now, ours);
        link.run_for(Duration::from_secs(1));
        if let Some(session) = theirs {
            link.b.hang_up(link.now, session);
        }
        link.assert_forgotten();
    }
    assert!(answered > 100 && offers > 100, "{answered} {offers}");
}
