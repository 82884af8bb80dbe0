//! Responses to our requests, and silence.

use std::time::Instant;

use super::UserAgent;
use crate::deadlines::Waiting;
use crate::dialog::{Lost, Reply};
use crate::message::headers::HeaderName;
use crate::message::{Response, readable};
use crate::transaction::{Client, ClientMachine, Effect, Owner, Reaction, ServerMachine, Silence, TransactionKey};
use crate::{Event, Flow};

impl UserAgent {
    pub(super) fn handle_response(&mut self, now: Instant, flow: Flow, response: &Response<'_>) {
        let answered = TransactionKey::of_response(response).and_then(|key| {
            let client = self.core.table.clients.get_mut(&key)?;
            let same_method = response.headers.cseq().is_ok_and(|cseq| cseq.method == client.request.method);
            same_method.then_some((key, client))
        });
        let Some((key @ TransactionKey::Ours { branch, .. }, client)) = answered else {
            return self.core.discard(flow, "response to no request of ours");
        };
        // Dialogs are told apart by these, so a response that lacks them is of no use.
        if response.headers.to().is_err() || response.headers.from().is_err() || response.headers.call_id().is_err() {
            return self.core.discard(flow, "response with a broken header field");
        }
        let (request, path) = (&client.request, client.flow);
        // What an OPTIONS brings is told by an event of its own.
        let is_alive = response.status != 503 && client.owner != Owner::Options;
        let Reaction { deliver, send } = match &mut client.machine {
            ClientMachine::Invite(invite) => invite.handle_response(now, response.status, || {
                let to = response.headers.first(HeaderName::To).map(readable).unwrap_or_default();
                request.ack(to).to_bytes(&path, branch, &self.core.config.user_agent)
            }),
            ClientMachine::NonInvite(request) => request.handle_response(now, response.status),
        };
        if let Some(ack) = send {
            self.core.transmit(path, ack);
        }
        if is_alive {
            self.core.target_answered(path);
        }
        if deliver {
            self.deliver_response(now, key, response);
        }
        self.settle_client(key);
    }

