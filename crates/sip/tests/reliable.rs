//! Reliable provisional responses and PRACK (RFC 3262), in both roles.

mod link;
mod wire;

use std::time::Duration;

use link::{Link, Side, Weather, offer_of};
use sip::sdp::Direction;
use sip::{Config, Event, SessionEnd, SessionId};
use wire::{CONTACT, SDP, Wire, calling, description, field, firsts, of_theirs, request, response, tag};

const OK: &str = "SIP/2.0 200 OK";
const GONE: &str = "SIP/2.0 481 Call/Transaction Does Not Exist";

fn reliable() -> Config {
    Config { reliable_provisionals: true, ..Config::default() }
}

// The calling side.

/// A reliable response of theirs.
fn provisional(invite: &str, status: &str, tag: &str, rseq: u32, body: &str) -> String {
    response(invite, status, tag, &format!("{CONTACT}Require: 100rel\nRSeq: {rseq}\n"), body)
}

// RFC 3262 §4, §7.2.
#[test]
fn reliable_responses_get_a_prack_each_in_order_and_what_follows_a_gap_does_not() {
    let mut wire = Wire::with(reliable());
    let (_, invite) = calling(&mut wire);
    assert_eq!(field(&invite, "Supported"), Some("timer, 100rel"));
    let sent = wire.receive(&provisional(&invite, "183 Session Progress", "b", 988_789, SDP));
    assert_eq!(firsts(&sent), ["PRACK sip:them@192.0.2.2:5060 SIP/2.0"]);
    assert_eq!((field(&sent[0], "RAck"), field(&sent[0], "CSeq")), (Some("988789 1 INVITE"), Some("2 PRACK")));
    assert_eq!((tag(&sent[0], "To"), field(&sent[0], "Content-Length")), ("b", Some("0")));
    assert!(matches!(wire.events()[..], [Event::Progress { status: 183, description: Some(_), .. }]));
    wire.receive(&response(&sent[0], "200 OK", "", "", ""));
    assert!(wire.receive(&provisional(&invite, "183 Session Progress", "b", 988_789, SDP)).is_empty(), "repeated");
    assert!(wire.receive(&provisional(&invite, "180 Ringing", "b", 988_791, "")).is_empty(), "after a gap");
    assert!(wire.events().is_empty());
    let sent = wire.receive(&provisional(&invite, "180 Ringing", "b", 988_790, ""));
    assert_eq!((field(&sent[0], "RAck"), field(&sent[0], "CSeq")), (Some("988790 1 INVITE"), Some("3 PRACK")));
    wire.receive(&response(&sent[0], "200 OK", "", "", ""));
    let sent = wire.receive(&response(&invite, "200 OK", "b", CONTACT, ""));
    assert_eq!((firsts(&sent)[0], field(&sent[0], "CSeq")), ("ACK sip:them@192.0.2.2:5060 SIP/2.0", Some("1 ACK")));
    let events = wire.events();
    let [Event::Progress { .. }, Event::Answered { session, .. }] = &events[..] else { panic!("{events:?}") };
    wire.agent.hang_up(wire.now, *session);
    assert_eq!(field(&wire.sent()[0], "CSeq"), Some("4 BYE"), "counted on after the PRACKs");
}

