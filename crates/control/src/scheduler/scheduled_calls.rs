//! What may be done with scheduled calls: make, show, list, reschedule, cancel.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use store::{RecipientRow, Reschedule, ScheduledCallFilter, ScheduledCallRow};

use super::request::{MAX_RECIPIENTS, NewScheduledCall, Rescheduling, RetryRule};
use super::scheduled_call::ScheduledCall;
use super::when::Wish;
use crate::calls::{Calls, DEFAULT_AGENT};
use crate::idempotency::Pending;
use crate::journal::Scheduled;
use crate::prompt::{Filled, Prompt};
use crate::request::{NewCall, NewTask};
use crate::{Error, clock};

/// Prefix of the ids of scheduled calls.
pub(crate) const SCHEDULED_PREFIX: &str = "sched_";
/// Prefix of the ids of their recipients.
const RECIPIENT_PREFIX: &str = "recipient_";

impl Calls {
    /// Checks a request and keeps what it asks for, as `pending`. With `pending`, the answer is kept in the same
    /// transaction.
    pub(crate) async fn schedule(
        &self,
        request: NewScheduledCall,
        pending: Option<&Pending>,
    ) -> Result<ScheduledCall, Error> {
        let config = self.config();
        let now = self.time();
        request.check(&config.dial_allow)?;
        let when = request.wish().read(now, &config.scheduling)?;
        let first = clock::rfc3339(when.first(now, &config.scheduling)?);
        let prompt = match &request.prompt_id {
            Some(id) => Some(self.prompt_named(id).await?.fill(request.context.as_ref())?),
            None => None,
        };
        let no_facts = BTreeMap::new();
        let (content, introduction, facts) = match &prompt {
            Some(Filled { task, introduction }) => (Some(task.goal.clone()), introduction.clone(), &task.facts),
            None => (None, None, &no_facts),
        };
        let call = NewCall {
            to: request.to_phone_numbers.first().cloned().unwrap_or_default(),
            task: prompt.as_ref().map(|prompt| &prompt.task).or(request.task.as_ref()).cloned().unwrap_or_default(),
            agent_id: request.agent_id.clone(),
            context: request.context.clone(),
            ..NewCall::default()
        };
        self.check(&call)?;

        let row = ScheduledCallRow {
            id: self.new_id(SCHEDULED_PREFIX),
            status: "pending".to_owned(),
            prompt_id: request.prompt_id,
            content,
            introduction,
            task_json: request.task.as_ref().map(serde_json::to_string).transpose()?,
            agent_id: Some(request.agent_id.unwrap_or_else(|| DEFAULT_AGENT.to_owned())),
            scheduled_at: clock::rfc3339(when.scheduled_at),
            time_zone: when.time_zone,
            not_before: when.not_before.map(|bound| bound.text()),
            not_after: when.not_after.map(|bound| bound.text()),
            priority: request.priority,
            retry_json: serde_json::to_string(&request.retry.unwrap_or_else(RetryRule::once))?,
            context_json: serde_json::to_string(&request.context)?,
            created_at: clock::rfc3339(now),
            ..ScheduledCallRow::default()
        };
        let facts_json = serde_json::to_string(facts)?;
        let recipient = |(position, to): (i64, &String)| RecipientRow {
            id: self.new_id(RECIPIENT_PREFIX),
            scheduled_call_id: row.id.clone(),
            position,
            to: to.clone(),
            status: "pending".to_owned(),
            facts_json: facts_json.clone(),
            priority: row.priority,
            next_attempt_at: Some(first.clone()),
            ..RecipientRow::default()
        };
        let recipients: Vec<_> = (1..).zip(&request.to_phone_numbers).map(recipient).collect();
        let scheduled = ScheduledCall::from_rows(row.clone(), recipients.clone(), &[])?;
        let answer = pending.map(|pending| pending.created(&location(&row.id), &scheduled)).transpose()?;
        let change = Scheduled::Insert(&row, &recipients, answer.as_ref());
        let data = told(&row.scheduled_at, row.time_zone.as_deref(), recipients.len());
        self.journal().record_scheduled(&row.id, change, "call.scheduled", data).await?;
        self.scheduler().changed();
        Ok(scheduled)
    }

    /// One scheduled call as it is now.
    pub(crate) async fn scheduled_call(&self, id: &str) -> Result<ScheduledCall, Error> {
        self.shown(self.scheduled_row(id).await?).await
    }

    /// Scheduled calls, newest first.
    pub(crate) async fn scheduled_calls(
        &self,
        filter: &ScheduledCallFilter,
        limit: u32,
    ) -> Result<Vec<ScheduledCall>, Error> {
        let mut scheduled = Vec::new();
        for row in self.config().store.scheduled_calls(filter, limit).await? {
            scheduled.push(self.shown(row).await?);
        }
        Ok(scheduled)
    }

