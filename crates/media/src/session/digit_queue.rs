//! [`DigitQueue`]: digits and pauses to send, after what is being said.

use std::collections::VecDeque;
use std::time::Duration;

use super::UtteranceId;
use super::play_queue::PlayQueue;
use crate::FRAME_DURATION;
use crate::dtmf::Digit;
use crate::dtmf::telephone_event::{Sending, TelephoneEvent};
use crate::tones::DtmfTone;

/// Digits and pauses that wait.
pub const DIGIT_QUEUE_LEN: usize = 128;
/// Silence after each digit: 100 ms.
const GAP_SLOTS: u64 = 5;
/// The shortest digit any receiver must recognise (ITU-T Q.24).
const MIN_DIGIT: Duration = Duration::from_millis(40);
/// No key is held longer.
const MAX_DIGIT: Duration = Duration::from_secs(5);
/// No pause lasts longer.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Slots without speech after which a digit no longer waits for the rest of an utterance.
const PATIENCE_SLOTS: u32 = 50;

/// What fills a slot while digits are sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum SlotContent {
    /// A telephone-event packet; its timestamp is that of `first_slot`.
    Event { first_slot: u64, marker: bool, payload: TelephoneEvent },
    /// A frame of tone or silence.
    Audio([i16; crate::FRAME_SAMPLES]),
}

#[derive(Debug)]
pub(super) struct DigitQueue {
    waiting: VecDeque<Waiting>,
    active: Option<Active>,
    quiet_slots: u32,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    what: What,
    /// Frames of speech that were queued before it.
    after_frames: u64,
    /// The utterance that was being queued when it was ordered.
    after_utterance: Option<UtteranceId>,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Digit { digit: Digit, as_event: bool, duration: Duration },
    Pause(Duration),
}

#[derive(Debug)]
enum Active {
    Event { sending: Sending, end_slot: u64 },
    Tone { tone: DtmfTone, end_slot: u64 },
    Pause { end_slot: u64 },
}

impl DigitQueue {
    pub fn new() -> Self {
        Self { waiting: VecDeque::new(), active: None, quiet_slots: 0 }
    }

    /// Queues a digit behind what is queued to be said. False if the queue is full.
    pub fn push_digit(&mut self, digit: Digit, as_event: bool, duration: Duration, speech: &PlayQueue) -> bool {
        let duration = duration.clamp(MIN_DIGIT, MAX_DIGIT);
        self.push(What::Digit { digit, as_event, duration }, speech)
    }

    /// Queues a pause. False if the queue is full.
    pub fn push_pause(&mut self, duration: Duration, speech: &PlayQueue) -> bool {
        self.push(What::Pause(duration.min(MAX_PAUSE)), speech)
    }

    /// The last frame of an utterance was queued, or it was flushed: digits wait for no more of it.
    pub fn utterance_queued(&mut self, utterance: UtteranceId, speech: &PlayQueue) {
        let (queued, _) = speech.progress();
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.after_utterance <= Some(utterance)) {
            if waiting.after_utterance.take().is_some() {
                waiting.after_frames = queued;
            }
        }
    }

    /// Is a digit being sent, so that speech must wait?
    pub fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// What this slot carries, if it belongs to digits. `done` is set when the last digit ordered is over.
    pub fn next(&mut self, slot: u64, speech: &PlayQueue, done: &mut bool) -> Option<SlotContent> {
        let end_slot = match &self.active {
            None => 0,
            Some(Active::Event { end_slot, .. } | Active::Tone { end_slot, .. } | Active::Pause { end_slot }) => {
                *end_slot
            }
        };
        if slot >= end_slot {
            let was_active = self.active.take().is_some();
            if self.waiting.is_empty() {
                *done = was_active;
                return None;
            }
            self.start_next(slot, speech);
        }
        match self.active.as_mut()? {
            Active::Event { sending, .. } => match sending.packet(slot) {
                Some((marker, payload)) => {
                    Some(SlotContent::Event { first_slot: sending.first_slot(), marker, payload })
                }
                None => Some(SlotContent::Audio([0; crate::FRAME_SAMPLES])),
            },
            Active::Tone { tone, .. } => {
                let mut samples = [0; crate::FRAME_SAMPLES];
                tone.fill(&mut samples);
                Some(SlotContent::Audio(samples))
            }
            Active::Pause { .. } => Some(SlotContent::Audio([0; crate::FRAME_SAMPLES])),
        }
    }

    fn push(&mut self, what: What, speech: &PlayQueue) -> bool {
        if self.waiting.len() >= DIGIT_QUEUE_LEN {
            return false;
        }
        let (after_frames, _) = speech.progress();
        self.waiting.push_back(Waiting { what, after_frames, after_utterance: speech.open() });
        true
    }

    fn start_next(&mut self, slot: u64, speech: &PlayQueue) {
        self.quiet_slots = if speech.is_empty() { self.quiet_slots + 1 } else { 0 };
        let Some(next) = self.waiting.front().filter(|next| next.may_start(speech, self.quiet_slots)) else { return };
        let what = next.what;
        self.waiting.pop_front();
        self.active = Some(match what {
            What::Digit { digit, as_event: true, duration } => {
                let sending = Sending::new(digit, slot, duration);
                Active::Event { sending, end_slot: sending.end_slot() + GAP_SLOTS }
            }
            What::Digit { digit, as_event: false, duration } => {
                Active::Tone { tone: DtmfTone::new(digit, duration), end_slot: slot + slots(duration) + GAP_SLOTS }
            }
            What::Pause(duration) => Active::Pause { end_slot: slot + slots(duration).max(1) },
        });
    }
}

impl Waiting {
    fn may_start(&self, speech: &PlayQueue, quiet_slots: u32) -> bool {
        let (_, taken) = speech.progress();
        taken >= self.after_frames && (self.after_utterance.is_none() || quiet_slots > PATIENCE_SLOTS)
    }
}

fn slots(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(FRAME_DURATION.as_millis()) as u64
}
