//! The path that a dialog takes: the one it has, or a better one that its peer names.

use std::net::{IpAddr, SocketAddr};

use crate::message::{SipUri, Uri};
use crate::{Flow, Transport};

/// The path by which the peer first reached us or we it.
#[derive(Debug, Clone)]
pub(super) struct Path {
    flow: Flow,
    /// The last name that was looked up, and where it leads: `None` for nowhere better.
    located: Option<(String, Option<Flow>)>,
    /// For requests too long for a datagram: the last address that a stream was sought to, and the stream, if any.
    stream: Option<(SocketAddr, Option<Flow>)>,
    /// Whether its connection is gone; a path of datagrams has none.
    closed: bool,
}

impl Path {
    pub fn new(flow: Flow) -> Self {
        Self { flow, located: None, stream: None, closed: false }
    }

    pub fn flow(&self) -> Flow {
        self.flow
    }

    pub fn closed(&mut self, flow: Flow) {
        self.closed |= self.flow == flow;
    }

    /// A connection that the peer opens in place of one that is gone leads to it, NAT or not.
    pub fn reached_by(&mut self, flow: Flow) {
        if self.closed && flow.transport == self.flow.transport {
            *self = Self::new(flow);
        }
    }

    /// Whether a URI names a host, or a transport other than that of the path, that is still to be looked up.
    pub fn is_unlocated(&self, uri: &str) -> bool {
        if self.located.as_ref().is_some_and(|(known, _)| known == uri) {
            return false;
        }
        Uri::parse(uri).ok().and_then(Uri::sip).is_some_and(|uri| match uri.ip() {
            None => true,
            Some(ip) => {
                let other = uri.transport().is_some_and(|transport| transport != self.flow.transport);
                other && reach(ip) >= reach(self.flow.remote.ip())
            }
        })
    }

    /// Where a stream to an address leads.
    pub fn has_stream(&mut self, to: SocketAddr, stream: Option<Flow>) {
        self.stream = Some((to, stream));
    }

    /// The stream to where datagrams go by this path: `None` when nobody has said, and where it is none, `Some(None)`.
    pub fn stream_beside(&self, flow: Flow) -> Option<Option<Flow>> {
        if flow.transport != Transport::Udp {
            return Some(None);
        }
        self.stream.filter(|(to, _)| *to == flow.remote).map(|(_, stream)| stream)
    }

    /// A request was lost on this path.
    pub fn stream_lost(&mut self, flow: Flow) {
        if let Some((_, stream)) = &mut self.stream {
            stream.take_if(|stream| *stream == flow);
        }
    }

    /// What was found cannot be reached.
    pub fn unreachable(&mut self, flow: Flow) {
        if let Some((_, found)) = &mut self.located {
            found.take_if(|found| *found == flow);
        }
    }

    /// What a name has led to. A path of TLS is not left for one that anybody can read: descriptions hold keys
    /// (RFC 4568 §7.1). And a place less reachable than the path is what the name means elsewhere.
    pub fn located(&mut self, uri: &str, flow: Option<Flow>) {
        let is_fit = |flow: &Flow| {
            (self.flow.transport != Transport::Tls || flow.transport == Transport::Tls)
                && reach(flow.remote.ip()) >= reach(self.flow.remote.ip())
        };
        self.located = Some((uri.to_owned(), flow.filter(is_fit)));
    }

    /// Where a request goes whose next hop is this URI: there, when it is an address or a name that was looked up, else
    /// along the path that the dialog has had from its first message.
    ///
    /// An address less reachable than that path (a private one behind a public source) was written by a peer
    /// that does not know of its NAT; then too the path is kept. And whoever is at the other end of an open
    /// connection is not called by a second one.
    pub fn towards(&self, uri: &str) -> Flow {
        if let Some((known, Some(flow))) = &self.located
            && known == uri
        {
            let is_here = flow.transport == self.flow.transport && self.is_connected_to(flow.remote.ip());
            return if is_here { self.flow } else { *flow };
        }
        let named = Uri::parse(uri).ok().and_then(Uri::sip).and_then(|uri| self.address(&uri));
        match named {
            Some(remote)
                if remote.is_ipv4() == self.flow.local.is_ipv4()
                    && remote.port() != 0
                    && reach(remote.ip()) >= reach(self.flow.remote.ip())
                    && !self.is_connected_to(remote.ip()) =>
            {
                Flow { remote, ..self.flow }
            }
            _ => self.flow,
        }
    }

    fn address(&self, uri: &SipUri<'_>) -> Option<SocketAddr> {
        let port = uri.port.unwrap_or(self.flow.transport.default_port());
        Some(SocketAddr::new(uri.ip()?, port))
    }

    fn is_connected_to(&self, host: IpAddr) -> bool {
        self.flow.transport.is_reliable() && !self.closed && self.flow.remote.ip() == host
    }
}

