//! Keys, roles, problems, repeated requests, pages: the manners of the API.

mod common;

use std::future::{Future as _, poll_fn};
use std::task::Poll;
use std::time::Duration;

use common::{Answer, App, GOOD, ended, until};
use gateway::EndCause;
use serde_json::{Value, json};
use tokio::time::timeout;

#[tokio::test]
async fn every_documented_route_wants_a_key_before_anything_else() {
    let app = App::start().await;
    let document: Value = serde_json::from_str(&control::openapi_json()).unwrap();
    let mut open = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "call_nobody").replace("{name}", "carrier");
        for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            // Not even the body is looked at, nor whether the call exists.
            let answer = app.send("", &method, &path, &[], "{").await;
            if answer.status == 200 {
                open.push(path.clone());
                continue;
            }
            assert_eq!(answer.problem(), (401, "unauthorized".into()), "{method} {path}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            assert_eq!(app.send("wrong", &method, &path, &[], "").await.status, 401, "{method} {path}");
        }
    }
    assert_eq!(open, ["/v1/health/live", "/v1/health/ready", "/v1/openapi.json"]);
    for path in ["/v1/nothing", "/v1", "/v1/calls/x/y/z"] {
        assert_eq!(app.send("", "GET", path, &[], "").await.status, 401, "{path}");
    }
    for authorization in ["", "Bearer", "Bearer ", "Basic cmVhZDpyZWFk", "read-secret"] {
        let answer = app.send("", "GET", "/v1/calls", &[("authorization", authorization)], "").await;
        assert_eq!(answer.status, 401, "{authorization:?}");
    }
    assert_eq!(app.send("", "GET", "/v1/calls", &[("authorization", "bearer read-secret")], "").await.status, 200);
}

