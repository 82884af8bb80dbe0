//! Inbound calls: the called number chooses an agent.

use gateway::IncomingCall;

use crate::calls::Calls;
use crate::config::{InboundRoute, RouteTarget};

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
