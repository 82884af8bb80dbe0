//! `/v1/health`: for whoever watches the program. No key.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::problem::Problem;
use crate::Error;

pub(crate) const LIVE: &str = "/v1/health/live";
pub(crate) const READY: &str = "/v1/health/ready";

/// How the program is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `live` or `ready`.
    status: &'static str,
    /// Media threads that have ended for a fault of the program: the others carry the calls until it is restarted.
    #[serde(skip_serializing_if = "Option::is_none")]
    media_threads_lost: Option<usize>,
}

/// The program runs.
#[utoipa::path(get, path = "/v1/health/live", tag = "health", responses((status = 200, description = "It runs", body = Health)))]
pub(crate) async fn live() -> Json<Health> {
    Json(Health { status: "live", media_threads_lost: None })
}

/// The program takes calls: its store answers, it does not drain, and a media thread is there for them.
#[utoipa::path(
    get,
    path = "/v1/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "It takes calls", body = Health),
        (status = 503, description = "It drains, its store fails, or no media thread is left", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn ready(State(api): State<Api>) -> Result<Json<Health>, Problem> {
    if api.calls.is_draining() {
        return Err(Error::Draining.into());
    }
    if let Err(error) = api.calls.config().store.ping().await {
        tracing::error!(%error, "the store does not answer");
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "the store does not answer");
        return Err(problem.retry_later());
    }
    let threads = api.calls.runner().media_load();
    let lost = threads.iter().filter(|thread| thread.is_dead).count();
    if lost > 0 && lost == threads.len() {
        let message = "no media thread is left; restart the program";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "media_lost", message));
    }
    Ok(Json(Health { status: "ready", media_threads_lost: (lost > 0).then_some(lost) }))
}
