//! Where datagrams go: the host's sockets, or a simulated network.
//!
//! A closed set of two, so an enum: the audio path calls no trait object.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::locate::{Answer, Question};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpListener;

use crate::dns::Dns;
#[cfg(feature = "sim")]
use crate::sim::{SimNetwork, SimSocket};
use crate::{icmp, listen};

/// A network to be on.
#[derive(Debug, Clone, Default)]
pub enum Network {
    /// This machine's.
    #[default]
    Host,
    /// A simulated one, under a paused tokio clock.
    #[cfg(feature = "sim")]
    Simulated(SimNetwork),
}

impl Network {
    pub(crate) fn bind_signalling(&self, address: SocketAddr) -> io::Result<SignallingSocket> {
        match self {
            Self::Host => {
                let socket = listen::bind_udp(address)?;
                socket.set_nonblocking(true)?;
                icmp::enable(&socket)?;
                // Not told of room to send: nobody waits for it, and it would wake a thread after each datagram.
                let told_of = Interest::READABLE | Interest::ERROR;
                // SAFETY: a socket of std's keeps its descriptor, open and the same, until it is dropped.
                let socket = unsafe { AsyncFd::register_with_interest(socket, told_of) };
                Ok(SignallingSocket::Host(Arc::new(socket?)))
            }
            #[cfg(feature = "sim")]
            Self::Simulated(network) => Ok(SignallingSocket::Simulated(Arc::new(network.bind(address)?))),
        }
    }

    pub(crate) fn bind_media(&self, address: SocketAddr) -> io::Result<MediaSocket> {
        match self {
            Self::Host => {
                let socket = UdpSocket::bind(address)?;
                socket.set_nonblocking(true)?;
                Ok(MediaSocket::Host(socket))
            }
            #[cfg(feature = "sim")]
            Self::Simulated(network) => Ok(MediaSocket::Simulated(network.bind(address)?)),
        }
    }

    /// A socket that takes connections; a simulated network has none.
    pub(crate) fn bind_stream(&self, address: SocketAddr) -> io::Result<TcpListener> {
        match self {
            Self::Host => {
                let listener = listen::bind_tcp(address)?;
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)
            }
            #[cfg(feature = "sim")]
            Self::Simulated(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// What DNS says, and for how long it holds.
    pub(crate) async fn ask(&self, dns: &Dns, question: &Question) -> (Answer, Duration) {
        match self {
            Self::Host => dns.ask(question).await,
            #[cfg(feature = "sim")]
            Self::Simulated(network) => (network.ask(question), Duration::ZERO),
        }
    }

    /// Our own address as the peer would see it without NAT.
    pub(crate) fn local_ip_towards(&self, bound: SocketAddr, peer: SocketAddr) -> io::Result<IpAddr> {
        if !bound.ip().is_unspecified() {
            return Ok(bound.ip());
        }
        match self {
            Self::Host => {
                // Connecting a datagram socket sends nothing: it only asks the kernel for the route.
                let probe = UdpSocket::bind(SocketAddr::new(bound.ip(), 0))?;
                probe.connect(peer)?;
                Ok(probe.local_addr()?.ip())
            }
            #[cfg(feature = "sim")]
            Self::Simulated(_) => Err(io::Error::other("a simulated socket has a concrete address")),
        }
    }
}

/// A socket for SIP, shared by the receive and send sides.
#[derive(Debug, Clone)]
pub(crate) enum SignallingSocket {
    Host(Arc<AsyncFd<UdpSocket>>),
    #[cfg(feature = "sim")]
    Simulated(Arc<SimSocket>),
}

impl SignallingSocket {
    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Host(socket) => socket.get_ref().local_addr(),
            #[cfg(feature = "sim")]
            Self::Simulated(socket) => Ok(socket.local_address()),
        }
    }

    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Self::Host(socket) => socket.async_io(Interest::READABLE, |socket| socket.recv_from(buffer)).await,
            #[cfg(feature = "sim")]
            Self::Simulated(socket) => socket.receive(buffer).await,
        }
    }

    /// Waits for the next peer that the network says it cannot reach. Cancel-safe.
    pub(crate) async fn unreachable(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Host(socket) => loop {
                let mut told = socket.ready(Interest::ERROR).await?;
                match told.try_io(|socket| icmp::take(socket.get_ref())) {
                    Ok(Ok(Some(peer))) => return Ok(peer),
                    Ok(Err(error)) => return Err(error),
                    // Something else, or nothing more.
                    Ok(Ok(None)) | Err(_) => {}
                }
            },
            // Nothing is refused there, only lost.
            #[cfg(feature = "sim")]
            Self::Simulated(_) => std::future::pending().await,
        }
    }

    /// Sends at once or not at all: a full socket buffer is a lost datagram, and SIP retransmits.
    pub(crate) fn send(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        match self {
            Self::Host(socket) => {
                let socket = socket.get_ref();
                let sent = match socket.send_to(payload, to) {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                        // Linux tells of an ICMP error about another datagram here, and sends nothing (udp(7)).
                        socket.send_to(payload, to)
                    }
                    sent => sent,
                };
                sent.map(drop)
            }
            #[cfg(feature = "sim")]
            Self::Simulated(socket) => {
                socket.send(payload, to);
                Ok(())
            }
        }
    }
}

/// A socket for RTP, owned by one media worker.
#[derive(Debug)]
pub(crate) enum MediaSocket {
    Host(UdpSocket),
    #[cfg(feature = "sim")]
    Simulated(SimSocket),
}

impl MediaSocket {
    /// The host's socket, to be told of readiness; a simulated one tells by itself.
    pub(crate) fn host(&self) -> Option<&UdpSocket> {
        match self {
            Self::Host(socket) => Some(socket),
            #[cfg(feature = "sim")]
            Self::Simulated(_) => None,
        }
    }

    /// The next datagram that has arrived; `None` when there is none now.
    pub(crate) fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        match self {
            // An error here is an ICMP answer to something we sent, or nothing to read.
            Self::Host(socket) => {
                let _ = now;
                socket.recv_from(buffer).ok()
            }
            #[cfg(feature = "sim")]
            Self::Simulated(socket) => socket.take_due(now, buffer),
        }
    }

    pub(crate) fn send(&mut self, payload: &[u8], to: SocketAddr) {
        match self {
            // RTP is lossy by nature; a full buffer or an ICMP error is one more lost packet.
            Self::Host(socket) => drop(socket.send_to(payload, to)),
            #[cfg(feature = "sim")]
            Self::Simulated(socket) => socket.send(payload, to),
        }
    }

    /// Whether a socket with more to read says so again, so that one look takes one datagram.
    pub(crate) fn tells_again(&self) -> bool {
        match self {
            Self::Host(_) => true,
            #[cfg(feature = "sim")]
            Self::Simulated(_) => false,
        }
    }

    /// When the next datagram will be there, where that is known beforehand.
    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        match self {
            Self::Host(_) => None,
            #[cfg(feature = "sim")]
            Self::Simulated(socket) => socket.next_arrival(),
        }
    }
}
