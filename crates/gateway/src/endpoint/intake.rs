//! What comes in from outside: who may speak to us, and how much.

use std::net::{IpAddr, SocketAddr};

use sip::Flow;
use tokio::net::TcpStream;

use super::arrivals::{Arrival, Arrived};
use super::commands::RETRY_AFTER;
use super::traffic::{Verdict, judge};
use super::{Book, Endpoint};
use crate::log_limit::Class;
use crate::{Config, clock};

impl Endpoint {
    pub(super) fn handle_arrival(&mut self, Arrival { listener, peer, what }: Arrival, book: &mut Book) {
        match what {
            Arrived::Datagram(payload) => self.handle_datagram(listener, peer, &payload, book),
            Arrived::Connection(stream) => self.handle_connection(listener, peer, stream, book),
            Arrived::Unreachable => self.handle_unreachable(listener, peer),
        }
    }

    fn handle_datagram(&mut self, number: usize, from: SocketAddr, payload: &[u8], book: &mut Book) {
        if !self.is_allowed(from.ip()) {
            return ignore(from.ip(), book);
        }
        let Some(flow) = self.flow_from(number, from) else { return };
        self.handle_message(flow, payload, book);
    }

    /// Gives the user agent what it may hear.
    pub(super) fn handle_message(&mut self, flow: Flow, payload: &[u8], book: &mut Book) {
        let config = self.config.clone();
        let (now, input) = (clock::now(), self.as_input(&config, flow, payload));
        let verdict = judge(&mut book.limit, now, flow.remote.ip(), payload, self.traces.knows(payload));
        if verdict == Verdict::Heard {
            self.traces.received(clock::wall(), flow, payload);
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

    /// A stranger's connection is closed before a byte of it is read.
    fn handle_connection(&mut self, number: usize, from: SocketAddr, stream: TcpStream, book: &mut Book) {
        if !self.is_allowed(from.ip()) {
            return ignore(from.ip(), book);
        }
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

    /// Only trunks may speak to us; a simulated trunk speaks to anybody and asks for a password.
    fn is_allowed(&self, source: IpAddr) -> bool {
        self.config.registrar.is_some() || self.config.trunks.iter().any(|trunk| trunk.includes(&self.resolver, source))
    }
}

fn ignore(source: IpAddr, book: &mut Book) {
    if let Some(left_out) = book.log.admit(clock::now(), Class::Stranger) {
        tracing::warn!(%source, left_out, "ignored an unknown source");
    }
}
