//! One turn of one webhook: asks the plan, sends what it says, and keeps what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use store::{DeliveryRow, EventRow, Store, WebhookProgress, WebhookRow};

use super::backoff::{Outcome, is_set_aside, next_attempt, next_look};
use super::plan::{Fresh, Plan, Standing, Waiting, plan};
use super::post::Message;
use super::signature::{Secret, signatures};
use super::webhook::wants;
use crate::calls::Calls;
use crate::journal::{EVENT_PREFIX, StoredEvent};
use crate::{Error, clock, ids};

/// Events taken from the journal at once.
const PAGE: u32 = 100;
/// Most events of one webhook that wait to be sent again; more stay in the journal.
pub(super) const MAX_WAITING: u32 = 1000;
/// Messages on their way to one webhook at once.
const AT_ONCE: usize = 8;
/// Where several programs write a journal, an id may come later than a greater one: so long we wait for it.
const SETTLING: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// What follows a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// There may be more to do at once.
    pub(super) more: bool,
    /// When there is more to do by itself.
    pub(super) wake_at: Option<Timestamp>,
    /// It ails: news are no reason to look before.
    pub(super) is_ailing: bool,
}

/// What is needed to send to one webhook.
struct Sending<'a> {
    calls: &'a Calls,
    row: &'a WebhookRow,
    waiting: BTreeMap<String, DeliveryRow>,
    fresh: BTreeMap<String, EventRow>,
    /// It ails, or is gone: no more is sent in this turn.
    is_over: AtomicBool,
}

/// What came of a lane.
#[derive(Debug, Default)]
struct Sent {
    /// They answered, if only that they do not take it.
    is_answered: bool,
    ailing: Option<Ailing>,
    is_gone: bool,
}

#[derive(Debug)]
struct Ailing {
    event_id: String,
    outcome: Outcome,
}

/// Takes the turn of a webhook that is ours.
pub(super) async fn take(calls: &Calls, id: &str) -> Result<Turn, Error> {
    let store = &calls.config().store;
    let Some(row) = enabled(store, id).await? else { return Ok(Turn::default()) };
    let now = calls.time();
    let standing = Standing {
        failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
        retry_at: row.retry_at.as_deref().and_then(|at| at.parse().ok()),
    };
    if let Some(at) = standing.waits_until(now) {
        return Ok(Turn { wake_at: Some(at), is_ailing: true, more: false });
    }
    let waiting = store.pending_deliveries(id, MAX_WAITING).await?;
    let (events, is_page) = fresh_events(store, &row).await?;
    let plan = {
        let types: Vec<String> = serde_json::from_str(&row.events_json)?;
        // Some may have been sent after the cursor: before a crash, or before it ailed.
        let seen: BTreeSet<String> = store.delivered_after(id, &row.cursor).await?.into_iter().collect();
        let waiting: Vec<Waiting> = waiting.iter().map(|row| waiting_of(row, now)).collect();
        let fresh: Vec<Fresh> = events.iter().map(|event| fresh_of(event, &types, &seen)).collect();
        plan(now, standing, &waiting, &fresh, MAX_WAITING as usize)
    };
    let sending = Sending {
        calls,
        waiting: waiting.into_iter().map(|row| (row.event_id.clone(), row)).collect(),
        fresh: events.into_iter().map(|event| (event.id.clone(), event)).collect(),
        is_over: AtomicBool::new(false),
        row: &row,
    };
    let Plan { lanes, held, through, wake_at } = plan;
    for event_id in &held {
        sending.hold(event_id, now).await?;
    }
    let is_busy = !lanes.is_empty();
    let lanes = stream::iter(lanes).map(|lane| sending.send_lane(lane)).buffer_unordered(AT_ONCE);
    let sent: Vec<Sent> = lanes.collect::<Vec<_>>().await.into_iter().collect::<Result<_, _>>()?;
    if sent.iter().any(|sent| sent.is_gone) {
        calls.journal().record_webhook_disabled(id, "gone", &clock::rfc3339(calls.time())).await?;
        tracing::warn!(webhook_id = id, "a webhook answered 410 and is disabled");
        return Ok(Turn::default());
    }
    if let Some(ailing) = sent.iter().find_map(|sent| sent.ailing.as_ref()) {
        return sending.wait_for_it(standing, ailing).await;
    }
    let is_well = sent.iter().any(|sent| sent.is_answered);
    if is_well && standing.failures > 0 {
        tracing::info!(webhook_id = id, "a webhook can be reached again");
        store.hasten_deliveries(id, &clock::rfc3339(calls.time())).await?;
    }
    let mut more = is_busy || is_page && through.is_some();
    // Where nothing of what there is was wanted, the cursor may as well stay where it is until there is more.
    if more || !held.is_empty() {
        let (failures, error) = if is_well { (0, None) } else { (row.failures, row.error.clone()) };
        let cursor = through.unwrap_or_else(|| row.cursor.clone());
        let progress = WebhookProgress { cursor, failures, retry_at: None, error };
        // Where it was moved back or changed meanwhile, it stays so; whoever did that wakes us.
        more &= store.advance_webhook(&row, store.node(), &progress).await?;
    }
    Ok(Turn { more, wake_at, is_ailing: false })
}

