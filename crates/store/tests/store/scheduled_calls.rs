//! Scheduled calls, their recipients, and who may attempt to reach them.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection, SqliteConnection};
use store::{
    AttemptEnding, AttemptRow, RecipientRow, Reschedule, ScheduledCallFilter, ScheduledCallRow, Settlement, Store,
};

use crate::databases::Fresh;
use crate::records::{call, event, idempotent, ids, time};

crate::on_both! {
    a_scheduled_call_is_kept_with_its_recipients_and_events,
    scheduled_calls_come_newest_first_in_pages,
    what_is_due_is_leased_once_highest_priority_first,
    owners_that_claim_at_the_same_time_never_get_the_same,
    a_lease_is_renewed_or_it_ends_and_another_takes_over,
    an_attempt_is_begun_once_by_whoever_has_the_lease,
    a_recipient_is_tried_again_until_it_is_settled,
    what_was_not_begun_may_be_canceled_and_what_was_is_the_last,
    what_waits_may_be_moved_even_when_it_is_leased,
}

async fn a_scheduled_call_is_kept_with_its_recipients_and_events(store: Store) {
    let row = ScheduledCallRow {
        prompt_id: Some("prompt_1".into()),
        content: Some("Ask for the opening hours.".into()),
        introduction: Some("Hello.".into()),
        task_json: None,
        agent_id: Some("agent_1".into()),
        time_zone: Some("Europe/Berlin".into()),
        not_before: Some("09:00".into()),
        not_after: Some("20:00".into()),
        ..scheduled("sched_1")
    };
    let recipients = [recipient("sched_1", 1, 0, 5), recipient("sched_1", 2, 0, 5)];
    store
        .insert_scheduled_call(&row, &recipients, &[event("evt_1", "call_1")], Some(&idempotent("key")))
        .await
        .unwrap();
    assert_eq!(store.scheduled_call("sched_1").await.unwrap(), Some(row));
    assert_eq!(store.recipients("sched_1", 0, 9).await.unwrap(), recipients);
    assert_eq!(store.recipients("sched_1", 1, 9).await.unwrap(), recipients[1..]);
    assert_eq!(store.recipient("sched_1_2").await.unwrap().as_ref(), Some(&recipients[1]));
    assert_eq!(ids(&store.events_after("", None, 9).await.unwrap()), ["evt_1"]);
    // Once for one request.
    let again = store.insert_scheduled_call(&scheduled("sched_2"), &[], &[], Some(&idempotent("key"))).await;
    assert!(again.is_err());
    assert_eq!(store.scheduled_call("sched_2").await.unwrap(), None);
}

