//! [`Journal`]: what happened, in one order.
//!
//! An event is written once, as bytes, together with the change it tells of. All readers (pages,
//! streams, `place_and_wait`) read those bytes back from the store, so they see the same events in
//! the same order however slow they are: nothing is dropped for a reader that lags. What is shared
//! in memory is only the id of the newest event, as a bell.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{
    AttemptRow, CallChange, CallEnding, CallRow, EventRow, IdempotentRow, RecipientRow, Reschedule, ScheduledCallRow,
    Store, TranscriptRow,
};
use tokio::sync::{Mutex, watch};

use crate::ids::Ids;
use crate::{Error, clock};

/// Prefix of the ids of events.
pub(crate) const EVENT_PREFIX: &str = "evt_";
/// Events a reader takes from the store at once.
const PAGE: u32 = 100;

/// The one writer of calls and events.
#[derive(Debug)]
pub(crate) struct Journal {
    store: Store,
    ids: Mutex<Ids>,
    newest: watch::Sender<String>,
}

/// An event of a call that is about to happen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewEvent {
    /// `call.dialing`, …
    pub(crate) kind: &'static str,
    /// Since the answer; 0 before it.
    pub(crate) at_ms: u64,
    /// What else there is to say.
    pub(crate) data: Map<String, Value>,
}

