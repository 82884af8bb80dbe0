//! [`PlayQueue`]: what we are going to say, and how much of it was said.

use std::collections::VecDeque;
use std::time::Duration;

use super::UtteranceId;
use super::companded::Companded;
use crate::FRAME_DURATION;

/// Frames that wait to be said: one second.
pub const PLAY_QUEUE_FRAMES: usize = 50;

/// A frame of an utterance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queued {
    pub utterance: UtteranceId,
    pub sound: Companded,
    pub last: bool,
}

/// How much of an utterance has left, now that it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub utterance: UtteranceId,
    pub duration: Duration,
    pub finished: bool,
}

#[derive(Debug)]
pub(super) struct PlayQueue {
    frames: VecDeque<Queued>,
    /// The utterance of the frame said last, if more of it is to come, and the frames of it that were said.
    current: Option<(UtteranceId, u32)>,
    flushed: Option<UtteranceId>,
    newest: Option<UtteranceId>,
    /// The utterance whose `last` frame has not been queued yet.
    open: Option<UtteranceId>,
    /// Frames ever queued and ever taken out: what waits behind speech remembers the first.
    queued: u64,
    taken: u64,
    refused: u64,
}

impl PlayQueue {
    pub fn new() -> Self {
        Self {
            frames: VecDeque::new(),
            current: None,
            flushed: None,
            newest: None,
            open: None,
            queued: 0,
            taken: 0,
            refused: 0,
        }
    }

    /// Queues a frame; counts it instead when the queue is full. Frames of flushed utterances vanish.
    pub fn push(&mut self, queued: Queued) {
        if self.flushed.is_some_and(|flushed| queued.utterance <= flushed) {
            return;
        }
        self.newest = self.newest.max(Some(queued.utterance));
        self.open = (!queued.last).then_some(queued.utterance);
        if self.frames.len() >= PLAY_QUEUE_FRAMES {
            self.refused += 1;
            // Its end must not be lost with it.
            if let Some(back) = self.frames.back_mut().filter(|back| back.utterance == queued.utterance) {
                back.last |= queued.last;
            }
            return;
        }
        self.queued += 1;
        // All of it at the first word, once: many calls never say one.
        self.frames.reserve_exact(PLAY_QUEUE_FRAMES - self.frames.len());
        self.frames.push_back(queued);
    }

    pub fn room(&self) -> usize {
        PLAY_QUEUE_FRAMES - self.frames.len()
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Frames that found the queue full.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The utterance still being queued.
    pub fn open(&self) -> Option<UtteranceId> {
        self.open
    }

    /// Frames queued since the beginning, and taken out since.
    pub fn progress(&self) -> (u64, u64) {
        (self.queued, self.taken)
    }

    /// Takes the next frame. `said` gets the utterances that this ends; true if the frame is the first of its own.
    pub fn pop(&mut self, said: &mut impl FnMut(Said)) -> Option<(Queued, bool)> {
        let queued = self.frames.pop_front()?;
        self.taken += 1;
        if self.current.is_some_and(|(utterance, _)| utterance != queued.utterance) {
            self.close(false, said);
        }
        let (_, frames) = self.current.get_or_insert((queued.utterance, 0));
        let first = *frames == 0;
        *frames += 1;
        if queued.last {
            self.close(true, said);
        }
        Some((queued, first))
    }

    /// Drops the next frame unsaid, because its time has passed. False if there was none.
    pub fn drop_front(&mut self, said: &mut impl FnMut(Said)) -> bool {
        let Some(queued) = self.frames.pop_front() else { return false };
        self.taken += 1;
        if self.current.is_some_and(|(utterance, _)| utterance != queued.utterance) {
            self.close(false, said);
        }
        if queued.last {
            let (utterance, frames) = self.current.take().unwrap_or((queued.utterance, 0));
            said(Said { utterance, duration: FRAME_DURATION * frames, finished: true });
        }
        true
    }

    /// Drops what belongs to utterances up to `id`, queued or still to come.
    pub fn flush(&mut self, id: UtteranceId, said: &mut impl FnMut(Said)) {
        if self.flushed.is_some_and(|flushed| id <= flushed) {
            return;
        }
        let mut reported = self.current.map(|(utterance, _)| utterance);
        if reported <= Some(id) {
            self.close(false, said);
        }
        for queued in self.frames.iter().filter(|queued| queued.utterance <= id) {
            self.taken += 1;
            if reported != Some(queued.utterance) {
                reported = Some(queued.utterance);
                said(Said { utterance: queued.utterance, duration: Duration::ZERO, finished: false });
            }
        }
        self.frames.retain(|queued| queued.utterance > id);
        if self.newest < Some(id) {
            // Nothing of it has come yet and nothing ever will: whoever waits for its end gets it now.
            said(Said { utterance: id, duration: Duration::ZERO, finished: false });
        }
        self.newest = self.newest.max(Some(id));
        self.open = self.open.filter(|open| *open > id);
        self.flushed = Some(id);
    }

    fn close(&mut self, finished: bool, said: &mut impl FnMut(Said)) {
        if let Some((utterance, frames)) = self.current.take() {
            said(Said { utterance, duration: FRAME_DURATION * frames, finished });
        }
    }
}
