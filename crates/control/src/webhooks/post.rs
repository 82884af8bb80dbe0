//! [`Post`]: sends one message to one webhook. It goes to addresses that were looked at, by no proxy, follows no redirect,
//! and neither waits long nor reads much of what is answered.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::sync::OnceCell;

use super::backoff::Outcome;
use super::resolver::{Guard, Unresolved};
use super::target::Target;
use crate::config::WebhookRules;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long all of it may take.
const TOTAL: Duration = Duration::from_secs(15);
/// How much of an answer is read, so that the connection can be used again.
const MAX_ANSWER: usize = 16 * 1024;
/// Connections to one host that are kept for the next message.
const IDLE: usize = 8;
/// How much is told of an error, in characters.
const MAX_ERROR: usize = 300;
const AGENT: &str = concat!("offhook/", env!("CARGO_PKG_VERSION"));

/// Sends to webhooks.
#[derive(Debug)]
pub(crate) struct Post {
    /// Made for the first message: it reads all certificates of the system.
    client: OnceCell<Client>,
    guard: Guard,
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Message<'a> {
    /// Of the event.
    pub(super) id: &'a str,
    /// Of the attempt, in seconds since 1970.
    pub(super) timestamp: i64,
    pub(super) signatures: String,
    /// The event, byte for byte.
    pub(super) body: String,
}

impl Post {
    pub(crate) fn new(rules: &WebhookRules) -> Self {
        let guard = Guard { resolver: rules.resolver.clone(), allow_private: rules.allow_private };
        Self { client: OnceCell::new(), guard }
    }

    /// Whether a target may be sent to, as far as can be told now: a name that is not found may be there later.
    pub(crate) async fn check(&self, target: &Target) -> Result<(), String> {
        let Some(name) = &target.name else { return Ok(()) };
        match self.guard.addresses(name).await {
            Err(error @ Unresolved::NotPublic { .. }) => Err(error.to_string()),
            Ok(_) | Err(Unresolved::NotFound { .. }) => Ok(()),
        }
    }

    /// Sends a message. What goes wrong is an outcome, too.
    pub(super) async fn send(&self, url: &str, message: Message<'_>) -> Outcome {
        // An address in a URL is not looked up, and what is allowed may have changed since it was kept.
        let target = match Target::parse(url, self.guard.allow_private) {
            Ok(target) => target,
            Err(error) => return ailing(error),
        };
        let client = match self.client.get_or_try_init(async || new_client(&self.guard)).await {
            Ok(client) => client,
            Err(error) => return ailing(why(error)),
        };
        let request = client
            .post(target.url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", message.signatures)
            .body(message.body);
        match request.send().await {
            Ok(response) => {
                let outcome = Outcome::of_status(response.status().as_u16(), retry_after(response.headers()));
                drain(response).await;
                outcome
            }
            Err(error) => ailing(why(error)),
        }
    }
}

fn new_client(guard: &Guard) -> Result<Client, reqwest::Error> {
    // Fails when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        Client::builder()
            .dns_resolver(Arc::new(guard.clone()))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .pool_max_idle_per_host(IDLE)
            .user_agent(AGENT)
    };
    builder().build().or_else(|error| {
        // A bare machine has no certificates; plain HTTP needs none.
        tracing::warn!(error = &error as &dyn std::error::Error, "webhooks cannot be reached over TLS");
        builder().tls_certs_only([]).build()
    })
}

fn ailing(error: String) -> Outcome {
    Outcome::Ailing { status: None, retry_after: None, error: Some(error) }
}

/// Seconds; a date says no more than that it takes a while, which we wait anyway.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Reads an answer away. What it says is nothing to us.
async fn drain(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > MAX_ANSWER {
            return;
        }
    }
}

/// The innermost cause, which says most; without the URL, whose query may hold a token.
fn why(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TOTAL.as_secs());
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        // Ours says all; below it is what the system says.
        if inner.is::<Unresolved>() {
            break;
        }
        cause = inner.source();
    }
    text.chars().take(MAX_ERROR).collect()
}
