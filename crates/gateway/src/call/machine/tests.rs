use sip::sdp::{self, Direction, SrtpPolicy};

use super::keys::SPEECH_MARK;
use super::*;

#[test]
fn audio_moves_when_a_refresh_of_the_session_is_answered_with_another_address() {
    let now = Instant::now();
    let mut machine = CallMachine::new(now, OUTBOUND, LIMITS, DigitPolicy::Auto, at_port(4000), plain());
    let session = sip::SessionId(1);
    machine.handle_input(now, Input::Signalling(answer(5000)));
    assert_eq!(remotes(&mut machine), ["192.0.2.2:5000"]);
    for (port, moved) in [(5000, Vec::new()), (6000, vec!["192.0.2.2:6000".to_owned()])] {
        let description = Some(described(port));
        let answered = sip::Event::OfferAnswered { session, status: 200, description };
        machine.handle_input(now, Input::Signalling(answered));
        assert_eq!(remotes(&mut machine), moved);
    }
}

#[test]
fn keys_by_info_wait_for_what_is_being_said_and_leave_one_by_one() {
    let now = Instant::now();
    let mut machine = answered(now, DigitPolicy::Info);
    machine.handle_input(now, Input::Command(press("1w2")));
    let queued: Vec<_> = outputs(&mut machine);
    assert_eq!(queued, [Output::Queue(Order::SendPause(SPEECH_MARK))]);
    machine.handle_input(now, Input::Media(media::Event::DigitsSent));
    assert_eq!(info_bodies(&mut machine), ["Signal=1\r\nDuration=100\r\n"]);
    let answered = || Input::Signalling(sip::Event::InfoAnswered { session: sip::SessionId(1), status: Some(200) });
    machine.handle_input(now, answered());
    let at = |ms| now + Duration::from_millis(ms);
    for (pause_over, expected) in [(250, vec![]), (750, vec!["Signal=2\r\nDuration=100\r\n".to_owned()])] {
        assert_eq!(machine.poll_timeout(), Some(Deadline { at: at(pause_over), timer: "next key by INFO" }));
        machine.handle_input(at(pause_over), Input::Timeout);
        assert_eq!(info_bodies(&mut machine), expected);
    }
    machine.handle_input(at(900), answered());
    machine.handle_input(at(1000), Input::Timeout);
    assert_eq!(outputs(&mut machine), [Output::Line(LineEvent::DigitsSent)]);
    assert_ne!(machine.poll_timeout().map(|deadline| deadline.timer), Some("next key by INFO"));
}

#[test]
fn an_offer_before_the_answer_moves_audio_and_the_answer_does_not_move_it_back() {
    let (now, session) = (Instant::now(), sip::SessionId(1));
    let mut machine = CallMachine::new(now, OUTBOUND, LIMITS, DigitPolicy::Auto, at_port(4000), plain());
    let (status, reason) = (183, "Session Progress".to_owned());
    let early = sip::Event::Progress { session, status, reason, description: Some(described(5000)) };
    machine.handle_input(now, Input::Signalling(early));
    assert_eq!(remotes(&mut machine), ["192.0.2.2:5000"]);
    let offer = Some(sdp::offer(&Capabilities { address: ([192, 0, 2, 2], 6000).into(), ..at_port(6000) }));
    machine.handle_input(now, Input::Signalling(sip::Event::Offer { session, offer }));
    let answer_then_audio = outputs(&mut machine);
    assert!(
        matches!(
            &answer_then_audio[..],
            [Output::Signal(Signal::AnswerOffer(_)), Output::Media(Order::Configure(stream))]
                if stream.remote.to_string() == "192.0.2.2:6000"
        ),
        "{answer_then_audio:?}"
    );
    machine.handle_input(now, Input::Signalling(answer(5000)));
    assert_eq!(remotes(&mut machine), Vec::<String>::new());
    assert!(machine.is_established());
}

