//! Scheduled calls when they are due: dialed, made again by rule, and what a crash leaves.

mod common;

use common::{App, Line, at, ended, until};
use gateway::{CallStatus, EndCause};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

#[tokio::test]
async fn a_call_is_dialed_when_it_is_due_and_not_before() {
    let app = App::start().await;
    let _scheduler = run(&app);
    let (later, first) = (schedule(&app, "10:30:00", json!({})).await, schedule(&app, "10:00:00", json!({})).await);
    app.time.send_replace(at("10:00:00"));
    let line = app.line().await;
    assert_eq!((line.dial.to.as_str(), line.dial.trunk.as_deref()), ("+12025550123", Some("carrier")));
    assert_eq!(line.agent.task.as_ref().unwrap().goal, "ask for the opening hours");
    let going_on = show(&app, &first).await;
    assert_eq!(
        (&going_on["status"], &going_on["recipients"][0]["status"]),
        (&json!("in_progress"), &json!("in_progress"))
    );
    let call_id = going_on["recipients"][0]["call_ids"][0].as_str().unwrap().to_owned();

    answer_and_end(line);
    let done = settled(&app, &first).await;
    assert_eq!(done["status"], "completed");
    assert_eq!(
        done["recipients"],
        json!([{
            "to": "+12025550123", "status": "completed", "attempts": 1, "call_ids": [call_id], "next_attempt_at": null,
            "end_reason": "callee_hung_up", "reason": null,
        }])
    );
    assert_eq!(app.call(&call_id).await["end_reason"], "callee_hung_up");
    app.assert_quiet().await;
    assert_eq!(show(&app, &later).await["status"], "pending");
    app.time.send_replace(at("10:30:00"));
    answer_and_end(app.line().await);
    assert_eq!(settled(&app, &later).await["status"], "completed");
}

