//! What a user agent is told, and what it says of that at once.

use std::time::Instant;

use crate::{Flow, Registrar};

/// What the shell tells the machine.
#[derive(Debug)]
pub enum Input<'a> {
    /// One datagram arrived.
    Received {
        /// Its path.
        flow: Flow,
        /// Its bytes.
        payload: &'a [u8],
    },
    /// One message from a peer whose new calls have to prove by digest who makes them (RFC 3261 §22.2): from a trunk
    /// with users of its own. A source is not enough there, because others may send from it.
    Guarded {
        /// Its path.
        flow: Flow,
        /// Its bytes.
        payload: &'a [u8],
        /// The users of that trunk.
        realm: &'a Registrar,
    },
    /// The time asked for by [`UserAgent::poll_timeout`](crate::UserAgent::poll_timeout) has come (late or repeated is harmless).
    Timeout,
    /// The network refused a message on this path (ICMP, no route).
    Unreachable {
        /// The path.
        flow: Flow,
    },
    /// A connection is gone, or could not be opened. Whatever is still to be sent opens another one.
    Closed {
        /// Its path.
        flow: Flow,
        /// Why, in a static phrase for whoever waits for an answer over it; `None` where no more is known than that it
        /// is lost.
        why: Option<&'static str>,
    },
}

/// The next moment at which the machine wants [`Input::Timeout`], and which timer that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// For example `"Timer B (INVITE timeout)"`.
    pub timer: &'static str,
}

/// A command for a session that is not in a state for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the session is in no state for `{command}`")]
pub struct WrongState {
    /// What was asked.
    pub command: &'static str,
}
