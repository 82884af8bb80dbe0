//! [`DroppedAudio`]: what somebody was too slow for, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Audio that was dropped because who takes it was slow, in frames of 20 ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DroppedAudio {
    /// What they said and no agent heard.
    pub unheard: u64,
    /// What is silence in a recording.
    pub unrecorded: u64,
}

/// Of one call, or of all.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    unheard: AtomicU64,
    unrecorded: AtomicU64,
}

/// Counts what one call drops, for the call and for all.
#[derive(Debug, Clone)]
pub(crate) struct DropCounter {
    call: Arc<Dropped>,
    all: Arc<Dropped>,
}

impl Dropped {
    pub(crate) fn now(&self) -> DroppedAudio {
        let [unheard, unrecorded] = [&self.unheard, &self.unrecorded].map(|count| count.load(Ordering::Relaxed));
        DroppedAudio { unheard, unrecorded }
    }
}

impl DropCounter {
    /// Of a call that begins.
    pub(crate) fn new(all: Arc<Dropped>) -> Self {
        Self { call: Arc::default(), all }
    }

    /// A frame of theirs reaches no agent.
    pub(crate) fn unheard(&self) {
        for dropped in [&self.call, &self.all] {
            dropped.unheard.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A frame of both sides reaches no recording.
    pub(crate) fn unrecorded(&self) {
        for dropped in [&self.call, &self.all] {
            dropped.unrecorded.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Of this call.
    pub(crate) fn of_call(&self) -> DroppedAudio {
        self.call.now()
    }
}
