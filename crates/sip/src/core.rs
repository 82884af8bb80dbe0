//! What every machine of a user agent shares: randomness, transactions, deadlines and the two queues.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::deadlines::{Deadlines, Waiting};
use crate::digest::{Challenger, Keyring};
use crate::message::{Echo, Method, OutgoingRequest, OutgoingResponse, push_hex};
use crate::route::Left;
use crate::transaction::{
    Branch, Client, ClientInvite, ClientMachine, ClientNonInvite, Owner, ServerMachine, Table, TransactionKey,
};
use crate::{Config, Deadline, Event, Flow, Transmit};

/// As long as any of ours.
const USUAL_BRANCH: Branch = Branch(0);
/// Most failed hops whose return is told.
const MAX_FAILED: usize = 256;

#[derive(Debug)]
pub(crate) struct Core {
    pub config: Config,
    pub challenger: Challenger,
    /// Nonces that trunks gave us.
    pub keyring: Keyring,
    pub table: Table,
    pub deadlines: Deadlines,
    pub transmits: VecDeque<Transmit>,
    pub events: VecDeque<Event>,
    /// Hops that failed, and have not answered since.
    failed: BTreeSet<Flow>,
    /// Sessions whose end the shell has not been told.
    pub live_sessions: usize,
    rng: ChaCha12Rng,
}

