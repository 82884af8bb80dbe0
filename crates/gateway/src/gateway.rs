//! [`Gateway`]: sockets, tasks and threads behind one handle.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::{CallEnd, CallLimits, Config, Line};

/// A running gateway; clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Gateway {
    _todo: (),
}

/// A call to place.
#[derive(Debug, Clone)]
pub struct Dial {
    /// Number, user name or `sip:` URI.
    pub to: String,
    /// Trunk by name; `None` is the first.
    pub trunk: Option<String>,
    /// From user instead of the trunk's.
    pub caller_id: Option<String>,
    /// Limits.
    pub limits: CallLimits,
    /// Stereo WAV: left they, right we.
    pub record: Option<PathBuf>,
}

/// A placed or accepted call.
#[derive(Debug)]
pub struct Call {
    /// Talks and listens.
    pub line: Line,
    /// Controls it from elsewhere.
    pub handle: CallHandle,
}

/// An inbound call, not yet answered: use `line.ring/answer/reject`.
#[derive(Debug)]
pub struct IncomingCall {
    /// Called number or user.
    pub to: String,
    /// Caller's number or user.
    pub from: String,
    /// Trunk it came by, if known.
    pub trunk: Option<String>,
    /// The call.
    pub call: Call,
}

/// Controls one call from outside its line; cheap to clone.
#[derive(Debug, Clone)]
pub struct CallHandle {
    _todo: (),
}

/// What went wrong in starting or dialing.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Error {
    #[error("cannot listen on {address}: {source}")]
    Bind { address: SocketAddr, #[source] source: std::io::Error },
    #[error("no trunk is named {0:?}")]
    NoSuchTrunk(String),
    #[error("no RTP port is free in {first}..={last}")]
    NoFreePort { first: u16, last: u16 },
    #[error("all {limit} calls are in use")]
    Full { limit: usize },
    #[error("{0:?} cannot be dialed")]
    BadTarget(String),
    #[error("the gateway is stopping")]
    Stopping,
}

/// The registration state of a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Registration {
    Off,
    Pending,
    Registered,
    Failed { status: Option<u16>, reason: String },
}

/// Quality of one call.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[allow(missing_docs)]
pub struct Quality { pub mos: f32, pub loss: f32, pub jitter_ms: f32, pub level_dbm0: f32 }

#[allow(missing_docs, unused_variables, clippy::unused_async)]
impl Gateway {
    pub async fn start(config: Config) -> Result<Self, Error> { todo!() }
    /// The addresses really bound.
    pub fn local_addresses(&self) -> Vec<SocketAddr> { todo!() }
    pub async fn dial(&self, dial: Dial) -> Result<Call, Error> { todo!() }
    /// The next inbound call from an allowed source; `None` when stopping. One reader.
    pub async fn accept(&self) -> Option<IncomingCall> { todo!() }
    pub fn registration(&self, trunk: &str) -> Option<Registration> { todo!() }
    /// Waits until all trunks that register are registered or have failed.
    pub async fn registered(&self) { todo!() }
    /// Refuses new calls, ends the rest, unregisters.
    pub async fn stop(&self) { todo!() }
}

#[allow(missing_docs, unused_variables, clippy::unused_async)]
impl CallHandle {
    pub fn press(&self, digits: &str) { todo!() }
    pub fn hang_up(&self) { todo!() }
    /// Resolves when the call is over and its recording is closed.
    pub async fn ended(&self) -> CallEnd { todo!() }
    pub fn quality(&self) -> Quality { todo!() }
    /// Pipeline, state and next deadline in words.
    pub fn explain(&self) -> String { todo!() }
}
