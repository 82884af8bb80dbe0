//! SIP over TCP and TLS: who is connected, and one task for each connection.
//!
//! The endpoint hands over whole messages and never waits: each connection has a queue of its own and a deadline for
//! each write, so a peer that stops reading stops nobody but itself. Connections are reused in both directions
//! (RFC 3261 §18, RFC 5923 in spirit): what we send to an address goes over the connection it opened to us.
//!
//! Who only connects keeps nobody out: where there is no room, one of theirs that is not in use gives way.

mod connection;
mod loss;
mod patience;
mod tls;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sip::{Flow, Peer, Transport};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use connection::{Opening, Task};
pub(crate) use loss::phrase;
pub(crate) use tls::Tls;
pub use tls::{TlsError, TlsFiles};

/// Connections at once, both directions.
const MAX_CONNECTIONS: usize = 1024;
/// Connections at once that others opened to us; the rest is left for ours.
const MAX_INBOUND: usize = 768;
/// Connections at once that one address opened to us.
const MAX_FROM_ONE_SOURCE: usize = 32;
/// Messages waiting for one connection; a peer so far behind is given up.
const MAX_QUEUED: usize = 256;
/// TCP connect, and then again the TLS handshake.
const CONNECT: Duration = Duration::from_secs(4);

/// What a connection tells the endpoint.
#[derive(Debug)]
pub(crate) enum StreamEvent {
    /// One whole message.
    Message { flow: Flow, payload: Vec<u8> },
    /// The connection is gone, or never came about; `number` says which one.
    Closed { flow: Flow, number: u64, ended: io::Result<()> },
}

/// All connections.
#[derive(Debug)]
pub(crate) struct Streams {
    open: BTreeMap<Peer, Connection>,
    events: mpsc::Sender<StreamEvent>,
    tls: Tls,
    next_number: u64,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    queue: mpsc::Sender<Vec<u8>>,
    /// Whom its certificate was checked against; a certificate for one domain says nothing of another.
    domain: Option<String>,
    inbound: bool,
    /// A message has come or gone by it.
    in_use: bool,
    /// Ends its task.
    stop: CancellationToken,
}

/// Why a connection that was offered to us is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declined {
    TooMany,
    TooManyFromThere,
    NoCertificate,
}

impl Streams {
    pub(crate) fn new(tls: Tls, events: mpsc::Sender<StreamEvent>) -> Self {
        Self { open: BTreeMap::new(), events, tls, next_number: 0, stop: CancellationToken::new() }
    }

    /// Takes a connection that a peer opened; `local` is our address as we tell it to that peer.
    pub(crate) fn accept(
        &mut self,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
        stream: TcpStream,
    ) -> Result<(), Declined> {
        let opening = match transport {
            Transport::Tls => Opening::AcceptTls(stream, self.tls.acceptor().ok_or(Declined::NoCertificate)?),
            _ => Opening::Accepted(stream),
        };
        self.make_room(remote.ip())?;
        self.spawn(Flow { transport, local, remote }, None, true, opening);
        Ok(())
    }

    /// A message came by that connection.
    pub(crate) fn heard(&mut self, flow: Flow) {
        if let Some(connection) = self.open.get_mut(&flow.peer()) {
            connection.in_use = true;
        }
    }

    /// Sends over the connection to that address, opening one if there is none. Never waits; what cannot be sent is told
    /// by [`StreamEvent::Closed`]. `domain` is whom the peer's certificate must name (RFC 5922 §7); without one it must
    /// name the address.
    pub(crate) fn send(&mut self, flow: Flow, domain: Option<&str>, mut payload: Vec<u8>) {
        if let Some(connection) = self.open.get_mut(&flow.peer())
            && connection.serves(domain)
        {
            connection.in_use = true;
            match connection.queue.try_send(payload) {
                Ok(()) => return,
                Err(TrySendError::Full(unsent) | TrySendError::Closed(unsent)) => payload = unsent,
            }
        }
        // Nobody there, another domain's connection, or a peer that takes nothing: start anew.
        self.give_up(flow.peer());
        if self.open.len() >= MAX_CONNECTIONS {
            let number = self.take_number();
            let ended = Err(io::Error::other("too many connections are open"));
            let _ = self.events.try_send(StreamEvent::Closed { flow, number, ended });
            return;
        }
        let opening = match flow.transport {
            Transport::Tls => {
                let name = domain.map_or_else(|| flow.remote.ip().to_string(), str::to_owned);
                Opening::ConnectTls(self.tls.connector(), name)
            }
            _ => Opening::Connect,
        };
        let queue = self.spawn(flow, domain.map(str::to_owned), false, opening);
        // Its queue is new and empty.
        let _ = queue.try_send(payload);
    }

