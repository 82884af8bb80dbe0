//! The HTTP API under `/v1`. Handlers are thin: parse, one function of this crate, answer.

mod actions;
pub(crate) mod auth;
mod calls;
mod events;
mod extract;
mod health;
mod metrics;
mod once;
mod openapi;
mod problem;
mod prompts;
mod scheduled_calls;
mod sip;
mod trunks;
mod webhooks;

pub use openapi::openapi_json;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::calls::Calls;
use auth::Keys;
use problem::Problem;

/// Largest body of a request.
const MAX_BODY: usize = 64 * 1024;

/// What handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    calls: Calls,
    streams: events::Streams,
}

pub(crate) fn router(calls: Calls, keys: Arc<Keys>) -> Router {
    let api = Api { calls, streams: events::Streams::default() };
    Router::new()
        .route("/v1/calls", get(calls::list).post(calls::create))
        .route("/v1/calls/{id}", get(calls::show))
        .route("/v1/calls/{id}/transcript", get(calls::transcript))
        .route("/v1/calls/{id}/recording", get(calls::recording))
        .route("/v1/calls/{id}/events", get(events::of_call))
        .route("/v1/calls/{id}/sip", get(sip::show))
        .route("/v1/calls/{id}/explain", get(calls::explain))
        .route("/v1/calls/{id}/actions/hangup", post(actions::hangup))
        .route("/v1/calls/{id}/actions/dtmf", post(actions::dtmf))
        .route("/v1/calls/{id}/actions/say", post(actions::say))
        .route("/v1/scheduled-calls", get(scheduled_calls::list).post(scheduled_calls::create))
        .route(
            "/v1/scheduled-calls/{id}",
            get(scheduled_calls::show).patch(scheduled_calls::update).delete(scheduled_calls::delete),
        )
        .route("/v1/prompts", get(prompts::list).post(prompts::create))
        .route("/v1/prompts/{id}", get(prompts::show).patch(prompts::update).delete(prompts::delete))
        .route("/v1/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/v1/webhooks/{id}", get(webhooks::show).patch(webhooks::update).delete(webhooks::delete))
        .route("/v1/webhooks/{id}/deliveries", get(webhooks::deliveries))
        .route("/v1/webhooks/{id}/actions/rotate-secret", post(webhooks::rotate_secret))
        .route("/v1/webhooks/{id}/actions/replay", post(webhooks::replay))
        .route("/v1/events", get(events::all))
        .route("/v1/trunks", get(trunks::list))
        .route("/v1/trunks/{name}", get(trunks::show))
        .route(health::LIVE, get(health::live))
        .route(health::READY, get(health::ready))
        .route(openapi::PATH, get(openapi::document))
        .route(metrics::PATH, get(metrics::show))
        .fallback(async || Problem::from(crate::Error::NotFound("such path")))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn_with_state(api.clone(), carry_through))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(keys, auth::check))
        .layer(from_fn(plain_errors_become_problems))
        .with_state(api)
}

/// A client that goes away does not stop half-way what it has ordered.
async fn carry_through(State(api): State<Api>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    match api.calls.tasks().spawn(next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR).into_response(),
    }
}

/// Whatever refuses a request below us without a document gets one.
async fn plain_errors_become_problems(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if is_error && !problem::is_problem(&response) {
        return Problem::of_status(response.status()).into_response();
    }
    response
}
