//! The session description inside a body, which carriers may wrap in `multipart/mixed` with ISUP or PIDF-LO.

use super::headers::{HeaderName, Headers};
use super::{readable, trim};

/// Most parts looked at.
const MAX_PARTS: usize = 16;

/// What a body says about the session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SdpPart<'a> {
    /// No body at all.
    Absent,
    /// An `application/sdp` body or part.
    Found(&'a [u8]),
    /// A body of a type that we do not read; answer 415.
    Unsupported,
}

/// Finds the session description of a message.
pub(crate) fn sdp_part<'a>(headers: &Headers<'_>, body: &'a [u8]) -> SdpPart<'a> {
    if body.is_empty() {
        return SdpPart::Absent;
    }
    if headers.first(HeaderName::ContentEncoding).is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return SdpPart::Unsupported;
    }
    match headers.content_type().as_deref() {
        // RFC 3261 §7.4.1 demands the type, but nothing else begins like this.
        None if body.starts_with(b"v=0") => SdpPart::Found(body),
        Some("application/sdp") => SdpPart::Found(body),
        Some("multipart/mixed" | "multipart/alternative" | "multipart/related") => {
            let boundary = headers.first(HeaderName::ContentType).and_then(boundary);
            boundary.and_then(|boundary| part_of(body, &boundary)).map_or(SdpPart::Unsupported, SdpPart::Found)
        }
        _ => SdpPart::Unsupported,
    }
}

fn boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    let parameters = content_type.split(|byte| *byte == b';').skip(1);
    let value = parameters.filter_map(|parameter| {
        let equals = parameter.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (trim(&parameter[..equals]), trim(&parameter[equals + 1..]));
        name.eq_ignore_ascii_case(b"boundary").then_some(value)
    });
    let value =
        value.map(|value| value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value)).next()?;
    (!value.is_empty()).then(|| [b"--", value].concat())
}

fn part_of<'a>(body: &'a [u8], delimiter: &[u8]) -> Option<&'a [u8]> {
    let mut rest = &body[find(body, delimiter)? + delimiter.len()..];
    for _ in 0..MAX_PARTS {
        let end = find(rest, delimiter)?;
        if let Some(content) = sdp_content(&rest[..end]) {
            return Some(content);
        }
        rest = &rest[end + delimiter.len()..];
    }
    None
}

/// The content of one part, if its header says that it is a session description.
fn sdp_content(part: &[u8]) -> Option<&[u8]> {
    let (header_end, gap) = match (find(part, b"\r\n\r\n"), find(part, b"\n\n")) {
        (Some(crlf), lf) if lf.is_none_or(|lf| crlf < lf) => (crlf, 4),
        (_, Some(lf)) => (lf, 2),
        _ => return None,
    };
    let header = readable(&part[..header_end].iter().map(|b| if *b == b'\r' { b'\n' } else { *b }).collect::<Vec<_>>());
    let header = header.to_ascii_lowercase();
    header.contains("application/sdp").then(|| part.get(header_end + gap..).unwrap_or_default())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn found(message: &str) -> Option<&str> {
        let Ok(Message::Request(request)) = Message::parse(message.as_bytes()) else { panic!() };
        match sdp_part(&request.headers, request.body) {
            SdpPart::Found(part) => Some(std::str::from_utf8(part).unwrap()),
            _ => None,
        }
    }

    // RFC 3261 §7.4.1.
    #[test]
    fn the_description_is_found_among_other_parts() {
        let message = "INVITE sip:a@b SIP/2.0\r\nContent-Type: multipart/mixed; boundary=\"xyz\"\r\n\r\n\
            --xyz\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n--xyz\r\nContent-Type: application/SDP\r\n\r\nv=0\r\n--xyz--\r\n";
        assert_eq!(found(message), Some("v=0\r\n"));
    }

    #[test]
    fn other_types_and_codings_are_unsupported() {
        assert_eq!(found("INVITE sip:a@b SIP/2.0\r\nContent-Type: application/xml\r\n\r\nv=0"), None);
        assert_eq!(found("INVITE sip:a@b SIP/2.0\r\nc: application/sdp\r\ne: gzip\r\n\r\nv=0"), None);
        assert_eq!(found("INVITE sip:a@b SIP/2.0\r\nc: multipart/mixed\r\n\r\nv=0"), None);
        assert_eq!(found("INVITE sip:a@b SIP/2.0\r\nc: Application/SDP ; x=y\r\n\r\nv=0"), Some("v=0"));
    }
}
