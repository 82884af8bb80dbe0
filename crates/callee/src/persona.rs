//! Pure: no I/O, no clock.
//!
//! [`Persona`]: a character played by a language model instead of steps.

use std::collections::VecDeque;
use std::time::Duration;

use speech::chat::{ChatRequest, Message};

use crate::callee::{Input, Output, Sound};
use crate::instance::Instance;
use crate::report::Event;

/// What the model is told besides its character.
const RULES: &str = "You are on the telephone and have just picked up. Speak one or two short sentences at a time, \
    as people do; no lists, no markup, numbers in words. When the conversation is over, end your last sentence \
    with [hang up].";
/// How the model ends the call.
const HANG_UP: &str = "[hang up]";
/// Turns that are kept; more are forgotten, oldest first.
const MAX_MESSAGES: usize = 60;
/// The longest reply.
const MAX_TOKENS: u32 = 120;
/// Before the first word.
const PICK_UP: Duration = Duration::from_millis(500);
/// After so much silence of both, the model hears of it.
const SILENCE: Duration = Duration::from_secs(10);
/// How often it may.
const MAX_SILENCES: u32 = 3;

/// A character on the telephone.
#[derive(Debug)]
pub(crate) struct Persona {
    ring: Duration,
    mute: bool,
    messages: VecDeque<Message>,
    character: String,
    state: State,
    silences: u32,
    outputs: VecDeque<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Idle,
    Ringing { until: Duration },
    Listening { until: Duration },
    Thinking,
    Speaking { last: bool },
    Over,
}

impl Persona {
    pub(crate) fn new(instance: &Instance, character: &str) -> Self {
        Self {
            ring: instance.line.ring,
            mute: instance.line.mute,
            messages: VecDeque::new(),
            character: character.to_owned(),
            state: State::Idle,
            silences: 0,
            outputs: VecDeque::new(),
        }
    }

    pub(crate) fn handle_input(&mut self, now: Duration, input: Input) {
        match (self.state, input) {
            (State::Idle, Input::Incoming) => {
                self.outputs.push_back(Output::Ring);
                self.state = State::Ringing { until: now + self.ring };
            }
            (State::Ringing { .. }, Input::Timeout) => {
                self.outputs.push_back(Output::Answer);
                self.state = State::Listening { until: now + PICK_UP };
            }
            (State::Listening { .. }, Input::Timeout) if self.mute => {
                self.state = State::Listening { until: now + SILENCE };
            }
            (State::Listening { .. }, Input::Timeout) => self.handle_silence(),
            (State::Listening { .. }, Input::SpeechStarted) => {
                self.state = State::Listening { until: now + SILENCE * 2 }
            }
            (State::Speaking { last: false }, Input::SpeechStarted) => {
                self.outputs.push_back(Output::Stop);
                self.state = State::Listening { until: now + SILENCE * 2 };
            }
            (State::Listening { .. }, Input::Heard(text)) if !text.is_empty() && !self.mute => {
                self.silences = 0;
                self.outputs.push_back(Output::Report(Event::Heard { text: text.clone() }));
                self.consult(text);
            }
            (State::Thinking, Input::Replied(text)) => self.say(now, &text),
            (State::Speaking { last: true }, Input::Played) => self.hang_up(),
            (State::Speaking { last: false }, Input::Played) => self.state = State::Listening { until: now + SILENCE },
            (_, Input::Ended) => self.state = State::Over,
            _ => {}
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        match self.state {
            State::Ringing { until } | State::Listening { until } => Some(until),
            _ => None,
        }
    }

    /// The conversation so far.
    pub(crate) fn request(&self) -> ChatRequest {
        let system = Message::System(format!("{}\n\n{RULES}", self.character));
        let messages = std::iter::once(system).chain(self.messages.iter().cloned()).collect();
        ChatRequest { messages, tools: Vec::new(), max_tokens: MAX_TOKENS }
    }

    fn handle_silence(&mut self) {
        self.silences += 1;
        if self.silences > MAX_SILENCES {
            return self.hang_up();
        }
        let what =
            if self.messages.is_empty() { "(the telephone rings; you pick up)" } else { "(nobody says anything)" };
        self.consult(what.to_owned());
    }

    fn consult(&mut self, heard: String) {
        self.remember(Message::User(heard));
        self.outputs.push_back(Output::Consult);
        self.state = State::Thinking;
    }

    fn say(&mut self, now: Duration, reply: &str) {
        let last = reply.contains(HANG_UP);
        let text = reply.replace(HANG_UP, "").trim().to_owned();
        self.remember(Message::Assistant { text: text.clone(), tool_calls: Vec::new() });
        if text.is_empty() {
            if last {
                return self.hang_up();
            }
            self.state = State::Listening { until: now + SILENCE };
            return;
        }
        self.outputs.push_back(Output::Report(Event::Said { text: text.clone() }));
        self.outputs.push_back(Output::Play(vec![Sound::Say(text)]));
        self.state = State::Speaking { last };
    }

    fn remember(&mut self, message: Message) {
        if self.messages.len() == MAX_MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
    }

    fn hang_up(&mut self) {
        self.outputs.push_back(Output::HangUp);
        self.state = State::Over;
    }
}
