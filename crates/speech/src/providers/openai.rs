//! Any server that speaks OpenAI's chat completions: OpenAI itself, llama.cpp, vLLM, Ollama, …

mod sse;
mod wire;

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::CONTENT_TYPE;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::sse::EventStream;
use self::wire::Reply;
use crate::Error;
use crate::chat::{Chat, ChatRequest, LanguageModel, Piece};

const NAME: &str = "openai";
/// Pieces that may wait for the listener.
const MAX_WAITING: usize = 64;
/// Longest reply that is not streamed, in bytes.
const MAX_BODY: usize = 4 << 20;
/// How much of a server's error is repeated, in bytes.
const MAX_ERROR: usize = 300;

/// Where the model is and how long to wait for it.
#[derive(Clone)]
pub struct OpenAiConfig {
    /// With its version: `http://127.0.0.1:8080/v1`.
    pub base_url: String,
    /// Empty where the server wants none.
    pub api_key: String,
    /// As the server calls it.
    pub model: String,
    /// The server's own default when `None`.
    pub temperature: Option<f32>,
    /// Longest wait for the first word or call.
    pub first_token_timeout: Duration,
    /// Longest reply.
    pub total_timeout: Duration,
}

impl OpenAiConfig {
    /// Usual time limits: 10 s to the first token, 60 s in all.
    pub fn new(base_url: impl Into<String>, api_key: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key: api_key.into(),
            model: model.into(),
            temperature: None,
            first_token_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_secs(60),
        }
    }
}

/// All but the key.
impl std::fmt::Debug for OpenAiConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenAiConfig")
            .field("base_url", &self.base_url)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// A chat client.
#[derive(Debug, Clone)]
pub struct OpenAi {
    client: reqwest::Client,
    config: OpenAiConfig,
}

impl OpenAi {
    /// Checks the address; connects to nothing yet.
    pub fn new(config: OpenAiConfig) -> Result<Self, Error> {
        let url = reqwest::Url::parse(&config.base_url)
            .map_err(|error| failed(format!("base_url {:?} is no address: {error}", config.base_url)))?;
        // Fails when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A redirect would carry the key elsewhere.
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = match url.scheme() {
            "https" => builder,
            // No certificates are needed, and a bare machine has none.
            "http" => builder.tls_certs_only([]),
            other => return Err(failed(format!("base_url must be http or https, not {other}"))),
        };
        let client = if is_loopback(&url) { client.no_proxy() } else { client };
        let client = client.build().map_err(|error| failed(chain(&error)))?;
        Ok(Self { client, config })
    }

    fn request(&self, request: &ChatRequest) -> reqwest::RequestBuilder {
        let config = &self.config;
        // OpenAI's own newer models refuse the name that all others know.
        let limit = match config.base_url.contains("//api.openai.com") {
            true => "max_completion_tokens",
            false => "max_tokens",
        };
        let body = wire::body(&config.model, request, config.temperature, limit);
        let post = self.client.post(format!("{}/chat/completions", config.base_url.trim_end_matches('/'))).json(&body);
        match config.api_key.is_empty() {
            true => post,
            false => post.bearer_auth(&config.api_key),
        }
    }
}

