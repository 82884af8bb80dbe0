//! `/v1/scheduled-calls`.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use store::ScheduledCallFilter;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::calls::one_of;
use super::extract::{Body, Id, Params, created, cursor, json, limit, page};
use super::once::Once;
use super::problem::Problem;
use crate::scheduler::request::{NewScheduledCall, Rescheduling};
use crate::scheduler::scheduled_call::ScheduledCall;
use crate::scheduler::{SCHEDULED_PREFIX, location};

const STATUSES: [&str; 5] = ["pending", "in_progress", "completed", "canceled", "failed"];

/// Schedules a call to one or several.
///
/// A prompt is copied: what becomes of it later changes nothing here. Each recipient is called once, and again only as
/// `retry` says. Whether a number may be dialed, and when, is checked now and again at the moment of dialing.
#[utoipa::path(
    post,
    path = "/v1/scheduled-calls",
    operation_id = "create_scheduled_call",
    tag = "scheduled calls",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    request_body = NewScheduledCall,
    responses(
        (status = 201, description = "The scheduled call, `pending`", body = ScheduledCall, headers(("Location" = String, description = "Where it is found"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role or `[dial] allow` forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not sent as JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong, or the Idempotency-Key was used before", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Draining", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn create(once: Once) -> Result<Response, Problem> {
    once.carry_out(async |calls, request: NewScheduledCall, pending| {
        let scheduled = calls.schedule(request, pending.as_ref()).await?;
        Ok(created(&location(&scheduled.id), scheduled))
    })
    .await
}

/// Lists scheduled calls, newest first.
#[utoipa::path(
    get,
    path = "/v1/scheduled-calls",
    operation_id = "list_scheduled_calls",
    tag = "scheduled calls",
    params(Filter),
    responses(
        (status = 200, description = "A page", body = ScheduledCallPage),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Params(filter): Params<Filter>,
) -> Result<Json<ScheduledCallPage>, Problem> {
    let limit = limit(filter.limit)?;
    let filter = ScheduledCallFilter {
        status: one_of("status", filter.status, &STATUSES)?,
        before: cursor(filter.cursor, SCHEDULED_PREFIX)?,
    };
    let found = api.calls.scheduled_calls(&filter, limit + 1).await?;
    let (data, next_cursor) = page(found, limit, |scheduled| scheduled.id.clone());
    Ok(Json(ScheduledCallPage { data, next_cursor }))
}

/// Shows a scheduled call, and what became of each recipient.
#[utoipa::path(
    get,
    path = "/v1/scheduled-calls/{id}",
    operation_id = "show_scheduled_call",
    tag = "scheduled calls",
    params(("id" = String, Path, description = "The scheduled call")),
    responses(
        (status = 200, description = "The scheduled call as it is now", body = ScheduledCall),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such scheduled call", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn show(State(api): State<Api>, Id(id): Id) -> Result<Json<ScheduledCall>, Problem> {
    Ok(Json(api.calls.scheduled_call(&id).await?))
}

/// Gives those who wait to be called another time.
#[utoipa::path(
    patch,
    path = "/v1/scheduled-calls/{id}",
    operation_id = "update_scheduled_call",
    tag = "scheduled calls",
    params(("id" = String, Path, description = "The scheduled call")),
    request_body = Rescheduling,
    responses(
        (status = 200, description = "The scheduled call as it is now", body = ScheduledCall),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such scheduled call", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody waits to be called any more (`schedule_not_pending`)", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not sent as JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn update(
    State(api): State<Api>,
    Id(id): Id,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<ScheduledCall>, Problem> {
    Ok(Json(api.calls.reschedule(&id, json(&headers, &body)?).await?))
}

/// Cancels a scheduled call: who waits is not called any more, and what rings is hung up. Again does no harm.
///
/// A conversation that goes on goes on; `actions/hangup` of that call ends it.
#[utoipa::path(
    delete,
    path = "/v1/scheduled-calls/{id}",
    operation_id = "delete_scheduled_call",
    tag = "scheduled calls",
    params(("id" = String, Path, description = "The scheduled call")),
    responses(
        (status = 200, description = "The scheduled call; `canceled` when nothing is left of it", body = ScheduledCall),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such scheduled call", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody is to be called any more (`schedule_ended`)", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn delete(State(api): State<Api>, Id(id): Id) -> Result<Json<ScheduledCall>, Problem> {
    Ok(Json(api.calls.cancel(&id).await?))
}

/// Which scheduled calls to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only with this status.
    status: Option<String>,
    /// Most entries to answer with: 1 to 100, 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of scheduled calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScheduledCallPage {
    data: Vec<ScheduledCall>,
    /// For the next page; `null` on the last.
    next_cursor: Option<String>,
}
