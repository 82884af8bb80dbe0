//! What is kept, and found again.

use store::{
    CallChange, CallEnding, CallFilter, CallRow, Error, EventRow, IdempotentRow, KeyRow, RecordingRow, SipMessageRow,
    Store, TranscriptRow,
};

crate::on_both! {
    a_call_ends_once_and_nothing_changes_it_after,
    calls_come_newest_first_in_pages,
    events_are_read_after_an_id_and_of_one_call,
    a_transcript_is_in_the_order_of_speech,
    an_answer_to_an_idempotent_request_is_kept_a_key_and_forgotten_by_age,
    replaced_keys_are_gone_and_kept_ones_keep_their_age,
    recordings_are_found_by_the_end_of_their_call_until_they_are_deleted,
    sip_messages_are_kept_until_so_long_after_the_end_of_their_call,
    what_was_said_and_the_events_of_a_call_go_when_its_time_is_over,
    ids_and_times_are_compared_by_their_bytes,
    what_a_peer_says_is_kept_whatever_is_in_it,
}

async fn a_call_ends_once_and_nothing_changes_it_after(store: Store) {
    store.insert_call(&call("call_1"), &[], None).await.unwrap();
    let answered = CallChange { status: Some("answered".into()), answered_at: Some(time(1)), ..CallChange::default() };
    assert!(store.change_call("call_1", &answered, &[event("evt_1", "call_1")]).await.unwrap());
    let pressed = CallChange { digits: Some("12".into()), ..CallChange::default() };
    assert!(store.change_call("call_1", &pressed, &[]).await.unwrap());
    assert_eq!(store.call("call_1").await.unwrap().unwrap().digits_sent, "12");

    assert!(store.end_call("call_1", &ending(), &[event("evt_2", "call_1")]).await.unwrap());
    assert!(!store.end_call("call_1", &ending(), &[event("evt_3", "call_1")]).await.unwrap());
    assert!(!store.change_call("call_1", &answered, &[event("evt_4", "call_1")]).await.unwrap());

    let row = store.call("call_1").await.unwrap().unwrap();
    assert_eq!(
        (row.status.as_str(), row.end_reason.as_deref(), row.answered_at),
        ("ended", Some("completed"), Some(time(1)))
    );
    assert_eq!(ids(&store.events_after("", None, 10).await.unwrap()), ["evt_1", "evt_2"]);
}

async fn calls_come_newest_first_in_pages(store: Store) {
    for id in ["call_1", "call_2", "call_3"] {
        store.insert_call(&call(id), &[], None).await.unwrap();
    }
    store.end_call("call_2", &ending(), &[]).await.unwrap();

    let page = async |filter: CallFilter, limit| {
        let rows = store.calls(&filter, limit).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(page(CallFilter::default(), 2).await, ["call_3", "call_2"]);
    assert_eq!(page(CallFilter { before: Some("call_2".into()), ..CallFilter::default() }, 2).await, ["call_1"]);
    assert_eq!(
        page(CallFilter { status: Some("queued".into()), ..CallFilter::default() }, 9).await,
        ["call_3", "call_1"]
    );
    assert_eq!(page(CallFilter { direction: Some("inbound".into()), ..CallFilter::default() }, 9).await, [""; 0]);
}

async fn events_are_read_after_an_id_and_of_one_call(store: Store) {
    store.append_events(&[event("evt_1", "call_1"), event("evt_2", "call_2"), event("evt_3", "call_1")]).await.unwrap();
    assert_eq!(ids(&store.events_after("evt_1", None, 10).await.unwrap()), ["evt_2", "evt_3"]);
    assert_eq!(ids(&store.events_after("evt_1", Some("call_1"), 10).await.unwrap()), ["evt_3"]);
    assert_eq!(store.events_after("", None, 1).await.unwrap()[0].body, "{\"id\":\"evt_1\",\"n\": 1.0 }");
}

async fn a_transcript_is_in_the_order_of_speech(store: Store) {
    store.insert_call(&call("call_1"), &[], None).await.unwrap();
    let said =
        |at_ms, text: &str| TranscriptRow { at_ms, end_ms: at_ms + 500, speaker: "callee".into(), text: text.into() };
    store.append_transcript("call_1", &said(900, "second"), &[]).await.unwrap();
    store.append_transcript("call_1", &said(100, "first"), &[]).await.unwrap();
    assert_eq!(store.transcript("call_1").await.unwrap(), [said(100, "first"), said(900, "second")]);
    assert!(store.append_transcript("call_9", &said(1, "nobody's"), &[]).await.is_err());
}

async fn an_answer_to_an_idempotent_request_is_kept_a_key_and_forgotten_by_age(store: Store) {
    let answer = idempotent("k");
    store.insert_call(&call("call_1"), &[], Some(&answer)).await.unwrap();
    assert_eq!(store.idempotent_request("ops", "k").await.unwrap(), Some(answer.clone()));
    assert_eq!(store.idempotent_request("other", "k").await.unwrap(), None);
    // Nothing of a second call with the same answer stays.
    assert!(store.insert_call(&call("call_2"), &[], Some(&answer)).await.is_err());
    assert_eq!(store.call("call_2").await.unwrap(), None);
    assert_eq!(store.forget_idempotent_requests_before(&time(2)).await.unwrap(), 1);
}

async fn replaced_keys_are_gone_and_kept_ones_keep_their_age(store: Store) {
    let key = |name: &str, second| KeyRow {
        name: name.into(),
        role: "read".into(),
        sha256: vec![7; 32],
        created_at: time(second),
    };
    store.replace_keys(&[key("a", 1), key("b", 1)]).await.unwrap();
    store.replace_keys(&[key("b", 2), key("c", 2)]).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), [key("b", 1), key("c", 2)]);
}

