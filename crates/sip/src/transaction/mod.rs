//! The four transactions of RFC 3261 §17, with `Accepted` of RFC 6026, as values.
//!
//! Each machine owns its state, and each state its deadlines, so that a timer of a state that has been
//! left cannot fire. What a machine wants done it returns; it sends nothing itself.

mod client_invite;
mod client_non_invite;
mod server_invite;
mod server_non_invite;
mod table;

pub(crate) use client_invite::ClientInvite;
pub(crate) use client_non_invite::ClientNonInvite;
pub(crate) use server_invite::ServerInvite;
pub(crate) use server_non_invite::ServerNonInvite;
pub(crate) use table::{
    Branch, Client, ClientMachine, MAGIC_COOKIE, MergeKey, Owner, RequestName, Server, ServerMachine, Table,
    TransactionKey,
};

use std::time::{Duration, Instant};

use crate::Timers;

/// What a machine wants done when a timer fired.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Send these bytes (again).
    Send(Vec<u8>),
    /// Tell the user that no answer came.
    TimedOut,
}

/// Why a request of ours gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Timer B or F.
    Timeout,
    /// The network took nothing.
    Unreachable,
    /// The connection that carried it is gone, for this reason.
    ConnectionLost(&'static str),
}

impl Silence {
    /// For the shell, in a static phrase.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::ConnectionLost(why) => why,
        }
    }
}

/// What a client machine makes of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reaction {
    /// Whether the user of the transaction is told.
    pub deliver: bool,
    /// An ACK to send.
    pub send: Option<Vec<u8>>,
}

impl Reaction {
    const DROP: Self = Self { deliver: false, send: None };
    const DELIVER: Self = Self { deliver: true, send: None };
}

/// The next retransmission and the interval that led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retransmit {
    pub at: Instant,
    interval: Duration,
}

impl Retransmit {
    pub fn first(now: Instant, interval: Duration) -> Self {
        Self { at: now + interval, interval }
    }

    /// The one after: twice the interval, up to `longest`. Counted from the time planned; only after a late
    /// timeout from now, lest it be followed by a burst.
    pub fn next(self, now: Instant, longest: Option<Duration>) -> Self {
        let doubled = self.interval * 2;
        let interval = longest.map_or(doubled, |longest| doubled.min(longest));
        let planned = self.at + interval;
        Self { at: if planned > now { planned } else { now + interval }, interval }
    }
}

impl Timers {
    /// 64·T1: how long an unanswered request or response is worth repeating.
    pub(crate) fn patience(&self) -> Duration {
        self.t1 * 64
    }
}
