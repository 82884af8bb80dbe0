//! Requests that may be sent twice and are carried out once.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};
use store::{IdempotentRow, Store};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{Error, clock};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(48 * 3600);
/// Longest key.
const MAX_KEY: usize = 255;

/// Answers given before.
#[derive(Debug, Clone)]
pub(crate) struct Idempotency {
    store: Store,
    /// One idempotent request at a time: the second of two equal ones waits and finds the answer of the first.
    turn: Arc<Mutex<()>>,
}

/// What to do with a request that carries a key.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Give this answer again.
    Answered(IdempotentRow),
    /// Carry it out, and keep the answer.
    New(Pending),
}

/// A request being carried out.
#[derive(Debug)]
pub(crate) struct Pending {
    api_key: String,
    key: String,
    digest: Vec<u8>,
    _turn: OwnedMutexGuard<()>,
}

impl Pending {
    /// The answer as it is kept.
    pub(crate) fn answer(&self, status: u16, location: Option<String>, body: String) -> IdempotentRow {
        IdempotentRow {
            api_key: self.api_key.clone(),
            key: self.key.clone(),
            digest: self.digest.clone(),
            status: status.into(),
            location,
            body,
            created_at: clock::rfc3339(clock::now()),
        }
    }

    /// The answer to a request that has made something, as it is kept.
    pub(crate) fn created(&self, location: &str, what: &impl Serialize) -> Result<IdempotentRow, Error> {
        Ok(self.answer(201, Some(location.to_owned()), serde_json::to_string(what)?))
    }
}

impl Idempotency {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, turn: Arc::default() }
    }

    /// Looks a request up. The key belongs to the API key that sends it.
    pub(crate) async fn begin(&self, api_key: &str, key: &str, path: &str, body: &[u8]) -> Result<Turn, Error> {
        if !(1..=MAX_KEY).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!("send 1 to {MAX_KEY} visible ASCII characters");
            return Err(Error::invalid("Idempotency-Key", message));
        }
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let too_old = clock::now() - jiff::SignedDuration::from_secs(KEPT.as_secs() as i64);
        self.store.forget_idempotent_requests_before(&clock::rfc3339(too_old)).await?;

        let digest = Sha256::new().chain_update(path).chain_update([0]).chain_update(body).finalize().to_vec();
        match self.store.idempotent_request(api_key, key).await? {
            Some(answer) if answer.digest == digest => Ok(Turn::Answered(answer)),
            Some(_) => Err(Error::IdempotencyKeyReused),
            None => Ok(Turn::New(Pending { api_key: api_key.to_owned(), key: key.to_owned(), digest, _turn: turn })),
        }
    }

    /// Keeps the answer of a request that made no call.
    pub(crate) async fn keep(&self, answer: &IdempotentRow) -> Result<(), Error> {
        Ok(self.store.insert_idempotent_request(answer).await?)
    }
}
