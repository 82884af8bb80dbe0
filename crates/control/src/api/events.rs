//! `/v1/events`: the journal as pages, and as a stream of Server-Sent Events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::{Id, Page, Params, cursor, limit};
use super::problem::Problem;
use crate::journal::{EVENT_PREFIX, Follower};
use crate::{Error, ids};

/// Streams at once.
const MAX_STREAMS: usize = 256;
/// How often a quiet stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Counts the streams.
#[derive(Debug, Clone)]
pub(crate) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_STREAMS)))
    }
}

/// Lists events, oldest first; with `Accept: text/event-stream` follows them instead.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    params(
        Filter,
        ("Last-Event-ID" = Option<String>, Header, description = "Resumes a stream after this event; a stream begins now without it"),
    ),
    responses(
        (status = 200, description = "A page, or a stream", content((EventPage = "application/json"), (String = "text/event-stream"))),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many streams", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn all(
    State(api): State<Api>,
    headers: HeaderMap,
    Params(filter): Params<Filter>,
) -> Result<Response, Problem> {
    let page = Page { limit: filter.limit, cursor: filter.cursor };
    answer(&api, &headers, page, filter.call_id).await
}

/// Lists the events of a call, oldest first; with `Accept: text/event-stream` follows them instead.
#[utoipa::path(
    get,
    path = "/v1/calls/{id}/events",
    tag = "events",
    params(
        ("id" = String, Path, description = "The call"),
        Page,
        ("Last-Event-ID" = Option<String>, Header, description = "Resumes a stream after this event; a stream begins now without it"),
    ),
    responses(
        (status = 200, description = "A page, or a stream", content((EventPage = "application/json"), (String = "text/event-stream"))),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such call", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many streams", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn of_call(
    State(api): State<Api>,
    Id(id): Id,
    headers: HeaderMap,
    Params(page): Params<Page>,
) -> Result<Response, Problem> {
    api.calls.call(&id).await?;
    answer(&api, &headers, page, Some(id)).await
}

/// Which events to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only of this call.
    call_id: Option<String>,
    /// Most entries to answer with: 1 to 100, 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventPage {
    #[schema(value_type = Vec<EventDocument>)]
    data: Vec<Box<RawValue>>,
    /// For the next page; `null` when there is nothing more yet.
    next_cursor: Option<String>,
}

/// An event. `data` has more fields, by `type`.
#[derive(Debug, ToSchema)]
#[schema(as = Event)]
#[allow(dead_code, reason = "events are handed out as the bytes they were written with; this describes them")]
pub(crate) struct EventDocument {
    /// `evt_…`; sorts by time.
    id: String,
    /// What happened: `call.answered`, `call.transcript`, `registration.failed`, …
    #[schema(rename = "type")]
    r#type: String,
    /// RFC 3339.
    timestamp: String,
    data: EventData,
}

/// What events say first, those of calls, of registrations and of webhooks.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "events are handed out as the bytes they were written with; this describes them")]
pub(crate) struct EventData {
    /// The call, of `call.…`.
    #[schema(required = false)]
    call_id: String,
    /// Since the answer; 0 before it.
    #[schema(required = false)]
    at_ms: u64,
    /// The trunk, of `registration.…`.
    #[schema(required = false)]
    trunk: String,
    /// Its domain.
    #[schema(required = false)]
    host: String,
    /// The webhook, of `webhook.…`.
    #[schema(required = false)]
    webhook_id: String,
    /// RFC 3339: when its registration changed.
    #[schema(required = false)]
    at: String,
}

async fn answer(api: &Api, headers: &HeaderMap, page: Page, call_id: Option<String>) -> Result<Response, Problem> {
    let limit = limit(page.limit)?;
    let cursor = cursor(page.cursor, EVENT_PREFIX)?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/event-stream") {
        return stream(api, headers, call_id);
    }
    // One more than asked for tells whether another page follows.
    let mut events =
        api.calls.journal().page(cursor.as_deref().unwrap_or_default(), call_id.as_deref(), limit + 1).await?;
    let more = events.len() > limit as usize;
    events.truncate(limit as usize);
    let next_cursor = events.last().filter(|_| more).map(|event| event.id.clone());
    let data = events
        .into_iter()
        .map(|event| RawValue::from_string(event.json))
        .collect::<Result<_, _>>()
        .map_err(Error::from)?;
    Ok(Json(EventPage { data, next_cursor }).into_response())
}

fn stream(api: &Api, headers: &HeaderMap, call_id: Option<String>) -> Result<Response, Problem> {
    let follower = match headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default()) {
        None => api.calls.journal().follow_from_now(call_id),
        Some(id) if ids::is_id(id, EVENT_PREFIX) => api.calls.journal().follow_after(id.to_owned(), call_id),
        Some(_) => {
            return Err(Error::invalid("Last-Event-ID", "send the id of an event as it was").into());
        }
    };
    let Ok(place) = Arc::clone(&api.streams.0).try_acquire_owned() else {
        let detail = format!("{MAX_STREAMS} streams are open already");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail).retry_later());
    };
    let state = (follower, api.calls.stopped(), place);
    let events = futures_util::stream::unfold(state, async |(mut follower, stopped, place)| {
        // A stream must not keep the program from stopping.
        let event = stopped.run_until_cancelled(next(&mut follower)).await??;
        Some((Ok::<_, Infallible>(event), (follower, stopped.clone(), place)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

async fn next(follower: &mut Follower) -> Option<Event> {
    let event = follower.next().await?;
    Some(Event::default().id(event.id).event(event.kind).data(event.json))
}
