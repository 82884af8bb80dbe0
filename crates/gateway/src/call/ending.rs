//! Pure: no I/O, no clock.
//!
//! How a call ended, from what signalling says of it.

use std::net::SocketAddr;

use crate::{CallEnd, EndCause};

/// What signalling said, with our own reason first where we ended it.
pub(crate) fn of(end: sip::SessionEnd, ours: Option<EndCause>, peer: Option<SocketAddr>) -> CallEnd {
    let (theirs, sip_status, reason) = match end {
        sip::SessionEnd::Rejected { status, reason, .. } => (cause_of(status), Some(status), Some(reason)),
        sip::SessionEnd::Unanswered { why } => (EndCause::Failed, None, Some(unanswered(why, peer))),
        sip::SessionEnd::Local => (EndCause::HungUp, None, None),
        sip::SessionEnd::Canceled { reason_header } => (EndCause::Canceled, None, reason_header),
        sip::SessionEnd::Bye { reason_header } => (EndCause::CalleeHungUp, None, reason_header),
        sip::SessionEnd::Failed { status, why } => (EndCause::Failed, status, Some(why.to_owned())),
    };
    CallEnd { cause: ours.unwrap_or(theirs), sip_status, reason }
}

fn unanswered(why: &str, peer: Option<SocketAddr>) -> String {
    match (why, peer) {
        ("unreachable", Some(peer)) => format!("unreachable: the network cannot deliver to {peer}"),
        ("timeout", Some(peer)) => format!("timeout: nothing comes back from {peer}"),
        _ => why.to_owned(),
    }
}

fn cause_of(status: u16) -> EndCause {
    match status {
        486 | 600 => EndCause::Busy,
        408 | 480 => EndCause::NoAnswer,
        403 | 603 | 607 | 608 => EndCause::Rejected,
        487 => EndCause::Canceled,
        _ => EndCause::Failed,
    }
}
