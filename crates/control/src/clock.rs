//! Wall-clock time, as records and events have it. The only place of this crate that asks for it.

use std::time::SystemTime;

use jiff::Timestamp;

/// Now.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// RFC 3339 in UTC with milliseconds: of fixed length, so that text order is time order.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// The same of what the system's clock said.
pub(crate) fn rfc3339_of(time: SystemTime) -> String {
    // Only years that nobody has a calendar for do not fit.
    rfc3339(Timestamp::try_from(time).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_exactly_three_decimals() {
        let time = |text: &str| rfc3339(text.parse().unwrap());
        assert_eq!(time("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05.000Z");
        assert_eq!(time("2026-01-02T03:04:05.123999+01:00"), "2026-01-02T02:04:05.123Z");
    }
}
