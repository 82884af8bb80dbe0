//! `/v1/scheduled-calls` and `/v1/prompts`: what may be asked for, and what is answered.

mod common;

use common::{Answer, App, at};
use serde_json::{Value, json};

const CALLS: &str = "/v1/scheduled-calls";
const PROMPTS: &str = "/v1/prompts";

#[tokio::test]
async fn a_scheduled_call_is_kept_as_it_was_asked_for() {
    let app = App::start().await;
    let request = json!({
        "to_phone_numbers": ["+12025550123", "+15550100"], "task": {"goal": "ask", "facts": {"name": "Ada"}},
        "scheduled_at": "2026-12-02T09:30", "time_zone": "Europe/Berlin", "not_before": "8:00", "not_after": "20:00",
        "priority": 5, "retry": {"max_attempts": 2}, "context": {"floor": 3},
    });
    let made = app.post(CALLS, &request.to_string()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("sched_"));
    assert_eq!(made.headers["location"], format!("{CALLS}/{id}"));
    let recipient = |to: &str| {
        json!({
            "to": to, "status": "pending", "attempts": 0, "call_ids": [], "next_attempt_at": "2026-12-02T08:30:00.000Z",
            "end_reason": null, "reason": null,
        })
    };
    let expected = json!({
        "id": id, "status": "pending", "to_phone_numbers": ["+12025550123", "+15550100"],
        "recipients": [recipient("+12025550123"), recipient("+15550100")], "prompt_id": null, "content": null,
        "introduction": null, "task": {"goal": "ask", "facts": {"name": "Ada"}}, "agent_id": "default",
        "scheduled_at": "2026-12-02T08:30:00.000Z", "time_zone": "Europe/Berlin", "not_before": "08:00",
        "not_after": "20:00", "priority": 5,
        "retry": {
            "max_attempts": 2, "backoff": "5m", "max_backoff": "1h", "on": ["busy", "no_answer", "failed"],
            "interrupted": false,
        },
        "context": {"floor": 3}, "warnings": ["+15550100: not a valid number of the North American plan"],
        "created_at": "2026-12-01T09:00:00.000Z", "canceled_at": null,
    });
    assert_eq!(made.json(), expected);
    assert_eq!(app.get(&format!("{CALLS}/{id}")).await.json(), expected);
    assert_eq!(
        told(&app).await,
        [json!({
            "type": "call.scheduled", "data": {
                "scheduled_call_id": id, "scheduled_at": "2026-12-02T08:30:00.000Z", "time_zone": "Europe/Berlin",
                "recipients": 2,
            },
        })]
    );
}

