//! SIP messages: what arrives is indexed in place and borrowed, what leaves is built whole.
//!
//! ```
//! use sip::message::Message;
//! let bytes = b"OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nl: 0\r\n\r\n";
//! let Ok(Message::Request(request)) = Message::parse(bytes) else { panic!() };
//! assert_eq!(request.headers.top_via().unwrap().branch(), Some("z9hG4bK1"));
//! ```

mod framing;
pub mod headers;
mod method;
mod multipart;
mod parser;
mod plain_text;
mod request;
mod response;
mod status;
mod uri;
mod writer;

pub use framing::{Frame, Framing};
pub use headers::{Header, HeaderName, Headers};
pub use method::Method;
pub(crate) use multipart::{SdpPart, sdp_part};
pub use parser::{Error, MAX_HEADERS, MAX_MESSAGE_SIZE, Message};
pub(crate) use plain_text::{push_address, push_hex, push_ip, push_number};
pub(crate) use request::OutgoingRequest;
pub use request::Request;
pub use response::Response;
pub(crate) use response::{Echo, OutgoingResponse};
pub use status::reason_phrase;
pub use uri::{SipUri, Uri};

/// A value that its grammar forbids, in a static phrase fit for a log or a 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub &'static str);

/// Linear white space, folds included (RFC 3261 §25.1: LWS).
pub(crate) fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A character of a `token` (RFC 3261 §25.1).
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// Every byte of every header name is looked up here.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        table[byte] = character.is_ascii_alphanumeric()
            || matches!(character, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        byte += 1;
    }
    table
};

/// Whether all bytes pass. It looks at each, so that the compiler may look at sixteen at a time: several times faster than
/// to stop at the first that does not.
pub(crate) fn all(bytes: &[u8], passes: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, byte| all & passes(*byte))
}

/// Cuts white space off both ends.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

/// ASCII text; anything else has no place in a token, a URI or a host.
pub(crate) fn ascii(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() { std::str::from_utf8(bytes).ok() } else { None }
}

/// Digits only, no sign, no overflow.
pub(crate) fn number<T: TryFrom<u64>>(bytes: &[u8]) -> Option<T> {
    let digits = bytes.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    });
    digits.filter(|_| !bytes.is_empty()).and_then(|number| T::try_from(number).ok())
}

/// Text for people out of bytes that may be Latin-1: folds become one space.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let decoded: String = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    if !decoded.contains(['\r', '\n']) {
        return decoded;
    }
    decoded.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