async fn scheduled_calls_come_newest_first_in_pages(store: Store) {
    for id in ["sched_1", "sched_2", "sched_3"] {
        store.insert_scheduled_call(&scheduled(id), &[recipient(id, 1, 0, 5)], &[], None).await.unwrap();
    }
    store.cancel_scheduled_call("sched_2", &time(1), &[]).await.unwrap();
    let page = async |filter: ScheduledCallFilter, limit| {
        let rows = store.scheduled_calls(&filter, limit).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let all = ScheduledCallFilter::default;
    assert_eq!(page(all(), 2).await, ["sched_3", "sched_2"]);
    assert_eq!(page(ScheduledCallFilter { before: Some("sched_2".into()), ..all() }, 2).await, ["sched_1"]);
    assert_eq!(page(ScheduledCallFilter { status: Some("canceled".into()), ..all() }, 9).await, ["sched_2"]);
}

async fn what_is_due_is_leased_once_highest_priority_first(store: Store) {
    let recipients = [
        recipient("sched_1", 1, 0, 3),
        recipient("sched_1", 2, 0, 2),
        recipient("sched_1", 3, 7, 5),
        recipient("sched_1", 4, 7, 9),
        recipient("sched_1", 5, -1, 1),
    ];
    store.insert_scheduled_call(&scheduled("sched_1"), &recipients, &[], None).await.unwrap();
    assert_eq!(store.next_due_after("").await.unwrap(), Some(time(1)));
    assert_eq!(store.next_due_after(&time(3)).await.unwrap(), Some(time(5)));
    assert_eq!(claim(&store, "a", 0, 10, 9).await, [""; 0]);
    assert_eq!(claim(&store, "a", 5, 20, 2).await, ["sched_1_3", "sched_1_2"]);
    assert_eq!(claim(&store, "b", 5, 21, 9).await, ["sched_1_1", "sched_1_5"]);
    assert_eq!(claim(&store, "b", 5, 21, 9).await, [""; 0]);
    assert_eq!(store.next_due_after("").await.unwrap(), Some(time(9)));
    let row = store.recipient("sched_1_3").await.unwrap().unwrap();
    assert_eq!(
        (row.lease_owner.as_deref(), row.lease_until, row.status.as_str()),
        (Some("a"), Some(time(20)), "pending")
    );
    assert_eq!(row.next_attempt_at, Some(time(5)), "it is still shown when it was wanted");
}

async fn owners_that_claim_at_the_same_time_never_get_the_same(store: Store) {
    let recipients: Vec<_> = (1..=40).map(|n| recipient("sched_1", n, n % 3, 1)).collect();
    store.insert_scheduled_call(&scheduled("sched_1"), &recipients, &[], None).await.unwrap();
    let claims = (0..8).map(|owner| {
        let store = store.clone();
        tokio::spawn(async move { claim(&store, &format!("owner-{owner}"), 2, 30, 5).await })
    });
    let mut claimed = Vec::new();
    for task in claims.collect::<Vec<_>>() {
        claimed.extend(task.await.unwrap());
    }
    // What one passed over because another was at it is there for the next.
    claimed.extend(claim(&store, "last", 2, 30, 40).await);
    claimed.sort();
    let mut all: Vec<_> = recipients.into_iter().map(|row| row.id).collect();
    all.sort();
    assert_eq!(claimed, all);
}

async fn a_lease_is_renewed_or_it_ends_and_another_takes_over(store: Store) {
    store.insert_scheduled_call(&scheduled("sched_1"), &[recipient("sched_1", 1, 0, 1)], &[], None).await.unwrap();
    assert_eq!(claim(&store, "a", 1, 5, 9).await, ["sched_1_1"]);
    assert!(store.begin_attempt("a", &attempt(1, 2), &call("call_1"), &[]).await.unwrap());
    let ours = ["sched_1_1".to_owned()];
    assert_eq!(store.renew_leases("a", &ours, &time(8)).await.unwrap(), 1);
    assert_eq!(store.renew_leases("a", &["sched_1_2".to_owned()], &time(30)).await.unwrap(), 0);
    assert_eq!(store.renew_leases("b", &ours, &time(30)).await.unwrap(), 0);
    assert_eq!(claim(&store, "b", 7, 20, 9).await, [""; 0]);

    // The owner died; what it had begun is there to be seen.
    assert_eq!(claim(&store, "b", 8, 20, 9).await, ["sched_1_1"]);
    assert_eq!(store.recipient("sched_1_1").await.unwrap().unwrap().status, "in_progress");
    assert_eq!(store.attempts("sched_1_1").await.unwrap(), [attempt(1, 2)]);
    assert!(!store.settle_recipient("sched_1_1", "a", &over("completed", 1, 9), &[]).await.unwrap());
    // It begins a new life.
    assert_eq!(store.release_leases("a", &[], &time(9)).await.unwrap(), 0);
    assert_eq!(store.release_leases("b", &ours, &time(9)).await.unwrap(), 0);
    assert_eq!(store.release_leases("b", &[], &time(9)).await.unwrap(), 1);
    assert_eq!(claim(&store, "b", 9, 20, 9).await, ["sched_1_1"]);
    assert!(store.settle_recipient("sched_1_1", "b", &over("failed", 1, 9), &[]).await.unwrap());
    assert_eq!(status(&store).await, "failed");
}

async fn an_attempt_is_begun_once_by_whoever_has_the_lease(store: Store) {
    store.insert_scheduled_call(&scheduled("sched_1"), &[recipient("sched_1", 1, 0, 1)], &[], None).await.unwrap();
    let begin = async |owner, attempt: AttemptRow| {
        store.begin_attempt(owner, &attempt, &call(&attempt.call_id), &[]).await.unwrap()
    };
    assert!(!begin("a", attempt(1, 1)).await, "nobody has it");
    assert_eq!(claim(&store, "a", 1, 5, 9).await, ["sched_1_1"]);
    assert!(!begin("b", attempt(1, 2)).await, "another has it");
    assert!(!begin("a", attempt(1, 5)).await, "the lease is over");
    assert!(!begin("a", attempt(2, 2)).await, "the first comes first");
    assert!(!begin("a", AttemptRow { recipient_id: "nobody".into(), ..attempt(1, 2) }).await);
    assert_eq!(status(&store).await, "pending");

    let told = store.begin_attempt("a", &attempt(1, 2), &call("call_1"), &[event("evt_1", "call_1")]).await.unwrap();
    assert!(told && !begin("a", attempt(1, 3)).await && !begin("a", attempt(2, 3)).await);
    assert_eq!(store.attempts("sched_1_1").await.unwrap(), [attempt(1, 2)]);
    assert_eq!(store.attempts_of("sched_1").await.unwrap(), [attempt(1, 2)]);
    assert_eq!(store.call("call_1").await.unwrap().unwrap().status, "queued", "its call is there");
    assert_eq!(ids(&store.events_after("", None, 9).await.unwrap()), ["evt_1"]);
    let row = store.recipient("sched_1_1").await.unwrap().unwrap();
    assert_eq!((row.status.as_str(), row.attempts), ("in_progress", 1));
    assert_eq!(status(&store).await, "in_progress");
}

async fn a_recipient_is_tried_again_until_it_is_settled(store: Store) {
    let recipients = [recipient("sched_1", 1, 0, 1), recipient("sched_1", 2, 0, 30)];
    store.insert_scheduled_call(&scheduled("sched_1"), &recipients, &[], None).await.unwrap();
    claim(&store, "a", 1, 5, 9).await;
    assert!(store.begin_attempt("a", &attempt(1, 2), &call("call_1"), &[]).await.unwrap());
    let busy = Settlement { next_attempt_at: Some(time(10)), ..over("pending", 1, 4) };
    assert!(store.settle_recipient("sched_1_1", "a", &busy, &[event("evt_1", "call_1")]).await.unwrap());
    assert_eq!(status(&store).await, "in_progress", "it has begun");
    let row = store.recipient("sched_1_1").await.unwrap().unwrap();
    let expected = RecipientRow {
        attempts: 1,
        next_attempt_at: Some(time(10)),
        reason: Some("busy".into()),
        ..recipients[0].clone()
    };
    assert_eq!(row, expected);
    assert_eq!(claim(&store, "a", 9, 20, 9).await, [""; 0]);

    // Claimed and let go without an attempt: all is as it was.
    assert_eq!(claim(&store, "a", 10, 20, 9).await, ["sched_1_1"]);
    let not_now = Settlement { status: "pending".into(), reason: Some("busy".into()), ..Settlement::default() };
    assert!(store.settle_recipient("sched_1_1", "a", &not_now, &[]).await.unwrap());
    assert_eq!(store.recipient("sched_1_1").await.unwrap(), Some(expected));

    assert_eq!(claim(&store, "a", 10, 20, 9).await, ["sched_1_1"]);
    assert!(store.begin_attempt("a", &attempt(2, 11), &call("call_2"), &[]).await.unwrap());
    assert!(store.settle_recipient("sched_1_1", "a", &over("completed", 2, 15), &[]).await.unwrap());
    let row = store.recipient("sched_1_1").await.unwrap().unwrap();
    assert_eq!((row.status.as_str(), row.next_attempt_at, row.lease_owner), ("completed", None, None));
    let ended: Vec<_> = store.attempts("sched_1_1").await.unwrap().into_iter().map(|row| row.ended_at).collect();
    assert_eq!(ended, [Some(time(4)), Some(time(15))]);
    assert_eq!(status(&store).await, "in_progress", "another waits");
    assert_eq!(claim(&store, "a", 30, 40, 9).await, ["sched_1_2"]);
    let gone = Settlement { status: "failed".into(), reason: Some("rejected".into()), ..Settlement::default() };
    assert!(store.settle_recipient("sched_1_2", "a", &gone, &[]).await.unwrap());
    assert_eq!(status(&store).await, "completed", "one was reached");
    assert_eq!(store.next_due_after("").await.unwrap(), None);
}

async fn what_was_not_begun_may_be_canceled_and_what_was_is_the_last(store: Store) {
    let recipients = [recipient("sched_1", 1, 0, 1), recipient("sched_1", 2, 0, 2), recipient("sched_1", 3, 0, 30)];
    store.insert_scheduled_call(&scheduled("sched_1"), &recipients, &[], None).await.unwrap();
    assert_eq!(claim(&store, "a", 2, 20, 9).await, ["sched_1_1", "sched_1_2"]);
    assert!(store.begin_attempt("a", &attempt(1, 2), &call("call_1"), &[]).await.unwrap());

    assert!(store.cancel_scheduled_call("sched_1", &time(3), &[event("evt_1", "call_1")]).await.unwrap());
    assert!(!store.cancel_scheduled_call("sched_1", &time(4), &[event("evt_2", "call_1")]).await.unwrap());
    assert!(!store.cancel_scheduled_call("sched_nobody", &time(4), &[]).await.unwrap());
    assert_eq!(ids(&store.events_after("", None, 9).await.unwrap()), ["evt_1"]);
    let leased = AttemptRow { recipient_id: "sched_1_2".into(), call_id: "call_2".into(), ..attempt(1, 4) };
    assert!(!store.begin_attempt("a", &leased, &call("call_2"), &[]).await.unwrap());
    assert_eq!(status(&store).await, "in_progress");
    let busy = Settlement { next_attempt_at: Some(time(10)), ..over("pending", 1, 5) };
    assert!(store.settle_recipient("sched_1_1", "a", &busy, &[]).await.unwrap());
    let rows = store.recipients("sched_1", 0, 9).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.status.as_str()).collect::<Vec<_>>(), ["canceled"; 3]);
    let row = store.scheduled_call("sched_1").await.unwrap().unwrap();
    assert_eq!((row.status.as_str(), row.canceled_at), ("canceled", Some(time(3))));
    assert_eq!(store.next_due_after("").await.unwrap(), None);
}

