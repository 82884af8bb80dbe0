//! A call that is wished for: checked, kept as `queued`, and on its way.

use std::sync::Arc;
use std::time::Duration;

use agent::AgentConfig;
use gateway::{CallLimits, Dial};
use jiff::Timestamp;
use store::{AttemptRow, CallRow};
use tokio::sync::OwnedSemaphorePermit;

use super::{CALL_PREFIX, Calls};
use crate::config::{AgentError, AgentRequest, TrunkInfo};
use crate::idempotency::Pending;
use crate::journal::{Change, StoredEvent};
use crate::request::NewCall;
use crate::scheduler::Going;
use crate::{Call, Error, clock, target};

/// The agent that is built in.
pub(crate) const DEFAULT_AGENT: &str = "default";

/// Which call to a recipient of a scheduled call one is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) recipient_id: &'a str,
    /// From 1.
    pub(crate) number: i64,
    /// What time it is.
    pub(crate) now: Timestamp,
}

/// A call that may be made: checked, with all it takes.
struct Prepared {
    row: CallRow,
    dial: Dial,
    agent: Result<AgentConfig, AgentError>,
    max_duration: Duration,
    place: OwnedSemaphorePermit,
}

impl Calls {
    /// Checks a request, keeps the call as `queued` and lets it go on by itself. With `pending`,
    /// the answer is kept in the same transaction.
    pub(crate) async fn place(&self, request: NewCall, pending: Option<&Pending>) -> Result<Call, Error> {
        let prepared = self.prepare(request, None)?;
        let id = prepared.row.id.as_str();
        let call = Call::from_row(prepared.row.clone())?;
        let answer = match pending {
            Some(pending) => Some(pending.answer(202, Some(location(id)), serde_json::to_string(&call)?)),
            None => None,
        };
        self.inner.journal.record(id, Change::Insert(&prepared.row, answer.as_ref()), Vec::new()).await?;
        self.let_go(prepared);
        Ok(call)
    }

    /// The same of a scheduled call: kept together with the attempt that it is. Its id; `None` when there is nobody to call
    /// any more: then nothing is kept and nobody is called.
    pub(crate) async fn place_attempt(
        &self,
        request: NewCall,
        introduction: Option<String>,
        attempt: Attempt<'_>,
    ) -> Result<Option<String>, Error> {
        let prepared = self.prepare(request, introduction)?;
        let id = prepared.row.id.clone();
        let row = AttemptRow {
            recipient_id: attempt.recipient_id.to_owned(),
            attempt: attempt.number,
            call_id: id.clone(),
            created_at: clock::rfc3339(attempt.now),
            ..AttemptRow::default()
        };
        if !self.inner.journal.record(&id, Change::Attempt(&prepared.row, &row), Vec::new()).await? {
            return Ok(None);
        }
        let agent_id = prepared.row.agent_id.clone().unwrap_or_default();
        self.inner.scheduler.made(&id, Going { recipient_id: row.recipient_id, attempt: row.attempt, agent_id });
        self.let_go(prepared);
        Ok(Some(id))
    }

    /// Whether such a call could be made, but for the room that there is for calls.
    pub(crate) fn check(&self, request: &NewCall) -> Result<(), Error> {
        self.check_request(request)?;
        self.agent_of(request, "", None, self.inner.config.limits.call).map(drop)
    }

    /// The trunk by which a call goes, and how long it may take.
    fn check_request(&self, request: &NewCall) -> Result<(Option<&TrunkInfo>, Duration), Error> {
        if self.is_draining() {
            return Err(Error::Draining);
        }
        request.check()?;
        if !target::is_allowed(&request.to, &self.inner.config.dial_allow) {
            return Err(Error::NotAllowed { to: request.to.clone(), field: "to".to_owned() });
        }
        Ok((self.trunk(request.trunk.as_deref())?, request.duration(self.inner.config.limits.call)?))
    }

