//! What goes wrong in starting or dialing.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::TlsError;

/// What went wrong in starting or dialing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A SIP address is taken or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The machine has no media threads to give.
    #[error("cannot start media threads")]
    MediaThreads(#[source] io::Error),
    /// A trunk that is not configured.
    #[error("no trunk is named {0:?}")]
    NoSuchTrunk(String),
    /// No trunk at all.
    #[error(
        "no trunk is configured to call out by; add a [[trunk]] with a name and a uri such as \"sip:trunk.example.com\""
    )]
    NoTrunk,
    /// A trunk that only sends us calls.
    #[error("trunk {0:?} has no address to send calls to; give it a uri")]
    NoNextHop(String),
    /// A trunk whose name no name server knows.
    #[error("{0}")]
    Unresolved(String),
    /// No listener of the trunk's address family, or no route.
    #[error("no listening address can reach {0}")]
    NoRoute(String),
    /// Encryption is demanded of a trunk whose signalling is not encrypted.
    #[error("trunk {0} has srtp = \"required\" and is not reached over TLS; write ;transport=tls in its uri")]
    KeysInTheOpen(String),
    /// TLS is to be listened for without a certificate.
    #[error("no certificate is configured to listen for TLS with")]
    NoCertificate,
    /// Certificates or keys cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The port range is exhausted.
    #[error("no RTP port is free in {first}..={last}")]
    NoFreePort {
        /// First of the range.
        first: u16,
        /// Last of the range.
        last: u16,
    },
    /// At the limit of calls.
    #[error("all {limit} calls are in use")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// Another call would harm those under way.
    #[error("this machine has its hands full with the calls it has; it takes more when some have ended")]
    Overloaded,
    /// Neither a number, a user name nor a SIP URI.
    #[error("{0:?} cannot be dialed")]
    BadTarget(String),
    /// The recording's file cannot be made.
    #[error("cannot record to {path}")]
    Record {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Too late.
    #[error("the gateway is stopping")]
    Stopping,
    /// Randomness could not be had from the system.
    #[error("the operating system gives no randomness")]
    Randomness(#[source] io::Error),
}
