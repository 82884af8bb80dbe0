//! The called side, message by message.

mod wire;

use std::time::Duration;

use sip::sdp::Direction;
use sip::{Config, DigestAlgorithm, Event, Registrar, SessionEnd, SessionId};
use wire::{SDP, Wire, called_in, description, field, firsts, request, tag};

const OK: &str = "SIP/2.0 200 OK";

/// An answered and acknowledged call: its session and our tag.
fn established(wire: &mut Wire) -> (SessionId, String) {
    let (session, to_tag, _) = called_in(wire, "");
    (session, to_tag)
}

// RFC 3261 §13.3.1.1, §12.1.1.
#[test]
fn a_call_rings_is_answered_and_hung_up_by_the_caller() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "Record-Route: <sip:192.0.2.2;lr>\n", SDP));
    let session = wire.incoming();
    wire.agent.progress(wire.now, session, 180, None).unwrap();
    let ringing = wire.sent().remove(0);
    assert!(ringing.starts_with("SIP/2.0 180 Ringing\r\n"));
    assert_eq!(field(&ringing, "Contact"), Some("<sip:us@192.0.2.1:5060>"));
    assert_eq!(field(&ringing, "Record-Route"), Some("<sip:192.0.2.2;lr>"));
    assert_eq!(
        field(&ringing, "Via"),
        Some("SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK1;received=192.0.2.2;rport=5060")
    );
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    let answer = wire.sent().remove(0);
    assert!(answer.starts_with("SIP/2.0 200 OK\r\n") && answer.contains("m=audio 4000 RTP/AVP"));
    let to_tag = tag(&ringing, "To");
    assert!(!to_tag.is_empty());
    assert_eq!(to_tag, tag(&answer, "To"));
    wire.receive(&request("ACK", "2", 1, to_tag, "", ""));
    wire.events();
    let sent = wire.receive(&request("BYE", "3", 2, to_tag, "Reason: Q.850;cause=16\n", ""));
    assert_eq!(firsts(&sent), [OK]);
    let events = wire.events();
    let [Event::Ended { end: SessionEnd::Bye { reason_header: Some(reason) }, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(reason, "Q.850;cause=16");
    assert_eq!(
        firsts(&wire.receive(&request("BYE", "3", 2, to_tag, "", ""))),
        [OK],
        "a repeated BYE gets the same answer"
    );
    assert_eq!(
        firsts(&wire.receive(&request("BYE", "4", 3, to_tag, "", ""))),
        ["SIP/2.0 481 Call/Transaction Does Not Exist"]
    );
}

// RFC 3261 §17.2.1, §17.2.3.
#[test]
fn a_repeated_invite_is_one_call_and_gets_the_last_answer_again() {
    let mut wire = Wire::new();
    let invite = request("INVITE", "1", 1, "", "", SDP);
    assert!(wire.receive(&invite).is_empty());
    assert_eq!(firsts(&wire.wait(Duration::from_millis(250))), ["SIP/2.0 100 Trying"]);
    assert_eq!(firsts(&wire.receive(&invite)), ["SIP/2.0 100 Trying"]);
    assert_eq!(wire.events().len(), 1);
}

// RFC 3261 §8.2.2.2.
#[test]
fn the_same_invite_by_another_path_is_merged() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "", SDP));
    assert_eq!(firsts(&wire.receive(&request("INVITE", "2", 1, "", "", SDP))), ["SIP/2.0 482 Loop Detected"]);
}

// RFC 3261 §13.3.1.4.
#[test]
fn an_answer_is_repeated_until_its_ack() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "", SDP));
    let session = wire.incoming();
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    assert_eq!(wire.wait(Duration::from_millis(3600)).len(), 4, "at 0, 500, 1500 and 3500 ms");
    assert_eq!(wire.receive(&request("INVITE", "1", 1, "", "", SDP)).len(), 0, "absorbed (RFC 6026)");
}

// RFC 3261 §13.3.1.4.
#[test]
fn without_an_ack_the_call_is_given_up_with_bye() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "", SDP));
    let session = wire.incoming();
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    let sent = wire.wait(Duration::from_millis(32_000));
    assert!(sent.last().unwrap().starts_with("BYE sip:them@192.0.2.2 SIP/2.0\r\n"));
    assert!(matches!(
        wire.events()[..],
        [Event::Ended { end: SessionEnd::Failed { status: None, why: "no ACK for our answer" }, .. }]
    ));
}

