//! Session-Expires and Min-SE (RFC 4028 §4, §5): seconds, and perhaps who refreshes.

use std::time::Duration;

use super::Params;
use crate::message::{Invalid, number, trim};

/// A session interval, or the least of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Its length.
    pub duration: Duration,
    /// Whether who sent the request is to refresh.
    pub uac: bool,
    /// Whether who answers it is to refresh.
    pub uas: bool,
}

impl Interval {
    /// Parses one field value.
    pub fn parse(value: &[u8]) -> Result<Self, Invalid> {
        let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
        let seconds: u32 = number(trim(&value[..end])).ok_or(Invalid("session interval"))?;
        let refresher = Params::new(&value[end..]).get("refresher").unwrap_or_default();
        let is = |side: &str| refresher.eq_ignore_ascii_case(side);
        Ok(Self { duration: Duration::from_secs(seconds.into()), uac: is("uac"), uas: is("uas") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4028 §4, §5.
    #[test]
    fn seconds_and_refresher_are_read() {
        let parsed =
            |text: &str| Interval::parse(text.as_bytes()).map(|found| (found.duration.as_secs(), found.uac, found.uas));
        assert_eq!(parsed("1800"), Ok((1800, false, false)));
        assert_eq!(parsed("1800 ;x=y; refresher=UAC"), Ok((1800, true, false)));
        assert_eq!(parsed("90;refresher=uas"), Ok((90, false, true)));
        assert!(parsed("-1").is_err() && parsed("").is_err() && parsed("4294967296").is_err());
    }
}
