//! Credentials on the wire: what a trunk's challenge gets, and who never gets any.

mod wire;

use std::time::Duration;

use sip::{Credentials, Event, Register, SessionEnd};
use wire::{CONTACT, SDP, Wire, called_in, calling, field, firsts, flow, response};

const PROXY: &str = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\n";
const SERVER: &str = "WWW-Authenticate: Digest realm=\"s\", nonce=\"n2\", qop=\"auth\"\n";
const PROXY_REQUIRED: &str = "407 Proxy Authentication Required";

fn credentials(message: &str) -> Vec<&str> {
    message.lines().filter(|line| line.contains("Authorization: ")).collect()
}

/// A call that was challenged with 407 and answered.
fn challenged_call(wire: &mut Wire, contact: &str) -> sip::SessionId {
    let (session, invite) = calling(wire);
    let again = wire.receive(&response(&invite, PROXY_REQUIRED, "p", PROXY, "")).remove(1);
    wire.receive(&response(&again, "200 OK", "b", contact, SDP));
    wire.events();
    session
}

#[test]
fn a_later_call_to_the_same_trunk_needs_no_challenge() {
    let mut wire = Wire::new();
    let session = challenged_call(&mut wire, CONTACT);
    let (_, second) = calling(&mut wire);
    assert!(field(&second, "Proxy-Authorization").unwrap().contains("nonce=\"n1\""));
    assert!(field(&second, "Proxy-Authorization").unwrap().contains("nc=00000002"), "counted over all calls");
    wire.agent.hang_up(wire.now, session);
    assert!(field(&wire.sent()[0], "Proxy-Authorization").unwrap().contains("nc=00000003"));
}

#[test]
fn an_aged_nonce_of_an_earlier_call_is_replaced_once() {
    let mut wire = Wire::new();
    challenged_call(&mut wire, CONTACT);
    let (_, second) = calling(&mut wire);
    let sent = wire.receive(&response(&second, PROXY_REQUIRED, "p", &PROXY.replace("n1", "n9"), ""));
    assert!(field(&sent[1], "Proxy-Authorization").unwrap().contains("nonce=\"n9\""));
    assert_eq!(wire.receive(&response(&sent[1], PROXY_REQUIRED, "p", &PROXY.replace("n1", "n10"), "")).len(), 1);
    assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Rejected { status: 407, .. }, .. }]));
}

#[test]
fn the_same_nonce_refused_is_final() {
    let mut wire = Wire::new();
    challenged_call(&mut wire, CONTACT);
    let (_, second) = calling(&mut wire);
    assert_eq!(wire.receive(&response(&second, PROXY_REQUIRED, "p", PROXY, "")).len(), 1);
    assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Rejected { status: 407, .. }, .. }]));
}

#[test]
fn a_registration_and_a_call_share_what_their_trunk_gave() {
    let mut wire = Wire::new();
    let register = Register {
        hops: vec![flow().into()],
        registrar: "sip:trunk.test".into(),
        address_of_record: "sip:alice@trunk.test".into(),
        contact_user: "alice".into(),
        credentials: Some(Credentials::new("alice", "secret")),
        expires: Duration::from_secs(600),
        keep_alive: None,
        learns_address: false,
    };
    wire.agent.register(wire.now, register);
    let first = wire.sent().remove(0);
    let again = wire.receive(&response(&first, "401 Unauthorized", "r", SERVER, "")).remove(0);
    let info = "Authentication-Info: nextnonce=\"n3\"\nContact: <sip:alice@192.0.2.1:5060>;expires=600\n";
    wire.receive(&response(&again, "200 OK", "r", info, ""));
    let (_, invite) = calling(&mut wire);
    let value = field(&invite, "Authorization").unwrap();
    assert!(value.contains("nonce=\"n3\"") && value.contains("uri=\"sip:bob@example.test\""), "{value}");
}

// RFC 3261 §22.2, §22.3.
#[test]
fn a_401_and_then_a_407_on_one_path_are_both_answered() {
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    let second = wire.receive(&response(&invite, PROXY_REQUIRED, "p", PROXY, "")).remove(1);
    let third = wire.receive(&response(&second, "401 Unauthorized", "u", SERVER, "")).remove(1);
    assert_eq!((credentials(&third).len(), field(&third, "CSeq")), (2, Some("3 INVITE")));
    assert!(field(&third, "Proxy-Authorization").unwrap().contains("nc=00000002"));
    assert!(field(&third, "Authorization").unwrap().contains("nc=00000001"));
    let acks = wire.receive(&response(&third, "200 OK", "b", CONTACT, SDP));
    assert_eq!(credentials(&acks[0]), credentials(&third));
}

// RFC 3261 §22.1.
#[test]
fn a_callee_elsewhere_gets_no_credentials_though_the_trunk_had_them() {
    let mut wire = Wire::new();
    let session = challenged_call(&mut wire, "Contact: <sip:mallory@192.0.2.66>\n");
    wire.agent.info(wire.now, session, "application/dtmf", b"5").unwrap();
    wire.agent.update(wire.now, session, None).unwrap();
    wire.agent.hang_up(wire.now, session);
    for message in wire.sent() {
        assert!(credentials(&message).is_empty(), "{message}");
        assert!(message.contains(" sip:mallory@192.0.2.66 "), "{message}");
        let sent = wire.receive(&response(&message, PROXY_REQUIRED, "", &PROXY.replace("n1", "evil"), ""));
        assert!(sent.iter().all(|message| credentials(message).is_empty()));
    }
}

// RFC 3261 §22.1.
#[test]
fn the_acks_of_callees_elsewhere_have_no_credentials() {
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    let again = wire.receive(&response(&invite, PROXY_REQUIRED, "p", PROXY, "")).remove(1);
    for tag in ["b", "c"] {
        let sent = wire.receive(&response(&again, "200 OK", tag, "Contact: <sip:mallory@192.0.2.66>\n", SDP));
        assert!(sent[0].starts_with("ACK sip:mallory@192.0.2.66 "), "{}", sent[0]);
        assert!(sent.iter().all(|message| credentials(message).is_empty()), "{sent:?}");
    }
}

#[test]
fn nothing_within_a_call_of_theirs_ever_carries_credentials() {
    let mut wire = Wire::new();
    challenged_call(&mut wire, CONTACT);
    let (session, ..) = called_in(&mut wire, "Allow: UPDATE\nSession-Expires: 90\n");
    wire.agent.offer(wire.now, session, wire::description(4000, sip::sdp::Direction::SendOnly)).unwrap();
    let reinvite = wire.sent().remove(0);
    let sent = wire.receive(&response(&reinvite, PROXY_REQUIRED, "", &PROXY.replace("n1", "evil"), ""));
    assert_eq!(firsts(&sent), ["ACK sip:them@192.0.2.2 SIP/2.0"]);
    assert!(matches!(wire.events()[..], [Event::OfferAnswered { status: 407, description: None, .. }]));
    let update = wire.wait(Duration::from_secs(45)).remove(0);
    assert!(wire.receive(&response(&update, "401 Unauthorized", "", SERVER, "")).is_empty());
    wire.agent.hang_up(wire.now, session);
    let bye = wire.sent().remove(0);
    assert!(wire.receive(&response(&bye, PROXY_REQUIRED, "", PROXY, "")).is_empty());
    for message in [reinvite, update, bye] {
        assert!(credentials(&message).is_empty(), "{message}");
    }
}
