//! [`CallProgress`]: ringback, busy, congestion, dial tone, special information tones, fax and beeps, by ear.
//!
//! Two trackers hear every frame. `cadence::Bursts` cuts the sound into bursts of low tones (where all networks have
//! their signals) and silence, and compares their lengths with the cadences of six countries. `steady::Runs` follows a
//! single higher tone: its frequency, its length, and what comes after it.

mod cadence;
mod steady;

use std::time::Duration;

use crate::analysis::Analysis;
use crate::ear::Tone;

/// A tone that was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    /// Which.
    pub tone: Tone,
    /// When its last burst ended, or now if it still sounds.
    pub end: Duration,
}

/// Hears frames; names tones, each episode once.
#[derive(Debug)]
pub struct CallProgress {
    bursts: cadence::Bursts,
    runs: steady::Runs,
}

impl CallProgress {
    /// Has heard nothing yet.
    pub fn new() -> Self {
        Self { bursts: cadence::Bursts::new(), runs: steady::Runs::new() }
    }

    /// Hears a frame that began `at`. `speech_before`: somebody has spoken in the last seconds, so that a single low tone
    /// is a beep and not the network.
    pub(crate) fn hear(&mut self, at: Duration, analysis: &Analysis, speech_before: bool) -> Option<Recognised> {
        let by_cadence = self.bursts.hear(at, analysis);
        let by_run = self.runs.hear(at, analysis, speech_before, self.bursts.is_repeating());
        by_cadence.or(by_run)
    }

    /// Does a tone of the network sound in this frame?
    pub fn is_sounding(&self) -> bool {
        self.bursts.is_sounding()
    }
}

impl Default for CallProgress {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
