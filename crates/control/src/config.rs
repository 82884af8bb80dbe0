//! What [`crate::Control`] is made of. The values come from the configuration file; reading it is `server`'s.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::{AgentConfig, Task};
use gateway::{Gateway, RecordingFormat, RecordingKey};
use jiff::tz::TimeZone;
use store::Store;

use crate::clock::Clock;
use crate::scheduler::CallingHours;
use crate::webhooks::Resolver;

/// A control plane.
#[derive(Clone)]
pub struct ControlConfig {
    /// Records.
    pub store: Store,
    /// Lines, outbound and inbound.
    pub gateway: Option<Gateway>,
    /// Makes an agent for a call.
    pub agents: AgentFactory,
    /// Trunks. A call that names none goes by the first that it can go out by.
    pub trunks: Vec<TrunkInfo>,
    /// Inbound calls: the first route that matches the called number counts; none refuses.
    pub routes: Vec<InboundRoute>,
    /// Prefixes of what may be dialled; see `[dial] allow`. Empty allows nothing.
    pub dial_allow: Vec<String>,
    /// Limits.
    pub limits: Limits,
    /// What binds scheduled calls.
    pub scheduling: Scheduling,
    /// What binds webhooks.
    pub webhooks: WebhookRules,
    /// Whether calls are recorded.
    pub record: bool,
    /// Where recordings go, and where they are while they are kept; `None` records nothing.
    pub recordings_dir: Option<PathBuf>,
    /// What encrypted recordings are read with; the gateway writes them.
    pub recording_key: Option<RecordingKey>,
    /// What they are written as.
    pub recording_format: RecordingFormat,
    /// What a minute costs.
    pub price: Price,
    /// Keys of the API. None lets nobody in.
    pub keys: Vec<ApiKey>,
    /// Whether `/metrics` wants no key: where only this machine can ask.
    pub open_metrics: bool,
    /// For ids.
    pub seed: [u8; 32],
}

impl std::fmt::Debug for ControlConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlConfig")
            .field("dial_allow", &self.dial_allow)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A trunk, as far as it is not the gateway's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrunkInfo {
    /// Its name.
    pub name: String,
    /// The domain that its calls and its registration are for.
    pub host: String,
    /// Who calls, when a call does not say.
    pub caller_id: String,
    /// It has no address: no call can go out by it.
    pub inbound_only: bool,
    /// New calls are dialed at least so far apart; those that come faster wait as `queued`.
    pub calls_apart: Option<Duration>,
}

/// Where an inbound call goes. The routes `echo` and `milliwatt` never reach this crate:
/// the gateway answers them itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundRoute {
    /// Called number or user; `*` is any.
    pub to: String,
    /// Whither.
    pub target: RouteTarget,
}

/// Whither an inbound call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteTarget {
    /// To an agent, by id.
    Agent(String),
    /// Nowhere: 603.
    Reject,
}

/// Bounds of what this crate does.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From dialing to the answer.
    pub ring: Duration,
    /// From dialing to the end; a call may ask for less.
    pub call: Duration,
    /// No RTP for so long ends a call.
    pub media_timeout: Duration,
    /// Outbound calls on a line at once.
    pub concurrent_calls: usize,
    /// Outbound calls that may wait for a line.
    pub queued_calls: usize,
    /// How long one waits.
    pub queue_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ring: Duration::from_secs(45),
            call: Duration::from_secs(600),
            media_timeout: Duration::from_secs(30),
            concurrent_calls: 50,
            queued_calls: 1000,
            queue_wait: Duration::from_secs(600),
        }
    }
}

/// What binds scheduled calls, besides what binds all.
#[derive(Debug, Clone, Default)]
pub struct Scheduling {
    /// When somebody may be called: at any time, unless something is said here.
    pub hours: CallingHours,
    /// Where those are whose job does not say; `None` is UTC.
    pub time_zone: Option<TimeZone>,
    /// Scheduled calls of one agent at once.
    pub calls_per_agent: Option<usize>,
    /// What time it is.
    pub clock: Clock,
}

/// What binds webhooks.
#[derive(Debug, Clone, Default)]
pub struct WebhookRules {
    /// Whether they may be anywhere, and without TLS: on this machine, or in a network of one's own.
    pub allow_private: bool,
    /// Who looks their names up.
    pub resolver: Resolver,
}

/// What a call costs, by the second from its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Millionths of the currency a minute.
    pub micros_per_minute: u64,
    /// ISO 4217.
    pub currency: String,
}

impl Default for Price {
    fn default() -> Self {
        Self { micros_per_minute: 0, currency: "USD".to_owned() }
    }
}

/// A key of the API. The key itself is hashed at once and not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name in logs and records.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The secret.
    pub key: String,
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// What a key may do; each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Read,
    /// Act on live calls.
    Operate,
    /// Place calls, which costs money.
    Dial,
    /// Everything.
    Admin,
}

impl Role {
    /// As configuration and records write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Dial => "dial",
            Self::Admin => "admin",
        }
    }

    /// Reads what [`Role::as_str`] writes.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Operate, Self::Dial, Self::Admin].into_iter().find(|role| role.as_str() == name)
    }
}

/// What an agent is wanted for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentRequest {
    /// The call.
    pub call_id: String,
    /// Which agent; `default` is built in.
    pub agent_id: String,
    /// What to do; `None` on inbound calls.
    pub task: Option<Task>,
    /// In whose name.
    pub on_behalf_of: Option<String>,
    /// What else the caller of the API lets the agent know.
    pub context: Option<serde_json::Map<String, serde_json::Value>>,
    /// First words to a person, where a prompt has some.
    pub introduction: Option<String>,
}

/// Makes the agent of a call. Cheap: it is called while a request waits.
pub type AgentFactory = Arc<dyn Fn(&AgentRequest) -> Result<AgentConfig, AgentError> + Send + Sync>;

/// Why there is no agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// No agent has this id: a mistake of who asks.
    #[error("no agent is named {0:?}")]
    Unknown(String),
    /// It cannot work now, and why: a missing library, a provider without a key.
    #[error("{0}")]
    Unavailable(String),
}
