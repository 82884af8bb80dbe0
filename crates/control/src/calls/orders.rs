//! Orders to a call that has not ended.

use std::time::Duration;

use agent::{AgentCommand, AgentOrder, Refused};
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::time::timeout;

use super::Calls;
use crate::carry::Order;
use crate::{Call, Error};

/// How long an order waits for the call and for the agent to take it.
const ORDER_WAIT: Duration = Duration::from_secs(5);

impl Calls {
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
}
