//! How sessions end on the wire: reasons (RFC 3326), forks (RFC 3261 §13.2.2.4), late offers and their BYE.

mod wire;

use std::time::Duration;

use sip::sdp::Direction;
use sip::{Config, Event, Input};
use wire::{
    CONTACT, SDP, Wire, called_in, called_out, calling, description, field, firsts, of_theirs, request, response, tag,
};

const REASON: &str = "Q.850;cause=31;text=\"media timeout\"";

#[test]
fn a_bye_says_that_the_call_was_cleared_or_what_the_shell_gave() {
    let mut wire = Wire::new();
    let (session, _) = called_out(&mut wire, "");
    wire.agent.hang_up(wire.now, session);
    assert_eq!(field(&wire.sent()[0], "Reason"), Some("Q.850;cause=16;text=\"Normal call clearing\""));
    let (session, ..) = called_in(&mut wire, "");
    wire.agent.hang_up_because(wire.now, session, REASON);
    assert_eq!(field(&wire.sent()[0], "Reason"), Some(REASON));
}

#[test]
fn a_cancel_has_the_reason_given_also_when_it_had_to_wait() {
    for early in [true, false] {
        let mut wire = Wire::new();
        let (session, invite) = calling(&mut wire);
        let ringing = response(&invite, "180 Ringing", "b", CONTACT, "");
        if early {
            wire.agent.hang_up_because(wire.now, session, REASON);
        }
        let mut sent = wire.receive(&ringing);
        if !early {
            wire.agent.hang_up_because(wire.now, session, REASON);
            sent = wire.sent();
        }
        assert_eq!(
            (firsts(&sent), field(&sent[0], "Reason")),
            (vec!["CANCEL sip:bob@example.test SIP/2.0"], Some(REASON))
        );
        let sent = wire.receive(&response(&invite, "200 OK", "b", CONTACT, SDP));
        assert_eq!(field(&sent[1], "Reason"), Some(REASON), "of the BYE where the 200 crosses");
    }
    let mut wire = Wire::new();
    let (session, invite) = calling(&mut wire);
    wire.receive(&response(&invite, "180 Ringing", "b", CONTACT, ""));
    wire.agent.hang_up(wire.now, session);
    assert_eq!(field(&wire.sent()[0], "Reason"), None, "nothing is known of why");
}

#[test]
fn a_reason_that_cannot_be_sent_is_left_out() {
    for reason in ["", "SIP;cause=200\r\nEvil: yes", &"x".repeat(257)] {
        let mut wire = Wire::new();
        let (session, _) = called_out(&mut wire, "");
        wire.agent.hang_up_because(wire.now, session, reason);
        let bye = wire.sent().remove(0);
        assert_eq!(field(&bye, "Reason"), Some("Q.850;cause=16;text=\"Normal call clearing\""));
    }
}

#[test]
fn a_failed_call_says_why() {
    let mut wire = Wire::new();
    called_out(&mut wire, "Session-Expires: 90;refresher=uas\n");
    let bye = wire.wait(Duration::from_secs(61)).remove(0);
    assert_eq!(field(&bye, "Reason"), Some("SIP;cause=408;text=\"session timer expired\""));
    let (_, invite) = calling(&mut wire);
    let sent = wire.receive(&response(&invite, "200 OK", "b", CONTACT, "rubbish"));
    assert!(field(&sent[1], "Reason").unwrap().starts_with("SIP;cause=488;"));
}

