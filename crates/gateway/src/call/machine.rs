//! Pure: no I/O, no clock.
//!
//! [`CallMachine`]: one call, from the INVITE to the last packet. It is told what signalling, media,
//! its line and the time say, and answers with outputs for each of them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::ear::{Digit, DigitSource, Heard};
use media::{DigitMethod, Order, SteadyTone, UtteranceId};
use sip::sdp::{self, Capabilities, Direction, Negotiated, Sdes, SessionDescription};

use super::info_digits::{self, InfoQueue};
use super::{ending, farewell, streams};
use crate::line::LineCommand;
use crate::media_worker::MediaEvent;
use crate::{BuiltIn, CallEnd, CallLimits, CallStatus, DigitPolicy, EndCause, LineEvent};

/// How long each key sounds.
const DIGIT_DURATION: Duration = Duration::from_millis(100);
/// `w` and `,`.
const DIGIT_PAUSE: Duration = Duration::from_millis(500);
/// Shortest pause of the media; its end says that what was queued before it has left.
const SPEECH_MARK: Duration = Duration::from_millis(20);
/// A session that does not confirm its end is taken for ended.
const ENDING: Duration = Duration::from_secs(40);
/// Level of the milliwatt route (ITU-T O.13: 0 dBm0 at 1004 Hz).
const MILLIWATT: SteadyTone = SteadyTone { hertz: 1004.0, dbm0: 0.0 };

/// All that can happen to a call.
#[derive(Debug)]
pub(crate) enum Input {
    Signalling(sip::Event),
    Command(LineCommand),
    Media(MediaEvent),
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
    Inbound { offer: Option<SessionDescription>, built_in: Option<BuiltIn> },
}

