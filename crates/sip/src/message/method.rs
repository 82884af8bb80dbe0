//! Request methods.

use std::fmt;

/// A request method; case matters, and unknown ones stay as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method<'a> {
    /// `INVITE`
    Invite,
    /// `ACK`
    Ack,
    /// `BYE`
    Bye,
    /// `CANCEL`
    Cancel,
    /// `OPTIONS`
    Options,
    /// `REGISTER`
    Register,
    /// `INFO` (RFC 6086)
    Info,
    /// `UPDATE` (RFC 3311)
    Update,
    /// `PRACK` (RFC 3262)
    Prack,
    /// Any other token.
    Other(&'a str),
}

/// Methods of other RFCs: we know what they mean and do not allow them (405, not 501).
const KNOWN_ELSEWHERE: [&str; 5] = ["SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE", "PUBLISH"];

impl<'a> Method<'a> {
    /// The method of a token.
    pub fn new(token: &'a str) -> Self {
        match token {
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "OPTIONS" => Self::Options,
            "REGISTER" => Self::Register,
            "INFO" => Self::Info,
            "UPDATE" => Self::Update,
            "PRACK" => Self::Prack,
            other => Self::Other(other),
        }
    }

    /// The token.
    pub fn as_str(&self) -> &'a str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Info => "INFO",
            Self::Update => "UPDATE",
            Self::Prack => "PRACK",
            Self::Other(token) => token,
        }
    }

    /// Whether some RFC defines it, so that refusing it is 405 and not 501 (RFC 3261 §21.5.2).
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Other(token) if !KNOWN_ELSEWHERE.contains(token))
    }
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3261 §7.1.
    #[test]
    fn methods_are_case_sensitive_and_unknown_ones_are_kept() {
        assert_eq!(Method::new("INVITE"), Method::Invite);
        assert_eq!(Method::new("invite").as_str(), "invite");
        assert!(Method::new("REFER").is_known());
        assert!(!Method::new("invite").is_known());
    }
}
