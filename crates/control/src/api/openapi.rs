//! `/v1/openapi.json`: the API described by its own code.

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, RefOr, Schema};
use utoipa::{Modify, OpenApi};

use super::{actions, calls, events, health, prompts, scheduled_calls, sip, trunks, webhooks};

pub(crate) const PATH: &str = "/v1/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "offhook",
        description = "An AI agent on a telephone line.\n\nBesides what each operation says, any that needs the database \
                       answers 503 with Retry-After while that cannot be reached (`store_unavailable`) or is busy \
                       (`store_busy`), and 507 when it has no room (`store_full`); nothing was written then.",
        version = "1"
    ),
    paths(
        calls::create,
        calls::list,
        calls::show,
        calls::transcript,
        calls::recording,
        sip::show,
        calls::explain,
        actions::hangup,
        actions::dtmf,
        actions::say,
        scheduled_calls::create,
        scheduled_calls::list,
        scheduled_calls::show,
        scheduled_calls::update,
        scheduled_calls::delete,
        prompts::create,
        prompts::list,
        prompts::show,
        prompts::update,
        prompts::delete,
        webhooks::create,
        webhooks::list,
        webhooks::show,
        webhooks::update,
        webhooks::delete,
        webhooks::deliveries,
        webhooks::rotate_secret,
        webhooks::replay,
        events::all,
        events::of_call,
        trunks::list,
        trunks::show,
        health::live,
        health::ready,
        document,
    ),
    modifiers(&Key, &AlwaysPresent)
)]
struct Api;

struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut Document) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        document.components.get_or_insert_default().add_security_scheme("key", SecurityScheme::Http(bearer));
    }
}

/// What we answer with has all its fields, `null` or not.
struct AlwaysPresent;

impl Modify for AlwaysPresent {
    fn modify(&self, document: &mut Document) {
        let schemas = &mut document.components.get_or_insert_default().schemas;
        let with_nulls =
            ["Caller", "Diversion", "Party", "Verstat", "Trunk", "TrunkLimits", "TrunkPage", "TrunkRegistration"];
        let of_schedules = ["ScheduledCall", "ScheduledCallPage", "Recipient", "Prompt", "PromptPage"];
        let of_webhooks = ["Webhook", "WebhookPage", "Delivery", "DeliveryPage"];
        let of_calls = ["Call", "CallPage", "EventPage", "ResponseMs"];
        for name in of_calls.into_iter().chain(with_nulls).chain(of_schedules).chain(of_webhooks) {
            if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(name) {
                object.required = object.properties.keys().cloned().collect();
            }
        }
    }
}

/// The OpenAPI 3.1 document of the API.
pub fn openapi_json() -> String {
    // Plain maps, strings and numbers: nothing in a document fails to be written.
    let mut json = Api::openapi().to_pretty_json().expect("an OpenAPI document is JSON");
    json.push('\n');
    json
}

/// Hands out this document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "health", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json())
}
