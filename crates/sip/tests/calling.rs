//! The calling side, message by message.

mod wire;

use std::time::Duration;

use sip::sdp::Direction;
use sip::{Credentials, Disposition, Event, Input, Invite, Register, SessionEnd, SessionId};
use wire::{CONTACT, SDP, Wire, called_out, calling, description, field, firsts, flow, of_theirs, response, tag};

const RINGING: &str = "180 Ringing";
const CHALLENGE: &str = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\n";

fn credentials() -> Option<Credentials> {
    Some(Credentials::new("alice", "secret"))
}

fn established(wire: &mut Wire) -> (SessionId, String) {
    called_out(wire, "")
}

// RFC 3261 §8.1.1.6, §8.1.1.7, §19.3.
#[test]
fn an_invite_has_all_that_rfc_3261_demands() {
    let (_, invite) = calling(&mut Wire::new());
    assert!(
        invite.starts_with("INVITE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-")
    );
    assert!(field(&invite, "Via").unwrap().ends_with(";rport"));
    assert!(field(&invite, "From").unwrap().starts_with("<sip:alice@example.test>;tag="));
    assert_eq!(field(&invite, "To"), Some("<sip:bob@example.test>"));
    assert_eq!(field(&invite, "CSeq"), Some("1 INVITE"));
    assert_eq!(field(&invite, "Max-Forwards"), Some("70"));
    assert_eq!(field(&invite, "Contact"), Some("<sip:alice@192.0.2.1:5060>"));
    assert_eq!(field(&invite, "Content-Type"), Some("application/sdp"));
}

#[test]
fn progress_is_told_even_without_a_to_tag_and_with_broken_early_media() {
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    wire.receive(&response(&invite, "100 Trying", "", "", ""));
    assert!(wire.events().is_empty());
    wire.receive(&response(&invite, "183 Here it comes", "", "", SDP));
    assert!(
        matches!(&wire.events()[..], [Event::Progress { status: 183, reason, description: Some(_), .. }] if reason == "Here it comes")
    );
    wire.receive(&response(&invite, "183 x", "fork", "", "rubbish"));
    assert!(matches!(wire.events()[..], [Event::Progress { description: None, .. }]));
}

