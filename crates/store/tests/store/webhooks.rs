//! Webhooks, and what becomes of events for them.

use store::{DeliveryFilter, DeliveryRow, Store, WebhookProgress, WebhookRow};

use crate::records::{event, idempotent, ids, time};

crate::on_both! {
    a_webhook_is_kept_changed_and_deleted_with_its_deliveries,
    webhooks_come_newest_first_in_pages_and_are_not_too_many,
    a_webhook_is_not_made_twice_for_one_request,
    a_secret_has_a_successor_and_is_good_for_some_time,
    a_webhook_is_disabled_once_and_that_is_told,
    a_webhook_is_leased_to_one_and_advanced_by_that_one,
    what_was_sent_is_sent_again_from_an_event_on,
    deliveries_are_kept_listed_and_hastened,
    what_is_over_is_forgotten_but_for_the_newest,
}

async fn a_webhook_is_kept_changed_and_deleted_with_its_deliveries(store: Store) {
    assert!(store.insert_webhook(&webhook("hook_1"), 9, None).await.unwrap());
    assert_eq!(store.webhook("hook_1").await.unwrap(), Some(webhook("hook_1")));
    let failing =
        WebhookProgress { cursor: "evt_1".into(), failures: 3, retry_at: Some(time(9)), error: Some("x".into()) };
    store.claim_webhooks("a", &time(0), &time(5)).await.unwrap();
    assert!(store.advance_webhook(&webhook("hook_1"), "a", &failing).await.unwrap());
    let changed = WebhookRow {
        url: "https://example.org/moved".into(),
        description: None,
        events_json: "[]".into(),
        disabled_at: Some(time(8)),
        disabled_reason: Some("requested".into()),
        updated_at: time(8),
        ..webhook("hook_1")
    };
    // Neither its secret nor the time it was made is changed so; and it is tried at once.
    let asked = WebhookRow { secret: vec![9], created_at: time(8), ..changed.clone() };
    assert!(store.update_webhook(&asked).await.unwrap());
    assert_eq!(store.webhook("hook_1").await.unwrap(), Some(WebhookRow { cursor: "evt_1".into(), ..changed }));
    assert!(!store.update_webhook(&webhook("hook_2")).await.unwrap());
    // What was found at its former place says nothing of its new one.
    let before = WebhookRow { cursor: "evt_1".into(), failures: 3, ..webhook("hook_1") };
    assert!(!store.advance_webhook(&before, "a", &failing).await.unwrap());

    store.keep_delivery(&delivery(1, "pending")).await.unwrap();
    assert!(store.delete_webhook("hook_1").await.unwrap());
    assert!(!store.delete_webhook("hook_1").await.unwrap());
    assert_eq!(store.webhook("hook_1").await.unwrap(), None);
    assert_eq!(store.delivery("hook_1", "evt_1").await.unwrap(), None);
    // What was on its way then is nobody's.
    store.keep_delivery(&delivery(1, "delivered")).await.unwrap();
    assert_eq!(store.delivery("hook_1", "evt_1").await.unwrap(), None);
}

async fn webhooks_come_newest_first_in_pages_and_are_not_too_many(store: Store) {
    for id in ["hook_1", "hook_2", "hook_3"] {
        assert!(store.insert_webhook(&webhook(id), 3, None).await.unwrap());
    }
    assert!(!store.insert_webhook(&webhook("hook_4"), 3, Some(&idempotent("key"))).await.unwrap());
    assert_eq!(store.idempotent_request("ops", "key").await.unwrap(), None);
    assert_eq!(store.webhooks(None, 2).await.unwrap(), [webhook("hook_3"), webhook("hook_2")]);
    assert_eq!(store.webhooks(Some("hook_2"), 2).await.unwrap(), [webhook("hook_1")]);
}

async fn a_webhook_is_not_made_twice_for_one_request(store: Store) {
    assert!(store.insert_webhook(&webhook("hook_1"), 9, Some(&idempotent("key"))).await.unwrap());
    assert!(store.insert_webhook(&webhook("hook_2"), 9, Some(&idempotent("key"))).await.is_err());
    assert_eq!(store.webhook("hook_2").await.unwrap(), None);
}

