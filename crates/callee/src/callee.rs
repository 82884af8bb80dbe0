//! Pure: no I/O, no clock.
//!
//! [`Party`]: whoever answers, following the steps of an [`Instance`].
//!
//! ```text
//! Idle ─ Incoming ─▶ Ringing ─▶ Pausing ─▶ Playing ─┬─▶ Waiting (keys, words) ─▶ Pausing …
//!                                                   ├─▶ Recording (voicemail)
//!                                                   └─▶ Closing ─▶ Over
//! ```
//!
//! Times are counted from the INVITE.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::instance::{Action, Ask, Collect, Instance, Meaning, Menu, Step, Voicemail};
use crate::report::Event;
use crate::scenario::{Expects, ToneKind};
use crate::vary::Dice;
use crate::{spoken, understand};

/// What happens to a party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody calls.
    Incoming,
    /// The deadline has come.
    Timeout,
    /// A key was heard.
    Digit(char),
    /// They began to speak.
    SpeechStarted,
    /// They stopped.
    SpeechEnded,
    /// A turn of theirs was understood as these words; empty when as nothing.
    Heard(String),
    /// What was to be played was played to its end.
    Played,
    /// The language model's reply.
    Replied(String),
    /// The call is over.
    Ended,
}

/// What a party does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// 180.
    Ring,
    /// 200.
    Answer,
    /// A refusal.
    Reject(u16),
    /// Plays these, one after the other; `Input::Played` follows unless stopped.
    Play(Vec<Sound>),
    /// Stops what is being played.
    Stop,
    /// Expects these words.
    Listen(Vec<String>),
    /// Asks the language model to go on.
    Consult,
    /// Something for the record.
    Report(Event),
    /// Ends the call.
    HangUp,
}

/// Something to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // they are what they are called
pub enum Sound {
    Say(String),
    Music(Duration),
    Tone { kind: ToneKind, length: Duration },
    Beep { hertz: u16, length: Duration },
    Silence(Duration),
}

/// Whoever answers.
#[derive(Debug)]
pub struct Party {
    instance: Instance,
    dice: Dice,
    state: State,
    step: usize,
    /// How often this step has been repeated.
    tries: u32,
    /// How often each step was come to.
    visits: BTreeMap<usize, u32>,
    /// What was understood, by name.
    heard: BTreeMap<String, String>,
    /// Keys of the number being entered.
    entered: String,
    /// The number was read back; a key accepts it.
    confirming: bool,
    /// They are speaking now.
    speaking: bool,
    outputs: VecDeque<Output>,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Idle,
    Ringing { until: Option<Duration> },
    Pausing { until: Duration, sounds: Vec<Sound>, then: Then },
    Playing { then: Then, interrupted_at: Option<Duration> },
    Waiting { until: Duration },
    Recording(Recording),
    Closing { until: Duration },
    Silent { until: Duration },
    Over,
}

/// What follows when something was played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Wait,
    Next,
    Record,
    HangUp,
}

#[derive(Debug, Clone, PartialEq)]
struct Recording {
    until: Duration,
    limit: Duration,
    text: Vec<String>,
    /// When the message began and when it last paused.
    speech: Option<(Duration, Duration)>,
    after_beep: bool,
}

/// Machines take this long to begin after the answer, people less.
const MACHINE_PAUSE: (u32, u32) = (1000, 1500);
const HUMAN_PAUSE: (u32, u32) = (300, 700);
/// Between two keys of a number.
const KEY_TIMEOUT: Duration = Duration::from_secs(3);
/// People who are talked over stop after so much of it; a shorter "mhm" does not stop them.
const INTERRUPTION: Duration = Duration::from_millis(400);
/// Who comes back to the same step more often goes in circles.
const MAX_VISITS: u32 = 6;
/// The longest turn that is waited for.
const LONGEST_TURN: Duration = Duration::from_secs(20);
/// Who has said goodbye waits so long for theirs.
const GOODBYE: Duration = Duration::from_secs(6);
/// And so long after it.
const AFTER_GOODBYE: Duration = Duration::from_millis(1200);
/// A message must begin within so long.
const MESSAGE_BEGINS: Duration = Duration::from_secs(12);
/// Between greeting and beep.
const BEFORE_BEEP: Duration = Duration::from_millis(500);
/// How long a line without a voice stays open.
const SILENT_LINE: Duration = Duration::from_secs(120);