/// A webhook as it is now, unless it is deleted or disabled.
async fn enabled(store: &Store, id: &str) -> Result<Option<WebhookRow>, Error> {
    Ok(store.webhook(id).await?.filter(|row| row.disabled_at.is_none()))
}

/// Events after the cursor, and whether there may be more of them.
async fn fresh_events(store: &Store, row: &WebhookRow) -> Result<(Vec<EventRow>, bool), Error> {
    let mut events = store.events_after(&row.cursor, None, PAGE).await?;
    let mut is_page = events.len() == PAGE as usize;
    if !store.node().is_empty() {
        let settled = ids::first_of(EVENT_PREFIX, clock::now() - SETTLING);
        let found = events.len();
        events.retain(|event| event.id < settled);
        is_page &= events.len() == found;
    }
    Ok((events, is_page))
}

impl Sending<'_> {
    /// Sends events of one lane, one after the other, until one is not taken. Fresh ones behind that wait from then on.
    async fn send_lane(&self, lane: Vec<String>) -> Result<Sent, Error> {
        let mut sent = Sent::default();
        let mut lane = lane.into_iter();
        while let Some(event_id) = lane.next() {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            // Since the turn began it may have been given another secret, or been disabled.
            let Some(row) = enabled(&self.calls.config().store, &self.row.id).await? else {
                self.is_over.store(true, Ordering::Relaxed);
                break;
            };
            let Some(body) = self.body(&event_id).await? else {
                let error = "the event was deleted ([media] record_retention) before it was taken";
                self.keep(&event_id, "failed", None, Some(error.to_owned())).await?;
                continue;
            };
            let outcome = self.send(&row, &event_id, body).await;
            match outcome {
                Outcome::Taken(status) => {
                    sent.is_answered = true;
                    self.keep(&event_id, "delivered", Some(status), None).await?;
                }
                Outcome::Gone => {
                    self.is_over.store(true, Ordering::Relaxed);
                    sent.is_gone = true;
                    break;
                }
                Outcome::Ailing { .. } => {
                    self.is_over.store(true, Ordering::Relaxed);
                    sent.ailing = Some(Ailing { event_id, outcome });
                    break;
                }
                Outcome::Refused(_) => {
                    sent.is_answered = true;
                    // One that is given up keeps the others waiting no longer.
                    if self.set_aside(&event_id, &outcome).await? {
                        for behind in lane.by_ref().filter(|behind| self.fresh.contains_key(behind)) {
                            self.hold(&behind, self.calls.time()).await?;
                        }
                    }
                }
            }
        }
        Ok(sent)
    }

    async fn send(&self, row: &WebhookRow, event_id: &str, body: String) -> Outcome {
        let now = self.calls.time();
        let signatures = signatures(&secrets(row, now), event_id, now.as_second(), &body);
        let message = Message { id: event_id, timestamp: now.as_second(), signatures, body };
        self.calls.webhooks().post().send(&row.url, message).await
    }

    /// The bytes of an event; of one that waited long they may have been deleted.
    async fn body(&self, event_id: &str) -> Result<Option<String>, Error> {
        match self.fresh.get(event_id) {
            Some(event) => Ok(Some(event.body.clone())),
            None => Ok(self.calls.config().store.event(event_id).await?.map(|event| event.body)),
        }
    }

    /// An event is sent again later, or given up; whether it is sent again.
    async fn set_aside(&self, event_id: &str, outcome: &Outcome) -> Result<bool, Error> {
        let before = self.waiting.get(event_id);
        let now = self.calls.time();
        let attempts = before.map_or(0, |row| row.attempts).saturating_add(1);
        let first = before.and_then(|row| row.first_attempt_at.as_deref()).and_then(|first| first.parse().ok());
        let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
        let next = next_attempt(attempts, first.unwrap_or(now), now, self.calls.webhooks().random());
        let status = if next.is_some() { "pending" } else { "failed" };
        let row = self.row_of(event_id, status, outcome.status(), outcome.error());
        self.calls
            .config()
            .store
            .keep_delivery(&DeliveryRow { next_attempt_at: next.map(clock::rfc3339), ..row })
            .await?;
        Ok(next.is_some())
    }

    async fn keep(
        &self,
        event_id: &str,
        status: &str,
        answer: Option<u16>,
        error: Option<String>,
    ) -> Result<(), Error> {
        Ok(self.calls.config().store.keep_delivery(&self.row_of(event_id, status, answer, error)).await?)
    }

    /// What is kept of an event that has been sent now.
    fn row_of(&self, event_id: &str, status: &str, answer: Option<u16>, error: Option<String>) -> DeliveryRow {
        let now = clock::rfc3339(self.calls.time());
        let before = self.waiting.get(event_id);
        let call_id = match before {
            Some(row) => row.call_id.clone(),
            None => self.fresh.get(event_id).and_then(|event| event.call_id.clone()),
        };
        DeliveryRow {
            webhook_id: self.row.id.clone(),
            event_id: event_id.to_owned(),
            call_id,
            status: status.to_owned(),
            attempts: before.map_or(0, |row| row.attempts).saturating_add(1),
            first_attempt_at: before.and_then(|row| row.first_attempt_at.clone()).or_else(|| Some(now.clone())),
            last_attempt_at: Some(now),
            next_attempt_at: None,
            response_status: answer.map(i64::from),
            error,
        }
    }

    /// An event waits behind another of its call.
    async fn hold(&self, event_id: &str, now: Timestamp) -> Result<(), Error> {
        let row = DeliveryRow {
            webhook_id: self.row.id.clone(),
            event_id: event_id.to_owned(),
            call_id: self.fresh.get(event_id).and_then(|event| event.call_id.clone()),
            status: "pending".to_owned(),
            next_attempt_at: Some(clock::rfc3339(now)),
            ..DeliveryRow::default()
        };
        Ok(self.calls.config().store.keep_delivery(&row).await?)
    }

    /// Nothing more is sent for a while. An event that this may be the fault of is set aside now and then.
    async fn wait_for_it(&self, standing: Standing, ailing: &Ailing) -> Result<Turn, Error> {
        let Ailing { event_id, outcome } = ailing;
        let store = &self.calls.config().store;
        let failures = standing.failures.saturating_add(1);
        let error = outcome.error();
        if failures == 1 {
            let why = error.as_deref().unwrap_or_default();
            tracing::warn!(webhook_id = self.row.id, error = why, "a webhook cannot be reached");
        }
        if is_set_aside(failures) {
            self.set_aside(event_id, outcome).await?;
        }
        let retry_after: Option<Duration> = match outcome {
            Outcome::Ailing { retry_after, .. } => *retry_after,
            _ => None,
        };
        let at = next_look(failures, retry_after, self.calls.time(), self.calls.webhooks().random());
        let progress = WebhookProgress {
            cursor: self.row.cursor.clone(),
            failures: failures.into(),
            retry_at: Some(clock::rfc3339(at)),
            error,
        };
        match store.advance_webhook(self.row, store.node(), &progress).await? {
            true => Ok(Turn { wake_at: Some(at), is_ailing: true, more: false }),
            // It was changed meanwhile, perhaps because of this; whoever did that wakes us.
            false => Ok(Turn::default()),
        }
    }
}

fn waiting_of(row: &DeliveryRow, now: Timestamp) -> Waiting {
    Waiting {
        event_id: row.event_id.clone(),
        call_id: row.call_id.clone(),
        due: row.next_attempt_at.as_deref().and_then(|due| due.parse().ok()).unwrap_or(now),
    }
}

fn fresh_of(event: &EventRow, types: &[String], seen: &BTreeSet<String>) -> Fresh {
    let kind = StoredEvent::from(event.clone()).kind;
    let is_wanted = wants(types, &kind) && !seen.contains(&event.id);
    Fresh { event_id: event.id.clone(), call_id: event.call_id.clone(), is_wanted }
}

/// The secrets that signatures are made with now.
pub(super) fn secrets(row: &WebhookRow, now: Timestamp) -> Vec<Secret> {
    let until: Option<Timestamp> = row.previous_until.as_deref().and_then(|until| until.parse().ok());
    let previous = row.previous_secret.clone().filter(|_| until.is_some_and(|until| until > now));
    [Some(row.secret.clone()), previous].into_iter().flatten().map(Secret::from_bytes).collect()
}