// RFC 3261 §17.1.1.2.
#[test]
fn silence_is_unanswered_after_timer_b() {
    let mut wire = Wire::new();
    calling(&mut wire);
    assert_eq!(wire.wait(Duration::from_secs(33)).len(), 6);
    assert!(matches!(
        wire.events()[..],
        [Event::TargetFailed { .. }, Event::Ended { end: SessionEnd::Unanswered { why: "timeout" }, .. }]
    ));
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

// RFC 3261 §18.4.
#[test]
fn an_unreachable_peer_is_known_at_once() {
    let mut wire = Wire::new();
    calling(&mut wire);
    wire.agent.handle_input(wire.now, Input::Unreachable { flow: flow() });
    assert!(matches!(
        wire.events()[..],
        [Event::TargetFailed { .. }, Event::Ended { end: SessionEnd::Unanswered { why: "unreachable" }, .. }]
    ));
    assert_eq!(wire.agent.transaction_count(), 0);
}

// RFC 3261 §17.1.1.3.
#[test]
fn a_refusal_is_acknowledged_and_told_as_it_was_sent() {
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    let busy = response(&invite, "486 Besetzt", "b", "Reason: Q.850;cause=17\n", "");
    let sent = wire.receive(&busy);
    assert_eq!(firsts(&sent), ["ACK sip:bob@example.test SIP/2.0"]);
    assert_eq!(field(&sent[0], "Via"), field(&invite, "Via"), "the ACK of a refusal has the branch of its INVITE");
    assert_eq!(tag(&sent[0], "To"), "b");
    let events = wire.events();
    let [Event::Ended { end: SessionEnd::Rejected { status: 486, reason, reason_header, disposition }, .. }] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((reason.as_str(), reason_header.as_deref()), ("Besetzt", Some("Q.850;cause=17")));
    assert_eq!(*disposition, Disposition::Busy { after: None });
    assert_eq!(wire.receive(&busy).len(), 1, "acknowledged again");
    assert!(wire.events().is_empty());
}

/// A call of ours whose offer has G.722 beside G.711.
fn calling_richly(wire: &mut Wire) -> String {
    let mut offer = description(4000, Direction::SendRecv);
    offer.media[0].formats.insert(0, "9".to_owned());
    let invite = Invite { offer, ..wire::invite_to(flow()) };
    wire.agent.invite(wire.now, invite);
    wire.sent().remove(0)
}

// RFC 3261 §21.4.26, §21.6.4.
#[test]
fn refused_media_are_offered_once_more_and_plainly() {
    for refusal in ["488 Not Acceptable Here", "606 Not Acceptable"] {
        let mut wire = Wire::new();
        let invite = calling_richly(&mut wire);
        assert!(invite.contains("m=audio 4000 RTP/AVP 9 0 8 101\r\n"));
        let sent = wire.receive(&response(&invite, refusal, "b", "", ""));
        assert_eq!(firsts(&sent), ["ACK sip:bob@example.test SIP/2.0", "INVITE sip:bob@example.test SIP/2.0"]);
        assert!(sent[1].contains("m=audio 4000 RTP/AVP 0 8 101\r\n") && field(&sent[1], "CSeq") == Some("2 INVITE"));
        assert!(wire.events().is_empty());
        assert_eq!(wire.receive(&response(&sent[1], refusal, "b", "", "")).len(), 1);
        let events = wire.events();
        let media = Disposition::Media;
        assert!(
            matches!(&events[..], [Event::Ended { end: SessionEnd::Rejected { disposition, .. }, .. }] if *disposition == media),
            "{events:?}"
        );
    }
}

#[test]
fn an_offer_that_is_plain_is_refused_for_good() {
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    assert_eq!(wire.receive(&response(&invite, "488 Not Acceptable Here", "b", "", "")).len(), 1);
    assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Rejected { status: 488, .. }, .. }]));
}

#[test]
fn a_refusal_says_when_to_try_again() {
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    wire.receive(&response(&invite, "480 Away", "b", "Retry-After: 300 (lunch)\nReason: Q.850;cause=20\n", ""));
    let events = wire.events();
    let [Event::Ended { end: SessionEnd::Rejected { disposition, .. }, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*disposition, Disposition::Unavailable { after: Some(Duration::from_secs(300)) });
}

// RFC 3261 §22.2, §22.3.
#[test]
fn a_challenge_is_answered_once_with_a_new_cseq_and_branch() {
    let mut wire = Wire::new();
    let (_, first) = calling(&mut wire);
    let sent = wire.receive(&response(&first, "407 Proxy Authentication Required", "p", CHALLENGE, ""));
    assert_eq!(firsts(&sent), ["ACK sip:bob@example.test SIP/2.0", "INVITE sip:bob@example.test SIP/2.0"]);
    let second = &sent[1];
    assert_eq!(field(second, "CSeq"), Some("2 INVITE"));
    assert_eq!((field(second, "Call-ID"), field(second, "From")), (field(&first, "Call-ID"), field(&first, "From")));
    assert_eq!(field(second, "To"), Some("<sip:bob@example.test>"));
    assert_ne!(field(second, "Via"), field(&first, "Via"));
    let authorization = field(second, "Proxy-Authorization").unwrap();
    assert!(authorization.contains("uri=\"sip:bob@example.test\"") && authorization.contains("nc=00000001"));
    assert!(wire.events().is_empty());
    let again = response(second, "407 Proxy Authentication Required", "p", &CHALLENGE.replace("n1", "n2"), "");
    assert_eq!(firsts(&wire.receive(&again)), ["ACK sip:bob@example.test SIP/2.0"]);
    assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Rejected { status: 407, .. }, .. }]));
}

