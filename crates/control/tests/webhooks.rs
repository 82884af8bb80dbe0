//! `/v1/webhooks`: what may be asked for, and what is answered. What is sent is in `webhook_deliveries.rs`.

mod common;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use common::{Answer, App, at};
use control::{Resolver, WebhookRules};
use serde_json::{Value, json};
use store::DeliveryRow;

const PATH: &str = "/v1/webhooks";

#[tokio::test]
async fn a_webhook_is_made_shown_changed_and_deleted() {
    let app = App::start().await;
    let request =
        json!({"url": "https://1.1.1.1/hook?a=b", "events": ["call.ended", "media.*"], "description": "ledger"});
    let made = app.post(PATH, &request.to_string()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("hook_"));
    let path = format!("{PATH}/{id}");
    assert_eq!(made.headers["location"], path);
    let mut expected = json!({
        "id": id, "url": "https://1.1.1.1/hook?a=b", "description": "ledger", "events": ["call.ended", "media.*"],
        "enabled": true, "disabled_at": null, "disabled_reason": null, "previous_secret_until": null,
        "last_event_id": null, "failures": 0, "retry_at": null, "error": null,
        "created_at": "2026-12-01T09:00:00.000Z", "updated_at": "2026-12-01T09:00:00.000Z",
    });
    assert_eq!(app.get(&path).await.json(), expected);
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    // 32 bytes in Base64.
    assert!(secret.starts_with("whsec_") && secret.len() == 50 && secret.ends_with('='), "{secret}");
    expected["secret"] = json!(secret);
    assert_eq!(made.json(), expected);

    app.time.send_replace(at("09:30:00"));
    let changed = change(&app, &path, json!({"enabled": false, "description": null, "events": []})).await;
    assert_eq!((&changed["enabled"], &changed["disabled_reason"]), (&json!(false), &json!("requested")));
    assert_eq!((&changed["disabled_at"], &changed["updated_at"]), (&json!(AT_0930), &json!(AT_0930)));
    assert_eq!((&changed["description"], &changed["events"]), (&Value::Null, &json!([])));
    assert_eq!(changed["url"], "https://1.1.1.1/hook?a=b");
    let changed = change(&app, &path, json!({"enabled": true, "url": "https://1.0.0.1"})).await;
    assert_eq!((&changed["enabled"], &changed["disabled_at"]), (&json!(true), &Value::Null));
    assert_eq!(changed["url"], "https://1.0.0.1/");
    assert_eq!(app.get(&path).await.json(), changed);
    assert!(!app.get(&path).await.text.contains("secret\":\"whsec"), "it is shown once");

    assert_eq!(app.send("admin", "DELETE", &path, &[], "").await.status, 204);
    for (method, path, body) in [
        ("GET", path.clone(), ""),
        ("PATCH", path.clone(), "{}"),
        ("DELETE", path.clone(), ""),
        ("GET", format!("{path}/deliveries"), ""),
        ("POST", format!("{path}/actions/rotate-secret"), "{}"),
        ("POST", format!("{path}/actions/replay"), r#"{"since":"2026-12-01T09:00:00Z"}"#),
    ] {
        check(&app.send("admin", method, &path, &[], body).await, 404, "not_found", "");
    }
}

const AT_0930: &str = "2026-12-01T09:30:00.000Z";

#[tokio::test]
async fn each_mistake_is_named_with_what_to_send_and_nothing_is_made() {
    let app = App::start().await;
    for (change, code, field) in [
        (json!({"url": null}), "invalid_field", "url"),
        (json!({"url": "example.com"}), "invalid_field", "url"),
        (json!({"url": "http://1.1.1.1/"}), "invalid_field", "url"),
        (json!({"url": "https://169.254.169.254/latest/"}), "invalid_field", "url"),
        (json!({"url": "https://0x7f.1/"}), "invalid_field", "url"),
        (json!({"url": "https://localhost/"}), "invalid_field", "url"),
        (json!({"url": "https://ada:lovelace@1.1.1.1/"}), "invalid_field", "url"),
        (json!({"events": ["call.ended", "Call Ended"]}), "invalid_field", "events[1]"),
        (json!({"events": "call.ended"}), "invalid_field", "events"),
        (json!({"events": vec!["call.ended"; 51]}), "invalid_field", "events"),
        (json!({"description": " "}), "invalid_field", "description"),
        (json!({"description": "x".repeat(201)}), "invalid_field", "description"),
        (json!({"secret": "whsec_AA=="}), "unknown_field", "secret"),
    ] {
        check(&app.post(PATH, &request(&change).to_string()).await, 422, code, field);
    }
    let refused = app.post(PATH, r#"{"url":"https://0x7f.1/"}"#).await.json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("127.0.0.1 is not on the public internet: send an https URL"), "{detail}");
    check(&app.post(PATH, "{\"url\":").await, 400, "invalid_json", "");
    assert_eq!(app.get(PATH).await.json()["data"], json!([]));

    let path = made(&app).await;
    for (change, code, field) in [
        (json!({"url": "https://10.0.0.1/"}), "invalid_field", "url"),
        (json!({"events": ["*"]}), "invalid_field", "events[0]"),
        (json!({"description": ""}), "invalid_field", "description"),
        (json!({"enabled": "no"}), "invalid_field", "enabled"),
        (json!({"secret": "x"}), "unknown_field", "secret"),
    ] {
        check(&app.send("admin", "PATCH", &path, &[], &change.to_string()).await, 422, code, field);
    }
    let event = "evt_01ARYZ6S410000000000000000";
    for (action, body, status, code, field) in [
        ("rotate-secret", json!({"keep_previous": "a day"}), 422, "invalid_field", "keep_previous"),
        ("rotate-secret", json!({"keep_previous": "721h"}), 422, "invalid_field", "keep_previous"),
        ("rotate-secret", json!({"secret": "x"}), 422, "unknown_field", "secret"),
        ("replay", json!({}), 422, "invalid_field", "event_id"),
        ("replay", json!({"event_id": event, "after": event}), 422, "invalid_field", "event_id"),
        ("replay", json!({"event_id": "call_1"}), 422, "invalid_field", "event_id"),
        ("replay", json!({"event_id": event}), 404, "not_found", ""),
        ("replay", json!({"after": "1"}), 422, "invalid_field", "after"),
        ("replay", json!({"since": "yesterday"}), 422, "invalid_field", "since"),
    ] {
        check(&app.post(&format!("{path}/actions/{action}"), &body.to_string()).await, status, code, field);
    }
    for (query, code, field) in [
        ("status=lost", "invalid_field", "status"),
        ("limit=0", "invalid_field", "limit"),
        ("cursor=call_1", "invalid_cursor", "cursor"),
        ("colour=red", "invalid_query", ""),
    ] {
        check(&app.get(&format!("{path}/deliveries?{query}")).await, 422, code, field);
    }
    check(&app.get(&format!("{PATH}?cursor=evt_1")).await, 422, "invalid_cursor", "cursor");
}

#[tokio::test]
async fn a_name_that_stands_for_a_private_address_is_refused_and_one_that_is_not_found_is_not() {
    let app = App::with(|config| config.webhooks = names(false)).await;
    for name in ["private.test", "mixed.test", "metadata.test"] {
        let answer = app.post(PATH, &json!({"url": format!("https://{name}/")}).to_string()).await;
        check(&answer, 422, "invalid_field", "url");
    }
    for name in ["public.test", "unknown.test"] {
        assert_eq!(app.post(PATH, &json!({"url": format!("https://{name}/")}).to_string()).await.status, 201);
    }
    let app = App::with(|config| config.webhooks = names(true)).await;
    for url in ["http://private.test/", "http://127.0.0.1:8080/", "http://localhost/", "https://[::1]/"] {
        assert_eq!(app.post(PATH, &json!({"url": url}).to_string()).await.status, 201, "{url}");
    }
}

#[tokio::test]
async fn only_an_admin_says_where_events_go() {
    let app = App::start().await;
    let path = made(&app).await;
    let (rotate, replay) = (format!("{path}/actions/rotate-secret"), format!("{path}/actions/replay"));
    for role in ["read", "operate", "dial"] {
        for (method, path) in [
            ("POST", PATH),
            ("PATCH", path.as_str()),
            ("DELETE", path.as_str()),
            ("POST", rotate.as_str()),
            ("POST", replay.as_str()),
        ] {
            check(&app.send(role, method, path, &[], "{}").await, 403, "forbidden", "");
        }
        assert_eq!(app.send(role, "GET", PATH, &[], "").await.status, 200);
    }
}

#[tokio::test]
async fn a_repeated_request_is_carried_out_once() {
    let app = App::start().await;
    let send = async |path: &str, key: &str, body: &str| {
        app.send("admin", "POST", path, &[("idempotency-key", key)], body).await
    };
    let body = request(&json!({})).to_string();
    let first = send(PATH, "make", &body).await;
    let again = send(PATH, "make", &body).await;
    assert_eq!((first.status.as_u16(), &first.text), (201, &again.text));
    assert_eq!((again.status.as_u16(), &again.headers["idempotent-replayed"]), (201, &"true".parse().unwrap()));
    assert_eq!(first.headers["location"], again.headers["location"]);
    check(
        &send(PATH, "make", &request(&json!({"events": ["call.*"]})).to_string()).await,
        422,
        "idempotency_key_reused",
        "",
    );
    assert_eq!(app.get(PATH).await.json()["data"].as_array().unwrap().len(), 1);

    let path = first.headers["location"].to_str().unwrap().to_owned();
    let rotate = format!("{path}/actions/rotate-secret");
    let rotated = send(&rotate, "rotate", "{}").await;
    assert_eq!((rotated.status.as_u16(), &rotated.text), (200, &send(&rotate, "rotate", "{}").await.text));
    assert_eq!(send(PATH, "make", &body).await.text, first.text, "the former is still there");
    assert_ne!(rotated.json()["secret"], send(&rotate, "another", "{}").await.json()["secret"]);
    check(&send(PATH, "make", &body).await, 409, "secret_replaced", "");
    assert_eq!(send(&rotate, "rotate", "{}").await.text, rotated.text);
    let replay = format!("{path}/actions/replay");
    let since = r#"{"since":"2026-12-01T09:00:00Z"}"#;
    let first = send(&replay, "replay", since).await;
    assert_eq!((first.status.as_u16(), &first.text), (202, &send(&replay, "replay", since).await.text));
    assert_eq!(app.send("admin", "DELETE", &path, &[], "").await.status, 204);
    check(&send(&rotate, "rotate", "{}").await, 409, "secret_replaced", "");
}

#[tokio::test]
async fn no_answer_that_is_kept_has_a_secret_in_it() {
    let app = App::start().await;
    let send = async |path: &str| app.send("admin", "POST", path, &[("idempotency-key", "k")], "{}").await;
    let body = request(&json!({})).to_string();
    let first = app.send("admin", "POST", PATH, &[("idempotency-key", "make")], &body).await;
    let rotated = send(&format!("{}/actions/rotate-secret", first.headers["location"].to_str().unwrap())).await;
    for (key, answer) in [("make", first), ("k", rotated)] {
        let kept = app.store.idempotent_request("admin", key).await.unwrap().unwrap();
        let secret = answer.json()["secret"].as_str().unwrap().to_owned();
        assert!(kept.body.contains(r#""secret":"sha256:"#) && !kept.body.contains("whsec_"), "{}", kept.body);
        assert!(secret.starts_with("whsec_"), "{secret}");
    }
}

#[tokio::test]
async fn a_new_secret_is_shown_once_and_the_former_is_good_for_a_day_or_as_said() {
    let app = App::start().await;
    let path = made(&app).await;
    let rotated = app.post(&format!("{path}/actions/rotate-secret"), "").await.json();
    assert!(rotated["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(rotated["previous_secret_until"], "2026-12-02T09:00:00.000Z");
    let shown = app.get(&path).await.json();
    assert_eq!((&shown["previous_secret_until"], shown.get("secret")), (&rotated["previous_secret_until"], None));
    let body = r#"{"keep_previous":"1h30m"}"#;
    let rotated = app.post(&format!("{path}/actions/rotate-secret"), body).await.json();
    assert_eq!(rotated["previous_secret_until"], "2026-12-01T10:30:00.000Z");
}

#[tokio::test]
async fn webhooks_and_their_deliveries_are_listed_newest_first_in_pages() {
    let app = App::start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, made(&app).await.rsplit('/').next().unwrap().to_owned());
    }
    pages(&app, PATH, "id", &ids).await;
    let events: Vec<String> = (0..3).map(|n| format!("evt_01ARYZ6S41000000000000000{}", 2 - n)).collect();
    for (event_id, status) in events.iter().zip(["pending", "failed", "delivered"]) {
        let row = DeliveryRow {
            webhook_id: ids[0].clone(),
            event_id: event_id.clone(),
            call_id: Some("call_1".into()),
            status: status.into(),
            attempts: 1,
            first_attempt_at: Some(AT_0930.into()),
            response_status: Some(404),
            error: Some("they answered 404".into()),
            ..DeliveryRow::default()
        };
        app.store.keep_delivery(&row).await.unwrap();
    }
    let path = format!("{PATH}/{}/deliveries", ids[0]);
    pages(&app, &path, "event_id", &events).await;
    let failed = app.get(&format!("{path}?status=failed")).await.json();
    assert_eq!(
        failed,
        json!({"data": [{
            "event_id": events[1], "call_id": "call_1", "status": "failed", "attempts": 1,
            "first_attempt_at": AT_0930, "last_attempt_at": null, "next_attempt_at": null, "response_status": 404,
            "error": "they answered 404",
        }], "next_cursor": null})
    );
}

#[tokio::test]
async fn there_are_not_too_many_webhooks() {
    let app = App::start().await;
    for _ in 0..100 {
        made(&app).await;
    }
    check(&app.post(PATH, &request(&json!({})).to_string()).await, 409, "too_many_webhooks", "");
}

/// What some names stand for.
fn names(allow_private: bool) -> WebhookRules {
    let table: [(&str, &[&str]); 4] = [
        ("public.test", &["1.1.1.1", "2606:4700::1111"]),
        ("private.test", &["10.1.2.3"]),
        ("mixed.test", &["1.1.1.1", "::ffff:127.0.0.1"]),
        ("metadata.test", &["169.254.169.254"]),
    ];
    let addresses = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<IpAddr>>();
    let table: BTreeMap<_, _> = table.into_iter().map(|(name, all)| (name.to_owned(), addresses(all))).collect();
    WebhookRules { allow_private, resolver: Resolver::Table(Arc::new(table)) }
}

/// A good request, changed so.
fn request(change: &Value) -> Value {
    let mut request = json!({"url": "https://1.1.1.1/hook"});
    for (key, value) in change.as_object().unwrap() {
        request[key] = value.clone();
    }
    request
}

/// Makes a webhook; where it is.
async fn made(app: &App) -> String {
    let answer = app.post(PATH, &request(&json!({})).to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.headers["location"].to_str().unwrap().to_owned()
}

async fn change(app: &App, path: &str, change: Value) -> Value {
    let answer = app.send("admin", "PATCH", path, &[], &change.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Three entries come in pages of two.
async fn pages(app: &App, path: &str, key: &str, expected: &[String]) {
    let listed = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
    };
    let first = app.get(&format!("{path}?limit=2")).await.json();
    assert_eq!(listed(&first), expected[..2]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let last = app.get(&format!("{path}?limit=2&cursor={cursor}")).await.json();
    assert_eq!((listed(&last), &last["next_cursor"]), (expected[2..].to_vec(), &Value::Null));
}

fn check(answer: &Answer, status: u16, code: &str, field: &str) {
    assert_eq!(answer.problem(), (status, code.to_owned()), "{answer:?}");
    assert_eq!(answer.json()["field"].as_str().unwrap_or_default(), field, "{answer:?}");
}
