//! The chat client against servers of a few lines on the loopback.

use std::time::Duration;

use serde_json::{Value, json};
use speech::Error;
use speech::chat::{ChatRequest, LanguageModel, Message, Piece};
use speech::providers::openai::{OpenAi, OpenAiConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn a_streamed_reply_arrives_piece_by_piece_with_its_call_and_cost() {
    let events = concat!(
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n",
        ": keep-alive\r\n\r\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"One \"}}]}\r\n\r\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"moment.\"}}]}\r\n\r\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"press\",\"arguments\":\"{\\\"keys\\\":\"}}]}}]}\r\n\r\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"1\\\"}\"}}]},\"finish_reason\":\"tool_calls\"}]}\r\n\r\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\r\n\r\n",
        "data: [DONE]\r\n\r\n",
    );
    let (pieces, request) = exchange("200 OK", "text/event-stream", events, "secret").await;
    assert_eq!(pieces, r#"One |moment.|press c1 {"keys":"1"}|done Some(9) Some(4)"#);
    assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer secret\r\n"), "{request}");
    let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["messages"], json!([{ "role": "user", "content": "hello" }]));
    assert_eq!(body["stream"], json!(true));
    assert_eq!(body.get("tools"), None);
}

#[tokio::test]
async fn a_reply_that_is_not_streamed_is_understood_and_an_empty_key_is_not_sent() {
    let whole = r#"{"choices":[{"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}]}"#;
    let (pieces, request) = exchange("200 OK", "application/json", whole, "").await;
    assert_eq!(pieces, "Hi.|done None None");
    assert!(!request.to_lowercase().contains("authorization"), "{request}");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words_without_the_key() {
    let (pieces, _) = exchange("401 Unauthorized", "application/json", r#"{"error":"bad key secret"}"#, "secret").await;
    assert_eq!(pieces, r#"openai failed: 401 Unauthorized: {"error":"bad key …"}"#);
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_an_error_after_what_was_said() {
    let events = "data: {\"choices\":[{\"delta\":{\"content\":\"One\"}}]}\n\n";
    let (pieces, _) = exchange("200 OK", "text/event-stream", events, "").await;
    assert_eq!(pieces, "One|openai failed: the reply broke off");
    let (pieces, _) = exchange("200 OK", "text/event-stream", "data: nonsense\n\n", "").await;
    assert!(pieces.starts_with("openai failed: not JSON"), "{pieces}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let (address, listener) = listen().await;
    let config = OpenAiConfig { first_token_timeout: Duration::from_millis(50), ..config(&address, "") };
    let mut chat = OpenAi::new(config).unwrap().chat(hello()).unwrap();
    let (_held, _) = listener.accept().await.unwrap();
    match chat.pieces.recv().await {
        Some(Err(Error::Timeout { provider: "openai", waited })) => assert_eq!(waited, Duration::from_millis(50)),
        other => panic!("{other:?}"),
    }
    assert!(chat.pieces.recv().await.is_none());
}

#[tokio::test]
async fn dropping_the_reply_closes_the_connection() {
    let (address, listener) = listen().await;
    let chat = OpenAi::new(config(&address, "")).unwrap().chat(hello()).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream).await;
    drop(chat);
    assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0);
}

#[test]
fn an_address_that_is_none_is_refused_at_once() {
    assert!(OpenAi::new(config("ftp://example.org", "")).is_err());
    assert!(OpenAi::new(config("nonsense", "")).is_err());
    assert!(OpenAi::new(config("https://example.org/v1", "")).is_ok());
    assert!(!format!("{:?}", config("http://127.0.0.1/v1", "secret")).contains("secret"));
}

/// Serves one reply; what the client made of it, and what it had sent.
async fn exchange(status: &str, kind: &str, body: &str, key: &str) -> (String, String) {
    let (address, listener) = listen().await;
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n");
    let reply = format!("{head}{body}").into_bytes();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        for piece in reply.chunks(13) {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
        }
        request
    });
    let mut chat = OpenAi::new(config(&address, key)).unwrap().chat(hello()).unwrap();
    let mut pieces = Vec::new();
    while let Some(piece) = chat.pieces.recv().await {
        pieces.push(match piece {
            Ok(Piece::Text(text)) => text,
            Ok(Piece::ToolCall(call)) => format!("{} {} {}", call.name, call.id, call.arguments),
            Ok(Piece::Done { input_tokens, output_tokens }) => format!("done {input_tokens:?} {output_tokens:?}"),
            Err(error) => error.to_string(),
        });
    }
    (pieces.join("|"), server.await.unwrap())
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = stream.read(&mut piece).await.unwrap();
        request.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let expected = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= expected.parse().unwrap() {
            return text.into_owned();
        }
    }
}

async fn listen() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (format!("http://{}/v1/", listener.local_addr().unwrap()), listener)
}

fn config(address: &str, key: &str) -> OpenAiConfig {
    OpenAiConfig::new(address, key, "test")
}

fn hello() -> ChatRequest {
    ChatRequest { messages: vec![Message::User("hello".into())], tools: vec![], max_tokens: 50 }
}
