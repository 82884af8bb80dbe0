//! The endpoint task: SIP sockets on one side, [`sip::UserAgent`] in the middle, calls on the other.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::locate::Target;
use sip::{Event, Flow, Peer, Penalties, SessionId, UserAgent};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::call::machine::Signal;
use crate::network::SignallingSocket;
use crate::registrations::Registrations;
use crate::resolver::Resolver;
use crate::sockets::{self, Door, Listener};
use crate::streams::{self, StreamEvent, Streams};
use crate::trace::{Trace, Traces};
use crate::{Config, Trunk, clock};

/// Datagrams waiting for the user agent; more are lost, and SIP retransmits.
const MAX_DATAGRAMS: usize = 1024;
/// The largest datagram UDP can carry.
const MAX_DATAGRAM: usize = 65_535;
/// Wait after a connection could not be taken.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Commands of all calls waiting for the endpoint.
pub(crate) const MAX_COMMANDS: usize = 256;
/// Signalling events waiting for their call.
pub(crate) const MAX_EVENTS: usize = 32;

/// What calls and handles ask of the endpoint.
#[derive(Debug)]
pub(crate) enum EndpointCommand {
    Invite {
        invite: Box<sip::Invite>,
        events: mpsc::Sender<Event>,
        started: oneshot::Sender<(SessionId, Arc<Trace>)>,
    },
    Session {
        session: SessionId,
        signal: Signal,
    },
    /// Refuse new calls from now on.
    Drain,
    /// Unregister everywhere and end once that is answered.
    Stop,
}

/// An INVITE for the gateway to turn into a call.
#[derive(Debug)]
pub(crate) struct Invitation {
    pub(crate) session: SessionId,
    pub(crate) flow: Flow,
    pub(crate) request_uri: String,
    pub(crate) from: String,
    pub(crate) offer: Option<sip::sdp::SessionDescription>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) trace: Arc<Trace>,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) config: Arc<Config>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) user_agent: UserAgent,
    pub(crate) commands: mpsc::Receiver<EndpointCommand>,
    pub(crate) invitations: mpsc::Sender<Invitation>,
    pub(crate) resolver: Resolver,
    pub(crate) registrations: Registrations,
    pub(crate) streams: Streams,
    pub(crate) stream_events: mpsc::Receiver<StreamEvent>,
    pub(crate) penalties: Penalties,
    /// For answers to `Event::Locate`, while it runs.
    pub(crate) located: Option<mpsc::Sender<Located>>,
    pub(crate) traces: Traces,
    pub(crate) stopped: CancellationToken,
}

/// What comes from the sockets.
#[derive(Debug)]
struct Arrival {
    /// The listener, by its number.
    listener: usize,
    peer: SocketAddr,
    what: Arrived,
}

#[derive(Debug)]
enum Arrived {
    Datagram(Vec<u8>),
    Connection(TcpStream),
    /// The network says that it cannot reach that peer.
    Unreachable,
}

/// Where a name leads.
#[derive(Debug)]
pub(crate) struct Located {
    session: SessionId,
    uri: String,
    target: Option<Target>,
}

/// What one run of the task remembers.
#[derive(Debug, Default)]
struct Book {
    calls: BTreeMap<SessionId, mpsc::Sender<Event>>,
    stopping: Option<Stopping>,
    ignored: u64,
}

impl Book {
    fn ignore(&mut self, source: IpAddr) {
        self.ignored += 1;
        // Powers of two: a flood must not fill the log.
        if self.ignored.is_power_of_two() {
            tracing::warn!(%source, count = self.ignored, "ignored unknown sources");
        }
    }
}

/// The last moments of an endpoint.
#[derive(Debug, Clone, Copy)]
struct Stopping {
    /// Until then what is still under way (a BYE, a CANCEL) may be sent again once.
    linger: Instant,
    /// Then it ends, whatever the registrars say.
    limit: Instant,
}

/// When a caller who found the house full may try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// One retransmission interval (T1) and a little more.
const LINGER: Duration = Duration::from_millis(600);
/// Longest wait for the answers to our un-REGISTERs.
const UNREGISTER: Duration = Duration::from_secs(2);

