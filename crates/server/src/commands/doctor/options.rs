//! Asks a peer over UDP whether it is there, without a gateway.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use sip::{Event, Flow, Input, Transport, UserAgent};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// How long a peer may take: four tries over UDP.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest datagram UDP can carry.
const MAX_DATAGRAM: usize = 65_535;

/// Sends an OPTIONS (RFC 3261 §11); the status of the answer, or `None` for silence.
pub async fn ask(peer: SocketAddr, uri: &str, seed: [u8; 32]) -> io::Result<Option<u16>> {
    timeout(PATIENCE, options(peer, uri, seed)).await.unwrap_or(Ok(None))
}

async fn options(remote: SocketAddr, uri: &str, seed: [u8; 32]) -> io::Result<Option<u16>> {
    let any = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(remote).await?;
    let flow = Flow { transport: Transport::Udp, local: socket.local_addr()?, remote };
    let mut agent = UserAgent::new(sip::Config::default(), seed);
    agent.options(Instant::now(), flow, uri);
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        while let Some(transmit) = agent.poll_transmit() {
            socket.send(&transmit.payload).await?;
        }
        while let Some(event) = agent.poll_event() {
            if let Event::OptionsAnswered { status, .. } = event {
                return Ok(status);
            }
        }
        let deadline = agent.poll_timeout().map_or_else(|| Instant::now() + PATIENCE, |deadline| deadline.at);
        tokio::select! { biased;
            received = socket.recv(&mut buffer) => {
                let payload = &buffer[..received?];
                agent.handle_input(Instant::now(), Input::Received { flow, payload });
            }
            () = tokio::time::sleep_until(deadline.into()) => agent.handle_input(Instant::now(), Input::Timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_that_is_there_answers_and_a_closed_port_is_an_error() {
        let theirs = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = theirs.local_addr().expect("an address");
        let answering = tokio::spawn(async move {
            let mut agent = UserAgent::new(sip::Config::default(), [1; 32]);
            let mut buffer = vec![0; MAX_DATAGRAM];
            let (length, remote) = theirs.recv_from(&mut buffer).await.expect("an OPTIONS");
            let flow = Flow { transport: Transport::Udp, local: address, remote };
            agent.handle_input(Instant::now(), Input::Received { flow, payload: &buffer[..length] });
            let answer = agent.poll_transmit().expect("an answer");
            theirs.send_to(&answer.payload, remote).await.expect("it is sent");
        });
        let answer = ask(address, "sip:trunk.test", [2; 32]).await.expect("an answer");
        assert_eq!(answer, Some(200));
        answering.await.expect("the peer is done");
        // The peer has gone, and its port with it.
        assert!(ask(address, "sip:trunk.test", [3; 32]).await.is_err());
    }
}
