//! Redirection (RFC 3261 §8.1.3.4): where a 3xx may send a call of ours, and the INVITE that follows it there.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::InviteSession;
use super::session::State;
use crate::core::Core;
use crate::message::headers::{HeaderName, NameAddr, values};
use crate::message::{Method, OutgoingRequest, Response, SipUri, Uri};
use crate::route::Route;
use crate::{Deadline, Event, Flow, SessionEnd, Transport};

/// Most redirections of one call that are followed.
const MAX_FOLLOWED: u32 = 4;
/// Most Contacts looked at in one answer.
const MAX_CONTACTS: usize = 8;
/// How long the shell may take to look a host up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a 3xx may send a call elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Redirects {
    /// It ends the call with its status.
    #[default]
    Refuse,
    /// To these hosts: names or addresses without a port, compared letter by letter.
    ///
    /// Whoever redirects decides whom we call and who charges us for it, so nothing but the host may change: the
    /// number stays the one dialled (what follows a `;` in the user part is the trunk's own business), and neither
    /// `sips:` nor TLS is left for less. Of 300, 301 and 302 at most four are followed, none twice to the same URI, the
    /// highest `q` first; the next one is tried only when a target fails before anybody rang. Our credentials go to no
    /// address but those of the trunk.
    To(Vec<String>),
}

/// Where the answers to one INVITE have sent it.
#[derive(Debug, Default)]
pub(super) struct Redirection {
    policy: Redirects,
    /// The Request-URI of the first INVITE, and all since.
    seen: Vec<String>,
    /// Those not tried yet, best first.
    waiting: VecDeque<String>,
    followed: u32,
}

impl Redirection {
    pub fn new(policy: Redirects, dialled: &str) -> Self {
        Self { policy, seen: vec![dialled.to_owned()], ..Self::default() }
    }

    /// Takes those Contacts of a 3xx that may be followed. A 305 or 380 has none: it does not name the callee.
    pub fn take(&mut self, response: &Response<'_>) {
        if !matches!(response.status, 300..=302) {
            return;
        }
        let contacts = response.headers.all(HeaderName::Contact).flat_map(values);
        let contacts = contacts.take(MAX_CONTACTS).filter_map(|value| NameAddr::parse(value).ok());
        let mut found: Vec<_> = contacts.filter(|contact| self.may_follow(contact.uri)).collect();
        found.sort_by_key(|contact| Reverse(preference(contact)));
        let mut waiting = VecDeque::new();
        for contact in found {
            if !self.seen.iter().any(|seen| seen == contact.uri) {
                self.seen.push(contact.uri.to_owned());
                waiting.push_back(contact.uri.to_owned());
            }
        }
        // What else the redirection before this one has named comes after.
        waiting.append(&mut self.waiting);
        self.waiting = waiting;
    }

    /// The next one to try.
    fn take_next(&mut self) -> Option<String> {
        let uri = self.waiting.pop_front().filter(|_| self.followed < MAX_FOLLOWED)?;
        self.followed += 1;
        Some(uri)
    }

    fn may_follow(&self, uri: &str) -> bool {
        let Redirects::To(hosts) = &self.policy else {
            return false;
        };
        let dialled = self.seen.first().and_then(|dialled| sip_uri(dialled));
        let (Some(dialled), Some(other)) = (dialled, sip_uri(uri)) else {
            return false;
        };
        let is_allowed = hosts.iter().any(|host| bare(host).eq_ignore_ascii_case(bare(other.host)));
        // `maddr` would aim past the host, and header fields past what we meant to send.
        let is_simple = other.parameter("maddr").is_none() && other.headers.is_empty();
        let is_as_secure = other.secure || !dialled.secure;
        is_allowed && is_simple && is_as_secure && number(&other) == number(&dialled)
    }
}

/// The shell looks up the host of a redirection.
#[derive(Debug)]
pub(super) struct Redirected {
    uri: String,
    /// What goes there.
    request: OutgoingRequest,
    /// How the call ends when nothing comes of it.
    end: SessionEnd,
    give_up_at: Instant,
}

impl Redirected {
    pub fn deadline(&self) -> Deadline {
        Deadline { at: self.give_up_at, timer: "host of a redirection" }
    }
}

impl InviteSession {
    /// The INVITE has come to nothing: it goes where a redirection has said, or the call ends.
    pub(super) fn redirect_or_end(&mut self, core: &mut Core, now: Instant, request: OutgoingRequest, end: SessionEnd) {
        let Some(uri) = self.redirection.take_next() else {
            self.close(core, now);
            return self.end(core, end);
        };
        self.dialog.retarget(&uri);
        let OutgoingRequest { uri: request_uri, routes, cseq, .. } = self.dialog.request(Method::Invite);
        let request = OutgoingRequest { uri: request_uri, routes, cseq, ..request };
        match &self.state {
            // RFC 3608 §6.1: by way of the same proxies.
            State::Calling(calling) if !request.routes.is_empty() => {
                let route = calling.route.clone();
                self.attempt(core, now, route, request);
            }
            _ => {
                core.emit(Event::Locate { session: self.id, uri: uri.clone() });
                self.state = State::Redirected(Box::new(Redirected { uri, request, end, give_up_at: now + PATIENCE }));
            }
        }
    }

    /// Where the host of a redirection is; whether that was the question.
    pub(super) fn redirection_located(&mut self, core: &mut Core, now: Instant, uri: &str, flow: Option<Flow>) -> bool {
        if !matches!(&self.state, State::Redirected(redirected) if redirected.uri == uri) {
            return false;
        }
        self.leave_redirected(core, now, flow);
        true
    }

    pub(super) fn handle_redirected_timeout(&mut self, core: &mut Core, now: Instant) {
        if matches!(&self.state, State::Redirected(redirected) if redirected.give_up_at <= now) {
            self.leave_redirected(core, now, None);
        }
    }

    fn leave_redirected(&mut self, core: &mut Core, now: Instant, flow: Option<Flow>) {
        let State::Redirected(redirected) = std::mem::replace(&mut self.state, State::Closing { abandon_at: now })
        else {
            return;
        };
        let Redirected { mut request, end, .. } = *redirected;
        keep_private(&mut request);
        // The offer may hold keys.
        let must_be_tls = self.dialog.path.flow().transport == Transport::Tls;
        let flow = flow.filter(|flow| !must_be_tls || flow.transport == Transport::Tls);
        match flow.and_then(|flow| Route::new(vec![flow.into()])) {
            Some(route) => {
                self.authenticator.start_anew();
                self.attempt(core, now, route, request);
            }
            None => self.redirect_or_end(core, now, request, end),
        }
    }
}

/// Who calls in private is known to the trunk alone (RFC 3325 §5).
fn keep_private(request: &mut OutgoingRequest) {
    let is_private = request.headers.iter().any(|(name, _)| name == "Privacy");
    request.headers.retain(|(name, _)| !is_private || name != "P-Asserted-Identity");
}

fn sip_uri(text: &str) -> Option<SipUri<'_>> {
    Uri::parse(text).ok().and_then(Uri::sip)
}

/// The user part up to its parameters, such as those of number portability.
fn number<'a>(uri: &SipUri<'a>) -> &'a str {
    uri.user.and_then(|user| user.split(';').next()).unwrap_or_default()
}

/// An IPv6 address may be in brackets.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// `q` in thousandths; who has none comes first, and nonsense last.
fn preference(contact: &NameAddr<'_>) -> u32 {
    let Some(stated) = contact.params.get("q") else {
        return 1000;
    };
    let q = stated.parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q));
    q.map_or(0, |q| (q * 1000.0) as u32)
}
