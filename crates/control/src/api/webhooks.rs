//! `/v1/webhooks`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use store::DeliveryFilter;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::calls::one_of;
use super::extract::{Body, Id, Page, Params, created, cursor, json, limit, page};
use super::once::Once;
use super::problem::Problem;
use crate::journal::EVENT_PREFIX;
use crate::webhooks::webhook::{Delivery, NewWebhook, Replay, Rotation, Webhook, WebhookChange, WebhookWithSecret};
use crate::webhooks::{WEBHOOK_PREFIX, location};

const STATUSES: [&str; 3] = ["pending", "delivered", "failed"];

/// Keeps a webhook, which is told of what happens from now on.
///
/// Each event is sent by POST as Standard Webhooks says, in the bytes that `GET /v1/events` shows. Events of one call come
/// in their order. One that is not answered 2xx within 15 s is sent again, ten times in three days; 410 disables the
/// webhook; redirects are not followed. The answer shows the secret of its signatures, this once.
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    operation_id = "create_webhook",
    tag = "webhooks",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    request_body = NewWebhook,
    responses(
        (status = 201, description = "The webhook and its secret", body = WebhookWithSecret, headers(("Location" = String, description = "Where it is found"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There are too many (`too_many_webhooks`), or the secret of a repeated request was replaced (`secret_replaced`)", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not sent as JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong, or the Idempotency-Key was used before", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn create(once: Once) -> Result<Response, Problem> {
    once.carry_out(async |calls, request: NewWebhook, pending| {
        let kept = calls.keep_webhook(request, pending.as_ref()).await?;
        Ok(created(&location(&kept.webhook.id), kept))
    })
    .await
}

/// Lists webhooks, newest first.
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    operation_id = "list_webhooks",
    tag = "webhooks",
    params(Page),
    responses(
        (status = 200, description = "A page", body = WebhookPage),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn list(State(api): State<Api>, Params(wanted): Params<Page>) -> Result<Json<WebhookPage>, Problem> {
    let limit = limit(wanted.limit)?;
    let before = cursor(wanted.cursor, WEBHOOK_PREFIX)?;
    let found = api.calls.list_webhooks(before.as_deref(), limit + 1).await?;
    let (data, next_cursor) = page(found, limit, |webhook| webhook.id.clone());
    Ok(Json(WebhookPage { data, next_cursor }))
}

/// Shows a webhook.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}",
    operation_id = "show_webhook",
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook")),
    responses(
        (status = 200, description = "The webhook", body = Webhook),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such webhook", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn show(State(api): State<Api>, Id(id): Id) -> Result<Json<Webhook>, Problem> {
    Ok(Json(api.calls.webhook(&id).await?))
}

/// Changes a webhook, and tries it at once.
#[utoipa::path(
    patch,
    path = "/v1/webhooks/{id}",
    operation_id = "update_webhook",
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook")),
    request_body = WebhookChange,
    responses(
        (status = 200, description = "The webhook as it is now", body = Webhook),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such webhook", body = Problem, content_type = "application/problem+json"),
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
) -> Result<Json<Webhook>, Problem> {
    Ok(Json(api.calls.change_webhook(&id, json(&headers, &body)?).await?))
}

/// Forgets a webhook with its deliveries.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{id}",
    operation_id = "delete_webhook",
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such webhook", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn delete(State(api): State<Api>, Id(id): Id) -> Result<StatusCode, Problem> {
    api.calls.delete_webhook(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists what became of events for a webhook, those of the newest first.
///
/// Of what was delivered or given up, the newest thousand are kept. An event after `last_event_id` of the webhook that is
/// not among them is still to be sent.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}/deliveries",
    operation_id = "list_deliveries",
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook"), Filter),
    responses(
        (status = 200, description = "A page", body = DeliveryPage),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such webhook", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn deliveries(
    State(api): State<Api>,
    Id(id): Id,
    Params(filter): Params<Filter>,
) -> Result<Json<DeliveryPage>, Problem> {
    let limit = limit(filter.limit)?;
    let wanted = DeliveryFilter {
        status: one_of("status", filter.status, &STATUSES)?,
        before: cursor(filter.cursor, EVENT_PREFIX)?,
    };
    let found = api.calls.deliveries(&id, &wanted, limit + 1).await?;
    let (data, next_cursor) = page(found, limit, |delivery| delivery.event_id.clone());
    Ok(Json(DeliveryPage { data, next_cursor }))
}

/// Gives a webhook a new secret, shown this once.
///
/// Until the former one is over, each message has a signature of either.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/actions/rotate-secret",
    operation_id = "rotate_webhook_secret",
    tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat"),
    ),
    request_body = Rotation,
    responses(
        (status = 200, description = "The webhook and its new secret", body = WebhookWithSecret),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such webhook", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The secret of a repeated request was replaced (`secret_replaced`)", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not sent as JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong, or the Idempotency-Key was used before", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn rotate_secret(Id(id): Id, once: Once) -> Result<Response, Problem> {
    once.carry_out(async |calls, rotation: Rotation, pending| {
        Ok(Json(calls.rotate_webhook_secret(&id, &rotation, pending.as_ref()).await?).into_response())
    })
    .await
}

/// Sends events again: one of them, or all since one or since a time.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/actions/replay",
    operation_id = "replay_webhook",
    tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat"),
    ),
    request_body = Replay,
    responses(
        (status = 202, description = "They are to be sent", body = Webhook),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such webhook, or no such event any more", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Too many wait already (`too_many_deliveries`)", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not sent as JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong, or the Idempotency-Key was used before", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn replay(Id(id): Id, once: Once) -> Result<Response, Problem> {
    once.order(async |calls, replay: Replay| calls.replay_webhook(&id, &replay).await).await
}

/// Which deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only these: `pending`, `delivered` or `failed`.
    status: Option<String>,
    /// Most entries to answer with: 1 to 100, 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookPage {
    data: Vec<Webhook>,
    /// For the next page; `null` on the last.
    next_cursor: Option<String>,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryPage {
    data: Vec<Delivery>,
    /// For the next page; `null` on the last.
    next_cursor: Option<String>,
}
