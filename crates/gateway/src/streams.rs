//! SIP over TCP and TLS: who is connected, and one task for each connection.
//!
//! The endpoint hands over whole messages and never waits: each connection has a queue of its own and a deadline for
//! each write, so a peer that stops reading stops nobody but itself. Connections are reused in both directions
//! (RFC 3261 §18, RFC 5923 in spirit): what we send to an address goes over the connection it opened to us.

mod connection;
mod loss;
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
        if self.open.len() >= MAX_CONNECTIONS {
            return Err(Declined::TooMany);
        }
        if self.inbound_from(remote.ip()) >= MAX_FROM_ONE_SOURCE {
            return Err(Declined::TooManyFromThere);
        }
        let opening = match transport {
            Transport::Tls => Opening::AcceptTls(stream, self.tls.acceptor().ok_or(Declined::NoCertificate)?),
            _ => Opening::Accepted(stream),
        };
        self.spawn(Flow { transport, local, remote }, None, true, opening);
        Ok(())
    }

    /// Sends over the connection to that address, opening one if there is none. Never waits; what cannot be sent is told
    /// by [`StreamEvent::Closed`]. `domain` is whom the peer's certificate must name (RFC 5922 §7); without one it must
    /// name the address.
    pub(crate) fn send(&mut self, flow: Flow, domain: Option<&str>, mut payload: Vec<u8>) {
        if let Some(connection) = self.open.get(&flow.peer())
            && connection.serves(domain)
        {
            match connection.queue.try_send(payload) {
                Ok(()) => return,
                Err(TrySendError::Full(unsent) | TrySendError::Closed(unsent)) => payload = unsent,
            }
        }
        // Nobody there, another domain's connection, or a peer that takes nothing: start anew.
        if let Some(stalled) = self.open.remove(&flow.peer()) {
            stalled.stop.cancel();
        }
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

    fn inbound_from(&self, source: IpAddr) -> usize {
        self.open.iter().filter(|(peer, connection)| connection.inbound && peer.address.ip() == source).count()
    }

    fn spawn(&mut self, flow: Flow, domain: Option<String>, inbound: bool, opening: Opening) -> mpsc::Sender<Vec<u8>> {
        let number = self.take_number();
        let (queue, outgoing) = mpsc::channel(MAX_QUEUED);
        let stop = self.stop.child_token();
        let task = Task { flow, number, opening, outgoing, events: self.events.clone(), stop: stop.clone() };
        tokio::spawn(task.run());
        self.open.insert(flow.peer(), Connection { number, queue: queue.clone(), domain, inbound, stop });
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
