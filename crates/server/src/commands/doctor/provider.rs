//! Whether the language model takes our key.

use std::time::Duration;

use reqwest::StatusCode;

use super::report::Check;
use crate::config::Provider;
use crate::wiring::OPENAI_URL;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const NAME: &str = "language model";

/// `None` where there is none to ask.
pub async fn check(llm: &Provider) -> Option<Check> {
    if llm.name != "openai" {
        return None;
    }
    let base_url = llm.base_url.as_deref().unwrap_or(OPENAI_URL).trim_end_matches('/');
    Some(match ask(base_url, llm).await {
        Ok(status) => judge(base_url, status),
        Err(error) => {
            let found = format!("{base_url} is not reached: {:#}", anyhow::Error::from(error));
            Check::failed(NAME, found, "check [llm] base_url, and whether this machine may go there")
        }
    })
}

/// Lists its models, which costs nothing.
async fn ask(base_url: &str, llm: &Provider) -> reqwest::Result<StatusCode> {
    // Fails when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A redirect would carry the key elsewhere.
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
    // Plain HTTP needs no certificates, and a bare machine has none.
    let builder = if base_url.starts_with("http://") { builder.tls_certs_only([]) } else { builder };
    let request = builder.build()?.get(format!("{base_url}/models"));
    let request = match &llm.api_key {
        Some(key) => request.bearer_auth(&key.0),
        None => request,
    };
    Ok(request.send().await?.status())
}

fn judge(base_url: &str, status: StatusCode) -> Check {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Check::failed(NAME, format!("{base_url} refuses the key: {status}"), "write a good one to [llm] api_key")
        }
        status if status.is_success() => Check::ok(NAME, format!("{base_url} takes the key")),
        status => Check::warning(
            NAME,
            format!("{base_url} answers {status} when asked for its models"),
            "see whether it speaks OpenAI's chat API, and whether [llm] base_url ends as it wants",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_key_fails_and_a_server_without_a_list_does_not() {
        let check = |status| judge("https://llm.test/v1", status);
        assert_eq!(check(StatusCode::OK), Check::ok(NAME, "https://llm.test/v1 takes the key"));
        assert_eq!(
            check(StatusCode::UNAUTHORIZED),
            Check::failed(
                NAME,
                "https://llm.test/v1 refuses the key: 401 Unauthorized",
                "write a good one to [llm] api_key"
            )
        );
        assert_eq!(
            check(StatusCode::NOT_FOUND),
            Check::warning(
                NAME,
                "https://llm.test/v1 answers 404 Not Found when asked for its models",
                "see whether it speaks OpenAI's chat API, and whether [llm] base_url ends as it wants"
            )
        );
    }
}
