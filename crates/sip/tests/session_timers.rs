//! Session timers (RFC 4028): every call with a timer is refreshed or ends.

mod link;
mod wire;

use std::time::Duration;

use link::{Link, Side, Weather, offer_of};
use sip::sdp::Direction;
use sip::{Config, Event, SessionEnd, SessionRefresher};
use wire::{SDP, Wire, called_in, called_out, calling, description, field, firsts, of_theirs, request, response};

const OK: &str = "SIP/2.0 200 OK";
const UPDATES: &str = "Allow: INVITE, ACK, BYE, UPDATE\nSupported: timer\n";

fn asking(seconds: u64) -> Config {
    Config { session_expires: Some(Duration::from_secs(seconds)), ..Config::default() }
}

fn without_update(payload: Vec<u8>) -> Vec<u8> {
    match std::str::from_utf8(&payload) {
        Ok(text) => text.replacen(", UPDATE", "", 1).into_bytes(),
        Err(_) => payload,
    }
}

/// Forty minutes and a little of a call with a timer of ten; how often each side refreshed by UPDATE and by re-INVITE.
fn forty_minutes(refresher: SessionRefresher, rewrite: fn(Vec<u8>) -> Vec<u8>, weather: Weather) -> [[usize; 2]; 2] {
    let a = Config { session_refresher: Some(refresher), ..asking(600) };
    let mut link = Link::of(40, Weather::FAIR, a, Config::default());
    link.rewrite = rewrite;
    let (ours, theirs) = link.answered_call();
    link.set_weather(weather);
    link.log.clear();
    for _ in 0..2430 {
        link.run_for(Duration::from_secs(1));
        for (side, session) in [(Side::A, ours), (Side::B, theirs)] {
            match link.take(side) {
                Some(Event::Offer { .. }) => {
                    let now = link.now;
                    link.side(side).answer_offer(now, session, offer_of(side)).unwrap();
                }
                None => {}
                other => panic!("{other:?}"),
            }
        }
    }
    let counts = [Side::A, Side::B].map(|side| [link.sent(side, "UPDATE "), link.sent(side, "INVITE ")]);
    link.a.hang_up(link.now, ours);
    link.set_weather(Weather::FAIR);
    link.run_for(Duration::from_secs(1));
    assert!(matches!(link.take(Side::B), Some(Event::Ended { end: SessionEnd::Bye { .. }, .. })));
    link.assert_forgotten();
    counts
}

#[test]
fn a_call_of_forty_minutes_lives_in_each_refresher_role_by_each_method() {
    let plain: fn(Vec<u8>) -> Vec<u8> = |payload| payload;
    // Every 300 s.
    for (refresher, rewrite, expected) in [
        (SessionRefresher::We, plain, [[8, 0], [0, 0]]),
        (SessionRefresher::Peer, plain, [[0, 0], [8, 0]]),
        (SessionRefresher::We, without_update as fn(Vec<u8>) -> Vec<u8>, [[0, 8], [0, 0]]),
        (SessionRefresher::Peer, without_update, [[0, 0], [0, 8]]),
    ] {
        let refreshes = forty_minutes(refresher, rewrite, Weather::FAIR);
        assert_eq!(refreshes, expected, "{refresher:?}");
    }
}

#[test]
fn a_call_of_forty_minutes_lives_on_a_bad_link() {
    for refresher in [SessionRefresher::We, SessionRefresher::Peer] {
        forty_minutes(refresher, |payload| payload, Weather::FOUL);
        forty_minutes(refresher, without_update, Weather::FOUL);
    }
}

// RFC 4028 §10.
#[test]
fn when_the_link_dies_both_ends_give_up_within_the_interval() {
    let mut link = Link::of(1, Weather::FAIR, asking(600), Config::default());
    link.answered_call();
    link.set_weather(Weather { loss: 100, ..Weather::FAIR });
    link.run_for(Duration::from_secs(600 - 32));
    let no_answer = SessionEnd::Failed { status: None, why: "no answer within the call" };
    assert!(matches!(link.take(Side::A), Some(Event::Ended { end, .. }) if end == no_answer));
    let expired = SessionEnd::Failed { status: None, why: "session timer expired" };
    assert!(matches!(link.take(Side::B), Some(Event::Ended { end, .. }) if end == expired));
    link.assert_forgotten();
}

