//! [`Webhook`] and [`Delivery`], as the API shows them, and what may be asked for.

use serde::{Deserialize, Serialize};
use store::{DeliveryRow, WebhookRow};
use utoipa::ToSchema;

use crate::Error;
use crate::request::given;

/// Longest description, in bytes.
const MAX_DESCRIPTION: usize = 200;
/// Most types of one webhook.
const MAX_TYPES: usize = 50;
/// Longest type, in bytes.
const MAX_TYPE: usize = 100;

/// Somebody who is told of events. All fields are always present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Webhook {
    /// `hook_…`; sorts by time.
    pub(crate) id: String,
    /// Where events are sent to, by POST.
    pub(crate) url: String,
    /// What it is for.
    pub(crate) description: Option<String>,
    /// Types of events that are sent; none means all.
    pub(crate) events: Vec<String>,
    /// Whether events are sent.
    pub(crate) enabled: bool,
    /// RFC 3339: since when not.
    pub(crate) disabled_at: Option<String>,
    /// Why not: `requested`, or `gone` when they answered 410.
    pub(crate) disabled_reason: Option<String>,
    /// RFC 3339: until when signatures are made with the former secret, too.
    pub(crate) previous_secret_until: Option<String>,
    /// Events up to this one have been sent, or wait among its deliveries.
    pub(crate) last_event_id: Option<String>,
    /// Attempts in a row, of whatever event, that found nobody who could take one.
    pub(crate) failures: i64,
    /// RFC 3339: nothing is sent before, because of these.
    pub(crate) retry_at: Option<String>,
    /// What went wrong last, in words, while it does.
    pub(crate) error: Option<String>,
    /// RFC 3339.
    pub(crate) created_at: String,
    /// RFC 3339.
    pub(crate) updated_at: String,
}

/// A webhook, and the secret that its signatures are made with, which is shown this once.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct WebhookWithSecret {
    #[serde(flatten)]
    pub(crate) webhook: Webhook,
    /// For a library of Standard Webhooks, as it is.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub(crate) secret: String,
}

/// A webhook to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhook {
    /// Where events are sent to: https, on the public internet.
    #[schema(example = "https://example.com/hooks/offhook")]
    pub(crate) url: String,
    /// Types of events that are sent: `call.ended`, or `call.transfer.*` for all that begin so. All, when left out.
    #[serde(default)]
    #[schema(example = json!(["call.ended", "call.recording.ready"]))]
    pub(crate) events: Vec<String>,
    /// What it is for.
    #[serde(default)]
    pub(crate) description: Option<String>,
}

/// Changes to a webhook; what is left out stays as it is, and `null` takes it away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookChange {
    /// Where events are sent to.
    #[serde(default)]
    pub(crate) url: Option<String>,
    /// Types of events that are sent; `[]` means all.
    #[serde(default)]
    pub(crate) events: Option<Vec<String>>,
    /// What it is for.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub(crate) description: Option<Option<String>>,
    /// Whether events are sent. What happens meanwhile is sent when it is enabled again.
    #[serde(default)]
    pub(crate) enabled: Option<bool>,
}

/// What became of an event for a webhook. All fields are always present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Delivery {
    /// The event; `webhook-id` of its messages.
    pub(crate) event_id: String,
    /// The call it tells of.
    pub(crate) call_id: Option<String>,
    /// `pending`: to be sent, or sent again, at `next_attempt_at`, or behind another of its call. `delivered`, or `failed`
    /// when it was given up.
    #[schema(example = "delivered")]
    pub(crate) status: String,
    /// How often it was sent; attempts that found nobody who could take any event are not counted here.
    pub(crate) attempts: i64,
    /// RFC 3339.
    pub(crate) first_attempt_at: Option<String>,
    /// RFC 3339.
    pub(crate) last_attempt_at: Option<String>,
    /// RFC 3339.
    pub(crate) next_attempt_at: Option<String>,
    /// What they answered last.
    pub(crate) response_status: Option<i64>,
    /// Why it was not taken, in words.
    pub(crate) error: Option<String>,
}

