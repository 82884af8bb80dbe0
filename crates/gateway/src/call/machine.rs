//! Pure: no I/O, no clock.
//!
//! [`CallMachine`]: one call, from the INVITE to the last packet. It is told what signalling, media,
//! its line and the time say, and answers with outputs for each of them.

mod hearing;
mod keys;
mod signalling;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use media::{Order, SteadyTone, UtteranceId};
use sip::sdp::{Capabilities, Direction, Negotiated, Sdes, SessionDescription};

use super::info_digits::InfoQueue;
use super::{farewell, streams};
use crate::line::LineCommand;
use crate::{BuiltIn, CallEnd, CallLimits, CallStatus, DigitPolicy, EndCause, LineEvent};

/// A session that does not confirm its end is taken for ended.
const ENDING: Duration = Duration::from_secs(40);
/// Level of the milliwatt route (ITU-T O.13: 0 dBm0 at 1004 Hz).
const MILLIWATT: SteadyTone = SteadyTone { hertz: 1004.0, dbm0: 0.0 };

/// All that can happen to a call.
#[derive(Debug)]
pub(crate) enum Input {
    Signalling(sip::Event),
    Command(LineCommand),
    Media(media::Event),
    /// Its media failed, or the thread that has it.
    MediaLost,
    Timeout,
    Stop,
}

/// All that a call does.
#[derive(Debug, PartialEq)]
pub(crate) enum Output {
    Signal(Signal),
    /// An order that acts at once.
    Media(Order),
    /// An order that waits its turn behind what is being said.
    Queue(Order),
    Line(LineEvent),
    Status(CallStatus),
}

/// What a call asks of signalling.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Signal {
    Progress(u16),
    Answer(SessionDescription),
    Reject(u16),
    /// With its Reason (RFC 3326).
    HangUp(&'static str),
    AnswerOffer(SessionDescription),
    RejectOffer(u16),
    Info {
        content_type: &'static str,
        body: Vec<u8>,
    },
}

/// The next moment a call wants to be told of, and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) timer: &'static str,
}

/// Which side placed the call.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    Outbound { peer: SocketAddr },
    Inbound { from: IpAddr, offer: Option<SessionDescription>, built_in: Option<BuiltIn> },
}

#[derive(Debug)]
pub(crate) struct CallMachine {
    state: State,
    /// Whom we call.
    peer: Option<SocketAddr>,
    /// Where their signalling comes from.
    signals: Option<IpAddr>,
    limits: CallLimits,
    digits: DigitPolicy,
    capabilities: Capabilities,
    sdes: Sdes,
    negotiated: Option<Negotiated>,
    /// What the last provisional response described.
    early_answer: Option<SessionDescription>,
    info_keys: InfoQueue,
    call_limit: Option<Instant>,
    held: bool,
    /// What we ended it for, before signalling confirms.
    cause: Option<EndCause>,
    end: Option<CallEnd>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    /// Our INVITE is out.
    Dialing {
        ring_limit: Instant,
        early_media: bool,
    },
    /// Theirs waits for us.
    Offered {
        offer: Option<SessionDescription>,
        ring_limit: Instant,
    },
    /// Answered; `media_limit` moves with each packet of theirs, and is none while they owe us none.
    Established {
        media_limit: Option<Instant>,
    },
    /// We asked signalling to end it.
    Ending {
        until: Instant,
    },
    Ended,
}