// RFC 4028 §4, §5 and §7.1.
#[test]
fn an_invite_says_what_it_wants_and_by_default_only_what_it_can() {
    let (_, invite) = calling(&mut Wire::new());
    assert_eq!((field(&invite, "Supported"), field(&invite, "Session-Expires")), (Some("timer"), None));
    let config = Config {
        session_refresher: Some(SessionRefresher::Peer),
        min_session_expires: Duration::from_secs(120),
        ..asking(100)
    };
    let (_, invite) = calling(&mut Wire::with(config));
    assert_eq!(field(&invite, "Session-Expires"), Some("120;refresher=uas"), "never below our own least");
    assert_eq!(field(&invite, "Min-SE"), Some("120"));
}

// RFC 4028 §7.2, §10.
#[test]
fn the_caller_refreshes_by_update_at_half_the_interval_and_expires_with_bye() {
    let mut wire = Wire::with(asking(1800));
    called_out(&mut wire, &format!("{UPDATES}Require: timer\nSession-Expires: 90;refresher=uac\n"));
    assert!(wire.wait(Duration::from_millis(44_900)).is_empty());
    let update = wire.wait(Duration::from_millis(100)).remove(0);
    assert!(update.starts_with("UPDATE sip:them@192.0.2.2:5060 SIP/2.0\r\n"));
    assert_eq!(field(&update, "Session-Expires"), Some("90;refresher=uac"));
    assert_eq!((field(&update, "Content-Length"), field(&update, "Supported")), (Some("0"), Some("timer")));
    wire.receive(&response(&update, "200 OK", "", "Session-Expires: 90;refresher=uac\n", ""));
    assert!(wire.events().is_empty());
    let next = wire.wait(Duration::from_millis(45_000)).remove(0);
    assert_eq!(field(&next, "CSeq"), Some("3 UPDATE"));
    wire.receive(&response(&next, "503 Busy", "", "", ""));
    let again = wire.wait(Duration::from_millis(7_500)).remove(0);
    assert_eq!(field(&again, "CSeq"), Some("4 UPDATE"), "a refused refresh is tried again");
    wire.receive(&response(&again, "503 Busy", "", "", ""));
    let sent = wire.wait(Duration::from_millis(7_500));
    assert_eq!(firsts(&sent).last(), Some(&"BYE sip:them@192.0.2.2:5060 SIP/2.0"), "at 90 - 30 s");
    assert!(matches!(
        &wire.events()[..],
        [Event::Ended { end: SessionEnd::Failed { status: None, why: "session timer expired" }, .. }]
    ));
}

// RFC 4028 §7.4.
#[test]
fn a_peer_that_refuses_update_is_refreshed_by_reinvite_with_the_description_unchanged() {
    let mut wire = Wire::new();
    let (_, invite) = called_out(&mut wire, &format!("{UPDATES}Session-Expires: 90;refresher=uac\n"));
    let update = wire.wait(Duration::from_secs(45)).remove(0);
    let reinvite = wire.receive(&response(&update, "405 No", "", "Allow: INVITE\n", "")).remove(0);
    assert!(reinvite.starts_with("INVITE "));
    let body = |message: &str| message.split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert_eq!(body(&reinvite), body(&invite), "the same o= line too");
    let more = format!("{}Session-Expires: 90;refresher=uac\n", wire::CONTACT);
    let sent = wire.receive(&response(&reinvite, "200 OK", "", &more, SDP));
    assert_eq!(firsts(&sent), ["ACK sip:them@192.0.2.2:5060 SIP/2.0"]);
    assert!(wire.events().is_empty(), "nobody else's business");
    let next = wire.wait(Duration::from_secs(45)).remove(0);
    let moved = SDP.replace("6000", "6002");
    wire.receive(&response(&next, "200 OK", "", &more, &moved));
    assert!(matches!(&wire.events()[..], [Event::OfferAnswered { status: 200, description: Some(_), .. }]));
}

#[test]
fn a_refresh_that_meets_481_or_silence_ends_the_call() {
    for silent in [false, true] {
        let mut wire = Wire::new();
        called_out(&mut wire, &format!("{UPDATES}Session-Expires: 1800;refresher=uac\n"));
        let update = wire.wait(Duration::from_secs(900)).remove(0);
        if silent {
            let sent = wire.wait(Duration::from_secs(32));
            assert!(sent.last().unwrap().starts_with("BYE "));
        } else {
            wire.receive(&response(&update, "481 Gone", "", "", ""));
        }
        assert!(matches!(&wire.events()[..], [Event::Ended { end: SessionEnd::Failed { .. }, .. }]));
    }
}

