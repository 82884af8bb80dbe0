//! CSeq (RFC 3261 §20.16).

use crate::message::{Invalid, Method, ascii, is_lws, is_token, number, trim};

/// A sequence number and its method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Below 2³¹.
    pub number: u32,
    /// The method of the request.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads the value.
    pub fn parse(value: &'a [u8]) -> Result<Self, Invalid> {
        let bad = Invalid("CSeq");
        let space = value.iter().position(|byte| is_lws(*byte)).ok_or(bad)?;
        let number = number(&value[..space]).filter(|number: &u32| *number <= i32::MAX as u32).ok_or(bad)?;
        let method = trim(&value[space..]);
        if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
            return Err(bad);
        }
        Ok(Self { number, method: Method::new(ascii(method).ok_or(bad)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3261 §20.16.
    #[test]
    fn leading_zeros_and_folds_are_legal_and_large_numbers_are_not() {
        assert_eq!(CSeq::parse(b"0009\r\n  INVITE"), Ok(CSeq { number: 9, method: Method::Invite }));
        for value in
            [&b"2147483648 INVITE"[..], b"36893488147419103232 REGISTER", b"INVITE", b"8", b"-1 INVITE", b"1 IN VITE"]
        {
            assert_eq!(CSeq::parse(value), Err(Invalid("CSeq")));
        }
    }
}
