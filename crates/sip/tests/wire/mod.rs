//! A user agent against messages written by hand.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::time::{Duration, Instant};

use sip::sdp::{self, AudioCodec, Capabilities, Direction, SessionDescription};
use sip::{Config, Credentials, Event, Flow, Input, Invite, SessionId, Transport, UserAgent};

/// One user agent at 192.0.2.1:5060 whose peer at 192.0.2.2:5060 is the test.
pub struct Wire {
    pub agent: UserAgent,
    pub now: Instant,
    /// By which the peer's messages come.
    pub flow: Flow,
}

impl Wire {
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    pub fn with(config: Config) -> Self {
        Self { agent: UserAgent::new(config, [7; 32]), now: Instant::now(), flow: flow() }
    }

    /// The same over a connection.
    pub fn over(transport: Transport) -> Self {
        Self { flow: Flow { transport, ..flow() }, ..Self::new() }
    }

    /// Hands over a message; lines may end in bare LF. What the agent sends back.
    pub fn receive(&mut self, message: &str) -> Vec<String> {
        self.receive_bytes(message.replace("\r\n", "\n").replace('\n', "\r\n").as_bytes())
    }

    pub fn receive_bytes(&mut self, payload: &[u8]) -> Vec<String> {
        self.agent.handle_input(self.now, Input::Received { flow: self.flow, payload });
        self.sent()
    }

    /// Lets time pass, deadline by deadline; what the agent sends meanwhile.
    pub fn wait(&mut self, time: Duration) -> Vec<String> {
        self.wait_by_path(time).into_iter().map(|(_, message)| message).collect()
    }

    /// The same, with where it goes.
    pub fn wait_by_path(&mut self, time: Duration) -> Vec<(Flow, String)> {
        let end = self.now + time;
        let mut sent = self.sent_by_path();
        while let Some(deadline) = self.agent.poll_timeout().filter(|deadline| deadline.at <= end) {
            self.now = self.now.max(deadline.at);
            self.agent.handle_input(self.now, Input::Timeout);
            sent.extend(self.sent_by_path());
        }
        self.now = end;
        sent
    }

    pub fn sent(&mut self) -> Vec<String> {
        self.sent_by_path().into_iter().map(|(_, message)| message).collect()
    }

    pub fn sent_by_path(&mut self) -> Vec<(Flow, String)> {
        std::iter::from_fn(|| self.agent.poll_transmit())
            .map(|transmit| (transmit.flow, String::from_utf8_lossy(&transmit.payload).into_owned()))
            .collect()
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.agent.poll_event()).collect()
    }

    /// The session of the INVITE just received.
    pub fn incoming(&mut self) -> SessionId {
        let found = self.events().into_iter().find_map(|event| match event {
            Event::Incoming { session, .. } => Some(session),
            _ => None,
        });
        found.expect("an incoming call")
    }
}

pub const CONTACT: &str = "Contact: <sip:them@192.0.2.2:5060>\n";

/// A call of ours, with credentials for `alice`, and the INVITE that went out.
pub fn calling(wire: &mut Wire) -> (SessionId, String) {
    let session = wire.agent.invite(wire.now, invite_to(wire.flow));
    (session, wire.sent().remove(0))
}

/// What `calling` sends, by this path.
pub fn invite_to(flow: Flow) -> Invite {
    Invite {
        hops: vec![flow.into()],
        request_uri: "sip:bob@example.test".into(),
        from: "sip:alice@example.test".into(),
        display_name: None,
        contact_user: "alice".into(),
        credentials: Some(Credentials::new("alice", "secret")),
        registration: None,
        offer: description(4000, Direction::SendRecv),
        presentation: sip::Presentation::default(),
        redirects: sip::Redirects::Refuse,
        headers: vec![],
    }
}

/// A call of ours that was answered with further header lines in the 200, and its INVITE.
pub fn called_out(wire: &mut Wire, more: &str) -> (SessionId, String) {
    let (session, invite) = calling(wire);
    let sent = wire.receive(&response(&invite, "200 OK", "b", &format!("{CONTACT}{more}"), SDP));
    assert_eq!(firsts(&sent), ["ACK sip:them@192.0.2.2:5060 SIP/2.0"]);
    assert!(matches!(wire.events()[..], [Event::Answered { .. }]));
    (session, invite)
}

/// A call of theirs with further header lines, answered and acknowledged: its session, our tag and our 200.
pub fn called_in(wire: &mut Wire, more: &str) -> (SessionId, String, String) {
    wire.receive(&request("INVITE", "1", 1, "", more, SDP));
    let session = wire.incoming();
    wire.agent.answer(wire.now, session, description(4000, Direction::SendRecv)).unwrap();
    let answer = wire.sent().remove(0);
    let to_tag = tag(&answer, "To").to_owned();
    wire.receive(&request("ACK", "2", 1, &to_tag, "", ""));
    wire.events();
    (session, to_tag, answer)
}

/// A request of theirs on the call behind an INVITE of ours.
pub fn of_theirs(invite: &str, method: &str, branch: &str, cseq: u32, more: &str, body: &str) -> String {
    request(method, branch, cseq, tag(invite, "From"), more, body)
        .replace("Call-ID: c1", &format!("Call-ID: {}", field(invite, "Call-ID").unwrap()))
        .replace(";tag=t\n", ";tag=b\n")
}

pub fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "192.0.2.2:5060".parse().unwrap(),
    }
}

/// First lines only.
pub fn firsts(messages: &[String]) -> Vec<&str> {
    messages.iter().map(|message| message.lines().next().unwrap_or_default()).collect()
}

/// The value of a header field.
pub fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The tag of From or To.
pub fn tag<'a>(message: &'a str, name: &str) -> &'a str {
    field(message, name).and_then(|value| value.split(";tag=").nth(1)).unwrap_or_default()
}

pub fn description(port: u16, direction: Direction) -> SessionDescription {
    sdp::offer(&Capabilities {
        address: format!("192.0.2.1:{port}").parse().unwrap(),
        codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
        telephone_event: Some(101),
        session_id: 1,
        version: 1,
        direction,
    })
}

/// Their description.
pub const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n";

/// A request of theirs on the call `c1`, with `more` header lines and a description if wanted.
pub fn request(method: &str, branch: &str, cseq: u32, to_tag: &str, more: &str, body: &str) -> String {
    let to = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!(
        "{method} sip:us@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK{branch};rport\nMax-Forwards: 70\n\
         From: <sip:them@192.0.2.2>;tag=t\nTo: <sip:us@192.0.2.1>{to}\nCall-ID: c1\nCSeq: {cseq} {method}\n\
         Contact: <sip:them@192.0.2.2>\n{more}{content}Content-Length: {}\n\n{body}",
        body.len()
    )
}

/// A response of theirs to a request of ours.
pub fn response(to: &str, status: &str, to_tag: &str, more: &str, body: &str) -> String {
    let own = |name| field(to, name).unwrap_or_default();
    let to_value = own("To");
    let tag = if to_tag.is_empty() || to_value.contains(";tag=") { String::new() } else { format!(";tag={to_tag}") };
    let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!(
        "SIP/2.0 {status}\nVia: {}\nFrom: {}\nTo: {to_value}{tag}\nCall-ID: {}\nCSeq: {}\n{more}{content}Content-Length: {}\n\n{body}",
        own("Via"),
        own("From"),
        own("Call-ID"),
        own("CSeq"),
        body.len()
    )
}