#[test]
fn a_call_that_we_end_says_why() {
    let now = Instant::now();
    let dialing = || CallMachine::new(now, OUTBOUND, LIMITS, DigitPolicy::Auto, at_port(4000), plain());
    let check = |mut machine: CallMachine, at: Instant, input: Input, expected: &str| {
        machine.handle_input(at, input);
        let reasons: Vec<_> = outputs(&mut machine)
            .into_iter()
            .filter_map(|output| match output {
                Output::Signal(Signal::HangUp(reason)) => Some(reason),
                _ => None,
            })
            .collect();
        assert_eq!(reasons, [expected]);
    };
    let answered = || answered(now, DigitPolicy::Auto);
    let hang_up = || Input::Command(LineCommand::HangUp);
    check(answered(), now, hang_up(), "Q.850;cause=16;text=\"Normal call clearing\"");
    check(dialing(), now, hang_up(), "Q.850;cause=16;text=\"Normal call clearing\"");
    check(dialing(), now + LIMITS.ring, Input::Timeout, "Q.850;cause=19;text=\"No answer from user\"");
    check(answered(), now + LIMITS.media_timeout, Input::Timeout, "Q.850;cause=41;text=\"No media\"");
    check(answered(), now + LIMITS.call, Input::Timeout, "Q.850;cause=31;text=\"Time limit\"");
    check(answered(), now, Input::MediaLost, "Q.850;cause=127;text=\"Interworking\"");
    check(answered(), now, Input::Stop, "Q.850;cause=41;text=\"Shutting down\"");
}

#[test]
fn a_call_that_reaches_nobody_fails_in_words() {
    let check = |why: &'static str, expected: &str| {
        let now = Instant::now();
        let mut machine = CallMachine::new(now, OUTBOUND, LIMITS, DigitPolicy::Auto, at_port(4000), plain());
        let end = sip::SessionEnd::Unanswered { why };
        machine.handle_input(now, Input::Signalling(sip::Event::Ended { session: sip::SessionId(1), end }));
        let end = machine.end().unwrap();
        assert_eq!((end.cause, end.reason.as_deref()), (EndCause::Failed, Some(expected)));
    };
    check("unreachable", "unreachable: the network cannot deliver to 192.0.2.2:5060");
    check("timeout", "timeout: nothing comes back from 192.0.2.2:5060");
    check("too many sessions", "too many sessions");
}

/// How the peer describes itself, in the order in which it does, and the time from the answer after which the call ends for
/// want of RTP, if it does.
fn check_media_limit(described: &[&str], ends_after: Option<u64>) {
    let (now, session) = (Instant::now(), sip::SessionId(1));
    let mut machine = CallMachine::new(now, OUTBOUND, LIMITS, DigitPolicy::Auto, at_port(4000), plain());
    let (first, later) = described.split_first().unwrap();
    let (status, reason) = (200, "OK".to_owned());
    let description = saying(first);
    machine.handle_input(now, Input::Signalling(sip::Event::Answered { session, status, reason, description }));
    for offer in later {
        machine.handle_input(now, Input::Signalling(sip::Event::Offer { session, offer: Some(saying(offer)) }));
    }
    let limit = machine.poll_timeout().unwrap();
    let expected = match ends_after {
        Some(seconds) => Deadline { at: now + Duration::from_secs(seconds), timer: "media timeout" },
        None => Deadline { at: now + LIMITS.call, timer: "call limit" },
    };
    assert_eq!(limit, expected, "{described:?}");
    // Nothing but a new description begins or ends it.
    machine.media_alive(now + Duration::from_secs(10));
    let moved = machine.poll_timeout().unwrap();
    assert_eq!(moved.at, limit.at + Duration::from_secs(if ends_after.is_some() { 10 } else { 0 }), "{described:?}");
}

// RFC 3264 §6.1 and §8.4: who only receives, is inactive, or holds us in the way of RFC 2543 owes us no RTP.
#[test]
fn no_rtp_is_awaited_of_a_peer_that_has_said_it_sends_none() {
    for silent in ["recvonly", "inactive", "sendonly", "0.0.0.0"] {
        check_media_limit(&[silent], None);
        check_media_limit(&["sendrecv", silent], None);
        check_media_limit(&["sendrecv", silent, "sendrecv"], Some(30));
        check_media_limit(&[silent, "sendrecv"], Some(30));
    }
    check_media_limit(&["sendrecv"], Some(30));
    check_media_limit(&["sendrecv", "sendrecv"], Some(30));
}

#[test]
fn no_rtp_is_awaited_of_a_peer_that_held_us_before_it_answered() {
    let (now, session) = (Instant::now(), sip::SessionId(1));
    let mut machine = CallMachine::new(now, OUTBOUND, LIMITS, DigitPolicy::Auto, at_port(4000), plain());
    let (status, reason) = (183, "Session Progress".to_owned());
    let early = sip::Event::Progress { session, status, reason, description: Some(described(5000)) };
    machine.handle_input(now, Input::Signalling(early));
    machine.handle_input(now, Input::Signalling(sip::Event::Offer { session, offer: Some(saying("inactive")) }));
    machine.handle_input(now, Input::Signalling(answer(5000)));
    assert!(machine.is_established());
    assert_eq!(machine.poll_timeout().unwrap().timer, "call limit");
}

