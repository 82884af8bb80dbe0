//! Pure: no I/O, no clock.
//!
//! [`Conversation`]: one call's talk as a value. What happens goes in, what to do comes out.
//!
//! ```text
//!  Ringing ──Answered──▶ Talking ──end──▶ Closing ──goodbye played──▶ Over
//!                           │  ▲
//!              Final ──▶ policy ──▶ Say / Press / Wait / End
//! ```

mod act;
mod consent;
mod dialogue;
mod finish;
mod hear;
mod latency;
mod voicemail;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use gateway::CallEnd;
use media::UtteranceId;
use media::dtmf::DigitSource;
use media::ear::Tone;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::answering::Answering;
use crate::event::{AgentCommand, AgentEvent};
use crate::ivr::Prompt;
use crate::key_method::KeyMethod;
use crate::learnt::Learnt;
use crate::playback::Playback;
use crate::rules::{Cause, Rules};
use crate::tools::Action;
use crate::turn::barge_in::BargeIn;
use crate::turn::phrases::{PHRASE_PAUSE, Phrases};
use crate::{AgentEnd, Limits, Outcome, OutcomeKind, Task, TurnLatency};

use consent::Consent;
pub use dialogue::{DialogueLine, View};
use latency::LatencyMarks;
use voicemail::Voicemail;

/// A model that has not begun to answer by then is replaced by rules for this turn.
const POLICY_WAIT: Duration = Duration::from_secs(12);
/// A goodbye that has not been played by then is cut off.
const GOODBYE_WAIT: Duration = Duration::from_secs(20);
/// A person who said "one moment" and plays no music is asked after this.
const QUIET_HOLD: Duration = Duration::from_secs(60);
/// Silence right after the answer before we speak first.
const SILENT_ANSWER: Duration = Duration::from_secs(4);

/// What a conversation is about.
#[derive(Debug, Clone)]
pub struct ConversationConfig {
    /// What to do.
    pub task: Option<Task>,
    /// For whom.
    pub on_behalf_of: Option<String>,
    /// First words.
    pub greeting: Option<String>,
    /// Said before all else to a person.
    pub consent: Option<String>,
    /// Extra instructions for a model.
    pub system_prompt: Option<String>,
    /// Limits.
    pub limits: Limits,
    /// The day of the call.
    pub today: jiff::civil::Date,
    /// A model decides; rules stand in for it when it fails.
    pub model: bool,
}

/// What happened. Times of speech are on our clock.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Audio before the answer.
    EarlyMedia,
    /// The call was answered.
    Answered,
    /// They began to speak.
    SpeechStarted,
    /// They stopped, at `at`.
    SpeechEnded {
        /// End of their last sound.
        at: Instant,
    },
    /// A pause too short to be the end of anything, while they speak.
    ShortPause,
    /// What they seem to be saying.
    Interim(String),
    /// What they said since the last `FinishRecognition`; one follows each.
    Final {
        /// The words.
        text: String,
        /// Since the answer.
        start_ms: u64,
        /// Since the answer.
        end_ms: u64,
    },
    /// The recogniser is gone.
    RecognitionFailed(String),
    /// Music began or ended.
    Music(bool),
    /// A tone ended.
    Tone(Tone),
    /// A key of theirs.
    Digit {
        /// Which.
        digit: char,
        /// How it came.
        source: DigitSource,
    },
    /// The first audio of an utterance is on its way to the line.
    FirstAudio(UtteranceId),
    /// All of an utterance was synthesised; so long is it.
    Synthesised {
        /// Which.
        utterance: UtteranceId,
        /// Its length.
        length: Duration,
    },
    /// The first packet left.
    Started {
        /// Which.
        utterance: UtteranceId,
        /// When.
        at: Instant,
    },
    /// An utterance ended or was flushed.
    Played {
        /// Which.
        utterance: UtteranceId,
        /// How much of it was played.
        duration: Duration,
        /// All of it.
        finished: bool,
    },
    /// An utterance could not be made; it will not be heard.
    SpeechFailed(UtteranceId),
    /// Our keys went out.
    DigitsSent,
    /// Held by signalling, or taken back.
    Held(bool),
    /// The model wants this done.
    Model(Action),
    /// The model's reply is over.
    ModelDone,
    /// The model failed.
    ModelFailed(String),
    /// An operator's order.
    Command(AgentCommand),
    /// The watchdog wants an end.
    GiveUp(AgentEnd),
    /// A deadline may have passed.
    Timeout,
    /// The call is over.
    Ended,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Say this as this utterance, after those before it.
    Say {
        /// Which.
        utterance: UtteranceId,
        /// Words.
        text: String,
    },
    /// Stop all utterances up to this one.
    Flush(UtteranceId),
    /// Press keys.
    Press {
        /// Keys.
        digits: String,
        /// By the other method than the usual one.
        differently: bool,
    },
    /// Their turn is over: tell the recogniser to finish.
    FinishRecognition,
    /// Ask the model.
    AskPolicy(Box<View>),
    /// What was asked is no longer wanted.
    CancelPolicy,
    /// End the call.
    HangUp,
    /// Tell observers.
    Event(AgentEvent),
}