// RFC 3262 §4.
#[test]
fn each_fork_counts_its_own_responses() {
    let mut wire = Wire::new();
    let (session, invite) = calling(&mut wire);
    assert_eq!(wire.receive(&provisional(&invite, "180 Ringing", "b", 7, "")).len(), 1);
    let sent = wire.receive(&provisional(&invite, "180 Ringing", "c", 100, ""));
    assert_eq!((field(&sent[0], "RAck"), tag(&sent[0], "To")), (Some("100 1 INVITE"), "c"));
    assert_eq!(field(&sent[0], "CSeq"), Some("2 PRACK"));
    wire.agent.hang_up(wire.now, session);
    wire.wait(Duration::from_secs(200));
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

#[test]
fn a_prack_is_repeated_until_answered_and_its_loss_does_not_end_the_call() {
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    wire.receive(&provisional(&invite, "180 Ringing", "b", 1, ""));
    let sent = wire.wait(Duration::from_secs(33));
    assert!(sent.len() == 10 && sent.iter().all(|message| message.starts_with("PRACK ")));
    wire.receive(&response(&invite, "200 OK", "b", CONTACT, SDP));
    assert!(matches!(wire.events()[..], [Event::Progress { .. }, Event::Answered { .. }]));
}

#[test]
fn a_challenged_prack_is_sent_again_with_credentials() {
    let challenge = |nonce| format!("Proxy-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\", stale=true\n");
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    let invite = wire.receive(&response(&invite, "407 x", "a", &challenge(1), "")).remove(1);
    let prack = wire.receive(&provisional(&invite, "180 Ringing", "b", 1, "")).remove(0);
    let again = wire.receive(&response(&prack, "407 x", "", &challenge(2), "")).remove(0);
    assert_eq!((field(&again, "CSeq"), field(&again, "RAck")), (Some("4 PRACK"), Some("1 2 INVITE")));
    assert!(field(&again, "Proxy-Authorization").unwrap().contains("nonce=\"2\""));
    let others = challenge(3).replace("\"r\"", "\"callee\"");
    assert!(wire.receive(&response(&again, "407 x", "", &others, "")).is_empty(), "a realm that the trunk never named");
}

// RFC 3311 §5.2.
#[test]
fn their_update_is_answered_by_the_shell_once_our_offer_has_its_reliable_answer() {
    let mut wire = Wire::new();
    let (session, invite) = calling(&mut wire);
    let prack = wire.receive(&provisional(&invite, "183 Session Progress", "b", 1, SDP)).remove(0);
    wire.receive(&response(&prack, "200 OK", "", "", ""));
    wire.events();
    let moved = SDP.replace("6000", "6002");
    assert!(wire.receive(&of_theirs(&invite, "UPDATE", "1", 1, "", &moved)).is_empty());
    assert!(
        matches!(&wire.events()[..], [Event::Offer { offer: Some(offer), .. }] if offer.to_bytes() == moved.as_bytes())
    );
    let second = wire.receive(&of_theirs(&invite, "UPDATE", "2", 2, "", SDP));
    assert!(second[0].starts_with("SIP/2.0 500 ") && field(&second[0], "Retry-After").is_some(), "one at a time");
    wire.agent.answer_offer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    let answer = wire.sent().remove(0);
    assert!(answer.starts_with(OK) && field(&answer, "CSeq") == Some("1 UPDATE"), "{answer}");
    assert_eq!(
        firsts(&wire.receive(&response(&invite, "200 OK", "b", CONTACT, ""))),
        ["ACK sip:them@192.0.2.2:5060 SIP/2.0"]
    );
}

#[test]
fn an_update_that_the_shell_leaves_open_is_refused_when_the_call_goes_on_or_ends() {
    for ended in [false, true] {
        let mut wire = Wire::new();
        let (session, invite) = calling(&mut wire);
        let prack = wire.receive(&provisional(&invite, "183 Session Progress", "b", 1, SDP)).remove(0);
        wire.receive(&response(&prack, "200 OK", "", "", ""));
        wire.receive(&of_theirs(&invite, "UPDATE", "1", 1, "", SDP));
        let sent = match ended {
            true => {
                wire.agent.hang_up(wire.now, session);
                wire.sent()
            }
            false => wire.receive(&response(&invite, "200 OK", "b", CONTACT, "")),
        };
        let refusal = if ended { "SIP/2.0 487 Request Terminated" } else { "SIP/2.0 500 Server Internal Error" };
        assert_eq!((firsts(&sent)[0], field(&sent[0], "Retry-After").is_some()), (refusal, !ended));
        assert!(wire.agent.answer_offer(wire.now, session, description(4000, Direction::SendRecv)).is_err());
        wire.agent.hang_up(wire.now, session);
        wire.wait(Duration::from_secs(200));
        assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
    }
}

// RFC 3261 §12.2.2.
#[test]
fn what_one_fork_has_counted_says_nothing_of_another() {
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    for fork in ["b", "c"] {
        wire.receive(&response(&invite, "180 Ringing", fork, CONTACT, ""));
    }
    let of_c = of_theirs(&invite, "INFO", "1", 102, "", "").replace(";tag=b\n", ";tag=c\n");
    assert_eq!(firsts(&wire.receive(&of_c)), [OK]);
    assert_eq!(firsts(&wire.receive(&of_theirs(&invite, "INFO", "2", 7, "", ""))), [OK]);
    wire.receive(&response(&invite, "200 OK", "b", CONTACT, SDP));
    assert_eq!(
        firsts(&wire.receive(&of_theirs(&invite, "INFO", "3", 7, "", "")))[0],
        "SIP/2.0 500 Server Internal Error"
    );
    assert_eq!(firsts(&wire.receive(&of_theirs(&invite, "BYE", "4", 8, "", ""))), [OK]);
}

#[test]
fn who_demands_100rel_of_our_invite_gets_it_once() {
    let mut wire = Wire::new();
    let (_, invite) = calling(&mut wire);
    let refused = response(&invite, "421 Extension Required", "b", "Require: 100rel\n", "");
    let again = wire.receive(&refused).remove(1);
    assert!(again.contains("\r\nSupported: 100rel\r\n"));
    assert_eq!(wire.receive(&response(&again, "421 Extension Required", "b", "Require: 100rel\n", "")).len(), 1);
    assert!(matches!(&wire.events()[..], [Event::Ended { end: SessionEnd::Rejected { status: 421, .. }, .. }]));
}

// RFC 3261 §8.1.3.5.
#[test]
fn what_a_420_does_not_know_is_dropped_once() {
    const REFUSAL: &str = "420 Bad Extension";
    let mut wire = Wire::with(Config { session_expires: Some(Duration::from_secs(600)), ..reliable() });
    let (_, invite) = calling(&mut wire);
    assert_eq!((field(&invite, "Supported"), field(&invite, "Session-Expires")), (Some("timer, 100rel"), Some("600")));
    let again = wire.receive(&response(&invite, REFUSAL, "b", "Unsupported: TIMER, x\n", "")).remove(1);
    assert_eq!((field(&again, "Supported"), field(&again, "Session-Expires")), (Some("100rel"), None));
    assert_eq!(field(&again, "CSeq"), Some("2 INVITE"));
    assert_eq!(wire.receive(&response(&again, REFUSAL, "b", "Unsupported: 100rel\n", "")).len(), 1);
    assert!(matches!(&wire.events()[..], [Event::Ended { end: SessionEnd::Rejected { status: 420, .. }, .. }]));
}

#[test]
fn a_420_that_names_nothing_of_ours_is_told() {
    for unsupported in ["", "Unsupported: replaces\n"] {
        let mut wire = Wire::new();
        let (_, invite) = calling(&mut wire);
        assert_eq!(wire.receive(&response(&invite, "420 Bad Extension", "b", unsupported, "")).len(), 1);
        assert!(matches!(&wire.events()[..], [Event::Ended { end: SessionEnd::Rejected { status: 420, .. }, .. }]));
    }
}

// The called side.

/// A call of theirs that rings reliably: its session, and our response.
fn ringing(wire: &mut Wire, more: &str, status: u16, described: bool) -> (SessionId, String) {
    wire.receive(&request("INVITE", "1", 1, "", more, SDP));
    let session = wire.incoming();
    let early = described.then(|| description(4000, Direction::SendRecv));
    wire.agent.progress(wire.now, session, status, early).unwrap();
    (session, wire.sent().remove(0))
}

/// Their PRACK of a response of ours.
fn prack(of: &str, branch: &str, cseq: u32, body: &str) -> String {
    let more = format!("RAck: {} 1 INVITE\n", field(of, "RSeq").unwrap());
    request("PRACK", branch, cseq, tag(of, "To"), &more, body)
}

// RFC 3262 §3.
#[test]
fn responses_are_reliable_only_where_the_peer_knows_of_it_and_we_want_it_or_it_demands_it() {
    for (config, more, expected) in [
        (reliable(), "Supported: 100rel\n", true),
        (reliable(), "", false),
        (Config::default(), "Supported: 100rel\n", false),
        (Config::default(), "Require: 100rel\n", true),
    ] {
        let mut wire = Wire::with(config);
        let (_, sent) = ringing(&mut wire, more, 180, false);
        assert_eq!(field(&sent, "Require") == Some("100rel"), expected, "{more}");
        assert_eq!(field(&sent, "RSeq").is_some(), expected, "{more}");
    }
}

// RFC 3261 §13.2.1: the first reliable response to an INVITE without an offer makes it.
#[test]
fn without_an_offer_of_theirs_ringing_is_reliable_only_where_it_can_make_one() {
    for (more, early, expected) in [
        ("Supported: 100rel\n", None, Some(false)),
        ("Require: 100rel\n", None, None),
        ("Require: 100rel\n", Some(description(4000, Direction::SendRecv)), Some(true)),
    ] {
        let mut wire = Wire::with(reliable());
        wire.receive(&request("INVITE", "1", 1, "", more, ""));
        let session = wire.incoming();
        wire.agent.progress(wire.now, session, 180, early).unwrap();
        let sent = wire.sent().first().map(|message| field(message, "RSeq").is_some());
        assert_eq!(sent, expected, "{more}");
    }
}

// RFC 3262 §5, RFC 3311 §5.2.
#[test]
fn an_offer_in_a_prack_waits_while_one_in_an_update_is_open() {
    let mut wire = Wire::with(reliable());
    let (session, first) = ringing(&mut wire, "Supported: 100rel\n", 183, true);
    wire.receive(&prack(&first, "2", 2, ""));
    wire.agent.progress(wire.now, session, 180, None).unwrap();
    let second = wire.sent().remove(0);
    assert!(wire.receive(&request("UPDATE", "3", 3, tag(&first, "To"), "", SDP)).is_empty());
    let later = wire.receive(&prack(&second, "4", 4, SDP));
    assert!(later[0].starts_with("SIP/2.0 500 ") && field(&later[0], "Retry-After").is_some(), "{later:?}");
    wire.agent.answer_offer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    assert_eq!(firsts(&wire.sent()), [OK]);
    assert_eq!(firsts(&wire.receive(&prack(&second, "5", 5, ""))), [OK]);
}

// RFC 3262 §3.
#[test]
fn a_reliable_response_is_repeated_at_doubling_intervals_and_ends_the_call_without_prack() {
    let mut wire = Wire::with(reliable());
    let (_, first) = ringing(&mut wire, "Supported: 100rel\n", 180, false);
    let sent = wire.wait(Duration::from_millis(31_900));
    assert_eq!(sent, vec![first; 6], "after 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s");
    assert_eq!(firsts(&wire.wait(Duration::from_millis(200))), ["SIP/2.0 504 Server Time-out"]);
    let why = "no PRACK for our provisional response";
    assert!(
        matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Failed { status: None, why: told }, .. }] if told == why)
    );
}

