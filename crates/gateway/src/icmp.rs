//! What the network says about datagrams of ours that it could not deliver: ICMP errors, with their destination, from
//! the error queue of the socket (`IP_RECVERR` of Linux, ip(7)).

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::libc::{SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, sock_extended_err, sockaddr_in6};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

/// ICMP: destination unreachable (RFC 792).
const UNREACHABLE: u8 = 3;
/// Its code for a datagram that is too long for the path and will be sent again in fragments.
const FRAGMENTATION_NEEDED: u8 = 4;
/// ICMPv6: destination unreachable (RFC 4443 §3.1).
const UNREACHABLE_IPV6: u8 = 1;

/// Asks for such errors.
pub(crate) fn enable(socket: &UdpSocket) -> io::Result<()> {
    if socket.local_addr()?.is_ipv4() {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
    }
    Ok(())
}

/// Takes the oldest error: the destination that cannot be reached, or `None` when it says something else.
pub(crate) fn take(socket: &impl AsRawFd) -> io::Result<Option<SocketAddr>> {
    let mut control = cmsg_space!(sock_extended_err, sockaddr_in6);
    // What we had sent is not wanted back.
    let mut payload = [IoSliceMut::new(&mut [])];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let error = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut payload, Some(&mut control), flags)?;
    let unreachable = error.cmsgs()?.any(|message| match message {
        ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
            is_unreachable(error.ee_origin, error.ee_type, error.ee_code)
        }
        _ => false,
    });
    let destination = error.address.and_then(|address| {
        let four = address.as_sockaddr_in().copied().map(SocketAddr::from);
        four.or_else(|| address.as_sockaddr_in6().copied().map(SocketAddr::from))
    });
    Ok(destination.filter(|_| unreachable))
}

/// RFC 3261 §18.4: unreachable hosts, networks, ports and protocols count, a TTL that ran out does not.
fn is_unreachable(origin: u8, kind: u8, code: u8) -> bool {
    match origin {
        SO_EE_ORIGIN_ICMP => kind == UNREACHABLE && code != FRAGMENTATION_NEEDED,
        SO_EE_ORIGIN_ICMP6 => kind == UNREACHABLE_IPV6,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreachable_destinations_count_and_other_errors_do_not() {
        let check = |origin, kind, code, expected| assert_eq!(is_unreachable(origin, kind, code), expected);
        check(SO_EE_ORIGIN_ICMP, 3, 0, true);
        check(SO_EE_ORIGIN_ICMP, 3, 3, true);
        check(SO_EE_ORIGIN_ICMP, 3, 4, false);
        check(SO_EE_ORIGIN_ICMP, 11, 0, false);
        check(SO_EE_ORIGIN_ICMP6, 1, 4, true);
        check(SO_EE_ORIGIN_ICMP6, 2, 0, false);
        check(SO_EE_ORIGIN_ICMP6, 3, 3, false);
    }

    #[test]
    fn a_closed_port_is_told_by_its_address() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let bind = || UdpSocket::bind(host);
            // A machine without IPv6 has one family to try.
            let Ok(closed) = bind().and_then(|socket| socket.local_addr()) else { continue };
            let socket = bind().unwrap();
            enable(&socket).unwrap();
            assert_eq!(take(&socket).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            socket.send_to(b"anybody there?", closed).unwrap();
            assert_eq!(take(&socket).unwrap(), Some(closed));
        }
    }
}
