//! Pure: no I/O, no clock.
//! What an agent observed, in the words of the API's events and records.

use std::time::Duration;

use agent::{AgentEvent, AnsweredBy, DigitSource, Speaker};
use gateway::OneWay;
use serde_json::{Value, json};
use store::{CallChange, TranscriptRow};

use crate::call::{Quality, Turn};
use crate::journal::NewEvent;

/// What one observation becomes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    /// For the journal.
    pub(crate) event: NewEvent,
    /// For the call's record.
    pub(crate) record: Record,
}

/// What changes in the call's record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    Nothing,
    Change(CallChange),
    Said(TranscriptRow),
}

/// They are not heard though they should be, or are again.
pub(crate) fn one_way(since_answer: Duration, cause: Option<OneWay>) -> NewEvent {
    let event = NewEvent::new("media.one_way", since_answer.as_millis() as u64);
    match cause {
        Some(cause) => event
            .with("phase", "start")
            .with("direction", "inbound")
            .with("cause", one_way_name(cause))
            .with("detail", cause.to_string()),
        None => event.with("phase", "end").with("direction", "inbound"),
    }
}

/// How a call sounds so far.
pub(crate) fn quality(since_answer: Duration, quality: &Quality) -> NewEvent {
    let Quality { mos, loss, jitter_ms, level_dbm0, unheard_ms, unrecorded_ms } = quality;
    let told = json!({
        "mos": mos, "loss": loss, "jitter_ms": jitter_ms, "level_dbm0": level_dbm0, "unheard_ms": unheard_ms,
        "unrecorded_ms": unrecorded_ms,
    });
    NewEvent::new("call.quality", since_answer.as_millis() as u64).with("quality", told)
}

fn one_way_name(cause: OneWay) -> &'static str {
    match cause {
        OneWay::NothingArrives => "nothing_arrives",
        OneWay::PrivateAddress(_) => "private_address",
        OneWay::NotRtp => "not_rtp",
        OneWay::PayloadType(_) => "payload_type",
        OneWay::Source(_) => "other_source",
        OneWay::Unauthentic => "unauthentic",
    }
}

pub(crate) fn tell(event: AgentEvent) -> Told {
    let only = |event| Told { event, record: Record::Nothing };
    match event {
        AgentEvent::Transcript { at_ms, end_ms, speaker, text } => Told {
            event: NewEvent::new("call.transcript", at_ms)
                .with("end_ms", end_ms)
                .with("speaker", speaker_name(speaker))
                .with("text", text.clone())
                .with("final", true),
            record: Record::Said(TranscriptRow {
                at_ms: bounded(at_ms),
                end_ms: bounded(end_ms),
                speaker: speaker_name(speaker).to_owned(),
                text,
            }),
        },
        AgentEvent::AnsweredBy { at_ms, answered_by, confidence } => Told {
            event: NewEvent::new("call.answered_by", at_ms)
                .with("answered_by", answered_by_name(answered_by))
                .with("confidence", (f64::from(confidence) * 1000.0).round() / 1000.0),
            record: Record::Change(CallChange {
                answered_by: Some(answered_by_name(answered_by).to_owned()),
                ..CallChange::default()
            }),
        },
        AgentEvent::DtmfSent { at_ms, digits } => Told {
            event: NewEvent::new("call.dtmf.sent", at_ms).with("digits", digits.clone()),
            record: Record::Change(CallChange { digits: Some(digits), ..CallChange::default() }),
        },
        AgentEvent::DigitReceived { at_ms, digit, source } => only(
            NewEvent::new("call.dtmf.received", at_ms)
                .with("digit", digit.to_string())
                .with("source", source_name(source)),
        ),
        AgentEvent::PromptClassified { at_ms, kind, text } => {
            only(NewEvent::new("call.prompt.classified", at_ms).with("kind", kind).with("text", text))
        }
        AgentEvent::Menu { at_ms, options } => {
            let options: Vec<Value> =
                options.into_iter().map(|(key, label)| json!({"key": key, "label": label})).collect();
            only(NewEvent::new("call.ivr.menu", at_ms).with("options", options))
        }
        AgentEvent::Chose { at_ms, key, label } => {
            only(NewEvent::new("call.ivr.chose", at_ms).with("key", key).with("label", label))
        }
        AgentEvent::Turn(turn) => {
            let Turn { at_ms, response_ms, endpoint_ms, stt_ms, llm_ms, tts_ms, gateway_ms } = Turn::from(&turn);
            only(
                NewEvent::new("call.turn.completed", at_ms)
                    .with("response_ms", response_ms)
                    .with("endpoint_ms", endpoint_ms)
                    .with("stt_ms", stt_ms)
                    .with("llm_ms", llm_ms)
                    .with("tts_ms", tts_ms)
                    .with("gateway_ms", gateway_ms),
            )
        }
        AgentEvent::Hold { at_ms, holding: true } => only(NewEvent::new("call.hold.started", at_ms)),
        AgentEvent::Hold { at_ms, holding: false } => only(NewEvent::new("call.hold.ended", at_ms)),
        AgentEvent::Nudged { at_ms, count } => only(NewEvent::new("call.nudged", at_ms).with("count", count)),
        AgentEvent::ToolCalled { at_ms, name, arguments, because } => {
            // A model may write what is no JSON; it is then shown as it is.
            let arguments = serde_json::from_str(&arguments).unwrap_or(Value::String(arguments));
            only(
                NewEvent::new("call.tool.called", at_ms)
                    .with("name", name)
                    .with("arguments", arguments)
                    .with("because", because),
            )
        }
        AgentEvent::VoicemailLeft { at_ms } => only(NewEvent::new("call.voicemail.left", at_ms)),
    }
}

