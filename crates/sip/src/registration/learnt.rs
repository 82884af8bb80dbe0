//! The address by which a registrar sees a socket of ours (RFC 3261 §18.2.1, RFC 3581 §4): behind a NAT, another than
//! its own.

use std::net::{IpAddr, SocketAddr};

use crate::message::{Response, number};
use crate::{Flow, Transport};

/// What one registrar told us of one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Learnt {
    transport: Transport,
    local: SocketAddr,
    address: SocketAddr,
}

impl Learnt {
    /// What the Via of an answer says; nothing when it says nothing.
    pub fn of(response: &Response<'_>, flow: Flow) -> Option<Self> {
        let via = response.headers.top_via().ok()?;
        let received = via.params.get("received").and_then(address);
        let rport = via.params.get("rport").and_then(|text| number(text.as_bytes())).filter(|port| *port != 0);
        if received.is_none() && rport.is_none() {
            return None;
        }
        let ip = received.or_else(|| address(via.host)).filter(|ip| ip.is_ipv4() == flow.local.is_ipv4())?;
        if ip.is_unspecified() || ip.is_multicast() {
            return None;
        }
        // The port of a connection that we opened is none on which anybody listens.
        let port = rport.filter(|_| !flow.transport.is_reliable()).unwrap_or(flow.local.port());
        Some(Self { transport: flow.transport, local: flow.local, address: SocketAddr::new(ip, port) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The path as its other end sees it.
    pub fn seen(&self, flow: Flow) -> Flow {
        if (flow.transport, flow.local) == (self.transport, self.local) {
            Flow { local: self.address, ..flow }
        } else {
            flow
        }
    }
}

/// An IPv6 address may be in brackets.
fn address(text: &str) -> Option<IpAddr> {
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
