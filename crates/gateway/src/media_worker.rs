//! [`MediaWorker`]: the media of its share of the calls, as a value told what time it is.
//!
//! Production runs it on a thread over real sockets, the simulation from a task; the code is the same.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use media::{Event, MediaSession, Order, Recorded, Statistics, Transmit, one_way};

use crate::deadlines::Deadlines;
use crate::dropped::DropCounter;
use crate::impairment::{Fate, Impairment};
use crate::media_load::{Load, Meter};
use crate::network::MediaSocket;
use crate::packets::Share;
use crate::ports::Lease;
use crate::prefetch::prefetch;
use crate::ring;

/// The largest datagram taken from a socket; RTP with 60 ms of audio is far below.
const MAX_DATAGRAM: usize = 2048;
/// Time between two `MediaEvent::Statistics`.
const STATISTICS_EVERY: Duration = Duration::from_secs(1);
/// Datagrams an impaired stream holds back at once.
const MAX_DELAYED: usize = 1024;

/// What a worker tells a call.
#[derive(Debug)]
pub(crate) enum MediaEvent {
    Session(Event),
    Statistics(Statistics),
    /// Since now they are not heard and should be, and why; or they are again.
    OneWay(Option<one_way::Cause>),
}

/// One call's media, as handed to a worker. It leaves when the call drops its end of `control`.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) socket: MediaSocket,
    /// After the socket, so that the port rests from when it is closed.
    pub(crate) _lease: Lease,
    pub(crate) session: MediaSession,
    /// Orders that act at once.
    pub(crate) control: ring::Receiver<Order>,
    /// Orders that wait their turn: audio, digits, pauses.
    pub(crate) queue: ring::Receiver<Order>,
    pub(crate) events: ring::Sender<MediaEvent>,
    pub(crate) recording: Option<ring::Sender<Recorded>>,
    /// Room kept in `events` for what must not be lost; audio and statistics are dropped below it.
    pub(crate) reserved_events: usize,
    /// Set while nothing is queued: whoever queues something then wakes the worker.
    pub(crate) idle: Arc<AtomicBool>,
    /// Set by whoever ordered something, until the worker looks.
    pub(crate) told: Arc<AtomicBool>,
    pub(crate) packets: Share,
    pub(crate) dropped: DropCounter,
    /// A verdict that found no room in `events` yet.
    pub(crate) one_way: Option<one_way::Verdict>,
    pub(crate) impaired: Option<Box<Impaired>>,
}

/// A stream on a bad network, for simulated parties.
#[derive(Debug)]
pub(crate) struct Impaired {
    impairment: Impairment,
    fate: Fate,
    sequence: u64,
    outbound: Delayed,
    inbound: Delayed,
}

type Delayed = BTreeMap<(Instant, u64), (SocketAddr, Vec<u8>)>;

/// The streams of one thread.
#[derive(Debug)]
pub(crate) struct MediaWorker {
    streams: BTreeMap<usize, Box<Entry>>,
    deadlines: Deadlines,
    /// Streams whose call is over, until the thread takes them.
    removed: Vec<Stream>,
    scratch: Scratch,
    meter: Meter,
}

/// Where packets are on their way in and out.
#[derive(Debug)]
struct Scratch {
    buffer: [u8; MAX_DATAGRAM],
    transmit: Transmit,
}

#[derive(Debug)]
struct Entry {
    stream: Stream,
    deadline: Option<Instant>,
    /// When its counters are told next.
    statistics: Instant,
}

/// What has become of a stream that was served.
#[derive(Debug)]
enum Served {
    /// It is to be served again then.
    Until(Option<Instant>),
    /// Its call is over.
    Over,
}

impl MediaWorker {
    pub(crate) fn new(load: Arc<Load>) -> Self {
        Self {
            streams: BTreeMap::new(),
            deadlines: Deadlines::default(),
            removed: Vec::new(),
            scratch: Scratch { buffer: [0; MAX_DATAGRAM], transmit: Transmit::default() },
            meter: Meter::new(load),
        }
    }

    pub(crate) fn add(&mut self, now: Instant, token: usize, stream: Stream) {
        let entry = Entry { stream, deadline: None, statistics: now + STATISTICS_EVERY };
        self.streams.insert(token, Box::new(entry));
        self.deadlines.make_room(self.streams.len());
        self.serve(now, token, Entry::serve);
    }

    /// This stream is served soon, after another: with a thousand calls nothing of it is near the processor.
    pub(crate) fn expect(&self, token: usize) {
        if let Some(entry) = self.streams.get(&token) {
            prefetch(&**entry);
        }
    }

