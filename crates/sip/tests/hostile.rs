//! Whatever bytes arrive: no panic, no answer to a response or an ACK, no growth without bound.

mod wire;

use std::time::Duration;

use sip::sdp::{Direction, SessionDescription};
use sip::{Config, Event, Input, Invite};
use wire::{SDP, Wire, called_in, description, firsts, flow, request, response};

/// One of each kind of message, some of them for a call in progress.
fn messages(wire: &mut Wire) -> Vec<String> {
    let invite = Invite {
        hops: vec![flow().into()],
        request_uri: "sip:bob@example.test".into(),
        from: "sip:alice@example.test".into(),
        display_name: Some("Alice".into()),
        contact_user: "alice".into(),
        credentials: Some(sip::Credentials::new("alice", "secret")),
        registration: None,
        offer: description(4000, Direction::SendRecv),
        presentation: sip::Presentation::default(),
        redirects: sip::Redirects::To(vec!["other.test".into(), "[2001:db8::7]".into()]),
        headers: vec![],
    };
    wire.agent.invite(wire.now, invite);
    let ours = wire.sent().remove(0);
    let challenge = "WWW-Authenticate: Digest realm=\"a, b\", nonce=\"\\\"n\", qop=\"auth,auth-int\", algorithm=MD5\n";
    let route = "Record-Route: <sip:192.0.2.2;lr>, \"x, y\" <sip:[2001:db8::1]:5061;lr>;p=\"q\"\nRequire: \n";
    let caller = "P-Asserted-Identity: \"A, B\" <sip:+1555;verstat=TN-Validation-Passed-A@t.test>, <tel:+1555>;verstat=x\n\
        Diversion: <tel:1>;reason=\"no-answer\";counter=3\nHistory-Info: <sip:a@b?Reason=SIP%3Bcause%3D302>;index=1.1\n\
        Privacy: id;user\nIdentity: e30.e30.c2ln;info=<https://cert.test/a>;ppt=shaken\n";
    let multipart = request("INVITE", "m", 1, "", "", "--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x--\r\n")
        .replace("application/sdp\nContent-Length", "multipart/mixed;boundary=\"x\"\nContent-Length");
    vec![
        request(
            "INVITE",
            "1",
            1,
            "",
            route,
            &format!("{SDP}a=rtpmap:101 telephone-event/8000\r\na=ptime:20.0\r\na=rtcp:1 IN IP4 192.0.2.2\r\n"),
        ),
        request("INVITE", "4", 1, "", caller, SDP).replace("Call-ID: c1", "Call-ID: c4"),
        multipart,
        request("CANCEL", "1", 1, "", "", ""),
        request("ACK", "1", 1, "x", "", ""),
        request("OPTIONS", "2", 1, "", "Accept: application/sdp;q=0.5, */*\n", ""),
        request("REGISTER", "3", 1, "", "Expires: 100\nAuthorization: Digest username=\"a\", realm=\"r\"\n", ""),
        response(&ours, "401 Unauthorized", "b", challenge, ""),
        response(
            &ours,
            "302 Moved",
            "b",
            "m: <sip:bob@[2001:db8::7]:5070>;q=0.25, \"b, c\" <sip:bob;x=y@other.test>;q=1\n",
            "",
        ),
        response(&ours, "183 Session Progress", "b", "Contact: <sip:b@192.0.2.2>\n", SDP),
        response(&ours, "200 OK", "b", "Contact: <sip:b@192.0.2.2>\nRecord-Route: <sip:192.0.2.2>\n", SDP),
    ]
}

/// Gives it over and looks at the consequences.
fn survive(wire: &mut Wire, bytes: &[u8]) {
    wire.agent.handle_input(wire.now, Input::Received { flow: flow(), payload: bytes });
    let answered = wire.sent();
    wire.events();
    if bytes.starts_with(b"ACK ") || bytes.starts_with(b"SIP/2.0 ") {
        let responses = answered.iter().filter(|message| message.starts_with("SIP/2.0 "));
        assert_eq!(responses.count(), 0, "{}", String::from_utf8_lossy(bytes));
    }
    let _ = SessionDescription::parse(bytes);
}

#[test]
fn every_prefix_of_every_message_is_survived() {
    let count = messages(&mut Wire::new()).len();
    for index in 0..count {
        let mut wire = Wire::new();
        let message = messages(&mut wire).swap_remove(index).replace("\r\n", "\n").replace('\n', "\r\n");
        for end in 0..=message.len() {
            survive(&mut wire, &message.as_bytes()[..end]);
        }
        wire.wait(Duration::from_secs(300));
    }
}

