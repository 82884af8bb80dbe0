//! [`Once`]: a request that changes something, carried out once however often it is sent under one `Idempotency-Key`.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::IdempotentRow;

use super::Api;
use super::auth::Caller;
use super::extract::{Body, json};
use super::problem::Problem;
use crate::Error;
use crate::calls::Calls;
use crate::idempotency::{Pending, Turn};

/// A request as it came.
pub(crate) struct Once {
    calls: Calls,
    caller: Caller,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl FromRequest<Api> for Once {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| Problem::of_status(StatusCode::UNAUTHORIZED))?;
        let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
        let Body(body) = Body::from_request(request, api).await?;
        Ok(Self { calls: api.calls.clone(), caller, path, headers, body })
    }
}

impl Once {
    /// Reads it and carries it out, or gives the answer of the first time again. Whoever carries it out keeps the answer, where
    /// one is to be kept, together with what was done.
    pub(crate) async fn carry_out<T: DeserializeOwned>(
        self,
        act: impl AsyncFnOnce(Calls, T, Option<Pending>) -> Result<Response, Problem>,
    ) -> Result<Response, Problem> {
        let Self { calls, caller, path, headers, body } = self;
        let pending = match headers.get("idempotency-key") {
            None => None,
            Some(key) => {
                let key = key.to_str().unwrap_or_default();
                match calls.idempotency().begin(&caller.name, key, &path, &body).await? {
                    Turn::Answered(answer) => return Ok(replayed(calls.with_its_secret(answer).await?)),
                    Turn::New(pending) => Some(pending),
                }
            }
        };
        act(calls, json(&headers, &body)?, pending).await
    }

    /// The same for what is done at once and leaves no record to keep the answer with: 202 and what is shown is kept afterwards.
    /// Where that fails, as when the disk is full, the client is told so, and repeats it at its own risk.
    pub(crate) async fn order<T: DeserializeOwned, Shown: Serialize>(
        self,
        act: impl AsyncFnOnce(Calls, T) -> Result<Shown, Error>,
    ) -> Result<Response, Problem> {
        let order = async |calls: Calls, request: T, pending: Option<Pending>| {
            let text = serde_json::to_string(&act(calls.clone(), request).await?).map_err(Error::from)?;
            if let Some(pending) = pending {
                let answer = pending.answer(StatusCode::ACCEPTED.as_u16(), None, text.clone());
                calls.idempotency().keep(&answer).await?;
            }
            Ok((StatusCode::ACCEPTED, [(header::CONTENT_TYPE, "application/json")], text).into_response())
        };
        self.carry_out(order).await
    }
}

/// The answer of the first time, again.
fn replayed(answer: IdempotentRow) -> Response {
    let status = u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = (status.unwrap_or(StatusCode::ACCEPTED), answer.body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    if let Some(location) = answer.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        headers.insert(header::LOCATION, location);
    }
    response
}