#[test]
fn a_call_that_is_answered_on_hold_is_held_until_it_is_taken_back() {
    let (now, session) = (Instant::now(), sip::SessionId(1));
    let mut machine = CallMachine::new(now, OUTBOUND, LIMITS, DigitPolicy::Auto, at_port(4000), plain());
    let (status, reason, description) = (200, "OK".to_owned(), saying("inactive"));
    machine.handle_input(now, Input::Signalling(sip::Event::Answered { session, status, reason, description }));
    machine.handle_input(now, Input::Signalling(sip::Event::Offer { session, offer: Some(saying("sendrecv")) }));
    let told: Vec<_> = outputs(&mut machine)
        .into_iter()
        .filter_map(|output| match output {
            Output::Line(event) => Some(event),
            _ => None,
        })
        .collect();
    assert_eq!(told, [LineEvent::Answered, LineEvent::Held(true), LineEvent::Held(false)]);
}

/// A description of theirs with this direction, or with this address.
fn saying(what: &str) -> SessionDescription {
    let theirs = |direction| Capabilities { address: ([192, 0, 2, 2], 5000).into(), direction, ..at_port(5000) };
    match what {
        "recvonly" => sdp::offer(&theirs(Direction::RecvOnly)),
        "inactive" => sdp::offer(&theirs(Direction::Inactive)),
        "sendonly" => sdp::offer(&theirs(Direction::SendOnly)),
        "0.0.0.0" => sdp::offer(&Capabilities { address: ([0, 0, 0, 0], 5000).into(), ..at_port(5000) }),
        _ => sdp::offer(&theirs(Direction::SendRecv)),
    }
}

const OUTBOUND: Origin =
    Origin::Outbound { peer: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 5060) };

fn press(digits: &str) -> LineCommand {
    LineCommand::Press { digits: digits.to_owned(), differently: false }
}

fn info_bodies(machine: &mut CallMachine) -> Vec<String> {
    let signals = outputs(machine).into_iter().map(|output| match output {
        Output::Signal(Signal::Info { body, .. }) => String::from_utf8(body).unwrap(),
        other => format!("{other:?}"),
    });
    signals.collect()
}

/// An outbound call that was answered from port 5000.
fn answered(now: Instant, digits: DigitPolicy) -> CallMachine {
    let mut machine = CallMachine::new(now, OUTBOUND, LIMITS, digits, at_port(4000), plain());
    machine.handle_input(now, Input::Signalling(answer(5000)));
    outputs(&mut machine);
    machine
}

fn answer(port: u16) -> sip::Event {
    let (status, reason) = (200, "OK".to_owned());
    sip::Event::Answered { session: sip::SessionId(1), status, reason, description: described(port) }
}

fn outputs(machine: &mut CallMachine) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

const LIMITS: CallLimits = CallLimits {
    ring: Duration::from_secs(45),
    call: Duration::from_secs(600),
    media_timeout: Duration::from_secs(30),
};

fn at_port(port: u16) -> Capabilities {
    Capabilities {
        address: ([192, 0, 2, 1], port).into(),
        codecs: vec![sip::sdp::AudioCodec::Pcmu],
        telephone_event: Some(101),
        session_id: 1,
        version: 1,
        direction: Direction::SendRecv,
    }
}

/// An answer of theirs, from that port of 192.0.2.2.
fn described(port: u16) -> SessionDescription {
    let theirs = Capabilities { address: ([192, 0, 2, 2], port).into(), ..at_port(port) };
    sdp::answer(&sdp::offer(&at_port(4000)), &theirs).unwrap().0
}

/// Where the streams that were configured send to.
fn remotes(machine: &mut CallMachine) -> Vec<String> {
    std::iter::from_fn(|| machine.poll_output())
        .filter_map(|output| match output {
            Output::Media(Order::Configure(stream)) => Some(stream.remote.to_string()),
            _ => None,
        })
        .collect()
}

fn plain() -> Sdes {
    Sdes::new(SrtpPolicy::Off, [0; 32])
}
