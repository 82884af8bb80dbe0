//! What a registration does between its refreshes, and when its path or its address changes.

mod wire;

use std::time::Duration;

use sip::sdp::Direction;
use sip::{Event, Flow, Input, Invite, Register, RegistrationId, Transport};
use wire::{Wire, description, field, firsts, response};

const KEEP_ALIVE: Duration = Duration::from_secs(25);

fn register(wire: &Wire) -> Register {
    Register {
        hops: vec![wire.flow.into()],
        registrar: "sip:trunk.test".into(),
        address_of_record: "sip:alice@trunk.test".into(),
        contact_user: "alice".into(),
        credentials: None,
        expires: Duration::from_secs(3600),
        keep_alive: Some(KEEP_ALIVE),
        learns_address: true,
    }
}

/// A granted registration, and its REGISTER.
fn registered(wire: &mut Wire) -> (RegistrationId, String) {
    let id = wire.agent.register(wire.now, register(wire));
    let request = wire.sent().remove(0);
    assert!(wire.receive(&response(&request, "200 OK", "r", "", "")).is_empty());
    assert!(matches!(wire.events()[..], [Event::Registered { .. }]));
    (id, request)
}

const OPTIONS: &str = "OPTIONS sip:trunk.test SIP/2.0";
const REGISTER: &str = "REGISTER sip:trunk.test SIP/2.0";

// RFC 3327 §5.1.
#[test]
fn proxies_before_the_registrar_may_add_themselves_to_the_way_to_us() {
    let mut wire = Wire::new();
    let (id, request) = registered(&mut wire);
    wire.agent.unregister(wire.now, id);
    for register in [request, wire.sent().remove(0)] {
        assert_eq!(field(&register, "Supported"), Some("path"));
    }
}

#[test]
fn an_answered_keep_alive_is_repeated() {
    let mut wire = Wire::new();
    registered(&mut wire);
    assert!(wire.wait(Duration::from_millis(19_990)).is_empty());
    for status in ["200 OK", "401 Unauthorized", "404 Not Found", "503 Busy", "200 OK"] {
        let sent = loop {
            let sent = wire.wait(Duration::from_millis(100));
            if !sent.is_empty() {
                break sent;
            }
        };
        assert_eq!(firsts(&sent), [OPTIONS]);
        wire.receive(&response(&sent[0], status, "o", "", ""));
        assert!(wire.wait(Duration::from_secs(19)).is_empty());
    }
    assert!(wire.events().is_empty(), "nobody is told of it");
}

#[test]
fn two_unanswered_keep_alives_in_a_row_register_again() {
    let mut wire = Wire::new();
    registered(&mut wire);
    let sent = wire.wait(KEEP_ALIVE * 3);
    let mut kinds = firsts(&sent);
    kinds.dedup();
    assert_eq!(kinds[..2], [OPTIONS, REGISTER]);
    let again = sent.iter().find(|message| message.starts_with("REGISTER")).unwrap();
    assert_eq!(field(again, "CSeq"), Some("2 REGISTER"));
}

#[test]
fn one_unanswered_keep_alive_is_forgiven() {
    let mut wire = Wire::new();
    registered(&mut wire);
    for _ in 0..6 {
        // One that nobody answers, and then one that somebody does.
        let mut asked = Vec::<String>::new();
        while asked.len() < 2 {
            for message in wire.wait(Duration::from_millis(100)) {
                assert!(message.starts_with("OPTIONS"), "{message}");
                if asked.iter().all(|known| field(known, "Call-ID") != field(&message, "Call-ID")) {
                    asked.push(message);
                }
            }
        }
        wire.receive(&response(&asked[1], "200 OK", "o", "", ""));
    }
}

#[test]
fn no_interval_and_no_datagrams_mean_no_keep_alive() {
    let mut wire = Wire::new();
    let silent = Register { keep_alive: None, ..register(&wire) };
    wire.agent.register(wire.now, silent);
    let request = wire.sent().remove(0);
    wire.receive(&response(&request, "200 OK", "r", "", ""));
    assert!(wire.wait(Duration::from_secs(1700)).is_empty());
    let mut wire = Wire::over(Transport::Tcp);
    registered(&mut wire);
    assert!(wire.wait(Duration::from_secs(1700)).is_empty());
}

#[test]
fn a_lost_connection_registers_again_at_once() {
    let mut wire = Wire::over(Transport::Tcp);
    registered(&mut wire);
    wire.wait(Duration::from_secs(60));
    let other = Flow { remote: "192.0.2.9:5060".parse().unwrap(), ..wire.flow };
    wire.agent.handle_input(wire.now, Input::Closed { flow: other, why: None });
    assert!(wire.sent().is_empty(), "another's connection");
    wire.agent.handle_input(wire.now, Input::Closed { flow: wire.flow, why: None });
    assert_eq!(firsts(&wire.sent()), [REGISTER]);
}