#[tokio::test]
async fn each_mistake_of_a_scheduled_call_is_named_and_nothing_is_made() {
    let app = App::start().await;
    for (change, status, code, field) in [
        (json!({"too": 1}), 422, "unknown_field", "too"),
        (json!({"to_phone_numbers": []}), 422, "invalid_field", "to_phone_numbers"),
        (json!({"to_phone_numbers": "+12025550123"}), 422, "invalid_field", "to_phone_numbers"),
        (json!({"to_phone_numbers": ["+12025550123", "x y"]}), 422, "invalid_field", "to_phone_numbers[1]"),
        (json!({"to_phone_numbers": ["+12025550123", "+12025550123"]}), 422, "invalid_field", "to_phone_numbers[1]"),
        (json!({"to_phone_numbers": ["+4420"]}), 403, "not_allowed", "to_phone_numbers[0]"),
        (json!({"task": null}), 422, "invalid_field", "task"),
        (json!({"task": {"goal": " "}}), 422, "invalid_field", "task.goal"),
        (json!({"task": {"goal": "a", "facts": {"n": 1}}}), 422, "invalid_field", "task.facts.n"),
        (json!({"prompt_id": "prompt_nobody"}), 422, "invalid_field", "task"),
        (json!({"task": null, "prompt_id": "prompt_nobody"}), 422, "invalid_field", "prompt_id"),
        (json!({"agent_id": "nobody"}), 422, "invalid_field", "agent_id"),
        (json!({"scheduled_at": "2026-12-01T08:59:00Z"}), 422, "invalid_field", "scheduled_at"),
        (json!({"scheduled_at": "2026-12-02T09:00"}), 422, "invalid_field", "scheduled_at"),
        (json!({"scheduled_at": "2036-12-02T09:00:00Z"}), 422, "invalid_field", "scheduled_at"),
        (json!({"scheduled_at": "soon"}), 422, "invalid_field", "scheduled_at"),
        (json!({"scheduled_at": 1}), 422, "invalid_field", "scheduled_at"),
        (json!({"time_zone": "Mars/Olympus"}), 422, "invalid_field", "time_zone"),
        (json!({"not_before": "noon"}), 422, "invalid_field", "not_before"),
        (json!({"not_after": "2026-12-01T08:00:00Z"}), 422, "invalid_field", "not_after"),
        (json!({"priority": 5000}), 422, "invalid_field", "priority"),
        (json!({"retry": {"max_attempts": 0}}), 422, "invalid_field", "retry.max_attempts"),
        (json!({"retry": {"attempts": 2}}), 422, "unknown_field", "retry.attempts"),
        (json!({"retry": {"on": ["completed"]}}), 422, "invalid_field", "retry.on[0]"),
        (json!({"context": [1]}), 422, "invalid_field", "context"),
    ] {
        check(&post(&app, &change).await, status, code, field);
    }
    check(&app.post(CALLS, r#"{"task":{"goal":"a"}}"#).await, 422, "invalid_field", "");
    check(&app.post(CALLS, "{").await, 400, "invalid_json", "");
    let large = json!({"to_phone_numbers": vec!["+12025550123"; 10_000]});
    check(&post(&app, &large).await, 413, "body_too_large", "");
    assert_eq!(app.get(CALLS).await.json(), json!({"data": [], "next_cursor": null}));
    assert_eq!(told(&app).await, [Value::Null; 0]);
    let past = post(&app, &json!({"scheduled_at": "2026-12-01T08:59:00Z"})).await.json();
    assert_eq!(
        past["detail"],
        "2026-12-01T08:59:00Z is over: send a time from now on, or call now with POST /v1/calls"
    );
}

#[tokio::test]
async fn a_pending_call_is_rescheduled_and_what_is_left_out_stays() {
    let app = App::start().await;
    let id = made(&app, json!({"not_after": "18:00", "priority": 2})).await;
    let path = format!("{CALLS}/{id}");
    let patch = async |body: Value| app.send("dial", "PATCH", &path, &[], &body.to_string()).await;
    let moved = patch(json!({"scheduled_at": "2026-12-03T10:00", "time_zone": "Asia/Tokyo"})).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let moved = moved.json();
    assert_eq!(moved["scheduled_at"], "2026-12-03T01:00:00.000Z");
    assert_eq!(moved["recipients"][0]["next_attempt_at"], "2026-12-03T01:00:00.000Z");
    assert_eq!((&moved["not_after"], &moved["priority"]), (&json!("18:00"), &json!(2)));
    // 23:00 in Tokyo waits for the morning, unless the end of the day is taken away.
    let late = patch(json!({"scheduled_at": "2026-12-03T14:00:00Z"})).await.json();
    assert_eq!(late["recipients"][0]["next_attempt_at"], "2026-12-03T15:00:00.000Z");
    let free = patch(json!({"not_after": null})).await.json();
    assert_eq!(free["not_after"], Value::Null);
    assert_eq!(free["recipients"][0]["next_attempt_at"], "2026-12-03T14:00:00.000Z");
    let kinds: Vec<Value> = told(&app).await.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds, ["call.scheduled", "call.rescheduled", "call.rescheduled", "call.rescheduled"]);

    for (body, status, code, field) in [
        (json!({}), 422, "invalid_field", "scheduled_at"),
        (json!({"to_phone_numbers": ["20"]}), 422, "unknown_field", "to_phone_numbers"),
        (json!({"scheduled_at": "2026-12-01T08:00:00Z"}), 422, "invalid_field", "scheduled_at"),
        (json!({"time_zone": "Mars/Olympus"}), 422, "invalid_field", "time_zone"),
    ] {
        check(&patch(body).await, status, code, field);
    }
    assert_eq!(app.get(&path).await.json(), free);
}

#[tokio::test]
async fn a_canceled_call_is_shown_so_and_stays_so() {
    let app = App::start().await;
    let id = made(&app, json!({})).await;
    let path = format!("{CALLS}/{id}");
    let canceled = app.send("dial", "DELETE", &path, &[], "").await;
    assert_eq!(canceled.status, 200, "{canceled:?}");
    let canceled = canceled.json();
    assert_eq!((&canceled["status"], &canceled["recipients"][0]["status"]), (&json!("canceled"), &json!("canceled")));
    assert_eq!(canceled["recipients"][0]["next_attempt_at"], Value::Null);
    assert_eq!(canceled["canceled_at"], "2026-12-01T09:00:00.000Z");
    assert_eq!(app.send("dial", "DELETE", &path, &[], "").await.json(), canceled);
    let other_time = r#"{"scheduled_at":"2026-12-03T10:00:00Z"}"#;
    check(&app.send("dial", "PATCH", &path, &[], other_time).await, 409, "schedule_not_pending", "");
    let kinds: Vec<Value> = told(&app).await.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds, ["call.scheduled", "call.schedule_canceled"]);
}

