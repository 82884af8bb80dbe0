//! SIP over TCP and TLS: who is connected, and one task for each connection.
//!
//! The endpoint hands over whole messages and never waits: each connection has a queue of its own and a deadline for
//! each write, so a peer that stops reading stops nobody but itself. Connections are reused in both directions
//! (RFC 3261 §18, RFC 5923 in spirit): what we send to an address goes over the connection it opened to us, unless over
//! TLS we have to know for which domain it speaks. Its certificate shows that, and we see that only where we connect.
//!
//! Who only connects keeps nobody out: where there is no room, one of theirs that is not in use gives way.

mod connection;
mod loss;
mod patience;
mod tls;

use std::collections::{BTreeMap, VecDeque};
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
    open: BTreeMap<(Peer, Opened), Connection>,
    /// Given up with what waited for them, and not yet told.
    lost: VecDeque<(Flow, Option<&'static str>)>,
    events: mpsc::Sender<StreamEvent>,
    tls: Tls,
    next_number: u64,
    stop: CancellationToken,
}

/// How a connection came about; one for each domain, since a certificate for one says nothing of another. In the order
/// in which they are preferred.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Opened {
    /// By us; over TLS its certificate names that domain, or else its address.
    ByUs { domain: Option<String> },
    /// By the peer: nothing is known of it but its address.
    ByPeer,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    queue: mpsc::Sender<Vec<u8>>,
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
        Self {
            open: BTreeMap::new(),
            lost: VecDeque::new(),
            events,
            tls,
            next_number: 0,
            stop: CancellationToken::new(),
        }
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
        let flow = Flow { transport, local, remote };
        // The peer can use its port again only when it has done with the connection before.
        if self.give_up(&(flow.peer(), Opened::ByPeer)) {
            self.lost.push_back((flow, None));
        }
        self.spawn(flow, Opened::ByPeer, opening);
        Ok(())
    }

    /// A message came by that connection.
    pub(crate) fn heard(&mut self, flow: Flow) {
        if let Some(connection) = self.open.get_mut(&(flow.peer(), Opened::ByPeer)) {
            connection.in_use = true;
        }
    }

    /// Sends over a connection to that address, opening one if there is none. Never waits; what cannot be sent is told
    /// by [`poll_lost`](Self::poll_lost) or [`StreamEvent::Closed`]. `domain` is whom the certificate of a peer over TLS
    /// must name (RFC 5922 §7); without one it must name the address. Answers go to whoever has asked (RFC 3261
    /// §18.2.2).
    pub(crate) fn send(&mut self, flow: Flow, domain: Option<&str>, mut payload: Vec<u8>) {
        let domain = domain.filter(|_| flow.transport == Transport::Tls);
        if let Some(connection) = self.serving(flow.peer(), domain, is_answer(&payload)) {
            connection.in_use = true;
            let number = connection.number;
            match connection.queue.try_send(payload) {
                Ok(()) => return,
                Err(TrySendError::Full(unsent) | TrySendError::Closed(unsent)) => payload = unsent,
            }
            // It has ended, or its peer takes nothing: what waits for an answer over it waits in vain.
            self.remove(flow.peer(), number);
            self.lost.push_back((flow, None));
            if !is_sent_by_us_anew(&payload) {
                return;
            }
        }
        if self.open.len() >= MAX_CONNECTIONS {
            return self.lost.push_back((flow, Some("too many connections are open")));
        }
        let opening = match flow.transport {
            Transport::Tls => {
                let name = domain.map_or_else(|| flow.remote.ip().to_string(), str::to_owned);
                Opening::ConnectTls(self.tls.connector(), name)
            }
            _ => Opening::Connect,
        };
        let queue = self.spawn(flow, Opened::ByUs { domain: domain.map(str::to_owned) }, opening);
        // Its queue is new and empty.
        let _ = queue.try_send(payload);
    }

    /// Gives up the connections of that path that have ended, though their last word is still to come.
    pub(crate) fn bury(&mut self, flow: Flow) {
        let ended = self.of(flow.peer()).filter(|(_, connection)| connection.queue.is_closed());
        let ended: Vec<_> = ended.map(|(_, connection)| connection.number).collect();
        for number in ended {
            self.remove(flow.peer(), number);
            self.lost.push_back((flow, None));
        }
    }

    /// The next path whose connection was given up with what waited for it, and why.
    pub(crate) fn poll_lost(&mut self) -> Option<(Flow, Option<&'static str>)> {
        self.lost.pop_front()
    }

    /// A connection's own last word; whether anybody may still wait for something over it.
    pub(crate) fn closed(&mut self, flow: Flow, number: u64) -> bool {
        let Some(opened) = self.remove(flow.peer(), number) else { return false };
        // While there are connections of ours to it, our requests go by these.
        opened != Opened::ByPeer || self.of(flow.peer()).next().is_none()
    }

    /// All connections to a peer, the best first.
    fn of(&self, peer: Peer) -> impl Iterator<Item = (&(Peer, Opened), &Connection)> {
        self.open.range((peer, Opened::ByUs { domain: None })..=(peer, Opened::ByPeer))
    }

    /// The connection to send by: one whose peer is known to speak for that domain, if there is one to speak for.
    fn serving(&mut self, peer: Peer, domain: Option<&str>, answers: bool) -> Option<&mut Connection> {
        let serves = |opened: &Opened| match opened {
            Opened::ByUs { domain: checked } => domain.is_none() || checked.as_deref() == domain,
            Opened::ByPeer => domain.is_none() || answers,
        };
        let mut open = self.open.range_mut((peer, Opened::ByUs { domain: None })..=(peer, Opened::ByPeer));
        open.find(|((_, opened), _)| serves(opened)).map(|(_, connection)| connection)
    }

    /// For one more connection from there.
    fn make_room(&mut self, source: IpAddr) -> Result<(), Declined> {
        let inbound: Vec<_> = self.open.iter().filter(|((_, opened), _)| *opened == Opened::ByPeer).collect();
        let from_there: Vec<_> = inbound.iter().filter(|((peer, _), _)| peer.address.ip() == source).copied().collect();
        let (crowd, declined) = if from_there.len() >= MAX_FROM_ONE_SOURCE {
            (from_there, Declined::TooManyFromThere)
        } else if inbound.len() >= MAX_INBOUND || self.open.len() >= MAX_CONNECTIONS {
            (inbound, Declined::TooMany)
        } else {
            return Ok(());
        };
        let idle = crowd.into_iter().filter(|(_, connection)| !connection.in_use);
        let oldest = idle.min_by_key(|(_, connection)| connection.number).map(|(key, _)| key.clone());
        self.give_up(&oldest.ok_or(declined)?);
        Ok(())
    }

    /// Gives up the connection of that number, and says how it came about.
    fn remove(&mut self, peer: Peer, number: u64) -> Option<Opened> {
        let key = self.of(peer).find(|(_, connection)| connection.number == number).map(|(key, _)| key.clone())?;
        self.give_up(&key);
        Some(key.1)
    }

    /// Whether there was one.
    fn give_up(&mut self, key: &(Peer, Opened)) -> bool {
        let connection = self.open.remove(key);
        connection.map(|connection| connection.stop.cancel()).is_some()
    }

    fn spawn(&mut self, flow: Flow, opened: Opened, opening: Opening) -> mpsc::Sender<Vec<u8>> {
        let number = self.take_number();
        let (queue, outgoing) = mpsc::channel(MAX_QUEUED);
        let stop = self.stop.child_token();
        let task = Task { flow, number, opening, outgoing, events: self.events.clone(), stop: stop.clone() };
        tokio::spawn(task.run());
        let connection = Connection { number, queue: queue.clone(), in_use: false, stop };
        self.open.insert((flow.peer(), opened), connection);
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

/// Connects to a peer as a message to it would, and hangs up; the error is in words where we have some.
pub(crate) async fn try_out(tls: &Tls, peer: Peer, domain: Option<String>) -> io::Result<()> {
    let name = domain.unwrap_or_else(|| peer.address.ip().to_string());
    let tls = (peer.transport == Transport::Tls).then(|| (tls.connector(), name));
    let ended = connection::try_out(peer.address, tls).await;
    match phrase(&ended) {
        Some(why) => Err(io::Error::other(why)),
        None => ended,
    }
}

/// Whether a message of ours is a response.
pub(crate) fn is_answer(message: &[u8]) -> bool {
    message.starts_with(b"SIP/")
}

/// Whether a message that its connection took down with it goes by another one without further ado. For a request that
/// waits for an answer the user agent decides: it may have another target, where the phone must not ring twice.
fn is_sent_by_us_anew(message: &[u8]) -> bool {
    is_answer(message) || message.starts_with(b"ACK ") || message.starts_with(b"CANCEL ")
}

#[cfg(test)]
mod tests;
