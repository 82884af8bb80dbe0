//! [`SimNetwork`]: datagrams between simulated addresses, with seeded trouble, under tokio's paused clock.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use sip::locate::{Answer, Question};
use tokio::sync::Notify;

use crate::clock;
use crate::impairment::{Fate, Impairment};

/// Datagrams under way to one socket at once; more are lost, as in a real queue.
const MAX_QUEUE: usize = 4096;
const FIRST_EPHEMERAL_PORT: u16 = 20_000;

/// A network in memory. Clones are the same network.
#[derive(Debug, Clone)]
pub struct SimNetwork {
    core: Arc<Mutex<Core>>,
}

#[derive(Debug)]
struct Core {
    impairment: Impairment,
    fate: Fate,
    sockets: BTreeMap<SocketAddr, Arc<Inbox>>,
    names: BTreeMap<String, Vec<IpAddr>>,
    sequence: u64,
}

/// Datagrams and their senders by the time they arrive.
type Queue = BTreeMap<(Instant, u64), (SocketAddr, Vec<u8>)>;

#[derive(Debug, Default)]
struct Inbox {
    datagrams: Mutex<Queue>,
    arrived: Arc<Notify>,
    /// Who else wants to know: the task that runs a media worker.
    watcher: Mutex<Option<Arc<Notify>>>,
}

/// A socket on a [`SimNetwork`]; unbound when dropped.
#[derive(Debug)]
pub(crate) struct SimSocket {
    address: SocketAddr,
    inbox: Arc<Inbox>,
    network: SimNetwork,
}

impl SimNetwork {
    /// A network whose every path is as bad as `impairment` says; the seed decides each datagram's fate.
    pub fn new(impairment: Impairment, seed: [u8; 32]) -> Self {
        let core =
            Core { impairment, fate: Fate::new(seed), sockets: BTreeMap::new(), names: BTreeMap::new(), sequence: 0 };
        Self { core: Arc::new(Mutex::new(core)) }
    }

    /// From now on that name stands for these addresses.
    pub fn name(&self, host: &str, addresses: &[IpAddr]) {
        self.lock().names.insert(host.to_owned(), addresses.to_vec());
    }

    /// Names have addresses and nothing else.
    pub(crate) fn ask(&self, question: &Question) -> Answer {
        let addresses = |host: &str, ipv4: bool| {
            let known = self.lock().names.get(host).cloned().unwrap_or_default();
            Answer::Addresses(known.into_iter().filter(|ip| ip.is_ipv4() == ipv4).collect())
        };
        match question {
            Question::Naptr(_) => Answer::Naptr(Vec::new()),
            Question::Srv(_) => Answer::Srv(Vec::new()),
            Question::A(host) => addresses(host, true),
            Question::Aaaa(host) => addresses(host, false),
        }
    }

    pub(crate) fn bind(&self, mut address: SocketAddr) -> io::Result<SimSocket> {
        let mut core = self.lock();
        if address.port() == 0 {
            let free = (FIRST_EPHEMERAL_PORT..=u16::MAX)
                .map(|port| SocketAddr::new(address.ip(), port))
                .find(|address| !core.sockets.contains_key(address));
            address = free.ok_or(io::ErrorKind::AddrInUse)?;
        } else if core.sockets.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let inbox = Arc::new(Inbox::default());
        core.sockets.insert(address, inbox.clone());
        Ok(SimSocket { address, inbox, network: self.clone() })
    }

    fn send(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let now = clock::now();
        let mut core = self.lock();
        let Some(inbox) = core.sockets.get(&to).cloned() else { return };
        let impairment = core.impairment;
        let delays: VecDeque<_> = core.fate.draw(&impairment).collect();
        for delay in delays {
            core.sequence += 1;
            inbox.put((now + delay, core.sequence), from, payload);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inbox {
    fn put(&self, key: (Instant, u64), from: SocketAddr, payload: &[u8]) {
        let mut datagrams = self.lock();
        if datagrams.len() >= MAX_QUEUE {
            return;
        }
        datagrams.insert(key, (from, payload.to_vec()));
        drop(datagrams);
        self.arrived.notify_one();
        let watcher = self.watcher.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(watcher) = &*watcher {
            watcher.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.datagrams.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl SimSocket {
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn send(&self, payload: &[u8], to: SocketAddr) {
        self.network.send(self.address, to, payload);
    }

    pub(crate) fn watch(&self, watcher: Arc<Notify>) {
        *self.inbox.watcher.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(watcher);
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.inbox.lock().first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn take_due(&self, now: Instant, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let mut datagrams = self.inbox.lock();
        let first = datagrams.first_entry().filter(|entry| entry.key().0 <= now)?;
        let (from, payload) = first.remove();
        let len = payload.len().min(buffer.len());
        buffer[..len].copy_from_slice(&payload[..len]);
        Some((len, from))
    }

    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        loop {
            if let Some(received) = self.take_due(clock::now(), buffer) {
                return Ok(received);
            }
            let arrived = self.inbox.arrived.notified();
            match self.next_arrival() {
                Some(at) => tokio::select! { biased;
                    () = tokio::time::sleep_until(at.into()) => {}
                    () = arrived => {}
                },
                None => arrived.await,
            }
        }
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.network.lock().sockets.remove(&self.address);
    }
}