    /// A connection's own last word; false when another has taken its place meanwhile.
    pub(crate) fn closed(&mut self, flow: Flow, number: u64) -> bool {
        let replaced = self.open.get(&flow.peer()).is_some_and(|connection| connection.number != number);
        if !replaced {
            self.open.remove(&flow.peer());
        }
        !replaced
    }

    /// For one more connection from there.
    fn make_room(&mut self, source: IpAddr) -> Result<(), Declined> {
        let inbound: Vec<_> = self.open.iter().filter(|(_, connection)| connection.inbound).collect();
        let from_there: Vec<_> = inbound.iter().filter(|(peer, _)| peer.address.ip() == source).copied().collect();
        let (crowd, declined) = if from_there.len() >= MAX_FROM_ONE_SOURCE {
            (from_there, Declined::TooManyFromThere)
        } else if inbound.len() >= MAX_INBOUND || self.open.len() >= MAX_CONNECTIONS {
            (inbound, Declined::TooMany)
        } else {
            return Ok(());
        };
        let idle = crowd.into_iter().filter(|(_, connection)| !connection.in_use);
        let oldest = idle.min_by_key(|(_, connection)| connection.number).map(|(peer, _)| *peer);
        self.give_up(oldest.ok_or(declined)?);
        Ok(())
    }

    fn give_up(&mut self, peer: Peer) {
        if let Some(connection) = self.open.remove(&peer) {
            connection.stop.cancel();
        }
    }

    fn spawn(&mut self, flow: Flow, domain: Option<String>, inbound: bool, opening: Opening) -> mpsc::Sender<Vec<u8>> {
        let number = self.take_number();
        let (queue, outgoing) = mpsc::channel(MAX_QUEUED);
        let stop = self.stop.child_token();
        let task = Task { flow, number, opening, outgoing, events: self.events.clone(), stop: stop.clone() };
        tokio::spawn(task.run());
        let connection = Connection { number, queue: queue.clone(), domain, inbound, in_use: false, stop };
        self.open.insert(flow.peer(), connection);
        queue
    }

    fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Connection {
    /// Whether its peer may speak for that domain: it opened the connection itself (its source was checked), or its
    /// certificate was checked against this very domain.
    fn serves(&self, domain: Option<&str>) -> bool {
        self.inbound || domain.is_none() || self.domain.as_deref() == domain
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn where_one_address_has_its_share_the_oldest_that_is_not_in_use_gives_way() {
        let mut streams = streams();
        let tokens: Vec<_> = (0..MAX_FROM_ONE_SOURCE).map(|n| open(&mut streams, source(1), n, n % 2 == 0)).collect();
        assert_eq!(streams.make_room(source(2)), Ok(()));
        assert_eq!(given_up(&tokens), [], "another address has its own share");
        assert_eq!(streams.make_room(source(1)), Ok(()));
        assert_eq!(given_up(&tokens), [1], "0 is in use");
        for n in (3..MAX_FROM_ONE_SOURCE).step_by(2) {
            open(&mut streams, source(1), 100 + n, true);
            assert_eq!(streams.make_room(source(1)), Ok(()));
        }
        open(&mut streams, source(1), 200, true);
        assert_eq!(streams.make_room(source(1)), Err(Declined::TooManyFromThere), "all of them are in use");
        assert!(given_up(&tokens).iter().all(|n| n % 2 == 1), "none that is in use was given up");
    }

    #[test]
    fn others_cannot_take_the_room_of_our_own_connections() {
        let mut streams = streams();
        let tokens: Vec<_> = (0..MAX_INBOUND).map(|n| open(&mut streams, source(n), 0, n != 7)).collect();
        assert!(streams.open.len() < MAX_CONNECTIONS);
        assert_eq!(streams.make_room(source(5000)), Ok(()));
        assert_eq!(given_up(&tokens), [7]);
        open(&mut streams, source(5000), 0, true);
        assert_eq!(streams.make_room(source(5001)), Err(Declined::TooMany));
    }

    fn streams() -> Streams {
        let tls = Tls::load(&TlsFiles::default()).expect("no files are needed");
        Streams::new(tls, mpsc::channel(1).0)
    }

    fn source(number: usize) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(number).expect("a small number")).into()
    }

    /// One more connection from there, which may be in use.
    fn open(streams: &mut Streams, source: IpAddr, port: usize, in_use: bool) -> CancellationToken {
        let address = SocketAddr::new(source, u16::try_from(port).expect("a port"));
        let (number, stop) = (streams.take_number(), CancellationToken::new());
        let (queue, domain) = (mpsc::channel(1).0, None);
        let connection = Connection { number, queue, domain, inbound: true, in_use, stop: stop.clone() };
        streams.open.insert(Peer { transport: Transport::Tcp, address }, connection);
        stop
    }

    fn given_up(tokens: &[CancellationToken]) -> Vec<usize> {
        tokens.iter().enumerate().filter(|(_, token)| token.is_cancelled()).map(|(n, _)| n).collect()
    }
}