async fn a_secret_has_a_successor_and_is_good_for_some_time(store: Store) {
    store.insert_webhook(&webhook("hook_1"), 9, None).await.unwrap();
    let rotated = store.rotate_webhook_secret("hook_1", &[4, 5, 6], &time(9), &time(2), Some(&idempotent("key"))).await;
    assert!(rotated.unwrap());
    assert!(!store.rotate_webhook_secret("hook_2", &[4], &time(9), &time(2), None).await.unwrap());
    let row = store.webhook("hook_1").await.unwrap().unwrap();
    assert_eq!((row.secret, row.previous_secret), (vec![4, 5, 6], Some(vec![1, 2, 3])));
    assert_eq!((row.previous_until, row.updated_at), (Some(time(9)), time(2)));
    assert!(store.idempotent_request("ops", "key").await.unwrap().is_some());

    assert_eq!(store.forget_webhook_secrets_until(&time(8)).await.unwrap(), 0);
    assert_eq!(store.forget_webhook_secrets_until(&time(9)).await.unwrap(), 1);
    let row = store.webhook("hook_1").await.unwrap().unwrap();
    assert!(!format!("{row:?}").contains("[4, 5, 6]"), "{row:?}");
    assert_eq!((row.secret, row.previous_secret, row.previous_until), (vec![4, 5, 6], None, None));
}

async fn a_webhook_is_disabled_once_and_that_is_told(store: Store) {
    store.insert_webhook(&webhook("hook_1"), 9, None).await.unwrap();
    assert!(store.disable_webhook("hook_1", "gone", &time(4), &[event("evt_1", "x")]).await.unwrap());
    assert!(!store.disable_webhook("hook_1", "gone", &time(5), &[event("evt_2", "x")]).await.unwrap());
    assert!(!store.disable_webhook("hook_2", "gone", &time(5), &[]).await.unwrap());
    let row = store.webhook("hook_1").await.unwrap().unwrap();
    assert_eq!((row.disabled_at, row.disabled_reason.as_deref()), (Some(time(4)), Some("gone")));
    assert_eq!(ids(&store.events_after("", None, 9).await.unwrap()), ["evt_1"]);
    assert_eq!(store.event("evt_1").await.unwrap(), Some(event("evt_1", "x")));
    assert_eq!(store.event("evt_2").await.unwrap(), None);
    assert_eq!(store.claim_webhooks("a", &time(5), &time(9)).await.unwrap(), [""; 0]);
}

async fn a_webhook_is_leased_to_one_and_advanced_by_that_one(store: Store) {
    store.insert_webhook(&webhook("hook_1"), 9, None).await.unwrap();
    let claim = async |owner, now, until| store.claim_webhooks(owner, &time(now), &time(until)).await.unwrap();
    assert_eq!(claim("a", 1, 5).await, ["hook_1"]);
    assert_eq!(claim("b", 2, 6).await, [""; 0]);
    // Again renews.
    assert_eq!(claim("a", 4, 8).await, ["hook_1"]);
    assert_eq!(claim("b", 7, 9).await, [""; 0]);
    let progress = |cursor: &str| WebhookProgress {
        cursor: cursor.into(),
        failures: 2,
        retry_at: Some(time(30)),
        error: Some("x".into()),
    };
    let at = |cursor: &str, failures| WebhookRow { cursor: cursor.into(), failures, ..webhook("hook_1") };
    let advance = async |owner, from, to| store.advance_webhook(&from, owner, &progress(to)).await.unwrap();
    assert!(!advance("b", at("evt_0", 0), "evt_1").await);
    assert!(!advance("a", at("evt_1", 0), "evt_2").await, "it is not there");
    assert!(!advance("a", at("evt_0", 1), "evt_1").await, "they were forgiven");
    assert!(advance("a", at("evt_0", 0), "evt_1").await);
    let row = store.webhook("hook_1").await.unwrap().unwrap();
    assert_eq!((row.cursor.as_str(), row.failures, row.retry_at), ("evt_1", 2, Some(time(30))));
    assert_eq!(row.error.as_deref(), Some("x"));

    // The owner died.
    assert_eq!(claim("b", 8, 20).await, ["hook_1"]);
    assert!(!advance("a", at("evt_1", 2), "evt_2").await);
    assert!(advance("b", at("evt_1", 2), "evt_2").await);
}

async fn what_was_sent_is_sent_again_from_an_event_on(store: Store) {
    store.insert_webhook(&WebhookRow { cursor: "evt_4".into(), ..webhook("hook_1") }, 9, None).await.unwrap();
    for n in 1..=4 {
        store.keep_delivery(&delivery(n, "delivered")).await.unwrap();
    }
    assert!(!store.replay_webhook("hook_1", "evt_4").await.unwrap(), "nothing of that has been sent");
    assert!(!store.replay_webhook("hook_2", "evt_1").await.unwrap());
    assert!(store.replay_webhook("hook_1", "evt_2").await.unwrap());
    assert_eq!(store.webhook("hook_1").await.unwrap().unwrap().cursor, "evt_2");
    assert_eq!(listed(&store, &DeliveryFilter::default(), 9).await, ["evt_2", "evt_1"]);
}

