//! What comes in from outside: who may speak to us, and how much.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip::Flow;
use tokio::net::TcpStream;

use super::arrivals::{Arrival, Arrived};
use super::commands::RETRY_AFTER;
use super::traffic::{Verdict, is_within_a_call, judge};
use super::{Book, Endpoint};
use crate::log_limit::{Class, LogLimit};
use crate::resolver::Resolver;
use crate::{Config, clock};

/// Who may speak to us unasked.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) config: Arc<Config>,
    pub(super) resolver: Resolver,
}

impl Gate {
    pub(super) fn admits(&self, source: IpAddr) -> bool {
        is_allowed(&self.config, &self.resolver, source)
    }
}

impl Endpoint {
    pub(super) fn handle_arrival(&mut self, Arrival { listener, peer, what }: Arrival, book: &mut Book) {
        match what {
            Arrived::Datagram(payload) => self.handle_datagram(listener, peer, &payload, book),
            Arrived::Connection(stream) => self.handle_connection(listener, peer, stream, book),
            Arrived::Unreachable => self.handle_unreachable(listener, peer),
        }
    }

    fn handle_datagram(&mut self, number: usize, from: SocketAddr, payload: &[u8], book: &mut Book) {
        let of_trunk = self.is_allowed(from.ip());
        if !of_trunk && !self.acquaintances.includes(from.ip()) {
            return ignore(from.ip(), &mut book.log);
        }
        let Some(flow) = self.flow_from(number, from) else { return };
        self.handle_message(flow, payload, of_trunk, book);
    }

    /// Gives the user agent what it may hear; of a host that only a call has led to, what belongs to that call.
    pub(super) fn handle_message(&mut self, flow: Flow, payload: &[u8], of_trunk: bool, book: &mut Book) {
        let (source, trace) = (flow.remote.ip(), self.traces.find(payload));
        let belongs = trace.is_some();
        if !of_trunk && !is_within_a_call(payload, belongs) {
            return ignore(source, &mut book.log);
        }
        let config = self.config.clone();
        let (now, input) = (clock::now(), self.as_input(&config, flow, payload));
        let verdict = judge(&mut book.limit, now, source, payload, belongs);
        if verdict == Verdict::Heard {
            self.traces.received(clock::wall(), flow, payload, trace);
            return self.user_agent.handle_input(now, input);
        }
        if let Some(left_out) = book.log.admit(now, Class::OverLimit) {
            tracing::warn!(remote = %flow.remote, left_out, "too many requests");
        }
        if verdict == Verdict::Refused {
            self.user_agent.refuse_new(book.draining.or(Some(RETRY_AFTER)));
            self.user_agent.handle_input(now, input);
            self.user_agent.refuse_new(book.draining);
        }
    }

    /// Of a trunk with users of its own, whoever calls is asked who they are.
    fn as_input<'a>(&self, config: &'a Config, flow: Flow, payload: &'a [u8]) -> sip::Input<'a> {
        let mut guarded = config.trunks.iter().filter_map(|trunk| Some((trunk, trunk.callers.as_ref()?)));
        match guarded.find(|(trunk, _)| trunk.includes(&self.resolver, flow.remote.ip())) {
            Some((_, realm)) => sip::Input::Guarded { flow, payload, realm },
            None => sip::Input::Received { flow, payload },
        }
    }

    fn handle_connection(&mut self, number: usize, from: SocketAddr, stream: TcpStream, book: &mut Book) {
        let Some(Flow { transport, local, remote }) = self.flow_from(number, from) else { return };
        if let Err(why) = self.streams.accept(transport, local, remote, stream)
            && let Some(left_out) = book.log.admit(clock::now(), Class::Declined)
        {
            tracing::warn!(%remote, transport = transport.token(), ?why, left_out, "connection declined");
        }
    }

    fn handle_unreachable(&mut self, number: usize, peer: SocketAddr) {
        let Some(flow) = self.flow_from(number, peer) else { return };
        tracing::debug!(%peer, "unreachable");
        self.user_agent.handle_input(clock::now(), sip::Input::Unreachable { flow });
    }

    pub(super) fn is_allowed(&self, source: IpAddr) -> bool {
        is_allowed(&self.config, &self.resolver, source)
    }
}

/// Only trunks may speak to us; a simulated trunk is spoken to by anybody and asks for a password.
fn is_allowed(config: &Config, resolver: &Resolver, source: IpAddr) -> bool {
    config.registrar.is_some() || config.trunks.iter().any(|trunk| trunk.includes(resolver, source))
}

pub(super) fn ignore(source: IpAddr, log: &mut LogLimit) {
    if let Some(left_out) = log.admit(clock::now(), Class::Stranger) {
        tracing::warn!(%source, left_out, "ignored an unknown source");
    }
}
