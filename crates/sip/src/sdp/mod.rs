//! Session descriptions (RFC 8866) and offer/answer for one audio stream (RFC 3264), with keys of SRTP (RFC 4568).
//!
//! Reading is tolerant, because a call is lost over each oddity refused: a line that makes no sense is
//! skipped, never the whole description. Writing is strict.

mod base64;
mod crypto;
mod description;
mod negotiation;
mod parser;
mod plain;
mod sdes;

pub use crypto::{Crypto, CryptoLine, MasterKey, Suite};
pub use description::{Connection, MediaDescription, Rtcp, RtpMap, SessionDescription};
pub use negotiation::{Capabilities, Negotiated, accept, answer, offer};
pub use sdes::{Sdes, SrtpKeys, SrtpPolicy};

/// Why a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a session description at all.
    #[error("not a session description: {0}")]
    Malformed(&'static str),
    /// No audio stream that both sides can use; answer 488.
    #[error("no common audio codec")]
    NoCommonCodec,
    /// Not protected where it must be, or not as agreed: answer 488, or end the call. Never go on without SRTP.
    #[error("SRTP: {0}")]
    Srtp(&'static str),
}

/// An audio codec with its static payload type (RFC 3551).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioCodec {
    /// G.711 µ-law, 0.
    Pcmu,
    /// G.711 A-law, 8.
    Pcma,
    /// G.722, 9. Its clock counts 8,000 a second, whatever its sound (RFC 3551 §4.5.2).
    G722,
}

impl AudioCodec {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pcmu, Self::Pcma, Self::G722];

    /// Its payload type without an rtpmap.
    pub fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
        }
    }

    /// Its encoding name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }
}

/// Which way audio may flow, as seen from the describer (RFC 3264 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// Only from the describer.
    SendOnly,
    /// Only to the describer.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// The attribute's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Whether the describer sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the describer receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }
}
