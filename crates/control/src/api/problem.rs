//! Errors as `application/problem+json` (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Error;

const CONTENT_TYPE: &str = "application/problem+json";
/// Seconds after which trying again may help.
const RETRY_AFTER: u32 = 10;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The kind of problem; stable.
    #[serde(rename = "type")]
    #[schema(example = "urn:offhook:problem:invalid_field")]
    kind: String,
    /// The HTTP status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The kind of problem, short; stable.
    #[schema(example = "invalid_field")]
    code: &'static str,
    /// This case, in words.
    detail: String,
    /// The field that is wrong, as a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:offhook:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            field: None,
            retry_after: None,
        }
    }

    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(crate) fn retry_later(mut self) -> Self {
        self.retry_after = Some(RETRY_AFTER);
        self
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "send a known key as Authorization: Bearer KEY")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::of_status(StatusCode::METHOD_NOT_ALLOWED)
    }

    /// A refusal that came from below without words.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "the Allow header names the methods of this path"),
            StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "the body is larger than 64 KiB"),
            _ => ("http_error", "the request could not be handled"),
        };
        Self::new(status, code, detail)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (code, detail) = (error.code(), error.to_string());
        if let Error::Recordings { .. } | Error::Unreadable(_) | Error::Store(_) | Error::Damaged(_) = &error {
            // The cause is for the operator's log, not for the client.
            tracing::error!(error = &error as &dyn std::error::Error, code, "a request failed");
        }
        match error {
            Error::Invalid { field, message } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message).field(field)
            }
            Error::NotAllowed { field, .. } => Self::new(StatusCode::FORBIDDEN, code, detail).field(field),
            Error::NotFound(_) | Error::NotRecorded(_) | Error::NoSipMessages => {
                Self::new(StatusCode::NOT_FOUND, code, detail)
            }
            Error::RecordingDeleted { .. } => Self::new(StatusCode::GONE, code, detail),
            Error::TooManyOrders => Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail).retry_later(),
            Error::Conflict { .. } => Self::new(StatusCode::CONFLICT, code, detail),
            Error::IdempotencyKeyReused => Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail),
            Error::Draining | Error::QueueFull { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_later()
            }
            Error::Store(error @ (store::Error::Busy(_) | store::Error::Taken(_) | store::Error::Unavailable(_))) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, format!("{detail}: {error}")).retry_later()
            }
            // Room comes by somebody's hand, not by waiting.
            Error::Store(error @ store::Error::Full(_)) => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, code, format!("{detail}: {error}"))
            }
            Error::Recordings { .. } | Error::Unreadable(_) | Error::Store(_) | Error::Damaged(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, detail)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

pub(crate) fn is_problem(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == CONTENT_TYPE)
}

#[cfg(test)]
mod tests {
    use store::Error as Store;

    use super::*;

    #[test]
    fn what_the_database_cannot_do_now_is_told_apart_from_what_it_cannot_do() {
        let cause = || store::Cause::from("postgres://offhook:s3cr3t@db.test");
        for (error, status, code, retry_after) in [
            (Store::Busy(cause()), 503, "store_busy", Some("10")),
            (Store::Taken(cause()), 503, "store_busy", Some("10")),
            (Store::Unavailable(cause()), 503, "store_unavailable", Some("10")),
            (Store::Full(cause()), 507, "store_full", None),
            (Store::NodeInUse { node: "edge-1".into() }, 500, "internal", None),
        ] {
            let problem = Problem::from(Error::from(error));
            assert_eq!((problem.status, problem.code), (status, code));
            assert!(!problem.detail.contains("s3cr3t"), "{}", problem.detail);
            let response = problem.into_response();
            assert_eq!(response.status(), status);
            assert!(is_problem(&response));
            let told = response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
            assert_eq!(told, retry_after, "{code}");
        }
    }
}