    fn deliver_response(&mut self, now: Instant, key: TransactionKey, response: &Response<'_>) {
        let Some(client) = self.core.table.clients.get(&key) else {
            return;
        };
        let (owner, flow) = (client.owner, client.flow);
        match owner {
            Owner::Session(id) => {
                let request = client.request.clone();
                let reply = Reply { transaction: key, request: &request, flow, response };
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.handle_response(&mut self.core, now, reply);
                    self.settle_session(id);
                }
            }
            Owner::Registration(id) => {
                if let Some(registration) = self.registrations.get_mut(&id) {
                    registration.handle_response(&mut self.core, now, key, response);
                    self.settle_registration(id);
                }
            }
            Owner::Options if response.status >= 200 => {
                self.core.emit(Event::OptionsAnswered { flow, status: Some(response.status) });
            }
            Owner::Options | Owner::Nobody => {}
        }
    }

    pub(super) fn handle_client_timeout(&mut self, now: Instant, key: TransactionKey) {
        let Some(client) = self.core.table.clients.get_mut(&key) else {
            return;
        };
        let effect = match &mut client.machine {
            ClientMachine::Invite(invite) => invite.handle_timeout(now),
            ClientMachine::NonInvite(request) => request.handle_timeout(now),
        };
        let flow = client.flow;
        match effect {
            Some(Effect::Send(payload)) => self.core.transmit(flow, payload),
            Some(Effect::TimedOut) => self.deliver_silence(now, key, Silence::Timeout),
            None => {}
        }
        self.settle_client(key);
    }

    /// The network refused what we sent on a path: requests on it that nobody has answered are lost.
    pub(super) fn handle_unreachable(&mut self, now: Instant, flow: Flow) {
        for session in self.sessions.values_mut() {
            session.unreachable(flow);
        }
        self.lose_requests(now, |client| client.flow == flow && client.machine.is_unanswered(), Silence::Unreachable);
    }

    /// A connection died. Answers of ours take another to where their request says (RFC 3261 §18.2.2), and so does
    /// what a peer still owes to an INVITE that it has begun to answer; all other requests on it are lost.
    pub(super) fn handle_closed(&mut self, now: Instant, flow: Flow, why: Option<&'static str>) {
        let why = Silence::ConnectionLost(why.unwrap_or("connection lost"));
        for server in self.core.table.servers.values_mut().filter(|server| server.flow == flow) {
            server.flow = server.reopen;
        }
        for session in self.sessions.values_mut() {
            session.connection_closed(flow);
        }
        self.lose_requests(now, |client| client.flow == flow && client.machine.needs_its_path(), why);
        let ids: Vec<_> = self.registrations.keys().copied().collect();
        for id in ids {
            if let Some(registration) = self.registrations.get_mut(&id) {
                registration.connection_closed(&mut self.core, now, flow, why);
                self.settle_registration(id);
            }
        }
    }

    /// RFC 3261 §8.1.3.1: a fatal error of the transport is as good as a 503.
    fn lose_requests(&mut self, now: Instant, is_lost: impl Fn(&Client) -> bool, why: Silence) {
        let lost = self.core.table.clients.iter_mut().filter(|(_, client)| is_lost(client));
        let keys: Vec<_> = lost
            .map(|(key, client)| {
                client.machine.abandon();
                *key
            })
            .collect();
        for key in keys {
            self.deliver_silence(now, key, why);
            self.settle_client(key);
        }
    }

    fn deliver_silence(&mut self, now: Instant, key: TransactionKey, why: Silence) {
        let Some(client) = self.core.table.clients.get(&key) else {
            return;
        };
        let (owner, flow, method) = (client.owner, client.flow, client.request.method);
        match owner {
            Owner::Session(id) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    let lost = Lost { transaction: key, method, flow, why };
                    session.handle_silence(&mut self.core, now, lost);
                    self.settle_session(id);
                }
            }
            Owner::Registration(id) => {
                if let Some(registration) = self.registrations.get_mut(&id) {
                    registration.handle_silence(&mut self.core, now, key, why);
                    self.settle_registration(id);
                }
            }
            Owner::Options => self.core.emit(Event::OptionsAnswered { flow, status: None }),
            Owner::Nobody => {}
        }
    }

    /// After anything that touched a client transaction.
    fn settle_client(&mut self, key: TransactionKey) {
        let Some(client) = self.core.table.clients.get(&key) else {
            return;
        };
        if !client.machine.is_terminated() {
            let deadline = client.machine.deadline();
            return self.core.deadlines.set(Waiting::Transaction(key), deadline);
        }
        let (owner, method) = (client.owner, client.request.method);
        self.core.table.clients.remove(&key);
        self.core.deadlines.set(Waiting::Transaction(key), None);
        if let Owner::Session(id) = owner
            && let Some(session) = self.sessions.get_mut(&id)
        {
            session.transaction_ended(key, method);
            self.settle_session(id);
        }
    }

    pub(super) fn handle_server_timeout(&mut self, now: Instant, key: TransactionKey) {
        let Some(server) = self.core.table.servers.get_mut(&key) else {
            return;
        };
        let effect = match &mut server.machine {
            ServerMachine::Invite(invite) => invite.handle_timeout(now),
            ServerMachine::NonInvite(request) => {
                request.handle_timeout(now);
                None
            }
        };
        let flow = server.flow;
        if let Some(Effect::Send(payload)) = effect {
            self.core.transmit(flow, payload);
        }
        self.settle_server(key);
    }

    /// After anything that touched a server transaction.
    pub(super) fn settle_server(&mut self, key: TransactionKey) {
        let Some(server) = self.core.table.servers.get(&key) else {
            return;
        };
        let deadline = server.machine.deadline();
        if server.machine.is_terminated() {
            self.core.table.remove_server(key);
        }
        self.core.deadlines.set(Waiting::Transaction(key), deadline);
    }
}