impl Core {
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Self {
            config,
            challenger: Challenger::new(secret),
            keyring: Keyring::default(),
            table: Table::default(),
            deadlines: Deadlines::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            failed: BTreeSet::new(),
            live_sessions: 0,
            rng,
        }
    }

    /// 64 random bits as text, for tags, branches and the like (RFC 3261 §19.3).
    pub fn token(&mut self) -> String {
        let mut token = String::with_capacity(16);
        push_hex(&mut token, self.rng.next_u64());
        token
    }

    /// A random number from 0 to below a bound.
    pub fn random_below(&mut self, bound: u32) -> u32 {
        (self.rng.next_u64() % u64::from(bound.max(1))) as u32
    }

    /// A random duration of whole 10 ms steps in a range (RFC 3261 §14.1 wants such).
    pub fn random_between(&mut self, least: Duration, most: Duration) -> Duration {
        let steps = (most.saturating_sub(least).as_millis() / 10) as u64 + 1;
        least + Duration::from_millis(10 * (self.rng.next_u64() % steps))
    }

    pub fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub fn discard(&mut self, flow: Flow, why: &'static str) {
        self.emit(Event::Discarded { flow, why });
    }

    pub fn transmit(&mut self, flow: Flow, payload: Vec<u8>) {
        self.transmits.push_back(Transmit { flow, payload });
    }

    /// A branch of our own.
    pub fn branch(&mut self) -> Branch {
        Branch(self.rng.next_u64())
    }

    /// Sends a request in a transaction of its own.
    pub fn start(&mut self, now: Instant, flow: Flow, request: OutgoingRequest, owner: Owner) -> TransactionKey {
        let branch = self.branch();
        self.start_with(now, flow, request, owner, branch)
    }

    /// How many bytes a request comes to by a path.
    pub fn size_of(&self, request: &OutgoingRequest, flow: Flow) -> usize {
        request.to_bytes(&flow, USUAL_BRANCH, &self.config.user_agent).len()
    }

    /// A hop failed: the shell learns it, and later when it is back.
    pub fn target_failed(&mut self, flow: Flow, why: Left, retry_after: Option<Duration>) {
        if self.failed.len() < MAX_FAILED {
            self.failed.insert(flow);
        }
        self.emit(Event::TargetFailed { flow, why: why.phrase(), retry_after });
    }

    /// A request of ours was answered.
    pub fn target_answered(&mut self, flow: Flow) {
        if self.failed.remove(&flow) {
            self.emit(Event::TargetAnswered { flow });
        }
    }

    /// Another request takes the place of this one, which is not sent again. What is answered is still heard.
    pub fn supersede(&mut self, now: Instant, key: TransactionKey) {
        if let Some(client) = self.table.clients.get_mut(&key) {
            client.machine.stop_retransmission();
            let deadline = client.machine.deadline();
            let ended = client.machine.is_terminated().then_some(Deadline { at: now, timer: "superseded" });
            self.deadlines.set(Waiting::Transaction(key), ended.or(deadline));
        }
    }

    /// Whether an INVITE has been canceled.
    pub fn is_canceled(&self, invite: TransactionKey) -> bool {
        let TransactionKey::Ours { branch, .. } = invite else {
            return false;
        };
        self.table.clients.contains_key(&TransactionKey::Ours { branch, cancels: true })
    }

    /// Sends the CANCEL of an INVITE: same branch, same path (RFC 3261 §9.1).
    pub fn cancel(&mut self, now: Instant, invite: TransactionKey, reason: Option<String>) {
        let (Some(client), TransactionKey::Ours { branch, .. }) = (self.table.clients.get(&invite), invite) else {
            return;
        };
        let (flow, mut cancel) = (client.flow, client.request.cancel());
        cancel.headers.extend(reason.map(|reason| ("Reason".to_owned(), reason)));
        self.start_with(now, flow, cancel, Owner::Nobody, branch);
    }

    /// The same with a branch of [`branch`](Self::branch).
    pub fn start_with(
        &mut self,
        now: Instant,
        flow: Flow,
        request: OutgoingRequest,
        owner: Owner,
        branch: Branch,
    ) -> TransactionKey {
        let payload = request.to_bytes(&flow, branch, &self.config.user_agent);
        let (timers, reliable) = (self.config.timers, flow.transport.is_reliable());
        self.transmit(flow, payload.clone());
        let machine = match request.method {
            Method::Invite => ClientMachine::Invite(ClientInvite::new(now, timers, reliable, payload)),
            _ => ClientMachine::NonInvite(ClientNonInvite::new(now, timers, reliable, payload)),
        };
        let key = TransactionKey::client(branch, &request.method);
        self.deadlines.set(Waiting::Transaction(key), machine.deadline());
        self.table.clients.insert(key, Box::new(Client { machine, request: Arc::new(request), flow, owner }));
        key
    }

    /// Gives up a request of ours: its transaction ends with the next turn of the timers.
    pub fn abandon(&mut self, now: Instant, key: TransactionKey) {
        if let Some(client) = self.table.clients.get_mut(&key) {
            client.machine.abandon();
            let deadline = Deadline { at: now, timer: "abandoned" };
            self.deadlines.set(Waiting::Transaction(key), Some(deadline));
        }
    }

    /// Answers a request through its transaction.
    pub fn respond(
        &mut self,
        now: Instant,
        key: TransactionKey,
        echo: &Echo,
        to_tag: &str,
        response: &OutgoingResponse,
    ) {
        let Some(server) = self.table.servers.get_mut(&key) else {
            return;
        };
        let payload = response.to_bytes(echo, to_tag, &self.config.user_agent);
        let send = match &mut server.machine {
            ServerMachine::Invite(invite) => invite.respond(now, response.status, &payload),
            ServerMachine::NonInvite(request) => request.respond(now, &payload),
        };
        let (flow, deadline) = (server.flow, server.machine.deadline());
        self.deadlines.set(Waiting::Transaction(key), deadline);
        if send {
            self.transmit(flow, payload);
        }
    }

    /// Sends an answer once more, by whichever path leads to the peer by now.
    pub fn respond_again(&mut self, key: TransactionKey, payload: Vec<u8>) {
        if let Some(server) = self.table.servers.get(&key) {
            self.transmit(server.flow, payload);
        }
    }

    /// Answers a request without remembering it: what repeats it will be answered the same.
    pub fn respond_statelessly(&mut self, echo: &Echo, response: &OutgoingResponse) {
        let to_tag = self.challenger.seal(&format!("{echo:?}"));
        let payload = response.to_bytes(echo, &to_tag, &self.config.user_agent);
        self.transmit(echo.reply_to, payload);
    }
}