#[test]
fn twenty_thousand_mutations_are_survived() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) as usize % below
    };
    let mut wire = Wire::new();
    let mut known = messages(&mut wire);
    for round in 0..20_000 {
        if round % 500 == 0 {
            wire.wait(Duration::from_secs(200));
            known = messages(&mut wire);
        }
        if round % 100 == 99 {
            let lost = match round % 200 {
                99 => Input::Closed { flow: flow(), why: None },
                _ => Input::Unreachable { flow: flow() },
            };
            wire.agent.handle_input(wire.now, lost);
        }
        let mut bytes = known[next(known.len())].replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes[at] = next(256) as u8,
                1 => bytes.insert(at, b" \t\r\n\",;:<>=@\\/\0\xff"[next(16)]),
                2 => {
                    bytes.remove(at);
                }
                _ => {
                    let length = next(20).min(bytes.len() - at);
                    let piece = bytes[at..at + length].to_vec();
                    let to = next(bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
        }
        survive(&mut wire, &bytes);
    }
    wire.wait(Duration::from_secs(500));
    assert!(wire.agent.transaction_count() < 500, "only calls that ring go on");
}

#[test]
fn a_flood_of_calls_is_refused_beyond_the_limit_and_forgotten() {
    let mut wire = Wire::with(Config { max_sessions: 100, ..Config::default() });
    let mut refused = 0;
    for call in 0..5000 {
        let invite =
            request("INVITE", &format!("x{call}"), 1, "", "", SDP).replace("Call-ID: c1", &format!("Call-ID: c{call}"));
        let sent = wire.receive(&invite);
        refused += sent.iter().filter(|message| message.starts_with("SIP/2.0 503 ")).count();
    }
    assert_eq!((wire.agent.session_count(), refused), (100, 4900));
    assert_eq!(wire.agent.transaction_count(), 100);
}

#[test]
fn a_flood_of_requests_keeps_no_call_from_ending() {
    let mut wire = Wire::new();
    let (_, to_tag, _) = called_in(&mut wire, "");
    wire.receive(&request("INVITE", "ringing", 1, "", "", SDP).replace("Call-ID: c1", "Call-ID: c2"));
    let ringing = wire.incoming();
    let options = |number: usize| {
        request("OPTIONS", &format!("o{number}"), 1, "", "", "").replace("Call-ID: c1", &format!("Call-ID: o{number}"))
    };
    for number in 0..32_768 {
        wire.receive(&options(number));
    }
    let unavailable = "SIP/2.0 503 Service Unavailable";
    assert_eq!(firsts(&wire.receive(&options(40_000))), [unavailable]);
    assert_eq!(firsts(&wire.receive(&request("BYE", "9", 2, "guessed", "", ""))), [unavailable]);
    assert_eq!(firsts(&wire.receive(&request("CANCEL", "guessed", 1, "", "", ""))), [unavailable]);
    assert_eq!(firsts(&wire.receive(&request("BYE", "9", 2, &to_tag, "", ""))), ["SIP/2.0 200 OK"]);
    let cancel = request("CANCEL", "ringing", 1, "", "", "").replace("Call-ID: c1", "Call-ID: c2");
    assert_eq!(firsts(&wire.receive(&cancel)), ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]);
    assert!(wire.events().iter().any(|event| matches!(event, Event::Ended { session, .. } if *session == ringing)));
    assert_eq!(wire.agent.session_count(), 0);
}

#[test]
fn absurd_sizes_are_bounded() {
    let mut wire = Wire::new();
    for bytes in [
        request("OPTIONS", "1", 1, "", &"Via: SIP/2.0/UDP h\n".repeat(10_000), ""),
        request("OPTIONS", "2", 1, "", &"X: y\n".repeat(250), ""),
        request("INVITE", "3", 1, "", "", &format!("{SDP}{}", "m=audio 1 RTP/AVP 0\r\n".repeat(10_000))),
        request("OPTIONS", "4", 1, "", &format!("X: {}\n", "y".repeat(60_000)), ""),
        request("OPTIONS", "5", 1, "", &format!("Route: {}\n", "<sip:a@b>,".repeat(5000)), ""),
        "\r\n".repeat(40_000),
    ] {
        survive(&mut wire, bytes.as_bytes());
    }
}
