//! Dialogs (RFC 3261 §12) and the INVITE sessions that live in them.

mod ack;
mod attempt;
mod authorization;
mod contact;
mod early;
mod established;
mod farewell;
mod in_dialog;
mod incoming;
mod info;
mod locating;
mod offers;
mod outgoing;
mod path;
mod redirection;
mod reliable;
mod remedies;
mod reply;
mod session;
mod session_timer;

use std::net::SocketAddr;

pub(crate) use contact::{contact, is_secure};
pub(crate) use in_dialog::InDialog;
pub(crate) use incoming::{NewInvite, session_grant};
pub use outgoing::Invite;
pub use redirection::Redirects;
pub(crate) use reply::{Lost, Reply};
pub(crate) use session::InviteSession;
pub(crate) use session_timer::SHORTEST as SHORTEST_SESSION;

use crate::Flow;
use crate::message::headers::{HeaderName, Headers};
use crate::message::{Method, OutgoingRequest, Request, Response, Uri};
use crate::registration::{Learnt, Way};
use crate::route::MAX_OVER_UDP;
use contact::{seen, wants_secure_contact};
use path::Path;

/// The state of one dialog.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    pub call_id: String,
    pub local_tag: String,
    /// Empty until a response brings it, and for ever from a peer of RFC 2543.
    pub remote_tag: String,
    /// From of our requests, without tag.
    local: String,
    /// To of our requests, without tag.
    remote: String,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    /// Where the next request goes in the end (RFC 3261 §12.1: remote target).
    target: String,
    /// Route values, brackets included.
    routes: Vec<String>,
    /// Our Contact value, and its user part.
    pub contact: String,
    contact_user: String,
    /// Where the peer sees us, if it has said so.
    learnt: Option<Learnt>,
    path: Path,
}

impl Dialog {
    /// The side that calls, before any answer: requests go where the INVITE goes.
    pub fn calling(
        flow: Flow,
        call_id: String,
        local_tag: String,
        local: String,
        request_uri: &str,
        contact_user: &str,
    ) -> Self {
        Self {
            call_id,
            local_tag,
            remote_tag: String::new(),
            local,
            remote: ["<", request_uri, ">"].concat(),
            local_cseq: 0,
            remote_cseq: None,
            target: request_uri.to_owned(),
            routes: Vec::new(),
            contact: contact(&flow, contact_user, is_secure(request_uri)),
            contact_user: contact_user.to_owned(),
            learnt: None,
            path: Path::new(flow),
        }
    }

    /// The side that is called (RFC 3261 §12.1.1). From, To and Call-ID have been checked. Our Contact is where the
    /// caller sees us.
    pub fn called(flow: Flow, request: &Request<'_>, local_tag: String, learnt: Option<Learnt>) -> Self {
        let headers = &request.headers;
        let from = headers.from().ok();
        let from_uri = from.map_or("", |from| from.uri);
        let user = request.parsed_uri().and_then(Uri::sip).and_then(|uri| uri.user).unwrap_or("");
        let mut dialog = Self {
            call_id: headers.call_id().unwrap_or_default().to_owned(),
            local_tag,
            remote_tag: from.and_then(|from| from.tag()).unwrap_or_default().to_owned(),
            local: ["<", headers.to().map_or("", |to| to.uri), ">"].concat(),
            remote: ["<", from_uri, ">"].concat(),
            local_cseq: 0,
            remote_cseq: headers.cseq().ok().map(|cseq| cseq.number),
            target: from_uri.to_owned(),
            routes: record_routes(headers).collect(),
            contact: contact(&seen(learnt, flow), user, wants_secure_contact(request)),
            contact_user: user.to_owned(),
            learnt,
            path: Path::new(flow),
        };
        dialog.refresh_target(headers);
        dialog
    }

    /// What the response that makes the dialog says (RFC 3261 §12.1.2).
    pub fn adopt(&mut self, response: &Response<'_>) {
        self.remote_tag = response.headers.to().ok().and_then(|to| to.tag()).unwrap_or_default().to_owned();
        self.routes = record_routes(&response.headers).collect();
        self.routes.reverse();
        self.refresh_target(&response.headers);
    }