async fn recordings_are_found_by_the_end_of_their_call_until_they_are_deleted(store: Store) {
    for (id, second, recording) in [("call_1", 5, Some("a.wav")), ("call_2", 7, None), ("call_3", 8, Some("c.wav"))] {
        store.insert_call(&call(id), &[], None).await.unwrap();
        let ending = CallEnding { ended_at: time(second), recording: recording.map(str::to_owned), ..ending() };
        store.end_call(id, &ending, &[]).await.unwrap();
    }
    store.insert_call(&call("call_4"), &[], None).await.unwrap();
    let found = async |second| store.recordings_until(&time(second), None, 10).await.unwrap();
    let first = RecordingRow { call_id: "call_1".into(), path: "a.wav".into(), ended_at: time(5) };
    assert_eq!(found(4).await, []);
    assert_eq!(found(5).await, std::slice::from_ref(&first));
    assert_eq!(found(9).await.len(), 2);
    assert_eq!(store.recordings_until(&time(9), None, 1).await.unwrap(), std::slice::from_ref(&first));
    let second = store.recordings_until(&time(9), Some(&first), 1).await.unwrap();
    assert_eq!(second.iter().map(|row| row.call_id.as_str()).collect::<Vec<_>>(), ["call_3"]);
    assert_eq!(store.recordings_until(&time(9), second.first(), 1).await.unwrap(), []);

    store.recording_deleted("call_1", &time(30)).await.unwrap();
    store.recording_deleted("call_1", &time(31)).await.unwrap();
    store.recording_deleted("call_2", &time(31)).await.unwrap();
    assert_eq!(found(9).await.len(), 1);
    let row = store.call("call_1").await.unwrap().unwrap();
    assert_eq!((row.recording, row.recording_deleted_at), (None, Some(time(30))));
    assert_eq!(store.call("call_2").await.unwrap().unwrap().recording_deleted_at, None);
}

async fn sip_messages_are_kept_until_so_long_after_the_end_of_their_call(store: Store) {
    let message = |number| SipMessageRow {
        number,
        at_us: 1_800_000_000_000_000 + number,
        sent: number == 1,
        transport: "UDP".into(),
        local: "192.0.2.1:5060".into(),
        remote: "192.0.2.2:5060".into(),
        message: vec![0, 255, 13, 10],
    };
    let messages = [message(1), message(2), message(5)];
    for (id, second) in [("call_1", 5), ("call_2", 7)] {
        store.insert_call(&call(id), &[], None).await.unwrap();
        store.end_call(id, &CallEnding { ended_at: time(second), ..ending() }, &[]).await.unwrap();
        store.keep_sip_messages(id, &messages).await.unwrap();
        store.keep_sip_messages(id, &messages).await.unwrap();
    }
    assert_eq!(store.sip_messages("call_1").await.unwrap(), messages);
    assert_eq!(store.sip_messages("call_nobody").await.unwrap(), []);
    assert!(matches!(store.keep_sip_messages("call_nobody", &messages).await, Err(Error::Query(_))));

    assert_eq!(store.delete_sip_messages_until(&time(4), 10).await.unwrap(), 0);
    assert_eq!(store.delete_sip_messages_until(&time(5), 10).await.unwrap(), 3);
    assert_eq!(store.sip_messages("call_1").await.unwrap(), []);
    assert_eq!(store.sip_messages("call_2").await.unwrap(), messages);
    assert_eq!(store.delete_sip_messages_until(&time(9), 1).await.unwrap(), 3);
}

