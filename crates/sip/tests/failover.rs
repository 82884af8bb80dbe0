//! Hops of a trunk, tried one after the other (RFC 3263 §4.3), and what the ones left behind still say.

mod link;
mod wire;

use std::collections::BTreeSet;
use std::time::Duration;

use link::{Link, Side, Weather, offer_of};
use sip::sdp::Direction;
use sip::{
    Config, Credentials, Disposition, Event, Flow, Hop, Input, Invite, Register, SessionEnd, SessionId, Transport,
};
use wire::{CONTACT, SDP, Wire, description, field, firsts, flow, response, tag};

const RETRY: &str = "Retry-After: 30\n";
const CHALLENGE: &str = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\n";

/// The trunk's hops: 192.0.2.2, 192.0.2.3, …
fn hop(number: u8) -> Flow {
    Flow { remote: ([192, 0, 2, 1 + number], 5060).into(), ..flow() }
}

fn call(wire: &mut Wire, hops: Vec<Hop>, headers: Vec<(String, String)>) -> (SessionId, Flow, String) {
    let invite = Invite {
        hops,
        request_uri: "sip:bob@example.test".into(),
        from: "sip:alice@example.test".into(),
        display_name: None,
        contact_user: "alice".into(),
        credentials: Some(Credentials::new("alice", "secret")),
        registration: None,
        offer: description(4000, Direction::SendRecv),
        presentation: sip::Presentation::default(),
        redirects: sip::Redirects::Refuse,
        headers,
    };
    let session = wire.agent.invite(wire.now, invite);
    let (flow, invite) = wire.sent_by_path().remove(0);
    (session, flow, invite)
}

fn two() -> Vec<Hop> {
    vec![hop(1).into(), hop(2).into()]
}

/// A first hop that says nothing, until the second has the INVITE.
fn moved_on(wire: &mut Wire) -> (SessionId, String, String) {
    let (session, path, first) = call(wire, two(), vec![]);
    assert_eq!(path, hop(1));
    let sent = wire.wait_by_path(Duration::from_secs(4));
    let (path, second) = sent.last().unwrap().clone();
    assert_eq!((sent.len(), path), (4, hop(2)), "three repetitions, and the next hop after 4 s");
    let events = wire.events();
    assert!(
        matches!(events[..], [Event::TargetFailed { flow, why: "no first reply", retry_after: None }] if flow == hop(1))
    );
    (session, first, second)
}

#[test]
fn silence_of_the_first_hop_moves_the_call_to_the_next() {
    let mut wire = Wire::new();
    let (_, first, second) = moved_on(&mut wire);
    for same in ["From", "To", "Call-ID", "Contact", "Content-Length"] {
        assert_eq!(field(&first, same), field(&second, same));
    }
    assert_ne!(field(&first, "Via"), field(&second, "Via"));
    assert_eq!(field(&second, "CSeq"), Some("2 INVITE"));
    wire.receive(&response(&second, "200 OK", "b", CONTACT, SDP));
    assert!(matches!(wire.events()[..], [Event::Answered { .. }]));
    let sent = wire.wait_by_path(Duration::from_secs(40));
    assert!(sent.is_empty(), "the first hop is left in peace: {sent:?}");
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (1, 0));
}

#[test]
fn a_100_is_a_reply_and_the_last_hop_has_all_its_time() {
    let mut wire = Wire::new();
    let (_, _, first) = call(&mut wire, two(), vec![]);
    wire.receive(&response(&first, "100 Trying", "", "", ""));
    assert!(wire.wait_by_path(Duration::from_secs(120)).is_empty());
    let mut wire = Wire::new();
    moved_on(&mut wire);
    assert_eq!(wire.wait_by_path(Duration::from_millis(31_900)).len(), 6);
    assert!(wire.events().is_empty());
    wire.wait_by_path(Duration::from_millis(200));
    let events = wire.events();
    assert!(
        matches!(
            events[..],
            [
                Event::TargetFailed { why: "timeout", .. },
                Event::Ended { end: SessionEnd::Unanswered { why: "timeout" }, .. }
            ]
        ),
        "{events:?}"
    );
    wire.wait_by_path(Duration::from_secs(100));
    assert_eq!(wire.agent.transaction_count(), 0);
}

