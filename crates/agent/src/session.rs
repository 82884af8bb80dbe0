//! [`run`]: the task that carries a call's conversation. It has no logic of its own.

use std::time::{Duration, Instant};

use gateway::{CallEnd, EndCause, Line, LineEvent};
use speech::RecognitionEvent;
use tokio::sync::mpsc;

use crate::conversation::{Conversation, ConversationConfig, Input, Output};
use crate::event::{AgentEvent, AgentOrder};
use crate::listener::Listener;
use crate::model::Asking;
use crate::reports::Reports;
use crate::speaker::{Speaker, SpeakerEvent};
use crate::vocabulary::vocabulary;
use crate::watchdog::{Verdict, Watchdog};
use crate::{AgentConfig, Outcome, Policy};

/// The hangover of voice activity, where its end cannot be placed on our clock.
const HANGOVER: Duration = Duration::from_millis(200);

/// Runs one conversation to its end. Never panics, always ends: a watchdog outside the
/// conversation guards every limit. The conversation never waits for whoever reads the events; its end does.
pub async fn run(
    line: Line,
    config: AgentConfig,
    events: mpsc::Sender<AgentEvent>,
    orders: mpsc::Receiver<AgentOrder>,
) -> Outcome {
    match &config.policy {
        Policy::Rules => tracing::info!("rules decide in this call: there is no language model"),
        Policy::Model(model) => tracing::info!(model = model.name(), "a language model decides in this call"),
    }
    Box::pin(Session::new(line, config, events, orders).run()).await
}

/// All that one call's task holds.
struct Session {
    line: Line,
    conversation: Conversation,
    listener: Listener,
    speaker: Speaker,
    asking: Option<Asking>,
    policy: Policy,
    watchdog: Watchdog,
    reports: Reports,
    orders: Option<mpsc::Receiver<AgentOrder>>,
    /// Our clock at media time 0, as near as frames tell.
    media_origin: Option<Instant>,
    media_now: Duration,
    /// Media time of the answer.
    media_answered: Duration,
    ended: Option<CallEnd>,
}

/// What the loop woke up for.
enum Wake {
    Order(Option<AgentOrder>),
    Line(Option<LineEvent>),
    Recognition(RecognitionEvent),
    Speaker(Option<SpeakerEvent>),
    Model(Option<Input>),
    /// There was room for an event that waited.
    Told,
    Deadline,
}

impl Session {
    fn new(
        line: Line,
        config: AgentConfig,
        events: mpsc::Sender<AgentEvent>,
        orders: mpsc::Receiver<AgentOrder>,
    ) -> Self {
        let now = now();
        let words = vocabulary(config.task.as_ref(), config.on_behalf_of.as_deref());
        let (listener, error) = Listener::open(config.stt.as_ref(), words);
        let mut conversation = Conversation::new(
            ConversationConfig {
                task: config.task,
                on_behalf_of: config.on_behalf_of,
                greeting: config.greeting,
                consent: config.consent,
                system_prompt: config.system_prompt,
                limits: config.limits,
                today: config.today,
                model: matches!(config.policy, Policy::Model(_)),
            },
            config.seed,
        );
        if let Some(error) = error {
            tracing::error!(%error, "the call goes on without recognition");
            conversation.handle_input(now, Input::RecognitionFailed(error.to_string()));
        }
        Self {
            speaker: Speaker::start(config.tts, config.voice, line.player()),
            line,
            conversation,
            listener,
            asking: None,
            policy: config.policy,
            watchdog: Watchdog::new(config.limits, now),
            reports: Reports::new(events),
            orders: Some(orders),
            media_origin: None,
            media_now: Duration::ZERO,
            media_answered: Duration::ZERO,
            ended: None,
        }
    }

    async fn run(mut self) -> Outcome {
        while self.ended.is_none() {
            let wake = self.wake().await;
            let now = now();
            if let Some(input) = self.input(now, wake) {
                if input != Input::Timeout {
                    self.watchdog.progress(now);
                }
                self.conversation.handle_input(now, input);
            }
            self.carry_out(now);
            self.watchdog.hold(now, self.conversation.is_on_hold());
            match self.watchdog.check(now) {
                None => {}
                Some(Verdict::End(end)) => {
                    tracing::warn!(?end, "the watchdog ends the call");
                    self.conversation.handle_input(now, Input::GiveUp(end));
                    self.carry_out(now);
                }
                Some(Verdict::HangUp) => {
                    tracing::warn!("the watchdog hangs up");
                    self.line.hang_up();
                }
                Some(Verdict::Leave) => {
                    tracing::error!("the call does not end; it is left");
                    self.ended = Some(CallEnd::because(EndCause::HungUp));
                }
            }
        }
        let end = self.ended.take().unwrap_or(CallEnd::because(EndCause::Failed));
        // Nobody may order anything any longer.
        self.orders = None;
        let (events, frames) = (self.reports.finish().await, self.listener.dropped());
        if events > 0 || frames > 0 {
            tracing::warn!(events, frames, "a reader was too slow");
        }
        self.conversation.into_outcome(end)
    }

    async fn wake(&mut self) -> Wake {
        let conversation = self.conversation.poll_timeout().map(|deadline| deadline.at);
        let deadline = conversation.map_or(self.watchdog.deadline(), |at| at.min(self.watchdog.deadline()));
        tokio::select! { biased;
            event = self.line.next() => Wake::Line(event),
            // After what the line told before it: the answer, above all.
            order = next_order(&mut self.orders) => Wake::Order(order),
            event = self.listener.next() => Wake::Recognition(event),
            event = self.speaker.events.recv() => Wake::Speaker(event),
            input = next_reply(&mut self.asking) => Wake::Model(input),
            () = self.reports.room() => Wake::Told,
            () = tokio::time::sleep_until(deadline.into()) => Wake::Deadline,
        }
    }

