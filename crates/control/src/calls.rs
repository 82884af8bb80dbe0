//! [`Calls`]: every call of this program, from the wish to the record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use agent::{AgentCommand, AgentConfig, AgentOrder, Refused};
use gateway::{CallLimits, Dial, IncomingCall};
use store::{CallRow, IdempotentRow};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, error::SendTimeoutError};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::carry::{Carry, Connected, Order};
use crate::config::{AgentError, AgentRequest, ControlConfig};
use crate::idempotency::{Idempotency, Pending};
use crate::ids::Ids;
use crate::journal::{Change, Journal, NewEvent, StoredEvent};
use crate::lines::Lines;
use crate::request::NewCall;
use crate::runner::{CallRunner, LiveCall, converse};
use crate::signalling::Settling;
use crate::{Call, Error, clock, ending, target};

/// Prefix of the ids of calls.
pub(crate) const CALL_PREFIX: &str = "call_";
/// The agent that is built in.
const DEFAULT_AGENT: &str = "default";
/// Orders to one call that wait for it.
const ORDERS: usize = 16;
/// How long an order waits for the call and for the agent to take it.
const ORDER_WAIT: Duration = Duration::from_secs(5);
/// What is left of a call's time for the agent's goodbye.
const GOODBYE: Duration = Duration::from_secs(10);
/// After the last hang-up, how long `drain` waits for calls to be written down.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Every call of this program; clones are handles to the same set.
#[derive(Clone)]
pub(crate) struct Calls {
    inner: Arc<Inner>,
}