#[test]
fn a_late_answer_of_the_hop_left_behind_is_acknowledged_and_ended() {
    for answered in [false, true] {
        let mut wire = Wire::new();
        let (_, first, second) = moved_on(&mut wire);
        if answered {
            wire.receive(&response(&second, "200 OK", "b", CONTACT, SDP));
            wire.events();
        }
        let late = response(&first, "200 OK", "c", "Contact: <sip:pbx.example.test>\n", SDP).replace("\r\n", "\n");
        let payload = late.replace('\n', "\r\n");
        wire.agent.handle_input(wire.now, Input::Received { flow: hop(1), payload: payload.as_bytes() });
        let sent = wire.sent_by_path();
        assert_eq!(sent.iter().map(|(path, _)| *path).collect::<Vec<_>>(), [hop(1), hop(1)]);
        let messages: Vec<_> = sent.into_iter().map(|(_, message)| message).collect();
        assert_eq!(firsts(&messages), ["ACK sip:pbx.example.test SIP/2.0", "BYE sip:pbx.example.test SIP/2.0"]);
        assert_eq!((tag(&messages[1], "To"), field(&messages[0], "CSeq")), ("c", Some("1 ACK")));
        let events = wire.events();
        assert!(matches!(events[..], [Event::TargetAnswered { flow }] if flow == hop(1)), "{events:?}");
        assert_eq!(wire.agent.session_count(), 1);
    }
}

#[test]
fn the_answer_to_an_options_alone_says_nothing_of_calls() {
    let mut wire = Wire::new();
    moved_on(&mut wire);
    wire.events();
    wire.agent.options(wire.now, hop(1), "sip:192.0.2.2");
    let asked = wire.sent().remove(0);
    wire.receive(&response(&asked, "200 OK", "o", "", ""));
    let events = wire.events();
    assert!(matches!(events[..], [Event::OptionsAnswered { status: Some(200), .. }]), "{events:?}");
}

#[test]
fn what_rings_late_behind_us_is_canceled_once() {
    let mut wire = Wire::new();
    let (_, first, _) = moved_on(&mut wire);
    let sent = wire.receive(&response(&first, "180 Ringing", "a", CONTACT, ""));
    assert_eq!(firsts(&sent), ["CANCEL sip:bob@example.test SIP/2.0"]);
    assert_eq!(field(&sent[0], "Via"), field(&first, "Via"));
    assert!(wire.receive(&response(&first, "183 Session Progress", "a", CONTACT, "")).is_empty());
    let sent = wire.receive(&response(&first, "487 Request Terminated", "a", "", ""));
    assert_eq!(firsts(&sent), ["ACK sip:bob@example.test SIP/2.0"]);
    assert!(!wire.events().iter().any(|event| matches!(event, Event::Ended { .. } | Event::Progress { .. })));
}

#[test]
fn a_503_moves_on_at_once() {
    let mut wire = Wire::new();
    let (_, _, first) = call(&mut wire, two(), vec![]);
    let sent = wire.receive(&response(&first, "503 Service Unavailable", "a", RETRY, ""));
    assert_eq!(firsts(&sent), ["ACK sip:bob@example.test SIP/2.0", "INVITE sip:bob@example.test SIP/2.0"]);
    let events = wire.events();
    let [Event::TargetFailed { flow, why: "503 Service Unavailable", retry_after }] = events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((flow, retry_after), (hop(1), Some(Duration::from_secs(30))));
    wire.receive(&response(&sent[1], "503 Service Unavailable", "a", "", ""));
    let events = wire.events();
    assert!(matches!(
        events[..],
        [Event::TargetFailed { .. }, Event::Ended { end: SessionEnd::Rejected { status: 503, .. }, .. }]
    ));
}

#[test]
fn a_refusal_that_need_not_be_the_callees_moves_on_without_blame() {
    for refusal in ["408 Request Timeout", "500 Oops", "502 Bad Gateway", "504 Server Time-out"] {
        let mut wire = Wire::new();
        let (_, _, first) = call(&mut wire, two(), vec![]);
        wire.receive(&response(&first, "100 Trying", "", "", ""));
        let sent = wire.receive(&response(&first, refusal, "a", RETRY, ""));
        assert_eq!(firsts(&sent), ["ACK sip:bob@example.test SIP/2.0", "INVITE sip:bob@example.test SIP/2.0"]);
        assert!(wire.events().is_empty(), "the hop has answered");
        wire.receive(&response(&sent[1], refusal, "a", RETRY, ""));
        let events = wire.events();
        let [Event::Ended { end: SessionEnd::Rejected { disposition, .. }, .. }] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(*disposition, Disposition::Target { after: Some(Duration::from_secs(30)) });
    }
}