    fn input(&mut self, now: Instant, wake: Wake) -> Option<Input> {
        match wake {
            Wake::Order(Some(order)) => {
                let taken = self.conversation.takes(&order.command);
                order.answered(taken).map(Input::Command)
            }
            Wake::Order(None) => {
                self.orders = None;
                None
            }
            Wake::Line(Some(event)) => self.line_event(now, event),
            Wake::Line(None) => {
                self.ended.get_or_insert(CallEnd::because(EndCause::Failed));
                Some(Input::Ended)
            }
            Wake::Recognition(event) => Some(self.recognised(event)),
            Wake::Speaker(event) => event.map(|event| match event {
                SpeakerEvent::FirstAudio(utterance) => Input::FirstAudio(utterance),
                SpeakerEvent::Synthesised { utterance, length } => Input::Synthesised { utterance, length },
                SpeakerEvent::Failed(utterance) => Input::SpeechFailed(utterance),
            }),
            Wake::Model(Some(input)) => Some(input),
            Wake::Model(None) => {
                self.asking = None;
                None
            }
            Wake::Told => None,
            Wake::Deadline => Some(Input::Timeout),
        }
    }

    fn line_event(&mut self, now: Instant, event: LineEvent) -> Option<Input> {
        let input = match event {
            LineEvent::Ringing => return None,
            LineEvent::EarlyMedia => Input::EarlyMedia,
            LineEvent::Answered => {
                self.watchdog.answered(now);
                self.media_answered = self.media_now;
                Input::Answered
            }
            LineEvent::Audio(frame) => {
                self.media_now = frame.at + media::FRAME_DURATION;
                // The earliest frame is the one that waited least on its way.
                if let Some(origin) = now.checked_sub(self.media_now) {
                    self.media_origin = Some(self.media_origin.map_or(origin, |known| known.min(origin)));
                }
                if !self.listener.audio(frame) {
                    return None;
                }
                Input::ShortPause
            }
            LineEvent::SpeechStarted { .. } => {
                self.listener.speech_started();
                Input::SpeechStarted
            }
            LineEvent::SpeechEnded { at } => {
                self.listener.speech_ended();
                let ended =
                    self.media_origin.map_or(now.checked_sub(HANGOVER).unwrap_or(now), |origin| (origin + at).min(now));
                Input::SpeechEnded { at: ended }
            }
            LineEvent::Music { playing, .. } => Input::Music(playing),
            LineEvent::Digit { digit, source, .. } => Input::Digit { digit: digit.as_char(), source },
            LineEvent::Tone { tone, .. } => Input::Tone(tone),
            LineEvent::Started { utterance, at } => Input::Started { utterance, at: at.into_std() },
            LineEvent::Played { utterance, duration, finished } => Input::Played { utterance, duration, finished },
            LineEvent::DigitsSent => Input::DigitsSent,
            LineEvent::Held(held) => Input::Held(held),
            LineEvent::Ended(end) => {
                self.ended = Some(end);
                Input::Ended
            }
        };
        Some(input)
    }

    fn recognised(&self, event: RecognitionEvent) -> Input {
        let ms = |at: Duration| u64::try_from(at.saturating_sub(self.media_answered).as_millis()).unwrap_or(u64::MAX);
        match event {
            RecognitionEvent::Interim { text } => Input::Interim(text),
            RecognitionEvent::Final(transcript) => {
                Input::Final { text: transcript.text, start_ms: ms(transcript.start), end_ms: ms(transcript.end) }
            }
            RecognitionEvent::Failed { message } => {
                tracing::error!(%message, "recognition failed");
                Input::RecognitionFailed(message)
            }
        }
    }

    fn carry_out(&mut self, now: Instant) {
        while let Some(output) = self.conversation.poll_output() {
            match output {
                Output::Say { utterance, text } => {
                    if !self.speaker.say(utterance, text) {
                        self.conversation.handle_input(now, Input::SpeechFailed(utterance));
                    }
                }
                Output::Flush(utterance) => {
                    self.speaker.cancel(utterance);
                    self.line.flush(utterance);
                }
                Output::Press { digits, differently: false } => self.line.press(&digits),
                Output::Press { digits, differently: true } => self.line.press_differently(&digits),
                Output::FinishRecognition => self.listener.finish(),
                Output::AskPolicy(view) => {
                    if let Policy::Model(model) = &self.policy {
                        self.asking = Some(Asking::start(model.clone(), &view));
                    }
                }
                Output::CancelPolicy => self.asking = None,
                Output::HangUp => {
                    self.watchdog.hung_up(now);
                    self.line.hang_up();
                }
                Output::Event(event) => self.tell(event),
            }
        }
    }

    fn tell(&mut self, event: AgentEvent) {
        if let AgentEvent::ToolCalled { name, because, .. } = &event {
            tracing::debug!(tool = name, because, "decided");
        }
        self.reports.tell(event);
    }
}

async fn next_order(orders: &mut Option<mpsc::Receiver<AgentOrder>>) -> Option<AgentOrder> {
    match orders {
        Some(orders) => orders.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_reply(asking: &mut Option<Asking>) -> Option<Input> {
    match asking {
        Some(asking) => asking.next().await,
        None => std::future::pending().await,
    }
}

/// The one clock of this crate; simulated under a paused runtime.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
