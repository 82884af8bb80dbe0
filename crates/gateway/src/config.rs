//! What a gateway is told at start.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A gateway.
#[derive(Debug, Clone)]
pub struct Config {
    /// UDP addresses for SIP; port 0 takes any free one.
    pub listen: Vec<SocketAddr>,
    /// Address in Via, Contact and SDP; `None` is the local address of the route to the peer.
    pub advertise: Option<IpAddr>,
    /// Trunks by name.
    pub trunks: Vec<Trunk>,
    /// First and last RTP port.
    pub rtp_ports: (u16, u16),
    /// Media threads; 0 is cores − 1, at least one.
    pub media_threads: usize,
    /// When set, REGISTER is accepted and INVITEs challenged: a simulated trunk.
    pub registrar: Option<sip::Registrar>,
    /// Calls at once, both directions.
    pub max_calls: usize,
}

/// A way to the telephone network.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// Its name in configuration and records.
    pub name: String,
    /// Domain for Request-URI and From: `trunk.test`.
    pub domain: String,
    /// Where messages go.
    pub address: SocketAddr,
    /// User and password, for challenges of this trunk only.
    pub credentials: Option<sip::Credentials>,
    /// Register and keep registered.
    pub register: bool,
    /// From user.
    pub caller_id: String,
    /// Best first.
    pub codecs: Vec<sip::sdp::AudioCodec>,
    /// How digits are sent.
    pub dtmf: DigitPolicy,
    /// Sources of inbound SIP besides `address`: network and prefix length.
    pub allow_from: Vec<(IpAddr, u8)>,
    /// Calls at once.
    pub max_calls: usize,
}

/// `dtmf = "…"` of a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitPolicy {
    /// telephone-event where the answer has it, else in-band; INFO as the last resort.
    Auto,
    /// telephone-event.
    Rfc4733,
    /// Tones.
    Inband,
    /// SIP INFO (application/dtmf-relay).
    Info,
}

/// Limits of one outbound call.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// From dialing to the answer.
    pub ring: Duration,
    /// From dialing to the end.
    pub call: Duration,
    /// No RTP for so long, while not on hold, ends the call.
    pub media_timeout: Duration,
}
