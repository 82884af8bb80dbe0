//! Who only connects, on real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use gateway::{Config, Gateway, Listen, Trunk};
use sip::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More than one address may open at once.
const CROWD: usize = 100;

#[tokio::test]
async fn a_strangers_connection_is_closed_without_a_word() {
    let gateway = gateway("127.0.0.9:5060").await;
    let mut stream = TcpStream::connect(gateway.local_addresses()[0]).await.expect("connected");
    // What we say may be lost: nobody reads it.
    let _ = stream.write_all(options(1).as_bytes()).await;
    assert_eq!(rest_of(&mut stream).await, "");
}

#[tokio::test]
async fn a_crowd_that_says_nothing_keeps_nobody_out_who_speaks() {
    let gateway = gateway("127.0.0.1:5060").await;
    let address = gateway.local_addresses()[0];
    let mut speaker = TcpStream::connect(address).await.expect("connected");
    ask(&mut speaker, 1).await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        // Half of them begin something that never ends.
        if crowd.len() % 2 == 0 {
            stream.write_all(b"OPTIONS").await.expect("sent");
        }
        crowd.push(stream);
    }
    let mut newcomer = TcpStream::connect(address).await.expect("connected");
    ask(&mut newcomer, 2).await;
    ask(&mut speaker, 3).await;
    assert_eq!(rest_of(&mut crowd[0]).await, "", "the oldest has given way");
}

/// A gateway that takes connections from a trunk at that address.
async fn gateway(trunk: &str) -> Gateway {
    let next_hop = trunk.parse::<SocketAddr>().expect("an address");
    let trunk = Trunk::new("peer", "trunk.test", next_hop);
    let listen = vec![Listen { transport: Transport::Tcp, address: SocketAddr::from(([127, 0, 0, 1], 0)) }];
    Gateway::start(Config { listen, trunks: vec![trunk], ..Config::default() }).await.expect("started")
}

/// Sends a question and waits for its answer.
async fn ask(stream: &mut TcpStream, number: u32) {
    stream.write_all(options(number).as_bytes()).await.expect("sent");
    let mut buffer = vec![0; 4096];
    let answered = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer));
    let len = answered.await.expect("in time").expect("an answer");
    let answer = String::from_utf8_lossy(&buffer[..len]);
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
}

/// What still comes before the end; that it comes with an error is the same.
async fn rest_of(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
    let _ = read.await.expect("it ends in time");
    String::from_utf8_lossy(&rest).into_owned()
}

fn options(number: u32) -> String {
    format!(
        "OPTIONS sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK-{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:peer@trunk.test>;tag=theirs\r\nTo: <sip:us@trunk.test>\r\nCall-ID: question-{number}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}