impl LanguageModel for OpenAi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn chat(&self, request: ChatRequest) -> Result<Chat, Error> {
        let runtime = Handle::try_current().map_err(|error| failed(error.to_string()))?;
        let (sender, pieces) = mpsc::channel(MAX_WAITING);
        let post = self.request(&request);
        let exchange = Exchange {
            reply: Reply::to(request.messages.len()),
            config: self.config.clone(),
            sender: sender.clone(),
            began: Instant::now(),
            has_begun: false,
        };
        runtime.spawn(async move {
            let result = tokio::select! {
                biased;
                // Dropping the exchange closes its connection, which tells the server to stop.
                () = sender.closed() => return,
                result = exchange.run(post) => result,
            };
            if let Err(error) = result {
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(Chat { pieces })
    }
}

/// One request and its reply.
struct Exchange {
    reply: Reply,
    config: OpenAiConfig,
    sender: mpsc::Sender<Result<Piece, Error>>,
    began: Instant,
    has_begun: bool,
}

impl Exchange {
    async fn run(mut self, post: reqwest::RequestBuilder) -> Result<(), Error> {
        let response = self.in_time(post.send()).await?.map_err(|error| self.failed(&chain(&error)))?;
        let status = response.status();
        let streamed = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_none_or(|kind| !kind.trim_start().to_ascii_lowercase().starts_with("application/json"));
        let mut body = response.bytes_stream();
        if !status.is_success() {
            let words = self.read(&mut body, MAX_ERROR * 4).await?;
            return Err(self.failed(&format!("{status}: {}", short(&words))));
        }
        if streamed {
            self.read_events(&mut body).await?;
        } else {
            let whole = self.read(&mut body, MAX_BODY).await?;
            self.take(&String::from_utf8_lossy(&whole)).await?;
        }
        if !self.reply.is_finished() {
            return Err(self.failed("the reply broke off"));
        }
        for piece in std::mem::take(&mut self.reply).finish() {
            let _ = self.sender.send(Ok(piece)).await;
        }
        Ok(())
    }

    async fn read_events<B: AsRef<[u8]>>(
        &mut self,
        body: &mut (impl StreamExt<Item = reqwest::Result<B>> + Unpin),
    ) -> Result<(), Error> {
        let mut events = EventStream::default();
        loop {
            let bytes = match self.in_time(body.next()).await? {
                None => break,
                Some(Ok(bytes)) => bytes,
                Some(Err(error)) => return Err(self.failed(&chain(&error))),
            };
            for data in events.push(bytes.as_ref()).map_err(|_| self.failed("an event was too long"))? {
                if data.trim() == "[DONE]" {
                    self.reply.end();
                    return Ok(());
                }
                self.take(&data).await?;
            }
        }
        match events.finish() {
            Ok(Some(data)) if data.trim() == "[DONE]" => self.reply.end(),
            Ok(Some(data)) => self.take(&data).await?,
            Ok(None) => {}
            Err(_) => return Err(self.failed("an event was too long")),
        }
        Ok(())
    }

    /// One JSON object of the reply.
    async fn take(&mut self, data: &str) -> Result<(), Error> {
        if data.trim().is_empty() {
            return Ok(());
        }
        let chunk = serde_json::from_str(data).map_err(|error| self.failed(&format!("not JSON: {error}")))?;
        let text = self.reply.push(&chunk).map_err(|message| self.failed(&message))?;
        self.has_begun |= text.is_some() || self.reply.has_calls();
        if let Some(text) = text {
            let _ = self.sender.send(Ok(Piece::Text(text))).await;
        }
        Ok(())
    }

    /// At most `limit` bytes of a body.
    async fn read<B: AsRef<[u8]>>(
        &mut self,
        body: &mut (impl StreamExt<Item = reqwest::Result<B>> + Unpin),
        limit: usize,
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while bytes.len() < limit {
            match self.in_time(body.next()).await? {
                None => break,
                Some(Ok(piece)) => bytes.extend_from_slice(piece.as_ref()),
                Some(Err(error)) => return Err(self.failed(&chain(&error))),
            }
        }
        bytes.truncate(limit);
        Ok(bytes)
    }

    /// Waits for a step no longer than the time limits leave.
    async fn in_time<T>(&self, step: impl Future<Output = T>) -> Result<T, Error> {
        let waited = match self.has_begun {
            true => self.config.total_timeout,
            false => self.config.first_token_timeout.min(self.config.total_timeout),
        };
        let deadline = self.began + waited;
        tokio::time::timeout_at(deadline, step).await.map_err(|_| Error::Timeout { provider: NAME, waited })
    }

    /// The server may repeat the key to us; we do not.
    fn failed(&self, message: &str) -> Error {
        let key = &self.config.api_key;
        failed(if key.is_empty() { message.to_owned() } else { message.replace(key, "…") })
    }
}

fn failed(message: String) -> Error {
    Error::Provider { provider: NAME, message }
}

fn short(words: &[u8]) -> String {
    let words = String::from_utf8_lossy(words);
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words[..words.floor_char_boundary(MAX_ERROR)].to_owned()
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn is_loopback(url: &reqwest::Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}
