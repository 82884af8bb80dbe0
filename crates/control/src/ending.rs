//! The end of a call, written down at once and for good.

use std::time::Duration;

use gateway::{Disposition, RecordingFailure, RecordingFormat};
use jiff::Timestamp;
use store::CallEnding;

use crate::call::{CallResult, Cost, Latency, Quality};
use crate::calls::Calls;
use crate::end_reason::{Reached, summary};
use crate::journal::{Change, NewEvent};
use crate::{Error, clock, disposition, recording, telling};

/// Everything that is final when a call ends.
pub(crate) struct FinalWords {
    pub(crate) reason: &'static str,
    pub(crate) sip_status: Option<u16>,
    pub(crate) words: Option<String>,
    pub(crate) disposition: Option<Disposition>,
    pub(crate) reason_header: Option<String>,
    pub(crate) result: CallResult,
    pub(crate) latency: Latency,
    pub(crate) quality: Option<Quality>,
    pub(crate) answered_by: Option<&'static str>,
    pub(crate) digits: String,
    pub(crate) answered_at: Option<Timestamp>,
    pub(crate) ended_at: Timestamp,
    pub(crate) recording: Option<String>,
    /// Why it is not whole.
    pub(crate) recording_failure: Option<RecordingFailure>,
}

impl FinalWords {
    /// Writes all of it, and the events, in one transaction. `call.ended` is the last event of a call.
    pub(crate) async fn write(&self, calls: &Calls, id: &str) -> Result<bool, Error> {
        let lasted = self.answered_at.map_or(0, |at| self.ended_at.duration_since(at).as_millis().max(0));
        let duration_ms = i64::try_from(lasted).unwrap_or(i64::MAX);
        let at_ms = duration_ms.unsigned_abs();
        let ending = CallEnding {
            answered_at: self.answered_at.map(clock::rfc3339),
            ended_at: clock::rfc3339(self.ended_at),
            duration_ms,
            end_reason: self.reason.to_owned(),
            sip_status: self.sip_status.map(i64::from),
            reason: self.words.clone(),
            answered_by: self.answered_by.map(str::to_owned),
            digits_sent: self.digits.clone(),
            result_json: serde_json::to_string(&self.result)?,
            latency_json: serde_json::to_string(&self.latency)?,
            quality_json: self.quality.as_ref().map(serde_json::to_string).transpose()?,
            cost_json: serde_json::to_string(&Cost::of(&calls.config().price, duration_ms))?,
            recording: self.recording.clone(),
            disposition: self.disposition.map(|disposition| disposition::name(disposition).to_owned()),
            retry_after_s: self.disposition.and_then(disposition::retry_after_s),
            reason_header: self.reason_header.clone(),
        };
        let mut events = Vec::new();
        events.extend(self.quality.as_ref().map(|quality| telling::quality(Duration::from_millis(at_ms), quality)));
        let url = self.recording.as_ref().map(|_| format!("/v1/calls/{id}/recording"));
        match (&self.recording_failure, url) {
            (Some(failure), url) => events.push(
                NewEvent::new("call.recording.failed", at_ms)
                    .with("cause", failure_name(failure))
                    .with("detail", failure.to_string())
                    .with("url", url),
            ),
            (None, Some(url)) => events.push(NewEvent::new("call.recording.ready", at_ms).with("url", url)),
            (None, None) => {}
        }
        events.push(
            NewEvent::new("call.ended", at_ms)
                .with("end_reason", self.reason)
                .with("sip_status", self.sip_status)
                .with("reason", self.words.clone())
                .with("duration_ms", duration_ms)
                .with("result", serde_json::to_value(&self.result)?),
        );
        let written = calls.journal().record(id, Change::End(&ending), events).await?;
        if written {
            let lasted = self.answered_at.map(|_| Duration::from_millis(at_ms));
            calls.metrics().call_ended(self.reason, lasted, self.quality.as_ref());
        }
        Ok(written)
    }
}

fn failure_name(failure: &RecordingFailure) -> &'static str {
    match failure {
        RecordingFailure::Stalled => "stalled",
        RecordingFailure::Write(_) => "write_failed",
    }
}

/// Ends the calls that a crash left open, at their last sign of life.
pub(crate) async fn end_interrupted(calls: &Calls) -> Result<(), Error> {
    let store = &calls.config().store;
    for row in store.unfinished_calls().await? {
        let time = |text: Option<String>| text.and_then(|text| text.parse::<Timestamp>().ok());
        let last_sign = store.last_event_of(&row.id).await?;
        let ended_at = time(last_sign.and_then(|event| timestamp_of(&event.body))).or(time(Some(row.created_at)));
        let (reached, outcome) = match (&row.answered_at, row.status.as_str()) {
            (Some(_), _) => (Reached::Answer, "unknown"),
            (None, "queued") => (Reached::Queue, "failed"),
            (None, _) => (Reached::Line, "failed"),
        };
        let mut recording = None;
        // Another format may have been configured then.
        for path in RecordingFormat::ALL.iter().filter_map(|format| calls.recording_as(&row.id, *format)) {
            recording = recording.or(recording::kept(&path).await);
        }
        let final_words = FinalWords {
            reason: "interrupted",
            sip_status: None,
            words: None,
            disposition: None,
            reason_header: None,
            result: CallResult::plain(outcome, summary("interrupted", reached, None)),
            latency: Latency::of(&[]),
            quality: None,
            answered_by: None,
            digits: row.digits_sent,
            answered_at: time(row.answered_at),
            ended_at: ended_at.unwrap_or_else(clock::now),
            recording,
            recording_failure: None,
        };
        final_words.write(calls, &row.id).await?;
        tracing::warn!(call_id = %row.id, "call was interrupted by the end of the program");
    }
    Ok(())
}

fn timestamp_of(event: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Stamped {
        timestamp: String,
    }
    Some(serde_json::from_str::<Stamped>(event).ok()?.timestamp)
}