// RFC 3261 §22.1.
#[test]
fn the_ack_of_a_challenged_call_carries_its_credentials() {
    let mut wire = Wire::new();
    let (session, first) = calling(&mut wire);
    let sent = wire.receive(&response(&first, "407 Proxy Authentication Required", "p", CHALLENGE, ""));
    let acks = wire.receive(&response(&sent[1], "200 OK", "b", CONTACT, SDP));
    assert_eq!(field(&acks[0], "Proxy-Authorization"), field(&sent[1], "Proxy-Authorization"));
    assert_eq!(field(&acks[0], "CSeq"), Some("2 ACK"));
    wire.agent.hang_up(wire.now, session);
    assert!(field(&wire.sent()[0], "Proxy-Authorization").unwrap().contains("nc=00000002"));
}

// RFC 3261 §13.2.2.4, RFC 6026 §7.2.
#[test]
fn every_repeated_200_is_acknowledged_again() {
    let mut wire = Wire::new();
    let (session, invite) = established(&mut wire);
    let ok = response(&invite, "200 OK", "b", CONTACT, SDP);
    assert_eq!(firsts(&wire.receive(&ok)), ["ACK sip:them@192.0.2.2:5060 SIP/2.0"]);
    wire.agent.hang_up(wire.now, session);
    let bye = wire.sent().remove(0);
    wire.receive(&response(&bye, "200 OK", "", "", ""));
    assert_eq!(firsts(&wire.receive(&ok)), ["ACK sip:them@192.0.2.2:5060 SIP/2.0"], "even after the end");
    wire.wait(Duration::from_secs(40));
    assert!(wire.receive(&ok).is_empty());
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

// RFC 3261 §13.2.2.4.
#[test]
fn a_second_answer_of_a_fork_is_acknowledged_and_ended() {
    let mut wire = Wire::new();
    let (_, invite) = established(&mut wire);
    let other = response(&invite, "200 OK", "c", "Contact: <sip:other@192.0.2.9>\n", SDP);
    let sent = wire.receive(&other);
    assert_eq!(firsts(&sent), ["ACK sip:other@192.0.2.9 SIP/2.0", "BYE sip:other@192.0.2.9 SIP/2.0"]);
    assert_eq!((tag(&sent[0], "To"), tag(&sent[1], "To")), ("c", "c"));
    assert_eq!(firsts(&wire.receive(&other)), ["ACK sip:other@192.0.2.9 SIP/2.0"]);
    assert!(wire.events().is_empty());
    assert_eq!(wire.agent.session_count(), 1);
}

#[test]
fn an_answer_without_a_usable_description_ends_the_call() {
    for body in ["", "rubbish"] {
        let mut wire = Wire::new();
        let (_, invite) = calling(&mut wire);
        let sent = wire.receive(&response(&invite, "200 OK", "b", CONTACT, body));
        assert_eq!(firsts(&sent), ["ACK sip:them@192.0.2.2:5060 SIP/2.0", "BYE sip:them@192.0.2.2:5060 SIP/2.0"]);
        assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Failed { .. }, .. }]));
    }
}

#[test]
fn an_answer_may_leave_its_description_to_the_183_before() {
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    wire.receive(&response(&invite, "183 Session Progress", "b", CONTACT, SDP));
    wire.receive(&response(&invite, "200 OK", "b", CONTACT, ""));
    assert!(matches!(wire.events()[..], [Event::Progress { .. }, Event::Answered { .. }]));
}

// RFC 3261 §9.1.
#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut wire = Wire::new();
    let (session, invite) = calling(&mut wire);
    wire.agent.hang_up(wire.now, session);
    assert!(wire.sent().is_empty());
    assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Local, .. }]));
    let sent = wire.receive(&response(&invite, "100 Trying", "", "", ""));
    assert_eq!(firsts(&sent), ["CANCEL sip:bob@example.test SIP/2.0"]);
    for name in ["Via", "From", "To", "Call-ID"] {
        assert_eq!(field(&sent[0], name), field(&invite, name));
    }
    assert_eq!(field(&sent[0], "CSeq"), Some("1 CANCEL"));
    wire.receive(&response(&sent[0], "200 OK", "b", "", ""));
    assert_eq!(
        firsts(&wire.receive(&response(&invite, "487 Request Terminated", "b", "", ""))),
        ["ACK sip:bob@example.test SIP/2.0"]
    );
    wire.wait(Duration::from_secs(40));
    assert_eq!(wire.agent.transaction_count(), 0);
}

