//! UPDATE (RFC 3311) both ways, and requests that cross (RFC 3261 §14).

mod link;
mod wire;

use std::time::Duration;

use link::{Link, Side, Weather, offer_of};
use sip::sdp::Direction;
use sip::{Event, SessionEnd};
use wire::{
    CONTACT, SDP, Wire, called_in, called_out, calling, description, field, firsts, of_theirs, request, response, tag,
};

const OK: &str = "SIP/2.0 200 OK";
const PENDING: &str = "SIP/2.0 491 Request Pending";

// RFC 3311 §5.1.
#[test]
fn our_update_with_an_offer_is_answered_without_an_ack() {
    let mut wire = Wire::new();
    let (session, _) = called_out(&mut wire, "");
    wire.agent.update(wire.now, session, Some(description(4000, Direction::SendOnly))).unwrap();
    let update = wire.sent().remove(0);
    assert!(update.starts_with("UPDATE sip:them@192.0.2.2:5060 SIP/2.0\r\n") && update.contains("a=sendonly"));
    assert_eq!(
        (field(&update, "CSeq"), field(&update, "Contact")),
        (Some("2 UPDATE"), Some("<sip:alice@192.0.2.1:5060>"))
    );
    assert!(wire.agent.update(wire.now, session, None).is_err(), "one at a time");
    assert!(wire.receive(&response(&update, "200 OK", "", CONTACT, SDP)).is_empty());
    assert!(matches!(wire.events()[..], [Event::OfferAnswered { status: 200, description: Some(_), .. }]));
}

#[test]
fn our_update_without_an_offer_tells_our_contact_and_is_answered_without_one() {
    let mut wire = Wire::new();
    let (session, _) = called_out(&mut wire, "");
    wire.agent.update(wire.now, session, None).unwrap();
    let update = wire.sent().remove(0);
    assert_eq!(field(&update, "Content-Length"), Some("0"));
    wire.receive(&response(&update, "200 OK", "", "Contact: <sip:moved@192.0.2.2:5062>\n", ""));
    assert!(matches!(wire.events()[..], [Event::OfferAnswered { status: 200, description: None, .. }]));
    wire.agent.hang_up(wire.now, session);
    assert!(wire.agent.poll_transmit().unwrap().payload.starts_with(b"BYE sip:moved@192.0.2.2:5062 SIP/2.0\r\n"));
}

#[test]
fn a_refused_update_leaves_the_session_as_it_was() {
    let mut wire = Wire::new();
    let (session, _) = called_out(&mut wire, "");
    for status in [405u16, 488, 504] {
        wire.agent.update(wire.now, session, Some(description(4000, Direction::SendOnly))).unwrap();
        let update = wire.sent().remove(0);
        wire.receive(&response(&update, &format!("{status} No"), "", "", ""));
        let events = wire.events();
        assert!(
            matches!(&events[..], [Event::OfferAnswered { status: told, description: None, .. }] if *told == status)
        );
    }
    assert_eq!(wire.agent.session_count(), 1);
}

#[test]
fn an_answer_that_an_update_lacks_ends_the_call() {
    let mut wire = Wire::new();
    let (session, _) = called_out(&mut wire, "");
    wire.agent.update(wire.now, session, Some(description(4000, Direction::SendOnly))).unwrap();
    let update = wire.sent().remove(0);
    let sent = wire.receive(&response(&update, "200 OK", "", CONTACT, ""));
    assert_eq!(firsts(&sent), ["BYE sip:them@192.0.2.2:5060 SIP/2.0"]);
    assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Failed { status: Some(200), .. }, .. }]));
}

