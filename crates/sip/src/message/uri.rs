//! URIs (RFC 3261 §19.1): `sip:` and `sips:` taken apart, any other scheme kept whole.

use std::net::{IpAddr, SocketAddr};

use memchr::memchr;

use super::{Invalid, all, number};
use crate::Transport;

/// A URI over borrowed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uri<'a> {
    /// `sip:` or `sips:`.
    Sip(SipUri<'a>),
    /// `tel:` and whatever else: the scheme and the rest.
    Other {
        /// Such as `tel`.
        scheme: &'a str,
        /// All after the colon.
        rest: &'a str,
    },
}

/// Whether a byte may stand in a URI at all: visible ASCII without quotes and angle brackets.
const fn is_visible(byte: u8) -> bool {
    (byte >= b'!') & (byte <= b'~') & (byte != b'<') & (byte != b'>') & (byte != b'"')
}

/// Bytes that may stand in a host, brackets and colons of IPv6 included.
static OF_HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        table[byte] = character.is_ascii_alphanumeric() || matches!(character, b'.' | b'-' | b'_' | b'[' | b']' | b':');
        byte += 1;
    }
    table
};

/// A `sip:` or `sips:` URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SipUri<'a> {
    /// `sips:`
    pub secure: bool,
    /// The part before `@`, with its escapes and without a password.
    pub user: Option<&'a str>,
    /// Name or address; IPv6 in its brackets.
    pub host: &'a str,
    /// The port, if given.
    pub port: Option<u16>,
    /// `;name=value…` after the host, without the first semicolon.
    pub parameters: &'a str,
    /// `name=value&…` after `?`.
    pub headers: &'a str,
}

const FORBIDDEN: Invalid = Invalid("forbidden character in URI");

/// Where the parts of a SIP URI are, behind its scheme.
struct Marks {
    user_end: Option<usize>,
    host_start: usize,
    /// The first colon behind the user.
    port_colon: Option<usize>,
    /// Of host and port.
    host_end: usize,
    parameters_end: usize,
    /// The host is a name or an IPv4 address.
    names_host: bool,
}

/// What a byte is to a SIP URI.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Forbidden,
    /// May stand in the name of a host, and anywhere else.
    Plain,
    /// May stand anywhere but in the name of a host.
    Odd,
    At,
    Colon,
    Semicolon,
    Question,
}

static MARKS: [Mark; 256] = {
    let mut table = [Mark::Forbidden; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'@' => Mark::At,
            b':' => Mark::Colon,
            b';' => Mark::Semicolon,
            b'?' => Mark::Question,
            b'[' | b']' => Mark::Odd,
            other if OF_HOST[other as usize] => Mark::Plain,
            other if is_visible(other) => Mark::Odd,
            _ => Mark::Forbidden,
        };
        byte += 1;
    }
    table
};

impl Marks {
    /// In one pass: each message has several URIs, each short.
    fn of(text: &str) -> Result<Self, Invalid> {
        let (mut user_end, mut host_start) = (None, 0);
        let (mut odd, mut colon, mut semicolon, mut question) = (None, None, None, None);
        for (place, byte) in text.bytes().enumerate() {
            let mark = MARKS[usize::from(byte)];
            // Nearly all are.
            if mark == Mark::Plain {
                continue;
            }
            match mark {
                // RFC 3261 §25.1: a user part may contain `;`, `?` and `/`, so all before the first `@` is one. A
                // password may follow it.
                Mark::At if user_end.is_none() => {
                    user_end = Some(colon.unwrap_or(place));
                    host_start = place + 1;
                    (odd, colon, semicolon, question) = (None, None, None, None);
                }
                Mark::Plain => {}
                Mark::Odd | Mark::At => odd = odd.or(Some(place)),
                Mark::Colon => colon = colon.or(Some(place)),
                Mark::Semicolon => semicolon = semicolon.or(Some(place)),
                Mark::Question => question = question.or(Some(place)),
                Mark::Forbidden => return Err(FORBIDDEN),
            }
        }
        let parameters_end = question.unwrap_or(text.len());
        let host_end = semicolon.map_or(parameters_end, |semicolon| semicolon.min(parameters_end));
        // Before the port and the parameters.
        let name_end = colon.map_or(host_end, |colon| colon.min(host_end));
        let names_host = host_start < name_end && odd.is_none_or(|odd| odd >= name_end);
        Ok(Self { user_end, host_start, port_colon: colon, host_end, parameters_end, names_host })
    }
}

impl<'a> Uri<'a> {
    /// Reads a whole URI; white space, quotes and angle brackets have no place in one.
    pub fn parse(text: &'a str) -> Result<Self, Invalid> {
        match text.as_bytes() {
            [b's' | b'S', b'i' | b'I', b'p' | b'P', b':', ..] => {
                return SipUri::parse_rest(false, &text[4..]).map(Self::Sip);
            }
            [b's' | b'S', b'i' | b'I', b'p' | b'P', b's' | b'S', b':', ..] => {
                return SipUri::parse_rest(true, &text[5..]).map(Self::Sip);
            }
            _ => {}
        }
        let (scheme, rest) = text.split_once(':').ok_or(Invalid("URI without scheme"))?;
        if !all(text.as_bytes(), is_visible) {
            return Err(FORBIDDEN);
        }
        let mut letters = scheme.bytes();
        let starts_well = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if !starts_well || !letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) {
            return Err(Invalid("URI scheme"));
        }
        if rest.is_empty() { Err(Invalid("empty URI")) } else { Ok(Self::Other { scheme, rest }) }
    }

    /// The SIP URI, if it is one.
    pub fn sip(self) -> Option<SipUri<'a>> {
        match self {
            Self::Sip(uri) => Some(uri),
            Self::Other { .. } => None,
        }
    }
}

