//! Pure: no I/O, no clock.
//!
//! Their side: speech, its end, what it was, tones and music.

use std::time::{Duration, Instant};

use media::ear::Tone;

use super::{Conversation, FINAL_WAIT, Output, Phase, Quiet, SILENT_ANSWER, Theirs};
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
/// Characters of a turn that goes on.
const MAX_CARRIED: usize = 2_000;

impl Conversation {
    pub(super) fn answered(&mut self, now: Instant) {
        if self.phase != Phase::Ringing {
            return;
        }
        self.phase = Phase::Talking;
        self.answered_at = Some(now);
        if self.config.task.is_none() {
            self.decide(now, Cause::Opening);
        } else if self.theirs == Theirs::Silent {
            // Whoever answers speaks first; if nobody does, we do.
            self.quiet = Some((now + SILENT_ANSWER + self.jitter, Quiet::Nudge));
        }
    }

    pub(super) fn speech_started(&mut self, now: Instant) {
        self.theirs = Theirs::Speaking { cut: now + MAX_TURN };
        self.quiet = None;
        self.voicemail.speech_started();
        if !self.playback.is_idle() {
            self.barge_in.speech_started(now, self.voicemail.is_leaving());
        }
        if self.thinking.is_some() && !self.model_acted {
            // They go on: what is being thought about is only half of it.
            self.thinking = None;
            self.outputs.push_back(Output::CancelPolicy);
            self.carried = std::mem::take(&mut self.text);
        }
    }

    pub(super) fn speech_ended(&mut self, now: Instant, ended: Instant) {
        self.barge_in.speech_ended();
        self.voicemail.speech_ended(now);
        self.pause(now, ended);
    }

    fn pause(&mut self, now: Instant, ended: Instant) {
        let so_far = format!("{} {}", self.carried, self.interim);
        let prompt = classify(&so_far, &self.facts());
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
        if self.finishing.is_none() {
            self.finishing = Some(now + FINAL_WAIT);
            self.outputs.push_back(Output::FinishRecognition);
        }
    }

    pub(super) fn turn_is_over(&mut self, now: Instant, ended: Instant) {
        self.theirs = Theirs::Silent;
        if self.finishing.is_none() {
            self.finishing = Some(now + FINAL_WAIT);
            self.marks.turn_ended(ended, now);
            self.outputs.push_back(Output::FinishRecognition);
        }
    }

    /// The recogniser owes us a final and does not come: its last guess must do.
    pub(super) fn finish_by_interim(&mut self, now: Instant) {
        let text = std::mem::take(&mut self.interim);
        let at_ms = self.at_ms(now);
        self.heard(now, &text, at_ms, at_ms);
    }

    pub(super) fn heard(&mut self, now: Instant, text: &str, start_ms: u64, end_ms: u64) {
        self.finishing = None;
        self.interim.clear();
        self.marks.recognised(now);
        let text = text.trim();
        if text.is_empty() && self.carried.is_empty() {
            if self.theirs == Theirs::Silent {
                self.settle(now);
            }
            return;
        }
        if !text.is_empty() {
            self.emit(AgentEvent::Transcript {
                at_ms: start_ms,
                end_ms,
                speaker: Speaker::Callee,
                text: text.to_owned(),
            });
            self.dialogue_heard(text);
        }
        if self.phase == Phase::Ringing {
            // An announcement before the answer is kept, and nobody is there to be answered.
            return;
        }
        let whole = format!("{} {text}", std::mem::take(&mut self.carried)).trim().to_owned();
        self.understand(now, &whole, start_ms);
        if self.phase != Phase::Talking || self.voicemail.takes_turn(&self.prompt, now) {
            return;
        }
        if matches!(self.theirs, Theirs::Speaking { .. }) {
            // They already go on; what they said so far waits for the rest.
            self.carried = whole.chars().take(MAX_CARRIED).collect();
            return;
        }
        self.text = whole;
        if !self.playback.is_idle() {
            if !is_backchannel(&words(&self.text)) {
                self.pending = Some(self.text.clone());
            }
            return;
        }
        self.respond(now);
    }

    /// Keeps what a turn tells, whatever is answered to it.
    fn understand(&mut self, now: Instant, text: &str, at_ms: u64) {
        let prompt = classify(text, &self.facts());
        self.emit(AgentEvent::PromptClassified { at_ms, kind: prompt.kind.name().to_owned(), text: text.to_owned() });
        if self.answering.hear(&prompt) {
            self.answered_by_changed(now);
        }
        if !prompt.menu.is_empty() && prompt.kind == PromptKind::Menu {
            self.emit(AgentEvent::Menu { at_ms, options: prompt.menu.listed() });
        }
        let booked = (is_booked(&prompt.words) && self.prompt_after_acceptance())
            || (prompt.kind == PromptKind::Statement && self.learnt.names_accepted(&prompt.words));
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
