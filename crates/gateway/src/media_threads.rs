//! The threads that own RTP sockets and media sessions, and their simulated counterpart.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::clock;
use crate::media_worker::{MediaWorker, Stream};
#[cfg(feature = "sim")]
use crate::network::MediaSocket;
use crate::network::Network;

/// Streams on their way to a worker.
const MAX_HANDOVER: usize = 256;
/// Readiness events taken from the kernel at once.
const MAX_READY: usize = 1024;
const WAKE: mio::Token = mio::Token(usize::MAX);

/// All media workers of a gateway.
#[derive(Debug)]
pub(crate) struct MediaThreads {
    workers: Vec<Worker>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Worker {
    streams: SyncSender<Box<Stream>>,
    waker: WorkerWaker,
    thread: Option<JoinHandle<()>>,
}

/// Wakes the worker of one stream after an order.
#[derive(Debug, Clone)]
pub(crate) enum WorkerWaker {
    Thread(Arc<mio::Waker>),
    #[cfg(feature = "sim")]
    Task(Arc<tokio::sync::Notify>),
}

impl WorkerWaker {
    pub(crate) fn wake(&self) {
        match self {
            // It fails only when the eventfd is full, and then the worker is awake anyway.
            Self::Thread(waker) => drop(waker.wake()),
            #[cfg(feature = "sim")]
            Self::Task(notify) => notify.notify_one(),
        }
    }
}

impl MediaThreads {
    /// Starts `count` workers; 0 is cores − 1, at least one.
    pub(crate) fn start(network: &Network, count: usize) -> io::Result<Self> {
        let workers = match network {
            Network::Host => {
                let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                let count = if count == 0 { cores.saturating_sub(1).max(1) } else { count };
                (0..count).map(start_thread).collect::<io::Result<_>>()?
            }
            #[cfg(feature = "sim")]
            Network::Simulated(_) => vec![start_task()],
        };
        Ok(Self { workers, next: AtomicUsize::new(0) })
    }

    /// Hands a stream to the next worker; `None` when that worker is overwhelmed.
    pub(crate) fn add(&self, stream: Box<Stream>) -> Option<WorkerWaker> {
        let worker = &self.workers[self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len()];
        worker.streams.try_send(stream).ok()?;
        worker.waker.wake();
        Some(worker.waker.clone())
    }
}

impl Drop for MediaThreads {
    fn drop(&mut self) {
        for worker in self.workers.drain(..) {
            drop(worker.streams);
            worker.waker.wake();
            if let Some(thread) = worker.thread {
                // A worker that panicked has already ended its calls; nothing is left to save here.
                let _ = thread.join();
            }
        }
    }
}

fn start_thread(number: usize) -> io::Result<Worker> {
    let poll = mio::Poll::new()?;
    let waker = Arc::new(mio::Waker::new(poll.registry(), WAKE)?);
    let (streams, handover) = sync_channel(MAX_HANDOVER);
    let thread =
        std::thread::Builder::new().name(format!("media-{number}")).spawn(move || run_thread(poll, &handover))?;
    Ok(Worker { streams, waker: WorkerWaker::Thread(waker), thread: Some(thread) })
}

fn run_thread(mut poll: mio::Poll, handover: &Receiver<Box<Stream>>) {
    prefer_real_time();
    let mut worker = MediaWorker::new();
    let mut ready = mio::Events::with_capacity(MAX_READY);
    let mut removed = Vec::new();
    let mut next_token = 0;
    loop {
        let timeout = worker.turn(clock::now()).map(|at| at.saturating_duration_since(clock::now()));
        match poll.poll(&mut ready, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
            Ok(()) => {}
        }
        let now = clock::now();
        let mut woken = false;
        for event in &ready {
            match event.token() {
                WAKE => woken = true,
                token => worker.readable(now, token.0),
            }
        }
        if !woken {
            continue;
        }
        loop {
            match handover.try_recv() {
                Ok(mut stream) => {
                    register(&poll, &mut stream, next_token);
                    worker.add(now, next_token, *stream);
                    next_token += 1;
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
            }
        }
        worker.ordered(now, &mut removed);
        for mut stream in removed.drain(..) {
            deregister(&poll, &mut stream);
        }
    }
}

/// A socket that cannot be registered is silent, and the call's media time-out ends it.
fn register(poll: &mio::Poll, stream: &mut Stream, token: usize) {
    if let Some(socket) = stream.socket.host() {
        let _ = poll.registry().register(socket, mio::Token(token), mio::Interest::READABLE);
    }
}

fn deregister(poll: &mio::Poll, stream: &mut Stream) {
    if let Some(socket) = stream.socket.host() {
        let _ = poll.registry().deregister(socket);
    }
}

/// Asks for `SCHED_RR`, which needs `CAP_SYS_NICE`; without it the thread runs as any other.
fn prefer_real_time() {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: `parameters` is a valid sched_param for the whole call; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameters) };
}

#[cfg(feature = "sim")]
fn start_task() -> Worker {
    let notify = Arc::new(tokio::sync::Notify::new());
    let (streams, handover) = sync_channel(MAX_HANDOVER);
    tokio::spawn(run_task(notify.clone(), handover));
    Worker { streams, waker: WorkerWaker::Task(notify), thread: None }
}

#[cfg(feature = "sim")]
async fn run_task(notify: Arc<tokio::sync::Notify>, handover: Receiver<Box<Stream>>) {
    let mut worker = MediaWorker::new();
    let mut removed = Vec::new();
    let mut next_token = 0;
    loop {
        let now = clock::now();
        loop {
            match handover.try_recv() {
                Ok(stream) => {
                    if let MediaSocket::Simulated(socket) = &stream.socket {
                        socket.watch(notify.clone());
                    }
                    worker.add(now, next_token, *stream);
                    next_token += 1;
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
            }
        }
        worker.ordered(now, &mut removed);
        removed.clear();
        for token in 0..next_token {
            worker.readable(now, token);
        }
        let deadline = worker.turn(now);
        match deadline {
            Some(at) => tokio::select! { biased;
                () = notify.notified() => {}
                () = tokio::time::sleep_until(at.into()) => {}
            },
            None => notify.notified().await,
        }
    }
}
