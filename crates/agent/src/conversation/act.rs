//! Pure: no I/O, no clock.
//!
//! Our side: what a policy decided is done, what is said is followed to its end.

use std::time::{Duration, Instant};

use media::UtteranceId;

use super::{Conversation, GOODBYE_WAIT, Output, Phase, QUIET_HOLD, Quiet, Report, Theirs};
use crate::AgentEnd;
use crate::event::{AgentCommand, AgentEvent, Refused, Speaker};
use crate::rules::{Cause, Context, mentions_request};
use crate::tools::Action;

/// Waits in a row in which nothing was said.
const MAX_WAITS: u32 = 5;
/// Keys that an operator may have waiting: half of what a call can queue.
const MAX_KEYS: usize = 128;
/// Utterances that an operator may have waiting: half of what can wait to be spoken.
const MAX_UTTERANCES: usize = 16;
/// A model that failed so often is not asked again in this call.
pub(super) const MAX_MODEL_FAILURES: u32 = 3;

impl Conversation {
    pub(super) fn decide_by_rules(&mut self, now: Instant, cause: Cause) {
        let said = self.said();
        let request = self.goal_request();
        let introduced = said.iter().any(|line| line.contains("automated assistant") || line.contains("AI assistant"))
            || self.config.greeting.as_ref().is_some_and(|greeting| said.iter().any(|line| line == greeting));
        let requested = said.iter().any(|line| mentions_request(line, &request));
        let last_said = said.iter().rfind(|line| self.config.consent.as_ref() != Some(*line)).cloned();
        let mut context = Context {
            cause,
            text: &self.text,
            prompt: &self.prompt,
            machine: self.answering.machine,
            person: self.answering.person,
            reacted: self.reacted,
            introduced,
            requested,
            last_said: last_said.as_deref(),
            learnt: &mut self.learnt,
        };
        let decision = self.rules.decide(&mut context);
        if let Some((key, label)) = decision.chose {
            let at_ms = self.at_ms(now);
            self.emit(AgentEvent::Chose { at_ms, key, label });
        }
        for action in decision.actions {
            match action {
                Action::Press(keys) if decision.differently => {
                    self.record(now, &Action::Press(keys.clone()), decision.because);
                    self.press(keys, true);
                }
                action => self.act(now, action, decision.because),
            }
        }
        self.settle(now);
    }

    /// Carries out one action.
    pub(super) fn act(&mut self, now: Instant, action: Action, because: &str) {
        self.record(now, &action, because);
        if self.tool_calls > self.config.limits.tool_calls && !matches!(action, Action::End(_)) {
            self.end_quietly(now, AgentEnd::ToolLoop);
            return;
        }
        match action {
            Action::Say(text) => self.say(now, text),
            Action::Press(keys) => self.press(keys, false),
            Action::Wait(duration) => self.wait = Some(duration),
            Action::End(end) => self.close(now, end),
            Action::Report { outcome, summary, answers } => {
                self.learnt.answers.extend(answers);
                self.report = Some(Report { outcome, summary });
            }
        }
    }

    pub(super) fn say(&mut self, now: Instant, text: String) {
        let text = text.trim().to_owned();
        if text.is_empty() || self.phase != Phase::Talking {
            return;
        }
        self.quiet = None;
        self.announce(now);
        let utterance = self.playback.push(text.clone());
        self.marks.ordered(utterance, now);
        self.outputs.push_back(Output::Say { utterance, text });
    }

    fn record(&mut self, now: Instant, action: &Action, because: &str) {
        self.tool_calls += 1;
        let at_ms = self.at_ms(now);
        self.emit(AgentEvent::ToolCalled {
            at_ms,
            name: action.name().to_owned(),
            arguments: action.arguments().to_string(),
            because: because.to_owned(),
        });
    }

    /// Presses keys; `again` when they are the last ones once more, to which no prompt reacted.
    pub(super) fn press(&mut self, keys: String, again: bool) {
        if self.phase != Phase::Talking {
            return;
        }
        let differently = self.key_method.next(self.reacted, again);
        self.keys.push_back(keys.clone());
        self.outputs.push_back(Output::Press { digits: keys, differently });
    }

    /// After what is queued was said, the call ends.
    pub(super) fn close(&mut self, now: Instant, end: AgentEnd) {
        if self.phase != Phase::Talking {
            return;
        }
        self.ended.get_or_insert(end);
        self.quiet = None;
        self.thinking = None;
        self.phase = Phase::Closing { guard: now + GOODBYE_WAIT };
        if self.playback.is_idle() && self.keys.is_empty() {
            self.hang_up();
        }
    }

