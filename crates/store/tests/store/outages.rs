//! PostgreSQL goes away and comes back.

use store::{Error, Store};

use crate::databases::{NODE, Server};
use crate::records::call;

#[tokio::test]
async fn while_postgresql_is_stopped_the_store_is_unavailable_and_then_serves_by_itself() {
    let server = Server::start();
    let store = Store::connect(&server.database().await, NODE).await.unwrap();
    store.insert_call(&call("call_1"), &[], None).await.unwrap();

    server.stop();
    let write = store.insert_call(&call("call_2"), &[], None).await;
    assert!(matches!(write, Err(Error::Unavailable(_))), "{write:?}");
    assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));
    assert!(matches!(store.call("call_1").await, Err(Error::Unavailable(_))));

    server.start_again();
    store.ping().await.unwrap();
    assert_eq!(store.call("call_1").await.unwrap(), Some(call("call_1")));
    store.insert_call(&call("call_2"), &[], None).await.unwrap();
}
