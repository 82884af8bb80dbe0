//! What a gateway is told at start.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use sip::sdp::SrtpPolicy;

use crate::{Error, Impairment, Network, RecordingFormat, RecordingKey, TlsFiles};

/// A gateway.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where SIP comes in; port 0 takes any free one, and `[::]` answers IPv4 as well.
    pub listen: Vec<Listen>,
    /// Name servers instead of the machine's, if any.
    pub name_servers: Vec<SocketAddr>,
    /// Certificates for TLS.
    pub tls: TlsFiles,
    /// Address in Via, Contact and SDP; `None` is the local address of the route to the peer.
    pub advertise: Option<IpAddr>,
    /// How often the path of a registration over UDP is kept open; `None` is never.
    pub keep_alive: Option<Duration>,
    /// Trunks by name.
    pub trunks: Vec<Trunk>,
    /// First and last RTP port.
    pub rtp_ports: (u16, u16),
    /// Media threads; 0 is cores − 1, at least one.
    pub media_threads: usize,
    /// Whether all detectors run in calls of the built-in routes too, where nobody listens.
    pub built_in_detectors: bool,
    /// Whether what an agent hears is made louder where they are hardly heard. Recordings stay as they were sent.
    pub raise_quiet_lines: bool,
    /// When set, REGISTER is accepted and INVITEs challenged: a simulated trunk.
    pub registrar: Option<sip::Registrar>,
    /// Calls at once, both directions.
    pub max_calls: usize,
    /// Called users that need no agent.
    pub built_in: Vec<(String, BuiltIn)>,
    /// Limits of inbound calls.
    pub inbound_limits: CallLimits,
    /// Offer and accept telephone-event (RFC 4733).
    pub telephone_event: bool,
    /// Where inbound calls are recorded; `None` records none. Each file has a name of its own, which
    /// [`IncomingCall::recording`](crate::IncomingCall::recording) tells; it may be renamed at any time.
    pub record_inbound: Option<PathBuf>,
    /// What inbound calls are recorded as.
    pub recording_format: RecordingFormat,
    /// Longest recording of one call.
    pub max_recording: Duration,
    /// What recordings are encrypted with; `None` leaves them plain.
    pub recording_key: Option<RecordingKey>,
    /// Trouble on the media of every call, for simulated parties.
    pub impairment: Impairment,
    /// The network to be on.
    pub network: Network,
    /// Where all tags, branches, SSRCs and ports come from; `None` asks the operating system.
    pub seed: Option<[u8; 32]>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()],
            name_servers: Vec::new(),
            tls: TlsFiles::default(),
            advertise: None,
            keep_alive: None,
            trunks: Vec::new(),
            rtp_ports: (16384, 32767),
            media_threads: 0,
            built_in_detectors: false,
            raise_quiet_lines: false,
            registrar: None,
            max_calls: 1000,
            built_in: Vec::new(),
            inbound_limits: CallLimits::default(),
            telephone_event: true,
            record_inbound: None,
            recording_format: RecordingFormat::default(),
            max_recording: Duration::from_secs(3600),
            recording_key: None,
            impairment: Impairment::default(),
            network: Network::Host,
            seed: None,
        }
    }
}

/// A way in for SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// UDP, TCP or TLS.
    pub transport: sip::Transport,
    /// The address to bind.
    pub address: SocketAddr,
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self { transport: sip::Transport::Udp, address }
    }
}

/// What answers a call without an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// Sends back what it hears.
    Echo,
    /// A steady 1004 Hz tone at 0 dBm0.
    Milliwatt,
    /// 603.
    Reject,
}

/// A way to the telephone network.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// Its name in configuration and records.
    pub name: String,
    /// Domain for Request-URI and From: `trunk.test`.
    pub domain: String,
    /// Where messages go.
    pub next_hop: NextHop,
    /// User and password, for challenges of this trunk only.
    pub credentials: Option<sip::Credentials>,
    /// Register and keep registered.
    pub register: bool,
    /// From user.
    pub caller_id: String,
    /// Best first. What this build does not speak (Opus, without the feature) is left out.
    pub codecs: Vec<sip::sdp::AudioCodec>,
    /// Encryption of audio; keys go only over TLS.
    pub srtp: SrtpPolicy,
    /// How digits are sent.
    pub dtmf: DigitPolicy,
    /// Sources of inbound SIP besides `next_hop`: network and prefix length.
    pub allow_from: Vec<(IpAddr, u8)>,
    /// Calls at once.
    pub max_calls: usize,
    /// Where its 3xx may send our calls.
    pub redirects: sip::Redirects,
    /// How our calls present who calls.
    pub presentation: sip::Presentation,
    /// Who may call us by it. Each new call is then challenged, and that of a stranger refused with 401: the sources of a
    /// trunk are not enough where others send from them too.
    pub callers: Option<sip::Registrar>,
}

/// Default for [`Trunk::max_calls`].
const MAX_TRUNK_CALLS: usize = 50;

impl Trunk {
    /// A trunk that knows us by our address: without credentials, registration and SRTP, and with G.711 and telephone-event.
    pub fn new(name: impl Into<String>, domain: impl Into<String>, next_hop: impl Into<NextHop>) -> Self {
        Self {
            name: name.into(),
            domain: domain.into(),
            next_hop: next_hop.into(),
            credentials: None,
            register: false,
            caller_id: "anonymous".to_owned(),
            codecs: vec![sip::sdp::AudioCodec::Pcmu, sip::sdp::AudioCodec::Pcma],
            srtp: SrtpPolicy::Off,
            dtmf: DigitPolicy::Auto,
            allow_from: Vec::new(),
            max_calls: MAX_TRUNK_CALLS,
            redirects: sip::Redirects::Refuse,
            presentation: sip::Presentation::default(),
            callers: None,
        }
    }

    /// The policy for a call on this path: keys for SRTP go only where nobody can read them (RFC 4568 §7.1).
    pub(crate) fn srtp_on(&self, flow: sip::Flow) -> SrtpPolicy {
        match self.srtp {
            SrtpPolicy::Preferred if flow.transport != sip::Transport::Tls => SrtpPolicy::Off,
            policy => policy,
        }
    }

    /// Leaves the paths that keys may take, if they are to take any.
    pub(crate) fn keep_keys_secret(&self, hops: &mut Vec<sip::Hop>) -> Result<(), Error> {
        let secret = |hop: &sip::Hop| hop.flow.transport == sip::Transport::Tls;
        match self.srtp {
            SrtpPolicy::Required if !hops.iter().any(secret) => Err(Error::KeysInTheOpen(self.name.clone())),
            SrtpPolicy::Required | SrtpPolicy::Preferred if hops.iter().any(secret) => {
                hops.retain(secret);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Where the messages of a trunk go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextHop {
    /// To this address, over UDP.
    Address(SocketAddr),
    /// To where this SIP URI leads (RFC 3263), looked up again and again.
    Uri(String),
    /// Nowhere: the trunk only sends us calls.
    Nowhere,
}

impl From<SocketAddr> for NextHop {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
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

/// Limits of one call.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// From dialing to the answer.
    pub ring: Duration,
    /// From dialing to the end.
    pub call: Duration,
    /// No RTP for so long ends the call, unless they hold it or have said that they send none.
    pub media_timeout: Duration,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self { ring: Duration::from_secs(45), call: Duration::from_secs(600), media_timeout: Duration::from_secs(30) }
    }
}