    pub(super) fn hang_up(&mut self) {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            self.outputs.push_back(Output::HangUp);
        }
    }

    /// Ends without a policy: a polite word if a person may be listening.
    pub(super) fn end_quietly(&mut self, now: Instant, end: AgentEnd) {
        self.ended.get_or_insert(end);
        if let Some(newest) = self.playback.newest() {
            self.outputs.push_back(Output::Flush(newest));
            self.playback.drop_unstarted();
        }
        if self.answered_at.is_some() && !self.answering.machine && !self.held {
            let text = match end {
                AgentEnd::Silence => "I can't hear you, so I will end the call now. Goodbye.",
                _ => "I'm sorry, I have to end the call now. Thank you. Goodbye.",
            };
            self.say(now, text.to_owned());
        }
        if self.phase == Phase::Ringing {
            self.hang_up();
        } else {
            self.close(now, end);
        }
    }

    pub(super) fn give_up(&mut self, now: Instant, end: AgentEnd) {
        if self.thinking.take().is_some() {
            self.outputs.push_back(Output::CancelPolicy);
        }
        self.end_quietly(now, end);
    }

    /// A caller is a person; who was called is one when known to be.
    fn talks_to_a_person(&self) -> bool {
        self.config.task.is_none() || self.answering.person
    }

    /// Whether a command will be carried out. An end always is.
    pub fn takes(&self, command: &AgentCommand) -> Result<(), Refused> {
        let full = match command {
            AgentCommand::HangUp => return Ok(()),
            AgentCommand::Press(keys) => {
                let waiting: usize = self.keys.iter().map(|keys| keys.chars().count()).sum();
                waiting + keys.chars().count() > MAX_KEYS
            }
            AgentCommand::Say(_) => self.playback.len() >= MAX_UTTERANCES,
        };
        match self.phase {
            Phase::Ringing => Err(Refused::NotAnswered),
            Phase::Talking if full => Err(Refused::Full),
            Phase::Talking => Ok(()),
            Phase::Closing { .. } | Phase::Over => Err(Refused::Ending),
        }
    }

    pub(super) fn command(&mut self, now: Instant, command: AgentCommand) {
        match command {
            AgentCommand::Say(text) => {
                let at_ms = self.at_ms(now);
                self.learnt.note(at_ms, "operator", &text);
                self.say(now, text);
            }
            AgentCommand::Press(keys) => self.press(keys, false),
            AgentCommand::HangUp if self.phase == Phase::Talking && self.talks_to_a_person() => {
                self.say(now, "Thank you. Goodbye.".to_owned());
                self.close(now, AgentEnd::Completed);
            }
            AgentCommand::HangUp => {
                self.ended.get_or_insert(AgentEnd::Completed);
                self.hang_up();
            }
        }
    }

    pub(super) fn started(&mut self, now: Instant, utterance: UtteranceId, at: Instant) {
        self.playback.started(utterance, at);
        if let Some(latency) = self.marks.started(utterance, at, self.answered_at) {
            self.turns.push(latency.clone());
            self.emit(AgentEvent::Turn(latency));
        }
        if matches!(self.theirs, Theirs::Speaking { .. }) {
            self.barge_in.speech_started(now, self.voicemail.is_leaving());
        }
    }

    pub(super) fn played(&mut self, now: Instant, utterance: UtteranceId, duration: Duration, finished: bool) {
        let announced = self.consent.played(utterance, finished);
        if let Some(heard) = self.playback.played(utterance, duration, finished)
            && !heard.text.is_empty()
        {
            let at_ms = self.at_ms(heard.started);
            let end_ms = at_ms + u64::try_from(duration.as_millis()).unwrap_or(0);
            self.emit(AgentEvent::Transcript { at_ms, end_ms, speaker: Speaker::Agent, text: heard.text.clone() });
            if !announced && (self.config.model || mentions_request(&heard.text, &self.goal_request())) {
                self.learnt.asked = true;
            }
            self.dialogue_said(heard.text, heard.finished);
        }
        if self.voicemail.left(utterance) {
            self.message_left(now, finished);
        }
        if !self.playback.is_idle() {
            return;
        }
        self.barge_in.speech_ended();
        match self.phase {
            Phase::Closing { .. } if self.keys.is_empty() => self.hang_up(),
            Phase::Talking => {
                if let Some(text) = self.pending.take() {
                    self.text = text;
                    self.respond(now);
                } else {
                    self.settle(now);
                }
            }
            Phase::Ringing | Phase::Closing { .. } | Phase::Over => {}
        }
    }

    pub(super) fn digits_sent(&mut self, now: Instant) {
        let at_ms = self.at_ms(now);
        self.keys_sent_at = Some(now);
        self.reacted = false;
        while let Some(digits) = self.keys.pop_front() {
            self.digits_sent.extend(digits.chars().filter(|c| !matches!(c, 'w' | ',')));
            self.learnt.note(at_ms, "pressed", &digits);
            self.dialogue_event(format!("you pressed {digits}"));
            self.emit(AgentEvent::DtmfSent { at_ms, digits });
        }
        if matches!(self.phase, Phase::Closing { .. }) && self.playback.is_idle() {
            self.hang_up();
        }
        self.settle(now);
    }

    /// They talk over us: stop at once. What was heard of it comes back as `Played`.
    pub(super) fn interrupted(&mut self) {
        self.barge_in.speech_ended();
        if let Some(newest) = self.playback.newest() {
            self.outputs.push_back(Output::Flush(newest));
        }
        self.playback.drop_unstarted();
        self.voicemail.interrupted();
        if self.thinking.take().is_some() {
            self.outputs.push_back(Output::CancelPolicy);
        }
        self.quiet = None;
    }

    /// Nobody speaks: how long may that last?
    pub(super) fn settle(&mut self, now: Instant) {
        let busy = self.phase != Phase::Talking
            || self.theirs != Theirs::Silent
            || self.phrases.deadline().is_some()
            || !self.playback.is_idle()
            || !self.keys.is_empty()
            || self.thinking.is_some()
            || self.voicemail.is_active();
        if busy || self.held || self.music {
            self.quiet = None;
            return;
        }
        self.quiet = Some(match (self.wait, self.on_hold) {
            (_, true) if self.answering.machine => (now + QUIET_HOLD * 3, Quiet::Nudge),
            (_, true) => (now + QUIET_HOLD, Quiet::Nudge),
            (Some(wait), false) => (now + wait, Quiet::Waited),
            (None, false) => (now + self.config.limits.silence + self.jitter, Quiet::Nudge),
        });
    }

    pub(super) fn silence(&mut self, now: Instant, quiet: Quiet) {
        self.quiet = None;
        match quiet {
            Quiet::Waited => {
                self.wait = None;
                self.waits += 1;
                if self.waits > MAX_WAITS {
                    self.end_quietly(now, AgentEnd::Silence);
                } else {
                    self.decide(now, Cause::Waited);
                }
            }
            Quiet::Nudge => {
                self.set_hold(now, false);
                self.nudges += 1;
                if self.nudges > self.config.limits.silence_nudges {
                    self.end_quietly(now, AgentEnd::Silence);
                    return;
                }
                let (at_ms, count) = (self.at_ms(now), self.nudges);
                self.emit(AgentEvent::Nudged { at_ms, count });
                self.decide_by_rules(now, Cause::Nudge(count));
            }
        }
    }

    pub(super) fn model_acts(&mut self, now: Instant, action: Action) {
        let Some((_, cause)) = self.thinking else { return };
        self.model_acted = true;
        self.thinking = Some((now + super::POLICY_WAIT, cause));
        self.act(now, action, "model");
    }

    pub(super) fn model_done(&mut self, now: Instant) {
        if self.thinking.take().is_some() {
            self.model_failures = 0;
            self.settle(now);
        }
    }

    /// Rules take over for this turn, unless the model has already acted in it.
    pub(super) fn model_failed(&mut self, now: Instant, message: &str) {
        let Some((_, cause)) = self.thinking.take() else { return };
        self.outputs.push_back(Output::CancelPolicy);
        self.model_failures += 1;
        let at_ms = self.at_ms(now);
        self.learnt.note(at_ms, "error", &format!("the model failed, rules decided: {message}"));
        self.emit(AgentEvent::ToolCalled {
            at_ms,
            name: "fallback".to_owned(),
            arguments: serde_json::json!({ "error": message }).to_string(),
            because: "model failed".to_owned(),
        });
        if self.model_acted {
            self.settle(now);
        } else {
            self.decide_by_rules(now, cause);
        }
    }
}
