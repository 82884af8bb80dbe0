//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::{ClientInvite, ClientNonInvite, ServerInvite, ServerNonInvite};
use crate::message::headers::{HeaderName, Via};
use crate::message::{Method, OutgoingRequest, Request, Response, push_hex, push_number};
use crate::{Deadline, Flow, RegistrationId, SessionId};

/// What a branch starts with when it identifies its transaction (RFC 3261 §8.1.1.7).
pub(crate) const MAGIC_COOKIE: &str = "z9hG4bK";
/// What ours start with.
const OWN_BRANCH: &str = "z9hG4bK-";

/// The branch of a request of ours: 64 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Branch(pub u64);

impl Branch {
    /// As it stands in a Via.
    pub fn push_to(self, via: &mut String) {
        via.push_str(OWN_BRANCH);
        push_hex(via, self.0);
    }

    /// One of ours, as it comes back in a response.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(OWN_BRANCH).filter(|digits| digits.len() == 16)?;
        u64::from_str_radix(digits, 16).ok().map(Self)
    }
}

/// Names a transaction within a user agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TransactionKey {
    /// Of a request of ours. A CANCEL has the branch of its INVITE (RFC 3261 §9.1).
    Ours { branch: Branch, cancels: bool },
    /// Of a request of theirs, by the order in which they came.
    Theirs(u64),
}

impl TransactionKey {
    /// Of a request of ours.
    pub fn client(branch: Branch, method: &Method<'_>) -> Self {
        Self::Ours { branch, cancels: *method == Method::Cancel }
    }

    /// The request of ours that a response says to answer (RFC 3261 §17.1.3).
    pub fn of_response(response: &Response<'_>) -> Option<Self> {
        // RFC 3261 §8.1.3.3: more than one Via means it is not ours.
        if response.headers.via_count() != 1 {
            return None;
        }
        let branch = Branch::parse(response.headers.top_via().ok()?.branch()?)?;
        Some(Self::client(branch, &response.headers.cseq().ok()?.method))
    }
}

/// What tells a request of theirs from all others: branch, sent-by and method, where ACK counts as INVITE
/// (RFC 3261 §17.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RequestName(Arc<str>);

impl RequestName {
    pub fn of(request: &Request<'_>, via: &Via<'_>) -> Self {
        let method = if request.method == Method::Ack { Method::Invite } else { request.method };
        Self::new(request, via, method)
    }

    /// The INVITE that a CANCEL is for (RFC 3261 §9.2).
    pub fn canceled_by(request: &Request<'_>, via: &Via<'_>) -> Self {
        Self::new(request, via, Method::Invite)
    }

    fn new(request: &Request<'_>, via: &Via<'_>, method: Method<'_>) -> Self {
        let branch = via.branch().unwrap_or("");
        let identifies = branch.len() > MAGIC_COOKIE.len()
            && branch.get(..MAGIC_COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(MAGIC_COOKIE));
        let branch = if identifies { Cow::Borrowed(branch) } else { Cow::Owned(Self::rfc2543(request, branch)) };
        let port = via.port.unwrap_or(5060);
        // What may hold a space comes last.
        let mut name = String::with_capacity(method.as_str().len() + via.host.len() + branch.len() + 8);
        push_number(&mut name, port);
        name.push(' ');
        name.push_str(method.as_str());
        name.push(' ');
        name.extend(via.host.chars().map(|letter| letter.to_ascii_lowercase()));
        name.push(' ');
        name.push_str(&branch);
        Self(name.into())
    }

    /// Without the cookie the fields that RFC 2543 compared stand for the branch. The To tag is left out: an ACK
    /// has ours, which its INVITE had not.
    fn rfc2543(request: &Request<'_>, branch: &str) -> String {
        let headers = &request.headers;
        let from_tag = headers.from().ok().and_then(|from| from.tag()).unwrap_or("");
        let cseq = headers.cseq().map_or(0, |cseq| cseq.number);
        let call_id = headers.text(HeaderName::CallId).unwrap_or_default();
        format!("{branch} {} {from_tag} {call_id} {cseq}", request.uri)
    }
}

/// Whose request it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An INVITE, BYE, INFO … of a session.
    Session(SessionId),
    Registration(RegistrationId),
    Options,
    /// Nobody waits for the answer (CANCEL, BYE of a superfluous fork).
    Nobody,
}

/// A request of ours and its transaction.
#[derive(Debug)]
pub(crate) struct Client {
    pub machine: ClientMachine,
    pub request: Arc<OutgoingRequest>,
    pub flow: Flow,
    pub owner: Owner,
}

#[derive(Debug)]
pub(crate) enum ClientMachine {
    Invite(ClientInvite),
    NonInvite(ClientNonInvite),
}

impl ClientMachine {
    pub fn deadline(&self) -> Option<Deadline> {
        match self {
            Self::Invite(invite) => invite.deadline(),
            Self::NonInvite(request) => request.deadline(),
        }
    }

    pub fn is_unanswered(&self) -> bool {
        match self {
            Self::Invite(invite) => invite.is_unanswered(),
            Self::NonInvite(request) => request.is_unanswered(),
        }
    }