struct Inner {
    config: ControlConfig,
    runner: Arc<dyn CallRunner>,
    journal: Journal,
    idempotency: Idempotency,
    ids: Mutex<Ids>,
    live: Mutex<BTreeMap<String, Live>>,
    /// Outbound calls, waiting or on a line.
    places: Arc<Semaphore>,
    /// Outbound calls on a line.
    lines: Lines,
    settling: Settling,
    draining: CancellationToken,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// A call that has not ended.
#[derive(Clone)]
struct Live {
    orders: mpsc::Sender<Order>,
    /// Set once it is on a line.
    line: Arc<OnceLock<Arc<dyn LiveCall>>>,
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl Calls {
    /// Opens the journal and ends what a crash left open.
    pub(crate) async fn start(config: ControlConfig, runner: Arc<dyn CallRunner>) -> Result<Self, Error> {
        let store = config.store.clone();
        if let Some(directory) = &config.recordings_dir {
            std::fs::create_dir_all(directory)
                .map_err(|source| Error::Recordings { directory: directory.display().to_string(), source })?;
        }
        // Two generators, two seeds: an id of a call must not tell the id of an event.
        let event_seed = config.seed.map(|byte| !byte);
        let journal = Journal::open(store.clone(), event_seed).await?;
        let last_call = store.calls(&store::CallFilter::default(), 1).await?.pop().map(|row| row.id);
        let limits = config.limits;
        let calls = Self {
            inner: Arc::new(Inner {
                ids: Mutex::new(Ids::after(last_call.as_deref(), config.seed)),
                places: Arc::new(Semaphore::new(
                    limits.concurrent_calls.saturating_add(limits.queued_calls).min(Semaphore::MAX_PERMITS),
                )),
                lines: Lines::new(limits.concurrent_calls),
                idempotency: Idempotency::new(store),
                config,
                runner,
                journal,
                live: Mutex::default(),
                settling: Settling::default(),
                draining: CancellationToken::new(),
                stop: CancellationToken::new(),
                tasks: TaskTracker::new(),
            }),
        };
        ending::end_interrupted(&calls).await?;
        Ok(calls)
    }

    /// What must end before the program does.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    /// Checks a request, keeps the call as `queued` and lets it go on by itself. With `pending`,
    /// the answer is kept in the same transaction.
    pub(crate) async fn place(&self, request: NewCall, pending: Option<&Pending>) -> Result<Call, Error> {
        if self.is_draining() {
            return Err(Error::Draining);
        }
        let inner = &self.inner;
        request.check()?;
        if !target::is_allowed(&request.to, &inner.config.dial_allow) {
            return Err(Error::NotAllowed { to: request.to });
        }
        let trunk = self.trunk(request.trunk.as_deref())?;
        let max_duration = request.duration(inner.config.limits.call)?;
        let agent_id = request.agent_id.clone().unwrap_or_else(|| DEFAULT_AGENT.to_owned());
        let id = self.new_id();
        let agent = self.agent(&request.for_agent(&id, &agent_id), max_duration);
        if let Err(AgentError::Unknown(name)) = &agent {
            return Err(Error::invalid("agent_id", format!("no agent is named {name:?}")));
        }
        let place = Arc::clone(&inner.places)
            .try_acquire_owned()
            .map_err(|_| Error::QueueFull { queued: inner.config.limits.queued_calls })?;

        let row = CallRow {
            id: id.clone(),
            status: "queued".to_owned(),
            direction: "outbound".to_owned(),
            to: request.to.clone(),
            from: request.caller_id.clone().or(trunk.map(|trunk| trunk.caller_id.clone())),
            trunk: trunk.map(|trunk| trunk.name.clone()).or(request.trunk.clone()),
            agent_id: Some(agent_id),
            request_json: serde_json::to_string(&request)?,
            created_at: clock::rfc3339(clock::now()),
            warnings_json: serde_json::to_string(&target::warnings(&request.to))?,
            ..CallRow::default()
        };
        let call = Call::from_row(row.clone())?;
        let answer = match pending {
            Some(pending) => Some(pending.answer(202, Some(location(&id)), serde_json::to_string(&call)?)),
            None => None,
        };
        inner.journal.record(&id, Change::Insert(&row, answer.as_ref()), Vec::new()).await?;

        let dial = Dial {
            to: request.to,
            trunk: request.trunk,
            caller_id: request.caller_id,
            limits: CallLimits {
                ring: inner.config.limits.ring,
                call: max_duration,
                media_timeout: inner.config.limits.media_timeout,
            },
            record: self.recording_of(&id),
        };
        let carry = self.go_live(id, max_duration);
        inner.tasks.spawn(async move {
            Box::pin(carry.outbound(dial, agent)).await;
            drop(place);
        });
        Ok(call)
    }

    /// Places a call and follows it to its end.
    pub(crate) async fn place_and_wait(
        &self,
        request: NewCall,
        mut on_event: impl FnMut(&StoredEvent),
    ) -> Result<Call, Error> {
        let before = self.inner.journal.newest();
        let call = self.place(request, None).await?;
        let mut events = self.inner.journal.follow_after(before, Some(call.id.clone()));
        while let Some(event) = events.next().await {
            on_event(&event);
            // The last event of every call.
            if event.kind == "call.ended" {
                break;
            }
        }
        self.call(&call.id).await
    }

    /// Answers an inbound call and gives it to an agent.
    pub(crate) async fn take(&self, incoming: IncomingCall, agent_id: String) {
        let IncomingCall { to, from, trunk, recording, mut call } = incoming;
        let inner = &self.inner;
        let id = self.new_id();
        let limit = inner.config.limits.call;
        let request = AgentRequest { call_id: id.clone(), agent_id: agent_id.clone(), ..AgentRequest::default() };
        let row = CallRow {
            id: id.clone(),
            status: "ringing".to_owned(),
            direction: "inbound".to_owned(),
            to,
            from: Some(from),
            trunk,
            agent_id: Some(agent_id),
            request_json: "{}".to_owned(),
            created_at: clock::rfc3339(clock::now()),
            warnings_json: "[]".to_owned(),
            ..CallRow::default()
        };
        let ringing = vec![NewEvent::new("call.ringing", 0)];
        let agent = match self.agent(&request, limit) {
            Ok(agent) => agent,
            Err(error) => {
                tracing::warn!(%error, "no agent for an inbound call");
                return call.line.reject(480);
            }
        };
        if let Err(error) = inner.journal.record(&id, Change::Insert(&row, None), ringing).await {
            tracing::error!(%error, "an inbound call cannot be recorded");
            return call.line.reject(500);
        }
        if let (Some(now), Some(wanted)) = (recording, self.recording_of(&id))
            && let Err(error) = tokio::fs::rename(&now, &wanted).await
        {
            tracing::warn!(call_id = %id, %error, "an inbound recording keeps its first name");
        }
        call.line.ring();
        call.line.answer();
        let (connected, events, orders) = Connected::channels();
        let conversation = converse(call, agent, events, orders);
        let carry = self.go_live(id, limit);
        inner.tasks.spawn(Box::pin(carry.inbound(connected.with(conversation))));
    }

    /// One call as it is now.
    pub(crate) async fn call(&self, id: &str) -> Result<Call, Error> {
        Call::from_row(self.inner.config.store.call(id).await?.ok_or(Error::NotFound("call"))?)
    }

    /// Ends a call; again does no harm.
    pub(crate) async fn hang_up(&self, id: &str) -> Result<Call, Error> {
        let call = self.call(id).await?;
        if let Some(live) = self.live(id) {
            // A full queue of orders holds another order to hang up, or sixteen others to do first.
            if live.orders.try_send(Order::HangUp).is_err()
                && let Some(line) = live.line.get()
            {
                line.hang_up();
            }
        }
        Ok(call)
    }

    /// Orders the agent of an answered call; done when the agent has taken the order.
    pub(crate) async fn command(&self, id: &str, command: AgentCommand) -> Result<Call, Error> {
        let conflict = |code, message: &str| Error::Conflict { code, message: message.to_owned() };
        let ended = || conflict("call_ended", "the call has ended");
        let not_answered = || conflict("call_not_answered", "nobody has answered the call yet");
        let call = self.call(id).await?;
        let live = self.live(id).ok_or_else(ended)?;
        if live.line.get().is_none_or(|line| line.answered_at().is_none()) {
            return Err(not_answered());
        }
        let (order, answer) = AgentOrder::asked(command);
        live.orders.send_timeout(Order::Agent(order), ORDER_WAIT).await.map_err(|error| match error {
            SendTimeoutError::Timeout(_) => Error::TooManyOrders,
            SendTimeoutError::Closed(_) => ended(),
        })?;
        match timeout(ORDER_WAIT, answer).await {
            Ok(Ok(Ok(()))) => Ok(call),
            Ok(Ok(Err(Refused::NotAnswered))) => Err(not_answered()),
            Ok(Ok(Err(Refused::Ending))) => Err(conflict("call_ending", "the goodbye has begun")),
            // An order whose answer nobody waits for is not carried out.
            Ok(Ok(Err(Refused::Full))) | Err(_) => Err(Error::TooManyOrders),
            Ok(Err(_)) => Err(ended()),
        }
    }

    /// What a call does now, in words.
    pub(crate) fn explain(&self, id: &str) -> Option<String> {
        Some(self.line(id)?.explain())
    }

    /// The line of a call that has not ended, once it has one.
    pub(crate) fn line(&self, id: &str) -> Option<Arc<dyn LiveCall>> {
        self.live(id)?.line.get().cloned()
    }

    /// Calls that have ended and whose messages are not written yet.
    pub(crate) fn settling(&self) -> &Settling {
        &self.inner.settling
    }

    /// Where a call is recorded.
    pub(crate) fn recording_of(&self, id: &str) -> Option<PathBuf> {
        Some(self.inner.config.recordings_dir.as_ref()?.join(format!("{id}.wav")))
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.inner.draining.is_cancelled()
    }

    /// Resolves when the program is about to stop.
    pub(crate) fn draining(&self) -> &CancellationToken {
        &self.inner.draining
    }

    /// Resolves when nothing goes on any longer.
    pub(crate) fn stopped(&self) -> CancellationToken {
        self.inner.stop.clone()
    }

    /// Refuses new calls, waits for live ones, ends the rest.
    pub(crate) async fn drain(&self, grace: Duration) {
        let inner = &self.inner;
        inner.draining.cancel();
        inner.tasks.close();
        if timeout(grace, inner.tasks.wait()).await.is_err() {
            tracing::info!("time to drain is over: ending the calls that are left");
        }
        inner.stop.cancel();
        if timeout(LAST_WORDS, inner.tasks.wait()).await.is_err() {
            tracing::error!("calls are left that did not end");
        }
    }

    pub(crate) fn config(&self) -> &ControlConfig {
        &self.inner.config
    }

    pub(crate) fn runner(&self) -> &dyn CallRunner {
        &*self.inner.runner
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    pub(crate) fn idempotency(&self) -> &Idempotency {
        &self.inner.idempotency
    }

    pub(crate) fn lines(&self) -> &Lines {
        &self.inner.lines
    }

    /// The trunk of a call: the first, unless it names another.
    pub(crate) fn trunk_of<'a>(&'a self, dial: &'a Dial) -> &'a str {
        let first = || self.inner.config.trunks.first().map_or("", |trunk| &trunk.name);
        dial.trunk.as_deref().unwrap_or_else(first)
    }

    /// Takes a call that has ended off the list.
    pub(crate) fn leave(&self, id: &str) {
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.inner.lines.free();
    }

    fn live(&self, id: &str) -> Option<Live> {
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn go_live(&self, id: String, max_duration: Duration) -> Carry {
        let (orders, received) = mpsc::channel(ORDERS);
        let line = Arc::new(OnceLock::new());
        let live = Live { orders, line: Arc::clone(&line) };
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), live);
        Carry::new(self.clone(), id, received, line, max_duration)
    }

    fn new_id(&self) -> String {
        self.inner.ids.lock().unwrap_or_else(PoisonError::into_inner).next(CALL_PREFIX, clock::now())
    }

    fn trunk(&self, name: Option<&str>) -> Result<Option<&crate::TrunkInfo>, Error> {
        let trunks = &self.inner.config.trunks;
        match name {
            None => Ok(trunks.first()),
            Some(name) => match trunks.iter().find(|trunk| trunk.name == name) {
                Some(trunk) => Ok(Some(trunk)),
                None => Err(Error::invalid("trunk", "no trunk has this name")),
            },
        }
    }

    fn agent(&self, request: &AgentRequest, max_duration: Duration) -> Result<AgentConfig, AgentError> {
        let mut agent = (self.inner.config.agents)(request)?;
        // The gateway ends the call at its limit whatever happens; the agent wants to say goodbye before.
        let spoken = max_duration.saturating_sub(GOODBYE.min(max_duration / 4));
        agent.limits.call = agent.limits.call.min(spoken);
        Ok(agent)
    }
}

/// Where a call is found.
pub(crate) fn location(id: &str) -> String {
    format!("/v1/calls/{id}")
}

/// The answer to an idempotent request that made no call.
pub(crate) async fn keep_answer(calls: &Calls, answer: Option<IdempotentRow>) -> Result<(), Error> {
    match answer {
        Some(answer) => calls.idempotency().keep(&answer).await,
        None => Ok(()),
    }
}