async fn what_was_said_and_the_events_of_a_call_go_when_its_time_is_over(store: Store) {
    let said = TranscriptRow { at_ms: 1, end_ms: 2, speaker: "callee".into(), text: "a secret".into() };
    for (n, second) in [(1, 5), (2, 7), (3, 9)] {
        let id = format!("call_{n}");
        store.insert_call(&call(&id), &[event(&format!("evt_{n}"), &id)], None).await.unwrap();
        store.append_transcript(&id, &said, &[]).await.unwrap();
        store.end_call(&id, &CallEnding { ended_at: time(second), ..ending() }, &[]).await.unwrap();
    }
    store.insert_call(&call("call_4"), &[event("evt_4", "call_4")], None).await.unwrap();

    assert_eq!(store.delete_words_until(&time(4), &time(30), 10).await.unwrap(), 0);
    assert_eq!(store.delete_words_until(&time(7), &time(30), 1).await.unwrap(), 1);
    assert_eq!(ids(&store.events_after("", None, 9).await.unwrap()), ["evt_2", "evt_3", "evt_4"]);
    assert_eq!(store.delete_words_until(&time(7), &time(30), 10).await.unwrap(), 1);
    assert_eq!(store.delete_words_until(&time(7), &time(30), 10).await.unwrap(), 0);
    assert_eq!(ids(&store.events_after("", None, 9).await.unwrap()), ["evt_3", "evt_4"]);
    assert_eq!(store.transcript("call_2").await.unwrap(), []);
    assert_eq!(store.transcript("call_3").await.unwrap(), [said]);
    assert_eq!(store.call("call_1").await.unwrap().unwrap().end_reason.as_deref(), Some("completed"));
}

async fn ids_and_times_are_compared_by_their_bytes(store: Store) {
    // In the order of a language, b comes before C and _ is nothing.
    for id in ["call_C", "call_b", "callZ"] {
        store.insert_call(&call(id), &[event(&id.replace("call", "evt"), id)], None).await.unwrap();
    }
    let found = store.calls(&CallFilter::default(), 9).await.unwrap();
    assert_eq!(found.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["call_b", "call_C", "callZ"]);
    assert_eq!(ids(&store.events_after("evt_C", None, 9).await.unwrap()), ["evt_b"]);
    assert_eq!(store.last_event_id().await.unwrap().as_deref(), Some("evt_b"));
    let unfinished = store.unfinished_calls().await.unwrap();
    assert_eq!(unfinished.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["callZ", "call_C", "call_b"]);
}

async fn what_a_peer_says_is_kept_whatever_is_in_it(store: Store) {
    store.insert_call(&call("call_1"), &[], None).await.unwrap();
    let reason = "Bus\u{301}y \u{1f4de} \u{feff}\"'; DROP TABLE calls; --\r\n\u{7f}\u{1}".to_owned();
    let ending = CallEnding { reason: Some(format!("{reason}\0")), ..ending() };
    assert!(store.end_call("call_1", &ending, &[]).await.unwrap());
    let kept = store.call("call_1").await.unwrap().unwrap().reason.unwrap();
    // PostgreSQL has no NUL in a text.
    assert_eq!(kept.strip_suffix(['\0', '\u{fffd}']), Some(reason.as_str()));
}

pub fn time(second: u32) -> String {
    format!("2026-01-02T03:04:{second:02}.000Z")
}

pub fn call(id: &str) -> CallRow {
    CallRow {
        id: id.into(),
        status: "queued".into(),
        direction: "outbound".into(),
        to: "+15550100".into(),
        request_json: "{}".into(),
        created_at: time(0),
        warnings_json: "[]".into(),
        ..CallRow::default()
    }
}

pub fn idempotent(key: &str) -> IdempotentRow {
    IdempotentRow {
        api_key: "ops".into(),
        key: key.into(),
        digest: vec![1],
        status: 202,
        location: None,
        body: "{}".into(),
        created_at: time(1),
    }
}

pub fn ending() -> CallEnding {
    CallEnding {
        ended_at: time(9),
        end_reason: "completed".into(),
        digits_sent: "12".into(),
        result_json: "{}".into(),
        latency_json: "{}".into(),
        cost_json: "{}".into(),
        ..CallEnding::default()
    }
}

pub fn event(id: &str, call_id: &str) -> EventRow {
    EventRow { id: id.into(), call_id: Some(call_id.into()), body: format!("{{\"id\":\"{id}\",\"n\": 1.0 }}") }
}

pub fn ids(events: &[EventRow]) -> Vec<&str> {
    events.iter().map(|event| event.id.as_str()).collect()
}