    /// Whether it fails with the connection that it took (RFC 3261 figures 5 and 6: transport errors).
    pub fn needs_its_path(&self) -> bool {
        match self {
            Self::Invite(invite) => invite.is_unanswered(),
            Self::NonInvite(request) => request.is_pending(),
        }
    }

    pub fn stop_retransmission(&mut self) {
        match self {
            Self::Invite(invite) => invite.stop_retransmission(),
            Self::NonInvite(request) => request.stop_retransmission(),
        }
    }

    pub fn abandon(&mut self) {
        match self {
            Self::Invite(invite) => invite.abandon(),
            Self::NonInvite(request) => request.abandon(),
        }
    }

    pub fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(invite) => invite.is_terminated(),
            Self::NonInvite(request) => request.is_terminated(),
        }
    }
}

/// A request of theirs and its transaction.
#[derive(Debug)]
pub(crate) struct Server {
    pub machine: ServerMachine,
    pub name: RequestName,
    /// Where its responses go.
    pub flow: Flow,
    /// Where they go once that connection is gone.
    pub reopen: Flow,
    /// The session that an INVITE made, for CANCEL.
    pub session: Option<SessionId>,
    /// What a merged copy of it would have in common with it.
    pub merge_key: Option<MergeKey>,
}

#[derive(Debug)]
pub(crate) enum ServerMachine {
    Invite(ServerInvite),
    NonInvite(ServerNonInvite),
}

impl ServerMachine {
    pub fn deadline(&self) -> Option<Deadline> {
        match self {
            Self::Invite(invite) => invite.deadline(),
            Self::NonInvite(request) => request.deadline(),
        }
    }

    pub fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(invite) => invite.is_terminated(),
            Self::NonInvite(request) => request.is_terminated(),
        }
    }
}

/// Call-ID, From tag and CSeq: the same request by two paths has these alike and branches that differ
/// (RFC 3261 §8.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct MergeKey(Arc<str>);

impl MergeKey {
    pub fn of(call_id: &str, from_tag: &str, cseq: u32, method: &Method<'_>) -> Self {
        // What may hold a space comes last.
        let mut key = String::with_capacity(method.as_str().len() + call_id.len() + from_tag.len() + 16);
        push_number(&mut key, cseq);
        for part in [method.as_str(), call_id, from_tag] {
            key.push(' ');
            key.push_str(part);
        }
        Self(key.into())
    }
}

/// All transactions in progress.
#[derive(Debug, Default)]
pub(crate) struct Table {
    // Boxed, lest they be moved with each that comes and goes.
    pub clients: BTreeMap<TransactionKey, Box<Client>>,
    pub servers: BTreeMap<TransactionKey, Box<Server>>,
    names: HashMap<RequestName, TransactionKey>,
    merges: HashSet<MergeKey>,
    /// Requests of theirs so far.
    requests: u64,
}

impl Table {
    /// The transaction of a request of theirs that came before.
    pub fn find(&self, name: &RequestName) -> Option<TransactionKey> {
        self.names.get(name).copied()
    }

    pub fn insert_server(&mut self, server: Server) -> TransactionKey {
        self.requests += 1;
        let key = TransactionKey::Theirs(self.requests);
        self.merges.extend(server.merge_key.clone());
        self.names.insert(server.name.clone(), key);
        self.servers.insert(key, Box::new(server));
        key
    }

    pub fn remove_server(&mut self, key: TransactionKey) {
        if let Some(server) = self.servers.remove(&key) {
            self.names.remove(&server.name);
            if let Some(merge_key) = &server.merge_key {
                self.merges.remove(merge_key);
            }
        }
    }

    /// Whether this request is already here by another path.
    pub fn is_merged(&self, merge_key: &MergeKey) -> bool {
        self.merges.contains(merge_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn name(method: &str, via: &str) -> RequestName {
        let text = format!(
            "{method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
        );
        let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else { panic!() };
        let via = request.headers.top_via().unwrap();
        RequestName::of(&request, &via)
    }

    // RFC 3261 §17.2.3.
    #[test]
    fn an_ack_matches_its_invite_and_nothing_else_does() {
        let invite = name("INVITE", "host:5060;branch=z9hG4bKa");
        assert_eq!(name("ACK", "HOST;branch=z9hG4bKa"), invite);
        assert_ne!(name("BYE", "host;branch=z9hG4bKa"), invite);
        assert_ne!(name("INVITE", "other;branch=z9hG4bKa"), invite);
        assert_ne!(name("INVITE", "host;branch=z9hG4bKb"), invite);
    }

    // RFC 3261 §17.2.3.
    #[test]
    fn without_the_cookie_the_fields_of_rfc_2543_are_compared() {
        assert_eq!(name("ACK", "host;branch=1"), name("INVITE", "host;branch=1"));
        assert_eq!(name("ACK", "host"), name("INVITE", "host"));
        assert_ne!(name("INVITE", "host;branch=1"), name("INVITE", "host;branch=2"));
        assert_eq!(name("INVITE", "host;branch=z9hG4bK"), name("ACK", "host;branch=z9hG4bK"));
    }
}
