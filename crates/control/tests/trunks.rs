//! How the trunks stand, and what is told when that changes.

mod common;

use std::time::{Duration, UNIX_EPOCH};

use common::{App, until};
use control::{StoredEvent, TrunkInfo};
use gateway::{Registration, RegistrationChanged};
use serde_json::{Value, json};

#[tokio::test]
async fn trunks_are_shown_as_they_stand_now() {
    let app = App::start().await;
    let of = |state: &str| json!({"state": state, "since": "2027-01-15T08:00:00.000Z"});
    let registration = async || {
        let trunk = app.get("/v1/trunks/carrier").await.json();
        json!({"state": trunk["registration"]["state"], "since": trunk["registration"]["since"]})
    };
    assert_eq!(registration().await, of("none"));
    app.trunks.lock().unwrap()[0].registration = Registration::Registered;
    assert_eq!(registration().await, of("registered"));

    let listed = app.get("/v1/trunks").await.json();
    assert_eq!(listed, json!({"data": [app.get("/v1/trunks/carrier").await.json()], "next_cursor": null}));
    // Who calls by a trunk is in the calls, and its password nowhere.
    assert!(!listed.to_string().contains("15550111"), "{listed}");
}

#[tokio::test]
async fn trunks_are_listed_in_pages_and_only_the_configured_ones() {
    let named = |name: &str| TrunkInfo { name: name.into(), ..TrunkInfo::default() };
    let app = App::with(|config| config.trunks = vec![named("b"), named("a/1"), named("c")]).await;
    let mut unlisted = app.trunks.lock().unwrap()[0].clone();
    unlisted.name = "inbound".into();
    app.trunks.lock().unwrap().push(unlisted);

    let first = app.get("/v1/trunks?limit=2").await.json();
    assert_eq!((names(&first), &first["next_cursor"]), (vec!["b", "a/1"], &json!("a/1")));
    let last = app.get("/v1/trunks?limit=2&cursor=a%2F1").await.json();
    assert_eq!((names(&last), &last["next_cursor"]), (vec!["c"], &Value::Null));
    assert_eq!(app.get("/v1/trunks/a%2F1").await.json()["name"], "a/1");
    assert_eq!(app.get("/v1/trunks/inbound").await.problem(), (404, "not_found".into()));
}

#[tokio::test]
async fn what_becomes_of_a_registration_is_in_the_journal() {
    let app = App::start().await;
    let mut events = app.control.follow_events(None);
    let control = app.control.clone();
    tokio::spawn(async move { control.tell_registrations().await });

    let hour = Duration::from_secs(3600);
    let change = |state, at_s: u64| RegistrationChanged {
        trunk: "carrier".into(),
        expires: (state == Registration::Registered).then_some(hour),
        retry_in: (state != Registration::Registered).then_some(hour),
        foreign_contact: None,
        state,
        at: UNIX_EPOCH + Duration::from_secs(1_800_000_000 + at_s),
    };
    let refused = Registration::Failed { status: Some(503), reason: "Service Unavailable".into() };
    app.registrations.send(change(refused, 0)).unwrap();
    app.registrations.send(change(Registration::Registered, 1)).unwrap();

    let failed = data(&until(&mut events, "registration.failed").await);
    let succeeded = data(&until(&mut events, "registration.succeeded").await);
    assert_eq!(
        failed,
        json!({
            "trunk": "carrier", "host": "sip.example.com", "sip_status": 503, "reason": "Service Unavailable",
            "at": "2027-01-15T08:00:00.000Z", "retry_at": "2027-01-15T09:00:00.000Z",
        })
    );
    assert_eq!(
        succeeded,
        json!({
            "trunk": "carrier", "host": "sip.example.com", "reason": null,
            "at": "2027-01-15T08:00:01.000Z", "expires_at": "2027-01-15T09:00:01.000Z",
        })
    );
    let page = app.get("/v1/events").await.json();
    assert_eq!([&page["data"][0]["data"], &page["data"][1]["data"]], [&failed, &succeeded]);
    // They belong to no call.
    assert_eq!(app.get("/v1/events?call_id=carrier").await.json()["data"], json!([]));
}

#[tokio::test]
async fn nothing_is_told_when_the_gateway_stops() {
    let app = App::start().await;
    let gone = RegistrationChanged {
        trunk: "carrier".into(),
        state: Registration::Unregistered,
        expires: None,
        retry_in: None,
        foreign_contact: None,
        at: UNIX_EPOCH,
    };
    app.registrations.send(gone).unwrap();
    let App { control, store, registrations, .. } = app;
    drop(registrations);
    control.tell_registrations().await;
    assert_eq!(store.last_event_id().await.unwrap(), None);
}

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|trunk| trunk["name"].as_str().unwrap()).collect()
}

fn data(event: &StoredEvent) -> Value {
    serde_json::from_str::<Value>(&event.json).unwrap()["data"].clone()
}