// RFC 3261 §9.1, §15.
#[test]
fn a_200_that_crosses_cancel_is_acknowledged_and_ended() {
    let mut wire = Wire::new();
    let (session, invite) = calling(&mut wire);
    wire.receive(&response(&invite, RINGING, "b", CONTACT, ""));
    wire.agent.hang_up(wire.now, session);
    assert_eq!(firsts(&wire.sent()), ["CANCEL sip:bob@example.test SIP/2.0"]);
    let sent = wire.receive(&response(&invite, "200 OK", "b", CONTACT, SDP));
    assert_eq!(firsts(&sent), ["ACK sip:them@192.0.2.2:5060 SIP/2.0", "BYE sip:them@192.0.2.2:5060 SIP/2.0"]);
}

// RFC 3261 §9.1.
#[test]
fn a_canceled_call_without_final_response_is_dropped() {
    let mut wire = Wire::new();
    let (session, invite) = calling(&mut wire);
    wire.receive(&response(&invite, RINGING, "b", CONTACT, ""));
    wire.agent.hang_up(wire.now, session);
    wire.wait(Duration::from_secs(70));
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

#[test]
fn our_offer_is_answered_or_refused() {
    let mut wire = Wire::new();
    let (session, _) = established(&mut wire);
    wire.agent.offer(wire.now, session, description(4000, Direction::SendOnly)).unwrap();
    assert!(wire.agent.offer(wire.now, session, description(4000, Direction::SendRecv)).is_err());
    let hold = wire.sent().remove(0);
    assert!(hold.starts_with("INVITE sip:them@192.0.2.2:5060 SIP/2.0\r\n") && hold.contains("a=sendonly"));
    assert_eq!((field(&hold, "CSeq"), tag(&hold, "To")), (Some("2 INVITE"), "b"));
    assert_eq!(wire.receive(&response(&hold, "200 OK", "", CONTACT, SDP)).len(), 1);
    assert!(matches!(wire.events()[..], [Event::OfferAnswered { status: 200, description: Some(_), .. }]));
    wire.agent.offer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    let resume = wire.sent().remove(0);
    wire.receive(&response(&resume, "488 No", "", "", ""));
    assert!(matches!(wire.events()[..], [Event::OfferAnswered { status: 488, description: None, .. }]));
    assert_eq!(wire.agent.session_count(), 1);
}

// RFC 3261 §14.1.
#[test]
fn a_pending_offer_is_tried_again_after_a_random_wait() {
    let mut wire = Wire::new();
    let (session, _) = established(&mut wire);
    wire.agent.offer(wire.now, session, description(4000, Direction::SendOnly)).unwrap();
    let first = wire.sent().remove(0);
    wire.receive(&response(&first, "491 Request Pending", "", "", ""));
    assert!(wire.wait(Duration::from_millis(2090)).is_empty(), "2.1 to 4 s, because the Call-ID is ours");
    let sent = wire.wait(Duration::from_millis(1920));
    assert_eq!(firsts(&sent)[0], "INVITE sip:them@192.0.2.2:5060 SIP/2.0");
    assert_eq!(field(&sent[0], "CSeq"), Some("3 INVITE"));
}

// RFC 3261 §12.2.1.2.
#[test]
fn a_peer_that_forgot_the_call_ends_it() {
    let mut wire = Wire::new();
    let (session, _) = established(&mut wire);
    wire.agent.info(wire.now, session, "application/dtmf", b"5").unwrap();
    let info = wire.sent().remove(0);
    assert!(wire.receive(&response(&info, "481 Gone", "", "", "")).is_empty());
    assert!(matches!(
        wire.events()[..],
        [Event::InfoAnswered { .. }, Event::Ended { end: SessionEnd::Failed { status: Some(481), .. }, .. }]
    ));
}

#[test]
fn a_peer_that_falls_silent_within_the_call_ends_it() {
    let mut wire = Wire::new();
    let (session, _) = established(&mut wire);
    wire.agent.info(wire.now, session, "application/dtmf", b"5").unwrap();
    wire.wait(Duration::from_secs(33));
    assert!(matches!(
        wire.events()[..],
        [Event::InfoAnswered { .. }, Event::Ended { end: SessionEnd::Failed { status: None, .. }, .. }]
    ));
    wire.wait(Duration::from_secs(100));
    assert_eq!(wire.agent.transaction_count(), 0);
}

#[test]
fn their_bye_and_hold_reach_a_call_of_ours() {
    let mut wire = Wire::new();
    let (session, invite) = established(&mut wire);
    wire.receive(&of_theirs(&invite, "INVITE", "1", 100, "", SDP));
    assert!(matches!(wire.events()[..], [Event::Offer { offer: Some(_), .. }]));
    wire.agent.answer_offer(wire.now, session, description(4000, Direction::RecvOnly)).unwrap();
    assert_eq!(firsts(&wire.sent()), ["SIP/2.0 200 OK"]);
    wire.receive(&of_theirs(&invite, "ACK", "2", 100, "", ""));
    assert_eq!(firsts(&wire.receive(&of_theirs(&invite, "BYE", "3", 101, "", ""))), ["SIP/2.0 200 OK"]);
    assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Bye { .. }, .. }]));
}

