//! Why a session of ours ends, for the Reason header of its BYE or CANCEL (RFC 3326).

/// Longest text of a shell that a Reason takes along; a BYE must not outgrow a datagram.
const LONGEST: usize = 256;
/// Q.850 cause 16, what hanging up is to a telephone network.
pub(super) const NORMAL_CLEARING: &str = "Q.850;cause=16;text=\"Normal call clearing\"";
/// For every answer to an INVITE but the first.
pub(super) const COMPLETED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// A failure within the dialog, as a SIP status.
pub(super) fn failure(cause: u16, why: &str) -> String {
    format!("SIP;cause={cause};text=\"{why}\"")
}

/// What the shell has given, if it can be sent.
pub(super) fn given(reason: &str) -> Option<String> {
    let usable = !reason.is_empty() && reason.len() <= LONGEST && !reason.contains(['\r', '\n', '\0']);
    usable.then(|| reason.to_owned())
}