/// When to call again with [`Input::Timeout`], and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// Its name.
    pub timer: &'static str,
}

/// Where the call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ringing,
    Talking,
    /// The goodbye is being said.
    Closing {
        guard: Instant,
    },
    Over,
}

/// Their side of the talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Theirs {
    Silent,
    /// They speak; recognised in pieces when it does not end by `cut`.
    Speaking {
        cut: Instant,
    },
    /// They paused; over at `over` if nothing follows.
    Paused {
        ended: Instant,
        over: Instant,
    },
}

/// What silence is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quiet {
    /// A policy's own wait.
    Waited,
    /// Somebody should have said something.
    Nudge,
}

/// The last report of a model.
#[derive(Debug, Clone)]
struct Report {
    outcome: OutcomeKind,
    summary: String,
}

/// One call's talk.
#[derive(Debug)]
pub struct Conversation {
    config: ConversationConfig,
    rules: Rules,
    learnt: Learnt,
    answering: Answering,
    voicemail: Voicemail,
    consent: Consent,
    phase: Phase,
    answered_at: Option<Instant>,

    theirs: Theirs,
    interim: String,
    /// Their turn as far as it was recognised.
    phrases: Phrases,
    /// End of their last sound.
    last_sound: Option<Instant>,
    /// A turn that ended while we were speaking.
    pending: Option<String>,
    text: String,
    prompt: Prompt,

    playback: Playback,
    barge_in: BargeIn,
    dialogue: Vec<DialogueLine>,
    keys: VecDeque<String>,
    digits_sent: String,
    keys_sent_at: Option<Instant>,
    /// They spoke right after our last keys: those were heard.
    reacted: bool,
    key_method: KeyMethod,

    quiet: Option<(Instant, Quiet)>,
    wait: Option<Duration>,
    nudges: u32,
    /// Waits in a row in which nothing was said.
    waits: u32,
    on_hold: bool,
    music: bool,
    held: bool,

    /// The model's deadline, and what it was asked about.
    thinking: Option<(Instant, Cause)>,
    model_acted: bool,
    model_failures: u32,
    tool_calls: u32,
    report: Option<Report>,

    ended: Option<AgentEnd>,
    marks: LatencyMarks,
    turns: Vec<TurnLatency>,
    outputs: VecDeque<Output>,
    /// Spare seconds of nudges, so that two agents do not talk in step.
    jitter: Duration,
}

impl Conversation {
    /// A conversation that has not begun.
    pub fn new(config: ConversationConfig, seed: [u8; 32]) -> Self {
        use rand_chacha::rand_core::Rng;
        let facts = config.task.as_ref().map(|task| task.facts.clone()).unwrap_or_default();
        let goal = crate::goal::Goal::new(config.task.as_ref().map_or("", |task| &task.goal), &facts);
        let jitter = Duration::from_millis(u64::from(ChaCha12Rng::from_seed(seed).next_u32() % 300));
        Self {
            rules: Rules::new(config.task.clone(), config.on_behalf_of.clone(), config.greeting.clone(), config.today),
            learnt: Learnt::new(goal, &facts, config.today),
            prompt: crate::ivr::classify("", &facts),
            config,
            answering: Answering::default(),
            voicemail: Voicemail::default(),
            consent: Consent::default(),
            phase: Phase::Ringing,
            answered_at: None,
            theirs: Theirs::Silent,
            interim: String::new(),
            phrases: Phrases::default(),
            last_sound: None,
            pending: None,
            text: String::new(),
            playback: Playback::default(),
            barge_in: BargeIn::default(),
            dialogue: Vec::new(),
            keys: VecDeque::new(),
            digits_sent: String::new(),
            keys_sent_at: None,
            reacted: false,
            key_method: KeyMethod::default(),
            quiet: None,
            wait: None,
            nudges: 0,
            waits: 0,
            on_hold: false,
            music: false,
            held: false,
            thinking: None,
            model_acted: false,
            model_failures: 0,
            tool_calls: 0,
            report: None,
            ended: None,
            marks: LatencyMarks::default(),
            turns: Vec::new(),
            outputs: VecDeque::new(),
            jitter,
        }
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        if self.phase == Phase::Over {
            return;
        }
        match input {
            Input::EarlyMedia => {}
            Input::Answered => self.answered(now),
            Input::SpeechStarted => self.speech_started(now),
            Input::SpeechEnded { at } => self.speech_ended(now, at),
            Input::ShortPause => self.short_pause(now),
            Input::Interim(text) => self.interim(now, text),
            Input::Final { text, start_ms, end_ms } => self.heard(now, &text, start_ms, end_ms),
            Input::RecognitionFailed(message) => {
                self.learnt.note(self.at_ms(now), "error", &format!("recognition failed: {message}"));
                self.recognition_failed(now);
            }
            Input::Music(playing) => self.music(now, playing),
            Input::Tone(tone) => self.tone(now, tone),
            Input::Digit { digit, source } => self.digit_received(now, digit, source),
            Input::FirstAudio(utterance) => self.marks.first_audio(utterance, now),
            Input::Synthesised { utterance, length } => self.playback.synthesised(utterance, length),
            Input::Started { utterance, at } => self.started(now, utterance, at),
            Input::Played { utterance, duration, finished } => self.played(now, utterance, duration, finished),
            Input::SpeechFailed(utterance) => self.played(now, utterance, Duration::ZERO, false),
            Input::DigitsSent => self.digits_sent(now),
            Input::Held(held) => self.held(now, held),
            Input::Model(action) => self.model_acts(now, action),
            Input::ModelDone => self.model_done(now),
            Input::ModelFailed(message) => self.model_failed(now, &message),
            Input::Command(command) => self.command(now, command),
            Input::GiveUp(end) => self.give_up(now, end),
            Input::Timeout => {}
            Input::Ended => self.phase = Phase::Over,
        }
        self.check_deadlines(now);
    }

