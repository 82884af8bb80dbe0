//! What a request brings, read strictly: every mistake has a document that names it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::problem::Problem;
use crate::{Error, ids};

/// Entries of a page when `limit` does not say.
const DEFAULT_LIMIT: u32 = 20;
/// Most entries of a page.
const MAX_LIMIT: u32 = 100;

/// A body that arrived whole.
pub(crate) struct Body(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = Bytes::from_request(request, state).await;
        read.map(Self).map_err(|rejection: BytesRejection| Problem::of_status(rejection.status()))
    }
}

/// Reads a JSON body. An absent one counts as `{}` where nothing is required of it.
pub(crate) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !body.is_empty() && media_type != "application/json" && !media_type.ends_with("+json") {
        let detail = "send JSON with Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
    }
    let text = if body.is_empty() { b"{}" } else { body };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        refused(error.inner(), &path)
    })?;
    reader.end().map_err(|error| refused(&error, "."))?;
    Ok(value)
}

fn refused(error: &serde_json::Error, path: &str) -> Problem {
    if !error.is_data() {
        return Problem::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body is not JSON: {error}"));
    }
    let message = error.to_string();
    let code = if message.starts_with("unknown field") { "unknown_field" } else { "invalid_field" };
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, message);
    if path == "." { problem } else { problem.field(path) }
}

/// The id of something in a path. What is no id is simply not found.
pub(crate) struct Id(pub(crate) String);

/// The name of a trunk in a path.
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        in_path(parts, state, "such path").await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        in_path(parts, state, "trunk").await.map(Self)
    }
}

async fn in_path<S: Send + Sync>(parts: &mut Parts, state: &S, what: &'static str) -> Result<String, Problem> {
    let path = Path::<String>::from_request_parts(parts, state).await;
    path.map(|Path(text)| text).map_err(|_: PathRejection| Error::NotFound(what).into())
}

/// A query string.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(params)| Self(params)).map_err(|rejection: QueryRejection| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_query", rejection.body_text())
        })
    }
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Most entries to answer with: 1 to 100, 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// One page of what was found, which is one more than `limit` where another page follows, and that page's cursor.
pub(crate) fn page<T>(mut found: Vec<T>, limit: u32, id: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next_cursor = found.last().filter(|_| more).map(id);
    (found, next_cursor)
}

/// The answer to a request that has made something.
pub(crate) fn created(location: &str, what: impl Serialize) -> Response {
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(what)).into_response()
}

/// `limit` within its bounds.
pub(crate) fn limit(limit: Option<u32>) -> Result<u32, Error> {
    match limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(Error::invalid("limit", format!("send 1 to {MAX_LIMIT}"))),
    }
}

/// A cursor that one of our pages can have given.
pub(crate) fn cursor(cursor: Option<String>, prefix: &str) -> Result<Option<String>, Problem> {
    match cursor {
        Some(cursor) if !ids::is_id(&cursor, prefix) => Err(invalid_cursor()),
        cursor => Ok(cursor),
    }
}

/// None of our pages gave this cursor.
pub(crate) fn invalid_cursor() -> Problem {
    let detail = "send next_cursor of the page before, as it was";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_cursor", detail).field("cursor")
}
