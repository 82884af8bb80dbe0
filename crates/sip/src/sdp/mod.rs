//! Session descriptions (RFC 8866) and offer/answer for one audio stream (RFC 3264).

use std::net::SocketAddr;

/// A session description: tolerant to read, strict to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDescription {
    _todo: (),
}

#[allow(missing_docs, unused_variables)]
impl SessionDescription {
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> { todo!() }
    pub fn to_bytes(&self) -> Vec<u8> { todo!() }
}

/// Why a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a session description at all.
    #[error("not a session description: {0}")]
    Malformed(&'static str),
    /// No audio stream that both sides can use; answer 488.
    #[error("no common audio codec")]
    NoCommonCodec,
}

/// An audio codec with its static payload type (RFC 3551).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioCodec {
    /// G.711 µ-law, 0.
    Pcmu,
    /// G.711 A-law, 8.
    Pcma,
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

/// What we can do on one audio stream; the same `session_id` and a growing `version` for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Where we receive RTP (RTCP on the next port).
    pub address: SocketAddr,
    /// Best first.
    pub codecs: Vec<AudioCodec>,
    /// Payload type for telephone-event/8000, or none offered.
    pub telephone_event: Option<u8>,
    /// `o=` session id.
    pub session_id: u64,
    /// `o=` version.
    pub version: u64,
    /// What we want now.
    pub direction: Direction,
}

/// What one audio stream became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Where they receive RTP.
    pub remote: SocketAddr,
    /// Where they receive RTCP.
    pub remote_rtcp: SocketAddr,
    /// What we send: codec and the payload type they gave it.
    pub send: (AudioCodec, u8),
    /// What we may receive: every codec and the payload type we gave it.
    pub receive: Vec<(AudioCodec, u8)>,
    /// telephone-event payload type to send (theirs).
    pub telephone_event_send: Option<u8>,
    /// telephone-event payload type to receive (ours).
    pub telephone_event_receive: Option<u8>,
    /// What we may do (hold included: `c=0.0.0.0` is `Inactive` towards them).
    pub direction: Direction,
    /// Packet time they want from us, in ms (20 unless said).
    pub ptime_ms: u32,
}

/// Our offer.
pub fn offer(capabilities: &Capabilities) -> SessionDescription { todo!("{capabilities:?}") }

/// Our answer to an offer, and what the stream became.
pub fn answer(offer: &SessionDescription, capabilities: &Capabilities) -> Result<(SessionDescription, Negotiated), Error> { todo!("{offer:?} {capabilities:?}") }

/// What the stream became by their answer to our offer.
pub fn accept(capabilities: &Capabilities, answer: &SessionDescription) -> Result<Negotiated, Error> { todo!("{answer:?} {capabilities:?}") }
