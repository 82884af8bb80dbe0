//! What may be done with webhooks: make, show, list, change, delete; give a new secret; send again.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use store::{DeliveryFilter, DeliveryRow, IdempotentRow, WebhookRow};

use super::target::Target;
use super::turn::{MAX_WAITING, secrets};
use super::webhook::{
    Delivery, NewWebhook, Replay, Rotation, Webhook, WebhookChange, WebhookWithSecret, check_description, check_types,
};
use crate::calls::Calls;
use crate::idempotency::Pending;
use crate::journal::EVENT_PREFIX;
use crate::{Error, clock, duration, ids};

/// Prefix of the ids of webhooks.
pub(crate) const WEBHOOK_PREFIX: &str = "hook_";
/// Most webhooks.
const MAX_WEBHOOKS: u32 = 100;
/// How long a former secret is good where nothing else is said.
const KEPT_SECRET: SignedDuration = SignedDuration::from_hours(24);
/// How long it may be.
const MAX_KEPT_SECRET: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is wanted of an answer that was kept.
#[derive(Deserialize)]
struct Kept {
    id: String,
    /// A digest.
    secret: String,
}

impl Calls {
    /// Keeps a webhook, which is told of what happens from now on. Its secret is shown this once.
    pub(crate) async fn keep_webhook(
        &self,
        request: NewWebhook,
        pending: Option<&Pending>,
    ) -> Result<WebhookWithSecret, Error> {
        let NewWebhook { url, events, description } = request;
        let url = self.checked_url(&url).await?;
        check_types(&events)?;
        check_description(description.as_ref())?;
        let now = clock::rfc3339(self.time());
        let secret = self.webhooks().new_secret();
        let row = WebhookRow {
            id: self.new_id(WEBHOOK_PREFIX),
            url,
            description,
            events_json: serde_json::to_string(&events)?,
            secret: secret.bytes().to_vec(),
            cursor: self.journal().newest(),
            created_at: now.clone(),
            updated_at: now,
            ..WebhookRow::default()
        };
        let webhook = Webhook::from_row(row.clone())?;
        let kept = webhook.clone().with_secret(secret.digest());
        let answer = pending.map(|pending| pending.created(&location(&row.id), &kept)).transpose()?;
        if !self.config().store.insert_webhook(&row, MAX_WEBHOOKS, answer.as_ref()).await? {
            let message = format!("there are {MAX_WEBHOOKS} webhooks already: delete one");
            return Err(Error::Conflict { code: "too_many_webhooks", message });
        }
        self.webhooks().changed();
        Ok(webhook.with_secret(secret.text()))
    }

    /// One webhook.
    pub(crate) async fn webhook(&self, id: &str) -> Result<Webhook, Error> {
        Webhook::from_row(self.webhook_row(id).await?)
    }

    /// Webhooks older than an id, newest first.
    pub(crate) async fn list_webhooks(&self, before: Option<&str>, limit: u32) -> Result<Vec<Webhook>, Error> {
        let rows = self.config().store.webhooks(before, limit).await?;
        rows.into_iter().map(Webhook::from_row).collect()
    }

    /// Changes a webhook. One that ails is tried at once, and with it what it refused.
    pub(crate) async fn change_webhook(&self, id: &str, change: WebhookChange) -> Result<Webhook, Error> {
        let mut row = self.webhook_row(id).await?;
        let WebhookChange { url, events, description, enabled } = change;
        if let Some(url) = url {
            row.url = self.checked_url(&url).await?;
        }
        if let Some(events) = events {
            check_types(&events)?;
            row.events_json = serde_json::to_string(&events)?;
        }
        if let Some(description) = description {
            check_description(description.as_ref())?;
            row.description = description;
        }
        let now = clock::rfc3339(self.time());
        match enabled {
            Some(true) => (row.disabled_at, row.disabled_reason) = (None, None),
            Some(false) if row.disabled_at.is_none() => {
                (row.disabled_at, row.disabled_reason) = (Some(now.clone()), Some("requested".to_owned()));
            }
            _ => {}
        }
        row.updated_at = now;
        let store = &self.config().store;
        if !store.update_webhook(&row).await? {
            return Err(Error::NotFound("webhook"));
        }
        store.hasten_deliveries(id, &row.updated_at).await?;
        self.webhooks().changed();
        self.webhook(id).await
    }

    /// Forgets a webhook with its deliveries.
    pub(crate) async fn delete_webhook(&self, id: &str) -> Result<(), Error> {
        match self.config().store.delete_webhook(id).await? {
            true => Ok(()),
            false => Err(Error::NotFound("webhook")),
        }
    }

