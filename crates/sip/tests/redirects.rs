//! Calls that a 3xx sends elsewhere (RFC 3261 §8.1.3.4), and those that go nowhere else.

mod wire;

use std::time::Duration;

use sip::{Disposition, Event, Flow, Input, Invite, Redirects, SessionEnd, SessionId, Transport};
use wire::{CONTACT, SDP, Wire, field, firsts, flow, invite_to, response, tag};

const MOVED: &str = "302 Moved Temporarily";
const NUMBER: &str = "sip:+15550100@trunk.test";
const THERE: &str = "sip:+15550100@other.test";
const CHALLENGE: &str = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\n";

fn allowed() -> Redirects {
    Redirects::To(vec!["other.test".into(), "Third.test".into(), "198.51.100.7".into(), "2001:db8::7".into()])
}

/// A call to `NUMBER` that may be redirected, and its INVITE.
fn call(wire: &mut Wire, redirects: Redirects) -> (SessionId, String) {
    let invite = Invite { request_uri: NUMBER.into(), redirects, ..invite_to(wire.flow) };
    let session = wire.agent.invite(wire.now, invite);
    (session, wire.sent().remove(0))
}

fn contacts(uris: &[&str]) -> String {
    uris.iter().map(|uri| format!("Contact: {uri}\n")).collect()
}

/// The URI that the shell is asked for.
fn asked(wire: &mut Wire) -> String {
    let events = wire.events();
    let [.., Event::Locate { uri, .. }] = &events[..] else { panic!("{events:?}") };
    uri.clone()
}

fn elsewhere(last: u8) -> Flow {
    Flow { remote: ([198, 51, 100, last], 5060).into(), ..flow() }
}

/// How a call ended; its only event.
fn ended(wire: &mut Wire) -> SessionEnd {
    let mut events = wire.events();
    match events.pop() {
        Some(Event::Ended { end, .. }) if events.is_empty() => end,
        last => panic!("{events:?} {last:?}"),
    }
}

fn is_moved(end: &SessionEnd) -> bool {
    matches!(end, SessionEnd::Rejected { status: 302, disposition: Disposition::Redirected, .. })
}