#[test]
fn a_callees_refusal_does_not_move_on_nor_one_of_a_callee_who_rang() {
    for (ringing, refusal) in [
        (false, "404 Not Found"),
        (false, "486 Busy Here"),
        (false, "603 Decline"),
        (false, "500 Oops\nReason: Q.850;cause=17"),
        (true, "500 Oops"),
        (true, "503 Full"),
        (false, "503 Full\nReason: SIP;cause=503\nReason: Q.850;cause=1"),
        (true, "408 Request Timeout"),
    ] {
        let mut wire = Wire::new();
        let (_, _, first) = call(&mut wire, two(), vec![]);
        if ringing {
            wire.receive(&response(&first, "180 Ringing", "a", CONTACT, ""));
            wire.events();
        }
        let (status, reason) = refusal.split_once('\n').unwrap_or((refusal, "Subject: none"));
        let sent = wire.receive(&response(&first, status, "a", &format!("{reason}\n"), ""));
        assert_eq!(firsts(&sent), ["ACK sip:bob@example.test SIP/2.0"], "{refusal}");
        assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Rejected { .. }, .. }]), "{refusal}");
    }
}

#[test]
fn a_hop_that_cannot_be_reached_is_left_at_once() {
    let mut wire = Wire::new();
    call(&mut wire, two(), vec![]);
    wire.agent.handle_input(wire.now, Input::Unreachable { flow: hop(1) });
    assert_eq!(wire.sent_by_path()[0].0, hop(2));
    assert!(matches!(wire.events()[..], [Event::TargetFailed { why: "unreachable", .. }]));
}

#[test]
fn every_hop_of_the_trunk_may_ask_for_our_credentials_and_nobody_else() {
    let mut wire = Wire::new();
    let (session, _, second) = moved_on(&mut wire);
    let sent = wire.receive(&response(&second, "407 Proxy Authentication Required", "b", CHALLENGE, ""));
    assert!(field(&sent[1], "Proxy-Authorization").is_some());
    wire.receive(&response(&sent[1], "200 OK", "b", "Contact: <sip:them@198.51.100.9>\n", SDP));
    wire.agent.hang_up(wire.now, session);
    let (path, bye) = wire.sent_by_path().remove(0);
    assert_eq!((path.remote.to_string().as_str(), field(&bye, "Proxy-Authorization")), ("198.51.100.9:5060", None));
    let sent = wire.receive(&response(&bye, "407 Proxy Authentication Required", "b", CHALLENGE, ""));
    assert!(sent.is_empty());
}

#[test]
fn giving_up_while_the_second_hop_is_tried_cancels_whatever_answers() {
    let mut wire = Wire::new();
    let (session, first, second) = moved_on(&mut wire);
    wire.agent.hang_up(wire.now, session);
    assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Local, .. }]));
    for invite in [&first, &second] {
        let sent = wire.receive(&response(invite, "180 Ringing", "a", CONTACT, ""));
        assert_eq!(firsts(&sent), ["CANCEL sip:bob@example.test SIP/2.0"]);
    }
    wire.wait_by_path(Duration::from_secs(200));
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

#[test]
fn a_call_without_hops_is_no_call() {
    let mut wire = Wire::new();
    let invite = Invite { hops: vec![], ..invite_to(hop(1)) };
    wire.agent.invite(wire.now, invite);
    assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Unanswered { .. }, .. }]));
}

fn invite_to(flow: Flow) -> Invite {
    Invite {
        hops: vec![flow.into()],
        request_uri: "sip:bob@198.51.100.1".into(),
        from: "sip:alice@example.test".into(),
        display_name: None,
        contact_user: "alice".into(),
        credentials: None,
        registration: None,
        offer: description(4000, Direction::SendRecv),
        presentation: sip::Presentation::default(),
        redirects: sip::Redirects::Refuse,
        headers: vec![],
    }
}

#[test]
fn an_outbound_proxy_gets_the_request_for_another_host() {
    let mut wire = Wire::new();
    wire.agent.invite(wire.now, invite_to(hop(1)));
    let (path, invite) = wire.sent_by_path().remove(0);
    assert_eq!(path, hop(1));
    assert!(invite.starts_with("INVITE sip:bob@198.51.100.1 SIP/2.0\r\n"), "RFC 3261 §8.1.2");
}

