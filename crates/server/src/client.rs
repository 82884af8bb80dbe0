//! The API from the shell: a small HTTP client.

use anyhow::{Context as _, anyhow};
use reqwest::StatusCode;
use serde_json::Value;

use crate::commands::WrongUse;

/// Entries of one page: the most that the API gives.
const PAGE: usize = 100;

/// Which server, and who we are to it.
#[derive(Debug, Clone, clap::Args)]
pub struct Server {
    /// The server's address.
    #[arg(long, global = true, env = "OFFHOOK_URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// The key to use; better set as OFFHOOK_API_KEY than written on a command line.
    #[arg(long, global = true, env = "OFFHOOK_API_KEY", hide_env_values = true, default_value = "")]
    api_key: String,
}

/// Talks to one server.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    server: Server,
}

impl Client {
    pub fn new(server: Server) -> anyhow::Result<Self> {
        // Fails when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder();
        // Plain HTTP needs no certificates, and a bare machine has none.
        let builder = if server.server.starts_with("http://") { builder.tls_certs_only([]) } else { builder };
        Ok(Self { http: builder.build().context("no HTTP client")?, server })
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(self.http.get(self.url(path))).await
    }

    /// What is no JSON: bytes of that media type.
    pub async fn get_as(&self, path: &str, media_type: &str) -> anyhow::Result<Vec<u8>> {
        let response = self.ask(self.http.get(self.url(path)).header("Accept", media_type)).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        Ok(response.bytes().await.context("the answer broke off")?.to_vec())
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.http.post(self.url(path)).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.http.patch(self.url(path)).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.send(self.http.delete(self.url(path))).await
    }

    /// All entries of a list, page by page, as far as `limit`. `filters` are `name=value`.
    pub async fn list(&self, path: &str, filters: &[String], limit: usize) -> anyhow::Result<Vec<Value>> {
        let mut entries = Vec::new();
        let mut cursor = None;
        while entries.len() < limit {
            let mut query = filters.to_vec();
            query.push(format!("limit={}", (limit - entries.len()).min(PAGE)));
            query.extend(cursor.map(|cursor: String| format!("cursor={cursor}")));
            let mut page = self.get(&format!("{path}?{}", query.join("&"))).await?;
            if let Value::Array(found) = page["data"].take() {
                entries.extend(found);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        Ok(entries)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.server.trim_end_matches('/'))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let response = self.ask(request).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        if response.status().is_success() {
            return self.json(response).await;
        }
        Err(self.refusal(response).await)
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> anyhow::Result<reqwest::Response> {
        let server = &self.server.server;
        request
            .bearer_auth(&self.server.api_key)
            .send()
            .await
            .with_context(|| format!("no server at {server}; start one with `offhook serve`, or set --server"))
    }

    async fn json(&self, response: reqwest::Response) -> anyhow::Result<Value> {
        let (server, status) = (&self.server.server, response.status());
        response.json().await.with_context(|| format!("{server} answered {status} without JSON"))
    }

    /// What the server says of a request that it did not carry out.
    async fn refusal(&self, response: reqwest::Response) -> anyhow::Error {
        let status = response.status();
        let body = match self.json(response).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        let told = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let message = format!("{} ({status}): {}", told("title"), told("detail"));
        match status.as_u16() {
            401 => WrongUse(format!("{message}; set OFFHOOK_API_KEY")).into(),
            400 | 403 | 404 | 422 => WrongUse(message).into(),
            _ => anyhow!(message),
        }
    }
}