/// How far an address reaches: this host or link, a private network, everywhere.
fn reach(address: IpAddr) -> u8 {
    match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast() => 0,
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_link_local() => 1,
        // RFC 6598: carrier-grade NAT.
        IpAddr::V4(v4) if v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64) => 2,
        IpAddr::V6(v6) if v6.is_unspecified() || v6.is_multicast() => 0,
        IpAddr::V6(v6) if v6.is_loopback() || v6.is_unicast_link_local() => 1,
        IpAddr::V6(v6) if v6.is_unique_local() => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(transport: Transport, remote: &str) -> Flow {
        Flow { transport, local: "192.0.2.1:5060".parse().unwrap(), remote: remote.parse().unwrap() }
    }

    #[test]
    fn the_next_hop_is_an_address_or_the_path_we_have() {
        let hop = |remote, uri| Path::new(flow(Transport::Udp, remote)).towards(uri).remote.to_string();
        assert_eq!(hop("203.0.113.9:5060", "sip:x@203.0.113.3"), "203.0.113.3:5060");
        assert_eq!(hop("203.0.113.9:5060", "sip:x@pbx.example.com"), "203.0.113.9:5060");
        assert_eq!(hop("203.0.113.9:4321", "sip:x@192.168.1.5:5060"), "203.0.113.9:4321");
        assert_eq!(hop("10.0.0.1:5060", "sip:x@10.0.0.2:5062"), "10.0.0.2:5062");
        assert_eq!(hop("127.0.0.1:5060", "sip:x@127.0.0.1:5062"), "127.0.0.1:5062");
        assert_eq!(hop("203.0.113.9:5060", "sip:x@[2001:db8::1]"), "203.0.113.9:5060");
    }

    #[test]
    fn a_name_leads_where_it_was_found_or_along_the_path() {
        let mut path = Path::new(flow(Transport::Udp, "203.0.113.9:5060"));
        assert!(path.is_unlocated("sip:a.test") && !path.is_unlocated("sip:192.0.2.7") && !path.is_unlocated("tel:1"));
        let found = flow(Transport::Tcp, "203.0.113.3:5060");
        path.located("sip:a.test", Some(found));
        assert_eq!((path.is_unlocated("sip:a.test"), path.towards("sip:a.test")), (false, found));
        path.located("sip:b.test", None);
        assert_eq!((path.is_unlocated("sip:b.test"), path.towards("sip:b.test").remote.port()), (false, 5060));
        assert!(path.is_unlocated("sip:a.test"));
        path.located("sip:a.test", Some(found));
        path.unreachable(found);
        assert_eq!((path.is_unlocated("sip:a.test"), path.towards("sip:a.test").remote.port()), (false, 5060));
    }

    // RFC 4568 §7.1.
    #[test]
    fn a_name_leads_neither_out_of_tls_nor_behind_a_nat() {
        let leads = |from: Flow, found: Flow| {
            let mut path = Path::new(from);
            path.located("sip:a.test", Some(found));
            path.towards("sip:a.test") == found
        };
        let (tls, udp) = (Transport::Tls, Transport::Udp);
        assert!(!leads(flow(tls, "203.0.113.9:5061"), flow(udp, "203.0.113.3:5060")));
        assert!(!leads(flow(tls, "203.0.113.9:5061"), flow(Transport::Tcp, "203.0.113.3:5060")));
        assert!(leads(flow(tls, "203.0.113.9:5061"), flow(tls, "203.0.113.3:5061")));
        for inside in ["10.0.0.5:5060", "127.0.0.1:80", "[::1]:80"] {
            assert!(!leads(flow(udp, "203.0.113.9:5060"), flow(Transport::Tcp, inside)), "{inside}");
        }
        assert!(leads(flow(udp, "10.0.0.1:5060"), flow(udp, "10.0.0.5:5060")));
    }

    #[test]
    fn another_transport_is_looked_up_unless_it_is_behind_a_nat() {
        let path = Path::new(flow(Transport::Udp, "203.0.113.9:5060"));
        assert!(path.is_unlocated("sip:203.0.113.3;transport=tcp") && path.is_unlocated("sips:203.0.113.3"));
        assert!(
            !path.is_unlocated("sip:203.0.113.3;transport=UDP") && !path.is_unlocated("sip:192.168.1.5;transport=tcp")
        );
    }

    #[test]
    fn an_open_connection_is_kept_and_a_lost_one_gives_way_to_the_target() {
        let target = "sip:x@203.0.113.9:5070;transport=tcp";
        let mut path = Path::new(flow(Transport::Tcp, "203.0.113.9:40001"));
        assert_eq!(path.towards(target).remote.port(), 40001);
        assert_eq!(path.towards("sip:x@203.0.113.8").remote.to_string(), "203.0.113.8:5060");
        path.closed(flow(Transport::Tcp, "203.0.113.9:40002"));
        assert_eq!(path.towards(target).remote.port(), 40001, "another's connection");
        path.closed(flow(Transport::Tcp, "203.0.113.9:40001"));
        assert_eq!(path.towards(target), flow(Transport::Tcp, "203.0.113.9:5070"));
        assert_eq!(path.towards("sip:x@10.0.0.1").remote.port(), 40001, "nowhere better");
        path.reached_by(flow(Transport::Tcp, "203.0.113.9:40003"));
        assert_eq!(path.towards(target).remote.port(), 40003);
    }

    #[test]
    fn the_port_unless_given_is_that_of_the_transport_in_use() {
        let path = Path::new(flow(Transport::Tls, "203.0.113.9:40001"));
        assert_eq!(path.towards("sip:x@203.0.113.8;transport=tls").remote.port(), 5061);
    }
}