    /// Something arrived on this stream's socket.
    pub(crate) fn readable(&mut self, now: Instant, token: usize) {
        self.serve(now, token, Entry::readable);
    }

    /// Something may have arrived on any socket.
    #[cfg(feature = "sim")]
    pub(crate) fn all_readable(&mut self, now: Instant) {
        let tokens: Vec<_> = self.streams.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.readable(now, token));
    }

    /// The call of this stream ordered something, or is over.
    pub(crate) fn ordered(&mut self, now: Instant, token: usize) {
        if let Some(entry) = self.streams.get(&token) {
            // Before the look, and not to be put off until after it: who orders later tells again, whose news is taken here has
            // ordered before.
            entry.stream.told.swap(false, Ordering::AcqRel);
        }
        self.serve(now, token, Entry::serve);
    }

    /// Any of them may have.
    pub(crate) fn all_ordered(&mut self, now: Instant) {
        let tokens: Vec<_> = self.streams.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.ordered(now, token));
    }

    /// No stream is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Streams whose call is over.
    pub(crate) fn take_removed(&mut self) -> impl Iterator<Item = Stream> {
        self.removed.drain(..)
    }

    /// Does all that is due, and says when to come back.
    pub(crate) fn turn(&mut self, now: Instant) -> Option<Instant> {
        while let Some((at, token)) = self.deadlines.pop(now) {
            self.meter.slot(now.saturating_duration_since(at));
            if let Some(entry) = self.streams.get_mut(&token) {
                entry.deadline = None;
                self.serve(now, token, Entry::serve);
            }
        }
        self.deadlines.next()
    }

    /// The thread worked from then until now, and goes to wait.
    pub(crate) fn worked(&mut self, from: Instant, until: Instant) {
        self.meter.worked(from, until);
        if self.is_empty() {
            self.meter.rest();
        }
    }

    /// Does `work` with one stream. What fails there ends that call, and no other of the thread.
    fn serve(&mut self, now: Instant, token: usize, work: fn(&mut Entry, Instant, &mut Scratch) -> Served) {
        let Self { streams, scratch, deadlines, .. } = self;
        let Some(entry) = streams.get_mut(&token) else { return };
        match catch_unwind(AssertUnwindSafe(|| work(entry, now, scratch))) {
            Ok(Served::Until(deadline)) if deadline == entry.deadline => {}
            Ok(Served::Until(deadline)) => {
                if let Some(old) = entry.deadline {
                    deadlines.remove(old, token);
                }
                if let Some(new) = deadline {
                    deadlines.insert(new, token);
                }
                entry.deadline = deadline;
            }
            Ok(Served::Over) => self.remove(token),
            Err(_) => {
                tracing::error!("the media of a call failed, and the call with it");
                self.remove(token);
            }
        }
    }

    fn remove(&mut self, token: usize) {
        if let Some(entry) = self.streams.remove(&token) {
            if let Some(deadline) = entry.deadline {
                self.deadlines.remove(deadline, token);
            }
            self.removed.push(entry.stream);
        }
    }
}

impl Entry {
    /// Without orders nobody looks for any: that would touch memory of the call's task for each packet.
    fn readable(&mut self, now: Instant, scratch: &mut Scratch) -> Served {
        self.stream.receive(now, &mut scratch.buffer);
        if self.stream.told.load(Ordering::Acquire) { self.serve(now, scratch) } else { self.advance(now, scratch) }
    }

    fn serve(&mut self, now: Instant, scratch: &mut Scratch) -> Served {
        self.stream.take_orders(now);
        let served = self.advance(now, scratch);
        if self.stream.control.is_closed() { self.leave(now, scratch) } else { served }
    }

    fn advance(&mut self, now: Instant, scratch: &mut Scratch) -> Served {
        let Self { stream, statistics, .. } = self;
        stream.take_delayed(now);
        if stream.session.poll_timeout().is_some_and(|at| at <= now) {
            stream.session.handle_timeout(now);
            // The slot may have made room for what waits in the ring.
            stream.take_orders(now);
            if *statistics <= now {
                *statistics = now + STATISTICS_EVERY;
                stream.report_statistics();
            }
        }
        stream.send(now, &mut scratch.transmit);
        stream.report();
        stream.report_one_way();
        Served::Until(stream.next_deadline())
    }

    /// The call is over.
    fn leave(&mut self, now: Instant, scratch: &mut Scratch) -> Served {
        let stream = &mut self.stream;
        stream.session.goodbye(now);
        stream.send(now, &mut scratch.transmit);
        stream.packets.grow(stream.session.statistics());
        Served::Over
    }
}