// RFC 3261 §12.1.2, §12.2.1.1.
#[test]
fn a_record_route_is_followed() {
    let mut wire = Wire::new();
    let (session, invite) = calling(&mut wire);
    let more = format!("Record-Route: <sip:192.0.2.20;lr>, <sip:192.0.2.2;lr>\n{CONTACT}");
    let ack = wire.receive(&response(&invite, "200 OK", "b", &more, SDP)).remove(0);
    assert_eq!(field(&ack, "Route"), Some("<sip:192.0.2.2;lr>"));
    wire.agent.hang_up(wire.now, session);
    let bye = wire.sent().remove(0);
    let routes: Vec<_> = bye.lines().filter(|line| line.starts_with("Route: ")).collect();
    assert_eq!(routes, ["Route: <sip:192.0.2.2;lr>", "Route: <sip:192.0.2.20;lr>"]);
    assert!(bye.starts_with("BYE sip:them@192.0.2.2:5060 SIP/2.0"));
}

#[test]
fn options_are_answered_or_met_with_silence() {
    let mut wire = Wire::new();
    wire.agent.options(wire.now, flow(), "sip:trunk.test");
    let options = wire.sent().remove(0);
    wire.receive(&response(&options, "200 OK", "b", "", ""));
    assert!(matches!(wire.events()[..], [Event::OptionsAnswered { status: Some(200), .. }]));
    wire.agent.options(wire.now, flow(), "sip:trunk.test");
    wire.wait(Duration::from_secs(33));
    assert!(matches!(wire.events()[..], [Event::OptionsAnswered { status: None, .. }]));
}

// Registration.

fn registering(wire: &mut Wire) -> String {
    let register = Register {
        hops: vec![flow().into()],
        registrar: "sip:trunk.test".into(),
        address_of_record: "sip:alice@trunk.test".into(),
        contact_user: "alice".into(),
        credentials: credentials(),
        expires: Duration::from_secs(600),
        keep_alive: None,
        learns_address: false,
    };
    wire.agent.register(wire.now, register);
    wire.sent().remove(0)
}

