//! [`Call`]: a call as the API shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::CallRow;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::{Error, Price};

/// A call. All fields are always present; `null` where not known (yet).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Call {
    /// `call_…`; sorts by time.
    pub id: String,
    /// `queued`, `dialing`, `ringing`, `early_media`, `answered`, `ended`. `ended` is set when
    /// `result`, `latency` and `cost` are final.
    #[schema(example = "answered")]
    pub status: String,
    /// `outbound` or `inbound`.
    pub direction: String,
    /// Called party.
    pub to: String,
    /// Calling party.
    pub from: Option<String>,
    /// Trunk by name.
    pub trunk: Option<String>,
    /// Agent by id.
    pub agent_id: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub answered_at: Option<String>,
    /// RFC 3339.
    pub ended_at: Option<String>,
    /// From the answer to the end; 0 when nobody answered.
    pub duration_ms: Option<i64>,
    /// `completed`, `callee_hung_up`, `busy`, `no_answer`, `rejected`, `failed`, `canceled`, `voicemail`,
    /// `message_left`, `fax`, `transferred`, `do_not_call`, `silence`, `tool_loop`, `spend_limit`,
    /// `time_limit`, `media_timeout`, `shutdown`, `interrupted`. `canceled` is an end that was asked for with
    /// `actions/hangup`, before the answer or after it; `interrupted` one at which the service stopped unexpectedly.
    pub end_reason: Option<String>,
    /// The peer's final status, never remapped.
    pub sip_status: Option<i64>,
    /// The peer's own words.
    pub reason: Option<String>,
    /// `human`, `machine`, `ivr`, `fax`, `screening`, `unknown`.
    pub answered_by: Option<String>,
    /// Keys pressed so far.
    pub digits_sent: String,
    /// What came of it.
    pub result: Option<CallResult>,
    /// How fast we answered.
    pub latency: Option<Latency>,
    /// How it sounded.
    pub quality: Option<Quality>,
    /// What it cost.
    pub cost: Option<Cost>,
    /// What looked odd.
    pub warnings: Vec<String>,
    /// What the trunk says of who calls us; `null` where it says nothing, and of outbound calls.
    pub caller: Option<Caller>,
    /// What a refusal (`sip_status`, and the cause of the telephone network beside it) says of the next try:
    /// `number` (never for this number), `busy`, `unavailable` or `target` (later, `target` being what is between us and
    /// them), `declined` (not soon), `credentials`, `configuration`, `media`, `interval`, `extension` or `redirected` (not
    /// before somebody has changed something), `canceled`. `null` for calls that were not refused.
    pub disposition: Option<String>,
    /// How long they ask us to wait before the next try.
    pub retry_after_s: Option<i64>,
    /// Their Reason header (RFC 3326) of a refusal, a BYE or a CANCEL, as it came.
    #[schema(example = "Q.850;cause=17;text=\"User busy\"")]
    pub reason_header: Option<String>,
}

impl Call {
    pub(crate) fn from_row(row: CallRow) -> Result<Self, Error> {
        fn read<T: serde::de::DeserializeOwned>(json: Option<&String>) -> Result<Option<T>, serde_json::Error> {
            json.map(|json| serde_json::from_str(json)).transpose()
        }
        Ok(Self {
            result: read(row.result_json.as_ref())?,
            latency: read(row.latency_json.as_ref())?,
            quality: read(row.quality_json.as_ref())?,
            cost: read(row.cost_json.as_ref())?,
            warnings: serde_json::from_str(&row.warnings_json)?,
            caller: read(row.caller_json.as_ref())?,
            disposition: row.disposition,
            retry_after_s: row.retry_after_s,
            reason_header: row.reason_header,
            id: row.id,
            status: row.status,
            direction: row.direction,
            to: row.to,
            from: row.from,
            trunk: row.trunk,
            agent_id: row.agent_id,
            created_at: row.created_at,
            answered_at: row.answered_at,
            ended_at: row.ended_at,
            duration_ms: row.duration_ms,
            end_reason: row.end_reason,
            sip_status: row.sip_status,
            reason: row.reason,
            answered_by: row.answered_by,
            digits_sent: row.digits_sent,
        })
    }
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallResult {
    /// `succeeded`, `partial`, `failed` or `unknown`.
    pub outcome: String,
    /// Plain sentences.
    pub summary: String,
    /// What was learnt, as a person would write it.
    pub answers: BTreeMap<String, String>,
    /// What shows it.
    pub evidence: Vec<Evidence>,
}

impl CallResult {
    /// A result with nothing but a summary.
    pub(crate) fn plain(outcome: &str, summary: String) -> Self {
        Self { outcome: outcome.to_owned(), summary, answers: BTreeMap::new(), evidence: Vec::new() }
    }
}

impl From<agent::CallResult> for CallResult {
    fn from(result: agent::CallResult) -> Self {
        let outcome = match result.outcome {
            agent::OutcomeKind::Succeeded => "succeeded",
            agent::OutcomeKind::Partial => "partial",
            agent::OutcomeKind::Failed => "failed",
            agent::OutcomeKind::Unknown => "unknown",
        };
        let evidence = |piece: agent::Evidence| Evidence { at_ms: piece.at_ms, kind: piece.kind, text: piece.text };
        Self {
            outcome: outcome.to_owned(),
            summary: result.summary,
            answers: result.answers,
            evidence: result.evidence.into_iter().map(evidence).collect(),
        }
    }
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Since the answer.
    pub at_ms: u64,
    /// `heard`, `said`, `pressed`, …
    pub kind: String,
    /// In words.
    pub text: String,
}

/// How fast we answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Latency {
    /// From the end of their speech to our first sound on the wire.
    pub response_ms: ResponseMs,
    /// One a turn of ours.
    pub turns: Vec<Turn>,
}

