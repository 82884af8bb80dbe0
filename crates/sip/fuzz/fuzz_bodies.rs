//! What each fuzz target does with its bytes; `tests/fuzz_corpus.rs` does the same with the corpus.

#![allow(dead_code, reason = "each target uses one of these")]

use std::time::{Duration, Instant};

use sip::message::headers::q850_cause;
use sip::message::{Frame, Framing, HeaderName, Message};
use sip::sdp::{self, AudioCodec, Capabilities, Direction, SessionDescription};
use sip::{Config, Event, Flow, Input, Invite, Transport, UserAgent};

/// A datagram is read, and what a header may be asked for is asked.
pub fn message(data: &[u8]) {
    let headers = match Message::parse(data) {
        Ok(Message::Request(request)) => request.headers,
        Ok(Message::Response(response)) => response.headers,
        Err(_) => return,
    };
    let _ = (headers.top_via(), headers.to(), headers.from(), headers.cseq());
    let _ = headers.first(HeaderName::Reason).and_then(q850_cause);
}

/// A stream gives the same frames in whatever pieces it comes.
pub fn framing(data: &[u8]) {
    let [whole, halves, bytes] = [data.len(), data.len() / 2, 1].map(|size| frames(data, size.max(1)));
    assert_eq!(whole, halves);
    assert_eq!(whole, bytes);
}

fn frames(data: &[u8], size: usize) -> Vec<Frame> {
    let mut framing = Framing::default();
    let mut frames = Vec::new();
    for piece in data.chunks(size) {
        framing.push(piece);
        frames.extend(std::iter::from_fn(|| framing.next()));
    }
    frames
}

/// A description that can be read can be written, read again and written the same, and answered or refused.
pub fn sdp(data: &[u8]) {
    let Ok(description) = SessionDescription::parse(data) else { return };
    let written = description.to_bytes();
    let again = SessionDescription::parse(&written).map(|again| again.to_bytes());
    assert_eq!(again, Ok(written));
    let capabilities = capabilities();
    let _ = sdp::answer(&description, &capabilities);
    let _ = sdp::accept(&capabilities, &description);
}

/// A user agent with a call of its own gets datagrams with time between them: each ends at a NUL, and the byte after
/// it says how many seconds pass. In the end everything that nobody holds is forgotten.
pub fn user_agent(data: &[u8]) {
    let flow =
        Flow { transport: Transport::Udp, local: ([192, 0, 2, 1], 5060).into(), remote: ([192, 0, 2, 2], 5060).into() };
    let mut now = Instant::now();
    let mut agent = UserAgent::new(Config::default(), [7; 32]);
    let invite = Invite {
        registration: None,
        hops: vec![flow.into()],
        request_uri: "sip:bob@example.test".into(),
        from: "sip:alice@example.test".into(),
        display_name: None,
        contact_user: "alice".into(),
        credentials: None,
        offer: sdp::offer(&capabilities()),
        presentation: sip::Presentation::default(),
        redirects: sip::Redirects::Refuse,
        headers: vec![],
    };
    let mut sessions = vec![agent.invite(now, invite)];
    let mut rest = data;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        let (payload, after) = rest.split_at(end);
        agent.handle_input(now, Input::Received { flow, payload });
        sessions.extend(turn(&mut agent, now));
        let seconds = after.get(1).copied().unwrap_or_default();
        now += Duration::from_secs(seconds.into());
        agent.handle_input(now, Input::Timeout);
        sessions.extend(turn(&mut agent, now));
        rest = after.get(2..).unwrap_or_default();
    }
    for session in sessions {
        agent.hang_up(now, session);
    }
    for _ in 0..400 {
        now += Duration::from_secs(1);
        agent.handle_input(now, Input::Timeout);
        turn(&mut agent, now);
    }
    assert_eq!((agent.session_count(), agent.transaction_count()), (0, 0));
}

/// Everything that the agent has to say; calls are answered and offers accepted.
fn turn(agent: &mut UserAgent, now: Instant) -> Vec<sip::SessionId> {
    let mut incoming = Vec::new();
    while let Some(event) = agent.poll_event() {
        match event {
            Event::Incoming { session, .. } => {
                incoming.push(session);
                let _ = agent.answer(now, session, sdp::offer(&capabilities()));
            }
            Event::Offer { session, .. } => {
                let _ = agent.answer_offer(now, session, sdp::offer(&capabilities()));
            }
            _ => {}
        }
    }
    while agent.poll_transmit().is_some() {}
    incoming
}

fn capabilities() -> Capabilities {
    Capabilities {
        address: ([192, 0, 2, 1], 4000).into(),
        codecs: AudioCodec::ALL.to_vec(),
        telephone_event: Some(101),
        session_id: 1,
        version: 1,
        direction: Direction::SendRecv,
    }
}
