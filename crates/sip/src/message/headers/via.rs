//! Via (RFC 3261 §20.42, rport of RFC 3581).

use super::params::Params;
use crate::message::uri::split_host_port;
use crate::message::{Invalid, ascii, is_lws, is_token, number, trim};

/// One Via value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via<'a> {
    /// `2.0`, or whatever else it claims.
    pub version: &'a str,
    /// `UDP`, `TCP`, … any token.
    pub transport: &'a str,
    /// The host of sent-by, IPv6 in brackets.
    pub host: &'a str,
    /// The port of sent-by.
    pub port: Option<u16>,
    /// branch, received, rport, …
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value.
    pub fn parse(value: &'a [u8]) -> Result<Self, Invalid> {
        let bad = Invalid("Via");
        let (name, rest) = token_before_slash(value).ok_or(bad)?;
        let (version, rest) = token_before_slash(rest).ok_or(bad)?;
        if !name.eq_ignore_ascii_case(b"SIP") {
            return Err(bad);
        }
        let version = token(version).ok_or(bad)?;
        let rest = trim(rest);
        let transport_end = rest.iter().position(|byte| is_lws(*byte)).ok_or(bad)?;
        let (transport, rest) = rest.split_at(transport_end);
        let sent_by_end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
        let sent_by = trim(&rest[..sent_by_end]);
        // A host is ASCII, or refused.
        let (host, port) = match std::str::from_utf8(sent_by).map(split_host_port) {
            Ok(Ok(parts)) => parts,
            // White space around the colon of the port is legal.
            _ => spaced_host_port(sent_by).ok_or(bad)?,
        };
        Ok(Self {
            version,
            transport: token(transport).ok_or(bad)?,
            host,
            port,
            params: Params::new(&rest[sent_by_end..]),
        })
    }

    /// The branch parameter.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch")
    }

    /// Whether the sender asked for the response on its source port (RFC 3581).
    pub fn wants_rport(&self) -> bool {
        self.params.get("rport").is_some()
    }
}

/// A token, or nothing at all.
fn token(bytes: &[u8]) -> Option<&str> {
    let is_token = bytes.iter().all(|byte| is_token(*byte));
    std::str::from_utf8(bytes).ok().filter(|_| is_token)
}

fn token_before_slash(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = bytes.iter().position(|byte| *byte == b'/')?;
    Some((trim(&bytes[..slash]), &bytes[slash + 1..]))
}

fn spaced_host_port(sent_by: &[u8]) -> Option<(&str, Option<u16>)> {
    let colon = sent_by.iter().rposition(|byte| *byte == b':')?;
    let (host, port) = split_host_port(ascii(trim(&sent_by[..colon]))?).ok()?;
    if port.is_some() {
        return None;
    }
    Some((host, Some(number(trim(&sent_by[colon + 1..]))?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_allowed_wherever_the_grammar_has_it() {
        let via =
            Via::parse(b"SIP  / 2.0\r\n  /TLSX     spindle.example.com : 99 ;\r\n  branch  =   z9hG4bK9ikj8").unwrap();
        assert_eq!(
            (via.transport, via.host, via.port, via.branch()),
            ("TLSX", "spindle.example.com", Some(99), Some("z9hG4bK9ikj8"))
        );
    }

    // RFC 3261 §20.42, RFC 3581.
    #[test]
    fn ipv6_and_rport_are_understood() {
        let via = Via::parse(b"SIP/2.0/UDP [2001:db8::9:1]:5061;rport;branch=z9hG4bK-a").unwrap();
        assert_eq!((via.host, via.port, via.wants_rport()), ("[2001:db8::9:1]", Some(5061), true));
    }

    #[test]
    fn broken_vias_are_refused() {
        for value in [
            &b""[..],
            b"SIP/2.0/UDP",
            b"SIP/2.0 host",
            b"HTTP/2.0/UDP host",
            b"SIP/2.0/UDP ;branch=1",
            b"SIP/2.0/UDP h:99999",
            b"SIP/2.0/UDP [::1",
        ] {
            assert!(Via::parse(value).is_err(), "{value:?}");
        }
    }
}
