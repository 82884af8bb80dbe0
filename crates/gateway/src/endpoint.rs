//! The endpoint task: SIP sockets on one side, [`sip::UserAgent`] in the middle, calls on the other.

mod acquaintances;
mod arrivals;
mod commands;
mod intake;
mod named;
mod rate_limit;
mod traffic;
mod turn;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::Either;
use sip::locate::Target;
use sip::{Event, Flow, Peer, Penalties, SessionId, UserAgent};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

use crate::call::machine::Signal;
use crate::log_limit::{Class, LogLimit};
use crate::registrations::Registrations;
use crate::resolver::Resolver;
use crate::sockets::{self, Listener};
use crate::streams::{self, StreamEvent, Streams};
use crate::trace::{Trace, Traces};
use crate::{Config, clock};
pub(crate) use acquaintances::Acquaintances;
use arrivals::{Arrivals, received};
pub(crate) use commands::EndpointCommand;
use intake::Gate;
pub(crate) use named::Named;
use rate_limit::RateLimit;
use turn::Turn;

/// Commands of all calls waiting for the endpoint.
pub(crate) const MAX_COMMANDS: usize = 256;
/// Signalling events waiting for their call.
pub(crate) const MAX_EVENTS: usize = 32;

/// An INVITE for the gateway to turn into a call.
#[derive(Debug)]
pub(crate) struct Invitation {
    pub(crate) session: SessionId,
    pub(crate) flow: Flow,
    pub(crate) request_uri: String,
    pub(crate) from: String,
    pub(crate) caller: sip::CallerIdentity,
    pub(crate) offer: Option<sip::sdp::SessionDescription>,
    pub(crate) events: mpsc::Receiver<Box<Event>>,
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
    /// Which names have led to which peers that belong to no trunk, for their certificates.
    pub(crate) named: Named,
    /// Whom calls have led to that belong to no trunk.
    pub(crate) acquaintances: Acquaintances,
    pub(crate) traces: Traces,
    pub(crate) stopped: CancellationToken,
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
    calls: BTreeMap<SessionId, mpsc::Sender<Box<Event>>>,
    stopping: Option<Stopping>,
    /// How much may still begin.
    limit: RateLimit,
    /// Retry-After of each new INVITE while we drain.
    draining: Option<Duration>,
    log: LogLimit,
}

/// The last moments of an endpoint.
#[derive(Debug, Clone, Copy)]
struct Stopping {
    /// Until then what is still under way (a BYE, a CANCEL) may be sent again once.
    linger: Instant,
    /// Then it ends, whatever the registrars say.
    limit: Instant,
}

impl Endpoint {
    pub(crate) async fn run(mut self) {
        let gate = Gate { config: self.config.clone(), resolver: self.resolver.clone() };
        let mut arrivals = Arrivals::at(&self.listeners, &gate);
        let mut turn = Turn::default();
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
                    let flow = target.as_ref().and_then(|target| self.flow_to(target.peer));
                    if let Some(target) = target {
                        self.named.learn(target);
                    }
                    self.user_agent.located(clock::now(), session, &uri, flow);
                }
                came = turn.next(received(&mut self.stream_events), arrivals.next()) => match came {
                    Either::Left(event) => self.handle_stream(event, &mut book),
                    Either::Right(arrival) => self.handle_arrival(arrival, &mut book),
                },
            }
            self.drain(&mut book);
        }
        drop(arrivals);
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

    fn handle_stream(&mut self, event: StreamEvent, book: &mut Book) {
        let now = clock::now();
        match event {
            StreamEvent::Message { flow, payload } => {
                self.streams.heard(flow);
                self.handle_message(flow, &payload, self.is_allowed(flow.remote.ip()), book);
            }
            StreamEvent::Closed { flow, number, ended } => {
                let why = ended.as_ref().err().map_or_else(|| "closed".to_owned(), io::Error::to_string);
                if let Some(left_out) = book.log.admit(now, Class::Closed) {
                    let transport = flow.transport.token();
                    tracing::info!(remote = %flow.remote, transport, why, left_out, "connection closed");
                }
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

    fn drain(&mut self, book: &mut Book) {
        loop {
            if let Some(transmit) = self.user_agent.poll_transmit() {
                self.send(transmit);
            } else if self.tell_lost() {
                // What goes another way now is sent first.
            } else if let Some(event) = self.user_agent.poll_event() {
                self.handle_event(event, book);
            } else {
                break;
            }
        }
        self.traces.settle();
    }

    /// Tells the user agent of connections that were given up; whether there were any.
    fn tell_lost(&mut self) -> bool {
        let mut any = false;
        while let Some((flow, why)) = self.streams.poll_lost() {
            self.user_agent.handle_input(clock::now(), sip::Input::Closed { flow, why });
            any = true;
        }
        any
    }

    fn send(&mut self, transmit: sip::Transmit) {
        let sip::Transmit { flow, payload } = transmit;
        self.traces.sent(clock::wall(), flow, &payload);
        if flow.transport.is_reliable() {
            let of_trunk = self.resolver.domain_of(flow.peer());
            let domain = of_trunk.as_deref().or_else(|| self.named.domain_of(flow.peer()));
            return self.streams.send(flow, domain, payload);
        }
        if !streams::is_answer(&payload) && !self.is_allowed(flow.remote.ip()) {
            self.acquaintances.learn(clock::now(), flow.remote.ip());
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
            Event::Incoming { session, flow, request_uri, from, caller, call_id, offer, .. } => {
                let (sender, events) = mpsc::channel(MAX_EVENTS);
                let trace = self.traces.of_call(&call_id);
                let invitation = Invitation { session, flow, request_uri, from, caller, offer, events, trace };
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
            Event::Discarded { flow, why } => {
                if let Some(left_out) = book.log.admit(clock::now(), Class::Discarded) {
                    tracing::debug!(remote = %flow.remote, why, left_out, "message discarded");
                }
            }
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
        match call.try_send(Box::new(event)) {
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

/// Whether a datagram was not sent because no way leads to its peer; it would be the same the next time.
fn is_no_way(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, InvalidInput, NetworkUnreachable, PermissionDenied};
    matches!(error.kind(), AddrNotAvailable | HostUnreachable | InvalidInput | NetworkUnreachable | PermissionDenied)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