/// An operation, what is sent to it, and what it answers.
const OPERATIONS: [(&str, &str, &str, u16); 35] = [
    ("GET", "/v1/calls", "", 200),
    ("POST", "/v1/calls", GOOD, 202),
    ("GET", "/v1/calls/{call}", "", 200),
    ("GET", "/v1/calls/{call}/transcript", "", 200),
    ("GET", "/v1/calls/{call}/recording", "", 409),
    ("GET", "/v1/calls/{call}/events", "", 200),
    ("GET", "/v1/calls/{call}/sip", "", 200),
    ("GET", "/v1/calls/{call}/explain", "", 200),
    ("POST", "/v1/calls/{call}/actions/dtmf", r#"{"digits":"1"}"#, 409),
    ("POST", "/v1/calls/{call}/actions/say", r#"{"text":"hello"}"#, 409),
    ("POST", "/v1/calls/{call}/actions/hangup", "{}", 202),
    ("GET", "/v1/events", "", 200),
    ("GET", "/v1/trunks", "", 200),
    ("GET", "/v1/trunks/{name}", "", 200),
    ("GET", "/v1/scheduled-calls", "", 200),
    ("POST", "/v1/scheduled-calls", SCHEDULED, 201),
    ("GET", "/v1/scheduled-calls/{scheduled}", "", 200),
    ("PATCH", "/v1/scheduled-calls/{scheduled}", r#"{"scheduled_at":"2026-12-03T10:00:00Z"}"#, 200),
    ("DELETE", "/v1/scheduled-calls/{scheduled}", "", 200),
    ("GET", "/v1/prompts", "", 200),
    ("POST", "/v1/prompts", r#"{"content":"ask"}"#, 201),
    ("GET", "/v1/prompts/{prompt}", "", 200),
    ("PATCH", "/v1/prompts/{prompt}", r#"{"content":"ask again"}"#, 200),
    ("DELETE", "/v1/prompts/{prompt}", "", 204),
    ("GET", "/v1/webhooks", "", 200),
    ("POST", "/v1/webhooks", WEBHOOK, 201),
    ("GET", "/v1/webhooks/{webhook}", "", 200),
    ("PATCH", "/v1/webhooks/{webhook}", r#"{"enabled":false}"#, 200),
    ("GET", "/v1/webhooks/{webhook}/deliveries", "", 200),
    ("POST", "/v1/webhooks/{webhook}/actions/rotate-secret", "{}", 200),
    ("POST", "/v1/webhooks/{webhook}/actions/replay", r#"{"since":"2026-12-01T09:00:00Z"}"#, 202),
    ("DELETE", "/v1/webhooks/{webhook}", "", 204),
    ("GET", "/v1/health/live", "", 200),
    ("GET", "/v1/health/ready", "", 200),
    ("GET", "/v1/openapi.json", "", 200),
];
const SCHEDULED: &str =
    r#"{"to_phone_numbers":["+12025550123"],"task":{"goal":"ask"},"scheduled_at":"2026-12-02T10:00:00Z"}"#;
const WEBHOOK: &str = r#"{"url":"https://1.1.1.1/hook"}"#;

#[tokio::test]
async fn every_documented_operation_is_tried_and_answers_as_it_says() {
    let document: Value = serde_json::from_str(&control::openapi_json()).unwrap();
    let answers = |method: &str, path: &str| document["paths"][path][method.to_lowercase()]["responses"].clone();
    let mut untried = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        untried.extend(methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    let app = App::start().await;
    let mut events = app.control.follow_events(None);
    let call = app.place().await;
    let line = app.line().await;
    line.wire().message(1);
    until(&mut events, "call.dialing").await;
    let made = async |path: &str, body: &str| app.post(path, body).await.json()["id"].as_str().unwrap().to_owned();
    let scheduled = made("/v1/scheduled-calls", SCHEDULED).await;
    let prompt = made("/v1/prompts", r#"{"content":"ask"}"#).await;
    let webhook = made("/v1/webhooks", WEBHOOK).await;
    for (method, template, body, status) in OPERATIONS {
        let documented = ["{call}", "{scheduled}", "{prompt}", "{webhook}"]
            .iter()
            .fold(template.to_owned(), |path, id| path.replace(id, "{id}"));
        assert!(
            untried.remove(&(method.to_owned(), documented.clone())),
            "{method} {documented} is not in the document"
        );
        let path = [
            ("{call}", call.as_str()),
            ("{scheduled}", scheduled.as_str()),
            ("{prompt}", prompt.as_str()),
            ("{webhook}", webhook.as_str()),
            ("{name}", "carrier"),
        ];
        let path = path.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value));
        let answer = app.send("admin", method, &path, &[], body).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert!(answers(method, &documented)[status.to_string()].is_object(), "{method} {documented} says {status}");
    }
    assert!(untried.is_empty(), "no test tries {untried:?}");
}

#[tokio::test]
async fn each_role_may_do_what_the_ones_before_it_may_and_more() {
    let app = App::start().await;
    let id = app.place().await;
    let hangup = format!("/v1/calls/{id}/actions/hangup");
    for (role, get, act, dial) in
        [("read", 200, 403, 403), ("operate", 200, 202, 403), ("dial", 200, 202, 202), ("admin", 200, 202, 202)]
    {
        assert_eq!(app.send(role, "GET", "/v1/events", &[], "").await.status, get, "{role}");
        assert_eq!(app.send(role, "POST", &hangup, &[], "{}").await.status, act, "{role}");
        assert_eq!(app.send(role, "POST", "/v1/calls", &[], GOOD).await.status, dial, "{role}");
    }
    let refused = app.send("read", "POST", "/v1/calls", &[], "{").await;
    assert_eq!(refused.problem(), (403, "forbidden".into()));
    assert_eq!(refused.json()["detail"], "this needs a key of role \"dial\"; yours is \"read\"");
}

#[tokio::test]
async fn each_mistake_has_its_problem_document() {
    let app = App::start().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let large = format!("{{\"to\":\"{}\"}}", "1".repeat(70_000));
    let task = r#""task":{"goal":"ask"}"#;
    for (answer, status, code, field) in [
        (app.get("/v1/nothing").await, 404, "not_found", ""),
        (app.get("/v1/calls/call_nobody").await, 404, "not_found", ""),
        (app.get("/v1/calls/%FF").await, 404, "not_found", ""),
        (app.get("/v1/calls/call_nobody/transcript").await, 404, "not_found", ""),
        (app.get("/v1/calls/call_nobody/recording").await, 404, "not_found", ""),
        (app.get("/v1/calls/call_nobody/events").await, 404, "not_found", ""),
        (app.get("/v1/calls/call_nobody/explain").await, 404, "not_found", ""),
        (app.post("/v1/calls/call_nobody/actions/hangup", "{}").await, 404, "not_found", ""),
        (app.post("/v1/calls/call_nobody/actions/dtmf", r#"{"digits":"1"}"#).await, 404, "not_found", ""),
        (app.post("/v1/calls/call_nobody/actions/dtmf", r#"{"digits":"x"}"#).await, 422, "invalid_field", "digits"),
        (app.post("/v1/calls/call_nobody/actions/say", r#"{"text":" "}"#).await, 422, "invalid_field", "text"),
        (app.post("/v1/calls/call_nobody/actions/say", "{}").await, 422, "invalid_field", ""),
        (app.post("/v1/calls/call_nobody/actions/hangup", r#"{"now":1}"#).await, 422, "unknown_field", "now"),
        (app.send("admin", "PUT", "/v1/calls", &[], "{}").await, 405, "method_not_allowed", ""),
        (app.send("admin", "POST", "/v1/calls", &form, "to=1").await, 415, "unsupported_media_type", ""),
        (app.post("/v1/calls", &large).await, 413, "body_too_large", ""),
        (app.post("/v1/calls", "{\"to\":").await, 400, "invalid_json", ""),
        (app.post("/v1/calls", &format!("{GOOD} {{}}")).await, 400, "invalid_json", ""),
        (app.post("/v1/calls", "[]").await, 422, "invalid_field", ""),
        (app.post("/v1/calls", "{}").await, 422, "invalid_field", ""),
        (app.post("/v1/calls", &format!(r#"{{"to":5,{task}}}"#)).await, 422, "invalid_field", "to"),
        (
            app.post("/v1/calls", r#"{"to":"20","task":{"goal":"a","facts":{"n":1}}}"#).await,
            422,
            "invalid_field",
            "task.facts.n",
        ),
        (app.post("/v1/calls", &format!(r#"{{"too":"20",{task}}}"#)).await, 422, "unknown_field", "too"),
        (app.post("/v1/calls", &format!(r#"{{"to":"tel:+1",{task}}}"#)).await, 422, "invalid_field", "to"),
        (app.post("/v1/calls", r#"{"to":"20","task":{"goal":""}}"#).await, 422, "invalid_field", "task.goal"),
        (app.post("/v1/calls", &format!(r#"{{"to":"+4420",{task}}}"#)).await, 403, "not_allowed", "to"),
        (app.post("/v1/calls", &format!(r#"{{"to":"sip:a@b",{task}}}"#)).await, 403, "not_allowed", "to"),
        (app.post("/v1/calls", &format!(r#"{{"to":"20","trunk":"x",{task}}}"#)).await, 422, "invalid_field", "trunk"),
        (
            app.post("/v1/calls", &format!(r#"{{"to":"20","agent_id":"x",{task}}}"#)).await,
            422,
            "invalid_field",
            "agent_id",
        ),
        (
            app.post("/v1/calls", &format!(r#"{{"to":"20","max_duration":"1d",{task}}}"#)).await,
            422,
            "invalid_field",
            "max_duration",
        ),
        (app.get("/v1/calls?limit=0").await, 422, "invalid_field", "limit"),
        (app.get("/v1/calls?limit=101").await, 422, "invalid_field", "limit"),
        (app.get("/v1/calls?limit=x").await, 422, "invalid_query", ""),
        (app.get("/v1/calls?colour=red").await, 422, "invalid_query", ""),
        (app.get("/v1/calls?cursor=call_1").await, 422, "invalid_cursor", "cursor"),
        (app.get("/v1/events?cursor=x").await, 422, "invalid_cursor", "cursor"),
        (app.get("/v1/calls?status=lost").await, 422, "invalid_field", "status"),
        (app.get("/v1/calls?direction=up").await, 422, "invalid_field", "direction"),
        (app.get("/v1/trunks/nobody").await, 404, "not_found", ""),
        (app.get("/v1/trunks/%FF").await, 404, "not_found", ""),
        (app.get("/v1/trunks?cursor=nobody").await, 422, "invalid_cursor", "cursor"),
        (app.get("/v1/trunks?limit=0").await, 422, "invalid_field", "limit"),
        (app.send("admin", "POST", "/v1/trunks", &[], "{}").await, 405, "method_not_allowed", ""),
    ] {
        assert_eq!(answer.problem(), (status, code.into()), "{answer:?}");
        assert_eq!(answer.json()["field"].as_str().unwrap_or_default(), field, "{answer:?}");
    }
    let put = app.send("admin", "PUT", "/v1/calls", &[], "{}").await;
    assert!(put.headers["allow"].to_str().unwrap().contains("POST"));
    let unknown = app.post("/v1/calls", &format!(r#"{{"too":"20",{task}}}"#)).await;
    assert!(
        unknown.json()["detail"].as_str().unwrap().starts_with("unknown field `too`, expected one of `to`, `task`")
    );
}

#[tokio::test]
async fn a_number_that_looks_odd_is_called_with_a_warning() {
    let app = App::start().await;
    let answer = app.post("/v1/calls", &GOOD.replace("+12025550123", "+15550100")).await;
    assert_eq!(answer.json()["warnings"], json!(["+15550100: not a valid number of the North American plan"]));
}

#[tokio::test]
async fn a_repeated_request_is_carried_out_once() {
    let app = App::start().await;
    let key = [("idempotency-key", "order-1")];
    let send = async |role: &str, body: &str| app.send(role, "POST", "/v1/calls", &key, body).await;
    let first = send("admin", GOOD).await;
    let again = send("admin", GOOD).await;
    assert_eq!(same(&first), same(&again));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(send("admin", &GOOD.replace("hours", "prices")).await.problem(), (422, "idempotency_key_reused".into()));
    // Another client may use the same key.
    assert_ne!(send("dial", GOOD).await.json()["id"], first.json()["id"]);
    assert_eq!(app.get("/v1/calls").await.json()["data"].as_array().unwrap().len(), 2);

    for bad in ["", "a b", &"x".repeat(256)] {
        let answer = app.send("admin", "POST", "/v1/calls", &[("idempotency-key", bad)], GOOD).await;
        assert_eq!(answer.problem(), (422, "invalid_field".into()), "{bad:?}");
    }
}

#[tokio::test]
async fn a_call_is_placed_though_the_client_has_gone() {
    let app = App::start().await;
    for polls in 1..=4 {
        // Polled a few times, and then let go wherever it is.
        let mut post = Box::pin(app.post("/v1/calls", GOOD));
        for _ in 0..polls {
            if poll_fn(|context| Poll::Ready(post.as_mut().poll(context).is_ready())).await {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(post);
    }
    for placed in 1..=4 {
        assert!(timeout(Duration::from_secs(20), app.line()).await.is_ok(), "{placed} of 4 calls were not dialled");
    }
}

#[tokio::test]
async fn a_refused_request_may_be_corrected_under_its_key() {
    let app = App::start().await;
    let key = [("idempotency-key", "order-2")];
    assert_eq!(app.send("admin", "POST", "/v1/calls", &key, "{}").await.status, 422);
    assert_eq!(app.send("admin", "POST", "/v1/calls", &key, GOOD).await.status, 202);
}

#[tokio::test]
async fn two_equal_requests_at_once_place_one_call() {
    let app = App::start().await;
    let key = [("idempotency-key", "order-3")];
    let send = || app.send("admin", "POST", "/v1/calls", &key, GOOD);
    let (first, second) = tokio::join!(send(), send());
    assert_eq!(same(&first), same(&second));
    assert_eq!(app.get("/v1/calls").await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_repeated_order_to_a_call_is_taken_once() {
    let app = App::start().await;
    let id = app.place().await;
    let path = format!("/v1/calls/{id}/actions/hangup");
    let key = [("idempotency-key", "bye")];
    let first = app.send("admin", "POST", &path, &key, "{}").await;
    let again = app.send("admin", "POST", &path, &key, "{}").await;
    assert_eq!(first.text, again.text);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    // The path is part of the request.
    assert_eq!(app.send("admin", "POST", "/v1/calls", &key, "{}").await.problem().1, "idempotency_key_reused");
}

#[tokio::test]
async fn calls_are_listed_newest_first_in_pages_and_by_status() {
    let app = App::start().await;
    let mut events = app.control.follow_events(None);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, app.place().await);
    }
    for _ in 0..3 {
        app.line().await.end(ended(EndCause::Busy));
        until(&mut events, "call.ended").await;
    }
    let listed =
        |page: &Value| page["data"].as_array().unwrap().iter().map(|call| call["id"].clone()).collect::<Vec<_>>();
    let first = app.get("/v1/calls?limit=2").await.json();
    assert_eq!(listed(&first), ids[..2]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let last = app.get(&format!("/v1/calls?limit=2&cursor={cursor}")).await.json();
    assert_eq!((listed(&last), &last["next_cursor"]), (vec![json!(ids[2])], &Value::Null));
    assert_eq!(app.get("/v1/calls?status=ended&direction=outbound").await.json()["data"].as_array().unwrap().len(), 3);
    assert_eq!(app.get("/v1/calls?direction=inbound").await.json(), json!({"data": [], "next_cursor": null}));
}

#[tokio::test]
async fn without_keys_nobody_gets_in() {
    let app = App::with(|config| config.keys.clear()).await;
    assert_eq!(app.get("/v1/calls").await.status, 401);
    assert_eq!(app.send("", "GET", "/v1/calls", &[("authorization", "Bearer ")], "").await.status, 401);
}

#[test]
fn the_document_in_the_repository_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, control::openapi_json()).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == control::openapi_json(), "openapi.json is out of date; run the tests with UPDATE_EXPECT=1");
    let document: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn each_operation_of_the_document_has_an_id_of_its_own() {
    let document: Value = serde_json::from_str(&control::openapi_json()).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for operation in document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values())
    {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id), "{operation}");
    }
}

fn same(answer: &Answer) -> (u16, String, String) {
    (answer.status.as_u16(), answer.headers["location"].to_str().unwrap().to_owned(), answer.text.clone())
}
