//! Who only connects, on real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use gateway::{CallLimits, Config, Dial, EndCause, Gateway, Listen, NextHop, Trunk};
use sip::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

// RFC 3261 §12.2.1.1: a dialog goes on where the Contact of its peer says. Who is there belongs to this call and to no
// trunk.
#[tokio::test]
async fn whom_we_connect_to_for_a_call_speaks_within_it_and_begins_nothing() {
    let (theirs, elsewhere) = (TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.2:0").await);
    let (theirs, elsewhere) = (theirs.expect("a port"), elsewhere.expect("a port"));
    let uri = format!("sip:{};transport=tcp", theirs.local_addr().expect("bound"));
    let gateway = gateway_with(Trunk::new("peer", "trunk.test", NextHop::Uri(uri))).await;
    let dial = Dial { to: "1".into(), trunk: None, caller_id: None, limits: CallLimits::default(), record: None };
    let call = gateway.dial(dial).await.expect("dialed");

    let (mut trunk, _) = theirs.accept().await.expect("a connection");
    let invite = message(&mut trunk).await;
    let field = |name: &str| {
        let mut lines = invite.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).expect(name)
    };
    let (from, to, call_id) = (field("From"), field("To"), field("Call-ID"));
    let (via, cseq, contact) = (field("Via"), field("CSeq"), elsewhere.local_addr().expect("bound"));
    let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    let answer = format!(
        "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to};tag=theirs\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\
         Contact: <sip:them@{contact};transport=tcp>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    trunk.write_all(answer.as_bytes()).await.expect("sent");

    let (mut party, _) = elsewhere.accept().await.expect("a connection");
    assert!(message(&mut party).await.starts_with("ACK "));
    party.write_all(options(1).as_bytes()).await.expect("sent");
    let bye = format!(
        "BYE sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP {contact};branch=z9hG4bK-bye\r\nMax-Forwards: 70\r\n\
         From: {to};tag=theirs\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: 8 BYE\r\nContent-Length: 0\r\n\r\n"
    );
    party.write_all(bye.as_bytes()).await.expect("sent");
    let first = message(&mut party).await;
    assert!(first.starts_with("SIP/2.0 200 ") && first.contains("CSeq: 8 BYE\r\n"), "{first}");
    assert_eq!(call.handle.ended().await.cause, EndCause::CalleeHungUp);
}

/// One message, with its body.
async fn message(stream: &mut TcpStream) -> String {
    let read = async {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.push(stream.read_u8().await.expect("a message"));
        }
        let head = String::from_utf8_lossy(&text).into_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
        let mut body = vec![0; length.parse().expect("a number")];
        stream.read_exact(&mut body).await.expect("a body");
        head + &String::from_utf8_lossy(&body)
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("in time")
}

/// A gateway that takes connections from a trunk at that address.
async fn gateway(trunk: &str) -> Gateway {
    let next_hop = trunk.parse::<SocketAddr>().expect("an address");
    gateway_with(Trunk::new("peer", "trunk.test", next_hop)).await
}

async fn gateway_with(trunk: Trunk) -> Gateway {
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
