//! Agents and their versions.

use store::{AgentRow, Error, Store};

use crate::records::{idempotent, time};

crate::on_both! {
    a_change_of_an_agent_is_a_version_and_the_ones_before_stay,
    of_two_changes_of_the_same_version_one_is_refused,
    a_name_belongs_to_one_agent_until_that_is_deleted,
    a_deleted_agent_can_be_asked_for_by_its_version_only,
    agents_come_newest_first_in_pages,
}

async fn a_change_of_an_agent_is_a_version_and_the_ones_before_stay(store: Store) {
    let first = agent("agent_1", "front desk");
    store.insert_agent(&first, Some(&idempotent("key"))).await.unwrap();
    assert_eq!(store.agent("agent_1").await.unwrap(), Some(first.clone()));
    let second = AgentRow {
        version: 2,
        name: Some("reception".into()),
        greeting: None,
        voice: Some("slt".into()),
        updated_at: time(5),
        ..first.clone()
    };
    assert!(store.add_agent_version(&second).await.unwrap());

    assert_eq!(store.agent("agent_1").await.unwrap(), Some(second.clone()));
    assert_eq!(store.agent_named("reception").await.unwrap(), Some(second.clone()));
    assert_eq!(store.agent_named("front desk").await.unwrap(), None);
    // The name is the agent's, not the version's.
    let first = AgentRow { name: second.name.clone(), ..first };
    assert_eq!(store.agent_version("agent_1", 1).await.unwrap(), Some(first.clone()));
    assert_eq!(store.agent_version("agent_1", 3).await.unwrap(), None);
    assert_eq!(store.agent_versions("agent_1").await.unwrap(), [second, first]);
}

async fn of_two_changes_of_the_same_version_one_is_refused(store: Store) {
    let first = agent("agent_1", "front desk");
    store.insert_agent(&first, None).await.unwrap();
    let change = |notes: &str| AgentRow { version: 2, notes: Some(notes.into()), ..first.clone() };
    let (ours, theirs) = (change("ours"), change("theirs"));
    let (ours, theirs) = tokio::join!(store.add_agent_version(&ours), store.add_agent_version(&theirs));
    assert_ne!(ours.unwrap(), theirs.unwrap());
    assert_eq!(store.agent_versions("agent_1").await.unwrap().len(), 2);
    assert!(!store.add_agent_version(&AgentRow { version: 4, ..first.clone() }).await.unwrap());
    assert!(!store.add_agent_version(&AgentRow { version: 2, ..agent("agent_2", "nobody") }).await.unwrap());
}

async fn a_name_belongs_to_one_agent_until_that_is_deleted(store: Store) {
    store.insert_agent(&agent("agent_1", "front desk"), None).await.unwrap();
    let refused = store.insert_agent(&agent("agent_2", "front desk"), None).await;
    assert!(matches!(refused, Err(Error::Taken(_))), "{refused:?}");
    for id in ["agent_3", "agent_4"] {
        store.insert_agent(&AgentRow { name: None, ..agent(id, "") }, None).await.unwrap();
    }
    let refused = store.add_agent_version(&AgentRow { version: 2, ..agent("agent_3", "front desk") }).await;
    assert!(matches!(refused, Err(Error::Taken(_))), "{refused:?}");
    assert_eq!(store.agent("agent_3").await.unwrap().unwrap().version, 1);

    assert!(store.delete_agent("agent_1", &time(9)).await.unwrap());
    store.insert_agent(&agent("agent_5", "front desk"), None).await.unwrap();
    assert_eq!(store.agent_named("front desk").await.unwrap().unwrap().id, "agent_5");
}

async fn a_deleted_agent_can_be_asked_for_by_its_version_only(store: Store) {
    let row = agent("agent_1", "front desk");
    store.insert_agent(&row, None).await.unwrap();
    assert!(store.delete_agent("agent_1", &time(9)).await.unwrap());
    assert!(!store.delete_agent("agent_1", &time(10)).await.unwrap());
    assert_eq!(store.agent("agent_1").await.unwrap(), None);
    assert_eq!(store.agent_named("front desk").await.unwrap(), None);
    assert_eq!(store.agents(None, 9).await.unwrap(), []);
    assert!(!store.add_agent_version(&AgentRow { version: 2, ..row.clone() }).await.unwrap());
    assert_eq!(store.agent_version("agent_1", 1).await.unwrap(), Some(row));
}

async fn agents_come_newest_first_in_pages(store: Store) {
    for n in 1..=3 {
        store.insert_agent(&agent(&format!("agent_{n}"), &format!("name {n}")), None).await.unwrap();
    }
    store.add_agent_version(&AgentRow { version: 2, ..agent("agent_2", "name 2") }).await.unwrap();
    let page = async |before, limit| {
        let rows = store.agents(before, limit).await.unwrap();
        rows.into_iter().map(|row| (row.id, row.version)).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, [("agent_3".to_owned(), 1), ("agent_2".to_owned(), 2)]);
    assert_eq!(page(Some("agent_2"), 2).await, [("agent_1".to_owned(), 1)]);
}

pub fn agent(id: &str, name: &str) -> AgentRow {
    AgentRow {
        id: id.into(),
        version: 1,
        name: Some(name.into()),
        kind: "inbound".into(),
        system_prompt: "You answer the telephone of a practice.".into(),
        greeting: Some("Good morning.".into()),
        tools_json: "[]".into(),
        limits_json: "{}".into(),
        context_json: "{}".into(),
        created_at: time(1),
        updated_at: time(1),
        ..AgentRow::default()
    }
}
