//! [`NewCall`]: what is asked for with `POST /v1/calls`.

use std::collections::BTreeMap;
use std::time::Duration;

use agent::Task;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{AgentRequest, Error, duration, target};

/// Bounds of a request, in bytes where not said otherwise.
pub(crate) const MAX_GOAL: usize = 4000;
const MAX_FACTS: usize = 64;
pub(crate) const MAX_FACT: usize = 1000;
const MAX_NAME: usize = 200;
const MAX_CONTEXT_ENTRIES: usize = 64;
/// A call shorter than this cannot even ring.
const MIN_DURATION: Duration = Duration::from_secs(1);

/// A call to place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCall {
    /// A number (`+` and 3 to 15 digits), an extension or user name, or a `sip:` URI.
    #[schema(example = "+15550100")]
    pub to: String,
    /// What to do.
    pub task: NewTask,
    /// Which agent; `default` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Which trunk; the first that has an address to call out by when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    /// Who calls, instead of the trunk's caller id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    /// The longest the call may take, from dialing: `90s`, `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "90s")]
    pub max_duration: Option<String>,
    /// What else the agent may know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub context: Option<serde_json::Map<String, serde_json::Value>>,
    /// In whose name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<OnBehalfOf>,
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// In plain words.
    #[schema(example = "book an appointment with the dermatologist on Tuesday")]
    pub goal: String,
    /// What the agent knows and may say.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

/// In whose name a call is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OnBehalfOf {
    /// Their name.
    pub name: String,
    /// Their number: the fact `phone`, unless the task has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl NewCall {
    /// Checks everything but what needs the configuration.
    pub(crate) fn check(&self) -> Result<(), Error> {
        target::check_form(&self.to)?;
        let goal = self.task.goal.trim();
        if goal.is_empty() || goal.len() > MAX_GOAL {
            return Err(Error::invalid("task.goal", format!("say in 1 to {MAX_GOAL} bytes what the call is for")));
        }
        if self.task.facts.len() > MAX_FACTS {
            return Err(Error::invalid("task.facts", format!("send at most {MAX_FACTS} facts")));
        }
        for (name, fact) in &self.task.facts {
            if name.trim().is_empty() || name.len() > MAX_NAME || fact.len() > MAX_FACT {
                let message = format!("a fact has a name of 1 to {MAX_NAME} bytes and a value of at most {MAX_FACT}");
                return Err(Error::invalid(format!("task.facts.{}", shortened(name)), message));
            }
        }
        if let Some(caller_id) = &self.caller_id {
            target::check_caller_id(caller_id)?;
        }
        if let Some(on_behalf_of) = &self.on_behalf_of {
            check_name("on_behalf_of.name", &on_behalf_of.name)?;
            if let Some(phone) = &on_behalf_of.phone {
                check_name("on_behalf_of.phone", phone)?;
            }
        }
        match &self.context {
            Some(context) if context.len() > MAX_CONTEXT_ENTRIES => {
                Err(Error::invalid("context", format!("send at most {MAX_CONTEXT_ENTRIES} entries")))
            }
            _ => Ok(()),
        }
    }

    /// What its agent has to know.
    pub(crate) fn for_agent(&self, call_id: &str, agent_id: &str) -> AgentRequest {
        let mut facts = self.task.facts.clone();
        if let Some(phone) = self.on_behalf_of.as_ref().and_then(|person| person.phone.clone()) {
            facts.entry("phone".to_owned()).or_insert(phone);
        }
        AgentRequest {
            call_id: call_id.to_owned(),
            agent_id: agent_id.to_owned(),
            task: Some(Task { goal: self.task.goal.clone(), facts }),
            on_behalf_of: self.on_behalf_of.as_ref().map(|person| person.name.clone()),
            context: self.context.clone(),
            introduction: None,
        }
    }

    /// How long the call may take, at most `limit`.
    pub(crate) fn duration(&self, limit: Duration) -> Result<Duration, Error> {
        let Some(text) = &self.max_duration else {
            return Ok(limit);
        };
        match duration::parse(text) {
            Some(duration) if (MIN_DURATION..=limit).contains(&duration) => Ok(duration),
            _ => Err(Error::invalid(
                "max_duration",
                format!("send a duration from \"1s\" to \"{}s\", such as \"90s\"", limit.as_secs()),
            )),
        }
    }
}

/// What is there, `null` included: for changes, where that takes something away.
pub(crate) fn given<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(reader).map(Some)
}

fn check_name(field: &str, name: &str) -> Result<(), Error> {
    if name.trim().is_empty() || name.len() > MAX_NAME {
        return Err(Error::invalid(field, format!("send 1 to {MAX_NAME} bytes")));
    }
    Ok(())
}

fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_field_is_named() {
        let fact = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        for (request, field) in [
            (NewCall { to: "tel:1".into(), ..good() }, "to"),
            (NewCall { task: NewTask { goal: " ".into(), ..NewTask::default() }, ..good() }, "task.goal"),
            (NewCall { task: NewTask { facts: fact("", "x"), ..good().task }, ..good() }, "task.facts."),
            (
                NewCall { task: NewTask { facts: fact("n", &"x".repeat(1001)), ..good().task }, ..good() },
                "task.facts.n",
            ),
            (NewCall { caller_id: Some("a b".into()), ..good() }, "caller_id"),
            (
                NewCall { on_behalf_of: Some(OnBehalfOf { name: String::new(), phone: None }), ..good() },
                "on_behalf_of.name",
            ),
        ] {
            match request.check().unwrap_err() {
                Error::Invalid { field: named, .. } => assert_eq!(named, field),
                other => panic!("{other}"),
            }
        }
        assert!(good().check().is_ok());
    }

    #[test]
    fn the_number_of_whom_a_call_is_for_is_a_fact() {
        let request = NewCall {
            on_behalf_of: Some(OnBehalfOf { name: "Ada".into(), phone: Some("+15550100".into()) }),
            ..good()
        };
        let agent = request.for_agent("call_1", "default");
        assert_eq!(agent.on_behalf_of.as_deref(), Some("Ada"));
        assert_eq!(agent.task.unwrap().facts["phone"], "+15550100");
    }

    #[test]
    fn a_call_may_ask_for_less_time_but_not_for_more() {
        let limit = Duration::from_secs(600);
        let ask = |text: &str| NewCall { max_duration: Some(text.into()), ..good() }.duration(limit);
        assert_eq!(good().duration(limit).unwrap(), limit);
        assert_eq!(ask("90s").unwrap(), Duration::from_secs(90));
        for text in ["0s", "11m", "90", "soon"] {
            assert!(ask(text).is_err(), "{text}");
        }
    }

    fn good() -> NewCall {
        NewCall {
            to: "+15550100".into(),
            task: NewTask { goal: "ask for the hours".into(), ..NewTask::default() },
            ..NewCall::default()
        }
    }
}
