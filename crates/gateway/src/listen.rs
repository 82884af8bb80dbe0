//! Which sockets the configured addresses mean, and how they are bound.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn6, bind, listen, setsockopt, socket, sockopt,
};

use crate::Listen;

/// The addresses to bind. `[::]` stands for both families, as operators expect, unless the same port is configured
/// for IPv4 as well; each socket has one family, so that an IPv4 peer has one address and not a mapped one too.
pub(crate) fn sockets(configured: &[Listen]) -> Vec<Listen> {
    let mut sockets = Vec::new();
    for listen in configured {
        sockets.push(*listen);
        let Listen { transport, address } = *listen;
        let everywhere = address.is_ipv6() && address.ip().is_unspecified();
        let same = |other: &Listen| {
            other.transport == transport && other.address.is_ipv4() && other.address.port() == address.port()
        };
        if everywhere && !configured.iter().any(same) {
            sockets.push(Listen { transport, address: (Ipv4Addr::UNSPECIFIED, address.port()).into() });
        }
    }
    sockets
}

/// A bound datagram socket of that one family.
pub(crate) fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    match address {
        SocketAddr::V4(_) => UdpSocket::bind(address),
        SocketAddr::V6(address) => Ok(bind_ipv6_only(address, SockType::Datagram)?.into()),
    }
}

/// A socket of that one family that takes connections.
pub(crate) fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    match address {
        SocketAddr::V4(_) => TcpListener::bind(address),
        SocketAddr::V6(address) => {
            let socket = bind_ipv6_only(address, SockType::Stream)?;
            listen(&socket, Backlog::MAXCONN)?;
            Ok(socket.into())
        }
    }
}

fn bind_ipv6_only(address: SocketAddrV6, kind: SockType) -> io::Result<OwnedFd> {
    let socket = socket(AddressFamily::Inet6, kind, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    if kind == SockType::Stream {
        // As the standard library does: connections of an earlier run may still be closing.
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    }
    bind(socket.as_raw_fd(), &SockaddrIn6::from(address))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_ipv6_address_stands_for_both_families() {
        let check = |configured: &[&str], expected: &[&str]| {
            let parse = |texts: &[&str]| {
                texts.iter().map(|text| text.parse::<SocketAddr>().unwrap().into()).collect::<Vec<Listen>>()
            };
            assert_eq!(sockets(&parse(configured)), parse(expected), "{configured:?}");
        };
        check(&["0.0.0.0:5060"], &["0.0.0.0:5060"]);
        check(&["[::]:5060"], &["[::]:5060", "0.0.0.0:5060"]);
        check(&["[2001:db8::1]:5060"], &["[2001:db8::1]:5060"]);
        check(&["[::]:5060", "192.0.2.1:5060"], &["[::]:5060", "192.0.2.1:5060"]);
        check(&["[::]:5060", "192.0.2.1:5070"], &["[::]:5060", "0.0.0.0:5060", "192.0.2.1:5070"]);
    }

    #[test]
    fn an_ipv6_socket_leaves_ipv4_to_its_own() {
        // A machine without IPv6 has nothing to leave.
        let Ok(socket) = bind_udp("[::1]:0".parse().unwrap()) else { return };
        assert!(nix::sys::socket::getsockopt(&socket, sockopt::Ipv6V6Only).unwrap());
    }
}
