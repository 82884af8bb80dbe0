//! From the bytes of one datagram to an index of its parts.
//!
//! The index borrows everything and types nothing: a header is parsed when somebody asks for it. A request
//! that can be recognised but not accepted still parses, with its [`defect`](Request::defect), so that it
//! can be answered 400.

use super::headers::{Header, HeaderName, Headers};
use super::{Method, Request, Response, Uri, ascii, is_token, number, trim};
use memchr::{memchr, memrchr};

/// Longest message taken, the most that UDP can carry.
pub const MAX_MESSAGE_SIZE: usize = 65_535;
/// Most header fields taken in one message.
pub const MAX_HEADERS: usize = 256;

/// A received message.
#[derive(Debug, Clone)]
pub enum Message<'a> {
    /// A request.
    Request(Request<'a>),
    /// A response.
    Response(Response<'a>),
}

/// Bytes that are no SIP message, or a response that must be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing but line ends: a keep-alive (RFC 5626 §4.4.1).
    #[error("keep-alive")]
    KeepAlive,
    /// More than [`MAX_MESSAGE_SIZE`] bytes.
    #[error("message too large")]
    TooLarge,
    /// More than [`MAX_HEADERS`] header fields.
    #[error("too many header fields")]
    TooManyHeaders,
    /// The first line is that of neither a request nor a response.
    #[error("not a SIP message")]
    NotSip,
    /// A response with a fault; there is nobody to tell.
    #[error("malformed response: {0}")]
    MalformedResponse(&'static str),
}

impl<'a> Message<'a> {
    /// Indexes one datagram.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Error> {
        if datagram.len() > MAX_MESSAGE_SIZE {
            return Err(Error::TooLarge);
        }
        // RFC 3261 §7.5: empty lines before the start line are ignored.
        let start = datagram.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).ok_or(Error::KeepAlive)?;
        let mut lines = Lines { rest: &datagram[start..] };
        let first = lines.next_line().unwrap_or_default();
        let start_line = StartLine::parse(first)?;
        let mut defect = None;
        let headers = lines.headers(&mut defect)?;
        let body = match body(&headers, lines.rest) {
            Ok(body) => body,
            Err(why) => {
                defect = defect.or(Some(why));
                lines.rest
            }
        };
        match start_line {
            StartLine::Request { method, uri, version_ok, defect: line_defect } => {
                Ok(Self::Request(Request { method, uri, version_ok, headers, body, defect: line_defect.or(defect) }))
            }
            StartLine::Response { status, reason } => match defect {
                None => Ok(Self::Response(Response { status, reason, headers, body })),
                Some(why) => Err(Error::MalformedResponse(why)),
            },
        }
    }
}

enum StartLine<'a> {
    Request { method: Method<'a>, uri: &'a str, version_ok: bool, defect: Option<&'static str> },
    Response { status: u16, reason: &'a [u8] },
}

impl<'a> StartLine<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, Error> {
        if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
            return Self::parse_status_line(line);
        }
        let method_end = memchr(b' ', line).ok_or(Error::NotSip)?;
        let (method, rest) = line.split_at(method_end);
        if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
            return Err(Error::NotSip);
        }
        let method = Method::new(ascii(method).ok_or(Error::NotSip)?);
        // The version is sought from the end: white space inside the URI is then a defect of the URI.
        let trimmed = trim(rest);
        let version_start = memrchr(b' ', trimmed).ok_or(Error::NotSip)?;
        let (uri, version) = (&trimmed[..version_start], &trimmed[version_start + 1..]);
        if !version.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
            return Err(Error::NotSip);
        }
        // RFC 3261 §7.1: single spaces, nothing after the version.
        let spaced_well = rest.len() == trimmed.len() + 1;
        let uri = ascii(uri);
        let defect = match uri {
            _ if !spaced_well => Some("Request-Line spacing"),
            None => Some("Request-URI"),
            Some(uri) => Uri::parse(uri).err().map(|_| "Request-URI"),
        };
        let version_ok = version.eq_ignore_ascii_case(b"SIP/2.0");
        Ok(Self::Request { method, uri: uri.unwrap_or(""), version_ok, defect })
    }

    fn parse_status_line(line: &'a [u8]) -> Result<Self, Error> {
        let malformed = Error::MalformedResponse("Status-Line");
        let rest =
            line.get(..8).filter(|v| v.eq_ignore_ascii_case(b"SIP/2.0 ")).map(|_| &line[8..]).ok_or(malformed)?;
        let code = rest.get(..3).ok_or(malformed)?;
        let status: u16 = number(code).filter(|code| (100..700).contains(code)).ok_or(malformed)?;
        // The space after the code is due even before an empty phrase, but not everybody sends it then.
        match rest.get(3) {
            None => Ok(Self::Response { status, reason: b"" }),
            Some(b' ') => Ok(Self::Response { status, reason: trim(&rest[4..]) }),
            Some(_) => Err(malformed),
        }
    }
}

