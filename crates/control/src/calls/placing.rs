//! A call that is wished for: checked, kept as `queued`, and on its way.

use std::sync::Arc;

use gateway::{CallLimits, Dial};
use store::CallRow;

use super::Calls;
use crate::config::{AgentError, TrunkInfo};
use crate::idempotency::Pending;
use crate::journal::{Change, StoredEvent};
use crate::request::NewCall;
use crate::{Call, Error, clock, target};

/// The agent that is built in.
const DEFAULT_AGENT: &str = "default";

impl Calls {
    /// Checks a request, keeps the call as `queued` and lets it go on by itself. With `pending`,
    /// the answer is kept in the same transaction.
    pub(crate) async fn place(&self, request: NewCall, pending: Option<&Pending>) -> Result<Call, Error> {
        if self.is_draining() {
            return Err(Error::Draining);
        }
        let inner = &self.inner;
        request.check()?;
        if !target::is_allowed(&request.to, &inner.config.dial_allow) {
            return Err(Error::NotAllowed { to: request.to });
        }
        let trunk = self.trunk(request.trunk.as_deref())?;
        let by = trunk.map(|trunk| trunk.name.clone());
        let max_duration = request.duration(inner.config.limits.call)?;
        let agent_id = request.agent_id.clone().unwrap_or_else(|| DEFAULT_AGENT.to_owned());
        let id = self.new_id();
        let agent = self.agent(&request.for_agent(&id, &agent_id), max_duration);
        if let Err(AgentError::Unknown(name)) = &agent {
            return Err(Error::invalid("agent_id", format!("no agent is named {name:?}")));
        }
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
        let call = Call::from_row(row.clone())?;
        let answer = match pending {
            Some(pending) => Some(pending.answer(202, Some(location(&id)), serde_json::to_string(&call)?)),
            None => None,
        };
        inner.journal.record(&id, Change::Insert(&row, answer.as_ref()), Vec::new()).await?;

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
        let carry = self.go_live(id, max_duration);
        inner.tasks.spawn(async move {
            Box::pin(carry.outbound(dial, agent)).await;
            drop(place);
        });
        Ok(call)
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
    fn trunk(&self, name: Option<&str>) -> Result<Option<&TrunkInfo>, Error> {
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