#[test]
fn their_update_with_an_offer_is_answered_by_the_shell_and_without_one_by_us() {
    let mut wire = Wire::new();
    let (session, to_tag, _) = called_in(&mut wire, "");
    let sent = wire.receive(&request("UPDATE", "3", 2, &to_tag, "", ""));
    assert_eq!(firsts(&sent), [OK]);
    assert!(wire.events().is_empty());
    assert!(wire.receive(&request("UPDATE", "4", 3, &to_tag, "", SDP)).is_empty());
    assert!(matches!(wire.events()[..], [Event::Offer { offer: Some(_), .. }]));
    wire.agent.answer_offer(wire.now, session, description(4000, Direction::RecvOnly)).unwrap();
    let sent = wire.sent();
    assert_eq!((firsts(&sent), sent[0].contains("a=recvonly")), (vec![OK], true));
    assert!(wire.wait(Duration::from_secs(40)).is_empty(), "no ACK is waited for");
}

// RFC 3311 §5.2.
#[test]
fn their_update_meets_500_while_theirs_is_open_and_491_while_ours_is() {
    let mut wire = Wire::new();
    let (session, to_tag, _) = called_in(&mut wire, "");
    wire.receive(&request("UPDATE", "3", 2, &to_tag, "", SDP));
    let sent = wire.receive(&request("UPDATE", "4", 3, &to_tag, "", SDP));
    assert_eq!(firsts(&sent), ["SIP/2.0 500 Server Internal Error"]);
    assert!(field(&sent[0], "Retry-After").unwrap().parse::<u32>().unwrap() <= 10);
    wire.agent.answer_offer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    wire.agent.offer(wire.now, session, description(4000, Direction::SendOnly)).unwrap();
    wire.sent();
    assert_eq!(firsts(&wire.receive(&request("UPDATE", "5", 4, &to_tag, "", SDP))), [PENDING]);
    assert_eq!(firsts(&wire.receive(&request("INVITE", "6", 5, &to_tag, "", SDP))), [PENDING]);
    assert_eq!(firsts(&wire.receive(&request("UPDATE", "7", 6, &to_tag, "", ""))), [OK], "nothing to negotiate");
}

#[test]
fn an_update_of_ours_without_offer_stands_in_nobodys_way() {
    let mut wire = Wire::new();
    let (session, to_tag, _) = called_in(&mut wire, "");
    wire.agent.update(wire.now, session, None).unwrap();
    let update = wire.sent().remove(0);
    assert!(wire.receive(&request("INVITE", "3", 2, &to_tag, "", SDP)).is_empty());
    wire.receive(&response(&update, "200 OK", "", "", ""));
    wire.agent.answer_offer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    assert_eq!(firsts(&wire.sent()), [OK]);
}

// RFC 3261 §14.2.
#[test]
fn before_our_final_response_their_requests_are_put_off() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", "", SDP));
    let session = wire.incoming();
    wire.agent.progress(wire.now, session, 180, None).unwrap();
    let to_tag = tag(&wire.sent()[0], "To").to_owned();
    assert_eq!(firsts(&wire.receive(&request("UPDATE", "2", 2, &to_tag, "", ""))), [OK]);
    for (method, cseq) in [("INVITE", 3), ("UPDATE", 4)] {
        let sent = wire.receive(&request(method, &cseq.to_string(), cseq, &to_tag, "", SDP));
        assert_eq!(firsts(&sent), ["SIP/2.0 500 Server Internal Error"]);
        assert!(field(&sent[0], "Retry-After").is_some());
    }
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    wire.sent();
    assert!(wire.receive(&request("ACK", "9", 1, &to_tag, "", "")).is_empty());
    assert!(matches!(wire.events()[..], [Event::Acknowledged { .. }]), "the ACK has the number of its INVITE");
    assert_eq!(wire.agent.session_count(), 1);
}

#[test]
fn while_our_invite_is_unanswered_their_offer_is_pending() {
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    wire.receive(&response(&invite, "180 Ringing", "b", CONTACT, ""));
    assert_eq!(firsts(&wire.receive(&of_theirs(&invite, "UPDATE", "1", 5, "", SDP))), [PENDING]);
    assert_eq!(firsts(&wire.receive(&of_theirs(&invite, "UPDATE", "2", 6, "", ""))), [OK]);
}

