//! Pure: no I/O, no clock.
//!
//! Which messages of allowed sources the user agent hears: all that belong to a call, and of those that begin
//! something no more than a [`RateLimit`] lets through.

use std::net::IpAddr;
use std::time::Instant;

use sip::message::{Message, Method};

use super::rate_limit::RateLimit;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Heard,
    /// A new INVITE that gets 503 with Retry-After, and nothing is remembered of it.
    Refused,
    Ignored,
}

/// `belongs`: it names a call that there is.
pub(super) fn judge(limit: &mut RateLimit, now: Instant, source: IpAddr, message: &[u8], belongs: bool) -> Verdict {
    if belongs || !begins_something(message) || limit.admit(now, source) {
        Verdict::Heard
    } else if is_new_invite(message) {
        Verdict::Refused
    } else {
        Verdict::Ignored
    }
}

/// Responses and ACKs only end what was begun, and nothing is sent for them; a keep-alive is less still.
fn begins_something(message: &[u8]) -> bool {
    let message = message.trim_ascii_start();
    let starts_with = |start: &[u8]| message.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start));
    !(message.is_empty() || starts_with(b"SIP/") || starts_with(b"ACK "))
}

fn is_new_invite(message: &[u8]) -> bool {
    let Ok(Message::Request(request)) = Message::parse(message) else { return false };
    request.method == Method::Invite && request.headers.to().is_ok_and(|to| to.tag().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3261 §21.5.4: a server that is overloaded may refuse with 503 and a Retry-After.
    #[test]
    fn over_the_limit_new_invites_are_refused_and_only_what_begins_nothing_is_heard() {
        let now = Instant::now();
        let check = |message: &str, belongs, expected| {
            let verdict = judge(&mut spent(now), now, SOURCE, message.as_bytes(), belongs);
            assert_eq!(verdict, expected, "{message:?}");
            assert_eq!(judge(&mut RateLimit::default(), now, SOURCE, message.as_bytes(), belongs), Verdict::Heard);
        };
        let request = |method: &str, to: &str| format!("{method} sip:a SIP/2.0\r\nTo: <sip:a@b>{to}\r\n\r\n");
        check(&request("INVITE", ""), false, Verdict::Refused);
        check(&format!("\r\n{}", request("INVITE", "")), false, Verdict::Refused);
        check(&request("INVITE", ";tag=claimed"), false, Verdict::Ignored);
        check(&request("INVITE", ";tag=ours"), true, Verdict::Heard);
        check(&request("BYE", ";tag=claimed"), false, Verdict::Ignored);
        check(&request("BYE", ";tag=ours"), true, Verdict::Heard);
        check(&request("CANCEL", ""), true, Verdict::Heard);
        check(&request("OPTIONS", ""), false, Verdict::Ignored);
        check(&request("ACK", ";tag=any"), false, Verdict::Heard);
        check("SIP/2.0 200 OK\r\n\r\n", false, Verdict::Heard);
        check("\r\n\r\n", false, Verdict::Heard);
        check("rubbish", false, Verdict::Ignored);
    }

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// One that has nothing left.
    fn spent(now: Instant) -> RateLimit {
        let mut limit = RateLimit::default();
        while limit.admit(now, SOURCE) {}
        limit
    }
}
