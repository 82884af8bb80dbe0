//! [`Readiness`]: which sockets of a media thread have something to read.
//!
//! Level-triggered, so that one look takes one datagram and a socket with more says so again: a call costs one system call to
//! hear a packet where an edge-triggered poll costs two. Waits are told in nanoseconds.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

/// Sockets told of at once.
pub(crate) const MAX_READY: usize = 256;
const WAKE: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Readiness {
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
}

/// Ends the wait from another thread; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Waker {
    wake: Arc<OwnedFd>,
}

impl Waker {
    pub(crate) fn wake(&self) {
        // It fails only when the counter is full, and then the thread is awake anyway.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

impl Readiness {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        // Edge-triggered: each write tells once, and nobody needs to read what was written.
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN | EventFlags::ET)?;
        Ok(Self { epoll, wake })
    }

    pub(crate) fn waker(&self) -> Waker {
        Waker { wake: self.wake.clone() }
    }

    pub(crate) fn add(&self, socket: impl AsFd, token: usize) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(token as u64), EventFlags::IN)?)
    }

    pub(crate) fn remove(&self, socket: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, socket)?)
    }

    /// Waits until a socket can be read, somebody wakes us, or so much time has passed. Gives the tokens of sockets that can,
    /// and tells whether somebody did wake us.
    pub(crate) fn wait(&self, at_most: Option<Duration>, ready: &mut Vec<usize>) -> io::Result<bool> {
        ready.clear();
        let mut space = [MaybeUninit::uninit(); MAX_READY];
        let timeout = at_most.and_then(|wait| Timespec::try_from(wait).ok());
        let events = match epoll::wait(&self.epoll, &mut space, timeout.as_ref()) {
            Ok((events, _)) => events,
            Err(rustix::io::Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let mut woken = false;
        for event in events {
            match event.data.u64() {
                WAKE => woken = true,
                token => ready.push(token as usize),
            }
        }
        Ok(woken)
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn a_socket_tells_until_all_is_read_and_a_waker_once() {
        let (here, there) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let readiness = Readiness::new().unwrap();
        let mut ready = Vec::new();
        readiness.add(&here, 7).unwrap();
        for _ in 0..2 {
            there.send_to(b"x", here.local_addr().unwrap()).unwrap();
        }
        for expected in [vec![7], vec![7], vec![]] {
            assert!(!readiness.wait(AT_ONCE, &mut ready).unwrap());
            assert_eq!(ready, expected);
            if !expected.is_empty() {
                here.recv_from(&mut [0; 9]).unwrap();
            }
        }
        readiness.waker().wake();
        readiness.waker().wake();
        assert!(readiness.wait(None, &mut ready).unwrap());
        assert!(!readiness.wait(AT_ONCE, &mut ready).unwrap());
        readiness.remove(&here).unwrap();
        there.send_to(b"x", here.local_addr().unwrap()).unwrap();
        assert!(!readiness.wait(AT_ONCE, &mut ready).unwrap());
        assert!(ready.is_empty());
    }
}
