//! `/v1/calls/{id}/actions`: orders to a live call. The answer is the call as it was when the order was taken.

use agent::AgentCommand;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::Id;
use super::once::Once;
use super::problem::Problem;
use crate::{Call, Error};

/// Most keys of one order.
const MAX_DIGITS: usize = 64;
/// Longest text of one order, in bytes.
const MAX_TEXT: usize = 1000;

/// Ends a call: with a goodbye when it was answered. Again does no harm.
///
/// The call ends as `canceled`, before the answer and after it, since it ended because it was asked to; `answered_at`
/// tells the two apart. It ends otherwise when the other side was faster (`callee_hung_up`) or the agent had come to an
/// end of its own, such as `message_left`.
#[utoipa::path(
    post,
    path = "/v1/calls/{id}/actions/hangup",
    tag = "live calls",
    params(
        ("id" = String, Path, description = "The call"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat"),
    ),
    request_body = HangUp,
    responses(
        (status = 202, description = "The order is taken", body = Call),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such call", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn hangup(Id(id): Id, once: Once) -> Result<Response, Problem> {
    once.order(async |calls, HangUp {}| calls.hang_up(&id).await).await
}

/// Presses keys on an answered call.
#[utoipa::path(
    post,
    path = "/v1/calls/{id}/actions/dtmf",
    tag = "live calls",
    params(
        ("id" = String, Path, description = "The call"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat"),
    ),
    request_body = Dtmf,
    responses(
        (status = 202, description = "The order is taken", body = Call),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such call", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not answered (`call_not_answered`), saying goodbye (`call_ending`), or ended (`call_ended`)", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too much waits to be said or pressed on this call", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
    ),
    security(("key" = []))
)]
pub(crate) async fn dtmf(Id(id): Id, once: Once) -> Result<Response, Problem> {
    once.order(async |calls, order: Dtmf| {
        let is_key = |key: char| "0123456789*#ABCDabcdwW,".contains(key);
        if !(1..=MAX_DIGITS).contains(&order.digits.len()) || !order.digits.chars().all(is_key) {
            let message = format!("send 1 to {MAX_DIGITS} of 0-9, *, #, A-D, and w or a comma for half a second");
            return Err(Error::invalid("digits", message));
        }
        calls.command(&id, AgentCommand::Press(order.digits)).await
    })
    .await
}

/// Says a text on an answered call.
#[utoipa::path(
    post,
    path = "/v1/calls/{id}/actions/say",
    tag = "live calls",
    params(
        ("id" = String, Path, description = "The call"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat"),
    ),
    request_body = Say,
    responses(
        (status = 202, description = "The order is taken", body = Call),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The role forbids it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such call", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not answered (`call_not_answered`), saying goodbye (`call_ending`), or ended (`call_ended`)", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too much waits to be said or pressed on this call", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
    ),
    security(("key" = []))
)]
pub(crate) async fn say(Id(id): Id, once: Once) -> Result<Response, Problem> {
    once.order(async |calls, order: Say| {
        if order.text.trim().is_empty() || order.text.len() > MAX_TEXT {
            return Err(Error::invalid("text", format!("send 1 to {MAX_TEXT} bytes to say")));
        }
        calls.command(&id, AgentCommand::Say(order.text)).await
    })
    .await
}

/// Ends the call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HangUp {}

/// Keys to press.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dtmf {
    /// `0-9 * # A-D`; `w` and `,` are half a second of silence.
    #[schema(example = "1w2#")]
    digits: String,
}

/// Words to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Say {
    /// The words.
    text: String,
}
