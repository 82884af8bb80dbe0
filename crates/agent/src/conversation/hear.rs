//! Pure: no I/O, no clock.
//!
//! Their side: speech, its end, what it was, tones and music.

use std::time::{Duration, Instant};

use media::dtmf::DigitSource;
use media::ear::Tone;

use super::{Conversation, Output, Phase, Quiet, SILENT_ANSWER, Theirs};
use crate::answering::is_personal_greeting;
use crate::event::{AgentEvent, Speaker};
use crate::ivr::{PromptKind, classify, is_booked};
use crate::rules::Cause;
use crate::text::words;
use crate::turn::backchannel::is_backchannel;
use crate::turn::endpointing::silence_after;
use crate::{AgentEnd, AnsweredBy};

/// Speech without a pause is recognised in pieces of this length.
const MAX_TURN: Duration = Duration::from_secs(30);

/// A machine that heard our keys speaks within this; later it only repeats itself.
const REACTION: Duration = Duration::from_millis(2_500);

impl Conversation {
    pub(super) fn answered(&mut self, now: Instant) {
        if self.phase != Phase::Ringing {
            return;
        }
        self.phase = Phase::Talking;
        self.answered_at = Some(now);
        if self.config.task.is_none() {
            self.announce(now);
            self.decide(now, Cause::Opening);
        } else if self.theirs == Theirs::Silent {
            // Whoever answers speaks first; if nobody does, we do.
            self.quiet = Some((now + SILENT_ANSWER + self.jitter, Quiet::Nudge));
        }
    }

    pub(super) fn speech_started(&mut self, now: Instant) {
        self.theirs = Theirs::Speaking { cut: now + MAX_TURN };
        self.phrases.speech_started(now);
        if let Some(sent) = self.keys_sent_at.take() {
            self.reacted = now.saturating_duration_since(sent) < REACTION;
        }
        self.quiet = None;
        self.voicemail.speech_started();
        if !self.playback.is_idle() {
            self.barge_in.speech_started(now, self.voicemail.is_leaving());
        }
        if self.thinking.is_some() && !self.model_acted {
            // They go on: what is being thought about is only half of it.
            self.thinking = None;
            self.outputs.push_back(Output::CancelPolicy);
            self.phrases.put_back(&std::mem::take(&mut self.text));
        }
    }

    pub(super) fn speech_ended(&mut self, now: Instant, ended: Instant) {
        self.barge_in.speech_ended();
        self.voicemail.speech_ended(now);
        self.last_sound = Some(ended);
        self.pause(now, ended);
        if self.phrases.is_long(now) {
            self.finish_phrase(now);
        }
    }

    pub(super) fn short_pause(&mut self, now: Instant) {
        if matches!(self.theirs, Theirs::Speaking { .. }) && self.phrases.is_long(now) {
            self.finish_phrase(now);
        }
    }

    fn pause(&mut self, now: Instant, ended: Instant) {
        // An interim is a guess at what no final covers yet.
        let guess = if self.phrases.is_settled() { "" } else { self.interim.as_str() };
        let prompt = classify(&format!("{} {guess}", self.phrases.text()), &self.facts());
        let machine = self.answering.machine
            || (self.answered_at.is_some() && !self.answering.person && self.answering.answered_by.is_some());
        let over = ended + silence_after(&prompt, machine);
        self.theirs = Theirs::Paused { ended, over: over.max(now) };
    }

    pub(super) fn interim(&mut self, now: Instant, text: String) {
        self.barge_in.interim(&text);
        self.interim = text;
        if let Theirs::Paused { ended, .. } = self.theirs {
            self.pause(now, ended);
        }
    }

    /// They speak without end (or it is music): what there is so far is recognised.
    pub(super) fn cut_turn(&mut self, now: Instant) {
        self.theirs = Theirs::Speaking { cut: now + MAX_TURN };
        self.finish_phrase(now);
    }