impl NewEvent {
    pub(crate) fn new(kind: &'static str, at_ms: u64) -> Self {
        Self { kind, at_ms, data: Map::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }
}

/// A change of a call's record.
#[derive(Debug)]
pub(crate) enum Change<'a> {
    /// A new call, with the answer to the idempotent request for it.
    Insert(&'a CallRow, Option<&'a IdempotentRow>),
    /// A change while it lives.
    Update(&'a CallChange),
    /// A new call that is an attempt of a scheduled one.
    Attempt(&'a CallRow, &'a AttemptRow),
    /// Something said.
    Said(&'a TranscriptRow),
    /// Its end.
    End(&'a CallEnding),
    /// None: the events are all there is.
    Nothing,
}

/// A change of the record of a scheduled call.
#[derive(Debug)]
pub(crate) enum Scheduled<'a> {
    /// A new one, with the answer to the idempotent request for it.
    Insert(&'a ScheduledCallRow, &'a [RecipientRow], Option<&'a IdempotentRow>),
    /// Another time.
    Update(&'a Reschedule),
    /// Its end, at this time.
    Cancel(&'a str),
}

impl Journal {
    /// The journal of a store, continued.
    pub(crate) async fn open(store: Store, seed: [u8; 32]) -> Result<Self, Error> {
        let newest = store.last_event_id().await?;
        let ids = Mutex::new(Ids::after(newest.as_deref(), seed));
        Ok(Self { store, ids, newest: watch::Sender::new(newest.unwrap_or_default()) })
    }

    /// Writes a change of a call and the events that tell of it. False when the call had ended before.
    pub(crate) async fn record(&self, call_id: &str, change: Change<'_>, events: Vec<NewEvent>) -> Result<bool, Error> {
        // Held until the events are committed: ids must appear in the journal in their order, or
        // a reader that resumes after one could miss a smaller one committed later.
        let mut ids = self.ids.lock().await;
        let rows = events
            .into_iter()
            .map(|NewEvent { kind, at_ms, data }| {
                let of_call = OfCall { call_id, at_ms };
                row(ids.next(EVENT_PREFIX, clock::now()), kind, Some(of_call), &data)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let written = match change {
            Change::Insert(call, answer) => self.store.insert_call(call, &rows, answer).await.map(|()| true),
            Change::Update(change) => self.store.change_call(call_id, change, &rows).await,
            Change::Attempt(call, attempt) => self.store.begin_attempt(self.store.node(), attempt, call, &rows).await,
            Change::Said(said) => self.store.append_transcript(call_id, said, &rows).await.map(|()| true),
            Change::End(ending) => self.store.end_call(call_id, ending, &rows).await,
            Change::Nothing => self.store.append_events(&rows).await.map(|()| true),
        }?;
        if let Some(last) = rows.last().filter(|_| written) {
            self.newest.send_replace(last.id.clone());
        }
        Ok(written)
    }

    /// Writes a change of a scheduled call and the event that tells of it. False when it was too late for the change.
    pub(crate) async fn record_scheduled(
        &self,
        id: &str,
        change: Scheduled<'_>,
        kind: &'static str,
        mut data: Map<String, Value>,
    ) -> Result<bool, Error> {
        data.insert("scheduled_call_id".to_owned(), id.into());
        let mut ids = self.ids.lock().await;
        let row = row(ids.next(EVENT_PREFIX, clock::now()), kind, None, &data)?;
        let rows = std::slice::from_ref(&row);
        let written = match change {
            Scheduled::Insert(call, recipients, answer) => {
                self.store.insert_scheduled_call(call, recipients, rows, answer).await.map(|()| true)
            }
            Scheduled::Update(change) => self.store.reschedule(id, change, rows).await,
            Scheduled::Cancel(at) => self.store.cancel_scheduled_call(id, at, rows).await,
        }?;
        if written {
            self.newest.send_replace(row.id);
        }
        Ok(written)
    }

    /// Writes an event that is no call's.
    pub(crate) async fn tell(&self, kind: &'static str, data: &Map<String, Value>) -> Result<(), Error> {
        let mut ids = self.ids.lock().await;
        let row = row(ids.next(EVENT_PREFIX, clock::now()), kind, None, data)?;
        self.store.append_events(std::slice::from_ref(&row)).await?;
        self.newest.send_replace(row.id);
        Ok(())
    }

    /// Writes that a webhook is disabled, and the event that tells of it. False when it was disabled before, or is not
    /// there.
    pub(crate) async fn record_webhook_disabled(&self, id: &str, reason: &str, at: &str) -> Result<bool, Error> {
        let data = [("webhook_id", id), ("reason", reason)];
        let data = Map::from_iter(data.map(|(name, value)| (name.to_owned(), value.into())));
        let mut ids = self.ids.lock().await;
        let row = row(ids.next(EVENT_PREFIX, clock::now()), "webhook.disabled", None, &data)?;
        let written = self.store.disable_webhook(id, reason, at, std::slice::from_ref(&row)).await?;
        if written {
            self.newest.send_replace(row.id);
        }
        Ok(written)
    }

    /// A page of events after an id.
    pub(crate) async fn page(&self, after: &str, call_id: Option<&str>, limit: u32) -> Result<Vec<StoredEvent>, Error> {
        let rows = self.store.events_after(after, call_id, limit).await?;
        Ok(rows.into_iter().map(StoredEvent::from).collect())
    }

    /// The id of the newest event.
    pub(crate) fn newest(&self) -> String {
        self.newest.borrow().clone()
    }

    /// Rings when there is another event; the newest is what it holds.
    pub(crate) fn bell(&self) -> watch::Receiver<String> {
        self.newest.subscribe()
    }

    /// All events from now on.
    pub(crate) fn follow_from_now(&self, call_id: Option<String>) -> Follower {
        let newest = self.newest.subscribe();
        let after = newest.borrow().clone();
        self.follower(after, call_id, newest)
    }

    /// All events after an id, past and future.
    pub(crate) fn follow_after(&self, after: String, call_id: Option<String>) -> Follower {
        self.follower(after, call_id, self.newest.subscribe())
    }

    fn follower(&self, after: String, call_id: Option<String>, newest: watch::Receiver<String>) -> Follower {
        Follower { store: self.store.clone(), newest, after, call_id, read: VecDeque::new() }
    }
}

/// An event of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// `evt_…`; grows.
    pub id: String,
    /// `call.dialing`, …
    pub kind: String,
    /// The event as JSON: the same bytes for every reader.
    pub json: String,
}

impl From<EventRow> for StoredEvent {
    fn from(row: EventRow) -> Self {
        #[derive(Deserialize)]
        struct Typed {
            #[serde(rename = "type")]
            kind: String,
        }
        let kind = serde_json::from_str(&row.body).map_or_else(|_| String::new(), |typed: Typed| typed.kind);
        Self { id: row.id, kind, json: row.body }
    }
}

/// Reads the journal as it grows.
#[derive(Debug)]
pub struct Follower {
    store: Store,
    newest: watch::Receiver<String>,
    after: String,
    call_id: Option<String>,
    read: VecDeque<StoredEvent>,
}

impl Follower {
    /// The next event, as soon as there is one; `None` when the journal is closed or cannot be read.
    pub async fn next(&mut self) -> Option<StoredEvent> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.after.clone_from(&event.id);
                return Some(event);
            }
            // Marked as seen before reading, so that an event written meanwhile rings again.
            self.newest.borrow_and_update();
            match self.store.events_after(&self.after, self.call_id.as_deref(), PAGE).await {
                Ok(rows) if !rows.is_empty() => self.read.extend(rows.into_iter().map(StoredEvent::from)),
                Ok(_) => self.newest.changed().await.ok()?,
                Err(error) => {
                    tracing::warn!(%error, "the journal cannot be read");
                    return None;
                }
            }
        }
    }
}

/// What an event of a call says first.
#[derive(Debug, Clone, Copy, Serialize)]
struct OfCall<'a> {
    call_id: &'a str,
    at_ms: u64,
}

fn row(
    id: String,
    kind: &'static str,
    of_call: Option<OfCall<'_>>,
    data: &Map<String, Value>,
) -> Result<EventRow, Error> {
    #[derive(Serialize)]
    struct Body<'a> {
        id: &'a str,
        #[serde(rename = "type")]
        kind: &'static str,
        timestamp: String,
        data: Data<'a>,
    }
    #[derive(Serialize)]
    struct Data<'a> {
        #[serde(flatten)]
        of_call: Option<OfCall<'a>>,
        #[serde(flatten)]
        rest: &'a Map<String, Value>,
    }
    let timestamp = clock::rfc3339(clock::now());
    let body = serde_json::to_string(&Body { id: &id, kind, timestamp, data: Data { of_call, rest: data } })?;
    Ok(EventRow { id, call_id: of_call.map(|call| call.call_id.to_owned()), body })
}