impl<'a> SipUri<'a> {
    fn parse_rest(secure: bool, text: &'a str) -> Result<Self, Invalid> {
        let Marks { user_end, host_start, port_colon, host_end, parameters_end, names_host } = Marks::of(text)?;
        let (host, port) = match port_colon.filter(|colon| *colon < host_end) {
            _ if !names_host => split_host_port(&text[host_start..host_end])?,
            Some(colon) => (&text[host_start..colon], Some(port_of(&text[colon + 1..host_end])?)),
            None => (&text[host_start..host_end], None),
        };
        Ok(Self {
            secure,
            user: user_end.map(|end| &text[..end]),
            host,
            port,
            parameters: text[host_end..parameters_end].strip_prefix(';').unwrap_or(""),
            headers: text[parameters_end..].strip_prefix('?').unwrap_or(""),
        })
    }

    /// A URI parameter: `None` when absent, `Some("")` when it has no value.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.split(';').find_map(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The transport it asks for; `None` when it leaves the choice, or names one that we have not.
    pub fn transport(&self) -> Option<Transport> {
        let named = self.parameter("transport").and_then(Transport::from_parameter);
        if self.secure { Some(Transport::Tls) } else { named }
    }

    /// The address that its host is, unless that is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        literal_address(self.host)
    }

    /// Where it points when the host is an address and not a name; without a port the transport's own.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let default = self.transport().unwrap_or(Transport::Udp).default_port();
        Some(SocketAddr::new(self.ip()?, self.port.unwrap_or(default)))
    }
}

/// Splits `host[:port]`, `[v6][:port]`.
pub(crate) fn split_host_port(text: &str) -> Result<(&str, Option<u16>), Invalid> {
    let host_end = match text.strip_prefix('[') {
        Some(v6) => v6.find(']').ok_or(Invalid("IPv6 address without closing bracket"))? + 2,
        None => memchr(b':', text.as_bytes()).unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(host_end);
    check_host(host)?;
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        None => return Err(Invalid("host")),
        Some(digits) => Some(port_of(digits)?),
    };
    Ok((host, port))
}

fn check_host(host: &str) -> Result<(), Invalid> {
    let is_host = !host.is_empty() && host.bytes().all(|byte| OF_HOST[usize::from(byte)]);
    if is_host { Ok(()) } else { Err(Invalid("host")) }
}

fn port_of(digits: &str) -> Result<u16, Invalid> {
    number(digits.as_bytes()).ok_or(Invalid("port"))
}

/// The address that a host is, brackets allowed.
pub(crate) fn literal_address(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sip(text: &str) -> SipUri<'_> {
        Uri::parse(text).unwrap().sip().unwrap()
    }

    // RFC 3261 §19.1, §25.1.
    #[test]
    fn a_sip_uri_is_taken_apart() {
        let uri = sip("sips:alice:secret@[2001:db8::1]:5071;transport=tcp;lr?subject=x");
        assert_eq!((uri.secure, uri.user, uri.host, uri.port), (true, Some("alice"), "[2001:db8::1]", Some(5071)));
        assert_eq!(
            (uri.parameter("LR"), uri.parameter("transport"), uri.parameter("ttl")),
            (Some(""), Some("tcp"), None)
        );
        assert_eq!(uri.headers, "subject=x");
        assert_eq!(uri.socket_addr(), Some("[2001:db8::1]:5071".parse().unwrap()));
        assert_eq!(uri.transport(), Some(Transport::Tls), "RFC 3261 §26.2.2: secure is TLS, over whatever it says");
        assert_eq!(sip("sip:192.0.2.1;transport=TLS").socket_addr(), Some("192.0.2.1:5061".parse().unwrap()));
        assert_eq!(sip("sip:192.0.2.1;transport=sctp").transport(), None);
    }

    #[test]
    fn a_user_part_may_hold_semicolons_and_question_marks() {
        assert_eq!(sip("sip:user;par=u%40h?x@example.com").user, Some("user;par=u%40h?x"));
    }

    #[test]
    fn other_schemes_are_kept_as_they_are() {
        assert_eq!(Uri::parse("tel:+1555;ext=7"), Ok(Uri::Other { scheme: "tel", rest: "+1555;ext=7" }));
    }

    #[test]
    fn broken_uris_are_refused() {
        for text in [
            "",
            "sip:",
            "alice",
            "sip:a@",
            "sip:a b@c",
            "<sip:a@b>",
            "sip:a@b:x",
            "sip:a@b:70000",
            "sip:a@[::1",
            "1x:y",
        ] {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
    }
}
