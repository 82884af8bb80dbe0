//! Pure: no I/O, no clock.
//! What is asked for with `POST` and `PATCH /v1/scheduled-calls`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::retry::{ANSWERED, Retry, UNANSWERED};
use super::when::Wish;
use crate::request::{NewTask, given};
use crate::{Error, duration, target};

/// Most recipients of one scheduled call.
pub(crate) const MAX_RECIPIENTS: usize = 1000;
/// Greatest priority, and the least with a minus.
const MAX_PRIORITY: i64 = 1000;
/// Most calls to one recipient.
const MAX_ATTEMPTS: u32 = 20;
/// Shortest and longest wait between two of them.
const BACKOFF: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600);

/// A call to be made later, to one or several.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewScheduledCall {
    /// Whom: numbers (`+` and 3 to 15 digits), extensions or user names, or `sip:` URIs; each once.
    #[schema(example = json!(["+15550100"]))]
    pub(crate) to_phone_numbers: Vec<String>,
    /// What to do: a prompt whose content and introduction are copied. Either this or `task`.
    #[serde(default)]
    pub(crate) prompt_id: Option<String>,
    /// What to do.
    #[serde(default)]
    pub(crate) task: Option<NewTask>,
    /// Which agent; `default` when left out.
    #[serde(default)]
    pub(crate) agent_id: Option<String>,
    /// RFC 3339; without an offset (`2027-03-01T09:00`) a local time in `time_zone`. A local time that does not exist,
    /// because clocks are set forward, is later by what they skip; one that comes twice is the first of the two.
    #[schema(example = "2027-03-01T09:00:00+01:00")]
    pub(crate) scheduled_at: String,
    /// Where the recipients are, for calling hours and local times: a name of the IANA database.
    #[serde(default)]
    #[schema(example = "Europe/Berlin")]
    pub(crate) time_zone: Option<String>,
    /// Nobody is called before: a time of every day (`09:00`) where they are, or RFC 3339, once and for all.
    #[serde(default)]
    #[schema(example = "09:00")]
    pub(crate) not_before: Option<String>,
    /// Nobody is called at this time or later: of every day (`20:00`) where they are, or RFC 3339, once and for all.
    #[serde(default)]
    #[schema(example = "20:00")]
    pub(crate) not_after: Option<String>,
    /// From -1000 to 1000: the greatest goes first where not all can.
    #[serde(default)]
    #[schema(minimum = -1000, maximum = 1000)]
    pub(crate) priority: i64,
    /// When somebody is called again; left out, nobody is.
    #[serde(default)]
    pub(crate) retry: Option<RetryRule>,
    /// What else the agent may know, and what the variables of the prompt stand for.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(crate) context: Option<Map<String, Value>>,
}

/// Another time for those who wait; what is left out stays as it is, and `null` takes it away.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rescheduling {
    /// RFC 3339; without an offset a local time in `time_zone`.
    #[serde(default)]
    pub(crate) scheduled_at: Option<String>,
    /// A name of the IANA database.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub(crate) time_zone: Option<Option<String>>,
    /// `09:00` of every day, or RFC 3339.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub(crate) not_before: Option<Option<String>>,
    /// `20:00` of every day, or RFC 3339.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub(crate) not_after: Option<Option<String>>,
}

/// When somebody is called again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetryRule {
    /// Calls to one recipient, the first included: 1 to 20.
    #[schema(minimum = 1, maximum = 20, default = 3)]
    max_attempts: u32,
    /// From the end of the first call to the second, `1s` to `168h`; doubled with each call after it.
    #[schema(default = "5m")]
    backoff: String,
    /// Longest wait, `1s` to `168h`.
    #[schema(default = "1h")]
    max_backoff: String,
    /// After which ends: of calls that nobody answered `busy`, `no_answer`, `failed` and `rejected`; of others, which are
    /// never made again unless that is said here, `voicemail`, `message_left`, `fax`, `callee_hung_up`, `silence` and
    /// `media_timeout`.
    #[schema(default = json!(["busy", "no_answer", "failed"]))]
    on: Vec<String>,
    /// Also when the service stopped before anybody answered, and it is not known whether they heard it ring.
    interrupted: bool,
}

impl Default for RetryRule {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            backoff: "5m".to_owned(),
            max_backoff: "1h".to_owned(),
            on: ["busy", "no_answer", "failed"].map(str::to_owned).to_vec(),
            interrupted: false,
        }
    }
}

impl RetryRule {
    /// What holds where none is given.
    pub(crate) fn once() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// Checks it.
    pub(crate) fn read(&self) -> Result<Retry, Error> {
        if !(1..=MAX_ATTEMPTS).contains(&self.max_attempts) {
            return Err(Error::invalid("retry.max_attempts", format!("send 1 to {MAX_ATTEMPTS}")));
        }
        if let Some(unknown) = self.on.iter().position(|end| !known_ends().any(|known| known == end)) {
            let message = format!("send some of {}", known_ends().collect::<Vec<_>>().join(", "));
            return Err(Error::invalid(format!("retry.on[{unknown}]"), message));
        }
        Ok(Retry {
            max_attempts: self.max_attempts,
            backoff: wait("retry.backoff", &self.backoff)?,
            max_backoff: wait("retry.max_backoff", &self.max_backoff)?,
            on: self.on.clone(),
            interrupted: self.interrupted,
        })
    }
}

