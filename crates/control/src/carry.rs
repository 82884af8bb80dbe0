//! Carries one call from `queued` to `ended`.

mod connect;
mod end;
mod follow;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use agent::{AgentConfig, AgentEnd, AgentEvent, AgentOrder, Outcome};
use gateway::{CallEnd, CallStatus, Dial, EndCause};
use jiff::Timestamp;
use store::CallChange;
use tokio::sync::mpsc;

use crate::call::Quality;
use crate::calls::Calls;
use crate::config::AgentError;
use crate::journal::{Change, NewEvent};
use crate::runner::{Conversation, LiveCall};

/// Observations of an agent that wait to be written.
const EVENTS: usize = 1024;
/// Orders to an agent that wait for it.
const ORDERS: usize = 16;

/// An order to a call from outside.
#[derive(Debug)]
pub(crate) enum Order {
    /// End it.
    HangUp,
    /// For its agent.
    Agent(AgentOrder),
}

/// One call on its way.
pub(crate) struct Carry {
    calls: Calls,
    id: String,
    orders: mpsc::Receiver<Order>,
    line: Arc<OnceLock<Arc<dyn LiveCall>>>,
    max_duration: Duration,
    /// It waits for a line no longer.
    dialed: bool,
    /// What has been written so far.
    status: CallStatus,
    answered_at: Option<Timestamp>,
    digits: String,
    /// An operator ordered the end.
    ordered: bool,
    /// The program stops.
    stopping: bool,
}

/// A call on a line, with the ends of its agent's channels.
pub(crate) struct Connected<C = Conversation> {
    conversation: C,
    events: mpsc::Receiver<AgentEvent>,
    orders: mpsc::Sender<AgentOrder>,
}

impl Connected<()> {
    /// Our ends, and the agent's.
    pub(crate) fn channels() -> (Self, mpsc::Sender<AgentEvent>, mpsc::Receiver<AgentOrder>) {
        let (events_in, events) = mpsc::channel(EVENTS);
        let (orders, orders_out) = mpsc::channel(ORDERS);
        (Self { conversation: (), events, orders }, events_in, orders_out)
    }

    pub(crate) fn with(self, conversation: Conversation) -> Connected {
        Connected { conversation, events: self.events, orders: self.orders }
    }
}

/// All that is known when a call is over.
struct Ended {
    call_end: CallEnd,
    agent: Option<AgentEnd>,
    outcome: Option<Outcome>,
    quality: Option<Quality>,
}

impl Ended {
    fn without_agent(cause: EndCause, reason: Option<String>) -> Self {
        Self { call_end: CallEnd { reason, ..CallEnd::because(cause) }, agent: None, outcome: None, quality: None }
    }
}

impl Carry {
    pub(crate) fn new(
        calls: Calls,
        id: String,
        orders: mpsc::Receiver<Order>,
        line: Arc<OnceLock<Arc<dyn LiveCall>>>,
        max_duration: Duration,
    ) -> Self {
        Self {
            calls,
            id,
            orders,
            line,
            max_duration,
            dialed: false,
            status: CallStatus::Dialing,
            answered_at: None,
            digits: String::new(),
            ordered: false,
            stopping: false,
        }
    }

    /// Waits for a line, dials, and follows the call to its end.
    pub(crate) async fn outbound(mut self, dial: Dial, agent: Result<AgentConfig, AgentError>) {
        // The line is given back when the end is written down.
        let (ended, _line) = match self.connect(dial, agent).await {
            Ok((connected, line)) => (self.follow(connected).await, Some(line)),
            Err(ended) => (ended, None),
        };
        self.end(ended).await;
    }

    /// Follows a call that was answered to its end.
    pub(crate) async fn inbound(mut self, connected: Connected) {
        self.dialed = true;
        self.status = CallStatus::Ringing;
        let ended = self.follow(connected).await;
        self.end(ended).await;
    }

    async fn change(&self, status: &str, change: CallChange, event: NewEvent) {
        let change = CallChange { status: Some(status.to_owned()), ..change };
        self.record(Change::Update(&change), event).await;
    }

    /// A record that cannot be written does not disturb the call.
    async fn record(&self, change: Change<'_>, event: NewEvent) {
        let kind = event.kind;
        if let Err(error) = self.calls.journal().record(&self.id, change, vec![event]).await {
            tracing::error!(call_id = %self.id, kind, %error, "an event could not be written");
        }
    }
}
