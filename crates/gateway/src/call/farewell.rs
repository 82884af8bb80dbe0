//! Pure: no I/O, no clock.
//!
//! Why we end a call, as the Reason of its BYE or CANCEL (RFC 3326) in the causes of ITU-T Q.850.

use crate::EndCause;

/// The Reason to give for an end of ours.
pub(crate) fn reason(cause: EndCause) -> &'static str {
    match cause {
        EndCause::HungUp | EndCause::Canceled | EndCause::CalleeHungUp => {
            "Q.850;cause=16;text=\"Normal call clearing\""
        }
        EndCause::Busy => "Q.850;cause=17;text=\"User busy\"",
        EndCause::NoAnswer => "Q.850;cause=19;text=\"No answer from user\"",
        EndCause::Rejected => "Q.850;cause=21;text=\"Call rejected\"",
        EndCause::TimeLimit => "Q.850;cause=31;text=\"Time limit\"",
        EndCause::MediaTimeout => "Q.850;cause=41;text=\"No media\"",
        EndCause::Shutdown => "Q.850;cause=41;text=\"Shutting down\"",
        EndCause::Failed => "Q.850;cause=127;text=\"Interworking\"",
    }
}
