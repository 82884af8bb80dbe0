//! Where a message came from and where it goes.

use std::net::SocketAddr;

/// A transport protocol below SIP (RFC 3261 §18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Datagrams: the transaction layer retransmits.
    Udp,
    /// Streams.
    Tcp,
    /// Streams in TLS.
    Tls,
}

impl Transport {
    /// Its name in a Via.
    pub fn token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// Whether it repeats what is lost by itself, so that the transaction layer need not.
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }

    /// What a URI with `transport=` of this value names; case does not matter.
    pub fn from_parameter(value: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls].into_iter().find(|known| known.token().eq_ignore_ascii_case(value))
    }

    /// The port where none is given (RFC 3261 §18.1.1).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

/// One path between us and a peer: the socket we use and the address at the other end.
///
/// A connection is named by its far end; its near end is where we listen, whoever opened it, because that is what we
/// tell the peer. A shell that is asked to send on a path without a connection opens one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The protocol.
    pub transport: Transport,
    /// Our concrete address (never `0.0.0.0`).
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
}

/// Whom a message goes to, whichever socket of ours it leaves by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// The protocol.
    pub transport: Transport,
    /// Its address.
    pub address: SocketAddr,
}

impl Flow {
    /// Who is at the other end.
    pub fn peer(&self) -> Peer {
        Peer { transport: self.transport, address: self.remote }
    }
}

/// A message ready for the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The path it takes.
    pub flow: Flow,
    /// The bytes of one message.
    pub payload: Vec<u8>,
}