#[test]
fn of_several_forks_the_first_answer_is_the_call_and_each_other_ends() {
    let mut wire = Wire::with(Config { reliable_provisionals: true, ..Config::default() });
    let (session, invite) = calling(&mut wire);
    for (tag, port) in [("b", 5062), ("c", 5064), ("d", 5066)] {
        let more = format!("Contact: <sip:{tag}@192.0.2.2:{port}>\nRequire: 100rel\nRSeq: 1\n");
        let prack = wire.receive(&response(&invite, "183 Session Progress", tag, &more, SDP)).remove(0);
        assert!(prack.starts_with(&format!("PRACK sip:{tag}@192.0.2.2:{port} SIP/2.0")));
        wire.receive(&response(&prack, "200 OK", "", "", ""));
    }
    assert_eq!(wire.events().len(), 3);
    let answer =
        |tag: &str, port| response(&invite, "200 OK", tag, &format!("Contact: <sip:{tag}@192.0.2.2:{port}>\n"), SDP);
    let sent = wire.receive(&answer("c", 5064));
    assert_eq!(firsts(&sent), ["ACK sip:c@192.0.2.2:5064 SIP/2.0"]);
    for (tag, port) in [("b", 5062), ("d", 5066)] {
        let sent = wire.receive(&answer(tag, port));
        let (ack, bye) =
            (format!("ACK sip:{tag}@192.0.2.2:{port} SIP/2.0"), format!("BYE sip:{tag}@192.0.2.2:{port} SIP/2.0"));
        assert_eq!(firsts(&sent), [ack.as_str(), bye.as_str()]);
        assert_eq!(
            (field(&sent[0], "CSeq"), field(&sent[1], "CSeq")),
            (Some("1 ACK"), Some("3 BYE")),
            "after its PRACK"
        );
        assert_eq!(field(&sent[1], "Reason"), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
        assert_eq!(firsts(&wire.receive(&answer(tag, port))), [ack.as_str()], "repeated: no second BYE");
    }
    assert!(matches!(wire.events()[..], [Event::Answered { .. }]));
    wire.agent.hang_up(wire.now, session);
    assert_eq!(firsts(&wire.sent()), ["BYE sip:c@192.0.2.2:5064 SIP/2.0"]);
    wire.wait(Duration::from_secs(200));
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

#[test]
fn forks_that_answer_a_canceled_call_all_end() {
    let mut wire = Wire::new();
    let (session, invite) = calling(&mut wire);
    wire.receive(&response(&invite, "180 Ringing", "b", CONTACT, ""));
    wire.agent.hang_up(wire.now, session);
    wire.sent();
    for tag in ["b", "c"] {
        let sent = wire.receive(&response(&invite, "200 OK", tag, CONTACT, SDP));
        assert_eq!(firsts(&sent), ["ACK sip:them@192.0.2.2:5060 SIP/2.0", "BYE sip:them@192.0.2.2:5060 SIP/2.0"]);
    }
    wire.wait(Duration::from_secs(200));
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

#[test]
fn more_forks_than_can_be_remembered_are_not_answered() {
    let mut wire = Wire::new();
    let (_, invite) = called_out(&mut wire, "");
    let answered = (0..100)
        .filter(|fork| !wire.receive(&response(&invite, "200 OK", &format!("fork{fork}"), CONTACT, SDP)).is_empty());
    assert_eq!(answered.count(), 15, "sixteen with the call itself");
}

#[test]
fn a_late_offer_of_ours_is_open_until_the_ack() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "", ""));
    let session = wire.incoming();
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    let answer = wire.sent().remove(0);
    assert!(answer.contains("m=audio 4000"), "our offer is in the 200");
    let to_tag = tag(&answer, "To").to_owned();
    let crossing = wire.receive(&request("UPDATE", "2", 2, &to_tag, "", SDP));
    assert_eq!(firsts(&crossing), ["SIP/2.0 491 Request Pending"], "our offer is open until the ACK");
    wire.receive(&request("ACK", "3", 1, &to_tag, "", SDP));
    assert!(matches!(wire.events()[..], [Event::Acknowledged { description: Some(_), .. }]));
    assert!(wire.receive(&request("UPDATE", "4", 3, &to_tag, "", SDP)).is_empty());
    assert!(matches!(wire.events()[..], [Event::Offer { offer: Some(_), .. }]));
}

#[test]
fn an_offer_that_the_shell_never_answered_is_refused_when_the_call_fails() {
    let mut wire = Wire::new();
    let (_, to_tag, _) = called_in(&mut wire, "Supported: timer\nSession-Expires: 90;refresher=uac\n");
    wire.receive(&request("UPDATE", "3", 2, &to_tag, "", SDP));
    let sent = wire.wait(Duration::from_millis(60_100));
    assert_eq!(firsts(&sent), ["SIP/2.0 487 Request Terminated", "BYE sip:them@192.0.2.2 SIP/2.0"]);
    wire.wait(Duration::from_secs(200));
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

#[test]
fn a_reinvite_that_is_never_answered_is_given_up_however_late_the_timer() {
    let mut wire = Wire::new();
    let (session, invite) = called_out(&mut wire, "");
    wire.agent.offer(wire.now, session, description(4000, Direction::SendOnly)).unwrap();
    let reinvite = wire.sent().remove(0);
    wire.receive(&response(&reinvite, "100 Trying", "", "", ""));
    wire.receive(&of_theirs(&invite, "BYE", "1", 100, "", ""));
    wire.now += Duration::from_millis(64_001);
    wire.agent.handle_input(wire.now, Input::Timeout);
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
    assert_eq!(wire.agent.poll_timeout(), None);
}