/// Takes lines off the front; CRLF or bare LF ends them.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = position(b'\n', self.rest);
        let (line, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// A line with those folded onto it (RFC 3261 §7.3.1).
    fn next_field(&mut self) -> Option<&'a [u8]> {
        let whole = self.rest;
        let mut field = self.next_line()?;
        if field.is_empty() {
            return Some(field);
        }
        while matches!(self.rest.first(), Some(b' ' | b'\t')) {
            self.next_line();
            field = &whole[..whole.len() - self.rest.len()];
        }
        Some(field)
    }

    fn headers(&mut self, defect: &mut Option<&'static str>) -> Result<Headers<'a>, Error> {
        let mut headers = Vec::with_capacity(24);
        loop {
            let Some(field) = self.next_field() else {
                *defect = defect.or(Some("no empty line after the header"));
                break;
            };
            if field.is_empty() {
                break;
            }
            if headers.len() == MAX_HEADERS {
                return Err(Error::TooManyHeaders);
            }
            match split_field(field) {
                Some(header) => headers.push(header),
                None => *defect = defect.or(Some("header field without a name")),
            }
        }
        Ok(Headers::new(headers))
    }
}

fn split_field(field: &[u8]) -> Option<Header<'_>> {
    let colon = position(b':', field)?;
    let raw_name = field[..colon].trim_ascii_end();
    let name = HeaderName::of(raw_name);
    let is_legal = name != HeaderName::Other || (!raw_name.is_empty() && raw_name.iter().all(|byte| is_token(*byte)));
    is_legal.then(|| Header::new(name, raw_name, trim(&field[colon + 1..])))
}