// RFC 3261 §10.2.4.
#[test]
fn a_registration_obeys_the_time_granted() {
    let mut wire = Wire::new();
    let register = registering(&mut wire);
    assert!(register.starts_with("REGISTER sip:trunk.test SIP/2.0\r\n") && field(&register, "Expires") == Some("600"));
    let contacts = "Contact: <sip:other@192.0.2.77>;expires=3000, <sip:alice@192.0.2.1:5060;x=y>;expires=100\n";
    wire.receive(&response(&register, "200 OK", "r", contacts, ""));
    let events = wire.events();
    let [Event::Registered { expires, .. }, Event::ForeignBinding { contact, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((*expires, contact.as_str()), (Duration::from_secs(100), "sip:other@192.0.2.77"));
    assert!(wire.wait(Duration::from_secs(49)).is_empty());
    let refresh = wire.wait(Duration::from_secs(32));
    assert_eq!(field(&refresh[0], "CSeq"), Some("2 REGISTER"));
    assert_eq!(field(&refresh[0], "Call-ID"), field(&register, "Call-ID"));
}

#[test]
fn too_brief_an_interval_is_lengthened() {
    let mut wire = Wire::new();
    let register = registering(&mut wire);
    let sent = wire.receive(&response(&register, "423 Interval Too Brief", "r", "Min-Expires: 1800\n", ""));
    assert_eq!(field(&sent[0], "Expires"), Some("1800"));
}

#[test]
fn failures_are_retried_with_growing_waits_and_403_is_final() {
    let mut wire = Wire::new();
    let mut register = registering(&mut wire);
    for (least, most) in [(15, 30), (30, 60), (60, 120)] {
        wire.receive(&response(&register, "500 Oops", "r", "", ""));
        let events = wire.events();
        let [Event::RegistrationFailed { status: Some(500), retry_in: Some(wait), .. }] = &events[..] else {
            panic!("{events:?}")
        };
        assert!((least..=most).contains(&wait.as_secs()), "{wait:?}");
        register = wire.wait(*wait).remove(0);
    }
    wire.receive(&response(&register, "503 Busy", "r", "Retry-After: 500 (later)\n", ""));
    assert!(
        matches!(wire.events()[..], [Event::TargetFailed { .. }, Event::RegistrationFailed { retry_in: Some(wait), .. }] if wait == Duration::from_secs(500))
    );
    register = wire.wait(Duration::from_secs(500)).remove(0);
    wire.receive(&response(&register, "403 Forbidden", "r", "", ""));
    assert!(matches!(
        wire.events()[..],
        [Event::TargetAnswered { .. }, Event::RegistrationFailed { status: Some(403), retry_in: None, .. }]
    ));
    assert!(wire.wait(Duration::from_secs(10_000)).is_empty());
}

#[test]
fn the_answer_to_an_info_is_told_and_a_challenge_is_none() {
    let mut wire = Wire::new();
    let (session, invite) = calling(&mut wire);
    let invite = wire.receive(&response(&invite, "407 Proxy Authentication Required", "a", CHALLENGE, "")).remove(1);
    wire.receive(&response(&invite, "200 OK", "b", CONTACT, SDP));
    wire.events();
    let info = |wire: &mut Wire| {
        wire.agent.info(wire.now, session, "application/dtmf-relay", b"Signal=1").unwrap();
        wire.sent().remove(0)
    };
    let first = info(&mut wire);
    let aged = CHALLENGE.replace("nonce=\"n1", "nonce=\"n2");
    let again = wire.receive(&response(&first, "407 Proxy Authentication Required", "", &aged, ""));
    assert!(wire.events().is_empty());
    wire.receive(&response(&again[0], "200 OK", "", "", ""));
    assert!(matches!(wire.events()[..], [Event::InfoAnswered { status: Some(200), .. }]));
    let refused = info(&mut wire);
    wire.receive(&response(&refused, "415 Unsupported Media Type", "", "", ""));
    assert!(matches!(wire.events()[..], [Event::InfoAnswered { status: Some(415), .. }]));
    info(&mut wire);
    wire.agent.handle_input(wire.now, Input::Unreachable { flow: flow() });
    assert!(matches!(wire.events()[..], [Event::InfoAnswered { status: None, .. }]));
    info(&mut wire);
    wire.wait(Duration::from_secs(33));
    let events = wire.events();
    assert!(matches!(
        events[..],
        [Event::InfoAnswered { status: None, .. }, Event::Ended { end: SessionEnd::Failed { .. }, .. }]
    ));
}