async fn what_waits_may_be_moved_even_when_it_is_leased(store: Store) {
    let recipients = [recipient("sched_1", 1, 0, 1), recipient("sched_1", 2, 0, 30)];
    store.insert_scheduled_call(&scheduled("sched_1"), &recipients, &[], None).await.unwrap();
    assert_eq!(claim(&store, "a", 1, 9, 9).await, ["sched_1_1"]);
    let later = Reschedule {
        scheduled_at: time(19),
        not_after: Some("21:00".into()),
        next_attempt_at: time(20),
        ..Reschedule::default()
    };
    assert!(store.reschedule("sched_1", &later, &[event("evt_1", "call_1")]).await.unwrap());
    assert!(!store.reschedule("sched_nobody", &later, &[]).await.unwrap());
    let row = store.scheduled_call("sched_1").await.unwrap().unwrap();
    assert_eq!((row.scheduled_at, row.not_after.as_deref()), (time(19), Some("21:00")));

    assert!(!store.begin_attempt("a", &attempt(1, 2), &call("call_1"), &[]).await.unwrap(), "it was moved");
    let not_now = Settlement { status: "pending".into(), ..Settlement::default() };
    assert!(store.settle_recipient("sched_1_1", "a", &not_now, &[]).await.unwrap());
    assert_eq!(claim(&store, "a", 19, 40, 9).await, [""; 0]);
    assert_eq!(claim(&store, "a", 20, 40, 9).await, ["sched_1_1", "sched_1_2"]);
}

