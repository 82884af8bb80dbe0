//! What comes of a request of ours: a response, beside what it answers, or none.

use crate::Flow;
use crate::message::{Method, OutgoingRequest, Response};
use crate::transaction::{Silence, TransactionKey};

/// What a session is told of a response.
#[derive(Clone, Copy)]
pub(crate) struct Reply<'a> {
    pub transaction: TransactionKey,
    pub request: &'a OutgoingRequest,
    /// The path that the request took.
    pub flow: Flow,
    pub response: &'a Response<'a>,
}

impl<'a> Reply<'a> {
    /// The tag that tells forks apart; a peer of RFC 2543 has none.
    pub fn to_tag(self) -> &'a str {
        self.response.headers.to().ok().and_then(|to| to.tag()).unwrap_or_default()
    }
}

/// What a session is told of a request without any.
#[derive(Clone, Copy)]
pub(crate) struct Lost<'a> {
    pub transaction: TransactionKey,
    pub method: Method<'a>,
    /// The path that the request took.
    pub flow: Flow,
    pub why: Silence,
}
