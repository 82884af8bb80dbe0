//! The threads that own RTP sockets and media sessions, and their simulated counterpart.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::clock;
use crate::media_load::{Load, MediaLoad};
use crate::media_worker::{MediaWorker, Stream};
#[cfg(feature = "sim")]
use crate::network::MediaSocket;
use crate::network::Network;
use crate::readiness::{MAX_READY, Readiness, Waker};

/// What waits for a worker: streams, and which of them have orders.
const MAX_HANDOVER: usize = 4096;
/// How often a thread with streams looks for those that have left. They do not wake it: that would cost more than it brings.
const PATROL: Duration = Duration::from_millis(100);
/// How soon a thread that had orders looks for more by itself. Those that come before do not wake it, which costs as much as
/// all else it does for a call that begins.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// All media workers of a gateway.
#[derive(Debug)]
pub(crate) struct MediaThreads {
    workers: Vec<Worker>,
    /// Of the next stream.
    token: AtomicUsize,
}

#[derive(Debug)]
struct Worker {
    post: Post,
    load: Arc<Load>,
    thread: Option<JoinHandle<()>>,
}

/// What comes to a worker.
#[derive(Debug)]
enum Handover {
    Stream(usize, Box<Stream>),
    /// There are orders for this stream, or its call is over.
    Orders(usize),
}

/// The way to a worker.
#[derive(Debug, Clone)]
struct Post {
    handover: SyncSender<Handover>,
    alarm: Alarm,
    state: Arc<PostState>,
}

#[derive(Debug, Default)]
struct PostState {
    /// The worker was woken and has not looked yet.
    woken: AtomicBool,
    /// There was no room to say which streams have orders: all must be looked at.
    overflown: AtomicBool,
    /// The worker looks by itself every [`PATROL`].
    patrols: AtomicBool,
    /// The worker is to end.
    stopped: AtomicBool,
}

/// The worker's end of it.
#[derive(Debug)]
struct Inbox {
    handover: Receiver<Handover>,
    state: Arc<PostState>,
}

#[derive(Debug, Clone)]
enum Alarm {
    Thread(Waker),
    #[cfg(feature = "sim")]
    Task(Arc<tokio::sync::Notify>),
}

/// Wakes the worker of one stream after orders, and when the call is over.
#[derive(Debug)]
pub(crate) struct WorkerWaker {
    token: usize,
    /// The worker knows that there are orders, and has not looked yet.
    told: Arc<AtomicBool>,
    post: Post,
}

impl WorkerWaker {
    pub(crate) fn wake(&self) {
        if self.tell() {
            self.post.wake();
        }
    }

    /// Says that there are orders; false if that is known.
    fn tell(&self) -> bool {
        let is_news = !self.told.swap(true, Ordering::AcqRel);
        if is_news && self.post.handover.try_send(Handover::Orders(self.token)).is_err() {
            self.post.state.overflown.store(true, Ordering::Release);
        }
        is_news
    }
}

/// The call is over, which may be found out a little later. Its ends of the rings are dropped before.
impl Drop for WorkerWaker {
    fn drop(&mut self) {
        if self.tell() && !self.post.state.patrols.load(Ordering::Acquire) {
            self.post.wake();
        }
    }
}

impl Post {
    /// Wakes the worker, unless somebody has and it has not looked yet.
    fn wake(&self) {
        if !self.state.woken.swap(true, Ordering::AcqRel) {
            self.ring();
        }
    }

    fn ring(&self) {
        match &self.alarm {
            Alarm::Thread(waker) => waker.wake(),
            #[cfg(feature = "sim")]
            Alarm::Task(notify) => notify.notify_one(),
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
        Ok(Self { workers, token: AtomicUsize::new(0) })
    }

    /// Hands a stream to the next worker that has room; `None` when none has. The worker takes it when its first orders come:
    /// until then there is nothing to do with it.
    pub(crate) fn add(&self, stream: Box<Stream>) -> Option<WorkerWaker> {
        let token = self.token.fetch_add(1, Ordering::Relaxed);
        let (before, after) = self.workers.split_at(token % self.workers.len());
        let told = stream.told.clone();
        let mut handover = Handover::Stream(token, stream);
        for worker in after.iter().chain(before).filter(|worker| worker.load.has_room()) {
            match worker.post.handover.try_send(handover) {
                Ok(()) => return Some(WorkerWaker { token, told, post: worker.post.clone() }),
                Err(TrySendError::Full(refused) | TrySendError::Disconnected(refused)) => handover = refused,
            }
        }
        None
    }

    /// How each keeps up.
    pub(crate) fn load(&self) -> Vec<MediaLoad> {
        self.workers.iter().map(|worker| worker.load.now()).collect()
    }

    #[cfg(feature = "sim")]
    pub(crate) fn overload(&self, is_full: bool) {
        self.workers.iter().for_each(|worker| worker.load.fill(is_full));
    }

    /// Whether one of them can take a call.
    pub(crate) fn has_room(&self) -> bool {
        self.workers.iter().any(|worker| worker.load.has_room())
    }
}

impl Drop for MediaThreads {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.post.state.stopped.store(true, Ordering::Release);
            worker.post.ring();
        }
        for thread in self.workers.drain(..).filter_map(|worker| worker.thread) {
            // A worker that failed has already ended its calls, and said so; nothing is left to save here.
            let _ = thread.join();
        }
    }
}