async fn deliveries_are_kept_listed_and_hastened(store: Store) {
    store.insert_webhook(&webhook("hook_1"), 9, None).await.unwrap();
    for (n, status) in [(3, "pending"), (1, "pending"), (2, "delivered"), (4, "failed")] {
        store.keep_delivery(&delivery(n, status)).await.unwrap();
    }
    assert_eq!(store.delivery("hook_1", "evt_3").await.unwrap(), Some(delivery(3, "pending")));
    let all = DeliveryFilter::default;
    assert_eq!(listed(&store, &all(), 2).await, ["evt_4", "evt_3"]);
    assert_eq!(listed(&store, &DeliveryFilter { before: Some("evt_3".into()), ..all() }, 9).await, ["evt_2", "evt_1"]);
    assert_eq!(listed(&store, &DeliveryFilter { status: Some("failed".into()), ..all() }, 9).await, ["evt_4"]);
    let pending = async |limit| store.pending_deliveries("hook_1", limit).await.unwrap();
    assert_eq!(pending(9).await, [delivery(1, "pending"), delivery(3, "pending")]);
    assert_eq!(pending(1).await, [delivery(1, "pending")]);
    let mut seen = store.delivered_after("hook_1", "evt_2").await.unwrap();
    seen.sort();
    assert_eq!(seen, ["evt_3", "evt_4"]);

    assert_eq!(store.hasten_deliveries("hook_1", &time(22)).await.unwrap(), 1);
    let next = pending(9).await.into_iter().map(|row| row.next_attempt_at.unwrap()).collect::<Vec<_>>();
    assert_eq!(next, [time(21), time(22)]);
    let taken = DeliveryRow {
        status: "delivered".into(),
        attempts: 2,
        last_attempt_at: Some(time(30)),
        next_attempt_at: None,
        response_status: Some(204),
        error: None,
        ..delivery(1, "pending")
    };
    store.keep_delivery(&taken).await.unwrap();
    assert_eq!(store.delivery("hook_1", "evt_1").await.unwrap(), Some(taken));
}

async fn what_is_over_is_forgotten_but_for_the_newest(store: Store) {
    store.insert_webhook(&WebhookRow { cursor: "evt_6".into(), ..webhook("hook_1") }, 9, None).await.unwrap();
    for (n, status) in [(1, "pending"), (2, "failed"), (3, "delivered"), (4, "delivered"), (5, "delivered")] {
        store.keep_delivery(&delivery(n, status)).await.unwrap();
    }
    assert_eq!(store.trim_deliveries("hook_1", 9).await.unwrap(), 0);
    assert_eq!(store.trim_deliveries("hook_1", 2).await.unwrap(), 2);
    assert_eq!(listed(&store, &DeliveryFilter::default(), 9).await, ["evt_5", "evt_4", "evt_1"]);
    // What is after the cursor says that it has been sent.
    store.keep_delivery(&delivery(7, "delivered")).await.unwrap();
    store.keep_delivery(&delivery(8, "delivered")).await.unwrap();
    assert_eq!(store.trim_deliveries("hook_1", 0).await.unwrap(), 2);
    assert_eq!(listed(&store, &DeliveryFilter::default(), 9).await, ["evt_8", "evt_7", "evt_1"]);
}

async fn listed(store: &Store, filter: &DeliveryFilter, limit: u32) -> Vec<String> {
    let rows = store.deliveries("hook_1", filter, limit).await.unwrap();
    rows.into_iter().map(|row| row.event_id).collect()
}

fn webhook(id: &str) -> WebhookRow {
    WebhookRow {
        id: id.into(),
        url: "https://example.com/hook".into(),
        description: Some("the ledger".into()),
        events_json: r#"["call.ended"]"#.into(),
        secret: vec![1, 2, 3],
        cursor: "evt_0".into(),
        created_at: time(1),
        updated_at: time(1),
        ..WebhookRow::default()
    }
}

/// Of the event of that number, which is to be sent again at second 20 and so many.
fn delivery(n: u32, status: &str) -> DeliveryRow {
    let is_pending = status == "pending";
    DeliveryRow {
        webhook_id: "hook_1".into(),
        event_id: format!("evt_{n}"),
        call_id: Some("call_1".into()),
        status: status.into(),
        attempts: 1,
        first_attempt_at: Some(time(1)),
        last_attempt_at: Some(time(1)),
        next_attempt_at: is_pending.then(|| time(20 + n)),
        response_status: Some(500),
        error: is_pending.then(|| "they answered 500".into()),
    }
}
