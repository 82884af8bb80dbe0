//! Where a message came from and where it goes.

use std::net::SocketAddr;

/// A transport protocol below SIP (RFC 3261 §18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Datagrams: the transaction layer retransmits.
    Udp,
}

impl Transport {
    /// Its name in a Via.
    pub fn token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
        }
    }

    /// Whether it repeats what is lost by itself, so that the transaction layer need not.
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
        }
    }
}

/// One path between us and a peer: the socket we use and the address at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The protocol.
    pub transport: Transport,
    /// Our concrete address (never `0.0.0.0`).
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
}

/// A message ready for the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The path it takes.
    pub flow: Flow,
    /// The bytes of one message.
    pub payload: Vec<u8>,
}