// RFC 3261 §15.
#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "", SDP));
    let session = wire.incoming();
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    let to_tag = tag(&wire.sent()[0], "To").to_owned();
    wire.agent.hang_up(wire.now, session);
    assert!(wire.sent().is_empty());
    assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Local, .. }]));
    let sent = wire.receive(&request("ACK", "2", 1, &to_tag, "", ""));
    assert_eq!(firsts(&sent), ["BYE sip:them@192.0.2.2 SIP/2.0"]);
}

// RFC 3261 §9.2.
#[test]
fn cancel_ends_a_ringing_call_with_487() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "", SDP));
    wire.incoming();
    let sent = wire.receive(&request("CANCEL", "1", 1, "", "Reason: SIP;cause=200;text=\"elsewhere\"\n", ""));
    assert_eq!(firsts(&sent), [OK, "SIP/2.0 487 Request Terminated"]);
    assert!(matches!(&wire.events()[..], [Event::Ended { end: SessionEnd::Canceled { reason_header: Some(_) }, .. }]));
    assert!(wire.receive(&request("ACK", "1", 1, tag(&sent[1], "To"), "", "")).is_empty());
    assert!(wire.wait(Duration::from_secs(40)).is_empty(), "the 487 is acknowledged");
    assert_eq!(wire.agent.transaction_count(), 0);
}

// RFC 3261 §9.2.
#[test]
fn cancel_after_the_answer_has_no_effect() {
    let mut wire = Wire::new();
    let (_, to_tag) = established(&mut wire);
    assert_eq!(firsts(&wire.receive(&request("CANCEL", "1", 1, "", "", ""))), [OK]);
    assert!(wire.events().is_empty());
    assert_eq!(firsts(&wire.receive(&request("OPTIONS", "5", 2, &to_tag, "", ""))), [OK]);
}

// RFC 3261 §9.2.
#[test]
fn cancel_of_nothing_is_481() {
    let sent = Wire::new().receive(&request("CANCEL", "1", 1, "", "", ""));
    assert_eq!(firsts(&sent), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
}

#[test]
fn a_refusal_is_repeated_until_its_ack_and_carries_the_headers_given() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "", SDP));
    let session = wire.incoming();
    let headers = vec![("Retry-After".to_owned(), "5".to_owned())];
    wire.agent.reject(wire.now, session, 486, headers).unwrap();
    let refusal = wire.sent().remove(0);
    assert!(refusal.starts_with("SIP/2.0 486 Busy Here\r\n") && field(&refusal, "Retry-After") == Some("5"));
    assert_eq!(wire.wait(Duration::from_millis(1600)).len(), 2);
    assert!(wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).is_err());
    wire.receive(&request("ACK", "1", 1, tag(&refusal, "To"), "", ""));
    assert!(wire.wait(Duration::from_secs(40)).is_empty());
}

// RFC 3264 §8.4.
#[test]
fn hold_and_resume_go_through_the_shell() {
    let mut wire = Wire::new();
    let (session, to_tag) = established(&mut wire);
    let hold = SDP.to_owned() + "a=sendonly\r\n";
    assert!(wire.receive(&request("INVITE", "3", 2, &to_tag, "", &hold)).is_empty());
    assert!(matches!(&wire.events()[..], [Event::Offer { offer: Some(_), .. }]));
    wire.agent.answer_offer(wire.now, session, description(4000, Direction::RecvOnly)).unwrap();
    let answer = wire.sent().remove(0);
    assert!(answer.starts_with(OK) && answer.contains("a=recvonly"));
    assert_eq!(wire.wait(Duration::from_millis(600)).len(), 1, "repeated until its ACK");
    wire.receive(&request("ACK", "4", 2, &to_tag, "", ""));
    assert!(wire.wait(Duration::from_secs(5)).is_empty());
    wire.receive(&request("UPDATE", "5", 3, &to_tag, "", SDP));
    assert!(matches!(&wire.events()[..], [Event::Offer { offer: Some(_), .. }]));
    wire.agent.answer_offer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    assert_eq!(firsts(&wire.wait(Duration::from_secs(5))), [OK], "an UPDATE needs no ACK");
}

