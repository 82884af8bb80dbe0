//! The end of a call that was carried: what it was, and its last words.

use std::sync::Arc;
use std::time::Duration;

use gateway::CallEnd;
use tokio::time::sleep;

use super::{Carry, Ended};
use crate::call::{CallResult, Latency};
use crate::end_reason::{End, Reached, summary};
use crate::ending::FinalWords;
use crate::telling::answered_by_name;
use crate::{clock, recording, signalling};

/// How long we wait before each attempt to write down an end.
const END_RETRIES: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(5)];

impl Carry {
    pub(super) async fn end(self, ended: Ended) {
        let CallEnd { cause, sip_status, reason: words, reason_header, disposition } = ended.call_end;
        let reason =
            End { cause, agent: ended.agent, answered: self.answered_at.is_some(), ordered: self.ordered }.reason();
        let failure = self.line.get().and_then(|line| line.recording_failure());
        let (recording, recording_failure) = match self.calls.recording_of(&self.id) {
            Some(path) => recording::left(&path, failure).await,
            None => (None, None),
        };
        let reached = self.reached();
        let outcome = ended.outcome;
        let result = match (&outcome, self.answered_at) {
            (Some(outcome), Some(_)) => with_summary(outcome.result.clone().into(), reason, words.as_deref()),
            (None, Some(_)) => CallResult::plain("unknown", summary(reason, reached, words.as_deref())),
            (_, None) => CallResult::plain("failed", summary(reason, reached, words.as_deref())),
        };
        let final_words = FinalWords {
            reason,
            sip_status,
            words,
            disposition,
            reason_header,
            result,
            latency: Latency::of(outcome.as_ref().map_or(&[], |outcome| &outcome.turns)),
            quality: ended.quality,
            answered_by: outcome.as_ref().and_then(|outcome| outcome.answered_by).map(answered_by_name),
            digits: outcome.map_or(self.digits, |outcome| outcome.digits_sent),
            answered_at: self.answered_at,
            ended_at: clock::now(),
            recording,
            recording_failure,
        };
        for wait in END_RETRIES {
            sleep(wait).await;
            match final_words.write(&self.calls, &self.id).await {
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(call_id = %self.id, %error, "the end of a call could not be written")
                }
            }
        }
        tracing::info!(call_id = %self.id, end_reason = reason, "call ended");
        if let Some(line) = self.line.get() {
            signalling::settle(&self.calls, &self.id, Arc::clone(line));
        }
        self.calls.leave(&self.id);
    }

    fn reached(&self) -> Reached {
        match self.answered_at {
            Some(_) => Reached::Answer,
            None if self.dialed => Reached::Line,
            None => Reached::Queue,
        }
    }
}

/// A result says something in every case.
fn with_summary(result: CallResult, end_reason: &str, words: Option<&str>) -> CallResult {
    if result.summary.trim().is_empty() {
        CallResult { summary: summary(end_reason, Reached::Answer, words), ..result }
    } else {
        result
    }
}