    /// The next deadline.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        if self.phase == Phase::Over {
            return None;
        }
        let (phrase_over, turn_over) = match self.theirs {
            Theirs::Paused { ended, over } => (self.phrases.is_open().then_some(ended + PHRASE_PAUSE), Some(over)),
            Theirs::Silent | Theirs::Speaking { .. } => (None, None),
        };
        let endless = match self.theirs {
            Theirs::Speaking { cut } => Some(cut),
            Theirs::Silent | Theirs::Paused { .. } => None,
        };
        let guard = match self.phase {
            Phase::Closing { guard } => Some(guard),
            Phase::Ringing | Phase::Talking | Phase::Over => None,
        };
        [
            (phrase_over, "end of phrase"),
            (turn_over, "end of turn"),
            (endless, "endless speech"),
            (self.phrases.deadline(), "recogniser's final"),
            (if self.may_be_interrupted() { self.barge_in.deadline() } else { None }, "interruption"),
            (self.quiet.map(|(at, _)| at), "silence"),
            (self.voicemail.deadline(), "voicemail beep"),
            (self.thinking.map(|(at, _)| at), "model's answer"),
            (guard, "goodbye"),
        ]
        .into_iter()
        .filter_map(|(at, timer)| at.map(|at| Deadline { at, timer }))
        .min_by_key(|deadline| deadline.at)
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Is the line on hold, so that silence is not a failure?
    pub fn is_on_hold(&self) -> bool {
        self.on_hold || self.held || self.music
    }

    /// All that came of it.
    pub fn into_outcome(mut self, call_end: CallEnd) -> Outcome {
        let result = self.result(&call_end);
        Outcome {
            result,
            ended: self.ended,
            call_end,
            answered_by: self.answered_at.and(self.answering.answered_by.map(|(by, _)| by)),
            digits_sent: self.digits_sent,
            turns: self.turns,
        }
    }

    fn check_deadlines(&mut self, now: Instant) {
        if let Theirs::Paused { ended, over } = self.theirs {
            if self.phrases.is_open() && now >= ended + PHRASE_PAUSE {
                self.finish_phrase(now);
            }
            if now >= over {
                self.turn_is_over(now, ended);
            }
        }
        if let Theirs::Speaking { cut } = self.theirs
            && now >= cut
        {
            self.cut_turn(now);
        }
        if self.phrases.deadline().is_some_and(|at| now >= at) {
            self.act_on_turn(now);
        }
        if self.may_be_interrupted() && self.barge_in.interrupts(now) {
            self.interrupted();
        }
        if self.voicemail.deadline().is_some_and(|at| now >= at) {
            self.leave_message(now);
        }
        if self.thinking.is_some_and(|(at, _)| now >= at) {
            self.model_failed(now, "no answer in time");
        }
        if let Some((at, quiet)) = self.quiet
            && now >= at
        {
            self.silence(now, quiet);
        }
        if let Phase::Closing { guard } = self.phase
            && now >= guard
        {
            self.hang_up();
        }
    }

    /// A goodbye and an announcement are said to their end.
    fn may_be_interrupted(&self) -> bool {
        !self.playback.is_idle() && self.phase == Phase::Talking && !self.consent.is_being_said()
    }

    fn at_ms(&self, now: Instant) -> u64 {
        self.answered_at.map_or(0, |answered| {
            u64::try_from(now.saturating_duration_since(answered).as_millis()).unwrap_or(u64::MAX)
        })
    }

    fn emit(&mut self, event: AgentEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn decide(&mut self, now: Instant, cause: Cause) {
        if self.phase != Phase::Talking {
            return;
        }
        self.quiet = None;
        self.wait = None;
        self.marks.deciding(cause == Cause::Turn);
        if self.config.model && self.model_failures < act::MAX_MODEL_FAILURES {
            self.thinking = Some((now + POLICY_WAIT, cause));
            self.model_acted = false;
            let view = self.view(cause);
            self.outputs.push_back(Output::AskPolicy(Box::new(view)));
        } else {
            self.decide_by_rules(now, cause);
        }
    }
}

#[cfg(test)]
mod tests;