fn known_ends() -> impl Iterator<Item = &'static str> {
    UNANSWERED.into_iter().chain(ANSWERED)
}

fn wait(field: &str, text: &str) -> Result<Duration, Error> {
    duration::parse(text)
        .filter(|wait| BACKOFF.contains(wait))
        .ok_or_else(|| Error::invalid(field, "send a duration from \"1s\" to \"168h\", such as \"5m\""))
}

impl NewScheduledCall {
    /// Checks whom to call, and all else but times and what needs the store.
    pub(crate) fn check(&self, allow: &[String]) -> Result<(), Error> {
        if !(1..=MAX_RECIPIENTS).contains(&self.to_phone_numbers.len()) {
            return Err(Error::invalid("to_phone_numbers", format!("send 1 to {MAX_RECIPIENTS} numbers")));
        }
        let mut seen = BTreeSet::new();
        for (n, to) in self.to_phone_numbers.iter().enumerate() {
            let field = format!("to_phone_numbers[{n}]");
            target::check_form(to).map_err(|error| error.of_field(&field))?;
            if !target::is_allowed(to, allow) {
                return Err(Error::NotAllowed { to: to.clone(), field });
            }
            if !seen.insert(to) {
                return Err(Error::invalid(field, "send each number once"));
            }
        }
        if self.prompt_id.is_some() == self.task.is_some() {
            return Err(Error::invalid("task", "send either task or prompt_id"));
        }
        check_priority(self.priority)?;
        self.retry.as_ref().map_or(Ok(()), |rule| rule.read().map(drop))
    }

    /// The times as they are written.
    pub(crate) fn wish(&self) -> Wish<'_> {
        Wish {
            scheduled_at: &self.scheduled_at,
            time_zone: self.time_zone.as_deref(),
            not_before: self.not_before.as_deref(),
            not_after: self.not_after.as_deref(),
        }
    }
}

fn check_priority(priority: i64) -> Result<(), Error> {
    if (-MAX_PRIORITY..=MAX_PRIORITY).contains(&priority) {
        return Ok(());
    }
    Err(Error::invalid("priority", format!("send -{MAX_PRIORITY} to {MAX_PRIORITY}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_field_is_named() {
        let to = |numbers: &[&str]| numbers.iter().map(|&number| number.to_owned()).collect::<Vec<_>>();
        let retry = |rule| NewScheduledCall { retry: Some(rule), ..new_call() };
        for (request, field) in [
            (NewScheduledCall { to_phone_numbers: Vec::new(), ..new_call() }, "to_phone_numbers"),
            (NewScheduledCall { to_phone_numbers: vec!["20".to_owned(); 1001], ..new_call() }, "to_phone_numbers"),
            (NewScheduledCall { to_phone_numbers: to(&["+1555", "tel:1"]), ..new_call() }, "to_phone_numbers[1]"),
            (NewScheduledCall { to_phone_numbers: to(&["+1555", "+1555"]), ..new_call() }, "to_phone_numbers[1]"),
            (NewScheduledCall { task: None, ..new_call() }, "task"),
            (NewScheduledCall { prompt_id: Some("prompt_1".into()), ..new_call() }, "task"),
            (NewScheduledCall { priority: 1001, ..new_call() }, "priority"),
            (retry(RetryRule { max_attempts: 0, ..RetryRule::default() }), "retry.max_attempts"),
            (retry(RetryRule { backoff: "0s".into(), ..RetryRule::default() }), "retry.backoff"),
            (retry(RetryRule { max_backoff: "169h".into(), ..RetryRule::default() }), "retry.max_backoff"),
            (retry(RetryRule { on: to(&["busy", "completed"]), ..RetryRule::default() }), "retry.on[1]"),
        ] {
            assert_eq!(named(&request.check(&["+1".to_owned()]).unwrap_err()), field);
        }
        assert!(new_call().check(&["+1".to_owned()]).is_ok());
        assert!(
            matches!(new_call().check(&[]), Err(Error::NotAllowed { field, .. }) if field == "to_phone_numbers[0]")
        );
    }

    fn new_call() -> NewScheduledCall {
        NewScheduledCall {
            to_phone_numbers: vec!["+15550100".to_owned()],
            task: Some(NewTask { goal: "ask for the hours".into(), ..NewTask::default() }),
            ..NewScheduledCall::default()
        }
    }

    fn named(error: &Error) -> &str {
        match error {
            Error::Invalid { field, .. } => field,
            other => panic!("{other}"),
        }
    }
}