// RFC 3261 §14.2.
#[test]
fn an_offer_without_description_is_answered_with_ours() {
    let mut wire = Wire::new();
    let (session, to_tag) = established(&mut wire);
    wire.receive(&request("INVITE", "3", 2, &to_tag, "", ""));
    assert!(matches!(&wire.events()[..], [Event::Offer { offer: None, .. }]));
    wire.agent.answer_offer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    wire.sent();
    wire.receive(&request("ACK", "4", 2, &to_tag, "", SDP));
    assert!(matches!(&wire.events()[..], [Event::Acknowledged { description: Some(_), .. }]));
}

#[test]
fn a_late_offer_takes_its_answer_from_the_ack() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "", ""));
    let session = wire.incoming();
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    let to_tag = tag(&wire.sent()[0], "To").to_owned();
    wire.receive(&request("ACK", "2", 1, &to_tag, "", SDP));
    assert!(matches!(&wire.events()[..], [Event::Acknowledged { description: Some(_), .. }]));
}

#[test]
fn a_late_offer_without_an_answer_ends_the_call() {
    for body in ["", "rubbish"] {
        let mut wire = Wire::new();
        wire.receive(&request("INVITE", "1", 1, "", "", ""));
        let session = wire.incoming();
        wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
        let to_tag = tag(&wire.sent()[0], "To").to_owned();
        let sent = wire.receive(&request("ACK", "2", 1, &to_tag, "", body));
        assert_eq!(firsts(&sent), ["BYE sip:them@192.0.2.2 SIP/2.0"]);
        assert!(matches!(&wire.events()[..], [Event::Ended { end: SessionEnd::Failed { .. }, .. }]));
    }
}

// RFC 3261 §14.2.
#[test]
fn an_offer_that_crosses_ours_is_pending_and_one_during_another_must_wait() {
    let mut wire = Wire::new();
    let (session, to_tag) = established(&mut wire);
    wire.agent.offer(wire.now, session, description(4000, Direction::SendOnly)).unwrap();
    wire.sent();
    for (method, branch, cseq) in [("INVITE", "3", 2), ("UPDATE", "4", 3)] {
        assert_eq!(
            firsts(&wire.receive(&request(method, branch, cseq, &to_tag, "", SDP))),
            ["SIP/2.0 491 Request Pending"]
        );
    }

    let mut wire = Wire::new();
    let (_, to_tag) = established(&mut wire);
    wire.receive(&request("INVITE", "3", 2, &to_tag, "", SDP));
    let sent = wire.receive(&request("INVITE", "4", 3, &to_tag, "", SDP));
    assert_eq!(firsts(&sent), ["SIP/2.0 500 Server Internal Error"]);
    assert!(field(&sent[0], "Retry-After").unwrap().parse::<u32>().unwrap() <= 10);
}

// RFC 3261 §14.1.
#[test]
fn a_refused_offer_leaves_the_session_as_it_was() {
    let mut wire = Wire::new();
    let (session, to_tag) = established(&mut wire);
    wire.receive(&request("INVITE", "3", 2, &to_tag, "", SDP));
    wire.agent.reject_offer(wire.now, session, 488).unwrap();
    assert_eq!(firsts(&wire.sent()), ["SIP/2.0 488 Not Acceptable Here"]);
    wire.receive(&request("ACK", "3", 2, &to_tag, "", ""));
    assert_eq!(wire.agent.session_count(), 1);
    assert_eq!(
        firsts(&wire.receive(&request("INVITE", "5", 3, &to_tag, "", "rubbish"))),
        ["SIP/2.0 488 Not Acceptable Here"]
    );
}

// RFC 3261 §15.1.2.
#[test]
fn bye_during_an_open_offer_answers_both() {
    let mut wire = Wire::new();
    let (_, to_tag) = established(&mut wire);
    wire.receive(&request("INVITE", "3", 2, &to_tag, "", SDP));
    let sent = wire.receive(&request("BYE", "4", 3, &to_tag, "", ""));
    assert_eq!(firsts(&sent), [OK, "SIP/2.0 487 Request Terminated"]);
}

