//! `/v1/prompts`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::extract::{Body, Id, Page, Params, created, cursor, json, limit, page};
use super::once::Once;
use super::problem::Problem;
use crate::prompt::{NewPrompt, PROMPT_PREFIX, Prompt, PromptChange, location};

/// Keeps a prompt.
#[utoipa::path(
    post,
    path = "/v1/prompts",
    operation_id = "create_prompt",
    tag = "prompts",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    request_body = NewPrompt,
    responses(
        (status = 201, description = "The prompt", body = Prompt, headers(("Location" = String, description = "Where it is found"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not sent as JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong, or the Idempotency-Key was used before", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn create(once: Once) -> Result<Response, Problem> {
    once.carry_out(async |calls, request: NewPrompt, pending| {
        let prompt = calls.keep_prompt(request, pending.as_ref()).await?;
        Ok(created(&location(&prompt.id), prompt))
    })
    .await
}

/// Lists prompts, newest first.
#[utoipa::path(
    get,
    path = "/v1/prompts",
    operation_id = "list_prompts",
    tag = "prompts",
    params(Page),
    responses(
        (status = 200, description = "A page", body = PromptPage),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn list(State(api): State<Api>, Params(wanted): Params<Page>) -> Result<Json<PromptPage>, Problem> {
    let limit = limit(wanted.limit)?;
    let before = cursor(wanted.cursor, PROMPT_PREFIX)?;
    let found = api.calls.prompts(before.as_deref(), limit + 1).await?;
    let (data, next_cursor) = page(found, limit, |prompt| prompt.id.clone());
    Ok(Json(PromptPage { data, next_cursor }))
}

/// Shows a prompt.
#[utoipa::path(
    get,
    path = "/v1/prompts/{id}",
    operation_id = "show_prompt",
    tag = "prompts",
    params(("id" = String, Path, description = "The prompt")),
    responses(
        (status = 200, description = "The prompt", body = Prompt),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such prompt", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn show(State(api): State<Api>, Id(id): Id) -> Result<Json<Prompt>, Problem> {
    Ok(Json(api.calls.prompt(&id).await?))
}

/// Changes a prompt. Calls that are scheduled have their copies.
#[utoipa::path(
    patch,
    path = "/v1/prompts/{id}",
    operation_id = "update_prompt",
    tag = "prompts",
    params(("id" = String, Path, description = "The prompt")),
    request_body = PromptChange,
    responses(
        (status = 200, description = "The prompt as it is now", body = Prompt),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such prompt", body = Problem, content_type = "application/problem+json"),
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
) -> Result<Json<Prompt>, Problem> {
    Ok(Json(api.calls.change_prompt(&id, json(&headers, &body)?).await?))
}

/// Forgets a prompt. Calls that are scheduled have their copies.
#[utoipa::path(
    delete,
    path = "/v1/prompts/{id}",
    operation_id = "delete_prompt",
    tag = "prompts",
    params(("id" = String, Path, description = "The prompt")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such prompt", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn delete(State(api): State<Api>, Id(id): Id) -> Result<StatusCode, Problem> {
    api.calls.delete_prompt(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of prompts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PromptPage {
    data: Vec<Prompt>,
    /// For the next page; `null` on the last.
    next_cursor: Option<String>,
}