#[test]
fn a_connection_that_is_lost_at_once_is_given_time() {
    let mut wire = Wire::over(Transport::Tcp);
    registered(&mut wire);
    wire.agent.handle_input(wire.now, Input::Closed { flow: wire.flow, why: None });
    let [Event::RegistrationFailed { status: None, retry_in: Some(wait), .. }] = wire.events()[..] else {
        panic!("no failure")
    };
    assert!((15..=30).contains(&wait.as_secs()), "{wait:?}");
    assert!(wire.sent().is_empty());
    assert_eq!(firsts(&wire.wait(wait)), [REGISTER]);
}

#[test]
fn a_registration_that_loses_its_connection_at_once_says_why() {
    let mut wire = Wire::over(Transport::Tls);
    registered(&mut wire);
    let why = "the peer does not accept our certificate";
    wire.agent.handle_input(wire.now, Input::Closed { flow: wire.flow, why: Some(why) });
    let events = wire.events();
    assert!(matches!(&events[..], [Event::RegistrationFailed { reason, .. }] if reason == why), "{events:?}");
}

#[test]
fn a_lost_path_is_replaced_by_the_next_hop() {
    let mut wire = Wire::over(Transport::Tcp);
    let second = Flow { remote: "192.0.2.3:5060".parse().unwrap(), ..wire.flow };
    let both = Register { hops: vec![wire.flow.into(), second.into()], ..register(&wire) };
    wire.agent.register(wire.now, both);
    let request = wire.sent().remove(0);
    wire.receive(&response(&request, "200 OK", "r", "", ""));
    wire.wait(Duration::from_secs(60));
    wire.agent.handle_input(wire.now, Input::Closed { flow: wire.flow, why: None });
    assert_eq!(wire.sent_by_path().remove(0).0, wire.flow);
    wire.agent.handle_input(wire.now, Input::Closed { flow: wire.flow, why: None });
    assert_eq!(wire.sent_by_path().remove(0).0, second);
}

/// An answer of a registrar that sees us at another address.
fn seen_at(request: &str, status: &str, address: &str, more: &str) -> String {
    response(request, status, "r", more, "").replacen(";rport", address, 1)
}

const NAT: &str = ";received=203.0.113.7;rport=40000";

fn learns(wire: &mut Wire) -> RegistrationId {
    let id = wire.agent.register(wire.now, register(wire));
    let request = wire.sent().remove(0);
    assert_eq!(field(&request, "Contact"), Some("<sip:alice@192.0.2.1:5060>"));
    let again = wire.receive(&seen_at(&request, "200 OK", NAT, "")).remove(0);
    let contacts = "<sip:alice@203.0.113.7:40000>, <sip:alice@192.0.2.1:5060>;expires=0";
    assert_eq!(field(&again, "Contact"), Some(contacts));
    let events = wire.events();
    let [Event::Registered { .. }, Event::AddressLearnt { registration, address }] = events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((registration, address), (id, "203.0.113.7:40000".parse().unwrap()));
    let other_port = ";received=203.0.113.7;rport=40001";
    assert!(wire.receive(&seen_at(&again, "200 OK", other_port, "")).is_empty(), "once a refresh");
    assert!(matches!(wire.events()[..], [Event::Registered { .. }]));
    id
}

#[test]
fn the_address_that_the_registrar_sees_replaces_the_contact() {
    let mut wire = Wire::new();
    let id = learns(&mut wire);
    wire.agent.unregister(wire.now, id);
    let removal = wire.sent().remove(0);
    assert_eq!(field(&removal, "Contact"), Some("<sip:alice@203.0.113.7:40000>"));
    assert_eq!(field(&removal, "Expires"), Some("0"));
}

// RFC 5626 §4.4.2.
#[test]
fn another_address_in_the_answer_to_a_keep_alive_registers_again() {
    let mut wire = Wire::new();
    learns(&mut wire);
    let elsewhere = ";received=203.0.113.7;rport=40009";
    let options = wire.wait(KEEP_ALIVE).remove(0);
    assert!(wire.receive(&seen_at(&options, "200 OK", elsewhere, "")).is_empty(), "not within half a minute");
    let options = wire.wait(KEEP_ALIVE).remove(0);
    let sent = wire.receive(&seen_at(&options, "200 OK", elsewhere, ""));
    assert_eq!(firsts(&sent), [REGISTER]);
    let contacts = "<sip:alice@203.0.113.7:40009>, <sip:alice@203.0.113.7:40000>;expires=0";
    assert_eq!(field(&sent[0], "Contact"), Some(contacts));
    wire.events();
    assert!(wire.receive(&seen_at(&sent[0], "200 OK", elsewhere, "")).is_empty());
    assert!(matches!(wire.events()[..], [Event::Registered { .. }]));
    let options = wire.wait(KEEP_ALIVE).remove(0);
    assert!(wire.receive(&seen_at(&options, "200 OK", elsewhere, "")).is_empty());
}

