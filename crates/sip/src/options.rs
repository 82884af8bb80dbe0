//! An OPTIONS outside dialogs, which asks whether somebody is there (RFC 3261 §11).

use crate::Flow;
use crate::core::Core;
use crate::dialog::{contact, is_secure, tagged};
use crate::message::{Method, OutgoingRequest};

/// Asks this URI by this path; `from` is without a tag.
pub(crate) fn options(core: &mut Core, flow: &Flow, uri: &str, from: &str) -> OutgoingRequest {
    let (call_id, tag) = (core.token(), core.token());
    OutgoingRequest {
        method: Method::Options,
        uri: uri.to_owned(),
        routes: Vec::new(),
        from: tagged(from, &tag),
        to: format!("<{uri}>"),
        call_id,
        cseq: 1,
        contact: Some(contact(flow, "", is_secure(uri))),
        headers: vec![("Accept".to_owned(), "application/sdp".to_owned())],
        content: None,
    }
}
