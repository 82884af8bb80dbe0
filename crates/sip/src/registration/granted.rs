//! What a registrar's 2xx tells: for how long, beside whom, and by way of whom.

use std::time::Duration;

use crate::message::headers::{HeaderName, NameAddr};
use crate::message::{Response, Uri, number};

/// Most proxies between us and the registrar's.
const MAX_ROUTES: usize = 16;

/// What it says about our Contact among those it lists (RFC 3261 §10.2.4).
pub(super) fn granted_time(response: &Response<'_>, ours: &str) -> Option<Duration> {
    let contacts = response.headers.name_addrs(HeaderName::Contact).unwrap_or_default();
    let found = contacts.iter().find(|contact| is_ours(contact, ours));
    let found = found.or(if contacts.len() == 1 { contacts.first() } else { None });
    let stated = found.and_then(|contact| contact.params.get("expires")).and_then(|text| number(text.as_bytes()));
    let stated = stated.or_else(|| response.headers.optional_number(HeaderName::Expires).ok().flatten());
    stated.map(|seconds: u32| Duration::from_secs(seconds.into()))
}

/// A Contact beside ours, to which calls may go as well. Where ours is not listed, it may be ours as rewritten.
pub(super) fn foreign_contact(response: &Response<'_>, ours: &str) -> Option<String> {
    let contacts = response.headers.name_addrs(HeaderName::Contact).unwrap_or_default();
    let other = contacts.iter().find(|contact| !is_ours(contact, ours));
    other.filter(|_| contacts.iter().any(|contact| is_ours(contact, ours))).map(|other| other.uri.to_owned())
}

/// The Route of requests by this registration (RFC 3608 §6.1); what we cannot read is none.
pub(super) fn service_route(response: &Response<'_>) -> Vec<String> {
    let routes = response.headers.name_addrs(HeaderName::ServiceRoute).unwrap_or_default();
    routes.iter().take(MAX_ROUTES).map(|route| format!("<{}>", route.uri)).collect()
}

/// Same user, host and port; registrars add parameters to what they list.
fn is_ours(contact: &NameAddr<'_>, ours: &str) -> bool {
    let parts = |text| Uri::parse(text).ok().and_then(Uri::sip).map(|uri| (uri.user, uri.host, uri.port));
    parts(contact.uri) == parts(ours.trim_start_matches('<').trim_end_matches('>'))
}