impl Endpoint {
    pub(crate) async fn run(mut self) {
        let (datagrams, mut arrivals) = mpsc::channel(MAX_DATAGRAMS);
        let receivers: Vec<_> = self
            .listeners
            .iter()
            .enumerate()
            .flat_map(|(number, listener)| match &listener.door {
                Door::Datagrams(socket) => vec![
                    tokio::spawn(receive(number, socket.clone(), datagrams.clone())),
                    tokio::spawn(hear_of_unreachable(number, socket.clone(), datagrams.clone())),
                ],
                Door::Connections(door) => {
                    vec![tokio::spawn(take_connections(number, door.clone(), datagrams.clone()))]
                }
            })
            .collect();
        drop(datagrams);
        let (found, mut located) = mpsc::channel(MAX_COMMANDS);
        self.located = Some(found);
        let mut book = Book::default();
        self.register_trunks();
        self.drain(&mut book);
        while !self.is_done(&book) {
            let deadline = self.user_agent.poll_timeout().map(|deadline| deadline.at);
            let stopping = book.stopping.map(|stopping| [stopping.linger, stopping.limit]);
            let own = stopping.into_iter().flatten().filter(|at| *at > clock::now());
            let deadline = deadline.into_iter().chain(own).chain(self.penalties.poll_timeout()).min();
            tokio::select! { biased;
                () = sleep_until(deadline) => self.handle_timeout(),
                command = self.commands.recv() => match command {
                    Some(command) => self.handle_command(command, &mut book),
                    None => break,
                },
                () = self.resolver.changed(), if book.stopping.is_none() => self.register_trunks(),
                Some(Located { session, uri, target }) = located.recv() => {
                    let flow = target.and_then(|target| self.flow_to(target.peer));
                    self.user_agent.located(clock::now(), session, &uri, flow);
                }
                Some(event) = self.stream_events.recv() => self.handle_stream(event),
                arrival = arrivals.recv() => match arrival {
                    Some(Arrival { listener, peer, what: Arrived::Datagram(payload) }) => {
                        self.handle_datagram(listener, peer, &payload, &mut book);
                    }
                    Some(Arrival { listener, peer, what: Arrived::Connection(stream) }) => {
                        self.handle_connection(listener, peer, stream, &mut book);
                    }
                    Some(Arrival { listener, peer, what: Arrived::Unreachable }) => self.handle_unreachable(listener, peer),
                    None => break,
                },
            }
            self.drain(&mut book);
        }
        for receiver in receivers {
            receiver.abort();
        }
        self.stopped.cancel();
    }

    fn is_done(&self, book: &Book) -> bool {
        book.stopping.is_some_and(|stopping| {
            let now = clock::now();
            let settled = self.user_agent.transaction_count() == 0 || now >= stopping.linger;
            now >= stopping.limit || (self.registrations.is_empty() && settled)
        })
    }

    fn register_trunks(&mut self) {
        let now = clock::now();
        let Self { config, listeners, user_agent, resolver, registrations, penalties, .. } = self;
        let hops = |targets: &[Target]| {
            let mut hops = sockets::hops(config, listeners, targets);
            penalties.sort(now, &mut hops, |hop| hop.flow.peer());
            hops
        };
        registrations.settle(now, user_agent, config, resolver, hops);
    }

    fn handle_command(&mut self, command: EndpointCommand, book: &mut Book) {
        let now = clock::now();
        match command {
            EndpointCommand::Invite { mut invite, events, started } => {
                self.penalties.sort(now, &mut invite.hops, |hop| hop.flow.peer());
                let session = self.user_agent.invite(now, *invite);
                let trace = self.traces.of_call(self.user_agent.call_id(session).unwrap_or_default());
                book.calls.insert(session, events);
                // The caller has gone: nobody would ever end this session.
                if started.send((session, trace)).is_err() {
                    self.user_agent.hang_up(now, session);
                }
            }
            EndpointCommand::Session { session, signal } => self.carry_out(now, session, signal),
            EndpointCommand::Drain => self.user_agent.refuse_new(Some(Duration::from_secs(30))),
            EndpointCommand::Stop => {
                book.stopping = Some(Stopping { linger: now + LINGER, limit: now + UNREGISTER });
                self.registrations.remove_all(now, &mut self.user_agent);
            }
        }
    }

    fn carry_out(&mut self, now: Instant, session: SessionId, signal: Signal) {
        let agent = &mut self.user_agent;
        let done = match signal {
            Signal::Progress(status) => agent.progress(now, session, status, None),
            Signal::Answer(description) => agent.answer(now, session, description),
            Signal::Reject(status) => {
                // RFC 3261 §21.5.4: without it a 503 reads as a failure of ours, and not as a full house.
                let retry_after = || ("Retry-After".to_owned(), RETRY_AFTER.as_secs().to_string());
                let headers = (status == 503).then(retry_after).into_iter().collect();
                agent.reject(now, session, status, headers)
            }
            Signal::AnswerOffer(description) => agent.answer_offer(now, session, description),
            Signal::RejectOffer(status) => agent.reject_offer(now, session, status),
            Signal::Info { content_type, body } => agent.info(now, session, content_type, &body),
            Signal::HangUp(reason) => {
                agent.hang_up_because(now, session, reason);
                Ok(())
            }
        };
        if let Err(wrong) = done {
            // The peer was faster: its own event ends or changes the call.
            tracing::debug!(session = session.0, command = wrong.command, "command came too late");
        }
    }

