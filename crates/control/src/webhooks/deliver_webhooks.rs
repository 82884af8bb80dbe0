//! The task that tells webhooks of events: each that is ours takes turns of its own, so that none waits for another.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::turn::{self, Turn};
use crate::calls::Calls;
use crate::{Error, clock};

/// How long a lease lasts that nobody renews: so long after a program died, another may take over what it had.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How often leases are renewed, and old deliveries and secrets forgotten.
const RENEW: SignedDuration = SignedDuration::from_secs(20);
/// When we look again after the store failed.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// How often we look for events of others on this database, which ring no bell here.
const OTHERS: SignedDuration = SignedDuration::from_secs(1);
/// Deliveries of one webhook that are over and kept.
const KEPT: u32 = 1000;

/// A webhook that is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It takes a turn; `again` when there was news meanwhile.
    Busy { again: bool },
    /// It waits until then, or for news as well.
    Idle { wake_at: Option<Timestamp>, for_news: bool },
}

/// Delivers until the program stops. What is on its way then is sent again at the next start.
pub(crate) async fn run(calls: &Calls) {
    let clock = &calls.config().scheduling.clock;
    let stopped = calls.stopped();
    let mut bell = calls.journal().bell();
    let mut ours = BTreeMap::new();
    let mut turns = JoinSet::new();
    let mut renew_at = calls.time();
    loop {
        let now = calls.time();
        if renew_at <= now {
            renew_at = now + renewed(calls, &mut ours).await;
        }
        for (id, state) in &mut ours {
            if let State::Idle { wake_at: Some(at), .. } = state
                && *at <= now
            {
                *state = State::Busy { again: false };
                start(&mut turns, calls, id);
            }
        }
        let wakes = ours.values().filter_map(|state| match state {
            State::Idle { wake_at, .. } => *wake_at,
            State::Busy { .. } => None,
        });
        let wake_at = wakes.chain([renew_at]).min().unwrap_or(renew_at);
        tokio::select! {
            biased;
            () = stopped.cancelled() => return,
            Some(joined) = turns.join_next() => match joined {
                Ok((id, turn)) => after_turn(calls, &mut ours, &id, turn),
                Err(error) if error.is_cancelled() => {}
                // It panicked. Whose turn it was nobody knows: all begin anew.
                Err(error) => {
                    tracing::error!(%error, "a turn of a webhook broke off");
                    turns.abort_all();
                    ours.clear();
                    renew_at = now + AGAIN;
                }
            },
            () = calls.webhooks().rung() => renew_at = now,
            () = news(&mut bell) => tell(&mut ours, now),
            () = clock.reaches(wake_at) => {}
        }
    }
}

/// Resolves when there is another event.
async fn news(bell: &mut tokio::sync::watch::Receiver<String>) {
    if bell.changed().await.is_err() {
        pending().await
    }
}

/// Wakes whoever waits for news.
fn tell(ours: &mut BTreeMap<String, State>, now: Timestamp) {
    for state in ours.values_mut() {
        match state {
            State::Busy { again } => *again = true,
            State::Idle { wake_at, for_news: true } => *wake_at = Some(now),
            State::Idle { for_news: false, .. } => {}
        }
    }
}

fn start(turns: &mut JoinSet<(String, Result<Turn, Error>)>, calls: &Calls, id: &str) {
    let (calls, id) = (calls.clone(), id.to_owned());
    turns.spawn(async move {
        let turn = turn::take(&calls, &id).await;
        (id, turn)
    });
}

fn after_turn(calls: &Calls, ours: &mut BTreeMap<String, State>, id: &str, turn: Result<Turn, Error>) {
    let now = calls.time();
    // It may have been deleted or disabled meanwhile.
    let Some(state) = ours.get_mut(id) else { return };
    let again = matches!(state, State::Busy { again: true });
    let is_shared = !calls.config().store.node().is_empty();
    *state = match turn {
        Ok(Turn { is_ailing: true, wake_at, .. }) => State::Idle { wake_at, for_news: false },
        Ok(Turn { more, wake_at, .. }) => {
            // Where others write, too, events are taken when all of their time must be there: news are no reason.
            let at_once = (more || again && !is_shared).then_some(now);
            let others = is_shared.then(|| now + OTHERS);
            State::Idle { wake_at: [at_once, wake_at, others].into_iter().flatten().min(), for_news: !is_shared }
        }
        Err(error) => {
            tracing::error!(%error, webhook_id = id, "events could not be sent to a webhook");
            State::Idle { wake_at: Some(now + AGAIN), for_news: false }
        }
    };
}

/// Renews leases, takes up what is new, and forgets what is old. When to do so again.
async fn renewed(calls: &Calls, ours: &mut BTreeMap<String, State>) -> SignedDuration {
    match renew(calls, ours).await {
        Ok(()) => RENEW,
        Err(error) => {
            tracing::error!(%error, "webhooks could not be looked after");
            AGAIN
        }
    }
}

async fn renew(calls: &Calls, ours: &mut BTreeMap<String, State>) -> Result<(), Error> {
    let store = &calls.config().store;
    let now = calls.time();
    let claimed = store.claim_webhooks(store.node(), &clock::rfc3339(now), &clock::rfc3339(now + LEASE)).await?;
    let claimed: BTreeSet<String> = claimed.into_iter().collect();
    // One that is no longer ours ends its turn first.
    ours.retain(|id, state| claimed.contains(id) || matches!(state, State::Busy { .. }));
    store.forget_webhook_secrets_until(&clock::rfc3339(now)).await?;
    for id in claimed {
        store.trim_deliveries(&id, KEPT).await?;
        match ours.get_mut(&id) {
            None => {
                ours.insert(id, State::Idle { wake_at: Some(now), for_news: true });
            }
            Some(State::Busy { again }) => *again = true,
            // It may have been changed, or asked to send again. A turn that is for nothing costs little.
            Some(State::Idle { wake_at, .. }) => *wake_at = Some(now),
        }
    }
    Ok(())
}
