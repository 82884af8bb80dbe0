//! The threads that own RTP sockets and media sessions, and their simulated counterpart.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::clock;
use crate::media_load::{Load, MediaLoad};
use crate::media_worker::{MediaWorker, Stream};
#[cfg(feature = "sim")]
use crate::network::MediaSocket;
use crate::network::Network;
use crate::readiness::{MAX_READY, Readiness, Waker};

/// Streams on their way to a worker.
const MAX_HANDOVER: usize = 256;

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
    load: Arc<Load>,
    thread: Option<JoinHandle<()>>,
}

/// Wakes the worker of one stream after an order.
#[derive(Debug, Clone)]
pub(crate) enum WorkerWaker {
    Thread(Waker),
    #[cfg(feature = "sim")]
    Task(Arc<tokio::sync::Notify>),
}

impl WorkerWaker {
    pub(crate) fn wake(&self) {
        match self {
            Self::Thread(waker) => waker.wake(),
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

    /// Hands a stream to the next worker that has room; `None` when none has.
    pub(crate) fn add(&self, stream: Box<Stream>) -> Option<WorkerWaker> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len();
        let (before, after) = self.workers.split_at(first);
        let worker = after.iter().chain(before).find(|worker| !worker.load.is_full())?;
        worker.streams.try_send(stream).ok()?;
        worker.waker.wake();
        Some(worker.waker.clone())
    }

    /// How each keeps up.
    pub(crate) fn load(&self) -> Vec<MediaLoad> {
        self.workers.iter().map(|worker| worker.load.now()).collect()
    }

    /// Whether one of them can take a call.
    pub(crate) fn has_room(&self) -> bool {
        self.workers.iter().any(|worker| !worker.load.is_full())
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
    let readiness = Readiness::new()?;
    let waker = readiness.waker();
    let (streams, handover) = sync_channel(MAX_HANDOVER);
    let load = Arc::<Load>::default();
    let worker = MediaWorker::new(load.clone());
    let run = move || run_thread(readiness, &handover, worker);
    let thread = std::thread::Builder::new().name(format!("media-{number}")).spawn(run)?;
    Ok(Worker { streams, waker: WorkerWaker::Thread(waker), load, thread: Some(thread) })
}

fn run_thread(readiness: Readiness, handover: &Receiver<Box<Stream>>, mut worker: MediaWorker) {
    prefer_real_time();
    let mut removed = Vec::new();
    let mut ready = Vec::with_capacity(MAX_READY);
    let mut next_token = 0;
    let mut now = clock::now();
    loop {
        let deadline = worker.turn(clock::now());
        let done = clock::now();
        worker.worked(now, done);
        let at_most = deadline.map(|at| at.saturating_duration_since(done));
        let Ok(woken) = readiness.wait(at_most, &mut ready) else { return };
        now = clock::now();
        for token in &ready {
            worker.readable(now, *token);
        }
        if !woken {
            continue;
        }
        loop {
            match handover.try_recv() {
                Ok(stream) => {
                    if let Some(socket) = stream.socket.host() {
                        // A socket that cannot be registered is silent, and the call's media time-out ends it.
                        let _ = readiness.add(socket, next_token);
                    }
                    worker.add(now, next_token, *stream);
                    next_token += 1;
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
            }
        }
        worker.ordered(now, &mut removed);
        for stream in removed.drain(..) {
            if let Some(socket) = stream.socket.host() {
                let _ = readiness.remove(socket);
            }
        }
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
    let load = Arc::<Load>::default();
    tokio::spawn(run_task(notify.clone(), handover, MediaWorker::new(load.clone())));
    Worker { streams, waker: WorkerWaker::Task(notify), load, thread: None }
}

#[cfg(feature = "sim")]
async fn run_task(notify: Arc<tokio::sync::Notify>, handover: Receiver<Box<Stream>>, mut worker: MediaWorker) {
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
