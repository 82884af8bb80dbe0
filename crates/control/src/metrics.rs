//! Pure: no I/O, no clock.
//! [`Metrics`]: what happened since the start, counted for `/metrics`.
//!
//! Nothing here is on the path of audio: a call is counted when its end is written, a turn when the agent tells of it.

mod histogram;
mod process;
mod text;

pub(crate) use process::Process;
pub(crate) use text::{Kind, Text};

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::call::Quality;
use crate::end_reason::END_REASONS;
use histogram::Histogram;

/// From the end of their speech to our first sound.
const TURN_SECONDS: &[f64] = &[0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0];
/// From the answer to the end.
const CALL_SECONDS: &[f64] = &[5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];
/// One lost packet in a thousand is not heard; one in ten is.
const LOSS: &[f64] = &[0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
/// A jitter buffer takes some tens of milliseconds.
const JITTER_SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16];

/// What happened since the start.
#[derive(Debug)]
pub(crate) struct Metrics {
    started: Timestamp,
    counted: Mutex<Counted>,
}

#[derive(Debug)]
struct Counted {
    ended: BTreeMap<&'static str, u64>,
    turns: Histogram,
    calls: Histogram,
    loss: Histogram,
    jitter: Histogram,
}

impl Metrics {
    pub(crate) fn new(started: Timestamp) -> Self {
        let counted = Counted {
            // A reason that has not been is 0, so that its first time is seen as a rise.
            ended: END_REASONS.into_iter().map(|reason| (reason, 0)).collect(),
            turns: Histogram::new(TURN_SECONDS),
            calls: Histogram::new(CALL_SECONDS),
            loss: Histogram::new(LOSS),
            jitter: Histogram::new(JITTER_SECONDS),
        };
        Self { started, counted: Mutex::new(counted) }
    }

    /// A call has ended; it lasted so long, if it was answered.
    pub(crate) fn call_ended(&self, reason: &'static str, lasted: Option<Duration>, quality: Option<&Quality>) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.ended.entry(reason).or_default() += 1;
        if let Some(lasted) = lasted {
            counted.calls.observe(lasted.as_secs_f64());
        }
        if let Some(quality) = quality {
            counted.loss.observe(quality.loss);
            counted.jitter.observe(quality.jitter_ms / 1000.0);
        }
    }

    /// We answered what they said, so many milliseconds later.
    pub(crate) fn turn_completed(&self, response_ms: f64) {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).turns.observe(response_ms / 1000.0);
    }

    pub(crate) fn write(&self, text: &mut Text) {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        text.family("offhook_calls_ended_total", Kind::Counter, "Calls that have ended, by end_reason.");
        for (&reason, &count) in &counted.ended {
            text.sample(&[("end_reason", reason)], count as f64);
        }
        text.family("offhook_turn_latency_seconds", Kind::Histogram, "End of their speech to our first sound.");
        counted.turns.write(text);
        text.family("offhook_call_duration_seconds", Kind::Histogram, "Answer to end, of calls that were answered.");
        counted.calls.write(text);
        text.family("offhook_call_rtp_loss_ratio", Kind::Histogram, "Share of their packets lost, of a whole call.");
        counted.loss.write(text);
        text.family(
            "offhook_call_rtp_jitter_seconds",
            Kind::Histogram,
            "Their jitter (RFC 3550) at the end of a call.",
        );
        counted.jitter.write(text);
        text.family("process_start_time_seconds", Kind::Gauge, "When the program started, since 1970.");
        text.sample(&[], self.started.as_second() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_reason_is_there_before_it_first_happens() {
        let metrics = Metrics::new(Timestamp::from_second(1_800_000_000).unwrap());
        metrics.call_ended("busy", None, None);
        let text = written(&metrics);
        assert!(text.contains("offhook_calls_ended_total{end_reason=\"busy\"} 1\n"), "{text}");
        assert!(text.contains("offhook_calls_ended_total{end_reason=\"interrupted\"} 0\n"), "{text}");
        assert!(text.contains("process_start_time_seconds 1800000000\n"), "{text}");
        assert!(text.contains("offhook_call_duration_seconds_count 0\n"), "{text}");
    }

    #[test]
    fn an_answered_call_tells_how_long_it_was_and_how_it_sounded() {
        let metrics = Metrics::new(Timestamp::UNIX_EPOCH);
        let quality =
            Quality { mos: 4.1, loss: 0.03, jitter_ms: 3.0, level_dbm0: -20.0, unheard_ms: 0, unrecorded_ms: 0 };
        metrics.call_ended("completed", Some(Duration::from_secs(61)), Some(&quality));
        metrics.turn_completed(640.0);
        let text = written(&metrics);
        for line in [
            "offhook_call_duration_seconds_bucket{le=\"60\"} 0\n",
            "offhook_call_duration_seconds_bucket{le=\"120\"} 1\n",
            "offhook_call_rtp_loss_ratio_bucket{le=\"0.02\"} 0\n",
            "offhook_call_rtp_loss_ratio_bucket{le=\"0.05\"} 1\n",
            "offhook_call_rtp_jitter_seconds_sum 0.003\n",
            "offhook_turn_latency_seconds_bucket{le=\"0.5\"} 0\n",
            "offhook_turn_latency_seconds_bucket{le=\"0.75\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    fn written(metrics: &Metrics) -> String {
        let mut text = Text::default();
        metrics.write(&mut text);
        text.finish()
    }
}
