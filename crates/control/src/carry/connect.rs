//! From `queued` to `dialing`: a call waits for a line.

use std::time::Duration;

use agent::AgentConfig;
use gateway::{Dial, EndCause};
use store::CallChange;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::{Carry, Connected, Ended, Order};
use crate::config::AgentError;
use crate::journal::NewEvent;

/// How often a call that found the gateway full tries again when nothing tells it to.
const FULL_RETRY: Duration = Duration::from_secs(1);

impl Carry {
    pub(super) async fn connect(
        &mut self,
        dial: Dial,
        agent: Result<AgentConfig, AgentError>,
    ) -> Result<(Connected, OwnedSemaphorePermit), Ended> {
        let agent = agent.map_err(|error| Ended::without_agent(EndCause::Failed, Some(error.to_string())))?;
        let deadline = Instant::now() + self.calls.config().limits.queue_wait;
        let calls = self.calls.clone();
        let trunk = dial.trunk.as_deref().unwrap_or_default();
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
                // This trunk or this machine is full: wait as `queued`, and leave the line to calls by other trunks.
                Err(gateway::Error::Full { .. } | gateway::Error::Overloaded) if Instant::now() < deadline => {
                    drop(line);
                    tokio::select! {
                        biased;
                        () = self.told_to_stop() => return Err(self.given_up()),
                        () = calls.lines().freed() => {}
                        _ = timeout_at(deadline, sleep(FULL_RETRY)) => {}
                    }
                }
                Err(gateway::Error::Full { .. } | gateway::Error::Overloaded) => return Err(no_line()),
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
}

fn no_line() -> Ended {
    Ended::without_agent(EndCause::Failed, Some("no line became free in time".to_owned()))
}