    fn handle_datagram(&mut self, number: usize, from: SocketAddr, payload: &[u8], book: &mut Book) {
        if !self.is_allowed(from.ip()) {
            return book.ignore(from.ip());
        }
        let Some(flow) = self.flow_from(number, from) else { return };
        self.traces.received(clock::wall(), flow, payload);
        self.user_agent.handle_input(clock::now(), sip::Input::Received { flow, payload });
    }

    /// A stranger's connection is closed before a byte of it is read.
    fn handle_connection(&mut self, number: usize, from: SocketAddr, stream: TcpStream, book: &mut Book) {
        if !self.is_allowed(from.ip()) {
            return book.ignore(from.ip());
        }
        let Some(Flow { transport, local, remote }) = self.flow_from(number, from) else { return };
        if let Err(why) = self.streams.accept(transport, local, remote, stream) {
            tracing::warn!(%remote, transport = transport.token(), ?why, "connection declined");
        }
    }

    fn handle_stream(&mut self, event: StreamEvent) {
        let now = clock::now();
        match event {
            StreamEvent::Message { flow, payload } => {
                self.traces.received(clock::wall(), flow, &payload);
                self.user_agent.handle_input(now, sip::Input::Received { flow, payload: &payload });
            }
            StreamEvent::Closed { flow, number, ended } => {
                let why = ended.as_ref().err().map_or_else(|| "closed".to_owned(), io::Error::to_string);
                tracing::info!(remote = %flow.remote, transport = flow.transport.token(), why, "connection closed");
                if self.streams.closed(flow, number) {
                    self.user_agent.handle_input(now, sip::Input::Closed { flow, why: streams::phrase(&ended) });
                }
            }
        }
    }

    fn handle_timeout(&mut self) {
        let now = clock::now();
        self.user_agent.handle_input(now, sip::Input::Timeout);
        while let Some(peer) = self.penalties.poll_probe(now) {
            if let Some(flow) = self.flow_to(peer) {
                self.user_agent.options(now, flow, &format!("sip:{}", peer.address));
            }
        }
    }

    fn handle_unreachable(&mut self, number: usize, peer: SocketAddr) {
        let Some(flow) = self.flow_from(number, peer) else { return };
        tracing::debug!(%peer, "unreachable");
        self.user_agent.handle_input(clock::now(), sip::Input::Unreachable { flow });
    }

    /// Only trunks may speak to us; a simulated trunk speaks to anybody and asks for a password.
    fn is_allowed(&self, source: IpAddr) -> bool {
        self.config.registrar.is_some() || self.config.trunks.iter().any(|trunk| trunk.includes(&self.resolver, source))
    }

    fn drain(&mut self, book: &mut Book) {
        loop {
            while let Some(transmit) = self.user_agent.poll_transmit() {
                self.send(transmit);
            }
            let Some(event) = self.user_agent.poll_event() else { break };
            self.handle_event(event, book);
        }
        self.traces.settle();
    }

    fn send(&mut self, transmit: sip::Transmit) {
        let sip::Transmit { flow, payload } = transmit;
        self.traces.sent(clock::wall(), flow, &payload);
        if flow.transport.is_reliable() {
            let domain = self.resolver.domain_of(flow.peer());
            return self.streams.send(flow, domain.as_deref(), payload);
        }
        if let Some(socket) = sockets::datagrams_of(&self.listeners, flow)
            && let Err(error) = socket.send(&payload, flow.remote)
        {
            tracing::debug!(remote = %flow.remote, %error, "datagram not sent");
            if is_no_way(&error) {
                self.user_agent.handle_input(clock::now(), sip::Input::Unreachable { flow });
            }
        }
    }