// RFC 5407 §3.2.2.
#[test]
fn bye_crossing_bye_is_answered_200() {
    let mut wire = Wire::new();
    let (session, to_tag) = established(&mut wire);
    wire.agent.hang_up(wire.now, session);
    assert_eq!(firsts(&wire.sent()), ["BYE sip:them@192.0.2.2 SIP/2.0"]);
    assert_eq!(firsts(&wire.receive(&request("BYE", "3", 2, &to_tag, "", ""))), [OK]);
    assert_eq!(wire.events().len(), 1);
}

// RFC 5407 §3.1.4, RFC 3261 §15.1.2.
#[test]
fn bye_while_ringing_ends_the_invite_too() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "", SDP));
    let session = wire.incoming();
    wire.agent.progress(wire.now, session, 180, None).unwrap();
    let to_tag = tag(&wire.sent()[0], "To").to_owned();
    let sent = wire.receive(&request("BYE", "2", 2, &to_tag, "", ""));
    assert_eq!(firsts(&sent), [OK, "SIP/2.0 487 Request Terminated"]);
    assert!(matches!(&wire.events()[..], [Event::Ended { end: SessionEnd::Bye { .. }, .. }]));
}

// RFC 6086.
#[test]
fn info_is_answered_and_passed_on_unless_empty() {
    let mut wire = Wire::new();
    let (_, to_tag) = established(&mut wire);
    let info =
        request("INFO", "3", 2, &to_tag, "", "Signal=5\r\n").replace("application/sdp", "application/dtmf-relay");
    assert_eq!(firsts(&wire.receive(&info)), [OK]);
    let events = wire.events();
    let [Event::Info { content_type, body, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((content_type.as_str(), body.as_slice()), ("application/dtmf-relay", &b"Signal=5\r\n"[..]));
    assert_eq!(firsts(&wire.receive(&request("INFO", "4", 3, &to_tag, "", ""))), [OK]);
    assert!(wire.events().is_empty());
}

// RFC 6086 §4.2.2.
#[test]
fn an_info_of_a_package_is_refused_with_those_that_we_take() {
    let mut wire = Wire::new();
    let (_, to_tag) = established(&mut wire);
    let info = request("INFO", "3", 2, &to_tag, "Info-Package: keys\n", "Signal=5\r\n");
    let sent = wire.receive(&info.replace("application/sdp", "application/dtmf-relay"));
    assert_eq!((firsts(&sent)[0], field(&sent[0], "Recv-Info")), ("SIP/2.0 469 Bad Info Package", Some("")));
    assert!(wire.events().is_empty());
}

// RFC 3261 §12.2.2.
#[test]
fn a_cseq_that_does_not_rise_is_out_of_order() {
    let mut wire = Wire::new();
    let (_, to_tag) = established(&mut wire);
    wire.receive(&request("INFO", "3", 9, &to_tag, "", ""));
    assert_eq!(firsts(&wire.receive(&request("INFO", "4", 8, &to_tag, "", ""))), ["SIP/2.0 500 Server Internal Error"]);
    assert_eq!(firsts(&wire.receive(&request("BYE", "5", 10, &to_tag, "", ""))), [OK]);
}

// RFC 3261 §12.2.2.
#[test]
fn a_request_of_another_dialog_is_481_and_its_ack_nothing() {
    let mut wire = Wire::new();
    let (_, to_tag) = established(&mut wire);
    let foreign = request("BYE", "3", 2, &to_tag, "", "").replace(";tag=t\n", ";tag=other\n");
    assert_eq!(firsts(&wire.receive(&foreign)), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
    assert!(wire.receive(&request("ACK", "9", 7, "nobody", "", "")).is_empty());
    assert_eq!(wire.agent.session_count(), 1);
}

// RFC 3261 §12.2.
#[test]
fn our_requests_follow_a_changed_contact() {
    let mut wire = Wire::new();
    let (session, to_tag) = established(&mut wire);
    let moved = request("UPDATE", "3", 2, &to_tag, "", "")
        .replace("<sip:them@192.0.2.2>\nContent", "<sip:moved@192.0.2.3:5062>\nContent");
    let answer = wire.receive(&moved);
    assert_eq!(firsts(&answer), [OK]);
    wire.agent.info(wire.now, session, "application/dtmf", b"5").unwrap();
    let transmit = wire.agent.poll_transmit().unwrap();
    assert_eq!(transmit.flow.remote, "192.0.2.3:5062".parse().unwrap());
    assert!(transmit.payload.starts_with(b"INFO sip:moved@192.0.2.3:5062 SIP/2.0\r\n"));
}

// RFC 3261 §11.2, §20.1.
#[test]
fn options_tell_what_we_can() {
    let sent = Wire::new().receive(&request("OPTIONS", "1", 1, "", "", ""));
    assert_eq!(firsts(&sent), [OK]);
    assert_eq!(field(&sent[0], "Allow"), Some("INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK"));
    assert_eq!(field(&sent[0], "Accept"), Some("application/sdp"));
    assert!(field(&sent[0], "Supported").is_some());
}

#[test]
fn a_broken_or_encrypted_description_is_not_acceptable() {
    let sent = Wire::new().receive(&request("INVITE", "1", 1, "", "", "rubbish"));
    assert_eq!(firsts(&sent), ["SIP/2.0 488 Not Acceptable Here"]);
}

#[test]
fn while_refusing_or_full_a_new_call_gets_503() {
    let mut wire = Wire::with(Config { max_sessions: 1, ..Config::default() });
    wire.receive(&request("INVITE", "1", 1, "", "", SDP));
    let session = wire.incoming();
    let second = request("INVITE", "2", 1, "", "", SDP).replace("Call-ID: c1", "Call-ID: c2");
    let sent = wire.receive(&second);
    assert_eq!(firsts(&sent), ["SIP/2.0 503 Service Unavailable"]);
    assert_eq!(field(&sent[0], "Retry-After"), Some("10"));
    assert_eq!(wire.receive(&second), sent, "without memory the answer is the same");
    wire.agent.hang_up(wire.now, session);
    wire.agent.refuse_new(Some(Duration::from_secs(33)));
    wire.sent();
    assert_eq!(field(&wire.receive(&second)[0], "Retry-After"), Some("33"));
    wire.agent.refuse_new(None);
    wire.receive(&second);
    wire.incoming();
}

// RFC 3261 §22.1.
#[test]
fn a_registrar_challenges_calls_but_neither_ack_nor_cancel() {
    let registrar =
        Registrar { realm: "r".into(), users: vec![], algorithms: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5] };
    let mut wire = Wire::with(Config { registrar: Some(registrar), ..Config::default() });
    let sent = wire.receive(&request("INVITE", "1", 1, "", "", SDP));
    assert_eq!(firsts(&sent), ["SIP/2.0 401 Unauthorized"]);
    let offered: Vec<_> = sent[0].lines().filter(|line| line.starts_with("WWW-Authenticate: Digest ")).collect();
    assert!(offered[0].contains("algorithm=SHA-256") && offered[1].contains("algorithm=MD5"));
    assert!(wire.receive(&request("ACK", "1", 1, tag(&sent[0], "To"), "", "")).is_empty());
    assert_eq!(firsts(&wire.receive(&request("CANCEL", "1", 1, "", "", ""))), [OK]);
    assert!(wire.events().is_empty());
}

// RFC 3261 §13.3.1.1.
#[test]
fn a_long_ring_is_kept_alive_every_minute() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "", SDP));
    let session = wire.incoming();
    wire.agent.progress(wire.now, session, 180, None).unwrap();
    assert_eq!(firsts(&wire.wait(Duration::from_secs(125))), ["SIP/2.0 180 Ringing"; 3]);
}

#[test]
fn a_malicious_challenge_within_their_call_is_never_answered() {
    let mut wire = Wire::new();
    let (session, _) = established(&mut wire);
    wire.agent.hang_up(wire.now, session);
    let bye = wire.sent().remove(0);
    let challenge = wire::response(
        &bye,
        "407 Proxy Authentication Required",
        "",
        "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\n",
        "",
    );
    assert!(wire.receive(&challenge).is_empty());
}