    pub(super) fn finish_phrase(&mut self, now: Instant) {
        if self.phrases.is_open() {
            self.phrases.finish(now, matches!(self.theirs, Theirs::Speaking { .. }));
            self.outputs.push_back(Output::FinishRecognition);
        }
    }

    /// Silence was long enough; what is still being recognised is waited for.
    pub(super) fn turn_is_over(&mut self, now: Instant, ended: Instant) {
        self.theirs = Theirs::Silent;
        self.finish_phrase(now);
        self.marks.turn_ended(ended, now);
        if self.phrases.is_settled() {
            self.act_on_turn(now);
        } else {
            self.phrases.wait(now);
        }
    }

    /// A final came: it may show that the turn is over, or that more must follow.
    pub(super) fn heard(&mut self, now: Instant, text: &str, start_ms: u64, end_ms: u64) {
        if !self.phrases.heard(text, start_ms, end_ms) {
            return;
        }
        self.interim.clear();
        match self.theirs {
            Theirs::Speaking { .. } => {}
            Theirs::Paused { ended, .. } => self.pause(now, ended),
            Theirs::Silent if self.phrases.is_settled() && self.phrases.deadline().is_some() => {
                self.phrases.stop_waiting();
                // The words may call for more silence than the guess did.
                if let Some(ended) = self.last_sound {
                    self.pause(now, ended);
                } else {
                    self.act_on_turn(now);
                }
            }
            Theirs::Silent => {}
        }
    }

    /// No recogniser will tell more: its last guess must do.
    pub(super) fn recognition_failed(&mut self, now: Instant) {
        if !self.phrases.is_settled() {
            let (guess, at_ms) = (std::mem::take(&mut self.interim), self.at_ms(now));
            self.phrases.fail();
            self.phrases.heard(&guess, at_ms, at_ms);
            if self.phrases.deadline().is_some() {
                self.act_on_turn(now);
            }
        }
    }

    /// Their turn is over and recognised as far as it will be.
    pub(super) fn act_on_turn(&mut self, now: Instant) {
        let turn = self.phrases.take(self.at_ms(now));
        self.interim.clear();
        self.marks.recognised(now);
        if turn.text.is_empty() {
            self.settle(now);
            return;
        }
        self.emit(AgentEvent::Transcript {
            at_ms: turn.start_ms,
            end_ms: turn.end_ms,
            speaker: Speaker::Callee,
            text: turn.text.clone(),
        });
        self.dialogue_heard(&turn.text);
        if self.phase == Phase::Ringing {
            // An announcement before the answer is kept, and nobody is there to be answered.
            return;
        }
        self.understand(now, &turn.text, turn.start_ms);
        if self.phase != Phase::Talking || self.voicemail.takes_turn(&self.prompt, now) {
            return;
        }
        self.text = turn.text;
        if !self.playback.is_idle() {
            if !is_backchannel(&words(&self.text)) {
                self.pending = Some(self.text.clone());
            }
            return;
        }
        self.respond(now);
    }

    /// A key of theirs.
    pub(super) fn digit_received(&mut self, now: Instant, digit: char, source: DigitSource) {
        let at_ms = self.at_ms(now);
        self.dialogue_event(format!("they pressed {digit}"));
        self.emit(AgentEvent::DigitReceived { at_ms, digit, source });
    }

    /// Keeps what a turn tells, whatever is answered to it.
    fn understand(&mut self, now: Instant, text: &str, at_ms: u64) {
        let prompt = classify(text, &self.facts());
        self.emit(AgentEvent::PromptClassified { at_ms, kind: prompt.kind.name().to_owned(), text: text.to_owned() });
        if self.answering.hear(&prompt) {
            self.answered_by_changed(now);
        }
        if self.answering.machine {
            self.announced_to_nobody();
        }
        if !prompt.menu.is_empty() && prompt.kind == PromptKind::Menu {
            self.emit(AgentEvent::Menu { at_ms, options: prompt.menu.listed() });
        }
        let booked = (is_booked(&prompt.words) && self.prompt_after_acceptance())
            || (prompt.kind == PromptKind::Statement && self.learnt.names_accepted(&prompt.words))
            || self.learnt.seals(&prompt.words);
        self.learnt.hear(at_ms, text, &prompt, booked);
        self.hold_by_words(now, &prompt);
        self.prompt = prompt;
        self.nudges = 0;
        self.waits = 0;
    }

