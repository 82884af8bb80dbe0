//! Numbers, and who answers.

use store::{Error, NumberRow, Store};

use crate::agents::agent;
use crate::records::{idempotent, time};

crate::on_both! {
    a_number_is_there_once,
    a_number_has_at_most_one_agent,
    numbers_of_a_deleted_agent_have_none,
    numbers_come_in_order_in_pages,
}

async fn a_number_is_there_once(store: Store) {
    store.insert_number(&number("+15550100"), Some(&idempotent("key"))).await.unwrap();
    let again = store.insert_number(&NumberRow { trunk: "other".into(), ..number("+15550100") }, None).await;
    assert!(matches!(again, Err(Error::Taken(_))), "{again:?}");
    assert_eq!(store.number("+15550100").await.unwrap(), Some(number("+15550100")));
    assert!(store.update_number("+15550100", "other").await.unwrap());
    assert_eq!(store.number("+15550100").await.unwrap().unwrap().trunk, "other");
    assert!(!store.update_number("+15550101", "other").await.unwrap());

    assert!(store.delete_number("+15550100").await.unwrap());
    assert!(!store.delete_number("+15550100").await.unwrap());
    assert_eq!(store.number("+15550100").await.unwrap(), None);
}

async fn a_number_has_at_most_one_agent(store: Store) {
    store.insert_number(&number("+15550100"), None).await.unwrap();
    for (id, name) in [("agent_1", "one"), ("agent_2", "two")] {
        store.insert_agent(&agent(id, name), None).await.unwrap();
    }
    let (ours, theirs) =
        tokio::join!(store.assign_number("+15550100", "agent_1"), store.assign_number("+15550100", "agent_2"));
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    assert_ne!(ours, theirs);
    let winner = if ours { "agent_1" } else { "agent_2" };
    assert_eq!(store.number("+15550100").await.unwrap().unwrap().agent_id.as_deref(), Some(winner));
    assert!(store.assign_number("+15550100", winner).await.unwrap(), "again does no harm");

    assert!(store.unassign_number("+15550100").await.unwrap());
    assert!(!store.unassign_number("+15550100").await.unwrap());
    assert!(!store.assign_number("+15550100", "agent_nobody").await.unwrap());
    assert!(!store.assign_number("+15550199", "agent_1").await.unwrap());
}

async fn numbers_of_a_deleted_agent_have_none(store: Store) {
    store.insert_agent(&agent("agent_1", "one"), None).await.unwrap();
    for (called, agent_id) in [("+15550100", Some("agent_1")), ("+15550101", None)] {
        let row = NumberRow { agent_id: agent_id.map(str::to_owned), ..number(called) };
        store.insert_number(&row, None).await.unwrap();
    }
    assert!(store.delete_agent("agent_1", &time(9)).await.unwrap());
    assert_eq!(store.number("+15550100").await.unwrap(), Some(number("+15550100")));
    assert!(!store.assign_number("+15550101", "agent_1").await.unwrap());
}

async fn numbers_come_in_order_in_pages(store: Store) {
    for called in ["front-desk", "+15550101", "+15550100"] {
        store.insert_number(&number(called), None).await.unwrap();
    }
    assert_eq!(store.numbers(None, 2).await.unwrap(), [number("+15550100"), number("+15550101")]);
    assert_eq!(store.numbers(Some("+15550101"), 2).await.unwrap(), [number("front-desk")]);
}

fn number(number: &str) -> NumberRow {
    NumberRow { number: number.into(), trunk: "carrier".into(), agent_id: None, created_at: time(1) }
}
