//! Carries one call from `queued` to `ended`: all that happens to it arrives in one loop.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use agent::{AgentCommand, AgentConfig, AgentEnd, AgentEvent, AgentOrder, Outcome, Refused};
use gateway::{CallStatus, Dial, EndCause};
use jiff::Timestamp;
use store::CallChange;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::call::{CallResult, Latency, Quality};
use crate::calls::Calls;
use crate::config::AgentError;
use crate::end_reason::{End, Reached, summary};
use crate::ending::FinalWords;
use crate::journal::{Change, NewEvent};
use crate::runner::{Conversation, LiveCall};
use crate::telling::{self, Record, answered_by_name};
use crate::{clock, recording, signalling};

/// Observations of an agent that wait to be written.
const EVENTS: usize = 1024;
/// Orders to an agent that wait for it.
const ORDERS: usize = 16;
/// How long an agent has for its goodbye when it is told to hang up.
const GOODBYE: Duration = Duration::from_secs(10);
/// How long after its limit a call may take to end before we stop believing in it.
const OVERDUE: Duration = Duration::from_secs(60);
/// How often a call that found the gateway full tries again when nothing tells it to.
const FULL_RETRY: Duration = Duration::from_secs(1);
/// How long we wait before each attempt to write down an end.
const END_RETRIES: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(5)];

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
    cause: EndCause,
    sip_status: Option<u16>,
    reason: Option<String>,
    agent: Option<AgentEnd>,
    outcome: Option<Outcome>,
    quality: Option<Quality>,
}