#[tokio::test]
async fn a_busy_line_is_tried_again_after_the_wait_and_so_often_as_said() {
    let app = App::start().await;
    let _scheduler = run(&app);
    let id = schedule(&app, "10:00:00", json!({"retry": {"max_attempts": 2, "backoff": "5m"}})).await;
    app.time.send_replace(at("10:00:00"));
    app.line().await.end(ended(EndCause::Busy));
    let waiting = eventually(&app, &id, |shown| shown["recipients"][0]["status"] == "pending").await;
    assert_eq!((&waiting["status"], &waiting["recipients"][0]["end_reason"]), (&json!("in_progress"), &json!("busy")));
    assert_eq!(waiting["recipients"][0]["next_attempt_at"], "2026-12-01T10:05:00.000Z");
    // Who waits for another try may be given another time for it.
    let moved = app.send("admin", "PATCH", &path(&id), &[], r#"{"scheduled_at":"2026-12-01T10:20:00Z"}"#).await;
    assert_eq!(moved.json()["recipients"][0]["next_attempt_at"], "2026-12-01T10:20:00.000Z");
    app.time.send_replace(at("10:05:00"));
    app.time.send_replace(at("10:20:00"));
    app.line().await.end(ended(EndCause::Busy));
    let done = settled(&app, &id).await;
    assert_eq!((&done["status"], &done["recipients"][0]["status"]), (&json!("failed"), &json!("failed")));
    assert_eq!(done["recipients"][0]["call_ids"].as_array().unwrap().len(), 2);
    app.assert_quiet().await;
}

#[tokio::test]
async fn without_a_rule_nobody_is_called_twice() {
    let app = App::start().await;
    let _scheduler = run(&app);
    let id = schedule(&app, "10:00:00", json!({"to_phone_numbers": ["+12025550123", "+12025550124"]})).await;
    app.time.send_replace(at("10:00:00"));
    let (first, second) = (app.line().await, app.line().await);
    assert_eq!([first.dial.to.as_str(), second.dial.to.as_str()], ["+12025550123", "+12025550124"]);
    first.end(ended(EndCause::NoAnswer));
    answer_and_end(second);
    let done = settled(&app, &id).await;
    // One of two was reached.
    assert_eq!(done["status"], "completed");
    let statuses = [&done["recipients"][0]["status"], &done["recipients"][1]["status"]];
    assert_eq!(statuses, ["failed", "completed"]);
}

#[tokio::test]
async fn a_call_that_is_canceled_while_it_rings_is_hung_up_and_nobody_else_is_called() {
    let app = App::with(|config| config.limits.concurrent_calls = 1).await;
    let _scheduler = run(&app);
    let numbers = json!({"to_phone_numbers": ["+12025550123", "+12025550124"], "retry": {}});
    let id = schedule(&app, "10:00:00", numbers).await;
    let mut events = app.control.follow_events(None);
    app.time.send_replace(at("10:00:00"));
    let line = app.line().await;
    line.status(CallStatus::Ringing);
    until(&mut events, "call.ringing").await;
    let canceled = app.send("admin", "DELETE", &path(&id), &[], "").await;
    assert_eq!((canceled.status.as_u16(), &canceled.json()["status"]), (200, &json!("in_progress")));
    line.hung_up().await;
    line.end(ended(EndCause::Canceled));
    let done = settled(&app, &id).await;
    assert_eq!(done["status"], "canceled");
    assert_eq!([0, 1].map(|one| &done["recipients"][one]["status"]), [&json!("canceled"); 2]);
    assert_eq!(
        (&done["recipients"][0]["end_reason"], &done["recipients"][1]["attempts"]),
        (&json!("canceled"), &json!(0))
    );
    // Again does no harm.
    assert_eq!(app.send("admin", "DELETE", &path(&id), &[], "").await.json(), done);
    app.assert_quiet().await;
}

#[tokio::test]
async fn a_conversation_goes_on_though_its_schedule_is_canceled() {
    let app = App::start().await;
    let _scheduler = run(&app);
    let id = schedule(&app, "10:00:00", json!({})).await;
    let mut events = app.control.follow_events(None);
    app.time.send_replace(at("10:00:00"));
    let line = app.line().await;
    line.status(CallStatus::Answered);
    until(&mut events, "call.answered").await;
    assert_eq!(app.send("admin", "DELETE", &path(&id), &[], "").await.status, 200);
    line.end(ended(EndCause::CalleeHungUp));
    let done = settled(&app, &id).await;
    assert_eq!(
        (&done["status"], &done["recipients"][0]["end_reason"]),
        (&json!("completed"), &json!("callee_hung_up"))
    );
    assert_eq!(done["canceled_at"], "2026-12-01T10:00:00.000Z");
}

#[tokio::test]
async fn where_there_is_one_line_the_greatest_priority_goes_first() {
    let app = App::with(|config| config.limits.concurrent_calls = 1).await;
    let to = |number: &str, priority: i64| json!({"to_phone_numbers": [number], "priority": priority});
    schedule(&app, "10:00:00", to("+12025550101", 0)).await;
    schedule(&app, "10:00:30", to("+12025550102", 7)).await;
    schedule(&app, "10:00:10", to("+12025550103", 0)).await;
    app.time.send_replace(at("10:01:00"));
    let _scheduler = run(&app);
    for number in ["+12025550102", "+12025550101", "+12025550103"] {
        let line = app.line().await;
        assert_eq!(line.dial.to, number);
        app.assert_quiet().await;
        line.end(ended(EndCause::Busy));
    }
}

#[tokio::test]
async fn an_agent_has_no_more_calls_than_it_may_have() {
    let app = App::with(|config| config.scheduling.calls_per_agent = Some(1)).await;
    let _scheduler = run(&app);
    let id = schedule(&app, "10:00:00", json!({"to_phone_numbers": ["+12025550101", "+12025550102"]})).await;
    app.time.send_replace(at("10:00:00"));
    let line = app.line().await;
    assert_eq!(line.dial.to, "+12025550101");
    line.end(ended(EndCause::Busy));
    let line = app.line().await;
    assert_eq!(line.dial.to, "+12025550102");
    assert_eq!(show(&app, &id).await["recipients"][0]["status"], "failed");
}

#[tokio::test]
async fn a_trunk_that_is_full_is_waited_for() {
    let app = App::start().await;
    let _scheduler = run(&app);
    let calls = |calls| app.trunks.lock().unwrap()[0].calls = calls;
    let first = schedule(&app, "10:00:00", json!({})).await;
    app.time.send_replace(at("10:00:00"));
    let line = app.line().await;
    calls(50);
    let waits = schedule(&app, "10:00:10", json!({"to_phone_numbers": ["2047"]})).await;
    app.time.send_replace(at("10:00:10"));
    answer_and_end(line);
    // By then it was looked for who is due.
    settled(&app, &first).await;
    app.assert_quiet().await;
    assert_eq!(show(&app, &waits).await["status"], "pending");
    calls(49);
    app.time.send_replace(at("10:00:11"));
    assert_eq!(app.line().await.dial.to, "2047");
}

#[tokio::test]
async fn a_clock_that_is_set_back_calls_nobody_twice() {
    let app = App::start().await;
    let _scheduler = run(&app);
    let id = schedule(&app, "10:00:00", json!({})).await;
    let other = schedule(&app, "10:30:00", json!({"to_phone_numbers": ["+12025550199"]})).await;
    app.time.send_replace(at("10:00:00"));
    answer_and_end(app.line().await);
    settled(&app, &id).await;
    for time in ["09:00:00", "10:00:00", "11:00:00"] {
        app.time.send_replace(at(time));
    }
    let line = app.line().await;
    assert_eq!(line.dial.to, "+12025550199");
    answer_and_end(line);
    settled(&app, &other).await;
    app.assert_quiet().await;
}

#[tokio::test]
async fn hours_that_are_configured_later_hold_for_what_is_scheduled_already() {
    let before = App::start().await;
    let id = schedule(&before, "18:30:00", json!({"time_zone": "Europe/Berlin"})).await;
    let app = anew(before, |config| config.scheduling.hours.open = vec!["mon-fri 09:00-19:00".parse().unwrap()]).await;
    app.time.send_replace(at("18:30:00"));
    let _scheduler = run(&app);
    let next_morning = "2026-12-02T08:00:00.000Z";
    eventually(&app, &id, |shown| shown["recipients"][0]["next_attempt_at"] == next_morning).await;
    app.assert_quiet().await;
    app.time.send_replace(next_morning.parse().unwrap());
    answer_and_end(app.line().await);
    assert_eq!(settled(&app, &id).await["status"], "completed");
}

#[tokio::test]
async fn a_number_that_may_no_longer_be_dialed_is_not() {
    let before = App::start().await;
    let id = schedule(&before, "10:00:00", json!({"to_phone_numbers": ["+12025550123", "2047"]})).await;
    let app = anew(before, |config| config.dial_allow = vec!["20".into()]).await;
    app.time.send_replace(at("10:00:00"));
    let _scheduler = run(&app);
    let line = app.line().await;
    assert_eq!(line.dial.to, "2047");
    answer_and_end(line);
    let done = settled(&app, &id).await;
    assert_eq!(
        done["recipients"][0],
        json!({
            "to": "+12025550123", "status": "failed", "attempts": 0, "call_ids": [], "next_attempt_at": null,
            "end_reason": null, "reason": "no prefix of [dial] allow covers the number any more",
        })
    );
}

#[tokio::test]
async fn what_was_too_late_while_the_service_was_down_is_not_dialed() {
    let before = App::start().await;
    let id = schedule(&before, "10:00:00", json!({"not_after": "2026-12-01T12:00:00Z"})).await;
    let app = anew(before, |_| {}).await;
    app.time.send_replace(at("12:00:00"));
    let _scheduler = run(&app);
    let done = settled(&app, &id).await;
    assert_eq!(
        (&done["status"], &done["recipients"][0]["reason"]),
        (&json!("failed"), &json!("the time to call (not_after) was over"))
    );
    app.assert_quiet().await;
}

#[tokio::test]
async fn a_call_of_which_a_crash_left_only_the_intent_is_made_again_only_by_rule() {
    let before = App::start().await;
    let _scheduler = run(&before);
    let once = schedule(&before, "10:00:00", json!({})).await;
    let again = schedule(&before, "10:00:00", json!({"retry": {"interrupted": true}})).await;
    let never_begun = schedule(&before, "10:30:00", json!({"to_phone_numbers": ["2047"]})).await;
    // What is written stays, and nothing is sent.
    before.full.store(true, std::sync::atomic::Ordering::SeqCst);
    before.time.send_replace(at("10:00:00"));
    for id in [&once, &again] {
        eventually(&before, id, |shown| shown["recipients"][0]["call_ids"].as_array().unwrap().len() == 1).await;
    }
    let app = crashed(&before, |_| {}).await;
    app.time.send_replace(at("10:20:00"));
    let _scheduler = run(&app);
    let lost = settled(&app, &once).await;
    assert_eq!((&lost["status"], &lost["recipients"][0]["end_reason"]), (&json!("failed"), &json!("interrupted")));
    let waiting = eventually(&app, &again, |shown| shown["recipients"][0]["status"] == "pending").await;
    assert_eq!(waiting["recipients"][0]["next_attempt_at"], "2026-12-01T10:25:00.000Z");
    app.assert_quiet().await;

    app.time.send_replace(at("10:25:00"));
    answer_and_end(app.line().await);
    let done = settled(&app, &again).await;
    assert_eq!((&done["status"], &done["recipients"][0]["attempts"]), (&json!("completed"), &json!(2)));
    app.time.send_replace(at("10:30:00"));
    let line = app.line().await;
    assert_eq!(line.dial.to, "2047");
    answer_and_end(line);
    assert_eq!(settled(&app, &never_begun).await["recipients"][0]["attempts"], 1);
    app.assert_quiet().await;
}

#[tokio::test]
async fn a_crash_in_a_conversation_calls_nobody_again() {
    let before = App::start().await;
    let _scheduler = run(&before);
    let id = schedule(&before, "10:00:00", json!({"retry": {"interrupted": true}})).await;
    let mut events = before.control.follow_events(None);
    before.time.send_replace(at("10:00:00"));
    let line = before.line().await;
    line.status(CallStatus::Answered);
    until(&mut events, "call.answered").await;
    let app = crashed(&before, |_| {}).await;
    app.time.send_replace(at("12:00:00"));
    let _scheduler = run(&app);
    let done = settled(&app, &id).await;
    assert_eq!((&done["status"], &done["recipients"][0]["end_reason"]), (&json!("completed"), &json!("interrupted")));
    app.assert_quiet().await;
}

#[tokio::test]
async fn a_crash_leaves_nobody_out_though_more_are_due_than_there_are_lines() {
    let one_line = |config: &mut control::ControlConfig| config.limits.concurrent_calls = 1;
    let before = App::with(one_line).await;
    let ids = ["10:00:00", "10:00:01", "10:00:02"];
    let first = schedule(&before, ids[0], json!({})).await;
    let others = [schedule(&before, ids[1], json!({})).await, schedule(&before, ids[2], json!({})).await];
    before.time.send_replace(at("10:01:00"));
    let _scheduler = run(&before);
    let _cut_off = before.line().await;

    let app = crashed(&before, one_line).await;
    app.time.send_replace(at("10:02:00"));
    let _scheduler = run(&app);
    for other in &others {
        answer_and_end(app.line().await);
        assert_eq!(settled(&app, other).await["status"], "completed");
    }
    let lost = settled(&app, &first).await;
    assert_eq!((&lost["status"], &lost["recipients"][0]["end_reason"]), (&json!("failed"), &json!("interrupted")));
    app.assert_quiet().await;
}

#[tokio::test]
async fn draining_begins_no_call_and_who_waited_for_a_line_is_called_after_it() {
    let before = App::start().await;
    let scheduler = run(&before);
    let dialed = schedule(&before, "10:00:00", json!({})).await;
    before.time.send_replace(at("10:00:00"));
    let line = before.line().await;
    let waits = {
        before.full.store(true, std::sync::atomic::Ordering::SeqCst);
        schedule(&before, "10:00:00", json!({"to_phone_numbers": ["2047"]})).await
    };
    eventually(&before, &waits, |shown| shown["status"] == "in_progress").await;
    let later = schedule(&before, "10:10:00", json!({})).await;
    let drained = {
        let control = before.control.clone();
        tokio::spawn(async move { control.drain(std::time::Duration::ZERO).await })
    };
    line.hung_up().await;
    line.end(ended(EndCause::Canceled));
    drained.await.unwrap();
    // It ends by itself when all it has begun has ended.
    scheduler.await.unwrap();
    before.time.send_replace(at("10:10:00"));
    let cut_off = show(&before, &dialed).await;
    assert_eq!((&cut_off["status"], &cut_off["recipients"][0]["end_reason"]), (&json!("failed"), &json!("shutdown")));
    assert_eq!(show(&before, &later).await["status"], "pending");

    let app = anew(before, |_| {}).await;
    app.time.send_replace(at("10:01:00"));
    let _scheduler = run(&app);
    let line = app.line().await;
    assert_eq!(line.dial.to, "2047");
    answer_and_end(line);
    assert_eq!(settled(&app, &waits).await["recipients"][0]["attempts"], 2);
    app.assert_quiet().await;
}

#[tokio::test]
async fn a_prompt_is_said_as_it_was_when_the_call_was_scheduled() {
    let app = App::start().await;
    let _scheduler = run(&app);
    let prompt = r#"{"content":"Remind {{name}} of Monday.","introduction":"Hello {{name}}."}"#;
    let prompt = app.post("/v1/prompts", prompt).await.json();
    let prompt_id = prompt["id"].as_str().unwrap();
    let by_prompt = json!({"task": null, "prompt_id": prompt_id, "context": {"name": "Ada", "floor": 3}});
    let id = schedule(&app, "10:00:00", by_prompt).await;
    let changed = app.send("admin", "PATCH", &format!("/v1/prompts/{prompt_id}"), &[], r#"{"content":"Sing."}"#).await;
    assert_eq!(changed.json()["content"], "Sing.");
    assert_eq!(app.send("admin", "DELETE", &format!("/v1/prompts/{prompt_id}"), &[], "").await.status, 204);
    let kept = show(&app, &id).await;
    assert_eq!(
        [&kept["content"], &kept["introduction"], &kept["task"], &kept["prompt_id"]],
        [&json!("Remind Ada of Monday."), &json!("Hello Ada."), &Value::Null, &json!(prompt_id)]
    );
    app.time.send_replace(at("10:00:00"));
    let line = app.line().await;
    let task = line.agent.task.as_ref().unwrap();
    assert_eq!((task.goal.as_str(), task.facts["name"].as_str()), ("Remind Ada of Monday.", "Ada"));
    assert_eq!(line.agent.greeting.as_deref(), Some("Hello Ada."));
}

/// Runs what places calls.
fn run(app: &App) -> JoinHandle<()> {
    let control = app.control.clone();
    tokio::spawn(async move { control.place_scheduled_calls().await })
}

/// Schedules a call of 2026-12-01, changed so; its id.
async fn schedule(app: &App, time: &str, change: Value) -> String {
    let mut request = json!({
        "to_phone_numbers": ["+12025550123"], "task": {"goal": "ask for the opening hours"}, "scheduled_at": at(time),
    });
    for (key, value) in change.as_object().unwrap() {
        request[key] = value.clone();
    }
    let answer = app.post("/v1/scheduled-calls", &request.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn path(id: &str) -> String {
    format!("/v1/scheduled-calls/{id}")
}

async fn show(app: &App, id: &str) -> Value {
    app.get(&path(id)).await.json()
}

/// The scheduled call, as soon as it is so.
async fn eventually(app: &App, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..20_000 {
        let shown = show(app, id).await;
        if is_so(&shown) {
            return shown;
        }
        tokio::task::yield_now().await;
    }
    panic!("it stays as it is: {}", show(app, id).await);
}

/// The scheduled call when nobody is to be called any more.
async fn settled(app: &App, id: &str) -> Value {
    eventually(app, id, |shown| shown["status"] != "pending" && shown["status"] != "in_progress").await
}

fn answer_and_end(line: Line) {
    line.status(CallStatus::Answered);
    line.end(ended(EndCause::CalleeHungUp));
}

/// Another program on what this one has left, which has stopped.
async fn anew(before: App, change: impl FnOnce(&mut control::ControlConfig)) -> App {
    before.store.close().await;
    App::in_directory(before.directory, change).await
}

/// Another program on what a crash leaves: the files as they are now, and nobody who holds them.
async fn crashed(before: &App, change: impl FnOnce(&mut control::ControlConfig)) -> App {
    let left_behind = TempDir::new().unwrap();
    for name in ["offhook.db", "offhook.db-wal"] {
        std::fs::copy(before.directory.path().join(name), left_behind.path().join(name)).unwrap();
    }
    App::in_directory(left_behind, change).await
}
