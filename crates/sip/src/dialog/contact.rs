//! Our Contact (RFC 3261 §8.1.1.8): where we are reached.

use crate::message::headers::HeaderName;
use crate::message::{Request, Uri, push_address};
use crate::registration::Learnt;
use crate::{Flow, Transport};

/// A path as its other end sees it.
pub(super) fn seen(learnt: Option<Learnt>, flow: Flow) -> Flow {
    learnt.map_or(flow, |learnt| learnt.seen(flow))
}

/// Our Contact: the user at our end of the flow, as a SIPS URI where the peer's own URI is one.
pub(crate) fn contact(flow: &Flow, user: &str, secure: bool) -> String {
    let scheme = if secure { "sips" } else { "sip" };
    let at = if user.is_empty() { "" } else { "@" };
    let transport = match flow.transport {
        Transport::Udp => "",
        // RFC 3261 §26.2.2: over `sips:` TLS goes without saying.
        Transport::Tcp | Transport::Tls if secure => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    };
    let mut contact = ["<", scheme, ":", user, at].concat();
    push_address(&mut contact, flow.local);
    contact.push_str(transport);
    contact.push('>');
    contact
}

pub(crate) fn is_secure(uri: &str) -> bool {
    Uri::parse(uri).ok().and_then(Uri::sip).is_some_and(|uri| uri.secure)
}

/// RFC 3261 §12.1.1: whether the Request-URI is a SIPS URI, or the top Record-Route, or without one the Contact.
pub(super) fn wants_secure_contact(request: &Request<'_>) -> bool {
    let first = |name| request.headers.name_addrs(name).unwrap_or_default().first().map(|found| found.uri);
    let next = first(HeaderName::RecordRoute).or_else(|| first(HeaderName::Contact));
    is_secure(request.uri) || next.is_some_and(is_secure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_contact_says_how_we_are_reached() {
        let contact = |transport, user, secure| {
            let (local, remote) = ("192.0.2.1:5070".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
            contact(&Flow { transport, local, remote }, user, secure)
        };
        assert_eq!(contact(Transport::Udp, "me", false), "<sip:me@192.0.2.1:5070>");
        assert_eq!(contact(Transport::Tcp, "me", false), "<sip:me@192.0.2.1:5070;transport=tcp>");
        assert_eq!(contact(Transport::Tls, "", false), "<sip:192.0.2.1:5070;transport=tls>");
        assert_eq!(contact(Transport::Tls, "me", true), "<sips:me@192.0.2.1:5070>");
    }
}