#[test]
fn a_challenge_tells_the_address_too() {
    let mut wire = Wire::new();
    let credentials = Some(sip::Credentials::new("alice", "secret"));
    let with_password = Register { credentials, ..register(&wire) };
    wire.agent.register(wire.now, with_password);
    let request = wire.sent().remove(0);
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\n";
    let again = wire.receive(&seen_at(&request, "401 Unauthorized", NAT, challenge)).remove(0);
    assert_eq!(field(&again, "Contact"), Some("<sip:alice@203.0.113.7:40000>"), "nothing to replace");
    assert!(wire.receive(&seen_at(&again, "200 OK", NAT, "")).is_empty());
}

#[test]
fn an_invite_by_the_registration_has_the_learnt_contact() {
    let mut wire = Wire::new();
    let registration = Some(learns(&mut wire));
    for (registration, contact) in
        [(registration, "<sip:alice@203.0.113.7:40000>"), (None, "<sip:alice@192.0.2.1:5060>")]
    {
        let invite = invite(&wire, registration);
        wire.agent.invite(wire.now, invite);
        assert_eq!(field(&wire.sent()[0], "Contact"), Some(contact));
    }
}

/// The Contact of our 200 to an INVITE of theirs to this URI by this path.
fn contact_of_answer(wire: &mut Wire, uri: &str, path: Flow) -> String {
    let invite = wire::request("INVITE", "1", 1, "", "", wire::SDP);
    let invite = invite.replace("INVITE sip:us@192.0.2.1 ", &format!("INVITE {uri} "));
    let payload = invite.replace("\r\n", "\n").replace('\n', "\r\n");
    wire.agent.handle_input(wire.now, Input::Received { flow: path, payload: payload.as_bytes() });
    let session = wire.incoming();
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    field(&wire.sent()[0], "Contact").unwrap().to_owned()
}

#[test]
fn a_call_by_the_registrar_or_to_the_learnt_address_is_answered_with_that_as_contact() {
    let elsewhere = Flow { remote: "192.0.2.9:5060".parse().unwrap(), ..wire::flow() };
    let other_socket = Flow { local: "192.0.2.1:5070".parse().unwrap(), ..wire::flow() };
    for (uri, path, contact) in [
        ("sip:alice@192.0.2.1", wire::flow(), "<sip:alice@203.0.113.7:40000>"),
        ("sip:alice@203.0.113.7:40000", elsewhere, "<sip:alice@203.0.113.7:40000>"),
        ("sip:alice@192.0.2.1", elsewhere, "<sip:alice@192.0.2.1:5060>"),
        ("sip:alice@192.0.2.1:5070", other_socket, "<sip:alice@192.0.2.1:5070>"),
    ] {
        let mut wire = Wire::new();
        learns(&mut wire);
        assert_eq!(contact_of_answer(&mut wire, uri, path), contact);
    }
}

fn invite(wire: &Wire, registration: Option<RegistrationId>) -> Invite {
    Invite {
        hops: vec![wire.flow.into()],
        request_uri: "sip:bob@trunk.test".into(),
        from: "sip:alice@trunk.test".into(),
        display_name: None,
        contact_user: "alice".into(),
        credentials: None,
        registration,
        offer: description(4000, Direction::SendRecv),
        presentation: sip::Presentation::default(),
        redirects: sip::Redirects::Refuse,
        headers: vec![],
    }
}

#[test]
fn what_is_fixed_or_makes_no_sense_is_not_learnt() {
    let senseless = ["", ";received=0.0.0.0;rport=0", ";received=x;rport=y", ";received=2001:db8::1", ";rport=5060"];
    let cases = senseless.into_iter().map(|address| (true, address)).chain([(false, NAT)]);
    for (learns_address, address) in cases {
        let mut wire = Wire::new();
        let register = Register { learns_address, ..register(&wire) };
        wire.agent.register(wire.now, register);
        let request = wire.sent().remove(0);
        assert!(wire.receive(&seen_at(&request, "200 OK", address, "")).is_empty(), "{address}");
        assert!(matches!(wire.events()[..], [Event::Registered { .. }]), "{address}");
    }
}

#[test]
fn over_a_connection_only_the_host_is_learnt() {
    let mut wire = Wire::over(Transport::Tcp);
    let learning = register(&wire);
    wire.agent.register(wire.now, learning);
    let request = wire.sent().remove(0);
    let again = wire.receive(&seen_at(&request, "200 OK", NAT, "")).remove(0);
    assert!(field(&again, "Contact").unwrap().starts_with("<sip:alice@203.0.113.7:5060;transport=tcp>, "));
}

