//! Reason (RFC 3326): why a call was refused or ended, by SIP or by a telephone network.

use super::Params;
use super::list::values;
use crate::message::{number, trim};

/// The cause of ITU-T Q.850 in a field, which may hold the reasons of several protocols.
pub fn q850_cause(field: &[u8]) -> Option<u8> {
    values(field).find_map(|value| {
        let end = value.iter().position(|byte| *byte == b';')?;
        let is_q850 = trim(&value[..end]).eq_ignore_ascii_case(b"Q.850");
        Params::new(&value[end..]).get("cause").filter(|_| is_q850).and_then(|cause| number(cause.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3326 §2.
    #[test]
    fn the_cause_is_found_among_other_reasons() {
        for (field, expected) in [
            ("Q.850;cause=16;text=\"Normal call clearing\"", Some(16)),
            ("SIP ;cause=580 ;text=\"a, b\", q.850 ; Cause = 17", Some(17)),
            ("SIP;cause=200", None),
            ("Q.850", None),
            ("Q.850;cause=x", None),
            ("Q.850;cause=300", None),
            ("", None),
        ] {
            assert_eq!(q850_cause(field.as_bytes()), expected, "{field}");
        }
    }
}
