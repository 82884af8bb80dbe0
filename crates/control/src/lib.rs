//! What should happen: API, calls, events.
//!
//! [`Control`] decides which calls are made, carries each from `queued` to `ended`, keeps what
//! came of it in the store and tells the world: as JSON over HTTP, as a journal of events.
//!
//! ```text
//!  POST /v1/calls ─▶ Calls::place ─▶ carry (a task a call) ─▶ CallRunner ─▶ gateway, agent
//!  inbound ────────▶ inbound ──────────▲      │
//!                                             ▼
//!                    GET, SSE ◀── store ◀── Journal (one writer, one order)
//!                                   │
//!                                   └─▶ webhooks ─▶ POST to whoever is told of events
//!  POST /v1/scheduled-calls ─▶ store ─▶ scheduler ─▶ Calls::place, when they are due
//! ```

mod api;
mod call;
mod caller;
mod calls;
mod carry;
mod clock;
mod config;
mod disposition;
mod duration;
mod end_reason;
mod ending;
mod error;
mod idempotency;
mod ids;
mod journal;
mod lines;
mod metrics;
mod pace;
mod prompt;
mod recording;
mod request;
mod runner;
mod scheduler;
mod signalling;
mod target;
mod telling;
mod trunk;
mod trunks;
mod webhooks;

pub use api::openapi_json;
pub use call::{Call, CallResult, Cost, Evidence, Latency, Quality, ResponseMs, Turn};
pub use clock::Clock;
pub use config::{
    AgentError, AgentFactory, AgentRequest, ApiKey, ControlConfig, InboundRoute, Limits, Price, Role, RouteTarget,
    Scheduling, TrunkInfo, WebhookRules,
};
pub use error::Error;
pub use journal::{Follower, StoredEvent};
pub use request::{NewCall, NewTask, OnBehalfOf};
pub use runner::{BoxFuture, CallRunner, Conversation, GatewayRunner, LiveCall};
pub use scheduler::{CallingHours, Holiday, Opening};
pub use trunk::{Trunk, TrunkLimits, TrunkRegistration, TrunkTarget};
pub use webhooks::Resolver;

use std::sync::Arc;
use std::time::Duration;

use crate::calls::Calls;

/// The control plane; clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Control {
    calls: Calls,
    keys: Arc<api::auth::Keys>,
}

impl Control {
    /// Starts: ends the calls a crash left open as `interrupted`, takes over the configured keys.
    pub async fn new(config: ControlConfig) -> Result<Self, Error> {
        let gateway = config.gateway.clone();
        Self::with_runner(config, Arc::new(GatewayRunner::new(gateway))).await
    }

    /// As [`Control::new`], with something else than a gateway to carry the calls.
    pub async fn with_runner(config: ControlConfig, runner: Arc<dyn CallRunner>) -> Result<Self, Error> {
        let keys = Arc::new(api::auth::Keys::install(&config).await?);
        let calls = Calls::start(config, runner).await?;
        Ok(Self { calls, keys })
    }

    /// The HTTP API.
    pub fn router(&self) -> axum::Router {
        api::router(self.calls.clone(), Arc::clone(&self.keys))
    }

    /// Places a call and waits for its end, without HTTP. `on_event` sees every event of it, live.
    pub async fn place_and_wait(&self, request: NewCall, on_event: impl FnMut(&StoredEvent)) -> Result<Call, Error> {
        self.calls.place_and_wait(request, on_event).await
    }

    /// One call as it is now.
    pub async fn call(&self, id: &str) -> Result<Call, Error> {
        self.calls.call(id).await
    }

    /// Ends a call: with a goodbye when it was answered.
    pub async fn hang_up(&self, id: &str) -> Result<Call, Error> {
        self.calls.hang_up(id).await
    }

    /// Deletes recordings, SIP messages, transcripts and events `retention` after the end of their calls, until the
    /// program stops. To be run as a task, once.
    pub async fn keep_recordings_for(&self, retention: Duration) {
        recording::keep_for(&self.calls, retention).await;
    }

    /// Places scheduled calls when they are due, until the program stops. To be run as a task, once.
    pub async fn place_scheduled_calls(&self) {
        scheduler::run(&self.calls).await;
    }

    /// Tells webhooks of events, until the program stops. To be run as a task, once.
    pub async fn deliver_webhooks(&self) {
        webhooks::run(&self.calls).await;
    }

    /// The journal from now on; of one call, or of all.
    pub fn follow_events(&self, call_id: Option<String>) -> Follower {
        self.calls.journal().follow_from_now(call_id)
    }

    /// Gives inbound calls to their agents until the gateway stops. To be run as a task, once.
    pub async fn serve_inbound(&self) {
        calls::inbound::serve(&self.calls).await;
    }

    /// Tells in the journal what becomes of registrations until the gateway stops. To be run as a task, once.
    pub async fn tell_registrations(&self) {
        trunks::tell(&self.calls).await;
    }

    /// Refuses new calls from now on, lets live ones finish for `grace`, ends the rest.
    pub async fn drain(&self, grace: Duration) {
        self.calls.drain(grace).await;
    }
}
