//! A response of theirs beside the request of ours that it answers.

use crate::Flow;
use crate::message::{OutgoingRequest, Response};
use crate::transaction::TransactionKey;

/// What a session is told of a response.
#[derive(Clone, Copy)]
pub(crate) struct Reply<'a> {
    pub transaction: &'a TransactionKey,
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