/// Half of so many are due, at ten priorities; the others are not.
const MANY: &str = "INSERT INTO recipients (id, scheduled_call_id, position, to_party, status, facts_json, priority, \
     next_attempt_at, due_at) \
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000), \
     timed (i, at) AS (SELECT i, CASE WHEN i % 2 = 0 THEN '2026-01-02T03:04:00.000Z' ELSE '2026-01-02T04:00:00.000Z' END \
     FROM n) \
     SELECT 'rcpt_' || i, 'sched_1', i, '+1555' || i, 'pending', '{}', i % 10, at, at FROM timed";
/// The next minute of a busy node must be planned in no more.
const PLANNED: Duration = Duration::from_millis(10);

#[tokio::test]
async fn of_a_hundred_thousand_in_sqlite_what_is_due_is_claimed_in_milliseconds() {
    let fresh = Fresh::sqlite().await;
    fresh.store.insert_scheduled_call(&scheduled("sched_1"), &[], &[], None).await.unwrap();
    let mut connection = SqliteConnection::connect(&fresh.url).await.unwrap();
    sqlx::raw_sql(MANY).execute(&mut connection).await.unwrap();
    claims_take_milliseconds(&fresh.store).await;
}

#[tokio::test]
async fn of_a_hundred_thousand_in_postgresql_what_is_due_is_claimed_in_milliseconds() {
    let fresh = Fresh::postgres().await;
    fresh.store.insert_scheduled_call(&scheduled("sched_1"), &[], &[], None).await.unwrap();
    let mut connection = PgConnection::connect(&fresh.url).await.unwrap();
    sqlx::raw_sql(MANY).execute(&mut connection).await.unwrap();
    claims_take_milliseconds(&fresh.store).await;
}

