//! Pure: no I/O, no clock.
//!
//! Which messages the user agent hears. Of allowed sources: all that belong to a call, and of those that begin
//! something no more than a [`RateLimit`] lets through. Of hosts that a call has led to: what belongs to that call.

use std::net::IpAddr;
use std::time::Instant;

use sip::message::{Message, Method, Request};

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

/// Whether somebody whom no trunk allows may say this: an answer, or something within a dialog (RFC 3261 §12.2) of a
/// call that there is. To name such a call is not enough: what begins another one may do so as well.
pub(super) fn is_within_a_call(message: &[u8], belongs: bool) -> bool {
    match Message::parse(message) {
        Ok(Message::Response(_)) => true,
        Ok(Message::Request(request)) => belongs && !is_outside_dialogs(&request),
        Err(_) => false,
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
    request.method == Method::Invite && is_outside_dialogs(&request)
}

fn is_outside_dialogs(request: &Request<'_>) -> bool {
    !request.headers.to().is_ok_and(|to| to.tag().is_some())
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

    // RFC 3261 §12.2: within a dialog both tags are there.
    #[test]
    fn who_is_no_trunk_answers_and_speaks_within_its_call_and_begins_nothing() {
        let check = |message: &str, belongs, expected| {
            assert_eq!(is_within_a_call(message.as_bytes(), belongs), expected, "{message:?}");
        };
        let request = |method: &str, to: &str| format!("{method} sip:a SIP/2.0\r\nTo: <sip:a@b>{to}\r\n\r\n");
        check("SIP/2.0 200 OK\r\n\r\n", false, true);
        for method in ["INVITE", "BYE", "ACK", "OPTIONS"] {
            check(&request(method, ";tag=ours"), true, true);
            check(&request(method, ";tag=ours"), false, false);
            check(&request(method, ""), true, false);
        }
        check("BYE sip:a SIP/2.0\r\nTo: <sip:a@b;tag=x\r\n\r\n", true, false);
        check("\r\n\r\n", true, false);
    }

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// One that has nothing left.
    fn spent(now: Instant) -> RateLimit {
        let mut limit = RateLimit::default();
        while limit.admit(now, SOURCE) {}
        limit
    }
}
