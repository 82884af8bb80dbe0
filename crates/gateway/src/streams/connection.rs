//! The task of one connection: opens it, frames what comes, writes what goes, keeps it alive.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use rustls::pki_types::ServerName;
use sip::Flow;
use sip::message::{Frame, Framing};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{timeout, timeout_at};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::patience::Patience;
use super::{CONNECT, StreamEvent};
use crate::clock;

/// A peer that does not take a message in this time is given up.
const WRITE: Duration = Duration::from_secs(5);
/// A ping on a quiet connection, so that NATs on the way remember it (RFC 5626 §4.4.1).
const PING: Duration = Duration::from_secs(25);
/// What we sent must be acknowledged in this time, or the kernel gives the connection up (TCP_USER_TIMEOUT).
const ACKNOWLEDGED: Duration = Duration::from_secs(10);
/// What a peer said before it hung up on us is there at once, if at all.
const LAST_WORD: Duration = Duration::from_millis(100);
const READ_SIZE: usize = 16 * 1024;

/// How the connection comes about.
pub(super) enum Opening {
    Connect,
    ConnectTls(TlsConnector, String),
    Accepted(TcpStream),
    AcceptTls(TcpStream, TlsAcceptor),
}

pub(super) struct Task {
    pub(super) flow: Flow,
    pub(super) number: u64,
    pub(super) opening: Opening,
    pub(super) outgoing: mpsc::Receiver<Vec<u8>>,
    pub(super) events: mpsc::Sender<StreamEvent>,
    pub(super) stop: CancellationToken,
}

impl Task {
    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        let ended = tokio::select! { biased;
            () = stop.cancelled() => Ok(()),
            ended = self.open_and_carry() => ended,
        };
        let _ = self.events.send(StreamEvent::Closed { flow: self.flow, number: self.number, ended }).await;
    }

    async fn open_and_carry(&mut self) -> io::Result<()> {
        let opening = std::mem::replace(&mut self.opening, Opening::Connect);
        match opening {
            Opening::Connect => {
                let stream = connect(self.flow.remote).await?;
                self.carry(stream, false).await
            }
            Opening::ConnectTls(connector, domain) => {
                let stream = connect_tls(self.flow.remote, &connector, domain).await?;
                self.carry(stream, false).await
            }
            Opening::Accepted(stream) => {
                tune(&stream)?;
                self.carry(stream, true).await
            }
            Opening::AcceptTls(stream, acceptor) => {
                tune(&stream)?;
                let stream = in_time("the TLS handshake", acceptor.accept(stream)).await?;
                self.carry(stream, true).await
            }
        }
    }

    async fn carry(&mut self, stream: impl AsyncRead + AsyncWrite, inbound: bool) -> io::Result<()> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (pongs, mut to_pong) = mpsc::channel(1);
        let (flow, events) = (self.flow, self.events.clone());
        let reading = async {
            let mut framing = Framing::default();
            let mut buffer = vec![0; READ_SIZE];
            let mut patience = Patience::new(clock::now(), inbound);
            loop {
                let (until, what) = patience.deadline();
                let read = timeout_at(until.into(), reader.read(&mut buffer)).await;
                let len = read.map_err(|_| timed_out(what))??;
                if len == 0 {
                    return Ok(());
                }
                framing.push(&buffer[..len]);
                let mut has_message = false;
                while let Some(frame) = framing.next() {
                    match frame {
                        Frame::Message(payload) => {
                            has_message = true;
                            if events.send(StreamEvent::Message { flow, payload }).await.is_err() {
                                return Ok(());
                            }
                        }
                        // One answer that waits is enough for all that were asked.
                        Frame::Ping => drop(pongs.try_send(())),
                        Frame::Pong => {}
                        Frame::Skipped(why) => tracing::debug!(remote = %flow.remote, why, "message discarded"),
                        Frame::Broken(why) => return Err(io::Error::new(io::ErrorKind::InvalidData, why)),
                    }
                }
                patience.heard(clock::now(), has_message, framing.is_within_message());
            }
        };
        let outgoing = &mut self.outgoing;
        let writing = async {
            loop {
                let payload = tokio::select! { biased;
                    Some(()) = to_pong.recv() => Framing::PONG.to_vec(),
                    payload = outgoing.recv() => match payload {
                        Some(payload) => payload,
                        // Whoever may write to it is gone; what is still read may matter.
                        None => pending().await,
                    },
                    () = tokio::time::sleep(PING) => Framing::PING.to_vec(),
                };
                let write = async {
                    writer.write_all(&payload).await?;
                    writer.flush().await
                };
                timeout(WRITE, write).await.map_err(|_| timed_out("the peer to read"))??;
            }
        };
        let mut reading = pin!(reading);
        let unwritten = tokio::select! { biased;
            ended = &mut reading => return ended,
            ended = writing => ended,
        };
        // A peer that hangs up may have said why, and TLS 1.3 lets us write before we have read it.
        match timeout(LAST_WORD, reading).await {
            Ok(Err(why)) => Err(why),
            Ok(Ok(())) | Err(_) => unwritten,
        }
    }
}

/// Connects, over TLS where there is a name for the peer's certificate, and hangs up.
pub(super) async fn try_out(remote: SocketAddr, tls: Option<(TlsConnector, String)>) -> io::Result<()> {
    let Some((connector, domain)) = tls else { return connect(remote).await.map(drop) };
    let mut stream = connect_tls(remote, &connector, domain).await?;
    // A server that wants a certificate of ours says so only after our handshake is done (RFC 8446 §4.4.2.4).
    match timeout(LAST_WORD, stream.read(&mut [0])).await {
        Ok(Err(refused)) => Err(refused),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

async fn connect_tls(remote: SocketAddr, connector: &TlsConnector, domain: String) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(domain).map_err(io::Error::other)?;
    let stream = connect(remote).await?;
    in_time("the TLS handshake", connector.connect(name, stream)).await
}

async fn connect(remote: SocketAddr) -> io::Result<TcpStream> {
    let stream = in_time("the connection", TcpStream::connect(remote)).await?;
    tune(&stream)?;
    Ok(stream)
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(ACKNOWLEDGED))
}

async fn in_time<T>(what: &'static str, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(CONNECT, work).await.map_err(|_| timed_out(what))?
}

fn timed_out(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("waited too long for {what}"))
}
