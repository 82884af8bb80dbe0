//! The task of one call. It has no logic: everything that can happen to a call arrives in one loop.

mod ending;
mod farewell;
mod info_digits;
pub(crate) mod machine;
pub(crate) mod streams;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Instant;

use media::Order;
use sip::SessionId;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::dropped::DropCounter;
use crate::endpoint::EndpointCommand;
use crate::line::{LineCommand, LineEnd};
use crate::media_threads::WorkerWaker;
use crate::media_worker::MediaEvent;
use crate::recording::Recording;
use crate::trace::Trace;
use crate::{CallEnd, CallStatus, EndCause, OneWay, Quality, RecordingFailure, clock, quality, ring};
use machine::{CallMachine, Input, Output, Signal};

/// Ordered orders waiting for the worker's ring: a long string of digits at most.
const MAX_OUTGOING: usize = 256;

/// One call at work.
#[derive(Debug)]
pub(crate) struct CallTask {
    pub(crate) session: SessionId,
    pub(crate) machine: CallMachine,
    pub(crate) signalling: mpsc::Receiver<Box<sip::Event>>,
    pub(crate) endpoint: mpsc::Sender<EndpointCommand>,
    pub(crate) commands: mpsc::Receiver<LineCommand>,
    /// `None` for the built-in routes, which nobody listens to.
    pub(crate) line: Option<LineEnd>,
    pub(crate) media: MediaEnd,
    pub(crate) recording: Option<Recording>,
    pub(crate) stop: CancellationToken,
    pub(crate) shared: Arc<Shared>,
    pub(crate) status: watch::Sender<CallStatus>,
    pub(crate) finished: watch::Sender<Option<CallEnd>>,
    pub(crate) one_way: watch::Sender<Option<OneWay>>,
    /// The media thread let go of the stream before the call did.
    pub(crate) media_lost: bool,
    /// The counters of its media when they were told last.
    pub(crate) counted: media::Statistics,
}

/// The call's ends of its media stream.
#[derive(Debug)]
pub(crate) struct MediaEnd {
    pub(crate) control: ring::Sender<Order>,
    pub(crate) queue: ring::Sender<Order>,
    pub(crate) events: ring::Receiver<MediaEvent>,
    pub(crate) idle: Arc<AtomicBool>,
    /// After the rings, so that the worker finds their end.
    pub(crate) waker: WorkerWaker,
}

/// What handles may read while the call runs.
#[derive(Debug)]
pub(crate) struct Shared {
    view: Mutex<View>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) dropped: DropCounter,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct View {
    pub(crate) quality: Quality,
    pub(crate) answered_at: Option<Instant>,
    pub(crate) explanation: String,
    pub(crate) recording_failure: Option<RecordingFailure>,
}

impl Shared {
    pub(crate) fn new(trace: Arc<Trace>, dropped: DropCounter) -> Self {
        Self { view: Mutex::default(), trace, dropped }
    }

    pub(crate) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Happened {
    Stop,
    Deadline,
    Signalling(Option<sip::Event>),
    Command(LineCommand),
    Media(Option<MediaEvent>),
    Room,
    Audio(Order),
}

impl CallTask {
    /// Runs one call from INVITE to the last packet.
    pub(crate) async fn run(mut self) {
        let mut outgoing = VecDeque::new();
        let mut stopping = false;
        self.carry_out(&mut outgoing).await;
        self.explain();
        while self.machine.end().is_none() {
            let input = match self.next(&outgoing, stopping).await {
                Happened::Stop => {
                    stopping = true;
                    Input::Stop
                }
                Happened::Deadline => Input::Timeout,
                Happened::Signalling(Some(event)) => Input::Signalling(event),
                // The endpoint is gone: nobody can end this call but we.
                Happened::Signalling(None) => break,
                Happened::Command(command) => Input::Command(command),
                Happened::Media(Some(MediaEvent::Statistics(statistics))) => {
                    self.note_statistics(&statistics);
                    continue;
                }
                Happened::Media(Some(MediaEvent::OneWay(cause))) => {
                    self.one_way.send_if_modified(|told| std::mem::replace(told, cause) != cause);
                    continue;
                }
                Happened::Media(Some(MediaEvent::Session(event))) => {
                    self.machine.handle_input(clock::now(), Input::Media(event));
                    self.carry_out(&mut outgoing).await;
                    continue;
                }
                Happened::Media(None) => {
                    self.media_lost = true;
                    Input::MediaLost
                }
                Happened::Audio(order) => {
                    outgoing.push_back(order);
                    self.pump(&mut outgoing);
                    continue;
                }
                Happened::Room => {
                    self.pump(&mut outgoing);
                    continue;
                }
            };
            self.machine.handle_input(clock::now(), input);
            self.carry_out(&mut outgoing).await;
            self.explain();
        }
        self.close().await;
    }