/// Where a byte first stands. Names and lines are so short that a scan which is called costs more than it saves.
#[inline]
fn position(wanted: u8, bytes: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (n, chunk) in chunks.iter().enumerate() {
        // A byte that is wanted is zero in `word`, and only the borrow of subtracting one from zero sets its high bit; what
        // it may set further up comes after the first.
        let word = u64::from_le_bytes(*chunk) ^ (EACH * u64::from(wanted));
        let found = word.wrapping_sub(EACH) & !word & (EACH << 7);
        if found != 0 {
            return Some(n * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    Some(bytes.len() - rest.len() + rest.iter().position(|byte| *byte == wanted)?)
}

/// Whether a start line is that of a SIP message, however faulty.
pub(super) fn is_start_line(line: &[u8]) -> bool {
    !matches!(StartLine::parse(line), Err(Error::NotSip))
}

/// The Content-Length in a start line with its header fields.
pub(super) fn declared_length(head: &[u8]) -> Result<Option<usize>, &'static str> {
    let mut lines = Lines { rest: head };
    lines.next_line();
    let headers = lines.headers(&mut None).map_err(|_| "too many header fields")?;
    content_length(&headers)
}

/// The body that Content-Length delimits; over datagrams all the rest when it is absent (RFC 3261 §18.3).
fn body<'a>(headers: &Headers<'_>, rest: &'a [u8]) -> Result<&'a [u8], &'static str> {
    match content_length(headers)? {
        None => Ok(rest),
        Some(length) => rest.get(..length).ok_or("Content-Length beyond the datagram"),
    }
}

fn content_length(headers: &Headers<'_>) -> Result<Option<usize>, &'static str> {
    let mut length: Option<usize> = None;
    for value in headers.all(HeaderName::ContentLength) {
        let this = number(value).ok_or("Content-Length")?;
        if length.is_some_and(|other| other != this) {
            return Err("conflicting Content-Length");
        }
        length = Some(this);
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: &[u8]) -> Request<'_> {
        match Message::parse(bytes) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    // RFC 3261 §7.5.
    #[test]
    fn empty_lines_before_and_bare_line_feeds_within_are_tolerated() {
        let request = request(b"\r\n\r\nOPTIONS sip:a@b SIP/2.0\nCall-ID: x\n\nbody");
        assert_eq!((request.method, request.defect), (Method::Options, None));
        assert_eq!(request.headers.call_id(), Ok("x"));
        assert_eq!(request.body, b"body");
    }

    // RFC 3261 §7.3.1, §7.3.3.
    #[test]
    fn folded_values_and_compact_names_in_any_case_are_found() {
        let request = request(b"OPTIONS sip:a@b SIP/2.0\r\nI : x\r\nS: one\r\n two\r\n\tthree\r\nL: 0\r\n\r\n");
        assert_eq!(request.headers.call_id(), Ok("x"));
        assert_eq!(request.headers.text(HeaderName::Subject).unwrap(), "one two three");
    }

    #[test]
    fn the_first_byte_that_is_wanted_is_found_wherever_it_stands() {
        for wanted in [b':', b'\n'] {
            // Neighbours that differ from it by one bit, and by one.
            let others = [wanted ^ 1, wanted - 1, wanted ^ 0x80, b'x', 0];
            for place in 0..40 {
                for length in place..41 {
                    let mut bytes: Vec<u8> = (0..length).map(|n| others[n % others.len()]).collect();
                    assert_eq!(position(wanted, &bytes), None);
                    bytes.push(wanted);
                    bytes.swap(place, length);
                    bytes.push(wanted);
                    assert_eq!(position(wanted, &bytes), Some(place), "{bytes:?}");
                }
            }
        }
    }

    // RFC 3261 §18.3.
    #[test]
    fn content_length_is_digits_that_agree_and_fit() {
        let with = |fields: &str| format!("OPTIONS sip:a@b SIP/2.0\r\n{fields}\r\n12345");
        for (fields, defect, body) in [
            ("", None, "12345"),
            ("Content-Length: 3\r\n", None, "123"),
            ("Content-Length : 3\r\nl: 3\r\n", None, "123"),
            ("Content-Length: 3\r\nl: 4\r\n", Some("conflicting Content-Length"), "12345"),
            ("Content-Length: 6\r\n", Some("Content-Length beyond the datagram"), "12345"),
            ("Content-Length: -3\r\n", Some("Content-Length"), "12345"),
            ("Content-Length: +3\r\n", Some("Content-Length"), "12345"),
            ("Content-Length: 99999999999999999999999\r\n", Some("Content-Length"), "12345"),
        ] {
            let text = with(fields);
            let request = request(text.as_bytes());
            assert_eq!((request.defect, request.body), (defect, body.as_bytes()), "{fields}");
        }
    }

    #[test]
    fn start_lines_are_strict_about_space_and_keep_what_they_can() {
        assert_eq!(request(b"OPTIONS  sip:a@b  SIP/2.0\r\n\r\n").defect, Some("Request-Line spacing"));
        assert_eq!(request(b"OPTIONS sip:a@b; lr SIP/2.0\r\n\r\n").defect, Some("Request-URI"));
        assert_eq!(request(b"OPTIONS <sip:a@b> SIP/2.0\r\n\r\n").defect, Some("Request-URI"));
        assert!(!request(b"OPTIONS sip:a@b SIP/7.0\r\n\r\n").version_ok);
    }

    #[test]
    fn broken_responses_are_errors_and_odd_ones_are_not() {
        let status = |line: &str| match Message::parse(format!("{line}\r\n\r\n").as_bytes()) {
            Ok(Message::Response(response)) => Ok((response.status, response.reason.to_vec())),
            Ok(Message::Request(_)) => panic!(),
            Err(error) => Err(error),
        };
        assert_eq!(status("SIP/2.0 100 "), Ok((100, vec![])));
        assert_eq!(status("SIP/2.0 200 = 2**3 * 5**2"), Ok((200, b"= 2**3 * 5**2".to_vec())));
        for line in
            ["SIP/2.0 4294967301 x", "SIP/2.0 99 x", "SIP/2.0 700 x", "SIP/2.0", "SIP/3.0 200 OK", "SIP/2.0 2x0 OK"]
        {
            assert_eq!(status(line), Err(Error::MalformedResponse("Status-Line")), "{line}");
        }
    }

    #[test]
    fn what_is_not_sip_is_refused() {
        assert_eq!(Message::parse(b"\r\n\r\n").unwrap_err(), Error::KeepAlive);
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\x01\x02", b"INVITE", b"", b"I\xe9 sip:a SIP/2.0\r\n\r\n"] {
            assert!(Message::parse(bytes).is_err());
        }
        let many = format!("OPTIONS sip:a@b SIP/2.0\r\n{}\r\n", "X: y\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(Message::parse(many.as_bytes()).unwrap_err(), Error::TooManyHeaders);
    }
}