pub(crate) fn answered_by_name(answered_by: AnsweredBy) -> &'static str {
    match answered_by {
        AnsweredBy::Human => "human",
        AnsweredBy::Machine => "machine",
        AnsweredBy::Ivr => "ivr",
        AnsweredBy::Fax => "fax",
        AnsweredBy::Screening => "screening",
        AnsweredBy::Unknown => "unknown",
    }
}

fn speaker_name(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Agent => "agent",
        Speaker::Callee => "callee",
        Speaker::Operator => "operator",
    }
}

fn source_name(source: DigitSource) -> &'static str {
    match source {
        DigitSource::Rfc4733 => "rfc4733",
        DigitSource::Inband => "inband",
        DigitSource::Info => "info",
    }
}

fn bounded(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_observation_has_its_event() {
        for (event, kind, data) in [
            (AgentEvent::Hold { at_ms: 7, holding: true }, "call.hold.started", json!({})),
            (AgentEvent::Hold { at_ms: 7, holding: false }, "call.hold.ended", json!({})),
            (AgentEvent::Nudged { at_ms: 7, count: 2 }, "call.nudged", json!({"count": 2})),
            (AgentEvent::VoicemailLeft { at_ms: 7 }, "call.voicemail.left", json!({})),
            (
                AgentEvent::DigitReceived { at_ms: 7, digit: '5', source: DigitSource::Info },
                "call.dtmf.received",
                json!({"digit": "5", "source": "info"}),
            ),
            (
                AgentEvent::Menu { at_ms: 7, options: vec![("1".into(), "billing".into())] },
                "call.ivr.menu",
                json!({"options": [{"key": "1", "label": "billing"}]}),
            ),
            (
                AgentEvent::Chose { at_ms: 7, key: "1".into(), label: "billing".into() },
                "call.ivr.chose",
                json!({"key": "1", "label": "billing"}),
            ),
            (
                AgentEvent::PromptClassified { at_ms: 7, kind: "menu".into(), text: "press one".into() },
                "call.prompt.classified",
                json!({"kind": "menu", "text": "press one"}),
            ),
            (
                AgentEvent::ToolCalled {
                    at_ms: 7,
                    name: "say".into(),
                    arguments: "{\"a\":1}".into(),
                    because: "model".into(),
                },
                "call.tool.called",
                json!({"name": "say", "arguments": {"a": 1}, "because": "model"}),
            ),
            (
                AgentEvent::ToolCalled {
                    at_ms: 7,
                    name: "say".into(),
                    arguments: "{oops".into(),
                    because: "model".into(),
                },
                "call.tool.called",
                json!({"name": "say", "arguments": "{oops", "because": "model"}),
            ),
        ] {
            let told = tell(event);
            assert_eq!((told.event.kind, told.event.at_ms, Value::Object(told.event.data)), (kind, 7, data));
            assert_eq!(told.record, Record::Nothing);
        }
    }

    #[test]
    fn keys_words_and_who_answered_change_the_record() {
        let digits = tell(AgentEvent::DtmfSent { at_ms: 1, digits: "12".into() });
        assert_eq!(digits.record, Record::Change(CallChange { digits: Some("12".into()), ..CallChange::default() }));
        let human = tell(AgentEvent::AnsweredBy { at_ms: 1, answered_by: AnsweredBy::Human, confidence: 0.9 });
        assert_eq!(human.event.data["confidence"], 0.9);
        assert_eq!(
            human.record,
            Record::Change(CallChange { answered_by: Some("human".into()), ..CallChange::default() })
        );
        let said = tell(AgentEvent::Transcript { at_ms: 1, end_ms: 2, speaker: Speaker::Agent, text: "hello".into() });
        assert_eq!(
            said.record,
            Record::Said(TranscriptRow { at_ms: 1, end_ms: 2, speaker: "agent".into(), text: "hello".into() })
        );
    }
}
