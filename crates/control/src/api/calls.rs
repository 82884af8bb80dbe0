//! `/v1/calls`.

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use store::CallFilter;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::{Id, Params, cursor, limit};
use super::once::Once;
use super::problem::Problem;
use crate::calls::{CALL_PREFIX, location};
use crate::{Call, Error, NewCall, recording};

const STATUSES: [&str; 6] = ["queued", "dialing", "ringing", "early_media", "answered", "ended"];
const DIRECTIONS: [&str; 2] = ["outbound", "inbound"];
/// Told with a recording whose end is missing.
const RECORDING_INCOMPLETE: HeaderName = HeaderName::from_static("recording-incomplete");

/// Places a call.
#[utoipa::path(
    post,
    path = "/v1/calls",
    tag = "calls",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    request_body = NewCall,
    responses(
        (status = 202, description = "The call, `queued`", body = Call, headers(("Location" = String, description = "Where it is found"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role or `[dial] allow` forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not sent as JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong, or the Idempotency-Key was used before", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Draining, or too many calls wait", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn create(once: Once) -> Result<Response, Problem> {
    once.carry_out(async |calls, request: NewCall, pending| {
        let call = calls.place(request, pending.as_ref()).await?;
        Ok((StatusCode::ACCEPTED, [(header::LOCATION, location(&call.id))], Json(call)).into_response())
    })
    .await
}

/// Lists calls, newest first.
#[utoipa::path(
    get,
    path = "/v1/calls",
    tag = "calls",
    params(Filter),
    responses(
        (status = 200, description = "A page", body = CallPage),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn list(State(api): State<Api>, Params(filter): Params<Filter>) -> Result<Json<CallPage>, Problem> {
    let limit = limit(filter.limit)?;
    let filter = CallFilter {
        status: one_of("status", filter.status, &STATUSES)?,
        direction: one_of("direction", filter.direction, &DIRECTIONS)?,
        before: cursor(filter.cursor, CALL_PREFIX)?,
    };
    // One more than asked for tells whether another page follows.
    let mut rows = api.calls.config().store.calls(&filter, limit + 1).await.map_err(Error::from)?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.id.clone());
    let data = rows.into_iter().map(Call::from_row).collect::<Result<_, _>>()?;
    Ok(Json(CallPage { data, next_cursor }))
}

/// Shows a call.
#[utoipa::path(
    get,
    path = "/v1/calls/{id}",
    tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses(
        (status = 200, description = "The call as it is now", body = Call),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such call", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn show(State(api): State<Api>, Id(id): Id) -> Result<Json<Call>, Problem> {
    Ok(Json(api.calls.call(&id).await?))
}

/// Shows what was said, so far.
#[utoipa::path(
    get,
    path = "/v1/calls/{id}/transcript",
    tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses(
        (status = 200, description = "What was said, in order", body = Transcript),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such call", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn transcript(State(api): State<Api>, Id(id): Id) -> Result<Json<Transcript>, Problem> {
    api.calls.call(&id).await?;
    let rows = api.calls.config().store.transcript(&id).await.map_err(Error::from)?;
    let entry = |row: store::TranscriptRow| TranscriptEntry {
        at_ms: row.at_ms,
        end_ms: row.end_ms,
        speaker: row.speaker,
        text: row.text,
        is_final: true,
    };
    Ok(Json(Transcript { data: rows.into_iter().map(entry).collect() }))
}

/// Hands out the recording: stereo, left they, right we.
#[utoipa::path(
    get,
    path = "/v1/calls/{id}/recording",
    tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses(
        (status = 200, description = "Stereo: WAV, or Opus in Ogg where `[media] recording_format` said so", content((Wav = "audio/wav"), (OggOpus = "audio/ogg")), headers(("Recording-Incomplete" = bool, description = "`true` where the end of an encrypted recording is missing: the program died while it was written, or somebody cut it off"))),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such call (`not_found`), or nothing was recorded (`not_recorded`): it was never connected, for example", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The call has not ended (`recording_not_ready`), or the recording is encrypted and cannot be read with the key that is configured (`recording_encrypted`)", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Deleted: the time that recordings are kept is over", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn recording(State(api): State<Api>, Id(id): Id) -> Result<Response, Problem> {
    let row = api.calls.config().store.call(&id).await.map_err(Error::from)?.ok_or(Error::NotFound("call"))?;
    if row.status != "ended" {
        let message = "the recording is there when the call has ended".to_owned();
        return Err(Error::Conflict { code: "recording_not_ready", message }.into());
    }
    let path = match (row.recording, row.recording_deleted_at, row.answered_at) {
        (Some(path), _, _) => path,
        (None, Some(at), _) => return Err(Error::RecordingDeleted { at }.into()),
        (None, None, None) => {
            return Err(Error::NotRecorded("the call was never connected: nothing was recorded").into());
        }
        (None, None, Some(_)) => return Err(Error::NotRecorded("this call was not recorded").into()),
    };
    let (media_type, extension) = kind(&path);
    let reader = recording::open(api.calls.config(), path.into()).await?;
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_LENGTH, reader.len().to_string()),
        (header::CONTENT_DISPOSITION, format!("inline; filename=\"{id}.{extension}\"")),
    ];
    let incomplete = (!reader.is_complete()).then_some([(RECORDING_INCOMPLETE, "true")]);
    if incomplete.is_some() {
        tracing::warn!(call_id = %id, "the end of a recording is missing");
    }
    Ok((headers, incomplete, HttpBody::from_stream(recording::pieces(reader, id))).into_response())
}

/// Media type and extension of a recording, whatever recordings are written as now (RFC 7845 §9).
fn kind(path: &str) -> (&'static str, &'static str) {
    if path.ends_with(".opus") { ("audio/ogg; codecs=opus", "opus") } else { ("audio/wav", "wav") }
}

/// Explains what a call does now: pipeline, state, next deadline.
#[utoipa::path(
    get,
    path = "/v1/calls/{id}/explain",
    tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses(
        (status = 200, description = "In words", body = Explanation),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such call", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn explain(State(api): State<Api>, Id(id): Id) -> Result<Json<Explanation>, Problem> {
    let call = api.calls.call(&id).await?;
    let explanation = api.calls.explain(&id).unwrap_or_else(|| match call.status.as_str() {
        "ended" => "the call is over".to_owned(),
        _ => "the call waits for a line".to_owned(),
    });
    Ok(Json(Explanation { call_id: id, status: call.status, explanation }))
}

/// Which calls to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only with this status.
    status: Option<String>,
    /// `outbound` or `inbound`.
    direction: Option<String>,
    /// Most entries to answer with: 1 to 100, 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallPage {
    data: Vec<Call>,
    /// For the next page; `null` on the last.
    next_cursor: Option<String>,
}

/// What was said on a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transcript {
    data: Vec<TranscriptEntry>,
}

/// One thing said. Times count from the answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TranscriptEntry {
    at_ms: i64,
    end_ms: i64,
    /// `agent`, `callee` or `operator`.
    speaker: String,
    text: String,
    #[serde(rename = "final")]
    is_final: bool,
}

/// Stereo, 8 kHz: left they, right we.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "a recording is streamed from its file; this describes it")]
struct Wav(Vec<u8>);

/// Stereo: left they, right we.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "a recording is streamed from its file; this describes it")]
struct OggOpus(Vec<u8>);

/// What a call does now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explanation {
    call_id: String,
    status: String,
    explanation: String,
}

pub(crate) fn one_of(field: &str, value: Option<String>, known: &[&str]) -> Result<Option<String>, Error> {
    match value {
        Some(value) if !known.contains(&value.as_str()) => {
            Err(Error::invalid(field, format!("send one of {}", known.join(", "))))
        }
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_handed_out_as_what_its_file_is() {
        assert_eq!(kind("/recordings/call_1.wav"), ("audio/wav", "wav"));
        assert_eq!(kind("/recordings/call_1.opus"), ("audio/ogg; codecs=opus", "opus"));
    }
}