#[tokio::test]
async fn a_repeated_request_schedules_once() {
    let app = App::start().await;
    let key = [("idempotency-key", "order-1")];
    let body = request(&json!({})).to_string();
    let first = app.send("dial", "POST", CALLS, &key, &body).await;
    let again = app.send("dial", "POST", CALLS, &key, &body).await;
    assert_eq!(
        (first.status.as_u16(), &first.text, &first.headers["location"]),
        (201, &again.text, &again.headers["location"])
    );
    assert_eq!((again.status.as_u16(), &again.headers["idempotent-replayed"]), (201, &"true".parse().unwrap()));
    let other = request(&json!({"priority": 1})).to_string();
    check(&app.send("dial", "POST", CALLS, &key, &other).await, 422, "idempotency_key_reused", "");
    assert_eq!(app.get(CALLS).await.json()["data"].as_array().unwrap().len(), 1);

    let key = [("idempotency-key", "prompt-1")];
    let first = app.send("dial", "POST", PROMPTS, &key, r#"{"content":"ask"}"#).await;
    assert_eq!(app.send("dial", "POST", PROMPTS, &key, r#"{"content":"ask"}"#).await.text, first.text);
    assert_eq!(app.get(PROMPTS).await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn scheduled_calls_are_listed_newest_first_in_pages_and_by_status() {
    let app = App::start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, made(&app, json!({})).await);
    }
    app.send("dial", "DELETE", &format!("{CALLS}/{}", ids[1]), &[], "").await;
    pages(&app, CALLS, &ids).await;
    assert_eq!(listed(&app.get(&format!("{CALLS}?status=canceled")).await.json()), ids[1..2]);
    assert_eq!(listed(&app.get(&format!("{CALLS}?status=pending")).await.json()), [ids[0].as_str(), ids[2].as_str()]);
    check(&app.get(&format!("{CALLS}?status=lost")).await, 422, "invalid_field", "status");
    check(&app.get(&format!("{CALLS}?limit=0")).await, 422, "invalid_field", "limit");
    check(&app.get(&format!("{CALLS}?cursor=call_1")).await, 422, "invalid_cursor", "cursor");
    check(&app.get(&format!("{CALLS}?colour=red")).await, 422, "invalid_query", "");
}

#[tokio::test]
async fn a_prompt_is_made_shown_changed_and_deleted() {
    let app = App::start().await;
    let body =
        json!({"content": "Remind {{name}} of {{day}}.", "introduction": "Hello.", "variables": {"day": "Monday"}});
    let prompt = app.send("dial", "POST", PROMPTS, &[], &body.to_string()).await;
    assert_eq!(prompt.status, 201, "{prompt:?}");
    let id = prompt.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{PROMPTS}/{id}");
    assert_eq!(prompt.headers["location"], path);
    assert_eq!(
        prompt.json(),
        json!({
            "id": id, "content": "Remind {{name}} of {{day}}.", "introduction": "Hello.",
            "variables": {"day": "Monday", "name": null},
            "created_at": "2026-12-01T09:00:00.000Z", "updated_at": "2026-12-01T09:00:00.000Z",
        })
    );
    app.time.send_replace(at("09:30:00"));
    let changed = app.send("dial", "PATCH", &path, &[], r#"{"content":"Ask {{name}}."}"#).await.json();
    assert_eq!((&changed["variables"], &changed["introduction"]), (&json!({"name": null}), &json!("Hello.")));
    assert_eq!(changed["updated_at"], "2026-12-01T09:30:00.000Z");
    assert_eq!(app.get(&path).await.json(), changed);

    let mut ids = vec![id];
    for _ in 0..2 {
        let made = app.post(PROMPTS, r#"{"content":"ask"}"#).await;
        ids.insert(0, made.json()["id"].as_str().unwrap().to_owned());
    }
    pages(&app, PROMPTS, &ids).await;
    assert_eq!(app.send("dial", "DELETE", &path, &[], "").await.status, 204);
    for (method, body) in [("GET", ""), ("PATCH", r#"{"content":"x"}"#), ("DELETE", "")] {
        check(&app.send("dial", method, &path, &[], body).await, 404, "not_found", "");
    }
    for (body, status, code, field) in [
        (json!({}), 422, "invalid_field", ""),
        (json!({"content": ""}), 422, "invalid_field", "content"),
        (json!({"content": "{{a b}}"}), 422, "invalid_field", "content"),
        (json!({"content": "a", "intro": "b"}), 422, "unknown_field", "intro"),
        (json!({"content": "a", "introduction": "x".repeat(1001)}), 422, "invalid_field", "introduction"),
        (json!({"content": "a", "variables": {"b": "c"}}), 422, "invalid_field", "variables.b"),
    ] {
        check(&app.post(PROMPTS, &body.to_string()).await, status, code, field);
    }
}

#[tokio::test]
async fn a_variable_that_nothing_is_said_of_is_asked_for() {
    let app = App::start().await;
    let prompt = app.post(PROMPTS, r#"{"content":"Remind {{name}}."}"#).await.json();
    let by_prompt = |context: Value| json!({"task": null, "prompt_id": prompt["id"], "context": context});
    check(&post(&app, &by_prompt(json!({}))).await, 422, "invalid_field", "context.name");
    check(&post(&app, &by_prompt(json!({"name": "x".repeat(4000)}))).await, 422, "invalid_field", "task.goal");
    assert_eq!(post(&app, &by_prompt(json!({"name": "Ada"}))).await.json()["content"], "Remind Ada.");
}

#[tokio::test]
async fn who_may_only_look_may_schedule_nothing() {
    let app = App::start().await;
    let id = made(&app, json!({})).await;
    let (call, prompt) = (format!("{CALLS}/{id}"), format!("{PROMPTS}/prompt_1"));
    for role in ["read", "operate"] {
        for (method, path) in [
            ("POST", CALLS),
            ("PATCH", call.as_str()),
            ("DELETE", call.as_str()),
            ("POST", PROMPTS),
            ("PATCH", prompt.as_str()),
            ("DELETE", prompt.as_str()),
        ] {
            check(&app.send(role, method, path, &[], "{}").await, 403, "forbidden", "");
        }
        assert_eq!(app.send(role, "GET", CALLS, &[], "").await.status, 200);
    }
}

/// A good request, changed so.
fn request(change: &Value) -> Value {
    let mut request = json!({
        "to_phone_numbers": ["+12025550123"], "task": {"goal": "ask for the opening hours"},
        "scheduled_at": "2026-12-02T09:00:00Z",
    });
    for (key, value) in change.as_object().unwrap() {
        request[key] = value.clone();
    }
    request
}

async fn post(app: &App, change: &Value) -> Answer {
    app.send("dial", "POST", CALLS, &[], &request(change).to_string()).await
}

async fn made(app: &App, change: Value) -> String {
    let answer = post(app, &change).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Types and data of all events so far.
async fn told(app: &App) -> Vec<Value> {
    let page = app.get("/v1/events?limit=100").await.json();
    let event = |event: &Value| json!({"type": event["type"], "data": event["data"]});
    page["data"].as_array().unwrap().iter().map(event).collect()
}

fn listed(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

/// Three entries come in pages of two.
async fn pages(app: &App, path: &str, ids: &[String]) {
    let first = app.get(&format!("{path}?limit=2")).await.json();
    assert_eq!(listed(&first), ids[..2]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let last = app.get(&format!("{path}?limit=2&cursor={cursor}")).await.json();
    assert_eq!((listed(&last), &last["next_cursor"]), (ids[2..].to_vec(), &Value::Null));
}

fn check(answer: &Answer, status: u16, code: &str, field: &str) {
    assert_eq!(answer.problem(), (status, code.to_owned()), "{answer:?}");
    assert_eq!(answer.json()["field"].as_str().unwrap_or_default(), field, "{answer:?}");
}