    /// The agent of a call, with its id. One that cannot work now is the call's failure, one that nobody knows is a
    /// mistake of who asks.
    fn agent_of(
        &self,
        request: &NewCall,
        id: &str,
        introduction: Option<String>,
        max_duration: Duration,
    ) -> Result<(String, Result<AgentConfig, AgentError>), Error> {
        let agent_id = request.agent_id.clone().unwrap_or_else(|| DEFAULT_AGENT.to_owned());
        let wanted = AgentRequest { introduction, ..request.for_agent(id, &agent_id) };
        match self.agent(&wanted, max_duration) {
            Err(AgentError::Unknown(name)) => Err(Error::invalid("agent_id", format!("no agent is named {name:?}"))),
            agent => Ok((agent_id, agent)),
        }
    }

    fn prepare(&self, request: NewCall, introduction: Option<String>) -> Result<Prepared, Error> {
        let inner = &self.inner;
        let (trunk, max_duration) = self.check_request(&request)?;
        let by = trunk.map(|trunk| trunk.name.clone());
        let id = self.new_id(CALL_PREFIX);
        let (agent_id, agent) = self.agent_of(&request, &id, introduction, max_duration)?;
        let place = Arc::clone(&inner.places)
            .try_acquire_owned()
            .map_err(|_| Error::QueueFull { queued: inner.config.limits.queued_calls })?;
        let row = CallRow {
            id: id.clone(),
            status: "queued".to_owned(),
            direction: "outbound".to_owned(),
            to: request.to.clone(),
            from: request.caller_id.clone().or(trunk.map(|trunk| trunk.caller_id.clone())),
            trunk: by.clone(),
            agent_id: Some(agent_id),
            request_json: serde_json::to_string(&request)?,
            created_at: clock::rfc3339(clock::now()),
            warnings_json: serde_json::to_string(&target::warnings(&request.to))?,
            ..CallRow::default()
        };
        let dial = Dial {
            to: request.to,
            trunk: by,
            caller_id: request.caller_id,
            limits: CallLimits {
                ring: inner.config.limits.ring,
                call: max_duration,
                media_timeout: inner.config.limits.media_timeout,
            },
            record: self.recording_of(&id).filter(|_| inner.config.record),
        };
        Ok(Prepared { row, dial, agent, max_duration, place })
    }

    /// Lets a call that is kept go on by itself.
    fn let_go(&self, prepared: Prepared) {
        let Prepared { row, dial, agent, max_duration, place } = prepared;
        let carry = self.go_live(row.id.clone(), max_duration);
        let calls = self.clone();
        self.inner.tasks.spawn(async move {
            Box::pin(carry.outbound(dial, agent)).await;
            drop(place);
            calls.inner.scheduler.ended(&row.id);
        });
    }

    /// Places a call and follows it to its end.
    pub(crate) async fn place_and_wait(
        &self,
        request: NewCall,
        mut on_event: impl FnMut(&StoredEvent),
    ) -> Result<Call, Error> {
        let before = self.inner.journal.newest();
        let call = self.place(request, None).await?;
        let mut events = self.inner.journal.follow_after(before, Some(call.id.clone()));
        while let Some(event) = events.next().await {
            on_event(&event);
            // The last event of every call.
            if event.kind == "call.ended" {
                break;
            }
        }
        self.call(&call.id).await
    }

    /// The trunk of a call; `None` where there is none to call out by, which the gateway says in words.
    pub(crate) fn trunk(&self, name: Option<&str>) -> Result<Option<&TrunkInfo>, Error> {
        let trunks = &self.inner.config.trunks;
        match name {
            None => Ok(trunks.iter().find(|trunk| !trunk.inbound_only)),
            Some(name) => match trunks.iter().find(|trunk| trunk.name == name) {
                Some(trunk) => Ok(Some(trunk)),
                None => Err(Error::invalid("trunk", "no trunk has this name")),
            },
        }
    }
}

/// Where a call is found.
pub(crate) fn location(id: &str) -> String {
    format!("/v1/calls/{id}")
}
