//! From `dialing` to the end: all that happens to a call arrives in one loop.

use std::sync::Arc;
use std::time::Duration;

use agent::{AgentCommand, AgentEvent, AgentOrder, Refused};
use gateway::{CallEnd, CallStatus, EndCause, OneWay};
use store::CallChange;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{Instant, sleep_until};

use super::{Carry, Connected, Ended, Order};
use crate::call::Quality;
use crate::clock;
use crate::journal::{Change, NewEvent};
use crate::runner::{Conversation, LiveCall};
use crate::telling::{self, Record};

/// How long an agent has for its goodbye when it is told to hang up.
const GOODBYE: Duration = Duration::from_secs(10);
/// How long after its limit a call may take to end before we stop believing in it.
const OVERDUE: Duration = Duration::from_secs(60);
/// How often an answered call tells how it sounds; it does once more at its end.
const QUALITY: Duration = Duration::from_secs(30);

impl Carry {
    pub(super) async fn follow(&mut self, connected: Connected) -> Ended {
        let Connected { conversation: Conversation { live, outcome }, mut events, orders } = connected;
        // Set once: a call is connected once.
        let _ = self.line.set(Arc::clone(&live));
        let stop = self.calls.stopped();
        let overdue = Instant::now() + self.max_duration + OVERDUE;
        let mut goodbye_until: Option<Instant> = None;
        let mut status = live.status();
        let mut status_open = true;
        let mut one_way = live.one_way();
        let mut one_way_open = true;
        // A task of its own, so that a panic in it ends this call and no more.
        let mut conversation = tokio::spawn(outcome);
        let first = *status.borrow_and_update();
        self.observe(first, &*live).await;
        let mut quality_at = live.answered_at().map(|at| at + QUALITY);
        let cause = *one_way.borrow_and_update();
        if cause.is_some() {
            self.tell_one_way(cause, &*live).await;
        }

        let outcome = loop {
            tokio::select! {
                biased;
                changed = status.changed(), if status_open => match changed {
                    Ok(()) => {
                        let now = *status.borrow_and_update();
                        self.observe(now, &*live).await;
                        quality_at = quality_at.or_else(|| Some(live.answered_at()? + QUALITY));
                    }
                    Err(_) => status_open = false,
                },
                changed = one_way.changed(), if one_way_open => match changed {
                    Ok(()) => {
                        let cause = *one_way.borrow_and_update();
                        self.tell_one_way(cause, &*live).await;
                    }
                    Err(_) => one_way_open = false,
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
                () = sleep_until(quality_at.unwrap_or(overdue)), if quality_at.is_some() => {
                    quality_at = Some(Instant::now() + QUALITY);
                    self.tell_quality(&*live).await;
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
                call_end: CallEnd { cause: self.cause(outcome.call_end.cause), ..outcome.call_end.clone() },
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

    async fn tell_one_way(&self, cause: Option<OneWay>, live: &dyn LiveCall) {
        let since_answer = live.answered_at().map_or(Duration::ZERO, |at| at.elapsed());
        self.record(Change::Nothing, telling::one_way(since_answer, cause)).await;
    }

    async fn tell_quality(&self, live: &dyn LiveCall) {
        let since_answer = live.answered_at().map_or(Duration::ZERO, |at| at.elapsed());
        self.record(Change::Nothing, telling::quality(since_answer, &live.quality().into())).await;
    }

    async fn tell(&mut self, event: AgentEvent) {
        if let AgentEvent::Turn(turn) = &event {
            self.calls.metrics().turn_completed(turn.response_ms);
        }
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
}