impl CallMachine {
    pub(crate) fn new(
        now: Instant,
        origin: Origin,
        limits: CallLimits,
        digits: DigitPolicy,
        capabilities: Capabilities,
        sdes: Sdes,
    ) -> Self {
        let ring_limit = now + limits.ring;
        let mut machine = Self {
            state: State::Dialing { ring_limit, early_media: false },
            peer: None,
            signals: None,
            limits,
            digits,
            capabilities,
            sdes,
            negotiated: None,
            early_answer: None,
            info_keys: InfoQueue::default(),
            call_limit: Some(now + limits.call),
            held: false,
            cause: None,
            end: None,
            outputs: VecDeque::new(),
        };
        match origin {
            Origin::Outbound { peer } => {
                machine.peer = Some(peer);
                machine.signals = Some(peer.ip());
            }
            Origin::Inbound { from, offer, built_in } => {
                machine.signals = Some(from);
                machine.state = State::Offered { offer, ring_limit };
                match built_in {
                    None => {}
                    Some(BuiltIn::Reject) => machine.refuse(now, 603, EndCause::Rejected),
                    Some(BuiltIn::Echo) => machine.answer_with(now, Order::Echo(true)),
                    Some(BuiltIn::Milliwatt) => machine.answer_with(now, Order::Tone(Some(MILLIWATT))),
                }
            }
        }
        machine
    }

    /// Our full description of the session, with fresh keys where it is to have some.
    pub(crate) fn offer(&mut self) -> SessionDescription {
        self.sdes.offer(&self.capabilities)
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Signalling(event) => self.handle_signalling(now, event),
            Input::Command(command) => self.handle_command(now, command),
            Input::Media(event) => self.handle_media(now, event),
            Input::MediaLost => self.give_up(now, EndCause::Failed),
            Input::Timeout => self.handle_timeout(now),
            Input::Stop => self.give_up(now, EndCause::Shutdown),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let own = match &self.state {
            State::Dialing { ring_limit, .. } | State::Offered { ring_limit, .. } => {
                Some(Deadline { at: *ring_limit, timer: "ring limit" })
            }
            State::Established { media_limit } => media_limit.map(|at| Deadline { at, timer: "media timeout" }),
            State::Ending { until } => return Some(Deadline { at: *until, timer: "end of signalling" }),
            State::Ended => return None,
        };
        let limit = self.call_limit.map(|at| Deadline { at, timer: "call limit" });
        let keys = if self.is_established() { self.info_keys.deadline() } else { None };
        own.into_iter().chain(limit).chain(keys).min_by_key(|deadline| deadline.at)
    }

    /// How it ended, once nothing more follows.
    pub(crate) fn end(&self) -> Option<&CallEnd> {
        self.end.as_ref()
    }

    /// The state in words.
    pub(crate) fn describe(&self) -> String {
        let state = match &self.state {
            State::Dialing { early_media: false, .. } => "dialing",
            State::Dialing { early_media: true, .. } => "early media",
            State::Offered { .. } => "offered to us",
            State::Established { .. } if self.held => "established, held by them",
            State::Established { .. } => "established",
            State::Ending { .. } => "ending",
            State::Ended => "ended",
        };
        match &self.negotiated {
            None => state.to_owned(),
            Some(stream) => format!("{state}; {}", streams::describe(stream)),
        }
    }

    fn handle_command(&mut self, now: Instant, command: LineCommand) {
        match command {
            LineCommand::Ring => {
                if matches!(self.state, State::Offered { .. }) {
                    self.outputs.push_back(Output::Signal(Signal::Progress(180)));
                    self.outputs.push_back(Output::Status(CallStatus::Ringing));
                }
            }
            LineCommand::Answer => self.answer(now),
            LineCommand::Reject(status) => self.refuse(now, status, EndCause::Rejected),
            LineCommand::Flush(utterance) => self.outputs.push_back(Output::Media(Order::Flush(utterance))),
            LineCommand::Press { digits, differently } => self.press(now, &digits, differently),
            LineCommand::HangUp => self.give_up(now, EndCause::HungUp),
        }
    }

    fn answer(&mut self, now: Instant) {
        let State::Offered { offer, .. } = &self.state else { return };
        let Some(offer) = offer else {
            let description = self.offer();
            self.outputs.push_back(Output::Signal(Signal::Answer(description)));
            self.enter_established(now);
            return;
        };
        match self.sdes.answer(offer, &self.capabilities) {
            Ok((description, negotiated)) => {
                self.outputs.push_back(Output::Signal(Signal::Answer(description)));
                self.establish(now, negotiated);
            }
            Err(_) => self.refuse(now, 488, EndCause::Failed),
        }
    }

