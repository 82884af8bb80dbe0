//! Pure: no I/O, no clock.
//!
//! Where the header fields of a message are, and its Call-ID, without reading the rest of it.

use std::ops::Range;

use memchr::memchr;

/// The start line and the header fields, each with the lines folded onto it (RFC 3261 §7.3.1).
#[derive(Debug)]
pub(super) struct Fields<'a> {
    message: &'a [u8],
    at: usize,
    is_over: bool,
}

impl<'a> Fields<'a> {
    /// Empty lines before the start line do not count (RFC 3261 §7.5).
    pub(super) fn of(message: &'a [u8]) -> Self {
        let at = message.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(message.len());
        Self { message, at, is_over: false }
    }

    /// Where the next line begins; once the iterator has ended, the body.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn end_of_line(&self, from: usize) -> usize {
        let rest = self.message.get(from..).unwrap_or_default();
        memchr(b'\n', rest).map_or(self.message.len(), |end| from + end + 1)
    }
}

impl Iterator for Fields<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        if self.is_over || start >= self.message.len() {
            return None;
        }
        let mut end = self.end_of_line(start);
        self.is_over = matches!(self.message.get(start..end), Some(b"\n" | b"\r\n"));
        while !self.is_over && matches!(self.message.get(end), Some(b' ' | b'\t')) {
            end = self.end_of_line(end);
        }
        self.at = end;
        (!self.is_over).then_some(start..end)
    }
}

/// Name and value of one field, without the white space around them.
pub(super) fn name_and_value(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    let (name, value) = field.split_at(colon);
    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
}

/// The Call-ID of a message (RFC 3261 §20.8), long or compact; of two the first.
pub(super) fn call_id(message: &[u8]) -> Option<&[u8]> {
    value_of(message, b"call-id", b"i").filter(|value| !value.is_empty())
}

/// The first field of that name, long or compact.
pub(super) fn value_of<'a>(message: &'a [u8], long: &[u8], compact: &[u8]) -> Option<&'a [u8]> {
    Fields::of(message).skip(1).find_map(|range| {
        let (name, value) = name_and_value(message.get(range)?)?;
        (name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(compact)).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: Option<&str>) {
        let found = call_id(message.as_bytes()).map(String::from_utf8_lossy);
        assert_eq!(found.as_deref(), expected, "{message:?}");
    }

    #[test]
    fn the_call_id_is_found_in_each_form_it_may_have() {
        check("BYE sip:a SIP/2.0\r\nCall-ID: 7@x\r\n\r\n", Some("7@x"));
        check("BYE sip:a SIP/2.0\r\nVia: v\r\ni:7@x\r\n\r\n", Some("7@x"));
        check("BYE sip:a SIP/2.0\r\nCALL-id \t:  7@x  \r\n\r\n", Some("7@x"));
        check("SIP/2.0 200 OK\nI: 7@x\n\n", Some("7@x"));
        check("BYE sip:a SIP/2.0\r\nCall-ID:\r\n\t7@x\r\nTo: t\r\n\r\n", Some("7@x"));
        check("\r\n\r\nBYE sip:a SIP/2.0\r\nCall-ID: 7@x", Some("7@x"));
        check("BYE sip:a SIP/2.0\r\nCall-ID: first\r\nCall-ID: second\r\n\r\n", Some("first"));
    }

    #[test]
    fn what_only_looks_like_a_call_id_is_none() {
        check("", None);
        check("\r\n\r\n", None);
        check("Call-ID: in the start line\r\n\r\n", None);
        check("BYE sip:a SIP/2.0\r\n\r\nCall-ID: in the body\r\n", None);
        check("BYE sip:a SIP/2.0\n\nCall-ID: in the body\n", None);
        check("BYE sip:a SIP/2.0\r\nX-Call-ID: 7\r\nSubject: x\r\n Call-ID: folded\r\n\r\n", None);
        check("BYE sip:a SIP/2.0\r\nCall-ID:\r\n\r\n", None);
        check("BYE sip:a SIP/2.0\r\nCall-ID\r\n\r\n", None);
    }

    #[test]
    fn the_body_begins_after_the_first_empty_line() {
        let body = |message: &str| {
            let mut fields = Fields::of(message.as_bytes());
            let count = fields.by_ref().count();
            (count, message[fields.position()..].to_owned())
        };
        assert_eq!(body("A\r\nb: c\r\n d\r\n\r\nbody\r\n\r\nmore"), (2, "body\r\n\r\nmore".to_owned()));
        assert_eq!(body("A\nb: c\n\nbody"), (2, "body".to_owned()));
        assert_eq!(body("A\r\nb: c"), (2, String::new()));
    }
}