/// A new secret is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// How long signatures are made with the former secret, too: `24h` when left out, `0s` when it has leaked.
    #[serde(default)]
    #[schema(example = "24h")]
    pub(crate) keep_previous: Option<String>,
}

/// Events are wanted again: one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    /// This event alone.
    #[serde(default)]
    pub(crate) event_id: Option<String>,
    /// All events after this one.
    #[serde(default)]
    pub(crate) after: Option<String>,
    /// All events since this time, RFC 3339.
    #[serde(default)]
    #[schema(example = "2027-03-01T09:00:00Z")]
    pub(crate) since: Option<String>,
}

impl Webhook {
    pub(super) fn from_row(row: WebhookRow) -> Result<Self, Error> {
        Ok(Self {
            events: serde_json::from_str(&row.events_json)?,
            id: row.id,
            url: row.url,
            description: row.description,
            enabled: row.disabled_at.is_none(),
            disabled_at: row.disabled_at,
            disabled_reason: row.disabled_reason,
            previous_secret_until: row.previous_until,
            last_event_id: Some(row.cursor).filter(|cursor| !cursor.is_empty()),
            failures: row.failures,
            retry_at: row.retry_at,
            error: row.error,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }

    pub(super) fn with_secret(self, secret: String) -> WebhookWithSecret {
        WebhookWithSecret { webhook: self, secret }
    }
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        Self {
            event_id: row.event_id,
            call_id: row.call_id,
            status: row.status,
            attempts: row.attempts,
            first_attempt_at: row.first_attempt_at,
            last_attempt_at: row.last_attempt_at,
            next_attempt_at: row.next_attempt_at,
            response_status: row.response_status,
            error: row.error,
        }
    }
}

/// Whether a webhook that names these types is told of events of this one.
pub(super) fn wants(types: &[String], kind: &str) -> bool {
    let is_named = |named: &String| match named.strip_suffix('*') {
        Some(beginning) => kind.starts_with(beginning),
        None => named == kind,
    };
    types.is_empty() || types.iter().any(is_named)
}

pub(super) fn check_types(types: &[String]) -> Result<(), Error> {
    if types.len() > MAX_TYPES {
        return Err(Error::invalid("events", format!("send at most {MAX_TYPES} types, or none for all")));
    }
    for (n, named) in types.iter().enumerate() {
        let is_word = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let plain = named.strip_suffix(".*").unwrap_or(named);
        if named.len() > MAX_TYPE || !plain.split('.').all(is_word) {
            let message = "send a type of events, like call.ended, or call.* for all that begin so";
            return Err(Error::invalid(format!("events[{n}]"), message));
        }
    }
    Ok(())
}

pub(super) fn check_description(description: Option<&String>) -> Result<(), Error> {
    match description {
        Some(text) if text.trim().is_empty() || text.len() > MAX_DESCRIPTION => {
            Err(Error::invalid("description", format!("send 1 to {MAX_DESCRIPTION} bytes, or leave it out")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_one_by_one_or_by_how_they_begin() {
        let types = |named: &[&str]| named.iter().map(|&named| named.to_owned()).collect::<Vec<_>>();
        assert!(wants(&[], "call.ended"));
        let some = types(&["call.ended", "call.transfer.*"]);
        for (kind, is_wanted) in [
            ("call.ended", true),
            ("call.endedly", false),
            ("call.transfer.completed", true),
            ("call.transferred", false),
            ("registration.failed", false),
        ] {
            assert_eq!(wants(&some, kind), is_wanted, "{kind}");
        }
        for good in ["call.ended", "call.*", "media.one_way", "registration.failed"] {
            assert!(check_types(&types(&[good])).is_ok(), "{good}");
        }
        for bad in ["", "*", "call.", ".call", "call..ended", "Call.Ended", "call.*.ended", "call ended", "call.**"] {
            assert!(check_types(&types(&[bad])).is_err(), "{bad}");
        }
        assert!(check_types(&vec!["call.ended".to_owned(); MAX_TYPES + 1]).is_err());
    }
}