impl Stream {
    fn take_orders(&mut self, now: Instant) {
        while let Some(order) = self.control.pop() {
            self.session.order(now, order);
        }
        while self.session.room() > 0 {
            match self.queue.pop() {
                Some(order) => self.session.order(now, order),
                None => {
                    self.idle.swap(true, Ordering::AcqRel);
                    // An order may have come between the look and the flag.
                    if self.queue.is_empty() {
                        break;
                    }
                }
            }
        }
    }

    fn receive(&mut self, now: Instant, buffer: &mut [u8]) {
        while let Some((len, from)) = self.socket.receive(now, buffer) {
            match &mut self.impaired {
                Some(impaired) => impaired.delay_inbound(now, from, &buffer[..len]),
                None => self.session.receive(now, from, &buffer[..len]),
            }
            if self.socket.tells_again() {
                break;
            }
        }
    }

    fn take_delayed(&mut self, now: Instant) {
        if let Some(impaired) = &mut self.impaired {
            while let Some((from, datagram)) = take_due(&mut impaired.inbound, now) {
                self.session.receive(now, from, &datagram);
            }
        }
    }

    fn send(&mut self, now: Instant, transmit: &mut Transmit) {
        while self.session.poll_transmit(transmit) {
            let packet = &transmit.packet[..transmit.len];
            match &mut self.impaired {
                Some(impaired) => impaired.delay_outbound(now, transmit.to, packet),
                None => self.socket.send(packet, transmit.to),
            }
        }
        if let Some(impaired) = &mut self.impaired {
            while let Some((to, datagram)) = take_due(&mut impaired.outbound, now) {
                self.socket.send(&datagram, to);
            }
        }
    }

    fn report(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if matches!(event, Event::Audio(_)) && self.events.room() < self.reserved_events {
                self.dropped.unheard();
                continue;
            }
            // Full only when the call's task is gone.
            let _ = self.events.push(MediaEvent::Session(event));
        }
        while let Some(recorded) = self.session.poll_recorded() {
            // A slow disk loses recording, never audio; by its time the recorder knows what is missing.
            if let Some(recording) = &mut self.recording
                && recording.push(recorded).is_err()
            {
                self.dropped.unrecorded();
            }
        }
    }

    fn report_one_way(&mut self) {
        // The latest counts.
        self.one_way = self.session.poll_one_way().or(self.one_way.take());
        let Some(verdict) = self.one_way else { return };
        let cause = match verdict {
            one_way::Verdict::Begun(cause) => Some(cause),
            one_way::Verdict::Ended => None,
        };
        if self.events.push(MediaEvent::OneWay(cause)).is_ok() {
            self.one_way = None;
        }
    }

    fn report_statistics(&mut self) {
        let statistics = self.session.statistics();
        self.packets.grow(statistics);
        if self.events.room() >= self.reserved_events {
            drop(self.events.push(MediaEvent::Statistics(statistics)));
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let delayed = self.impaired.as_ref().and_then(|impaired| impaired.next_deadline());
        [self.session.poll_timeout(), self.socket.next_arrival(), delayed].into_iter().flatten().min()
    }
}

impl Impaired {
    pub(crate) fn new(impairment: Impairment, seed: [u8; 32]) -> Self {
        Self { impairment, fate: Fate::new(seed), sequence: 0, outbound: Delayed::new(), inbound: Delayed::new() }
    }

    fn delay_outbound(&mut self, now: Instant, to: SocketAddr, datagram: &[u8]) {
        delay(&mut self.outbound, &mut self.fate, &mut self.sequence, &self.impairment, (now, to, datagram));
    }

    fn delay_inbound(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        delay(&mut self.inbound, &mut self.fate, &mut self.sequence, &self.impairment, (now, from, datagram));
    }

    fn next_deadline(&self) -> Option<Instant> {
        let first = |delayed: &Delayed| delayed.first_key_value().map(|((at, _), _)| *at);
        [first(&self.outbound), first(&self.inbound)].into_iter().flatten().min()
    }
}

fn delay(
    delayed: &mut Delayed,
    fate: &mut Fate,
    sequence: &mut u64,
    impairment: &Impairment,
    (now, address, datagram): (Instant, SocketAddr, &[u8]),
) {
    for wait in fate.draw(impairment) {
        if delayed.len() < MAX_DELAYED {
            *sequence += 1;
            delayed.insert((now + wait, *sequence), (address, datagram.to_vec()));
        }
    }
}

fn take_due(delayed: &mut Delayed, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
    delayed.first_entry().filter(|entry| entry.key().0 <= now).map(|entry| entry.remove())
}

#[cfg(test)]
pub(crate) mod tests;