#[derive(Debug)]
pub(crate) struct CallMachine {
    state: State,
    /// Whom we call.
    peer: Option<SocketAddr>,
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
    /// Answered; `media_limit` moves with each sign of life.
    Established {
        media_limit: Option<Instant>,
        heard_at: Instant,
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
            Origin::Outbound { peer } => machine.peer = Some(peer),
            Origin::Inbound { offer, built_in } => {
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
            State::Established { media_limit, .. } => media_limit.map(|at| Deadline { at, timer: "media timeout" }),
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

    fn handle_signalling(&mut self, now: Instant, event: sip::Event) {
        match event {
            sip::Event::Progress { status, description, .. } => self.handle_progress(status, description.as_ref()),
            sip::Event::Answered { description, .. } => self.handle_answer(now, &description),
            sip::Event::Acknowledged { description: Some(description), .. } => {
                match self.sdes.accept(&self.capabilities, &description) {
                    Ok(negotiated) => self.configure(negotiated),
                    Err(_) => self.give_up(now, EndCause::Failed),
                }
            }
            sip::Event::Offer { offer, .. } => self.handle_offer(now, offer.as_ref()),
            // What they describe after the session was refreshed, or in answer to an early offer of ours. What cannot
            // be used leaves the stream as it was, unless it would have to go on without its keys.
            sip::Event::OfferAnswered { description: Some(description), .. } => {
                match self.sdes.accept(&self.capabilities, &description) {
                    Ok(negotiated) => self.configure(negotiated),
                    Err(sdp::Error::Srtp(_)) => self.give_up(now, EndCause::Failed),
                    Err(_) => {}
                }
            }
            sip::Event::Info { content_type, body, .. } => {
                if let Some(digit) = info_digits::parse(&content_type, &body) {
                    self.outputs.push_back(Output::Line(LineEvent::Digit {
                        at: Duration::ZERO,
                        digit,
                        source: DigitSource::Info,
                    }));
                }
            }
            sip::Event::InfoAnswered { .. } => {
                self.info_keys.answered();
                self.send_info_keys(now);
            }
            sip::Event::Ended { end, .. } => self.finish(ending::of(end, self.cause, self.peer)),
            _ => {}
        }
    }

    fn handle_answer(&mut self, now: Instant, description: &SessionDescription) {
        if !matches!(self.state, State::Dialing { .. }) {
            return;
        }
        // RFC 3261 §13.2.1: only the first answer counts, and an UPDATE may have replaced it since.
        if self.early_answer.as_ref() != Some(description) {
            match self.sdes.accept(&self.capabilities, description) {
                Ok(negotiated) => self.configure(negotiated),
                Err(_) => return self.give_up(now, EndCause::Failed),
            }
        }
        self.enter_established(now);
    }

    fn handle_progress(&mut self, status: u16, description: Option<&SessionDescription>) {
        let State::Dialing { early_media, .. } = &mut self.state else { return };
        if description.is_some() && self.early_answer.as_ref() == description {
            return;
        }
        if let Some(description) = description
            && let Ok(negotiated) = self.sdes.accept(&self.capabilities, description)
        {
            self.early_answer = Some(description.clone());
            let first = !std::mem::replace(early_media, true);
            self.configure(negotiated);
            if first {
                self.outputs.push_back(Output::Status(CallStatus::EarlyMedia));
                self.outputs.push_back(Output::Line(LineEvent::EarlyMedia));
            }
        } else if status == 180 && !*early_media {
            self.outputs.push_back(Output::Status(CallStatus::Ringing));
            self.outputs.push_back(Output::Line(LineEvent::Ringing));
        }
    }

    /// A re-INVITE, UPDATE or PRACK: hold, resume, a new address, before the call is answered too. Without an offer
    /// the answer is our full one.
    fn handle_offer(&mut self, now: Instant, offer: Option<&SessionDescription>) {
        self.capabilities.version += 1;
        let Some(offer) = offer else {
            let offer = self.offer();
            self.outputs.push_back(Output::Signal(Signal::AnswerOffer(offer)));
            return;
        };
        match self.sdes.answer(offer, &self.capabilities) {
            Ok((answer, negotiated)) => {
                self.outputs.push_back(Output::Signal(Signal::AnswerOffer(answer)));
                let held = !matches!(negotiated.direction, Direction::SendRecv | Direction::SendOnly);
                self.configure(negotiated);
                if held != std::mem::replace(&mut self.held, held) {
                    self.outputs.push_back(Output::Line(LineEvent::Held(held)));
                }
                match &mut self.state {
                    State::Established { media_limit, heard_at } => {
                        *heard_at = now;
                        *media_limit = (!held).then_some(now + self.limits.media_timeout);
                    }
                    // What they described last is what our answer to the INVITE is about.
                    State::Offered { offer: first, .. } => *first = Some(offer.clone()),
                    State::Dialing { .. } | State::Ending { .. } | State::Ended => {}
                }
            }
            // RFC 3261 §14.2: the session stays as it was.
            Err(_) => self.outputs.push_back(Output::Signal(Signal::RejectOffer(488))),
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
        self.configure(negotiated);
        self.enter_established(now);
    }

    fn enter_established(&mut self, now: Instant) {
        self.state = State::Established { media_limit: Some(now + self.limits.media_timeout), heard_at: now };
        self.outputs.push_back(Output::Status(CallStatus::Answered));
        self.outputs.push_back(Output::Line(LineEvent::Answered));
    }

    fn configure(&mut self, negotiated: Negotiated) {
        if self.negotiated.as_ref() != Some(&negotiated) {
            self.outputs.push_back(Output::Media(Order::Configure(streams::configure(&negotiated))));
            self.negotiated = Some(negotiated);
        }
    }

    fn press(&mut self, now: Instant, digits: &str, differently: bool) {
        let policy = if differently { other_policy(self.digits, self.negotiated.as_ref()) } else { self.digits };
        let method = match policy {
            DigitPolicy::Auto => DigitMethod::Auto,
            DigitPolicy::Rfc4733 => DigitMethod::Rfc4733,
            DigitPolicy::Inband => DigitMethod::Inband,
            DigitPolicy::Info => return self.press_by_info(now, digits),
        };
        for key in digits.chars() {
            if is_pause(key) {
                self.outputs.push_back(Output::Queue(Order::SendPause(DIGIT_PAUSE)));
            } else if let Some(digit) = Digit::from_char(key) {
                self.outputs.push_back(Output::Queue(Order::SendDigit { digit, method, duration: DIGIT_DURATION }));
            }
        }
    }

    fn press_by_info(&mut self, now: Instant, digits: &str) {
        self.outputs.push_back(Output::Queue(Order::SendPause(SPEECH_MARK)));
        self.info_keys.open(now);
        for key in digits.chars() {
            if is_pause(key) {
                self.info_keys.push_pause(DIGIT_PAUSE);
            } else if let Some(digit) = Digit::from_char(key) {
                self.info_keys.push_key(digit, DIGIT_DURATION);
            }
        }
    }

    fn send_info_keys(&mut self, now: Instant) {
        while self.is_established()
            && let Some(next) = self.info_keys.poll(now)
        {
            self.outputs.push_back(match next {
                info_digits::Next::Send(signal) => Output::Signal(signal),
                info_digits::Next::AllSent => Output::Line(LineEvent::DigitsSent),
            });
        }
    }

    fn is_established(&self) -> bool {
        matches!(self.state, State::Established { .. })
    }

    fn handle_media(&mut self, now: Instant, event: MediaEvent) {
        let line = match event {
            MediaEvent::Audio(frame) => LineEvent::Audio(frame),
            MediaEvent::Heard(heard) => match heard {
                Heard::Digit { at, digit, source } => LineEvent::Digit { at, digit, source },
                Heard::Tone { at, end, tone } => LineEvent::Tone { at, end, tone },
                Heard::SpeechStarted { at } => LineEvent::SpeechStarted { at },
                Heard::SpeechEnded { at } => LineEvent::SpeechEnded { at },
                Heard::MusicStarted { at } => LineEvent::Music { at, playing: true },
                Heard::MusicEnded { at } => LineEvent::Music { at, playing: false },
            },
            MediaEvent::Started { utterance, at } => LineEvent::Started { utterance, at: at.into() },
            MediaEvent::Played { utterance, duration, finished } => LineEvent::Played { utterance, duration, finished },
            // Keys by INFO follow, and are told of when they are sent.
            MediaEvent::DigitsSent if self.info_keys.speech_is_over() => return self.send_info_keys(now),
            MediaEvent::DigitsSent => LineEvent::DigitsSent,
            MediaEvent::Statistics(_) => return,
        };
        self.outputs.push_back(Output::Line(line));
    }

    /// RTP has been received since the last report.
    pub(crate) fn media_alive(&mut self, now: Instant) {
        if let State::Established { media_limit, heard_at } = &mut self.state {
            *heard_at = now;
            if media_limit.is_some() {
                *media_limit = Some(now + self.limits.media_timeout);
            }
        }
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
            State::Established { media_limit: Some(limit), .. } if limit <= now => {
                self.give_up(now, EndCause::MediaTimeout);
            }
            State::Ending { until } if until <= now => {
                self.finish(CallEnd { cause: EndCause::Failed, sip_status: None, reason: None });
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

fn is_pause(key: char) -> bool {
    matches!(key, 'w' | 'W' | ',')
}

/// The other way to send keys, where the trunk leaves the choice to us: in-band beside telephone-event, INFO beside
/// in-band.
fn other_policy(policy: DigitPolicy, negotiated: Option<&Negotiated>) -> DigitPolicy {
    let has_event = negotiated.is_some_and(|stream| stream.telephone_event_send.is_some());
    match policy {
        DigitPolicy::Auto if has_event => DigitPolicy::Inband,
        DigitPolicy::Auto => DigitPolicy::Info,
        configured => configured,
    }
}

#[cfg(test)]
mod tests;
