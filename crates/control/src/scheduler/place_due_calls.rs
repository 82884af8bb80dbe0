//! The task that runs the plan. It looks at the store and acts; it may look at any time and as often as it likes, and it
//! is woken by the clock and by what changes.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use store::{AttemptEnding, CallRow, RecipientRow, ScheduledCallRow, Settlement};

use super::plan::{Free, Job, Plan, Rules, plan};
use super::request::RetryRule;
use super::retry::{End, Next};
use super::scheduled_calls::task;
use super::when::Wish;
use crate::calls::{Attempt, Calls};
use crate::journal::StoredEvent;
use crate::request::NewCall;
use crate::{Error, clock};

/// Recipients leased at once.
const PAGE: usize = 500;
/// How long a lease lasts that nobody renews: so long after a program died, another may take over what it had.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How often leases are renewed.
const RENEW: SignedDuration = SignedDuration::from_secs(20);
/// When we look again after the store failed, or while somebody who is due waits for a line and no call ends.
const AGAIN: SignedDuration = SignedDuration::from_secs(1);
/// Events of a call among which its dialing is: it is the first.
const FIRST_EVENTS: u32 = 3;

/// Places calls when they are due until the program drains, and settles those that end until all have.
pub(crate) async fn run(calls: &Calls) {
    let clock = &calls.config().scheduling.clock;
    // Of what was leased in an earlier life, or before an error, some may be left that nobody calls.
    let mut is_left = true;
    while !calls.is_draining() {
        let looked = async {
            if is_left {
                release(calls).await?;
            }
            look(calls).await
        };
        let looked = looked.await;
        is_left = looked.is_err();
        let wake_at = looked.unwrap_or_else(|error| {
            tracing::error!(%error, "scheduled calls could not be looked after");
            Some(calls.time() + AGAIN)
        });
        let due = async {
            match wake_at {
                Some(at) => clock.reaches(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = calls.draining().cancelled() => {}
            () = calls.scheduler().rung() => {}
            () = due => {}
        }
    }
    // What cannot be settled here is at the next start.
    while settle_ended(calls).await.is_ok() && !calls.scheduler().is_quiet() {
        tokio::select! {
            biased;
            () = calls.scheduler().rung() => {}
            () = clock.reaches(calls.time() + RENEW) => {}
        }
        if let Err(error) = renew(calls).await {
            tracing::error!(%error, "scheduled calls that end could not be kept");
        }
    }
}

/// Does what is to be done now. When there is something to do next, unless something changes.
async fn look(calls: &Calls) -> Result<Option<Timestamp>, Error> {
    // First of all: what we have must not be taken for that of somebody who died.
    renew(calls).await?;
    settle_ended(calls).await?;
    let store = &calls.config().store;
    let now = calls.time();
    // From here on the end of any call rings: one that ends while we count would be missed.
    calls.scheduler().waits_for_lines(true);
    let free = free(calls).await;
    let trunk = calls.trunk(None)?.map_or("", |trunk| trunk.name.as_str());
    let room = free.trunks.get(trunk).map_or(free.lines, |most| free.lines.min(*most));
    let page = match calls.config().scheduling.calls_per_agent {
        // Those whose agent has no time must not stand before the others.
        Some(_) if room > 0 => PAGE,
        _ => PAGE.min(room),
    };
    let until = clock::rfc3339(now + LEASE);
    let claimed = store.claim_recipients(store.node(), &clock::rfc3339(now), &until, page as u32).await?;
    let is_page = !claimed.is_empty() && claimed.len() == page;
    let Acted { somebody_waits, wake_at } = act(calls, now, free, claimed).await?;

    let somebody_waits =
        somebody_waits || room == 0 && store.next_due_after("").await?.is_some_and(|due| is_over(&due, now));
    calls.scheduler().waits_for_lines(somebody_waits);
    let next_due = store.next_due_after(&clock::rfc3339(now)).await?.and_then(|due| due.parse().ok());
    // Inbound calls take lines too, and nobody rings when these end.
    let again = (somebody_waits && room == 0).then(|| now + AGAIN);
    // There may be more than a page; whoever had to be let go would come again.
    let more = (is_page && !somebody_waits).then_some(now);
    let renewal = (!calls.scheduler().is_quiet()).then(|| now + RENEW);
    // Another node on this database may have died since, or have scheduled what it has no line for.
    let others = (!store.node().is_empty()).then(|| now + LEASE);
    Ok([next_due, again, more, renewal, wake_at, others].into_iter().flatten().min())
}

/// Prolongs the leases of those who are called here.
async fn renew(calls: &Calls) -> Result<(), Error> {
    let (store, recipients) = (&calls.config().store, calls.scheduler().recipients());
    if !recipients.is_empty() {
        store.renew_leases(store.node(), &recipients, &clock::rfc3339(calls.time() + LEASE)).await?;
    }
    Ok(())
}

/// Whoever we leased and do not call is due at once.
async fn release(calls: &Calls) -> Result<(), Error> {
    let store = &calls.config().store;
    let now = clock::rfc3339(calls.time());
    store.release_leases(store.node(), &calls.scheduler().recipients(), &now).await?;
    Ok(())
}

fn is_over(time: &str, now: Timestamp) -> bool {
    time.parse::<Timestamp>().is_ok_and(|time| time <= now)
}

/// What came of acting.
struct Acted {
    /// For a line.
    somebody_waits: bool,
    /// When the plan wants to be asked again.
    wake_at: Option<Timestamp>,
}

/// Does for each of those that were leased what the plan says.
async fn act(calls: &Calls, now: Timestamp, mut free: Free, claimed: Vec<RecipientRow>) -> Result<Acted, Error> {
    let config = calls.config();
    let rows = rows(calls, &claimed).await?;
    let mut waiting = BTreeMap::new();
    let mut jobs = Vec::with_capacity(claimed.len());
    for recipient in claimed {
        let row = &rows[&recipient.scheduled_call_id];
        if recipient.status == "in_progress" {
            // Unless it is ours, its owner has died in the midst of an attempt.
            if !calls.scheduler().has(&recipient.id) {
                settle_left_behind(calls, row, &recipient).await?;
            }
            continue;
        }
        match job(calls, now, row, &recipient) {
            Ok(job) => {
                jobs.push(job);
                waiting.insert(recipient.id.clone(), recipient);
            }
            // It names a zone that is no longer known, say. It must not keep others waiting.
            Err(error) => give_up(calls, &recipient.id, error.to_string()).await?,
        }
    }
    if let Some(most) = config.scheduling.calls_per_agent {
        let busy = calls.scheduler().by_agent();
        let left = |agent: &str| most.saturating_sub(busy.get(agent).copied().unwrap_or(0));
        free.agents = jobs.iter().map(|job| (job.agent.clone(), left(&job.agent))).collect();
    }
    let rules = Rules { allow: &config.dial_allow, hours: &config.scheduling.hours, free };
    let Plan { start, postpone, give_up: given_up, wake_at } = plan(now, &jobs, rules);
    for (id, at) in postpone {
        waiting.remove(&id);
        let next_attempt_at = Some(clock::rfc3339(at));
        settle(calls, &id, Settlement { status: "pending".to_owned(), next_attempt_at, ..Settlement::default() })
            .await?;
    }
    for (id, why) in given_up {
        waiting.remove(&id);
        give_up(calls, &id, why.to_string()).await?;
    }
    for id in start {
        let Some(recipient) = waiting.get(&id) else { continue };
        match start_one(calls, now, &rows[&recipient.scheduled_call_id], recipient).await {
            Err(Error::Draining | Error::QueueFull { .. }) => break,
            // What was good when it was scheduled is no longer: there is no such agent any more, say.
            Err(error @ (Error::Invalid { .. } | Error::NotAllowed { .. } | Error::Damaged(_))) => {
                give_up(calls, &id, error.to_string()).await?;
            }
            // Canceled or moved since it was leased.
            Ok(false) => let_go(calls, &id).await?,
            result => {
                result?;
            }
        }
        waiting.remove(&id);
    }
    for id in waiting.keys() {
        let_go(calls, id).await?;
    }
    Ok(Acted { somebody_waits: !waiting.is_empty(), wake_at })
}

/// The scheduled calls of these recipients.
async fn rows(calls: &Calls, recipients: &[RecipientRow]) -> Result<BTreeMap<String, ScheduledCallRow>, Error> {
    let mut rows = BTreeMap::new();
    for recipient in recipients {
        let id = &recipient.scheduled_call_id;
        if !rows.contains_key(id) {
            rows.insert(id.clone(), calls.scheduled_row(id).await?);
        }
    }
    Ok(rows)
}

/// Somebody who is due, as the plan wants to know it.
fn job(calls: &Calls, now: Timestamp, row: &ScheduledCallRow, recipient: &RecipientRow) -> Result<Job<String>, Error> {
    let rules = &calls.config().scheduling;
    let wish = Wish {
        scheduled_at: &row.scheduled_at,
        time_zone: row.time_zone.as_deref(),
        not_before: row.not_before.as_deref(),
        not_after: row.not_after.as_deref(),
    };
    // It was in time when it was made, and may be over by now.
    let when = wish.read(row.scheduled_at.parse().unwrap_or(now), rules)?;
    Ok(Job {
        id: recipient.id.clone(),
        to: recipient.to.clone(),
        priority: recipient.priority,
        due: recipient.next_attempt_at.as_deref().and_then(|due| due.parse().ok()).unwrap_or(now),
        not_after: when.ends(),
        zone: when.zone(rules)?,
        hours: when.hours(),
        trunk: calls.trunk(None)?.map_or_else(String::new, |trunk| trunk.name.clone()),
        agent: row.agent_id.clone().unwrap_or_default(),
    })
}

/// How many calls may begin, whatever their agents.
async fn free(calls: &Calls) -> Free {
    let trunks = calls.runner().trunks().await;
    let trunks = trunks.into_iter().map(|trunk| (trunk.name, trunk.max_calls.saturating_sub(trunk.calls))).collect();
    Free { lines: calls.free_lines(), trunks, agents: BTreeMap::new() }
}

/// Calls somebody. That they are called is written before anything is dialed; when they are not to be called any more,
/// nobody is, and the answer is false.
async fn start_one(
    calls: &Calls,
    now: Timestamp,
    row: &ScheduledCallRow,
    recipient: &RecipientRow,
) -> Result<bool, Error> {
    let request = NewCall {
        to: recipient.to.clone(),
        task: task(row, recipient)?,
        agent_id: row.agent_id.clone(),
        context: serde_json::from_str(&row.context_json)?,
        ..NewCall::default()
    };
    let attempt = Attempt { recipient_id: &recipient.id, number: recipient.attempts + 1, now };
    let Some(call_id) = calls.place_attempt(request, row.introduction.clone(), attempt).await? else {
        return Ok(false);
    };
    // Whoever canceled while this was written had no call to hang up yet.
    if calls.scheduled_row(&row.id).await?.canceled_at.is_some() {
        calls.hang_up(&call_id).await?;
    }
    Ok(true)
}

/// Decides for each attempt of ours whose call has ended what follows from it.
async fn settle_ended(calls: &Calls) -> Result<(), Error> {
    while let Some((call_id, going)) = calls.scheduler().next_ended() {
        if let Err(error) = settle_attempt(calls, &going.recipient_id, going.attempt, &call_id).await {
            calls.scheduler().put_back(call_id, going);
            return Err(error);
        }
    }
    Ok(())
}

async fn settle_attempt(calls: &Calls, recipient_id: &str, attempt: i64, call_id: &str) -> Result<(), Error> {
    let store = &calls.config().store;
    let Some(recipient) = store.recipient(recipient_id).await? else { return Ok(()) };
    let row = calls.scheduled_row(&recipient.scheduled_call_id).await?;
    let call = store.call(call_id).await?;
    let settlement = settlement(calls, &row, attempt, call.as_ref()).await?;
    settle(calls, recipient_id, settlement).await
}

/// The last attempt of somebody whose owner has died tells what became of it.
async fn settle_left_behind(calls: &Calls, row: &ScheduledCallRow, recipient: &RecipientRow) -> Result<(), Error> {
    let store = &calls.config().store;
    match store.attempts(&recipient.id).await?.pop() {
        Some(attempt) => {
            let call = store.call(&attempt.call_id).await?;
            settle(calls, &recipient.id, settlement(calls, row, attempt.attempt, call.as_ref()).await?).await
        }
        None => let_go(calls, &recipient.id).await,
    }
}

/// What follows from the end of an attempt. A call that has none was begun by somebody who cannot be asked.
async fn settlement(
    calls: &Calls,
    row: &ScheduledCallRow,
    attempt: i64,
    call: Option<&CallRow>,
) -> Result<Settlement, Error> {
    // One that cannot be read any more must not keep others waiting: it means no more tries.
    let rule: RetryRule = serde_json::from_str(&row.retry_json).unwrap_or_else(|_| RetryRule::once());
    let retry = rule.read().or_else(|_| RetryRule::once().read())?;
    let reason = call.and_then(|call| call.end_reason.as_deref()).unwrap_or("interrupted");
    let end = End {
        reason,
        answered: call.is_some_and(|call| call.answered_at.is_some()),
        dialed: match call {
            Some(call) if reason == "shutdown" => was_dialed(calls, &call.id).await?,
            _ => true,
        },
        disposition: call.and_then(|call| call.disposition.as_deref()),
        retry_after: call.and_then(|call| Some(Duration::from_secs(u64::try_from(call.retry_after_s?).ok()?))),
    };
    let now = calls.time();
    let (status, next_attempt_at) = match retry.next(u32::try_from(attempt).unwrap_or(u32::MAX), &end) {
        Next::Reached => ("completed", None),
        Next::GivenUp if row.canceled_at.is_some() => ("canceled", None),
        Next::GivenUp => ("failed", None),
        Next::Again(wait) => ("pending", Some(clock::rfc3339(now.saturating_add(wait).unwrap_or(Timestamp::MAX)))),
    };
    let ended = AttemptEnding { attempt, ended_at: clock::rfc3339(now), end_reason: reason.to_owned() };
    Ok(Settlement { status: status.to_owned(), next_attempt_at, reason: None, ended: Some(ended) })
}

/// Whether a call left its queue.
async fn was_dialed(calls: &Calls, call_id: &str) -> Result<bool, Error> {
    let events = calls.config().store.events_after("", Some(call_id), FIRST_EVENTS).await?;
    Ok(events.into_iter().map(StoredEvent::from).any(|event| event.kind == "call.dialing"))
}

/// Somebody is not called any more.
async fn give_up(calls: &Calls, recipient_id: &str, reason: String) -> Result<(), Error> {
    let settlement = Settlement { status: "failed".to_owned(), reason: Some(reason), ..Settlement::default() };
    settle(calls, recipient_id, settlement).await
}

/// Somebody waits on as before, and whoever has a line may call them.
async fn let_go(calls: &Calls, recipient_id: &str) -> Result<(), Error> {
    settle(calls, recipient_id, Settlement { status: "pending".to_owned(), ..Settlement::default() }).await
}

async fn settle(calls: &Calls, recipient_id: &str, settlement: Settlement) -> Result<(), Error> {
    let store = &calls.config().store;
    if !store.settle_recipient(recipient_id, store.node(), &settlement, &[]).await? {
        tracing::debug!(recipient_id, "somebody to be called was canceled meanwhile, or is another's");
    }
    Ok(())
}
