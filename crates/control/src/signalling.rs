//! The SIP messages of a call: the gateway's while it lives and a little longer, then the store's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use gateway::TracedMessage;
use jiff::Timestamp;
use store::SipMessageRow;

use crate::calls::Calls;
use crate::runner::LiveCall;
use crate::{Error, clock};

/// From the end of a call until its messages are written: the answer to a BYE and what is late otherwise are then
/// among them.
const SETTLE: Duration = Duration::from_secs(5);
/// Calls that have this much time at once; with more, messages are written at the end.
const MAX_SETTLING: usize = 256;
/// Calls whose messages are deleted in one transaction.
const PAGE: u32 = 100;

/// Calls that have ended and whose messages are not written yet.
#[derive(Default)]
pub(crate) struct Settling {
    lines: Mutex<BTreeMap<String, Arc<dyn LiveCall>>>,
}

impl Settling {
    pub(crate) fn get(&self, id: &str) -> Option<Arc<dyn LiveCall>> {
        self.lock().get(id).cloned()
    }

    /// Whether there is time to wait for late messages.
    fn insert(&self, id: &str, line: &Arc<dyn LiveCall>) -> bool {
        let mut lines = self.lock();
        lines.insert(id.to_owned(), Arc::clone(line));
        lines.len() <= MAX_SETTLING
    }

    fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<dyn LiveCall>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the messages of a call that has ended: soon, or at once when the program is about to stop.
pub(crate) fn settle(calls: &Calls, id: &str, line: Arc<dyn LiveCall>) {
    let wait = if calls.settling().insert(id, &line) { SETTLE } else { Duration::ZERO };
    let (calls, id) = (calls.clone(), id.to_owned());
    calls.tasks().clone().spawn(async move {
        tokio::select! {
            biased;
            () = calls.draining().cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
        let rows: Vec<_> = line.sip_messages().into_iter().map(row).collect();
        if let Err(error) = calls.config().store.keep_sip_messages(&id, &rows).await {
            tracing::error!(call_id = %id, %error, "the SIP messages of a call could not be written");
        }
        calls.settling().remove(&id);
    });
}

/// The messages of a call, so far.
pub(crate) async fn messages(calls: &Calls, id: &str) -> Result<Vec<TracedMessage>, Error> {
    calls.call(id).await?;
    // In the order in which a call moves from one to the next, so that it is always found.
    let messages = match calls.line(id).or_else(|| calls.settling().get(id)) {
        Some(line) => line.sip_messages(),
        None => calls.config().store.sip_messages(id).await?.into_iter().filter_map(message).collect(),
    };
    if messages.is_empty() { Err(Error::NoSipMessages) } else { Ok(messages) }
}

/// Deletes the messages of calls that ended then or before.
pub(crate) async fn delete_until(calls: &Calls, cutoff: Timestamp) -> Result<(), Error> {
    let cutoff = clock::rfc3339(cutoff);
    while calls.config().store.delete_sip_messages_until(&cutoff, PAGE).await? > 0 {}
    Ok(())
}

fn row(message: TracedMessage) -> SipMessageRow {
    let since_1970 = message.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    SipMessageRow {
        number: message.number.into(),
        at_us: i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX),
        sent: message.sent,
        transport: message.transport.into_owned(),
        local: message.local.to_string(),
        remote: message.remote.to_string(),
        message: message.bytes,
    }
}

/// `None` for what we never wrote.
fn message(row: SipMessageRow) -> Option<TracedMessage> {
    Some(TracedMessage {
        number: row.number.try_into().ok()?,
        at: UNIX_EPOCH.checked_add(Duration::from_micros(row.at_us.try_into().ok()?))?,
        sent: row.sent,
        transport: row.transport.into(),
        local: row.local.parse().ok()?,
        remote: row.remote.parse().ok()?,
        bytes: row.message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_as_it_was_written() {
        let traced = TracedMessage {
            number: 7,
            at: UNIX_EPOCH + Duration::from_micros(1_800_000_000_250_001),
            sent: false,
            transport: "TLS".into(),
            local: "192.0.2.1:5061".parse().unwrap(),
            remote: "[2001:db8::2]:40000".parse().unwrap(),
            bytes: b"BYE sip:a SIP/2.0\r\n\r\n\xff".to_vec(),
        };
        assert_eq!(message(row(traced.clone())), Some(traced.clone()));
        assert_eq!(message(SipMessageRow { remote: "nowhere".to_owned(), ..row(traced.clone()) }), None);
        assert_eq!(message(SipMessageRow { at_us: -1, ..row(traced) }), None);
    }
}
