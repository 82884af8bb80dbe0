//! Webhooks: who is told of events by HTTP, as Standard Webhooks says.
//!
//! ```text
//!  POST /v1/webhooks ─▶ manage ─▶ store           which event is sent now, beside or behind which other: plan (pure)
//!                         bell │    ▲             when one that was not taken is sent again: backoff (pure)
//!                              ▼    │             where it may go: target, address (pure), resolver
//!  journal ── bell ──▶ deliver_webhooks ─▶ post ─▶ the receiver
//! ```
//!
//! Each webhook has a cursor in the journal; what follows it has not been seen to, and what was sent gets a row before
//! the cursor passes it. So nothing is lost by a crash, and all that it may send twice is what was on its way; the receiver
//! knows it by its `webhook-id`, the id of the event. While a webhook can take nothing, its cursor stays and the
//! journal is the queue; an event that alone is not taken gets a row to be sent again, and later ones of its call wait
//! behind it. Whoever leases a webhook is the only one that sends to it.

mod address;
mod backoff;
mod deliver_webhooks;
mod manage;
mod plan;
mod post;
mod resolver;
mod signature;
mod target;
mod turn;
pub(crate) mod webhook;

pub(crate) use deliver_webhooks::run;
pub(crate) use manage::{WEBHOOK_PREFIX, location};
pub use resolver::Resolver;

use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use self::post::Post;
use self::signature::Secret;
use crate::config::ControlConfig;

/// What webhooks share.
#[derive(Debug)]
pub(crate) struct Webhooks {
    post: Post,
    /// A webhook is another than before.
    bell: Notify,
    random: Mutex<ChaCha12Rng>,
}

impl Webhooks {
    pub(crate) fn new(config: &ControlConfig) -> Self {
        // Of its own, so that no id tells anything of a secret.
        let seed: [u8; 32] = Sha256::new().chain_update(b"webhooks").chain_update(config.seed).finalize().into();
        Self {
            post: Post::new(&config.webhooks),
            bell: Notify::new(),
            random: Mutex::new(ChaCha12Rng::from_seed(seed)),
        }
    }

    fn post(&self) -> &Post {
        &self.post
    }

    /// A webhook is another than before.
    fn changed(&self) {
        self.bell.notify_one();
    }

    /// Resolves when a webhook is another than before.
    async fn rung(&self) {
        self.bell.notified().await;
    }

    fn random(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }

    fn new_secret(&self) -> Secret {
        let mut bytes = [0; 32];
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        Secret::new(bytes)
    }
}