    /// Contact of a target refresh (RFC 3261 §12.2); a Contact that we cannot use changes nothing.
    pub fn refresh_target(&mut self, headers: &Headers<'_>) {
        if let Some(Ok(contact)) = headers.each_name_addr(HeaderName::Contact).next()
            && Uri::parse(contact.uri).is_ok_and(|uri| uri.sip().is_some())
        {
            contact.uri.clone_into(&mut self.target);
        }
    }

    /// Takes the CSeq of a request of theirs; `false` when it is not above the last (RFC 3261 §12.2.2).
    pub fn advance(&mut self, cseq: u32) -> bool {
        let rises = self.remote_cseq.is_none_or(|last| cseq > last);
        if rises {
            self.remote_cseq = Some(cseq);
        }
        rises
    }

    /// A new request within the dialog.
    pub fn request(&mut self, method: Method<'static>) -> OutgoingRequest {
        self.local_cseq += 1;
        self.request_with(method, self.local_cseq)
    }

    /// The ACK of a 2xx: the CSeq number of its INVITE (RFC 3261 §13.2.2.4).
    pub fn ack(&self, cseq: u32) -> OutgoingRequest {
        self.request_with(Method::Ack, cseq)
    }

    /// Whether its requests have this To.
    pub fn is_to(&self, to: &str) -> bool {
        tagged(&self.remote, &self.remote_tag) == to
    }

    /// Where requests within the dialog are sent: to the first route, else to the remote target.
    pub fn next_hop(&self) -> Flow {
        self.path.towards(self.next_uri())
    }

    /// The same for a request, whose size by a path is asked for only where it matters: one too long for a datagram
    /// takes a stream if there is one (RFC 3261 §18.1.1).
    pub fn next_hop_for(&self, size: impl FnOnce(Flow) -> usize) -> Flow {
        let flow = self.next_hop();
        let stream = self.path.stream_beside(flow).flatten();
        stream.filter(|_| size(flow) > MAX_OVER_UDP).unwrap_or(flow)
    }

    /// Where datagrams go, if nobody has said whether there is a stream to the same place.
    pub fn lacks_stream(&self) -> Option<Flow> {
        Some(self.next_hop()).filter(|flow| self.path.stream_beside(*flow).is_none())
    }

    /// Where a stream to an address leads, or that there is none.
    pub fn has_stream(&mut self, stream: Option<(SocketAddr, Option<Flow>)>) {
        if let Some((to, stream)) = stream {
            self.path.has_stream(to, stream);
        }
    }

    /// A request was lost on this path.
    pub fn stream_lost(&mut self, flow: Flow) {
        self.path.stream_lost(flow);
    }

    fn next_uri(&self) -> &str {
        self.routes.first().map_or(self.target.as_str(), |route| route_uri(route))
    }

    /// The next hop when it is a name that nobody has looked up.
    pub fn unlocated(&self) -> Option<&str> {
        Some(self.next_uri()).filter(|uri| self.path.is_unlocated(uri))
    }

    /// Where a name leads, or that it leads nowhere.
    pub fn located(&mut self, uri: &str, flow: Option<Flow>) {
        self.path.located(uri, flow);
    }

    /// The INVITE goes to another URI, though its To stays.
    pub fn retarget(&mut self, uri: &str) {
        self.target = uri.to_owned();
    }

    /// The INVITE goes by another path.
    pub fn start_over(&mut self, flow: Flow) {
        if self.path.flow() != flow {
            self.path = Path::new(flow);
            self.name_contact();
        }
    }

    /// Our Contact is where a registrar sees us, and the route its own until the response that makes the dialog.
    pub fn begin_by(&mut self, way: Way) {
        self.learnt = way.learnt;
        self.routes = way.routes;
        self.name_contact();
    }

    fn name_contact(&mut self) {
        let seen = seen(self.learnt, self.path.flow());
        self.contact = contact(&seen, &self.contact_user, is_secure(&self.target));
    }

    /// What a name led to cannot be reached.
    pub fn unreachable(&mut self, flow: Flow) {
        self.path.unreachable(flow);
    }