// RFC 3261 §14.1.
#[test]
fn after_491_the_owner_of_the_call_id_waits_longer() {
    for method in ["INVITE", "UPDATE"] {
        let mut wire = Wire::new();
        let (session, _) = called_out(&mut wire, "");
        propose(&mut wire, session, method);
        let first = wire.sent().remove(0);
        wire.receive(&response(&first, "491 Request Pending", "", "", ""));
        assert!(wire.wait(Duration::from_millis(2090)).is_empty());
        let again = wire.wait(Duration::from_millis(1920)).remove(0);
        assert_eq!(field(&again, "CSeq"), Some(format!("3 {method}").as_str()));

        let mut wire = Wire::new();
        let (session, ..) = called_in(&mut wire, "");
        propose(&mut wire, session, method);
        let first = wire.sent().remove(0);
        wire.receive(&response(&first, "491 Request Pending", "", "", ""));
        let again = wire.wait(Duration::from_millis(2010)).remove(0);
        assert_eq!(field(&again, "CSeq"), Some(format!("2 {method}").as_str()));
    }
}

fn propose(wire: &mut Wire, session: sip::SessionId, method: &str) {
    let offer = description(4000, Direction::SendOnly);
    match method {
        "INVITE" => wire.agent.offer(wire.now, session, offer).unwrap(),
        _ => wire.agent.update(wire.now, session, Some(offer)).unwrap(),
    }
}

#[test]
fn after_500_with_retry_after_we_wait_as_told_and_without_it_give_up() {
    for method in ["INVITE", "UPDATE"] {
        let mut wire = Wire::new();
        let (session, _) = called_out(&mut wire, "");
        propose(&mut wire, session, method);
        let first = wire.sent().remove(0);
        wire.receive(&response(&first, "500 Later", "", "Retry-After: 7\n", ""));
        assert!(wire.wait(Duration::from_millis(6990)).is_empty());
        let again = wire.wait(Duration::from_millis(20)).remove(0);
        assert!(again.starts_with(method));
        wire.receive(&response(&again, "500 Never", "", "", ""));
        assert!(matches!(wire.events()[..], [Event::OfferAnswered { status: 500, description: None, .. }]));
    }
}

#[test]
fn an_offer_is_not_put_off_for_ever() {
    let mut wire = Wire::new();
    let (session, ..) = called_in(&mut wire, "");
    propose(&mut wire, session, "UPDATE");
    let mut update = wire.sent().remove(0);
    for _ in 0..10 {
        wire.receive(&response(&update, "491 Request Pending", "", "", ""));
        update = wire.wait(Duration::from_secs(3)).remove(0);
    }
    wire.receive(&response(&update, "491 Request Pending", "", "", ""));
    assert!(matches!(wire.events()[..], [Event::OfferAnswered { status: 491, description: None, .. }]));
    assert!(wire.wait(Duration::from_secs(60)).is_empty());
}

#[test]
fn updates_and_reinvites_that_cross_are_all_answered_in_the_end() {
    for seed in 0..60 {
        let mut link = Link::new(seed, Weather::FAIR);
        let (ours, theirs) = link.answered_call();
        link.set_weather(Weather { loss: 10, duplicate: 10, jitter_ms: 100, late_ms: 0 });
        let now = link.now;
        match seed % 3 {
            0 => link.a.update(now, ours, Some(offer_of(Side::A))).unwrap(),
            _ => link.a.offer(now, ours, offer_of(Side::A)).unwrap(),
        }
        match seed % 2 {
            0 => link.b.update(now, theirs, Some(offer_of(Side::B))).unwrap(),
            _ => link.b.offer(now, theirs, offer_of(Side::B)).unwrap(),
        }
        assert_eq!(link.offers_answered(Duration::from_secs(40)), 2, "seed {seed}");
    }
}
