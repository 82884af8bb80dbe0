//! Responses: borrowed when received, owned when sent.

use std::net::SocketAddr;
use std::ops::Range;

use super::headers::{HeaderName, Headers, Via, values};
use super::writer::Writer;
use super::{Request, push_ip, push_number, reason_phrase};
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
    /// Via, Record-Route, From, To, Call-ID and CSeq, as they are written.
    lines: Vec<u8>,
    /// Where the Record-Routes are, which not each response repeats.
    record_routes: Range<usize>,
    /// Where To ends if it is to get a tag.
    untagged_to: Option<usize>,
    pub reply_to: Flow,
    /// Where they go once the connection of `reply_to` is gone.
    pub reopen: Flow,
}

const LINE_END: &str = "\r\n";

impl Echo {
    /// Of a request that came by `flow`; whatever it lacks but a Via, the response lacks too.
    pub fn of(request: &Request<'_>, flow: &Flow) -> Option<Self> {
        let headers = &request.headers;
        let top = headers.top_via().ok()?;
        let mut lines = Writer::part();
        lines.header("Via", stamped(&top, flow));
        for via in headers.all(HeaderName::Via).flat_map(values).skip(1) {
            lines.header("Via", via);
        }
        let routes_start = lines.len();
        for route in headers.all(HeaderName::RecordRoute) {
            lines.header("Record-Route", route);
        }
        let record_routes = routes_start..lines.len();
        let own = |lines: &mut Writer, name, field| {
            let value = headers.first(name);
            if let Some(value) = value {
                lines.header(field, value);
            }
            value.is_some()
        };
        own(&mut lines, HeaderName::From, "From");
        let has_to = own(&mut lines, HeaderName::To, "To");
        let has_tag = headers.to().is_ok_and(|to| to.tag().is_some());
        let untagged_to = (has_to && !has_tag).then(|| lines.len() - LINE_END.len());
        own(&mut lines, HeaderName::CallId, "Call-ID");
        own(&mut lines, HeaderName::CSeq, "CSeq");
        Some(Self {
            lines: lines.into_lines(),
            record_routes,
            untagged_to,
            reply_to: Flow { remote: reply_address(&top, flow), ..*flow },
            reopen: Flow { remote: sent_by_address(&top, flow), ..*flow },
        })
    }
}

/// Room for a common Via without growing.
const USUAL_VIA: usize = 128;

/// The Via with what we saw of its sender (RFC 3261 §18.2.1, RFC 3581 §4).
fn stamped(via: &Via<'_>, flow: &Flow) -> Vec<u8> {
    let mut start = String::with_capacity(USUAL_VIA);
    for part in ["SIP/", via.version, "/", via.transport, " ", via.host] {
        start.push_str(part);
    }
    if let Some(port) = via.port {
        start.push(':');
        push_number(&mut start, port);
    }
    let mut text = start.into_bytes();
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
    let mut seen = String::with_capacity(64);
    if via.wants_rport() || super::uri::literal_address(via.host) != Some(source) {
        seen.push_str(";received=");
        push_ip(&mut seen, source);
    }
    if via.wants_rport() {
        seen.push_str(";rport=");
        push_number(&mut seen, flow.remote.port());
    }
    text.extend_from_slice(seen.as_bytes());
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
        let Range { start, end } = echo.record_routes;
        writer.lines(&echo.lines[..if self.in_dialog { end } else { start }]);
        // RFC 3261 §8.2.6.2: every response but 100 has a To tag.
        match echo.untagged_to.filter(|_| self.status != 100) {
            Some(to) => {
                writer.lines(&echo.lines[end..to]);
                writer.lines(b";tag=");
                writer.lines(to_tag.as_bytes());
                writer.lines(&echo.lines[to..]);
            }
            None => writer.lines(&echo.lines[end..]),
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
        let lines = String::from_utf8_lossy(&echo.lines);
        let vias: Vec<_> = lines.lines().filter_map(|line| line.strip_prefix("Via: ")).collect();
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