impl Party {
    /// A party that follows these steps.
    pub fn new(instance: Instance) -> Self {
        let dice = Dice::new(!instance.seed);
        Self {
            instance,
            dice,
            state: State::Idle,
            step: 0,
            tries: 0,
            visits: BTreeMap::new(),
            heard: BTreeMap::new(),
            entered: String::new(),
            confirming: false,
            speaking: false,
            outputs: VecDeque::new(),
        }
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Duration, input: Input) {
        match input {
            Input::Incoming => self.handle_incoming(now),
            Input::Timeout => self.handle_timeout(now),
            Input::Digit(digit) => self.handle_digit(now, digit),
            Input::SpeechStarted => self.handle_speech_started(now),
            Input::SpeechEnded => self.handle_speech_ended(now),
            Input::Heard(text) => self.handle_heard(now, &text),
            Input::Played => self.handle_played(now),
            Input::Replied(_) => {}
            Input::Ended => {
                if let (true, State::Recording(Recording { speech: Some((_, last)), .. })) =
                    (self.speaking, &mut self.state)
                {
                    *last = now;
                }
                self.close_message();
                self.state = State::Over;
            }
        }
    }

    /// What it does next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants `Input::Timeout`.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Ringing { until } => *until,
            State::Pausing { until, .. }
            | State::Waiting { until }
            | State::Closing { until }
            | State::Silent { until } => Some(*until),
            State::Playing { interrupted_at, .. } => *interrupted_at,
            State::Recording(recording) => Some(recording.until.min(recording.limit)),
            State::Idle | State::Over => None,
        }
    }

    /// The id of the step it is at.
    pub fn step(&self) -> &str {
        self.current().map_or("", |step| step.id.as_str())
    }

    /// What was understood, by name.
    pub fn understood(&self) -> &BTreeMap<String, String> {
        &self.heard
    }

    /// Nothing follows.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    fn handle_incoming(&mut self, now: Duration) {
        if self.state != State::Idle {
            return;
        }
        match self.current().map(|step| &step.action) {
            Some(Action::Reject(status)) => {
                let status = *status;
                self.outputs.push_back(Output::Reject(status));
                self.state = State::Over;
            }
            Some(Action::Ring) => {
                self.outputs.push_back(Output::Ring);
                self.state = State::Ringing { until: None };
            }
            Some(_) => {
                self.outputs.push_back(Output::Ring);
                self.state = State::Ringing { until: Some(now + self.instance.line.ring) };
            }
            None => self.hang_up(),
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        if self.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Ringing { .. } => {
                self.outputs.push_back(Output::Answer);
                if self.instance.line.mute {
                    self.state = State::Silent { until: now + SILENT_LINE };
                    return;
                }
                let human = matches!(self.current().map(|step| &step.action), Some(Action::Ask(_) | Action::Say(_)));
                let pause = if human { HUMAN_PAUSE } else { MACHINE_PAUSE };
                self.begin(now, pause);
            }
            State::Pausing { sounds, then, .. } => self.play(sounds, then),
            State::Playing { .. } => {
                self.outputs.push_back(Output::Stop);
                self.state = State::Waiting { until: now + LONGEST_TURN };
            }
            State::Waiting { .. } => self.handle_silence(now),
            State::Recording(recording) => {
                self.state = State::Recording(recording);
                self.close_message();
                self.follow(now);
            }
            State::Closing { .. } | State::Silent { .. } => self.hang_up(),
            state @ (State::Idle | State::Over) => self.state = state,
        }
    }

    fn handle_digit(&mut self, now: Duration, digit: char) {
        self.report(Event::Digits { digits: digit.to_string() });
        let Some(step) = self.current().cloned() else { return };
        let busy = matches!(self.state, State::Playing { .. } | State::Pausing { .. });
        if !(busy && step.barge_in || matches!(self.state, State::Waiting { .. })) {
            return;
        }
        match &step.action {
            Action::Menu(menu) => self.choose(now, menu, digit),
            Action::Collect(collect) => self.collect(now, collect, digit),
            _ => {}
        }
    }

    fn handle_speech_started(&mut self, now: Duration) {
        self.speaking = true;
        let interruptible = self.current().is_some_and(|step| step.barge_in && matches!(step.action, Action::Ask(_)));
        match &mut self.state {
            State::Waiting { until } => *until = now + LONGEST_TURN,
            // Whoever is about to speak waits until the other has finished.
            State::Pausing { until, .. } => *until = now + LONGEST_TURN,
            State::Playing { then: Then::Wait, interrupted_at } if interruptible => {
                *interrupted_at = Some(now + INTERRUPTION);
            }
            State::Recording(recording) => {
                recording.speech.get_or_insert((now, now));
                recording.until = recording.limit;
            }
            State::Closing { until } => *until = now + LONGEST_TURN,
            _ => {}
        }
    }

    fn handle_speech_ended(&mut self, now: Duration) {
        self.speaking = false;
        let pause = self.pause(HUMAN_PAUSE);
        let silence = match self.current().map(|step| &step.action) {
            Some(Action::Voicemail(voicemail)) => voicemail.silence,
            _ => Duration::ZERO,
        };
        match &mut self.state {
            State::Pausing { until, .. } => *until = now + pause,
            State::Playing { interrupted_at, .. } => *interrupted_at = None,
            State::Recording(recording) => {
                if let Some((_, last)) = &mut recording.speech {
                    *last = now;
                }
                recording.until = now + silence;
            }
            State::Closing { until } => *until = now + AFTER_GOODBYE,
            _ => {}
        }
    }

    fn handle_heard(&mut self, now: Duration, text: &str) {
        if !text.is_empty() {
            self.report(Event::Heard { text: text.to_owned() });
        }
        if let State::Recording(recording) = &mut self.state {
            if !text.is_empty() {
                recording.text.push(text.to_owned());
            }
            return;
        }
        let Some(step) = self.current().cloned() else { return };
        let waiting = matches!(self.state, State::Waiting { .. });
        let playing = matches!(self.state, State::Playing { then: Then::Wait, .. }) && step.barge_in;
        if !waiting && !playing {
            return;
        }
        match &step.action {
            Action::Ask(ask) => match understand_answer(ask, text) {
                Some((value, next)) => {
                    self.stop_playing();
                    if let Some(key) = &ask.capture {
                        self.capture(key, value);
                    }
                    self.go(now, next.or(step.next));
                }
                None if waiting => self.repeat(now, &[&ask.again], text.is_empty()),
                None => {}
            },
            Action::Menu(menu) if !menu.spoken.is_empty() => match meaning(&menu.spoken, text) {
                Some(meaning) => {
                    self.stop_playing();
                    self.go(now, meaning.next);
                }
                None if waiting => self.repeat(now, &["Sorry, I didn't get that."], true),
                None => {}
            },
            // A machine that hears keys only goes on waiting for them.
            Action::Menu(_) | Action::Collect(_) if waiting => {
                self.state = State::Waiting { until: now + step.timeout }
            }
            _ => {}
        }
    }

    fn handle_played(&mut self, now: Duration) {
        let State::Playing { then, .. } = self.state else { return };
        let timeout = self.current().map_or(Duration::ZERO, |step| step.timeout);
        match then {
            Then::Wait if self.speaking => self.state = State::Waiting { until: now + LONGEST_TURN },
            Then::Wait => self.state = State::Waiting { until: now + timeout },
            Then::Next => self.follow(now),
            Then::HangUp => self.close(now),
            Then::Record => {
                let Some(Action::Voicemail(voicemail)) = self.current().map(|step| &step.action) else { return };
                self.state = State::Recording(Recording {
                    until: now + if self.speaking { voicemail.max } else { MESSAGE_BEGINS },
                    limit: now + voicemail.max,
                    text: Vec::new(),
                    speech: self.speaking.then_some((now, now)),
                    after_beep: !self.speaking,
                });
            }
        }
    }

    /// Nothing came in time.
    fn handle_silence(&mut self, now: Duration) {
        let Some(step) = self.current().cloned() else { return };
        match &step.action {
            Action::Collect(collect) if !self.entered.is_empty() && !self.confirming => self.check_entry(now, collect),
            Action::Ask(_) => self.repeat(now, &["Hello? Are you there?"], true),
            _ => self.repeat(now, &[], true),
        }
    }

    fn choose(&mut self, now: Duration, menu: &Menu, digit: char) {
        if let Some(next) = menu.keys.get(&digit) {
            self.stop_playing();
            self.go(now, Some(*next));
        } else if menu.again == Some(digit) {
            self.stop_playing();
            self.begin(now, HUMAN_PAUSE);
        } else if digit != '#' {
            // "#" may be the end of a number that was complete without it.
            self.stop_playing();
            self.repeat(now, &["That is not a valid option."], true);
        }
    }

    fn collect(&mut self, now: Duration, collect: &Collect, digit: char) {
        self.stop_playing();
        self.state = State::Waiting { until: now + KEY_TIMEOUT };
        if let (true, Some(confirm)) = (self.confirming, &collect.confirm) {
            if digit == confirm.yes {
                self.follow(now);
            } else if digit == confirm.no {
                self.entered.clear();
                self.confirming = false;
                self.begin(now, HUMAN_PAUSE);
            } else if digit != '#' {
                self.read_back(now, collect);
            }
        } else if Some(digit) == collect.terminator {
            self.check_entry(now, collect);
        } else if digit.is_ascii_digit() {
            self.entered.push(digit);
            let full = self.entered.len() >= collect.digits;
            if full && collect.terminator.is_none() || self.entered.len() > collect.digits {
                self.check_entry(now, collect);
            }
        }
    }

    /// A number is complete.
    fn check_entry(&mut self, now: Duration, collect: &Collect) {
        let right = match &collect.expects {
            Some(expected) => *expected == self.entered,
            None => self.entered.len() == collect.digits,
        };
        if let Some(key) = &collect.capture {
            let entered = self.entered.clone();
            self.capture(key, entered);
        }
        if right || (collect.confirm.is_some() && self.entered.len() == collect.digits) {
            if collect.confirm.is_some() {
                self.read_back(now, collect);
            } else {
                self.follow(now);
            }
        } else {
            self.entered.clear();
            self.repeat(now, &[&collect.invalid], true);
        }
    }

    fn read_back(&mut self, now: Duration, collect: &Collect) {
        self.confirming = true;
        let Some(confirm) = &collect.confirm else { return };
        let text = self.fill(&confirm.prompt);
        self.pause_then(now, HUMAN_PAUSE, vec![Sound::Say(text)], Then::Wait);
    }

    /// Goes to the step that follows this one.
    fn follow(&mut self, now: Duration) {
        let wrong = self.current().is_some_and(|step| match &step.action {
            Action::Collect(collect) => collect.expects.as_ref().is_some_and(|expected| *expected != self.entered),
            _ => false,
        });
        if wrong {
            let Some(Action::Collect(collect)) = self.current().map(|step| step.action.clone()) else { return };
            self.entered.clear();
            self.confirming = false;
            self.repeat(now, &[&collect.invalid], true);
            return;
        }
        let next = self.current().and_then(|step| step.next);
        self.go(now, next);
    }

    fn go(&mut self, now: Duration, next: Option<usize>) {
        let Some(next) = next else { return self.close(now) };
        self.step = next;
        self.tries = 0;
        self.entered.clear();
        self.confirming = false;
        self.begin(now, HUMAN_PAUSE);
    }

    /// Says it again, with a remark before it; gives up when that was too often.
    fn repeat(&mut self, now: Duration, remark: &[&str], question_too: bool) {
        let Some(step) = self.current().cloned() else { return };
        self.tries += 1;
        if self.tries > step.retries {
            if step.otherwise.is_some() {
                return self.go(now, step.otherwise);
            }
            return self.give_up(now);
        }
        let mut sounds: Vec<Sound> = remark.iter().map(|remark| Sound::Say(self.fill(remark))).collect();
        // People who did not understand say so; what they asked they say again only if that did not help.
        if question_too || self.tries > 1 {
            sounds.extend(self.prompt(&step));
        }
        self.pause_then(now, HUMAN_PAUSE, sounds, Then::Wait);
    }

    fn give_up(&mut self, now: Duration) {
        let sorry = "I'm sorry, I can't help you right now. Goodbye.";
        self.pause_then(now, HUMAN_PAUSE, vec![Sound::Say(sorry.into())], Then::HangUp);
    }

    /// Begins the current step.
    fn begin(&mut self, now: Duration, pause: (u32, u32)) {
        let Some(step) = self.current().cloned() else { return self.hang_up() };
        let then = match &step.action {
            Action::Say(_) | Action::Hold { .. } | Action::Tone { .. } if step.next.is_none() => Then::HangUp,
            Action::Say(_) | Action::Hold { .. } | Action::Tone { .. } => Then::Next,
            Action::Menu(_) | Action::Collect(_) | Action::Ask(_) => Then::Wait,
            Action::Voicemail(_) => Then::Record,
            // Only a call that rings can be refused or ring on.
            Action::Reject(_) | Action::Ring => return self.hang_up(),
        };
        if let Some(words) = vocabulary(&step.action) {
            self.outputs.push_back(Output::Listen(words));
        }
        let mut sounds = Vec::new();
        let visits = self.visits.entry(self.step).or_default();
        *visits += 1;
        if *visits > MAX_VISITS {
            return self.give_up(now);
        }
        if let (1, Action::Menu(Menu { greeting: Some(greeting), .. })) = (*visits, &step.action) {
            sounds.push(Sound::Say(greeting.clone()));
        }
        sounds.extend(self.prompt(&step));
        self.pause_then(now, pause, sounds, then);
    }

    /// What a step sounds like.
    fn prompt(&self, step: &Step) -> Vec<Sound> {
        match &step.action {
            Action::Say(text) => vec![Sound::Say(self.fill(text))],
            Action::Menu(menu) => vec![Sound::Say(menu.prompt.clone())],
            Action::Collect(Collect { confirm: Some(confirm), .. }) if self.confirming => {
                vec![Sound::Say(self.fill(&confirm.prompt))]
            }
            Action::Collect(collect) => vec![Sound::Say(self.fill(&collect.prompt))],
            Action::Ask(ask) => vec![Sound::Say(self.fill(&ask.says))],
            Action::Hold { music, announcements } => {
                let said = announcements.iter().flat_map(|text| [Sound::Say(text.clone()), Sound::Music(*music)]);
                std::iter::once(Sound::Music(*music)).chain(said).collect()
            }
            Action::Voicemail(Voicemail { greeting, beep_hz, beep, .. }) => vec![
                Sound::Say(greeting.clone()),
                Sound::Silence(BEFORE_BEEP),
                Sound::Beep { hertz: *beep_hz, length: *beep },
            ],
            Action::Tone { kind, length } => vec![Sound::Tone { kind: *kind, length: *length }],
            Action::Reject(_) | Action::Ring => Vec::new(),
        }
    }

    fn pause_then(&mut self, now: Duration, pause: (u32, u32), sounds: Vec<Sound>, then: Then) {
        let until = now + if self.speaking { LONGEST_TURN } else { self.pause(pause) };
        self.state = State::Pausing { until, sounds, then };
    }

    fn play(&mut self, sounds: Vec<Sound>, then: Then) {
        for sound in &sounds {
            if let Sound::Say(text) = sound {
                self.report(Event::Said { text: text.clone() });
            }
        }
        self.outputs.push_back(Output::Play(sounds));
        self.state = State::Playing { then, interrupted_at: None };
    }

    fn stop_playing(&mut self) {
        if matches!(self.state, State::Playing { .. }) {
            self.outputs.push_back(Output::Stop);
        }
    }

    /// All was said; waits for their goodbye.
    fn close(&mut self, now: Duration) {
        self.state = State::Closing { until: now + if self.speaking { LONGEST_TURN } else { GOODBYE } };
    }

    fn close_message(&mut self) {
        let State::Recording(recording) = &mut self.state else { return };
        let Some((first, last)) = recording.speech.take() else { return };
        let event = Event::MessageLeft {
            text: recording.text.join(" "),
            duration_ms: last.saturating_sub(first).as_millis() as u64,
            after_beep: recording.after_beep,
        };
        self.report(event);
    }

    fn hang_up(&mut self) {
        self.outputs.push_back(Output::HangUp);
        self.state = State::Over;
    }

    fn capture(&mut self, key: &str, value: String) {
        self.report(Event::Captured { key: key.to_owned(), value: value.clone() });
        self.heard.insert(key.to_owned(), value);
    }

    fn report(&mut self, event: Event) {
        self.outputs.push_back(Output::Report(event));
    }

    /// Puts what was entered and understood into a sentence.
    fn fill(&self, text: &str) -> String {
        let mut text = text.replace("{entered}", &spoken::digits(&self.entered));
        for (key, value) in &self.heard {
            text = text.replace(&format!("{{heard.{key}}}"), value);
        }
        // What was never understood is left out.
        while let (Some(from), Some(to)) = (text.find('{'), text.find('}')) {
            if from > to {
                break;
            }
            text.replace_range(from..=to, "");
        }
        text
    }

    fn pause(&mut self, (from, to): (u32, u32)) -> Duration {
        Duration::from_millis(self.dice.between(from, to).into())
    }

    fn current(&self) -> Option<&Step> {
        self.instance.steps.get(self.step)
    }
}