    fn answer_with(&mut self, now: Instant, order: Order) {
        self.answer(now);
        if self.is_established() {
            self.outputs.push_back(Output::Media(order));
        }
    }

    fn establish(&mut self, now: Instant, negotiated: Negotiated) {
        self.configure(now, negotiated);
        self.enter_established(now);
    }

    fn enter_established(&mut self, now: Instant) {
        self.state = State::Established { media_limit: None };
        self.outputs.push_back(Output::Media(Order::Answered { signals: self.signals }));
        self.outputs.push_back(Output::Status(CallStatus::Answered));
        self.outputs.push_back(Output::Line(LineEvent::Answered));
        self.note_direction(now);
    }

    /// Of a call that is answered: whether they hold us, and whether they owe us RTP, as the session was described last.
    fn note_direction(&mut self, now: Instant) {
        let State::Established { media_limit } = &mut self.state else { return };
        let direction = self.negotiated.as_ref().map_or(Direction::SendRecv, |stream| stream.direction);
        *media_limit = (direction == Direction::SendRecv).then_some(now + self.limits.media_timeout);
        let held = !matches!(direction, Direction::SendRecv | Direction::SendOnly);
        if held != std::mem::replace(&mut self.held, held) {
            self.outputs.push_back(Output::Line(LineEvent::Held(held)));
        }
    }

    fn is_established(&self) -> bool {
        matches!(self.state, State::Established { .. })
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.call_limit.is_some_and(|at| at <= now) {
            self.call_limit = None;
            self.give_up(now, EndCause::TimeLimit);
            return;
        }
        self.send_info_keys(now);
        match self.state {
            State::Dialing { ring_limit, .. } if ring_limit <= now => self.give_up(now, EndCause::NoAnswer),
            State::Offered { ring_limit, .. } if ring_limit <= now => self.refuse(now, 480, EndCause::NoAnswer),
            State::Established { media_limit: Some(limit) } if limit <= now => {
                self.give_up(now, EndCause::MediaTimeout);
            }
            State::Ending { until } if until <= now => {
                self.finish(CallEnd::because(EndCause::Failed));
            }
            _ => {}
        }
    }

    fn refuse(&mut self, now: Instant, status: u16, cause: EndCause) {
        if matches!(self.state, State::Offered { .. }) {
            self.cause.get_or_insert(cause);
            self.outputs.push_back(Output::Signal(Signal::Reject(status)));
            self.state = State::Ending { until: now + ENDING };
        }
    }

    /// Ends the call from our side, once, for the first cause given.
    fn give_up(&mut self, now: Instant, cause: EndCause) {
        match self.state {
            State::Ending { .. } | State::Ended => {}
            State::Offered { .. } => self.refuse(now, 480, cause),
            State::Dialing { .. } if cause == EndCause::HungUp => self.leave(now, EndCause::Canceled),
            State::Dialing { .. } | State::Established { .. } => self.leave(now, cause),
        }
    }

    fn leave(&mut self, now: Instant, cause: EndCause) {
        self.cause.get_or_insert(cause);
        self.outputs.push_back(Output::Media(Order::Flush(UtteranceId(u32::MAX))));
        self.outputs.push_back(Output::Signal(Signal::HangUp(farewell::reason(cause))));
        self.state = State::Ending { until: now + ENDING };
    }

    fn finish(&mut self, end: CallEnd) {
        if self.end.is_some() {
            return;
        }
        self.state = State::Ended;
        self.outputs.push_back(Output::Status(CallStatus::Ended));
        self.outputs.push_back(Output::Line(LineEvent::Ended(end.clone())));
        self.end = Some(end);
    }
}

#[cfg(test)]
mod tests;