#[test]
fn the_service_route_is_that_of_calls_by_the_registration() {
    let mut wire = Wire::new();
    let quiet = Register { keep_alive: None, ..register(&wire) };
    let id = wire.agent.register(wire.now, quiet);
    let request = wire.sent().remove(0);
    let route = "Service-Route: <sip:p1.trunk.test;lr>, <sip:p2.trunk.test;lr>\n";
    wire.receive(&response(&request, "200 OK", "r", route, ""));
    let by_it = invite(&wire, Some(id));
    wire.agent.invite(wire.now, by_it);
    let sent = wire.sent().remove(0);
    assert!(sent.starts_with("INVITE sip:bob@trunk.test SIP/2.0\r\n"));
    assert_eq!((field(&sent, "Route"), routes(&sent)), (Some("<sip:p1.trunk.test;lr>"), 2));
    let contact = "Contact: <sip:them@192.0.2.2:5060>\n";
    let ack = wire.receive(&response(&sent, "200 OK", "b", contact, wire::SDP)).remove(0);
    assert!(ack.starts_with("ACK sip:them@192.0.2.2:5060 "), "{ack}");
    assert_eq!(routes(&ack), 0, "RFC 3261 §12.1.2: the dialog has a route set of its own");
}

#[test]
fn the_service_route_of_the_last_answer_counts_and_not_for_registrations() {
    let mut wire = Wire::new();
    let quiet = Register { keep_alive: None, ..register(&wire) };
    let id = wire.agent.register(wire.now, quiet);
    let request = wire.sent().remove(0);
    wire.receive(&response(&request, "200 OK", "r", "Expires: 10\nService-Route: <sip:p1.trunk.test;lr>\n", ""));
    let refresh = wire.wait(Duration::from_secs(8)).remove(0);
    assert_eq!(routes(&refresh), 0);
    wire.receive(&response(&refresh, "200 OK", "r", "", ""));
    let by_it = invite(&wire, Some(id));
    wire.agent.invite(wire.now, by_it);
    assert_eq!(routes(&wire.sent()[0]), 0);
}

fn routes(message: &str) -> usize {
    message.lines().filter(|line| line.starts_with("Route: ")).count()
}

#[test]
fn somebody_elses_binding_is_told_once() {
    let mut wire = Wire::new();
    let quiet = Register { keep_alive: None, ..register(&wire) };
    wire.agent.register(wire.now, quiet);
    let mut request = wire.sent().remove(0);
    let contacts = "Contact: <sip:alice@192.0.2.1:5060>;expires=10, <sip:alice@198.51.100.9>;expires=70\n";
    let mut told = Vec::new();
    for _ in 0..3 {
        wire.receive(&response(&request, "200 OK", "r", contacts, ""));
        told.extend(wire.events().into_iter().filter_map(|event| match event {
            Event::ForeignBinding { contact, .. } => Some(contact),
            _ => None,
        }));
        request = wire.wait(Duration::from_secs(8)).remove(0);
    }
    assert_eq!(told, ["sip:alice@198.51.100.9"]);
    for (contacts, expected) in [
        ("Contact: <sip:alice@192.0.2.1:5060>;expires=10\n".to_owned(), 0),
        (contacts.to_owned(), 1),
        (contacts.replace("100.9", "100.10"), 1),
    ] {
        wire.receive(&response(&request, "200 OK", "r", &contacts, ""));
        let told = wire.events().into_iter().filter(|event| matches!(event, Event::ForeignBinding { .. })).count();
        assert_eq!(told, expected, "{contacts}");
        request = wire.wait(Duration::from_secs(8)).remove(0);
    }
}

#[test]
fn our_binding_as_rewritten_by_the_registrar_is_not_somebody_elses() {
    let mut wire = Wire::new();
    let learning = register(&wire);
    wire.agent.register(wire.now, learning);
    let request = wire.sent().remove(0);
    wire.receive(&response(&request, "200 OK", "r", "Contact: <sip:alice@10.0.0.1>;expires=600\n", ""));
    assert!(matches!(wire.events()[..], [Event::Registered { .. }]));
}

#[test]
fn waits_after_failures_grow_to_ten_minutes() {
    let mut wire = Wire::new();
    let learning = register(&wire);
    wire.agent.register(wire.now, learning);
    let mut request = wire.sent().remove(0);
    let mut last = Duration::ZERO;
    for _ in 0..12 {
        wire.receive(&response(&request, "500 Oops", "r", "", ""));
        let [Event::RegistrationFailed { retry_in: Some(wait), .. }] = wire.events()[..] else { panic!("no failure") };
        request = wire.wait(wait).remove(0);
        last = wait;
    }
    assert!((300..=600).contains(&last.as_secs()), "{last:?}");
}
