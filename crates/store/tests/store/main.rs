//! The store on both of its databases: whatever is shared is shown on each.

mod backup;
mod databases;
mod migrations;
mod opening;
mod outages;
mod prompts;
mod records;
mod scheduled_calls;
mod webhooks;

/// Makes two tests of each of these functions: on a fresh SQLite file, and on a fresh database of PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let fresh = crate::databases::Fresh::sqlite().await;
                super::$name(fresh.store.clone()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                let fresh = crate::databases::Fresh::postgres().await;
                super::$name(fresh.store.clone()).await;
            })*
        }
    };
}
pub(crate) use on_both;