// RFC 3262 §3.
#[test]
fn a_prack_stops_the_repetition_and_a_wrong_one_is_refused() {
    let mut wire = Wire::with(reliable());
    let (_, ringing) = ringing(&mut wire, "Supported: 100rel\n", 180, false);
    let wrong = prack(&ringing, "2", 2, "").replace(" 1 INVITE", " 9 INVITE");
    assert_eq!(firsts(&wire.receive(&wrong)), [GONE]);
    let without = request("PRACK", "3", 3, tag(&ringing, "To"), "", "");
    assert_eq!(firsts(&wire.receive(&without)), [GONE]);
    assert_eq!(firsts(&wire.receive(&prack(&ringing, "4", 4, ""))), [OK]);
    assert_eq!(firsts(&wire.receive(&prack(&ringing, "5", 5, ""))), [GONE], "acknowledged once");
    assert!(wire.wait(Duration::from_secs(55)).is_empty());
    let again = wire.wait(Duration::from_secs(6)).remove(0);
    let number = |message: &str| field(message, "RSeq").unwrap().parse::<u32>().unwrap();
    assert_eq!(number(&again), number(&ringing) + 1, "a long ring is kept alive with a new number");
}

#[test]
fn a_second_response_waits_for_the_prack_of_the_first() {
    let mut wire = Wire::with(reliable());
    let (session, first) = ringing(&mut wire, "Supported: 100rel\n", 183, false);
    wire.agent.progress(wire.now, session, 180, None).unwrap();
    assert!(wire.sent().is_empty());
    let sent = wire.receive(&prack(&first, "2", 2, ""));
    assert_eq!(firsts(&sent), [OK, "SIP/2.0 180 Ringing"]);
    assert!(wire.agent.progress(wire.now, session, 200, None).is_err());
}

