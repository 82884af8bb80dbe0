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

/// Opus in our offers: the number that browsers give it, and apart from that of telephone-events.
const OPUS_PAYLOAD_TYPE: u8 = 111;

/// An audio codec, with its static payload type (RFC 3551) if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioCodec {
    /// G.711 µ-law, 0.
    Pcmu,
    /// G.711 A-law, 8.
    Pcma,
    /// G.722, 9. Its clock counts 8,000 a second, whatever its sound (RFC 3551 §4.5.2).
    G722,
    /// Opus (RFC 7587), of which we take and send one channel of telephone sound.
    Opus,
}

impl AudioCodec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// Its payload type without an rtpmap.
    pub fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::Opus => None,
        }
    }

    /// Its payload type in our offers.
    pub fn offered_payload_type(self) -> u8 {
        self.static_payload_type().unwrap_or(OPUS_PAYLOAD_TYPE)
    }

    /// Its encoding name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The clock rate of its rtpmap in Hz.
    fn clock_rate(self) -> u32 {
        if self == Self::Opus { 48_000 } else { 8000 }
    }

    /// The channels of its rtpmap. RFC 7587 §7: always two, whatever is sent.
    fn channels(self) -> u8 {
        if self == Self::Opus { 2 } else { 1 }
    }

    /// What we say of it in `a=fmtp`. RFC 7587 §6.1: more than telephone sound would be wasted on us.
    fn parameters(self) -> Option<&'static str> {
        (self == Self::Opus).then_some("maxplaybackrate=8000;sprop-maxcapturerate=8000;maxaveragebitrate=20000")
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
