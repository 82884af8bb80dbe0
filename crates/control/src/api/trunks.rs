//! `/v1/trunks`: how each trunk stands.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::extract::{Name, Page, Params, invalid_cursor, limit};
use super::problem::Problem;
use crate::trunk::Trunk;
use crate::{Error, trunks};

/// Lists the trunks, in the order of the configuration.
#[utoipa::path(
    get,
    path = "/v1/trunks",
    operation_id = "list_trunks",
    tag = "trunks",
    params(Page),
    responses(
        (status = 200, description = "A page", body = TrunkPage),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn list(State(api): State<Api>, Params(page): Params<Page>) -> Result<Json<TrunkPage>, Problem> {
    let limit = limit(page.limit)? as usize;
    let mut data = trunks::all(&api.calls).await;
    if let Some(cursor) = page.cursor {
        let last = data.iter().position(|trunk| trunk.name == cursor).ok_or_else(invalid_cursor)?;
        data.drain(..=last);
    }
    let more = data.len() > limit;
    data.truncate(limit);
    let next_cursor = data.last().filter(|_| more).map(|trunk| trunk.name.clone());
    Ok(Json(TrunkPage { data, next_cursor }))
}

/// Shows a trunk: its registration, its calls and their limits, where it is.
#[utoipa::path(
    get,
    path = "/v1/trunks/{name}",
    operation_id = "show_trunk",
    tag = "trunks",
    params(("name" = String, Path, description = "The trunk's name in the configuration")),
    responses(
        (status = 200, description = "The trunk as it stands now", body = Trunk),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such trunk", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn show(State(api): State<Api>, Name(name): Name) -> Result<Json<Trunk>, Problem> {
    let trunk = trunks::all(&api.calls).await.into_iter().find(|trunk| trunk.name == name);
    Ok(Json(trunk.ok_or(Error::NotFound("trunk"))?))
}

/// A page of trunks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrunkPage {
    data: Vec<Trunk>,
    /// For the next page; `null` on the last.
    next_cursor: Option<String>,
}