// RFC 3261 §8.1.3.4.
#[test]
fn a_redirection_is_followed_where_the_trunk_may_redirect() {
    let mut wire = Wire::new();
    let (session, first) = call(&mut wire, allowed());
    let sent = wire.receive(&response(&first, MOVED, "a", &contacts(&[&format!("<{THERE}>")]), ""));
    assert_eq!(firsts(&sent), [format!("ACK {NUMBER} SIP/2.0")]);
    assert_eq!(asked(&mut wire), THERE);
    wire.agent.located(wire.now, session, THERE, Some(elsewhere(7)));
    let (path, second) = wire.sent_by_path().remove(0);
    assert_eq!((path, second.lines().next()), (elsewhere(7), Some(format!("INVITE {THERE} SIP/2.0").as_str())));
    for same in ["From", "To", "Call-ID", "Contact", "Content-Length"] {
        assert_eq!(field(&first, same), field(&second, same));
    }
    assert_eq!((field(&second, "CSeq"), tag(&second, "To")), (Some("2 INVITE"), ""));
    wire.receive(&response(&second, "200 OK", "b", CONTACT, SDP));
    assert!(matches!(wire.events()[..], [Event::Answered { .. }]));
    wire.agent.hang_up(wire.now, session);
    assert_eq!(firsts(&wire.sent()), ["BYE sip:them@192.0.2.2:5060 SIP/2.0"]);
    wire.wait(Duration::from_secs(100));
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

#[test]
fn by_default_a_redirection_ends_the_call() {
    let mut wire = Wire::new();
    let (_, first) = call(&mut wire, Redirects::default());
    wire.receive(&response(&first, MOVED, "a", &contacts(&[&format!("<{THERE}>")]), ""));
    assert!(is_moved(&ended(&mut wire)));
}

#[test]
fn only_the_host_may_change_and_only_to_one_that_is_allowed() {
    for (contact, followed) in [
        ("<sip:+15550100@OTHER.test:5070;transport=tcp>", true),
        ("<sip:+15550100;npdi;rn=+15550900@third.test;user=phone>;q=0.5", true),
        ("<sip:+15550100@[2001:db8::7]>", true),
        ("<sips:+15550100@other.test>", true),
        ("<sip:+15550100@evil.test>", false),
        ("<sip:+15550100@other.test.evil.test>", false),
        ("<sip:+19005550100@other.test>", false),
        ("<sip:other.test>", false),
        ("<sip:+15550100@other.test;maddr=203.0.113.66>", false),
        ("<sip:+15550100@other.test?Route=%3Csip:evil.test%3E>", false),
        ("<tel:+15550100>", false),
        ("<https://other.test/+15550100>", false),
        ("*", false),
        ("rubbish", false),
    ] {
        let mut wire = Wire::new();
        let (_, first) = call(&mut wire, allowed());
        let sent = wire.receive(&response(&first, MOVED, "a", &contacts(&[contact]), ""));
        assert_eq!(firsts(&sent), [format!("ACK {NUMBER} SIP/2.0")], "{contact}");
        if followed {
            assert_eq!(format!("<{}", asked(&mut wire)), contact.split('>').next().unwrap());
        } else {
            assert!(is_moved(&ended(&mut wire)), "{contact}");
        }
    }
}

// RFC 3261 §8.1.3.4, §21.3.4, §21.3.5.
#[test]
fn without_contacts_or_as_another_kind_it_is_a_refusal() {
    let mut wire = Wire::new();
    let (_, first) = call(&mut wire, allowed());
    wire.receive(&response(&first, MOVED, "a", "", ""));
    assert!(is_moved(&ended(&mut wire)));
    for status in ["305 Use Proxy", "380 Alternative Service"] {
        let mut wire = Wire::new();
        let (_, first) = call(&mut wire, allowed());
        wire.receive(&response(&first, status, "a", &contacts(&[&format!("<{THERE}>")]), ""));
        let end = ended(&mut wire);
        assert!(matches!(end, SessionEnd::Rejected { disposition: Disposition::Redirected, .. }), "{end:?}");
    }
}

// RFC 3261 §8.1.3.4.
#[test]
fn a_loop_of_redirections_ends_and_so_does_a_long_chain() {
    let mut wire = Wire::new();
    let redirects = Redirects::To(vec!["trunk.test".into(), "other.test".into()]);
    let (session, first) = call(&mut wire, redirects);
    wire.receive(&response(&first, MOVED, "a", &contacts(&[&format!("<{THERE}>"), &format!("<{THERE}>")]), ""));
    assert_eq!(asked(&mut wire), THERE);
    wire.agent.located(wire.now, session, THERE, Some(elsewhere(7)));
    let second = wire.sent().remove(0);
    let back = contacts(&[&format!("<{NUMBER}>"), &format!("<{THERE}>")]);
    assert_eq!(wire.receive(&response(&second, MOVED, "b", &back, "")).len(), 1);
    assert!(is_moved(&ended(&mut wire)));

    let mut wire = Wire::new();
    let (session, mut invite) = call(&mut wire, allowed());
    for port in 1..=4 {
        let next = format!("{THERE}:{port}");
        wire.receive(&response(&invite, MOVED, "a", &contacts(&[&format!("<{next}>")]), ""));
        assert_eq!(asked(&mut wire), next);
        wire.agent.located(wire.now, session, &next, Some(elsewhere(7)));
        invite = wire.sent().remove(0);
    }
    wire.receive(&response(&invite, MOVED, "a", &contacts(&[&format!("<{THERE}:5>")]), ""));
    assert!(is_moved(&ended(&mut wire)));
}

/// Up to the INVITE at the first of three places, as `q` has them.
fn at_the_first_of_three(wire: &mut Wire) -> (SessionId, String) {
    let (session, first) = call(wire, allowed());
    let three = contacts(&[
        "<sip:+15550100@other.test:1>;q=0.1, <sip:+15550100@other.test:9>;q=0.9",
        "<sip:+15550100@evil.test>;q=1.0",
        "<sip:+15550100@other.test:5>;q=0.5",
    ]);
    wire.receive(&response(&first, "300 Multiple Choices", "a", &three, ""));
    assert_eq!(asked(wire), format!("{THERE}:9"));
    wire.agent.located(wire.now, session, &format!("{THERE}:9"), Some(elsewhere(9)));
    (session, wire.sent().remove(0))
}

// RFC 3261 §8.1.3.4.
#[test]
fn places_are_tried_in_the_order_of_q_when_one_fails() {
    let mut wire = Wire::new();
    let (session, at_nine) = at_the_first_of_three(&mut wire);
    wire.receive(&response(&at_nine, "503 Service Unavailable", "b", "", ""));
    assert_eq!(asked(&mut wire), format!("{THERE}:5"));
    wire.agent.located(wire.now, session, &format!("{THERE}:5"), Some(elsewhere(5)));
    wire.sent();
    wire.agent.handle_input(wire.now, Input::Unreachable { flow: elsewhere(5) });
    assert_eq!(asked(&mut wire), format!("{THERE}:1"));
    wire.agent.located(wire.now, session, &format!("{THERE}:1"), Some(elsewhere(1)));
    let at_one = wire.sent().remove(0);
    wire.receive(&response(&at_one, "500 Oops", "c", "", ""));
    assert!(matches!(ended(&mut wire), SessionEnd::Rejected { status: 500, .. }));
}

#[test]
fn a_callee_who_refuses_or_has_rung_is_not_tried_elsewhere() {
    for (rings, refusal) in [(false, "486 Busy Here"), (false, "603 Decline"), (true, "500 Oops")] {
        let mut wire = Wire::new();
        let (_, invite) = at_the_first_of_three(&mut wire);
        if rings {
            wire.receive(&response(&invite, "180 Ringing", "b", CONTACT, ""));
            wire.events();
        }
        wire.receive(&response(&invite, refusal, "b", "", ""));
        assert!(matches!(ended(&mut wire), SessionEnd::Rejected { .. }), "{refusal}");
    }
}

#[test]
fn a_host_that_nobody_finds_is_passed_over() {
    let mut wire = Wire::new();
    let (session, first) = call(&mut wire, allowed());
    let two = contacts(&[&format!("<{THERE}>"), "<sip:+15550100@third.test>"]);
    wire.receive(&response(&first, MOVED, "a", &two, ""));
    assert_eq!(asked(&mut wire), THERE);
    wire.agent.located(wire.now, session, "sip:+15550100@third.test", Some(elsewhere(3)));
    assert!(wire.sent().is_empty(), "that was not the question");
    wire.agent.located(wire.now, session, THERE, None);
    assert_eq!(asked(&mut wire), "sip:+15550100@third.test");
    assert!(wire.wait(Duration::from_millis(4990)).is_empty());
    assert!(wire.events().is_empty());
    wire.wait(Duration::from_millis(20));
    assert!(is_moved(&ended(&mut wire)), "the shell has had its time");
    wire.wait(Duration::from_secs(100));
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

#[test]
fn a_call_given_up_while_a_host_is_looked_up_is_over() {
    let mut wire = Wire::new();
    let (session, first) = call(&mut wire, allowed());
    wire.receive(&response(&first, MOVED, "a", &contacts(&[&format!("<{THERE}>")]), ""));
    wire.events();
    wire.agent.hang_up(wire.now, session);
    assert_eq!(ended(&mut wire), SessionEnd::Local);
    wire.agent.located(wire.now, session, THERE, Some(elsewhere(7)));
    assert!(wire.sent().is_empty());
    wire.wait(Duration::from_secs(100));
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

// RFC 3261 §22.1.
#[test]
fn our_credentials_stay_with_the_trunk() {
    let mut wire = Wire::new();
    let (session, first) = call(&mut wire, allowed());
    let second = wire.receive(&response(&first, "407 Who?", "a", CHALLENGE, "")).remove(1);
    assert!(field(&second, "Proxy-Authorization").is_some());
    wire.receive(&response(&second, MOVED, "a", &contacts(&[&format!("<{THERE}>")]), ""));
    wire.agent.located(wire.now, session, THERE, Some(elsewhere(7)));
    let third = wire.sent().remove(0);
    assert_eq!(field(&third, "Proxy-Authorization"), None);
    wire.events();
    assert_eq!(wire.receive(&response(&third, "407 Who?", "b", &CHALLENGE.replace("n1", "n2"), "")).len(), 1);
    assert!(matches!(ended(&mut wire), SessionEnd::Rejected { status: 407, .. }));
}

// RFC 3325 §5.
#[test]
fn who_calls_in_private_is_known_to_the_trunk_alone() {
    for (withheld, asserted) in [(true, None), (false, Some("<tel:+15550199>"))] {
        let mut wire = Wire::new();
        let presentation = sip::Presentation { withheld, asserted: Some("tel:+15550199".into()) };
        let invite = Invite { request_uri: NUMBER.into(), redirects: allowed(), presentation, ..invite_to(wire.flow) };
        let session = wire.agent.invite(wire.now, invite);
        let first = wire.sent().remove(0);
        assert_eq!(field(&first, "P-Asserted-Identity"), Some("<tel:+15550199>"));
        wire.receive(&response(&first, MOVED, "a", &contacts(&[&format!("<{THERE}>")]), ""));
        wire.agent.located(wire.now, session, THERE, Some(elsewhere(7)));
        assert_eq!(field(&wire.sent()[0], "P-Asserted-Identity"), asserted);
    }
}

#[test]
fn a_call_over_tls_is_never_redirected_to_less() {
    for (transport, followed) in [(Transport::Udp, false), (Transport::Tcp, false), (Transport::Tls, true)] {
        let mut wire = Wire::over(Transport::Tls);
        let (session, first) = call(&mut wire, allowed());
        wire.receive(&response(&first, MOVED, "a", &contacts(&[&format!("<{THERE}>")]), ""));
        asked(&mut wire);
        wire.agent.located(wire.now, session, THERE, Some(Flow { transport, ..elsewhere(7) }));
        assert_eq!(wire.sent().len(), usize::from(followed), "{transport:?}");
        if !followed {
            assert!(is_moved(&ended(&mut wire)));
        }
    }
}
