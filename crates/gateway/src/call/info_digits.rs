//! Pure: no I/O, no clock.
//!
//! Keys in SIP INFO: `application/dtmf-relay` (`Signal=5`) and `application/dtmf` (`5`).

use std::time::Duration;

use media::ear::Digit;

use super::machine::Signal;

/// Longest body looked at; both forms need a few dozen bytes.
const MAX_BODY: usize = 256;

/// The keys of one INFO; none when it is about something else.
pub(crate) fn parse(content_type: &str, body: &[u8]) -> Option<Digit> {
    let body = std::str::from_utf8(&body[..body.len().min(MAX_BODY)]).ok()?;
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let signal = if media_type.eq_ignore_ascii_case("application/dtmf-relay") {
        body.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then_some(value.trim())
        })?
    } else if media_type.eq_ignore_ascii_case("application/dtmf") {
        body.trim()
    } else {
        return None;
    };
    match signal {
        // RFC 4733 event numbers stand for the keys that are not digits.
        "10" => Digit::from_char('*'),
        "11" => Digit::from_char('#'),
        signal => {
            let mut chars = signal.chars();
            chars.next().filter(|_| chars.next().is_none()).and_then(Digit::from_char)
        }
    }
}

/// One key as INFO.
pub(crate) fn write(digit: Digit, duration: Duration) -> Signal {
    let body = format!("Signal={}\r\nDuration={}\r\n", digit.as_char(), duration.as_millis());
    Signal::Info { content_type: "application/dtmf-relay", body: body.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_info_are_read_and_others_are_not() {
        let check = |content_type, body: &str, expected: Option<char>| {
            assert_eq!(parse(content_type, body.as_bytes()).map(Digit::as_char), expected, "{content_type} {body:?}");
        };
        check("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some('5'));
        check("Application/DTMF-Relay; charset=utf-8", "signal = #\r\n", Some('#'));
        check("application/dtmf-relay", "Signal=10\r\n", Some('*'));
        check("application/dtmf", "7", Some('7'));
        check("application/dtmf", "7 or so", None);
        check("application/dtmf-relay", "Duration=100\r\n", None);
        check("text/plain", "5", None);
        check("application/dtmf", "", None);
    }
}
