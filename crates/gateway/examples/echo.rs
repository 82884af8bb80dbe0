//! Answers every call from this machine and sends back what it hears.
//!
//! `cargo run -p gateway --example echo -- 127.0.0.1:5080`, then call `sip:anybody@127.0.0.1:5080`.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::net::{Ipv4Addr, SocketAddr};

use gateway::{Config, Gateway, Line, LineEvent, Trunk};
use media::UtteranceId;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:5080").parse::<std::net::SocketAddr>()?;
    // Who belongs to no trunk gets no answer: this one stands for everybody on this machine.
    let neighbours = Trunk {
        allow_from: vec![(Ipv4Addr::LOCALHOST.into(), 8)],
        ..Trunk::new("neighbours", "localhost", SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)))
    };
    let gateway =
        Gateway::start(Config { listen: vec![listen.into()], trunks: vec![neighbours], ..Config::default() }).await?;
    println!("call sip:anybody@{}", gateway.local_addresses()[0]);
    while let Some(incoming) = gateway.accept().await {
        println!("{} calls {}", incoming.from, incoming.to);
        tokio::spawn(echo(incoming.call.line));
    }
    Ok(())
}

async fn echo(mut line: Line) {
    line.answer();
    while let Some(event) = line.next().await {
        match event {
            LineEvent::Audio(frame) if line.play(UtteranceId(1), frame.samples, false).await.is_err() => return,
            LineEvent::Audio(_) => {}
            other => println!("{other:?}"),
        }
    }
}