impl Ended {
    fn without_agent(cause: EndCause, reason: Option<String>) -> Self {
        Self { cause, sip_status: None, reason, agent: None, outcome: None, quality: None }
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

    async fn connect(
        &mut self,
        dial: Dial,
        agent: Result<AgentConfig, AgentError>,
    ) -> Result<(Connected, OwnedSemaphorePermit), Ended> {
        let agent = agent.map_err(|error| Ended::without_agent(EndCause::Failed, Some(error.to_string())))?;
        let deadline = Instant::now() + self.calls.config().limits.queue_wait;
        let calls = self.calls.clone();
        let trunk = calls.trunk_of(&dial);
        loop {
            let line = tokio::select! {
                biased;
                () = self.told_to_stop() => return Err(self.given_up()),
                () = sleep_until(deadline) => return Err(no_line()),
                line = calls.lines().turn(trunk) => line,
            };
            let (connected, events, orders) = Connected::channels();
            match calls.runner().dial(dial.clone(), agent.clone(), events, orders).await {
                Ok(conversation) => {
                    self.dialed = true;
                    self.change("dialing", CallChange::default(), NewEvent::new("call.dialing", 0)).await;
                    return Ok((connected.with(conversation), line));
                }
                // This trunk is full: wait as `queued`, and leave the line to calls by other trunks.
                Err(gateway::Error::Full { .. }) if Instant::now() < deadline => {
                    drop(line);
                    tokio::select! {
                        biased;
                        () = self.told_to_stop() => return Err(self.given_up()),
                        () = calls.lines().freed() => {}
                        _ = timeout_at(deadline, sleep(FULL_RETRY)) => {}
                    }
                }
                Err(gateway::Error::Full { .. }) => return Err(no_line()),
                Err(error @ gateway::Error::Stopping) => {
                    return Err(Ended::without_agent(EndCause::Shutdown, Some(error.to_string())));
                }
                Err(error) => {
                    return Err(Ended::without_agent(EndCause::Failed, Some(error.to_string())));
                }
            }
        }
    }

    /// Resolves when a waiting call is to be given up.
    async fn told_to_stop(&mut self) {
        let stop = self.calls.stopped();
        tokio::select! {
            biased;
            () = stop.cancelled() => self.stopping = true,
            // A call without a line has no agent yet that other orders could be for.
            _ = async { while !matches!(self.orders.recv().await, Some(Order::HangUp) | None) {} } => self.ordered = true,
        }
    }

    fn given_up(&self) -> Ended {
        Ended::without_agent(if self.stopping { EndCause::Shutdown } else { EndCause::Canceled }, None)
    }

    async fn follow(&mut self, connected: Connected) -> Ended {
        let Connected { conversation: Conversation { live, outcome }, mut events, orders } = connected;
        // Set once: a call is connected once.
        let _ = self.line.set(Arc::clone(&live));
        let stop = self.calls.stopped();
        let overdue = Instant::now() + self.max_duration + OVERDUE;
        let mut goodbye_until: Option<Instant> = None;
        let mut status = live.status();
        let mut status_open = true;
        // A task of its own, so that a panic in it ends this call and no more.
        let mut conversation = tokio::spawn(outcome);
        let first = *status.borrow_and_update();
        self.observe(first, &*live).await;

        let outcome = loop {
            tokio::select! {
                biased;
                changed = status.changed(), if status_open => match changed {
                    Ok(()) => {
                        let now = *status.borrow_and_update();
                        self.observe(now, &*live).await;
                    }
                    Err(_) => status_open = false,
                },
                // An order does not wait until all that happened is written down.
                Some(order) = self.orders.recv() => {
                    if !self.obey(order, &orders, &*live) {
                        goodbye_until.get_or_insert(Instant::now() + GOODBYE);
                    }
                }
                Some(event) = events.recv() => self.tell(event).await,
                () = stop.cancelled(), if !self.stopping => {
                    self.stopping = true;
                    live.hang_up();
                }
                () = sleep_until(goodbye_until.unwrap_or(overdue)), if goodbye_until.is_some() => {
                    goodbye_until = None;
                    live.hang_up();
                }
                () = sleep_until(overdue) => {
                    tracing::error!(call_id = %self.id, "the call did not end at its limit");
                    conversation.abort();
                    live.hang_up();
                    break None;
                }
                ended = &mut conversation => match ended {
                    Ok(outcome) => break Some(outcome),
                    Err(error) => {
                        tracing::error!(call_id = %self.id, %error, "the agent failed");
                        live.hang_up();
                        break None;
                    }
                },
            }
        };
        // What happened before the end is told before the end.
        if self.status != CallStatus::Answered && live.answered_at().is_some() {
            self.observe(CallStatus::Answered, &*live).await;
        }
        while let Ok(event) = events.try_recv() {
            self.tell(event).await;
        }
        let quality = self.answered_at.map(|_| Quality::from(live.quality()));
        match outcome {
            Some(outcome) => Ended {
                cause: self.cause(outcome.call_end.cause),
                sip_status: outcome.call_end.sip_status,
                reason: outcome.call_end.reason.clone(),
                agent: outcome.ended,
                quality,
                outcome: Some(outcome),
            },
            None => Ended { quality, ..Ended::without_agent(EndCause::Failed, Some("the agent failed".to_owned())) },
        }
    }

    /// An end of ours because the program stops is a shutdown.
    fn cause(&self, cause: EndCause) -> EndCause {
        match cause {
            EndCause::HungUp | EndCause::Canceled if self.stopping => EndCause::Shutdown,
            cause => cause,
        }
    }

    /// Hands an order on. False when a goodbye has begun that must not take forever.
    fn obey(&mut self, order: Order, orders: &mpsc::Sender<AgentOrder>, live: &dyn LiveCall) -> bool {
        match order {
            Order::Agent(order) => {
                // Where the agent has gone, the answer goes with the order: the call has ended.
                if let Err(TrySendError::Full(AgentOrder { answer: Some(answer), .. })) = orders.try_send(order) {
                    let _ = answer.send(Err(Refused::Full));
                }
                true
            }
            Order::HangUp => {
                self.ordered = true;
                let goodbye =
                    live.answered_at().is_some() && orders.try_send(AgentOrder::unasked(AgentCommand::HangUp)).is_ok();
                if !goodbye {
                    live.hang_up();
                }
                !goodbye
            }
        }
    }

    async fn observe(&mut self, status: CallStatus, live: &dyn LiveCall) {
        if status == self.status {
            return;
        }
        let (name, event) = match status {
            CallStatus::Ringing => ("ringing", "call.ringing"),
            CallStatus::EarlyMedia => ("early_media", "call.early_media"),
            CallStatus::Answered => ("answered", "call.answered"),
            CallStatus::Dialing | CallStatus::Ended => return,
        };
        self.status = status;
        let mut change = CallChange::default();
        if status == CallStatus::Answered {
            let ago = live.answered_at().map_or(Duration::ZERO, |at| at.elapsed());
            let at = clock::now().checked_sub(ago).unwrap_or_else(|_| clock::now());
            self.answered_at = Some(at);
            change.answered_at = Some(clock::rfc3339(at));
        }
        self.change(name, change, NewEvent::new(event, 0)).await;
    }

    async fn change(&self, status: &str, change: CallChange, event: NewEvent) {
        let change = CallChange { status: Some(status.to_owned()), ..change };
        self.record(Change::Update(&change), event).await;
    }

    async fn tell(&mut self, event: AgentEvent) {
        let told = telling::tell(event);
        match &told.record {
            Record::Nothing => self.record(Change::Nothing, told.event).await,
            Record::Said(row) => self.record(Change::Said(row), told.event).await,
            Record::Change(change) => {
                self.digits.push_str(change.digits.as_deref().unwrap_or_default());
                self.record(Change::Update(change), told.event).await;
            }
        }
    }

    /// A record that cannot be written does not disturb the call.
    async fn record(&self, change: Change<'_>, event: NewEvent) {
        let kind = event.kind;
        if let Err(error) = self.calls.journal().record(&self.id, change, vec![event]).await {
            tracing::error!(call_id = %self.id, kind, %error, "an event could not be written");
        }
    }

    fn reached(&self) -> Reached {
        match self.answered_at {
            Some(_) => Reached::Answer,
            None if self.dialed => Reached::Line,
            None => Reached::Queue,
        }
    }

    async fn end(self, ended: Ended) {
        let reason =
            End { cause: ended.cause, agent: ended.agent, answered: self.answered_at.is_some(), ordered: self.ordered }
                .reason();
        let recording = match self.calls.recording_of(&self.id) {
            Some(path) => recording::kept(&path).await,
            None => None,
        };
        let reached = self.reached();
        let outcome = ended.outcome;
        let result = match (&outcome, self.answered_at) {
            (Some(outcome), Some(_)) => with_summary(outcome.result.clone().into(), reason, ended.reason.as_deref()),
            (None, Some(_)) => CallResult::plain("unknown", summary(reason, reached, ended.reason.as_deref())),
            (_, None) => CallResult::plain("failed", summary(reason, reached, ended.reason.as_deref())),
        };
        let final_words = FinalWords {
            reason,
            sip_status: ended.sip_status,
            words: ended.reason,
            result,
            latency: Latency::of(outcome.as_ref().map_or(&[], |outcome| &outcome.turns)),
            quality: ended.quality,
            answered_by: outcome.as_ref().and_then(|outcome| outcome.answered_by).map(answered_by_name),
            digits: outcome.map_or(self.digits, |outcome| outcome.digits_sent),
            answered_at: self.answered_at,
            ended_at: clock::now(),
            recording,
        };
        for wait in END_RETRIES {
            sleep(wait).await;
            match final_words.write(&self.calls, &self.id).await {
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(call_id = %self.id, %error, "the end of a call could not be written")
                }
            }
        }
        tracing::info!(call_id = %self.id, end_reason = reason, "call ended");
        if let Some(line) = self.line.get() {
            signalling::settle(&self.calls, &self.id, Arc::clone(line));
        }
        self.calls.leave(&self.id);
    }
}

fn no_line() -> Ended {
    Ended::without_agent(EndCause::Failed, Some("no line became free in time".to_owned()))
}

/// A result says something in every case.
fn with_summary(result: CallResult, end_reason: &str, words: Option<&str>) -> CallResult {
    if result.summary.trim().is_empty() {
        CallResult { summary: summary(end_reason, Reached::Answer, words), ..result }
    } else {
        result
    }
}