    /// A connection died.
    pub fn connection_closed(&mut self, flow: Flow) {
        self.path.closed(flow);
    }

    /// A request of theirs came by this path.
    pub fn reached_by(&mut self, flow: Flow) {
        self.path.reached_by(flow);
    }

    /// RFC 3261 §12.2.1.1.
    fn request_with(&self, method: Method<'static>, cseq: u32) -> OutgoingRequest {
        let target = self.target.clone();
        let (uri, routes) = match self.routes.split_first() {
            None => (target, Vec::new()),
            Some((first, _)) if is_loose(first) => (target, self.routes.clone()),
            // A strict router wants itself in the Request-URI and the target last.
            Some((first, rest)) => {
                let last = format!("<{target}>");
                (route_uri(first).to_owned(), rest.iter().cloned().chain([last]).collect())
            }
        };
        let creates_or_refreshes = matches!(method, Method::Invite | Method::Update);
        OutgoingRequest {
            method,
            uri,
            routes,
            from: tagged(&self.local, &self.local_tag),
            to: tagged(&self.remote, &self.remote_tag),
            call_id: self.call_id.clone(),
            cseq,
            contact: creates_or_refreshes.then(|| self.contact.clone()),
            headers: Vec::new(),
            content: None,
        }
    }
}

pub(crate) fn tagged(name_addr: &str, tag: &str) -> String {
    if tag.is_empty() { name_addr.to_owned() } else { [name_addr, ";tag=", tag].concat() }
}

fn record_routes<'a>(headers: &Headers<'a>) -> impl Iterator<Item = String> + use<'a> {
    let routes = headers.name_addrs(HeaderName::RecordRoute).unwrap_or_default();
    routes.into_iter().map(|route| format!("<{}>", route.uri))
}

fn route_uri(route: &str) -> &str {
    route.trim_start_matches('<').trim_end_matches('>')
}

/// A route with `lr` (RFC 3261 §19.1.1); one of another scheme cannot be strict.
fn is_loose(route: &str) -> bool {
    Uri::parse(route_uri(route)).ok().and_then(Uri::sip).is_none_or(|uri| uri.parameter("lr").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;
    use crate::message::Message;

    fn dialog(remote: &str, answer: &str) -> Dialog {
        let flow = Flow {
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: remote.parse().unwrap(),
        };
        let mut dialog = Dialog::calling(flow, "c".into(), "l".into(), "<sip:me@here>".into(), "sip:you@there", "me");
        let text = format!("SIP/2.0 200 OK\r\nTo: <sip:you@there>;tag=r\r\n{answer}\r\n\r\n");
        let Ok(Message::Response(response)) = Message::parse(text.as_bytes()) else { panic!() };
        dialog.adopt(&response);
        dialog
    }

    // RFC 3261 §12.1.2, §12.2.1.1.
    #[test]
    fn the_route_set_of_the_caller_is_reversed_and_loose_routes_leave_the_target_in_place() {
        let mut dialog = dialog(
            "203.0.113.9:5060",
            "Record-Route: <sip:203.0.113.1;lr>, <sip:203.0.113.2:5080;lr>\r\nContact: <sip:x@203.0.113.3:5070>",
        );
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri, "sip:x@203.0.113.3:5070");
        assert_eq!(bye.routes, ["<sip:203.0.113.2:5080;lr>", "<sip:203.0.113.1;lr>"]);
        assert_eq!(bye.to, "<sip:you@there>;tag=r");
        assert_eq!(dialog.next_hop().remote, "203.0.113.2:5080".parse().unwrap());
    }

    // RFC 3261 §12.2.1.1.
    #[test]
    fn a_strict_router_gets_itself_in_the_request_uri() {
        let mut dialog = dialog(
            "203.0.113.9:5060",
            "Record-Route: <sip:203.0.113.1;lr>\r\nRecord-Route: <sip:203.0.113.2>\r\nContact: <sip:x@203.0.113.3>",
        );
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri, "sip:203.0.113.2");
        assert_eq!(bye.routes, ["<sip:203.0.113.1;lr>", "<sip:x@203.0.113.3>"]);
    }
}