    /// Gives those that wait to be called another time.
    pub(crate) async fn reschedule(&self, id: &str, request: Rescheduling) -> Result<ScheduledCall, Error> {
        let (rules, now) = (&self.config().scheduling, self.time());
        let row = self.scheduled_row(id).await?;
        if request == Rescheduling::default() {
            let message = "send what is to change: scheduled_at, time_zone, not_before, not_after";
            return Err(Error::invalid("scheduled_at", message));
        }
        let or = |new: &Option<Option<String>>, old: &Option<String>| new.clone().unwrap_or_else(|| old.clone());
        let (time_zone, not_before, not_after) = (
            or(&request.time_zone, &row.time_zone),
            or(&request.not_before, &row.not_before),
            or(&request.not_after, &row.not_after),
        );
        let wish = Wish {
            scheduled_at: request.scheduled_at.as_deref().unwrap_or(&row.scheduled_at),
            time_zone: time_zone.as_deref(),
            not_before: not_before.as_deref(),
            not_after: not_after.as_deref(),
        };
        // A time that is kept may be over: hours have put the call off since.
        let kept = row.scheduled_at.parse().unwrap_or(now);
        let when = wish.read(if request.scheduled_at.is_some() { now } else { now.min(kept) }, rules)?;
        let change = Reschedule {
            next_attempt_at: clock::rfc3339(when.first(now, rules)?),
            scheduled_at: clock::rfc3339(when.scheduled_at),
            time_zone: when.time_zone,
            not_before: when.not_before.map(|bound| bound.text()),
            not_after: when.not_after.map(|bound| bound.text()),
        };
        let waiting = self.scheduled_call(id).await?.recipients.iter().filter(|one| one.status == "pending").count();
        let data = told(&change.scheduled_at, change.time_zone.as_deref(), waiting);
        let change = Scheduled::Update(&change);
        if !self.journal().record_scheduled(id, change, "call.rescheduled", data).await? {
            let message = "nobody waits to be called any more: schedule another call".to_owned();
            return Err(Error::Conflict { code: "schedule_not_pending", message });
        }
        self.scheduler().changed();
        self.scheduled_call(id).await
    }

    /// Calls nobody any more: who waits is not called, and what rings is hung up. A conversation goes on. Again does no
    /// harm.
    pub(crate) async fn cancel(&self, id: &str) -> Result<ScheduledCall, Error> {
        let before = self.scheduled_call(id).await?;
        let row = self.scheduled_row(id).await?;
        if row.canceled_at.is_some() {
            return Ok(before);
        }
        let now = clock::rfc3339(self.time());
        let data = told(&row.scheduled_at, row.time_zone.as_deref(), before.recipients.len());
        let change = Scheduled::Cancel(&now);
        if !self.journal().record_scheduled(id, change, "call.schedule_canceled", data).await? {
            let message = "nobody is to be called any more".to_owned();
            return Err(Error::Conflict { code: "schedule_ended", message });
        }
        let canceled = self.scheduled_call(id).await?;
        for call_id in canceled.recipients.iter().filter_map(|one| one.call_ids.last()) {
            let answered = self.line(call_id).is_some_and(|line| line.answered_at().is_some());
            if !answered {
                self.hang_up(call_id).await?;
            }
        }
        self.scheduler().changed();
        Ok(canceled)
    }

    pub(super) async fn scheduled_row(&self, id: &str) -> Result<ScheduledCallRow, Error> {
        self.config().store.scheduled_call(id).await?.ok_or(Error::NotFound("scheduled call"))
    }

    async fn shown(&self, row: ScheduledCallRow) -> Result<ScheduledCall, Error> {
        let store = &self.config().store;
        let recipients = store.recipients(&row.id, 0, MAX_RECIPIENTS as u32).await?;
        let attempts = store.attempts_of(&row.id).await?;
        ScheduledCall::from_rows(row, recipients, &attempts)
    }

    /// A prompt that a request names.
    async fn prompt_named(&self, id: &str) -> Result<Prompt, Error> {
        self.prompt(id).await.map_err(|error| match error {
            Error::NotFound(_) => {
                Error::invalid("prompt_id", "there is no such prompt: send the id of one of GET /v1/prompts, or a task")
            }
            other => other,
        })
    }
}

/// What is to be done for one recipient.
pub(super) fn task(row: &ScheduledCallRow, recipient: &RecipientRow) -> Result<NewTask, Error> {
    let mut task: NewTask = match (&row.task_json, &row.content) {
        (Some(task), _) => serde_json::from_str(task)?,
        (None, content) => NewTask { goal: content.clone().unwrap_or_default(), ..NewTask::default() },
    };
    let facts: BTreeMap<String, String> = serde_json::from_str(&recipient.facts_json)?;
    task.facts.extend(facts);
    Ok(task)
}

/// Where a scheduled call is found.
pub(crate) fn location(id: &str) -> String {
    format!("/v1/scheduled-calls/{id}")
}

/// What events tell of it.
fn told(scheduled_at: &str, time_zone: Option<&str>, recipients: usize) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("scheduled_at".to_owned(), json!(scheduled_at));
    data.insert("time_zone".to_owned(), json!(time_zone));
    data.insert("recipients".to_owned(), json!(recipients));
    data
}