/// What the recogniser should expect during a step.
fn vocabulary(action: &Action) -> Option<Vec<String>> {
    match action {
        Action::Ask(ask) => Some(ask.vocabulary.clone()),
        Action::Menu(menu) if !menu.spoken.is_empty() => {
            let words = menu.spoken.iter().flat_map(|meaning| meaning.words.iter().cloned());
            Some(words.chain(understand::digit_words()).collect())
        }
        Action::Voicemail(voicemail) => Some(voicemail.vocabulary.clone()),
        _ => None,
    }
}

/// The value of an answer, and the step of its own that it leads to.
fn understand_answer(ask: &Ask, text: &str) -> Option<(String, Option<usize>)> {
    if let Some(meaning) = meaning(&ask.matches, text) {
        return Some((meaning.value.clone(), meaning.next));
    }
    let value = match ask.expects {
        Expects::Match => None,
        Expects::Name => understand::name(text),
        Expects::Date => understand::date(text),
        Expects::Digits => understand::digits(text),
        Expects::Anything => (!text.is_empty()).then(|| text.to_owned()),
    };
    value.map(|value| (value, None))
}

fn meaning<'a>(meanings: &'a [Meaning], text: &str) -> Option<&'a Meaning> {
    let best = understand::best(text, meanings.iter().map(|meaning| meaning.words.as_slice()))?;
    meanings.get(best)
}
