//! Next hops within a call that are names: the shell looks them up, and what is to be sent waits.

mod wire;

use std::time::Duration;

use sip::sdp::Direction;
use sip::{Event, Flow, Input, SessionId, Transport};
use wire::{SDP, Wire, called_in, calling, description, field, firsts, flow, request, response};

const NAMED: &str = "Contact: <sip:them@pbx.example.test>\n";
const URI: &str = "sip:them@pbx.example.test";

fn elsewhere() -> Flow {
    Flow { remote: "192.0.2.77:5060".parse().unwrap(), ..flow() }
}

/// A call of ours whose answer names a host, up to the question for it; and its INVITE.
fn answered(wire: &mut Wire) -> (SessionId, String) {
    let (session, invite) = calling(wire);
    assert!(wire.receive(&response(&invite, "200 OK", "b", NAMED, SDP)).is_empty());
    let events = wire.events();
    assert!(matches!(&events[..], [Event::Locate { uri, .. }, Event::Answered { .. }] if uri == URI), "{events:?}");
    (session, invite)
}

// RFC 3263.
#[test]
fn the_ack_and_what_follows_wait_for_the_name_and_go_there_in_order() {
    let mut wire = Wire::new();
    let (session, invite) = answered(&mut wire);
    assert!(wire.receive(&response(&invite, "200 OK", "b", NAMED, SDP)).is_empty(), "it waits, once");
    wire.agent.info(wire.now, session, "application/dtmf", b"5").unwrap();
    wire.agent.located(wire.now, session, URI, Some(elsewhere()));
    let (paths, messages): (Vec<_>, Vec<_>) = wire.sent_by_path().into_iter().unzip();
    assert_eq!(paths, [elsewhere(), elsewhere()]);
    assert_eq!(firsts(&messages), ["ACK sip:them@pbx.example.test SIP/2.0", "INFO sip:them@pbx.example.test SIP/2.0"]);
    let again = wire.receive(&response(&invite, "200 OK", "b", NAMED, SDP));
    assert_eq!(again, messages[..1]);
    wire.receive(&response(&messages[1], "200 OK", "", "", ""));
    assert!(matches!(wire.events()[..], [Event::InfoAnswered { status: Some(200), .. }]));
    wire.agent.hang_up(wire.now, session);
    assert_eq!(wire.sent_by_path()[0].0, elsewhere(), "asked once");
}

#[test]
fn a_name_that_leads_nowhere_leaves_the_call_to_its_path() {
    let mut wire = Wire::new();
    let (session, _) = answered(&mut wire);
    wire.agent.located(wire.now, session, URI, None);
    assert_eq!(wire.sent_by_path()[0].0, flow());
    wire.agent.hang_up(wire.now, session);
    assert_eq!(wire.sent_by_path()[0].0, flow());
}

#[test]
fn a_shell_that_does_not_answer_is_not_waited_for() {
    let mut wire = Wire::new();
    let (session, _) = answered(&mut wire);
    assert!(wire.wait(Duration::from_millis(4990)).is_empty());
    assert_eq!(firsts(&wire.wait(Duration::from_millis(20))), ["ACK sip:them@pbx.example.test SIP/2.0"]);
    wire.agent.located(wire.now, session, URI, Some(elsewhere()));
    wire.agent.hang_up(wire.now, session);
    assert_eq!(wire.sent_by_path()[0].0, elsewhere(), "better late than never");
}

// RFC 3261 §12.2.1.1.
#[test]
fn the_first_route_is_what_counts() {
    let mut wire = Wire::new();
    let (session, invite) = calling(&mut wire);
    let routes = format!("{NAMED}Record-Route: <sip:192.0.2.5;lr>, <sip:edge.example.test;lr>\n");
    wire.receive(&response(&invite, "200 OK", "b", &routes, SDP));
    assert!(matches!(&wire.events()[..], [Event::Locate { uri, .. }, ..] if uri == "sip:edge.example.test;lr"));
    wire.agent.located(wire.now, session, "sip:edge.example.test;lr", Some(elsewhere()));
    let (path, ack) = wire.sent_by_path().remove(0);
    assert_eq!((path, field(&ack, "Route")), (elsewhere(), Some("<sip:edge.example.test;lr>")));
}

#[test]
fn a_bye_that_waits_is_sent_after_the_call_has_ended() {
    let mut wire = Wire::new();
    let (session, to_tag, _) = called_in(&mut wire, "");
    let moved = request("UPDATE", "3", 2, &to_tag, "", "").replace("them@192.0.2.2>\n", "them@pbx.example.test>\n");
    wire.receive(&moved.replace("From: <sip:them@pbx.example.test>", "From: <sip:them@192.0.2.2>"));
    wire.agent.hang_up(wire.now, session);
    assert!(wire.sent().is_empty());
    assert!(matches!(wire.events()[..], [Event::Locate { .. }, Event::Ended { .. }]));
    wire.agent.located(wire.now, session, URI, Some(elsewhere()));
    let (path, bye) = wire.sent_by_path().remove(0);
    assert_eq!((path, bye.starts_with("BYE sip:them@pbx.example.test SIP/2.0\r\n")), (elsewhere(), true));
    wire.receive(&response(&bye, "200 OK", "", "", ""));
    wire.wait(Duration::from_secs(40));
    assert_eq!((wire.agent.session_count(), wire.agent.transaction_count()), (0, 0));
}

#[test]
fn a_target_that_changes_while_it_is_looked_up_is_asked_for_in_its_turn() {
    let mut wire = Wire::new();
    let (session, to_tag, _) = called_in(&mut wire, "");
    let moved = |branch, cseq, host: &str| {
        request("UPDATE", branch, cseq, &to_tag, "", "")
            .replace("Contact: <sip:them@192.0.2.2>", &format!("Contact: <sip:{host}>"))
    };
    wire.receive(&moved("3", 2, "one.test"));
    wire.agent.offer(wire.now, session, description(4000, Direction::SendOnly)).unwrap();
    wire.receive(&moved("4", 3, "two.test"));
    wire.agent.located(wire.now, session, "sip:one.test", Some(elsewhere()));
    assert!(wire.sent().is_empty());
    let events = wire.events();
    assert!(
        matches!(&events[..], [Event::Locate { uri: one, .. }, Event::Locate { uri: two, .. }]
        if one == "sip:one.test" && two == "sip:two.test"),
        "{events:?}"
    );
    wire.agent.located(wire.now, session, "sip:two.test", Some(elsewhere()));
    assert_eq!(wire.sent_by_path()[0].0, elsewhere());
}

#[test]
fn what_was_found_and_cannot_be_reached_leaves_the_path_of_the_call() {
    let mut wire = Wire::new();
    let (session, _) = answered(&mut wire);
    let tcp = Flow { transport: Transport::Tcp, ..elsewhere() };
    wire.agent.located(wire.now, session, URI, Some(tcp));
    wire.agent.hang_up(wire.now, session);
    assert_eq!(wire.sent_by_path().last().unwrap().0, tcp);
    wire.agent.handle_input(wire.now, Input::Unreachable { flow: tcp });
    let (path, bye) = wire.sent_by_path().remove(0);
    assert_eq!((path, bye.starts_with("BYE ")), (flow(), true));
    wire.agent.handle_input(wire.now, Input::Unreachable { flow: flow() });
    assert!(wire.sent().is_empty(), "no other path is left");
}