    fn handle_event(&mut self, event: Event, book: &mut Book) {
        match event {
            Event::Incoming { session, flow, request_uri, from, call_id, offer, .. } => {
                let (sender, events) = mpsc::channel(MAX_EVENTS);
                let trace = self.traces.of_call(&call_id);
                let invitation = Invitation { session, flow, request_uri, from, offer, events, trace };
                if self.invitations.try_send(invitation).is_ok() {
                    book.calls.insert(session, sender);
                } else {
                    self.carry_out(clock::now(), session, Signal::Reject(503));
                }
            }
            Event::Registered { registration, expires } => {
                self.registrations.granted(registration, expires);
            }
            Event::RegistrationFailed { registration, status, reason, retry_in } => {
                self.registrations.failed(registration, status, reason, retry_in);
            }
            Event::AddressLearnt { registration, address } => self.registrations.learnt(registration, address),
            Event::ForeignBinding { registration, contact } => self.registrations.shared(registration, &contact),
            Event::Unregistered { registration } => {
                self.registrations.removed(registration);
                if book.stopping.is_none() {
                    self.register_trunks();
                }
            }
            Event::Bound { username, flow, .. } => tracing::info!(username, remote = %flow.remote, "bound"),
            Event::OptionsAnswered { flow, status } => {
                tracing::debug!(remote = %flow.remote, status, "options");
                self.penalties.probed(clock::now(), flow.peer(), status.is_some_and(|status| status != 503));
            }
            Event::TargetFailed { flow, why, retry_after } => {
                tracing::warn!(remote = %flow.remote, transport = flow.transport.token(), why, "target failed");
                self.penalties.failed(clock::now(), flow.peer(), retry_after);
            }
            Event::TargetAnswered { flow } => self.penalties.answered(clock::now(), flow.peer()),
            Event::Locate { session, uri } => self.locate(session, uri),
            Event::Discarded { flow, why } => tracing::debug!(remote = %flow.remote, why, "message discarded"),
            Event::Progress { session, .. }
            | Event::Answered { session, .. }
            | Event::Acknowledged { session, .. }
            | Event::Offer { session, .. }
            | Event::OfferAnswered { session, .. }
            | Event::Info { session, .. }
            | Event::InfoAnswered { session, .. } => self.tell_call(session, event, book),
            Event::Ended { session, end } => {
                self.tell_call(session, Event::Ended { session, end }, book);
                book.calls.remove(&session);
            }
        }
    }

    fn tell_call(&mut self, session: SessionId, event: Event, book: &mut Book) {
        let Some(call) = book.calls.get(&session) else { return };
        match call.try_send(event) {
            Ok(()) => {}
            // The call has gone and refused or ended its session itself.
            Err(TrySendError::Closed(_)) => drop(book.calls.remove(&session)),
            Err(TrySendError::Full(_)) => {
                tracing::error!(session = session.0, "call stalled; ending it");
                book.calls.remove(&session);
                self.user_agent.hang_up(clock::now(), session);
            }
        }
    }

    /// Looks a name up without waiting for it.
    fn locate(&self, session: SessionId, uri: String) {
        let Some(answer) = self.located.clone() else { return };
        let resolver = self.resolver.clone();
        tokio::spawn(async move {
            let target = resolver.locate(&uri).await;
            let _ = answer.send(Located { session, uri, target }).await;
        });
    }

    fn flow_to(&self, peer: Peer) -> Option<Flow> {
        sockets::flow_to(&self.config, &self.listeners, peer)
    }

    fn flow_from(&self, number: usize, remote: SocketAddr) -> Option<Flow> {
        sockets::flow_from(&self.config, self.listeners.get(number)?, remote)
    }
}

impl Trunk {
    /// Whether this trunk sends from that address.
    pub(crate) fn includes(&self, resolver: &Resolver, source: IpAddr) -> bool {
        resolver.is_at(&self.name, source)
            || self.allow_from.iter().any(|(network, prefix)| in_network(source, *network, *prefix))
    }
}

fn in_network(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            u32::from(address) & mask == u32::from(network) & mask
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            u128::from(address) & mask == u128::from(network) & mask
        }
        _ => false,
    }
}

/// Whether a datagram was not sent because no way leads to its peer; it would be the same the next time.
fn is_no_way(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, InvalidInput, NetworkUnreachable, PermissionDenied};
    matches!(error.kind(), AddrNotAvailable | HostUnreachable | InvalidInput | NetworkUnreachable | PermissionDenied)
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

/// Hands on who connects. When the machine has no more descriptors, it waits for some.
async fn take_connections(number: usize, door: Arc<TcpListener>, arrivals: mpsc::Sender<Arrival>) {
    loop {
        match door.accept().await {
            Ok((stream, peer)) => {
                let arrival = Arrival { listener: number, peer, what: Arrived::Connection(stream) };
                // Full: the connection is closed, and its peer may try again.
                let _ = arrivals.try_send(arrival);
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
        if arrivals.is_closed() {
            return;
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_match_by_their_prefix() {
        let check = |address: &str, network: &str, prefix, expected| {
            let (address, network) = (address.parse().expect("address"), network.parse().expect("network"));
            assert_eq!(in_network(address, network, prefix), expected, "{address} in {network}/{prefix}");
        };
        check("54.172.60.2", "54.172.60.0", 30, true);
        check("54.172.60.4", "54.172.60.0", 30, false);
        check("127.0.0.2", "127.0.0.0", 8, true);
        check("10.0.0.1", "0.0.0.0", 0, true);
        check("10.0.0.1", "10.0.0.1", 32, true);
        check("::1", "::1", 128, true);
        check("::2", "::1", 128, false);
        check("10.0.0.1", "::", 0, false);
    }
}
