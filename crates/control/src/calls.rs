//! [`Calls`]: every call of this program, from the wish to the record.

pub(crate) mod inbound;
mod orders;
mod placing;

pub(crate) use placing::{Attempt, DEFAULT_AGENT, location};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use agent::AgentConfig;
use gateway::{CallStatus, RecordingFormat};
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::carry::{Carry, Order};
use crate::config::{AgentError, AgentRequest, ControlConfig};
use crate::idempotency::Idempotency;
use crate::ids::Ids;
use crate::journal::Journal;
use crate::lines::Lines;
use crate::metrics::Metrics;
use crate::runner::{CallRunner, LiveCall};
use crate::scheduler::Scheduler;
use crate::signalling::Settling;
use crate::webhooks::Webhooks;
use crate::{Call, Error, clock, ending};

/// Prefix of the ids of calls.
pub(crate) const CALL_PREFIX: &str = "call_";
/// The statuses of calls that have not ended.
const LIVE_STATUSES: [&str; 5] = ["queued", "dialing", "ringing", "early_media", "answered"];
/// Orders to one call that wait for it.
const ORDERS: usize = 16;
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
    scheduler: Scheduler,
    webhooks: Webhooks,
    metrics: Metrics,
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

impl Live {
    fn status(&self) -> &'static str {
        let [queued, dialing, ringing, early_media, answered] = LIVE_STATUSES;
        let Some(line) = self.line.get() else { return queued };
        match *line.status().borrow() {
            CallStatus::Dialing => dialing,
            CallStatus::Ringing => ringing,
            CallStatus::EarlyMedia => early_media,
            // One whose end is being written has not ended yet.
            CallStatus::Answered | CallStatus::Ended => answered,
        }
    }
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
        if let Some(directory) = config.recordings_dir.as_ref().filter(|_| config.record) {
            std::fs::create_dir_all(directory)
                .map_err(|source| Error::Recordings { directory: directory.display().to_string(), source })?;
        }
        // Two generators, two seeds: an id of a call must not tell the id of an event.
        let event_seed = config.seed.map(|byte| !byte);
        let journal = Journal::open(store.clone(), event_seed).await?;
        let last_call = store.calls(&store::CallFilter::default(), 1).await?.pop().map(|row| row.id);
        let limits = config.limits;
        let webhooks = Webhooks::new(&config);
        let calls = Self {
            inner: Arc::new(Inner {
                ids: Mutex::new(Ids::after(last_call.as_deref(), config.seed)),
                places: Arc::new(Semaphore::new(
                    limits.concurrent_calls.saturating_add(limits.queued_calls).min(Semaphore::MAX_PERMITS),
                )),
                lines: Lines::new(limits.concurrent_calls, &config.trunks),
                idempotency: Idempotency::new(store),
                config,
                runner,
                journal,
                live: Mutex::default(),
                settling: Settling::default(),
                scheduler: Scheduler::default(),
                webhooks,
                metrics: Metrics::new(clock::now()),
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

    /// One call as it is now.
    pub(crate) async fn call(&self, id: &str) -> Result<Call, Error> {
        Call::from_row(self.inner.config.store.call(id).await?.ok_or(Error::NotFound("call"))?)
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

    /// Where a call is recorded, or was before calls were no longer to be.
    pub(crate) fn recording_of(&self, id: &str) -> Option<PathBuf> {
        self.recording_as(id, self.inner.config.recording_format)
    }

    /// Where a call is recorded, or was, in this format.
    pub(crate) fn recording_as(&self, id: &str, format: RecordingFormat) -> Option<PathBuf> {
        let directory = self.inner.config.recordings_dir.as_ref()?;
        Some(directory.join(format!("{id}.{}", format.extension())))
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

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.inner.scheduler
    }

    pub(crate) fn webhooks(&self) -> &Webhooks {
        &self.inner.webhooks
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// How many calls that have not ended have which status.
    pub(crate) fn live_by_status(&self) -> BTreeMap<&'static str, usize> {
        let mut counts: BTreeMap<_, _> = LIVE_STATUSES.into_iter().map(|status| (status, 0)).collect();
        for live in self.inner.live.lock().unwrap_or_else(PoisonError::into_inner).values() {
            *counts.entry(live.status()).or_default() += 1;
        }
        counts
    }

    /// Takes a call that has ended off the list.
    pub(crate) fn leave(&self, id: &str) {
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.inner.lines.free();
    }

    /// Outbound calls that would not have to wait for a line.
    pub(crate) fn free_lines(&self) -> usize {
        self.inner.places.available_permits().saturating_sub(self.inner.config.limits.queued_calls)
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

    pub(crate) fn new_id(&self, prefix: &str) -> String {
        self.inner.ids.lock().unwrap_or_else(PoisonError::into_inner).next(prefix, clock::now())
    }

    /// What time it is for scheduled calls and webhooks.
    pub(crate) fn time(&self) -> Timestamp {
        self.inner.config.scheduling.clock.now()
    }

    fn agent(&self, request: &AgentRequest, max_duration: Duration) -> Result<AgentConfig, AgentError> {
        let mut agent = (self.inner.config.agents)(request)?;
        // The gateway ends the call at its limit whatever happens; the agent wants to say goodbye before.
        let spoken = max_duration.saturating_sub(GOODBYE.min(max_duration / 4));
        agent.limits.call = agent.limits.call.min(spoken);
        Ok(agent)
    }
}
