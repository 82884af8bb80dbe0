//! Prompts.

use store::{PromptRow, Store};

use crate::records::{idempotent, time};

crate::on_both! {
    a_prompt_is_kept_changed_and_deleted,
    prompts_come_newest_first_in_pages,
    a_prompt_is_not_made_twice_for_one_request,
}

async fn a_prompt_is_kept_changed_and_deleted(store: Store) {
    store.insert_prompt(&prompt("prompt_1"), None).await.unwrap();
    assert_eq!(store.prompt("prompt_1").await.unwrap(), Some(prompt("prompt_1")));
    let changed = PromptRow {
        content: "Ask for the bill.".into(),
        introduction: None,
        variables_json: r#"["name"]"#.into(),
        updated_at: time(9),
        ..prompt("prompt_1")
    };
    // It was made when it was made.
    let asked = PromptRow { created_at: time(8), ..changed.clone() };
    assert!(store.update_prompt(&asked).await.unwrap());
    assert_eq!(store.prompt("prompt_1").await.unwrap(), Some(changed));
    assert!(!store.update_prompt(&prompt("prompt_2")).await.unwrap());

    assert!(store.delete_prompt("prompt_1").await.unwrap());
    assert!(!store.delete_prompt("prompt_1").await.unwrap());
    assert_eq!(store.prompt("prompt_1").await.unwrap(), None);
}

async fn prompts_come_newest_first_in_pages(store: Store) {
    for id in ["prompt_1", "prompt_2", "prompt_3"] {
        store.insert_prompt(&prompt(id), None).await.unwrap();
    }
    assert_eq!(store.prompts(None, 2).await.unwrap(), [prompt("prompt_3"), prompt("prompt_2")]);
    assert_eq!(store.prompts(Some("prompt_2"), 2).await.unwrap(), [prompt("prompt_1")]);
}

async fn a_prompt_is_not_made_twice_for_one_request(store: Store) {
    store.insert_prompt(&prompt("prompt_1"), Some(&idempotent("key"))).await.unwrap();
    assert!(store.insert_prompt(&prompt("prompt_2"), Some(&idempotent("key"))).await.is_err());
    assert_eq!(store.prompt("prompt_2").await.unwrap(), None);
}

fn prompt(id: &str) -> PromptRow {
    PromptRow {
        id: id.into(),
        content: "Ask for the opening hours.".into(),
        introduction: Some("Hello, this is Ada's assistant.".into()),
        variables_json: "[]".into(),
        created_at: time(1),
        updated_at: time(1),
    }
}