// RFC 4028 §7.3.
#[test]
fn a_422_raises_the_interval_a_bounded_number_of_times() {
    let mut wire = Wire::with(asking(90));
    let (_, mut invite) = calling(&mut wire);
    for least in ["300", "600", "900"] {
        let refused = response(&invite, "422 Too Small", "b", &format!("Min-SE: {least}\n"), "");
        let sent = wire.receive(&refused);
        assert_eq!(firsts(&sent), ["ACK sip:bob@example.test SIP/2.0", "INVITE sip:bob@example.test SIP/2.0"]);
        assert_eq!(field(&sent[1], "Call-ID"), field(&invite, "Call-ID"));
        invite = sent[1].clone();
        assert_eq!((field(&invite, "Session-Expires"), field(&invite, "Min-SE")), (Some(least), Some(least)));
    }
    assert_eq!(wire.receive(&response(&invite, "422 Too Small", "b", "Min-SE: 1200\n", "")).len(), 1);
    assert!(matches!(&wire.events()[..], [Event::Ended { end: SessionEnd::Rejected { status: 422, .. }, .. }]));
}

#[test]
fn a_422_without_a_larger_min_se_is_final() {
    for more in ["", "Min-SE: 90\n", "Min-SE: x\n", "Min-SE: 4294967295\n"] {
        let mut wire = Wire::with(asking(90));
        let (_, invite) = calling(&mut wire);
        assert_eq!(wire.receive(&response(&invite, "422 Too Small", "b", more, "")).len(), 1, "{more}");
        assert!(matches!(&wire.events()[..], [Event::Ended { end: SessionEnd::Rejected { status: 422, .. }, .. }]));
    }
}

#[test]
fn a_422_to_a_refresh_raises_the_interval_within_the_call() {
    let mut wire = Wire::new();
    called_out(&mut wire, &format!("{UPDATES}Session-Expires: 90;refresher=uac\n"));
    let update = wire.wait(Duration::from_secs(45)).remove(0);
    let sent = wire.receive(&response(&update, "422 Too Small", "", "Min-SE: 200\n", ""));
    assert_eq!(
        (field(&sent[0], "Session-Expires"), field(&sent[0], "Min-SE")),
        (Some("200;refresher=uac"), Some("200"))
    );
}

// RFC 4028 §9.
#[test]
fn too_short_an_interval_of_theirs_is_refused_with_422_in_and_out_of_dialogs() {
    let config = Config { min_session_expires: Duration::from_secs(300), ..Config::default() };
    let mut wire = Wire::with(config);
    let small = "Supported: timer\nSession-Expires: 299\n";
    let sent = wire.receive(&request("INVITE", "1", 1, "", small, SDP));
    assert_eq!(firsts(&sent), ["SIP/2.0 422 Session Interval Too Small"]);
    assert_eq!(field(&sent[0], "Min-SE"), Some("300"));
    assert!(wire.events().is_empty());
    let large = "Supported: timer\nSession-Expires: 300\n".to_owned();
    wire.receive(&request("INVITE", "3", 2, "", &large, SDP));
    let session = wire.incoming();
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    let answer = wire.sent().remove(0);
    assert_eq!(
        (field(&answer, "Session-Expires"), field(&answer, "Require")),
        (Some("300;refresher=uac"), Some("timer"))
    );
    let to_tag = wire::tag(&answer, "To").to_owned();
    wire.receive(&request("ACK", "4", 2, &to_tag, "", ""));
    let sent = wire.receive(&request("UPDATE", "5", 3, &to_tag, small, ""));
    assert_eq!(firsts(&sent), ["SIP/2.0 422 Session Interval Too Small"]);
}

#[test]
fn a_required_timer_is_understood_and_a_broken_one_is_a_bad_request() {
    let mut wire = Wire::new();
    called_in(&mut wire, "Require: timer\nSession-Expires: 1800;refresher=uac\n");
    let sent = Wire::new().receive(&request("INVITE", "1", 1, "", "Session-Expires: soon\n", SDP));
    assert_eq!(firsts(&sent), ["SIP/2.0 400 Bad Request"]);
    let sent = Wire::new().receive(&request("INVITE", "1", 1, "", "Require: timer, x-other\n", SDP));
    assert_eq!(field(&sent[0], "Unsupported"), Some("x-other"));
}

