//! What an INVITE that was refused is sent again with: each remedy is tried once (RFC 3261 §8.1.3.5).

use crate::message::OutgoingRequest;
use crate::message::headers::{HeaderName, Headers};

/// The remedies that have been tried.
#[derive(Debug, Default)]
pub(super) struct Remedies {
    dropped_options: bool,
    offered_plainly: bool,
}

impl Remedies {
    /// For a 420: the request without the options that the peer does not know; whether that is another one.
    pub fn drop_options(&mut self, request: &mut OutgoingRequest, refusal: &Headers<'_>) -> bool {
        if std::mem::replace(&mut self.dropped_options, true) {
            return false;
        }
        let is_unknown = |option: &str| refusal.lists(HeaderName::Unsupported, option);
        let mut dropped = false;
        for (_, value) in request.headers.iter_mut().filter(|(name, _)| names_options(name)) {
            let (unknown, known): (Vec<_>, Vec<_>) = value.split(',').map(str::trim).partition(|it| is_unknown(it));
            dropped |= !unknown.is_empty();
            *value = known.join(", ");
        }
        request.headers.retain(|(name, value)| {
            let is_of_timer = matches!(name.as_str(), "Session-Expires" | "Min-SE");
            !(names_options(name) && value.is_empty() || is_of_timer && is_unknown("timer"))
        });
        dropped
    }

    /// For a 488 or 606: whether an offer of nothing but the plainest codecs may be tried.
    pub fn may_offer_plainly(&mut self) -> bool {
        !std::mem::replace(&mut self.offered_plainly, true)
    }
}

/// For a 421 (RFC 3262 §4): the request with 100rel, if the callee will not go on without it and we have not offered
/// it; whether that is another one.
pub(super) fn add_100rel(request: &mut OutgoingRequest, refusal: &Headers<'_>) -> bool {
    let offered = request.headers.iter().any(|(name, value)| name == "Supported" && value.contains("100rel"));
    let adds = !offered && refusal.lists(HeaderName::Require, "100rel");
    if adds {
        request.headers.push(("Supported".to_owned(), "100rel".to_owned()));
    }
    adds
}

fn names_options(name: &str) -> bool {
    ["Supported", "Require", "Proxy-Require"].iter().any(|known| known.eq_ignore_ascii_case(name))
}
