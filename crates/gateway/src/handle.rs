//! What a placed or accepted call is to its owner.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::call::Shared;
use crate::line::LineCommand;
use crate::{CallEnd, Line};

/// A placed or accepted call.
#[derive(Debug)]
pub struct Call {
    /// Talks and listens.
    pub line: Line,
    /// Controls it from elsewhere.
    pub handle: CallHandle,
}

/// Controls one call from outside its line; cheap to clone.
#[derive(Debug, Clone)]
pub struct CallHandle {
    pub(crate) commands: mpsc::Sender<LineCommand>,
    pub(crate) status: watch::Receiver<CallStatus>,
    pub(crate) finished: watch::Receiver<Option<CallEnd>>,
    pub(crate) shared: Arc<Shared>,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStatus {
    /// The INVITE is out, or in.
    Dialing,
    /// 180.
    Ringing,
    /// Media before the answer.
    EarlyMedia,
    /// 200.
    Answered,
    /// Over.
    Ended,
}

/// The registration state of a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// The trunk does not register.
    Off,
    /// No answer yet.
    Pending,
    /// Registered.
    Registered,
    /// Refused or silent; tried again unless it is final.
    Failed {
        /// The registrar's answer; `None` for silence.
        status: Option<u16>,
        /// Its words.
        reason: String,
    },
}

/// Quality of one call.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    /// Mean opinion score by the E-model, 1 to 4.5.
    pub mos: f32,
    /// Share of their packets lost, 0 to 1.
    pub loss: f32,
    /// Interarrival jitter (RFC 3550).
    pub jitter_ms: f32,
    /// Mean level of their speech.
    pub level_dbm0: f32,
}
