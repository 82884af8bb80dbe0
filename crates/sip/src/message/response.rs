//! Responses: borrowed when received, owned when sent.

use std::net::SocketAddr;

use super::headers::{HeaderName, Headers, Via, values};
use super::writer::Writer;
use super::{Request, reason_phrase};
use crate::Flow;

/// A received response.
#[derive(Debug, Clone)]
pub struct Response<'a> {
    /// 100 to 699.
    pub status: u16,
    /// Reason phrase as sent.
    pub reason: &'a [u8],
    /// Its header fields.
    pub headers: Headers<'a>,
    /// Its body.
    pub body: &'a [u8],
}

/// What every response to one request repeats, and where it goes (RFC 3261 §8.2.6, §18.2).
#[derive(Debug, Clone)]
pub(crate) struct Echo {
    vias: Vec<Vec<u8>>,
    record_routes: Vec<Vec<u8>>,
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
    to_has_tag: bool,
    call_id: Option<Vec<u8>>,
    cseq: Option<Vec<u8>>,
    pub reply_to: Flow,
    /// Where they go once the connection of `reply_to` is gone.
    pub reopen: Flow,
}

impl Echo {
    /// Of a request that came by `flow`; whatever it lacks but a Via, the response lacks too.
    pub fn of(request: &Request<'_>, flow: &Flow) -> Option<Self> {
        let headers = &request.headers;
        let top = headers.top_via().ok()?;
        let own = |name| headers.first(name).map(<[u8]>::to_vec);
        let below = headers.all(HeaderName::Via).flat_map(values).skip(1).map(<[u8]>::to_vec);
        Some(Self {
            vias: std::iter::once(stamped(&top, flow)).chain(below).collect(),
            record_routes: headers.all(HeaderName::RecordRoute).map(<[u8]>::to_vec).collect(),
            from: own(HeaderName::From),
            to: own(HeaderName::To),
            to_has_tag: headers.to().is_ok_and(|to| to.tag().is_some()),
            call_id: own(HeaderName::CallId),
            cseq: own(HeaderName::CSeq),
            reply_to: Flow { remote: reply_address(&top, flow), ..*flow },
            reopen: Flow { remote: sent_by_address(&top, flow), ..*flow },
        })
    }
}

/// The Via with what we saw of its sender (RFC 3261 §18.2.1, RFC 3581 §4).
fn stamped(via: &Via<'_>, flow: &Flow) -> Vec<u8> {
    let mut text = format!("SIP/{}/{} {}", via.version, via.transport, via.host).into_bytes();
    if let Some(port) = via.port {
        text.extend_from_slice(format!(":{port}").as_bytes());
    }
    for (name, value) in via.params.iter() {
        if name.eq_ignore_ascii_case(b"received") || name.eq_ignore_ascii_case(b"rport") {
            continue;
        }
        text.push(b';');
        text.extend_from_slice(name);
        if let Some(value) = value {
            text.push(b'=');
            text.extend_from_slice(value);
        }
    }
    let source = flow.remote.ip();
    if via.wants_rport() || super::uri::literal_address(via.host) != Some(source) {
        text.extend_from_slice(format!(";received={source}").as_bytes());
    }
    if via.wants_rport() {
        text.extend_from_slice(format!(";rport={}", flow.remote.port()).as_bytes());
    }
    text
}

/// Over a stream the connection that the request came by, and the source when rport asks for it (RFC 3261 §18.2.2,
/// RFC 3581 §4).
fn reply_address(via: &Via<'_>, flow: &Flow) -> SocketAddr {
    if flow.transport.is_reliable() || via.wants_rport() { flow.remote } else { sent_by_address(via, flow) }
}

/// The source address with the sent-by port. `maddr` is not followed: it would let a stranger aim our responses.
fn sent_by_address(via: &Via<'_>, flow: &Flow) -> SocketAddr {
    SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(flow.transport.default_port()))
}

/// A response of ours.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutgoingResponse {
    pub status: u16,
    pub reason: Option<String>,
    pub headers: Vec<(String, String)>,
    pub content: Option<(String, Vec<u8>)>,
    /// Whether it creates or refreshes a dialog, so that Record-Route is copied (RFC 3261 §12.1.1).
    pub in_dialog: bool,
}

