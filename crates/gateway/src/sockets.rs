//! The sockets that SIP comes in by, and the path to a peer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use sip::locate::{Means, Target};
use sip::{Flow, Hop, Peer, Transport};
use tokio::net::TcpListener;

use crate::network::SignallingSocket;
use crate::{Config, Listen, Network, listen};

/// One bound socket.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) transport: Transport,
    pub(crate) bound: SocketAddr,
    pub(crate) door: Door,
}

/// How messages come in.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    Datagrams(SignallingSocket),
    Connections(Arc<TcpListener>),
}

/// Binds what is configured; the first that cannot be is the error.
pub(crate) fn bind(network: &Network, configured: &[Listen]) -> Result<Vec<Listener>, (SocketAddr, io::Error)> {
    let mut listeners = Vec::new();
    for Listen { transport, address } in listen::sockets(configured) {
        let bind = || -> io::Result<(SocketAddr, Door)> {
            Ok(match transport {
                Transport::Udp => {
                    let socket = network.bind_signalling(address)?;
                    (socket.local_address()?, Door::Datagrams(socket))
                }
                _ => {
                    let listener = network.bind_stream(address)?;
                    (listener.local_addr()?, Door::Connections(Arc::new(listener)))
                }
            })
        };
        let (bound, door) = bind().map_err(|error| (address, error))?;
        listeners.push(Listener { transport, bound, door });
    }
    Ok(listeners)
}

/// What we can send by: datagrams where we have a socket for them, streams always.
pub(crate) fn means(listeners: &[Listener]) -> Means {
    let datagrams = listeners.iter().any(|listener| listener.transport == Transport::Udp);
    let transports = [Transport::Udp, Transport::Tcp, Transport::Tls];
    Means {
        transports: transports.into_iter().filter(|transport| transport.is_reliable() || datagrams).collect(),
        ipv4: listeners.iter().any(|listener| listener.bound.is_ipv4()),
        ipv6: listeners.iter().any(|listener| listener.bound.is_ipv6()),
    }
}

/// The paths to a trunk's targets, in their order; a place that takes datagrams takes long messages over TCP.
pub(crate) fn hops(config: &Config, listeners: &[Listener], targets: &[Target]) -> Vec<Hop> {
    let hop = |target: &Target| {
        let flow = flow_to(config, listeners, target.peer)?;
        let stream = (flow.transport == Transport::Udp)
            .then(|| flow_to(config, listeners, Peer { transport: Transport::Tcp, ..target.peer }))
            .flatten();
        Some(Hop { flow, stream })
    };
    targets.iter().filter_map(hop).collect()
}

/// The path to a peer: by the first listener of its transport and address family. A stream needs none: then we are
/// reached only over the connection that we open.
pub(crate) fn flow_to(config: &Config, listeners: &[Listener], peer: Peer) -> Option<Flow> {
    let Peer { transport, address: remote } = peer;
    let fits = |listener: &&Listener| listener.transport == transport && listener.bound.is_ipv4() == remote.is_ipv4();
    let bound = match listeners.iter().find(fits) {
        Some(listener) => listener.bound,
        None if transport.is_reliable() => anywhere(remote, transport.default_port()),
        None => return None,
    };
    Some(Flow { transport, local: advertised(config, bound, remote)?, remote })
}

/// The path on which something came in.
pub(crate) fn flow_from(config: &Config, listener: &Listener, remote: SocketAddr) -> Option<Flow> {
    Some(Flow { transport: listener.transport, local: advertised(config, listener.bound, remote)?, remote })
}

/// The datagram socket of a path.
pub(crate) fn datagrams_of(listeners: &[Listener], Flow { local, remote, .. }: Flow) -> Option<&SignallingSocket> {
    listeners.iter().find_map(|listener| match &listener.door {
        Door::Datagrams(socket)
            if listener.bound.port() == local.port() && listener.bound.is_ipv4() == remote.is_ipv4() =>
        {
            Some(socket)
        }
        _ => None,
    })
}

/// The address that RTP of a call on this path is bound to.
pub(crate) fn media_ip(listeners: &[Listener], flow: Flow) -> IpAddr {
    let of_path = |listener: &&Listener| {
        listener.transport == flow.transport
            && listener.bound.port() == flow.local.port()
            && listener.bound.is_ipv4() == flow.remote.is_ipv4()
    };
    match listeners.iter().find(of_path) {
        Some(listener) => listener.bound.ip(),
        None => anywhere(flow.remote, 0).ip(),
    }
}

fn anywhere(remote: SocketAddr, port: u16) -> SocketAddr {
    let ip = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(ip, port)
}

/// Our address as we tell it to that peer.
fn advertised(config: &Config, bound: SocketAddr, remote: SocketAddr) -> Option<SocketAddr> {
    let ip = match config.advertise {
        Some(ip) => ip,
        None => config.network.local_ip_towards(bound, remote).ok()?,
    };
    Some(SocketAddr::new(ip, bound.port()))
}