    async fn next(&mut self, outgoing: &VecDeque<Order>, stopping: bool) -> Happened {
        let deadline = self.machine.poll_timeout();
        let media_lost = self.media_lost;
        let Self { signalling, commands, line, media, stop, .. } = self;
        let MediaEnd { queue, events, .. } = media;
        let audio = async {
            match line {
                Some(line) if outgoing.is_empty() => line.audio.recv().await,
                _ => std::future::pending().await,
            }
        };
        let room =
            std::future::poll_fn(|context| if outgoing.is_empty() { Poll::Pending } else { queue.poll_room(context) });
        tokio::select! { biased; // the order is the priority
            () = stop.cancelled(), if !stopping => Happened::Stop,
            () = sleep_until(deadline.map(|deadline| deadline.at)) => Happened::Deadline,
            event = signalling.recv() => Happened::Signalling(event.map(|event| *event)),
            Some(command) = commands.recv() => Happened::Command(command),
            event = events.next(), if !media_lost => Happened::Media(event),
            () = room => Happened::Room,
            Some(order) = audio => Happened::Audio(order),
        }
    }

    async fn carry_out(&mut self, outgoing: &mut VecDeque<Order>) {
        let mut ordered = false;
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Signal(signal) => self.signal(signal).await,
                Output::Media(order) => {
                    // Full only when the worker has stalled for many orders; then the media time-out ends the call.
                    let _ = self.media.control.push(order);
                    ordered = true;
                }
                Output::Queue(order) => {
                    if let Some(line) = &mut self.line {
                        // What was said before the keys goes out before them.
                        while let Ok(said) = line.audio.try_recv() {
                            outgoing.push_back(said);
                        }
                    }
                    if outgoing.len() < MAX_OUTGOING {
                        outgoing.push_back(order);
                    }
                }
                Output::Line(event) => self.tell_line(event),
                Output::Status(status) => {
                    if status == CallStatus::Answered {
                        self.shared.view().answered_at = Some(clock::now());
                    }
                    self.status.send_replace(status);
                }
            }
        }
        if ordered {
            self.media.waker.wake();
        }
        self.pump(outgoing);
    }

    /// Moves what is to be said into the worker's ring, as far as it fits.
    fn pump(&mut self, outgoing: &mut VecDeque<Order>) {
        if outgoing.is_empty() {
            return;
        }
        while let Some(order) = outgoing.pop_front() {
            if let Err(order) = self.media.queue.push(order) {
                outgoing.push_front(order);
                break;
            }
        }
        if self.media.idle.swap(false, Ordering::AcqRel) {
            self.media.waker.wake();
        }
    }

    async fn signal(&mut self, signal: Signal) {
        // The endpoint outlives its calls; when it is gone the loop ends by itself.
        let _ = self.endpoint.send(EndpointCommand::Session { session: self.session, signal }).await;
    }

    fn tell_line(&mut self, event: crate::LineEvent) {
        if let Some(line) = &self.line
            && !line.tell(event)
        {
            tracing::error!(session = self.session.0, "line reader stalled; ending the call");
            self.line = None;
            self.machine.handle_input(clock::now(), Input::Command(LineCommand::HangUp));
        }
    }

    fn note_statistics(&mut self, statistics: &media::Statistics) {
        self.shared.view().quality = quality::of(statistics);
        let before = std::mem::replace(&mut self.counted, *statistics);
        if statistics.packets_received > before.packets_received {
            self.machine.media_alive(clock::now());
        }
        self.explain();
    }

    /// Renews what handles read: not for every frame, but for all that changes a call, and every second. Of a built-in route
    /// nobody has a handle.
    fn explain(&self) {
        if self.line.is_none() {
            return;
        }
        let mut text = self.machine.describe();
        if let Some(deadline) = self.machine.poll_timeout() {
            let left = deadline.at.saturating_duration_since(clock::now());
            text.push_str(&format!("; next: {} in {:.1} s", deadline.timer, left.as_secs_f32()));
        }
        self.shared.view().explanation = text;
    }

    async fn close(self) {
        let end = self.machine.end().cloned().unwrap_or(CallEnd::because(EndCause::Shutdown));
        // The worker lets go of the stream.
        drop(self.media);
        if let Some(recording) = self.recording {
            let answered = self.shared.view().answered_at.is_some();
            if let Err(failure) = recording.finish(answered).await {
                tracing::error!(session = self.session.0, %failure, "a recording is not whole");
                self.shared.view().recording_failure = Some(failure);
            }
        }
        self.status.send_replace(CallStatus::Ended);
        self.finished.send_replace(Some(end));
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
