//! Who may do what. The key is checked before anything else of a request is looked at.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use store::KeyRow;
use subtle::ConstantTimeEq;

use super::problem::Problem;
use super::{health, metrics, openapi};
use crate::config::{ApiKey, ControlConfig, Role};
use crate::{Error, clock};

/// The keys that open the API.
#[derive(Debug)]
pub(crate) struct Keys {
    keys: Vec<Key>,
    open_metrics: bool,
}

#[derive(Debug)]
struct Key {
    name: Arc<str>,
    role: Role,
    sha256: Vec<u8>,
}

/// Who sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Name of the key.
    pub(crate) name: Arc<str>,
    role: Role,
}

impl Keys {
    /// Makes the configured keys the only ones of the store.
    pub(crate) async fn install(config: &ControlConfig) -> Result<Self, Error> {
        let store = &config.store;
        let created_at = clock::rfc3339(clock::now());
        let row = |key: &ApiKey| KeyRow {
            name: key.name.clone(),
            role: key.role.as_str().to_owned(),
            sha256: Sha256::digest(&key.key).to_vec(),
            created_at: created_at.clone(),
        };
        let rows: Vec<KeyRow> = config.keys.iter().filter(|key| !key.key.is_empty()).map(row).collect();
        store.replace_keys(&rows).await?;
        let key =
            |row: KeyRow| Some(Key { name: row.name.into(), role: Role::from_name(&row.role)?, sha256: row.sha256 });
        let keys = store.keys().await?.into_iter().filter_map(key).collect();
        Ok(Self { keys, open_metrics: config.open_metrics })
    }

    /// Health and the document tell nothing of calls, and pages outside `/v1` are none of the API. Figures are told to
    /// everybody only where nobody else is.
    fn are_needed_for(&self, path: &str) -> bool {
        match path {
            health::LIVE | health::READY | openapi::PATH => false,
            metrics::PATH => !self.open_metrics,
            path => path.starts_with("/v1"),
        }
    }

    fn caller(&self, key: &str) -> Option<Caller> {
        let sha256 = Sha256::digest(key);
        // All keys are compared, each in constant time: the time taken tells nothing of any.
        let mut found = None;
        for key in &self.keys {
            if bool::from(key.sha256.as_slice().ct_eq(sha256.as_slice())) {
                found = Some(key);
            }
        }
        found.map(|key| Caller { name: Arc::clone(&key.name), role: key.role })
    }
}

/// Lets in who has a key with the right role.
pub(crate) async fn check(State(keys): State<Arc<Keys>>, mut request: Request, next: Next) -> Response {
    if !keys.are_needed_for(request.uri().path()) {
        return next.run(request).await;
    }
    let Some(caller) = bearer(&request).and_then(|key| keys.caller(key)) else {
        return Problem::unauthorized().into_response();
    };
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if let Some(required) = route.and_then(|route| required_role(request.method(), route))
        && caller.role < required
    {
        let detail = format!("this needs a key of role {:?}; yours is {:?}", required.as_str(), caller.role.as_str());
        return Problem::new(StatusCode::FORBIDDEN, "forbidden", detail).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn bearer(request: &Request) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    // RFC 9110 §11.1: the scheme is case-insensitive.
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The role a route needs; `None` where the method is none of the route's.
fn required_role(method: &Method, route: &str) -> Option<Role> {
    match (method.as_str(), route) {
        ("GET" | "HEAD", _) => Some(Role::Read),
        ("POST", "/v1/calls") => Some(Role::Dial),
        // What is said here is dialed later.
        ("POST" | "PATCH" | "DELETE", route)
            if route.starts_with("/v1/scheduled-calls") || route.starts_with("/v1/prompts") =>
        {
            Some(Role::Dial)
        }
        // What is said on calls goes there.
        ("POST" | "PATCH" | "DELETE", route) if route.starts_with("/v1/webhooks") => Some(Role::Admin),
        ("POST", route) if route.contains("/actions/") => Some(Role::Operate),
        _ => None,
    }
}
