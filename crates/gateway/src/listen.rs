//! Which sockets the configured addresses mean, and how they are bound.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn6, bind, setsockopt, socket, sockopt};

/// The addresses to bind. `[::]` stands for both families, as operators expect, unless the same port is configured
/// for IPv4 as well; each socket has one family, so that an IPv4 peer has one address and not a mapped one too.
pub(crate) fn sockets(configured: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut sockets = Vec::new();
    for address in configured {
        sockets.push(*address);
        let everywhere = address.is_ipv6() && address.ip().is_unspecified();
        let same_port = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
        if everywhere && !configured.iter().any(same_port) {
            sockets.push((Ipv4Addr::UNSPECIFIED, address.port()).into());
        }
    }
    sockets
}

/// A bound datagram socket of that one family.
pub(crate) fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    match address {
        SocketAddr::V4(_) => UdpSocket::bind(address),
        SocketAddr::V6(address) => bind_ipv6_only(address),
    }
}

fn bind_ipv6_only(address: SocketAddrV6) -> io::Result<UdpSocket> {
    let socket = socket(AddressFamily::Inet6, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn6::from(address))?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_ipv6_address_stands_for_both_families() {
        let check = |configured: &[&str], expected: &[&str]| {
            let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
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
