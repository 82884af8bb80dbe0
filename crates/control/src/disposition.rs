//! Pure: no I/O, no clock.
//! What a refusal says of the next try, in the words of the API.

use gateway::Disposition;

pub(crate) fn name(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Redirected => "redirected",
        Disposition::Credentials => "credentials",
        Disposition::Number => "number",
        Disposition::Configuration => "configuration",
        Disposition::Busy { .. } => "busy",
        Disposition::Unavailable { .. } => "unavailable",
        Disposition::Declined => "declined",
        Disposition::Canceled => "canceled",
        Disposition::Media => "media",
        Disposition::Interval => "interval",
        Disposition::Extension => "extension",
        Disposition::Target { .. } => "target",
    }
}

/// The peer's Retry-After.
pub(crate) fn retry_after_s(disposition: Disposition) -> Option<i64> {
    match disposition {
        Disposition::Busy { after } | Disposition::Unavailable { after } | Disposition::Target { after } => {
            after.and_then(|after| i64::try_from(after.as_secs()).ok())
        }
        _ => None,
    }
}