// RFC 3262 §5.
#[test]
fn an_answer_waits_for_the_prack_of_the_description_before_it_and_does_not_repeat_it() {
    let mut wire = Wire::with(reliable());
    let (session, early) = ringing(&mut wire, "Supported: 100rel\n", 183, true);
    assert!(early.contains("m=audio 4000"));
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    assert!(wire.sent().is_empty());
    assert!(wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).is_err());
    let sent = wire.receive(&prack(&early, "2", 2, ""));
    assert_eq!(firsts(&sent), [OK, OK]);
    assert_eq!((field(&sent[1], "CSeq"), field(&sent[1], "Content-Length")), (Some("1 INVITE"), Some("0")));
    assert!(wire.receive(&request("ACK", "3", 1, tag(&early, "To"), "", "")).is_empty());
    assert!(matches!(wire.events()[..], [Event::Acknowledged { description: None, .. }]));
}

#[test]
fn an_answer_after_a_plain_ringing_does_not_wait_and_the_late_prack_is_welcome() {
    let mut wire = Wire::with(reliable());
    let (session, ringing) = ringing(&mut wire, "Supported: 100rel\n", 180, false);
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    assert_eq!(firsts(&wire.sent()), [OK]);
    assert_eq!(firsts(&wire.receive(&prack(&ringing, "2", 2, ""))), [OK]);
    assert_eq!(firsts(&wire.receive(&prack(&ringing, "3", 3, ""))), [GONE]);
}