impl OutgoingResponse {
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The bytes of this response to the request behind `echo`.
    pub fn to_bytes(&self, echo: &Echo, to_tag: &str, server: &str) -> Vec<u8> {
        let reason = self.reason.as_deref().unwrap_or_else(|| reason_phrase(self.status));
        let mut writer = Writer::response(self.status, reason);
        for via in &echo.vias {
            writer.header("Via", via);
        }
        if self.in_dialog {
            for route in &echo.record_routes {
                writer.header("Record-Route", route);
            }
        }
        if let Some(from) = &echo.from {
            writer.header("From", from);
        }
        if let Some(to) = &echo.to {
            // RFC 3261 §8.2.6.2: every response but 100 has a To tag.
            if echo.to_has_tag || self.status == 100 {
                writer.header("To", to);
            } else {
                writer.header("To", [to.as_slice(), b";tag=", to_tag.as_bytes()].concat());
            }
        }
        if let Some(call_id) = &echo.call_id {
            writer.header("Call-ID", call_id);
        }
        if let Some(cseq) = &echo.cseq {
            writer.header("CSeq", cseq);
        }
        for (name, value) in &self.headers {
            writer.header(name, value);
        }
        if !server.is_empty() {
            writer.header("Server", server);
        }
        writer.finish(self.content.as_ref().map(|(kind, body)| (kind.as_str(), body.as_slice())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;
    use crate::message::Message;

    fn echo(via: &str) -> Echo {
        echo_over(Transport::Udp, via)
    }

    fn echo_over(transport: Transport, via: &str) -> Echo {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{via}\r\nTo: <sip:a@b>\r\n\r\n");
        let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else { panic!() };
        let flow =
            Flow { transport, local: "192.0.2.1:5060".parse().unwrap(), remote: "198.51.100.7:4444".parse().unwrap() };
        Echo::of(&request, &flow).unwrap()
    }

    // RFC 3581 §4.
    #[test]
    fn rport_sends_the_response_to_the_source() {
        let echo =
            echo("Via: SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bK1, SIP/2.0/UDP x;branch=2\r\nv: SIP/2.0/TCP y");
        assert_eq!(echo.reply_to.remote, "198.51.100.7:4444".parse().unwrap());
        let vias: Vec<_> = echo.vias.iter().map(|via| String::from_utf8_lossy(via).into_owned()).collect();
        assert_eq!(
            vias,
            [
                "SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1;received=198.51.100.7;rport=4444",
                "SIP/2.0/UDP x;branch=2",
                "SIP/2.0/TCP y"
            ]
        );
    }

    // RFC 3261 §18.2.1, §18.2.2.
    #[test]
    fn without_rport_the_sent_by_port_is_used() {
        assert_eq!(
            echo("Via: SIP/2.0/UDP 198.51.100.7;branch=1").reply_to.remote,
            "198.51.100.7:5060".parse().unwrap()
        );
        assert_eq!(echo("Via: SIP/2.0/UDP host:5070;branch=1").reply_to.remote, "198.51.100.7:5070".parse().unwrap());
    }

    // RFC 3261 §18.2.2.
    #[test]
    fn over_a_stream_the_connection_is_kept_and_else_sent_by_is_opened() {
        let remotes = |transport, via| {
            let echo = echo_over(transport, via);
            (echo.reply_to.remote.to_string(), echo.reopen.remote.to_string())
        };
        let (connection, own) = ("198.51.100.7:4444".to_owned(), |port| format!("198.51.100.7:{port}"));
        assert_eq!(remotes(Transport::Tcp, "Via: SIP/2.0/TCP host:5070;branch=1"), (connection.clone(), own(5070)));
        assert_eq!(remotes(Transport::Tls, "Via: SIP/2.0/TLS host;branch=1;rport"), (connection, own(5061)));
    }

    // RFC 3261 §8.2.6.2.
    #[test]
    fn a_100_gets_no_to_tag_and_what_is_missing_stays_missing() {
        let text = |status| {
            String::from_utf8(OutgoingResponse::new(status).to_bytes(&echo("Via: SIP/2.0/UDP h"), "t", "")).unwrap()
        };
        assert!(text(100).contains("To: <sip:a@b>\r\n"));
        assert!(text(180).contains("To: <sip:a@b>;tag=t\r\n"));
        assert!(!text(180).contains("From"));
    }
}