    /// Gives a webhook a new secret, shown this once; the former is good for some time.
    pub(crate) async fn rotate_webhook_secret(
        &self,
        id: &str,
        request: &Rotation,
        pending: Option<&Pending>,
    ) -> Result<WebhookWithSecret, Error> {
        let kept = match &request.keep_previous {
            None => KEPT_SECRET,
            Some(text) => duration::parse(text)
                .and_then(|kept| SignedDuration::try_from(kept).ok())
                .filter(|kept| *kept <= MAX_KEPT_SECRET)
                .ok_or_else(|| Error::invalid("keep_previous", "send 0s to 720h, for example 24h"))?,
        };
        let mut row = self.webhook_row(id).await?;
        let now = self.time();
        let secret = self.webhooks().new_secret();
        let until = clock::rfc3339(now.saturating_add(kept).unwrap_or(Timestamp::MAX));
        row.previous_until = Some(until.clone());
        row.updated_at = clock::rfc3339(now);
        let webhook = Webhook::from_row(row.clone())?;
        let kept = serde_json::to_string(&webhook.clone().with_secret(secret.digest()))?;
        let answer = pending.map(|pending| pending.answer(200, None, kept));
        let store = &self.config().store;
        match store.rotate_webhook_secret(id, secret.bytes(), &until, &row.updated_at, answer.as_ref()).await? {
            true => Ok(webhook.with_secret(secret.text())),
            false => Err(Error::NotFound("webhook")),
        }
    }

    /// The answer to a request that has been carried out before. One that showed a secret was kept with a digest of it; the
    /// secret is shown for as long as the webhook has it.
    pub(crate) async fn with_its_secret(&self, mut answer: IdempotentRow) -> Result<IdempotentRow, Error> {
        let Ok(kept) = serde_json::from_str::<Kept>(&answer.body) else { return Ok(answer) };
        let row = self.config().store.webhook(&kept.id).await?;
        let secrets = row.map(|row| secrets(&row, self.time())).unwrap_or_default();
        let secret = secrets.iter().find(|secret| secret.digest() == kept.secret).ok_or_else(|| {
            let message =
                "this was done before, and what it made is no longer signed with: rotate-secret gives another";
            Error::Conflict { code: "secret_replaced", message: message.to_owned() }
        })?;
        answer.body = answer.body.replace(&kept.secret, &secret.text());
        Ok(answer)
    }

    /// Sends events again that have been sent, or given up.
    pub(crate) async fn replay_webhook(&self, id: &str, request: &Replay) -> Result<Webhook, Error> {
        let row = self.webhook_row(id).await?;
        let store = &self.config().store;
        match (&request.event_id, &request.after, &request.since) {
            (Some(event_id), None, None) => self.send_again(&row, event_id).await?,
            (None, Some(after), None) => {
                store.replay_webhook(id, checked_event("after", after)?).await?;
            }
            (None, None, Some(since)) => {
                let since: Timestamp = since.parse().map_err(|_| {
                    Error::invalid("since", "send a time as RFC 3339 has it, like 2027-03-01T09:00:00Z")
                })?;
                store.replay_webhook(id, &ids::first_of(EVENT_PREFIX, since)).await?;
            }
            _ => {
                let message =
                    "send one of event_id (this event), after (all after this one) and since (all since then)";
                return Err(Error::invalid("event_id", message));
            }
        }
        self.webhooks().changed();
        self.webhook(id).await
    }

    /// Deliveries of a webhook, those of the newest events first.
    pub(crate) async fn deliveries(
        &self,
        id: &str,
        filter: &DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Delivery>, Error> {
        self.webhook_row(id).await?;
        let rows = self.config().store.deliveries(id, filter, limit).await?;
        Ok(rows.into_iter().map(Delivery::from).collect())
    }

    async fn send_again(&self, row: &WebhookRow, event_id: &str) -> Result<(), Error> {
        let store = &self.config().store;
        let event = store.event(checked_event("event_id", event_id)?).await?.ok_or(Error::NotFound("event"))?;
        if event.id > row.cursor {
            // It is still to be sent.
            return Ok(());
        }
        if store.pending_deliveries(&row.id, MAX_WAITING).await?.len() >= MAX_WAITING as usize {
            let message = format!("{MAX_WAITING} events wait to be sent to this webhook already");
            return Err(Error::Conflict { code: "too_many_deliveries", message });
        }
        let again = DeliveryRow {
            webhook_id: row.id.clone(),
            event_id: event.id,
            call_id: event.call_id,
            status: "pending".to_owned(),
            next_attempt_at: Some(clock::rfc3339(self.time())),
            ..DeliveryRow::default()
        };
        Ok(store.keep_delivery(&again).await?)
    }

    async fn webhook_row(&self, id: &str) -> Result<WebhookRow, Error> {
        self.config().store.webhook(id).await?.ok_or(Error::NotFound("webhook"))
    }

    async fn checked_url(&self, url: &str) -> Result<String, Error> {
        let target = Target::parse(url, self.config().webhooks.allow_private);
        let target = target.map_err(|message| Error::invalid("url", message))?;
        let checked = self.webhooks().post().check(&target).await;
        checked.map_err(|message| {
            Error::invalid("url", format!("{message}: send an https URL that everybody can reach"))
        })?;
        Ok(target.url.into())
    }
}

/// Where a webhook is found.
pub(crate) fn location(id: &str) -> String {
    format!("/v1/webhooks/{id}")
}

fn checked_event<'a>(field: &str, id: &'a str) -> Result<&'a str, Error> {
    match ids::is_id(id, EVENT_PREFIX) {
        true => Ok(id),
        false => Err(Error::invalid(field, "send the id of an event as it was, evt_…")),
    }
}
