//! The tokio shell: runs `sip` and `media` on real sockets, one task a call, a few media threads.
//!
//! [`Gateway::start`] binds and registers, [`Gateway::dial`] and [`Gateway::accept`] hand out calls,
//! and a [`Line`] is all that an agent sees of one.

mod call;
mod clock;
mod config;
mod deadlines;
mod dns;
mod dropped;
mod endpoint;
mod error;
mod gateway;
mod handle;
mod icmp;
mod impairment;
mod inbound;
mod line;
mod listen;
mod log_limit;
mod media_load;
mod media_threads;
mod media_worker;
mod network;
mod packets;
mod ports;
mod prefetch;
mod quality;
mod readiness;
mod recording;
mod registrations;
mod resolver;
mod ring;
mod sealed;
mod setup;
#[cfg(feature = "sim")]
mod sim;
mod sockets;
mod sources;
mod streams;
mod trace;
mod trunk_state;

pub use config::*;
pub use dropped::DroppedAudio;
pub use error::Error;
pub use gateway::{Dial, Gateway, IncomingCall};
pub use handle::*;
pub use impairment::Impairment;
pub use line::{CallEnd, EndCause, Line, LineClosed, LineEvent, Player};
pub use media::one_way::Cause as OneWay;
pub use media::recorder::Format as RecordingFormat;
pub use media_load::{LATENESS_BOUNDS, MediaLoad};
pub use network::Network;
pub use packets::PacketTotals;
pub use recording::{DISK_PATIENCE, RecordingFailure};
pub use sealed::{RecordingError, RecordingKey, RecordingReader, SealedWriter, recording_len};
#[cfg(feature = "sim")]
pub use sim::SimNetwork;
pub use sip::{Attestation, CallerIdentity, Disposition, Verification};
pub use streams::{TlsError, TlsFiles};
pub use trace::{PCAP_MEDIA_TYPE, TracedMessage, ladder, pcap};
pub use trunk_state::{Registration, RegistrationChanged, TrunkStatus};
