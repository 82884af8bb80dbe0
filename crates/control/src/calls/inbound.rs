//! Inbound calls: the called number chooses an agent.

use gateway::IncomingCall;
use store::CallRow;

use super::{CALL_PREFIX, Calls};
use crate::caller::Caller;
use crate::carry::Connected;
use crate::clock;
use crate::config::{AgentRequest, InboundRoute, RouteTarget};
use crate::journal::{Change, NewEvent};
use crate::runner::converse;

/// RFC 3261 §21.4.5: nobody has this number here.
const NOT_FOUND: u16 = 404;
/// RFC 3261 §21.5.4: not now.
const SERVICE_UNAVAILABLE: u16 = 503;
/// RFC 3261 §21.6.2: the one called does not wish to be.
const DECLINE: u16 = 603;

/// Gives each inbound call to its agent until the gateway stops.
pub(crate) async fn serve(calls: &Calls) {
    while let Some(mut incoming) = calls.runner().accept().await {
        match agent_or_refusal(calls, &incoming) {
            Ok(agent_id) => calls.take(incoming, agent_id).await,
            Err(status) => {
                tracing::info!(status, "inbound call refused");
                incoming.call.line.reject(status);
            }
        }
    }
}

fn agent_or_refusal(calls: &Calls, incoming: &IncomingCall) -> Result<String, u16> {
    if calls.is_draining() {
        return Err(SERVICE_UNAVAILABLE);
    }
    match route(&calls.config().routes, &incoming.to) {
        Some(RouteTarget::Agent(id)) => Ok(id.clone()),
        Some(RouteTarget::Reject) => Err(DECLINE),
        None => Err(NOT_FOUND),
    }
}

impl Calls {
    /// Answers an inbound call and gives it to an agent.
    async fn take(&self, incoming: IncomingCall, agent_id: String) {
        let IncomingCall { to, from, trunk, caller, recording, mut call } = incoming;
        let inner = &self.inner;
        let id = self.new_id(CALL_PREFIX);
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
            // Texts in lists: nothing in it that JSON could not say.
            caller_json: Caller::of(caller).and_then(|caller| serde_json::to_string(&caller).ok()),
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
}

/// The first route of a number.
fn route<'a>(routes: &'a [InboundRoute], to: &str) -> Option<&'a RouteTarget> {
    routes.iter().find(|route| route.to == "*" || route.to == to).map(|route| &route.target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_route_that_matches_counts() {
        let to = |number: &str, target| InboundRoute { to: number.to_owned(), target };
        let routes = [
            to("+15550100", RouteTarget::Agent("front-desk".to_owned())),
            to("+15550199", RouteTarget::Reject),
            to("*", RouteTarget::Agent("default".to_owned())),
        ];
        assert_eq!(route(&routes, "+15550100"), Some(&RouteTarget::Agent("front-desk".to_owned())));
        assert_eq!(route(&routes, "+15550199"), Some(&RouteTarget::Reject));
        assert_eq!(route(&routes, "2047"), Some(&RouteTarget::Agent("default".to_owned())));
        assert_eq!(route(&routes[..2], "2047"), None);
    }
}