    /// "You are booked" counts once there is something to be booked: an accepted slot, or our request.
    fn prompt_after_acceptance(&self) -> bool {
        self.learnt.accepted().is_some() || self.learnt.asked || self.config.model
    }

    /// Answers what was heard, unless we are waiting on hold.
    pub(super) fn respond(&mut self, now: Instant) {
        if self.is_on_hold() && self.prompt.kind == PromptKind::Hold && !self.config.model {
            self.settle(now);
            return;
        }
        self.decide(now, Cause::Turn);
    }

    fn hold_by_words(&mut self, now: Instant, prompt: &crate::ivr::Prompt) {
        let live = match prompt.kind {
            PromptKind::Question
            | PromptKind::Offer
            | PromptKind::Menu
            | PromptKind::DateInput
            | PromptKind::NumberInput
            | PromptKind::Confirmation
            | PromptKind::Voicemail
            | PromptKind::Farewell
            | PromptKind::NotUnderstood => true,
            PromptKind::Greeting => is_personal_greeting(&prompt.words),
            PromptKind::Hold => false,
            // An advertisement between two songs is no person.
            PromptKind::Statement => !self.is_on_hold() || self.answering.person,
        };
        match (prompt.kind, live) {
            (PromptKind::Hold, _) => self.set_hold(now, true),
            (_, true) => {
                self.music = false;
                self.set_hold(now, false);
            }
            _ => {}
        }
    }

    pub(super) fn set_hold(&mut self, now: Instant, holding: bool) {
        if self.on_hold != holding {
            self.on_hold = holding;
            let at_ms = self.at_ms(now);
            self.emit(AgentEvent::Hold { at_ms, holding });
            self.dialogue_event(if holding { "on hold".to_owned() } else { "no longer on hold".to_owned() });
        }
    }

    pub(super) fn music(&mut self, now: Instant, playing: bool) {
        self.music = playing;
        if playing && self.phase == Phase::Talking {
            self.set_hold(now, true);
        }
        self.settle(now);
    }

    pub(super) fn held(&mut self, now: Instant, held: bool) {
        self.held = held;
        self.set_hold(now, held);
        self.settle(now);
    }

    pub(super) fn tone(&mut self, now: Instant, tone: Tone) {
        let at_ms = self.at_ms(now);
        if self.phase != Phase::Talking {
            return;
        }
        match tone {
            Tone::Beep => self.beep(now),
            Tone::Fax => {
                self.learnt.note(at_ms, "tone", "fax");
                if self.answering.tone(AnsweredBy::Fax) {
                    self.answered_by_changed(now);
                }
                self.ended = Some(AgentEnd::Fax);
                self.hang_up();
            }
            Tone::Busy | Tone::Congestion => {
                self.learnt.note(at_ms, "tone", "busy");
                self.ended.get_or_insert(AgentEnd::Completed);
                self.hang_up();
            }
            Tone::Sit => self.learnt.note(at_ms, "tone", "special information tones"),
            Tone::Ringback | Tone::Dial => {}
        }
    }

    pub(super) fn answered_by_changed(&mut self, now: Instant) {
        if let Some((answered_by, confidence)) = self.answering.answered_by {
            let at_ms = self.at_ms(now);
            self.emit(AgentEvent::AnsweredBy { at_ms, answered_by, confidence });
        }
    }

    pub(super) fn facts(&self) -> std::collections::BTreeMap<String, String> {
        self.config.task.as_ref().map(|task| task.facts.clone()).unwrap_or_default()
    }
}