/// The best of some claims counts: the machine may have other things to do.
async fn claims_take_milliseconds(store: &Store) {
    let mut best = Duration::MAX;
    for n in 0..20 {
        let begun = Instant::now();
        let claimed = claim(store, "a", 1, 30, 50).await;
        let next = store.next_due_after("").await.unwrap();
        best = best.min(begun.elapsed());
        assert_eq!((claimed.len(), next), (50, Some(time(0))), "claim {n}");
    }
    assert!(best <= PLANNED, "{best:?}");
}

/// The ids that `owner` gets, in the order of their turn within a priority.
async fn claim(store: &Store, owner: &str, now: u32, until: u32, limit: u32) -> Vec<String> {
    let rows = store.claim_recipients(owner, &time(now), &time(until), limit).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

async fn status(store: &Store) -> String {
    store.scheduled_call("sched_1").await.unwrap().unwrap().status
}

fn scheduled(id: &str) -> ScheduledCallRow {
    ScheduledCallRow {
        id: id.into(),
        status: "pending".into(),
        task_json: Some("{}".into()),
        scheduled_at: time(1),
        retry_json: "{}".into(),
        context_json: "{}".into(),
        created_at: time(0),
        ..ScheduledCallRow::default()
    }
}

fn recipient(scheduled_call_id: &str, position: i64, priority: i64, second: u32) -> RecipientRow {
    RecipientRow {
        id: format!("{scheduled_call_id}_{position}"),
        scheduled_call_id: scheduled_call_id.into(),
        position,
        to: "+15550100".into(),
        status: "pending".into(),
        facts_json: "{}".into(),
        priority,
        next_attempt_at: Some(time(second)),
        ..RecipientRow::default()
    }
}

/// To reach the first recipient.
fn attempt(attempt: i64, second: u32) -> AttemptRow {
    AttemptRow {
        recipient_id: "sched_1_1".into(),
        attempt,
        call_id: format!("call_{attempt}"),
        created_at: time(second),
        ..AttemptRow::default()
    }
}

/// An attempt was over, and now the recipient has this status.
fn over(status: &str, attempt: i64, second: u32) -> Settlement {
    let ended = AttemptEnding { attempt, ended_at: time(second), end_reason: "busy".into() };
    Settlement { status: status.into(), next_attempt_at: None, reason: Some("busy".into()), ended: Some(ended) }
}
