//! Pure: no I/O, no clock.
//!
//! How a call ended, from what signalling says of it.

use std::net::SocketAddr;

use crate::{CallEnd, EndCause};

/// What signalling said, with our own reason first where we ended it.
pub(crate) fn of(end: sip::SessionEnd, ours: Option<EndCause>, peer: Option<SocketAddr>) -> CallEnd {
    let theirs = match end {
        sip::SessionEnd::Rejected { status, reason, reason_header, disposition } => CallEnd {
            cause: cause_of(status),
            sip_status: Some(status),
            reason: Some(reason),
            reason_header,
            disposition: Some(disposition),
        },
        sip::SessionEnd::Unanswered { why } => {
            CallEnd { reason: Some(unanswered(why, peer)), ..CallEnd::because(EndCause::Failed) }
        }
        sip::SessionEnd::Local => CallEnd::because(EndCause::HungUp),
        sip::SessionEnd::Canceled { reason_header } => {
            CallEnd { reason: reason_header.clone(), reason_header, ..CallEnd::because(EndCause::Canceled) }
        }
        sip::SessionEnd::Bye { reason_header } => {
            CallEnd { reason: reason_header.clone(), reason_header, ..CallEnd::because(EndCause::CalleeHungUp) }
        }
        sip::SessionEnd::Failed { status, why } => {
            CallEnd { sip_status: status, reason: Some(why.to_owned()), ..CallEnd::because(EndCause::Failed) }
        }
    };
    CallEnd { cause: ours.unwrap_or(theirs.cause), ..theirs }
}

fn unanswered(why: &str, peer: Option<SocketAddr>) -> String {
    match (why, peer) {
        ("unreachable", Some(peer)) => format!("unreachable: the network cannot deliver to {peer}"),
        ("timeout", Some(peer)) => format!("timeout: nothing comes back from {peer}"),
        _ => why.to_owned(),
    }
}

/// As the status says it, whatever the cause of the telephone network beside it: that is in the disposition.
fn cause_of(status: u16) -> EndCause {
    match status {
        486 | 600 => EndCause::Busy,
        408 | 480 => EndCause::NoAnswer,
        403 | 603 | 607 | 608 => EndCause::Rejected,
        487 => EndCause::Canceled,
        _ => EndCause::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3326 §2: the Reason of a response, a BYE or a CANCEL.
    #[test]
    fn a_refusal_ends_a_call_as_its_status_says() {
        for (status, reason_header, cause) in [
            (486, None, EndCause::Busy),
            (600, None, EndCause::Busy),
            (408, None, EndCause::NoAnswer),
            (480, None, EndCause::NoAnswer),
            (403, None, EndCause::Rejected),
            (603, None, EndCause::Rejected),
            (607, None, EndCause::Rejected),
            (608, None, EndCause::Rejected),
            (487, None, EndCause::Canceled),
            (404, None, EndCause::Failed),
            (503, None, EndCause::Failed),
            (480, Some("Q.850;cause=17"), EndCause::NoAnswer),
            (503, Some("Q.850;cause=17"), EndCause::Failed),
        ] {
            let disposition = sip::Disposition::of(status, None, reason_header);
            let reason_header = reason_header.map(str::to_owned);
            let end = sip::SessionEnd::Rejected {
                status,
                reason: "As said".into(),
                reason_header: reason_header.clone(),
                disposition,
            };
            let expected = CallEnd {
                cause,
                sip_status: Some(status),
                reason: Some("As said".into()),
                reason_header,
                disposition: Some(disposition),
            };
            assert_eq!(of(end, None, None), expected);
        }
    }
}