#[test]
fn an_offer_in_a_prack_is_answered_in_its_200() {
    let mut wire = Wire::with(reliable());
    let (session, early) = ringing(&mut wire, "Supported: 100rel\n", 183, true);
    assert!(wire.receive(&prack(&early, "2", 2, SDP)).is_empty());
    assert!(matches!(wire.events()[..], [Event::Offer { offer: Some(_), .. }]));
    wire.agent.answer_offer(wire.now, session, description(4002, Direction::SendRecv)).unwrap();
    let sent = wire.sent();
    assert_eq!((firsts(&sent), field(&sent[0], "CSeq")), (vec![OK], Some("2 PRACK")));
    assert!(sent[0].contains("m=audio 4002"));
    let update = request("UPDATE", "3", 3, tag(&early, "To"), "", SDP);
    assert!(wire.receive(&update).is_empty());
    assert!(matches!(wire.events()[..], [Event::Offer { offer: Some(_), .. }]), "so may an UPDATE offer (RFC 3311)");
    wire.agent.reject_offer(wire.now, session, 488).unwrap();
    assert_eq!(firsts(&wire.sent()), ["SIP/2.0 488 Not Acceptable Here"]);
    wire.agent.answer(wire.now, session, description(4002, Direction::SendRecv)).unwrap();
    assert_eq!(firsts(&wire.sent()), [OK]);
}

// RFC 3262 §5.
#[test]
fn our_offer_in_a_reliable_response_is_answered_by_the_prack() {
    let mut wire = Wire::with(reliable());
    wire.receive(&request("INVITE", "1", 1, "", "Require: 100rel\n", ""));
    let session = wire.incoming();
    wire.agent.progress(wire.now, session, 183, Some(description(4000, Direction::SendRecv))).unwrap();
    let early = wire.sent().remove(0);
    assert_eq!(firsts(&wire.receive(&prack(&early, "2", 2, SDP))), [OK]);
    assert!(matches!(wire.events()[..], [Event::OfferAnswered { status: 200, description: Some(_), .. }]));
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    assert_eq!(field(&wire.sent()[0], "Content-Length"), Some("0"));
    wire.receive(&request("ACK", "3", 1, tag(&early, "To"), "", ""));
    assert!(matches!(wire.events()[..], [Event::Acknowledged { description: None, .. }]));
}

#[test]
fn cancel_ends_a_call_whose_answer_is_held() {
    let mut wire = Wire::with(reliable());
    let (session, _) = ringing(&mut wire, "Supported: 100rel\n", 183, true);
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    let sent = wire.receive(&request("CANCEL", "1", 1, "", "", ""));
    assert_eq!(firsts(&sent), [OK, "SIP/2.0 487 Request Terminated"]);
    wire.receive(&request("ACK", "1", 1, tag(&sent[1], "To"), "", ""));
    assert!(wire.wait(Duration::from_secs(40)).is_empty());
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

#[test]
fn two_agents_set_up_calls_reliably_on_a_bad_link() {
    let mut answered = 0;
    for seed in 0..100 {
        let mut link = Link::of(seed, Weather::FOUL, reliable(), reliable());
        let ours = link.call(None);
        let mut theirs = None;
        for step in 0..60 {
            link.run_for(Duration::from_millis(500));
            while let Some(event) = link.take(Side::B) {
                if let Event::Incoming { session, .. } = event {
                    theirs = Some((session, step));
                    link.b.progress(link.now, session, 183, Some(offer_of(Side::B))).unwrap();
                    link.b.progress(link.now, session, 180, None).unwrap();
                }
            }
            if let Some((session, rang)) = theirs
                && step == rang + 1
            {
                link.b.answer(link.now, session, offer_of(Side::B)).unwrap();
            }
        }
        while let Some(event) = link.take(Side::A) {
            answered +=
                usize::from(matches!(event, Event::Answered { description, .. } if description == offer_of(Side::B)));
        }
        link.a.hang_up(link.now, ours);
        if let Some((session, _)) = theirs {
            link.b.hang_up(link.now, session);
        }
        link.assert_forgotten();
    }
    assert!(answered >= 98, "{answered} of 100");
}
