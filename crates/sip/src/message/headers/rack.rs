//! RAck (RFC 3262 §7.2): which reliable provisional response a PRACK is for.

use crate::message::{is_lws, number};

/// The response that a PRACK acknowledges; the method is always INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RAck {
    /// RSeq of the response.
    pub rseq: u32,
    /// CSeq number of its INVITE.
    pub cseq: u32,
}

impl RAck {
    /// Parses the field value; `None` also when it is for another method.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut parts = value.split(|byte| is_lws(*byte)).filter(|part| !part.is_empty());
        let found = Self { rseq: number(parts.next()?)?, cseq: number(parts.next()?)? };
        (parts.next() == Some(b"INVITE") && parts.next().is_none()).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3262 §7.2.
    #[test]
    fn numbers_and_method_are_read() {
        assert_eq!(RAck::parse(b"776656 1  INVITE"), Some(RAck { rseq: 776_656, cseq: 1 }));
        for broken in [&b"1 INVITE"[..], b"1 2 BYE", b"1 2 INVITE x", b"", b"1 4294967296 INVITE"] {
            assert_eq!(RAck::parse(broken), None);
        }
    }
}