impl Latency {
    /// Percentiles by nearest rank.
    pub(crate) fn of(turns: &[agent::TurnLatency]) -> Self {
        let mut sorted: Vec<f64> = turns.iter().map(|turn| turn.response_ms).filter(|ms| ms.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let percentile = |percent: usize| {
            sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).map(|&ms| round(ms, 1))
        };
        Self {
            response_ms: ResponseMs { p50: percentile(50), p95: percentile(95) },
            turns: turns.iter().map(Turn::from).collect(),
        }
    }
}

/// Percentiles; `null` without turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ResponseMs {
    pub p50: Option<f64>,
    pub p95: Option<f64>,
}

/// The latency of one turn, in ms; `at_ms` since the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs, reason = "the names are those of the stages")]
pub struct Turn {
    pub at_ms: u64,
    pub response_ms: f64,
    pub endpoint_ms: f64,
    pub stt_ms: f64,
    pub llm_ms: f64,
    pub tts_ms: f64,
    pub gateway_ms: f64,
}

impl From<&agent::TurnLatency> for Turn {
    fn from(turn: &agent::TurnLatency) -> Self {
        Self {
            at_ms: turn.at_ms,
            response_ms: round(turn.response_ms, 1),
            endpoint_ms: round(turn.endpoint_ms, 1),
            stt_ms: round(turn.stt_ms, 1),
            llm_ms: round(turn.llm_ms, 1),
            tts_ms: round(turn.tts_ms, 1),
            gateway_ms: round(turn.gateway_ms, 1),
        }
    }
}

/// How a call sounded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs, reason = "the names are the trade's")]
pub struct Quality {
    pub mos: f64,
    pub loss: f64,
    pub jitter_ms: f64,
    pub level_dbm0: f64,
    /// What they said and the agent was too slow to hear.
    #[serde(default)]
    pub unheard_ms: u64,
    /// Silence in the recording for what the disk was too slow to take.
    #[serde(default)]
    pub unrecorded_ms: u64,
}

impl From<gateway::Quality> for Quality {
    fn from(quality: gateway::Quality) -> Self {
        Self {
            mos: round(quality.mos.into(), 2),
            loss: round(quality.loss.into(), 4),
            jitter_ms: round(quality.jitter_ms.into(), 1),
            level_dbm0: round(quality.level_dbm0.into(), 1),
            unheard_ms: quality.unheard_ms,
            unrecorded_ms: quality.unrecorded_ms,
        }
    }
}

/// What a call cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cost {
    /// In the currency's units.
    pub amount: f64,
    /// ISO 4217.
    pub currency: String,
}

impl Cost {
    /// By the second begun, from the answer.
    pub(crate) fn of(price: &Price, duration_ms: i64) -> Self {
        let seconds = u64::try_from(duration_ms).unwrap_or(0).div_ceil(1000);
        let micros = price.micros_per_minute.saturating_mul(seconds) / 60;
        Self { amount: micros as f64 / 1e6, currency: price.currency.clone() }
    }
}

/// Rounds; what is no number (a meter that saw nothing) is 0, since JSON has no word for it.
fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    if value.is_finite() { (value * scale).round() / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let turns: Vec<_> = (1..=20).rev().map(|n| turn(f64::from(n) * 100.0)).collect();
        assert_eq!(Latency::of(&turns).response_ms, ResponseMs { p50: Some(1000.0), p95: Some(1900.0) });
        assert_eq!(Latency::of(&turns[..1]).response_ms, ResponseMs { p50: Some(2000.0), p95: Some(2000.0) });
        assert_eq!(Latency::of(&[]).response_ms, ResponseMs { p50: None, p95: None });
    }

    #[test]
    fn a_second_begun_is_a_second_paid() {
        let price = Price { micros_per_minute: 13_000, currency: "USD".to_owned() };
        assert_eq!(Cost::of(&price, 90_001).amount, 0.019716);
        assert_eq!(Cost::of(&price, 0).amount, 0.0);
        assert_eq!(Cost::of(&Price::default(), 90_001).amount, 0.0);
    }

    #[test]
    fn a_meter_that_saw_nothing_shows_zero() {
        let quality = gateway::Quality {
            mos: f32::NAN,
            loss: 0.031_25,
            jitter_ms: 3.16,
            level_dbm0: f32::NEG_INFINITY,
            ..gateway::Quality::default()
        };
        let shown = serde_json::to_value(Quality::from(quality)).unwrap();
        let expected = serde_json::json!({
            "mos": 0.0, "loss": 0.0313, "jitter_ms": 3.2, "level_dbm0": 0.0, "unheard_ms": 0, "unrecorded_ms": 0
        });
        assert_eq!(shown, expected);
    }

    fn turn(response_ms: f64) -> agent::TurnLatency {
        agent::TurnLatency {
            at_ms: 0,
            response_ms,
            endpoint_ms: 0.0,
            stt_ms: 0.0,
            llm_ms: 0.0,
            tts_ms: 0.0,
            gateway_ms: 0.0,
        }
    }
}
