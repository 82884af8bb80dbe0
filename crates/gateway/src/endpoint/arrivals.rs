//! What the sockets bring, and the tasks that wait for it.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::Either;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::intake::{Gate, ignore};
use super::turn::Turn;
use crate::clock;
use crate::log_limit::{Class, LogLimit};
use crate::network::SignallingSocket;
use crate::sockets::{Door, Listener};

/// Datagrams waiting for the user agent; more are lost, and SIP retransmits.
const MAX_DATAGRAMS: usize = 1024;
/// Connections waiting to be looked at; more wait with the kernel, where they cost no descriptor.
const MAX_CONNECTIONS: usize = 16;
/// The largest datagram UDP can carry.
const MAX_DATAGRAM: usize = 65_535;
/// Wait after a connection could not be taken.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What comes from the sockets.
#[derive(Debug)]
pub(super) struct Arrival {
    /// The listener, by its number.
    pub(super) listener: usize,
    pub(super) peer: SocketAddr,
    pub(super) what: Arrived,
}

#[derive(Debug)]
pub(super) enum Arrived {
    Datagram(Vec<u8>),
    Connection(TcpStream),
    /// The network says that it cannot reach that peer.
    Unreachable,
}

/// What has come and is not yet taken. The tasks end with it.
pub(super) struct Arrivals {
    datagrams: mpsc::Receiver<Arrival>,
    connections: mpsc::Receiver<Arrival>,
    turn: Turn,
    tasks: Vec<JoinHandle<()>>,
}

impl Arrivals {
    /// Receives at all of them; `gate` says whose connections are taken.
    pub(super) fn at(listeners: &[Listener], gate: &Gate) -> Self {
        let (arrived, datagrams) = mpsc::channel(MAX_DATAGRAMS);
        let (connected, connections) = mpsc::channel(MAX_CONNECTIONS);
        let tasks = listeners
            .iter()
            .enumerate()
            .flat_map(|(number, listener)| match &listener.door {
                Door::Datagrams(socket) => vec![
                    tokio::spawn(receive(number, socket.clone(), arrived.clone())),
                    tokio::spawn(hear_of_unreachable(number, socket.clone(), arrived.clone())),
                ],
                Door::Connections(door) => {
                    vec![tokio::spawn(take_connections(number, door.clone(), gate.clone(), connected.clone()))]
                }
            })
            .collect();
        Self { datagrams, connections, turn: Turn::default(), tasks }
    }

    /// What came next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Arrival {
        match self.turn.next(received(&mut self.datagrams), received(&mut self.connections)).await {
            Either::Left(arrival) | Either::Right(arrival) => arrival,
        }
    }
}

/// What comes; where nothing can, it is waited for. Cancel-safe.
pub(super) async fn received<T>(receiver: &mut mpsc::Receiver<T>) -> T {
    match receiver.recv().await {
        Some(came) => came,
        None => pending().await,
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn receive(listener: usize, socket: SignallingSocket, arrivals: mpsc::Sender<Arrival>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        match socket.receive(&mut buffer).await {
            Ok((len, peer)) => {
                // Full: drop here, before any work is done for it.
                let _ = arrivals.try_send(Arrival { listener, peer, what: Arrived::Datagram(buffer[..len].to_vec()) });
            }
            // On Linux these are ICMP errors too, without their destination; `hear_of_unreachable` takes that.
            Err(error) => {
                tracing::debug!(%error, "receive failed");
                tokio::task::yield_now().await;
            }
        }
        if arrivals.is_closed() {
            return;
        }
    }
}

async fn hear_of_unreachable(listener: usize, socket: SignallingSocket, arrivals: mpsc::Sender<Arrival>) {
    loop {
        match socket.unreachable().await {
            // Full: the transaction's own timers decide.
            Ok(peer) => drop(arrivals.try_send(Arrival { listener, peer, what: Arrived::Unreachable })),
            Err(error) => {
                tracing::debug!(%error, "no news of ICMP errors");
                tokio::task::yield_now().await;
            }
        }
        if arrivals.is_closed() {
            return;
        }
    }
}

/// Hands on who connects and may; a stranger's connection is closed before a byte of it is read. When the machine has
/// no more descriptors, it waits for some.
async fn take_connections(listener: usize, door: Arc<TcpListener>, gate: Gate, arrivals: mpsc::Sender<Arrival>) {
    let mut log = LogLimit::default();
    loop {
        match door.accept().await {
            Ok((_, peer)) if !gate.admits(peer.ip()) => ignore(peer.ip(), &mut log),
            Ok((stream, peer)) => {
                let arrival = Arrival { listener, peer, what: Arrived::Connection(stream) };
                if arrivals.send(arrival).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                if let Some(left_out) = log.admit(clock::now(), Class::Declined) {
                    tracing::warn!(%error, left_out, "no connection can be taken");
                }
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}
