//! From, To, Contact, Route, Record-Route: a URI with perhaps a name before and parameters after.

use memchr::memchr;

use super::list::find_unquoted;
use super::params::Params;
use crate::message::{Invalid, Uri, ascii, is_lws, is_token, readable, trim};

/// `"Name" <uri>;params`, `uri;params` or `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAddr<'a> {
    display: &'a [u8],
    /// The URI text without brackets; `*` for a wildcard Contact.
    pub uri: &'a str,
    /// Header parameters (not those of the URI).
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value.
    pub fn parse(value: &'a [u8]) -> Result<Self, Invalid> {
        let open = if value.starts_with(b"<") { Some(0) } else { find_unquoted(value, b'<') };
        match open {
            Some(open) => Self::parse_bracketed(value, open),
            None => Self::parse_bare(value),
        }
    }

    fn parse_bracketed(value: &'a [u8], open: usize) -> Result<Self, Invalid> {
        let display = trim(&value[..open]);
        let well_named = match display {
            [b'"', .., b'"'] => quoted_string_ends(display),
            words => words.iter().all(|byte| is_token(*byte) || is_lws(*byte) || *byte >= 0x80),
        };
        if !well_named {
            return Err(Invalid("display name"));
        }
        let inside = &value[open + 1..];
        let close = memchr(b'>', inside).ok_or(Invalid("no closing angle bracket"))?;
        // `Uri` takes nothing but ASCII.
        let uri = std::str::from_utf8(&inside[..close]).map_err(|_| Invalid("URI"))?;
        Uri::parse(uri)?;
        Ok(Self { display, uri, params: after_uri(&inside[close + 1..])? })
    }

    fn parse_bare(value: &'a [u8]) -> Result<Self, Invalid> {
        // RFC 3261 §20.10: without brackets, what follows a semicolon belongs to the header.
        let end = value.iter().position(|byte| *byte == b';' || is_lws(*byte)).unwrap_or(value.len());
        let uri = ascii(&value[..end]).ok_or(Invalid("URI"))?;
        if uri != "*" {
            Uri::parse(uri)?;
            // §20: a URI with a comma or question mark must stand in brackets.
            if uri.contains([',', '?']) {
                return Err(Invalid("URI needs brackets"));
            }
        }
        Ok(Self { display: b"", uri, params: after_uri(&value[end..])? })
    }

    /// The tag parameter; an empty one is none.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The display name, unquoted, as readable text.
    pub fn display_name(&self) -> Option<String> {
        let name = match self.display {
            [] => return None,
            [b'"', inner @ .., b'"'] => {
                let mut escaped = false;
                let plain = inner.iter().copied().filter(|byte| {
                    escaped = *byte == b'\\' && !escaped;
                    !escaped
                });
                readable(&plain.collect::<Vec<_>>())
            }
            words => readable(words),
        };
        Some(name).filter(|name| !name.is_empty())
    }
}

/// Between the URI and the end of the value there may be parameters and nothing else.
fn after_uri(rest: &[u8]) -> Result<Params<'_>, Invalid> {
    let rest = trim(rest);
    if rest.is_empty() || rest[0] == b';' { Ok(Params::new(rest)) } else { Err(Invalid("text after URI")) }
}

/// Whether the first quoted string reaches to the last byte.
fn quoted_string_ends(quoted: &[u8]) -> bool {
    let mut escaped = false;
    let close = quoted.iter().skip(1).position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    });
    close.is_some_and(|close| close + 2 == quoted.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &[u8], display: Option<&str>, uri: &str, tag: Option<&str>) {
        let parsed = NameAddr::parse(value).unwrap();
        assert_eq!((parsed.display_name().as_deref(), parsed.uri, parsed.tag()), (display, uri, tag));
    }

    // RFC 3261 §20.10.
    #[test]
    fn names_quotes_and_parameters_are_told_apart() {
        check(
            br#""Doe, J; \"<x>\" \\" <sip:j;a=1@h;lr>;tag=9"#,
            Some(r#"Doe, J; "<x>" \"#),
            "sip:j;a=1@h;lr",
            Some("9"),
        );
        check(b"caller<sip:c@h>;tag=323", Some("caller"), "sip:c@h", Some("323"));
        check(b"sip:c@h;tag=5", None, "sip:c@h", Some("5"));
        check(b"sip:c@h ; tag = 5", None, "sip:c@h", Some("5"));
        check(b"\"\" <tel:+1555>", None, "tel:+1555", None);
        check(b"*", None, "*", None);
        check(b"\"J\xfcrgen\" <sip:j@h>;tag=\"\"", Some("J\u{fc}rgen"), "sip:j@h", Some("\"\""));
    }

    #[test]
    fn broken_values_are_refused() {
        for value in [
            &b""[..],
            b"Bell, Alexander <sip:a@b>;tag=1",
            b"\"Mr. J. User <sip:j@h>",
            b"\"a\" b\" <sip:j@h>",
            b"<sip:a@b",
            b"< sip:a@b >",
            b"<sip:a@b>x",
            b"sip:a@b?Route=x",
            b"Bell",
        ] {
            assert!(NameAddr::parse(value).is_err(), "{}", String::from_utf8_lossy(value));
        }
    }
}