impl Inbox {
    /// Whether the worker looks by itself from now on. Who has left just before it ceased to has to be seen first.
    fn patrol(&self, wanted: bool) -> bool {
        let before = self.state.patrols.swap(wanted, Ordering::AcqRel);
        wanted || before
    }

    /// Takes what has come, and says whether anything has: streams to their worker, after `begun`, and orders. `None` when the
    /// worker is to end.
    fn serve(&self, now: Instant, worker: &mut MediaWorker, mut begun: impl FnMut(usize, &Stream)) -> Option<bool> {
        // Before the look: who comes after it wakes us again.
        self.state.woken.store(false, Ordering::Release);
        if self.state.stopped.load(Ordering::Acquire) {
            return None;
        }
        let mut any = false;
        loop {
            match self.handover.try_recv() {
                Ok(Handover::Stream(token, stream)) => {
                    begun(token, &stream);
                    worker.add(now, token, *stream);
                }
                Ok(Handover::Orders(token)) => worker.ordered(now, token),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return None,
            }
            any = true;
        }
        if self.state.overflown.swap(false, Ordering::AcqRel) {
            worker.all_ordered(now);
        }
        Some(any)
    }

    /// The worker looks again by itself, and soon: nobody is to wake it.
    fn stay_awake(&self) {
        self.state.woken.store(true, Ordering::Release);
    }
}

/// A way to a worker, and the worker's end of it.
fn post(alarm: Alarm) -> (Post, Inbox) {
    let (sender, handover) = sync_channel(MAX_HANDOVER);
    let state = Arc::<PostState>::default();
    (Post { handover: sender, alarm, state: state.clone() }, Inbox { handover, state })
}

fn start_thread(number: usize) -> io::Result<Worker> {
    let readiness = Readiness::new()?;
    let (post, inbox) = post(Alarm::Thread(readiness.waker()));
    let load = Arc::<Load>::default();
    let worker = MediaWorker::new(load.clone());
    let watched = load.clone();
    let run = move || watch(&watched, move || run_thread(&readiness, &inbox, worker));
    let thread = std::thread::Builder::new().name(format!("media-{number}")).spawn(run)?;
    Ok(Worker { post, load, thread: Some(thread) })
}

/// Runs a thread to its end, and notes when that comes unasked.
fn watch(load: &Load, run: impl FnOnce() -> io::Result<()>) {
    let why = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it panicked".to_owned(),
    };
    load.die();
    tracing::error!(why, "a media thread has ended, and the calls on it; only a restart brings it back");
}

/// Ends without an error when it is told to.
fn run_thread(readiness: &Readiness, inbox: &Inbox, mut worker: MediaWorker) -> io::Result<()> {
    prefer_real_time();
    let mut ready = Vec::with_capacity(MAX_READY);
    let mut now = clock::now();
    let mut patrol = now;
    let mut look_again = None;
    let begun = |token, stream: &Stream| {
        if let Some(socket) = stream.socket.host() {
            // A socket that cannot be registered is silent, and the call's media time-out ends it.
            let _ = readiness.add(socket, token);
        }
    };
    loop {
        let deadline = worker.turn(clock::now());
        for stream in worker.take_removed() {
            if let Some(socket) = stream.socket.host() {
                let _ = readiness.remove(socket);
            }
        }
        let done = clock::now();
        worker.worked(now, done);
        let patrol_at = inbox.patrol(!worker.is_empty()).then_some(patrol);
        let until = deadline.into_iter().chain(patrol_at).chain(look_again).min();
        let at_most = until.map(|at| at.saturating_duration_since(done));
        let woken = readiness.wait(at_most, &mut ready)?;
        now = clock::now();
        for (place, token) in ready.iter().enumerate() {
            if let Some(next) = ready.get(place + 1) {
                worker.expect(*next);
            }
            worker.readable(now, *token);
        }
        if woken || now >= patrol || look_again.is_some_and(|at| now >= at) {
            patrol = now + PATROL;
            let Some(any) = inbox.serve(now, &mut worker, begun) else { return Ok(()) };
            look_again = any.then_some(now + LOOK_AGAIN);
            if any {
                inbox.stay_awake();
            }
        }
    }
}