// RFC 3261 §18.1.1.
#[test]
fn a_long_invite_takes_the_stream_and_falls_back_to_datagrams() {
    let stream = Flow { transport: Transport::Tcp, ..hop(1) };
    let long = vec![("Subject".to_owned(), "x".repeat(1300))];
    let hops = vec![Hop { flow: hop(1), stream: Some(stream) }];
    let mut wire = Wire::new();
    assert_eq!(call(&mut wire, hops.clone(), vec![]).1, hop(1), "a short one does not");
    let (_, path, first) = call(&mut wire, hops, long);
    assert_eq!(path, stream);
    assert!(field(&first, "Via").unwrap().starts_with("SIP/2.0/TCP "));
    assert_eq!(field(&first, "Contact"), Some("<sip:alice@192.0.2.1:5060;transport=tcp>"));
    wire.agent.handle_input(wire.now, Input::Unreachable { flow: stream });
    let (path, second) = wire.sent_by_path().remove(0);
    assert_eq!(path, hop(1));
    assert!(field(&second, "Via").unwrap().starts_with("SIP/2.0/UDP "));
    assert_eq!(field(&second, "Contact"), Some("<sip:alice@192.0.2.1:5060>"));
}

#[test]
fn a_registration_goes_on_at_the_next_hop_and_starts_again_with_the_first() {
    let mut wire = Wire::with(Config { first_reply: Duration::from_secs(2), ..Config::default() });
    let register = Register {
        hops: two(),
        registrar: "sip:example.test".into(),
        address_of_record: "sip:alice@example.test".into(),
        contact_user: "alice".into(),
        credentials: None,
        expires: Duration::from_secs(3600),
        keep_alive: None,
        learns_address: false,
    };
    let registration = wire.agent.register(wire.now, register);
    let (path, first) = wire.sent_by_path().remove(0);
    let (second_path, second) = wire.wait_by_path(Duration::from_secs(2)).pop().unwrap();
    assert_eq!((path, second_path), (hop(1), hop(2)));
    assert_eq!((field(&first, "CSeq"), field(&second, "CSeq")), (Some("1 REGISTER"), Some("2 REGISTER")));
    assert_eq!(field(&first, "Call-ID"), field(&second, "Call-ID"));
    wire.receive(&response(&second, "503 Busy", "r", RETRY, ""));
    let events = wire.events();
    let [
        Event::TargetFailed { .. },
        Event::TargetFailed { .. },
        Event::RegistrationFailed { retry_in: Some(wait_for), .. },
    ] = events[..]
    else {
        panic!("{events:?}")
    };
    let (path, again) = wire.wait_by_path(wait_for).pop().unwrap();
    assert_eq!(path, hop(1));
    wire.agent.reroute(registration, vec![hop(3).into(), hop(4).into()]);
    wire.receive(&response(&again, "200 OK", "r", "", ""));
    assert!(matches!(wire.events()[..], [Event::TargetAnswered { .. }, Event::Registered { .. }]));
    assert_eq!(wire.wait_by_path(Duration::from_secs(3600)).remove(0).0, hop(3));
}

#[test]
fn however_late_the_hops_answer_there_is_one_call_at_most() {
    let (mut moved, mut answered) = (0, 0);
    for seed in 0..300 {
        let impatient = Config { first_reply: Duration::from_millis(100), ..Config::default() };
        let mut link = Link::of(seed, Weather::FOUL, impatient, Config::default());
        let ours = link.call_by(vec![hop(1).into(), hop(2).into(), hop(3).into()], None);
        let mut theirs = BTreeSet::new();
        let mut ends = 0;
        for _ in 0..40 {
            link.run_for(Duration::from_millis(500));
            while let Some(event) = link.take(Side::A) {
                match event {
                    Event::Answered { .. } => answered += 1,
                    Event::Ended { .. } => ends += 1,
                    Event::TargetFailed { .. } => moved += 1,
                    _ => {}
                }
            }
            while let Some(event) = link.take(Side::B) {
                match event {
                    Event::Incoming { session, .. } => {
                        theirs.insert(session);
                        let now = link.now;
                        // Our CANCEL may have come since.
                        let _ = link.b.answer(now, session, offer_of(Side::B));
                    }
                    Event::Ended { session, .. } => drop(theirs.remove(&session)),
                    _ => {}
                }
            }
        }
        link.run_for(Duration::from_secs(80));
        let alive = link.a.session_count();
        assert_eq!(alive, link.b.session_count(), "seed {seed}: {theirs:?}");
        assert_eq!(alive + ends, 1, "seed {seed}");
        link.a.hang_up(link.now, ours);
        link.assert_forgotten();
    }
    assert!(moved > 100 && answered > 250, "{moved} {answered}");
}