#[test]
fn the_callee_waits_for_their_refresh_and_hangs_up_without_it() {
    let mut wire = Wire::new();
    let (_, to_tag, answer) = called_in(&mut wire, "Supported: timer\nSession-Expires: 300;refresher=uac\n");
    assert_eq!(field(&answer, "Session-Expires"), Some("300;refresher=uac"));
    assert!(wire.wait(Duration::from_secs(200)).is_empty());
    let refresh = "Supported: timer\nSession-Expires: 300;refresher=uac\n";
    let sent = wire.receive(&request("UPDATE", "3", 2, &to_tag, refresh, ""));
    assert_eq!(firsts(&sent), [OK]);
    assert_eq!(
        (field(&sent[0], "Session-Expires"), field(&sent[0], "Require")),
        (Some("300;refresher=uac"), Some("timer"))
    );
    assert!(field(&sent[0], "Contact").is_some());
    assert!(wire.wait(Duration::from_millis(267_900)).is_empty());
    let sent = wire.wait(Duration::from_millis(100));
    assert_eq!(firsts(&sent), ["BYE sip:them@192.0.2.2 SIP/2.0"], "32 s before the end");
}

// RFC 4028 §9.
#[test]
fn the_callee_refreshes_where_the_caller_cannot_or_asks_for_it() {
    for more in ["Session-Expires: 300\n", "Supported: timer\nSession-Expires: 300;refresher=uas\n"] {
        let mut wire = Wire::new();
        let (_, _, answer) = called_in(&mut wire, &format!("{more}Allow: UPDATE\n"));
        assert_eq!(field(&answer, "Session-Expires"), Some("300;refresher=uas"));
        assert_eq!(field(&answer, "Require").is_some(), more.contains("timer"));
        let update = wire.wait(Duration::from_secs(150)).remove(0);
        assert!(update.starts_with("UPDATE sip:them@192.0.2.2 SIP/2.0\r\n"));
        assert_eq!(field(&update, "Session-Expires"), Some("300;refresher=uac"), "of this request we are the client");
    }
}

// RFC 4028 §7.2.
#[test]
fn a_2xx_without_session_expires_turns_the_timer_off() {
    let mut wire = Wire::with(asking(90));
    called_out(&mut wire, "");
    assert!(wire.wait(Duration::from_secs(3600)).is_empty());
    let mut wire = Wire::with(asking(90));
    called_out(&mut wire, &format!("{UPDATES}Session-Expires: 90;refresher=uac\n"));
    let update = wire.wait(Duration::from_secs(45)).remove(0);
    wire.receive(&response(&update, "200 OK", "", "", ""));
    assert!(wire.wait(Duration::from_secs(3600)).is_empty());
}

#[test]
fn an_offer_of_either_side_refreshes_too() {
    let mut wire = Wire::new();
    let timer = "Session-Expires: 90;refresher=uas\n";
    let (session, invite) = called_out(&mut wire, &format!("{UPDATES}{timer}"));
    wire.wait(Duration::from_secs(50));
    wire.agent.offer(wire.now, session, description(4000, Direction::SendOnly)).unwrap();
    let hold = wire.sent().remove(0);
    assert_eq!(field(&hold, "Session-Expires"), Some("90;refresher=uas"), "the roles stay");
    wire.receive(&response(&hold, "200 OK", "", &format!("{}{timer}", wire::CONTACT), SDP));
    wire.wait(Duration::from_secs(50));
    let theirs = "Supported: timer\nSession-Expires: 90;refresher=uac\n";
    wire.receive(&of_theirs(&invite, "INVITE", "1", 100, theirs, SDP));
    wire.agent.answer_offer(wire.now, session, description(4000, Direction::RecvOnly)).unwrap();
    assert_eq!(field(&wire.sent()[0], "Session-Expires"), Some("90;refresher=uac"));
    wire.receive(&of_theirs(&invite, "ACK", "2", 100, "", ""));
    wire.wait(Duration::from_secs(50));
    assert_eq!(wire.agent.session_count(), 1);
    let sent = wire.wait(Duration::from_secs(11));
    assert!(sent[0].starts_with("BYE "));
}