/// Asks for `SCHED_RR`, which needs `RLIMIT_RTPRIO` of 1 or `CAP_SYS_NICE`; without either the thread runs as any other.
fn prefer_real_time() {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: `parameters` is a valid sched_param for the whole call; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameters) };
}

#[cfg(feature = "sim")]
fn start_task() -> Worker {
    let notify = Arc::new(tokio::sync::Notify::new());
    let (post, inbox) = post(Alarm::Task(notify.clone()));
    let load = Arc::<Load>::default();
    tokio::spawn(run_task(notify, inbox, MediaWorker::new(load.clone())));
    Worker { post, load, thread: None }
}

#[cfg(feature = "sim")]
async fn run_task(notify: Arc<tokio::sync::Notify>, inbox: Inbox, mut worker: MediaWorker) {
    loop {
        let now = clock::now();
        let begun = |_, stream: &Stream| {
            if let MediaSocket::Simulated(socket) = &stream.socket {
                socket.watch(notify.clone());
            }
        };
        if inbox.serve(now, &mut worker, begun).is_none() {
            return;
        }
        worker.all_readable(now);
        let deadline = worker.turn(now);
        worker.take_removed().for_each(drop);
        match deadline {
            Some(at) => tokio::select! { biased;
                () = notify.notified() => {}
                () = tokio::time::sleep_until(at.into()) => {}
            },
            None => notify.notified().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media_worker::tests::stream;
    use crate::packets::Share;

    /// A worker that nothing comes out of, and the end that it would read.
    fn worker() -> (Worker, Inbox) {
        let (post, inbox) = post(Alarm::Thread(Readiness::new().unwrap().waker()));
        (Worker { post, load: Arc::default(), thread: None }, inbox)
    }

    #[test]
    fn a_call_goes_to_another_thread_when_one_has_died() {
        let ((dead, its_inbox), (alive, inbox)) = (worker(), worker());
        let threads = MediaThreads { workers: vec![dead, alive], token: AtomicUsize::new(0) };
        let add = || {
            let (_ends, stream) = stream(clock::now(), Share::new(Arc::default()));
            threads.add(Box::new(stream)).is_some()
        };
        drop(its_inbox);
        // Dead before anybody has noticed, and after.
        for _ in 0..4 {
            assert!(add() && threads.has_room());
            threads.workers[0].load.die();
        }
        let taken = std::iter::from_fn(|| inbox.handover.try_recv().ok());
        assert_eq!(taken.filter(|handover| matches!(handover, Handover::Stream(..))).count(), 4);
        threads.workers[1].load.die();
        assert!(!add() && !threads.has_room());
    }

    #[test]
    fn a_call_that_is_let_go_without_a_word_is_over() {
        let (worker, inbox) = worker();
        let threads = MediaThreads { workers: vec![worker], token: AtomicUsize::new(0) };
        let (now, mut worker) = (clock::now(), MediaWorker::new(Arc::default()));
        let (ends, stream) = stream(now, Share::new(Arc::default()));
        let waker = threads.add(Box::new(stream)).expect("there is room");
        inbox.serve(now, &mut worker, |_, _| ());
        assert!(!worker.is_empty());
        drop((ends, waker));
        inbox.serve(now, &mut worker, |_, _| ());
        assert_eq!((worker.is_empty(), worker.take_removed().count()), (true, 1));
    }

    #[test]
    fn a_thread_that_ends_unasked_is_noticed() {
        let check = |is_dead, run: &dyn Fn() -> io::Result<()>| {
            let load = Load::default();
            watch(&load, run);
            assert_eq!(load.now().is_dead, is_dead);
        };
        check(false, &|| Ok(()));
        check(true, &|| Err(io::ErrorKind::InvalidInput.into()));
        check(true, &|| panic!("as a test wants it"));
    }
}
