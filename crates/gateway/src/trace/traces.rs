//! Pure: no I/O, no clock.
//!
//! [`Traces`]: which message belongs to the trace of which call.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use sip::Flow;

use super::Trace;
use super::fields::call_id;

/// Traces written at once; calls beyond have none.
const MAX_TRACES: usize = 16_384;
/// The first time that traces are looked for whose call is gone.
const FIRST_PRUNING: usize = 64;

/// The traces of all calls, by Call-ID. A trace belongs to its call and is gone with it.
#[derive(Debug)]
pub(crate) struct Traces {
    by_call_id: BTreeMap<Vec<u8>, Weak<Trace>>,
    /// At so many entries those of calls that are gone are removed.
    prune_at: usize,
    /// That of an INVITE that may become a call.
    newcomer: Option<Arc<Trace>>,
}

impl Default for Traces {
    fn default() -> Self {
        Self { by_call_id: BTreeMap::new(), prune_at: FIRST_PRUNING, newcomer: None }
    }
}

impl Traces {
    /// The trace of a call with this Call-ID: a new one, unless another call has the same (a proxy that sends a call
    /// of ours back to us).
    pub(crate) fn of_call(&mut self, call_id: &str) -> Arc<Trace> {
        self.known(call_id.as_bytes()).unwrap_or_else(|| self.start(call_id.as_bytes()))
    }

    /// Notes a message that goes out.
    pub(crate) fn sent(&self, at: SystemTime, flow: Flow, message: &[u8]) {
        if let Some(trace) = self.find(message) {
            trace.note(at, true, flow, message);
        }
    }

    /// The trace of the call that a message names.
    pub(crate) fn find(&self, message: &[u8]) -> Option<Arc<Trace>> {
        self.known(call_id(message)?)
    }

    /// Notes a message that came, in the trace that was found for it. Whether an INVITE becomes a call is known after it was
    /// handled: until [`settle`](Self::settle) its trace is kept here.
    pub(crate) fn received(&mut self, at: SystemTime, flow: Flow, message: &[u8], found: Option<Arc<Trace>>) {
        if let Some(trace) = found.or_else(|| self.newcomer(message)) {
            trace.note(at, false, flow, message);
        }
    }

    /// One for an INVITE that names no call there is.
    fn newcomer(&mut self, message: &[u8]) -> Option<Arc<Trace>> {
        if !message.trim_ascii_start().starts_with(b"INVITE ") {
            return None;
        }
        let newcomer = self.start(call_id(message)?);
        self.newcomer = Some(newcomer.clone());
        Some(newcomer)
    }

    /// What the last message came to is known: an INVITE that is no call is forgotten.
    pub(crate) fn settle(&mut self) {
        self.newcomer = None;
    }

    fn known(&self, call_id: &[u8]) -> Option<Arc<Trace>> {
        self.by_call_id.get(call_id)?.upgrade()
    }

    fn start(&mut self, call_id: &[u8]) -> Arc<Trace> {
        if self.by_call_id.len() >= self.prune_at {
            self.by_call_id.retain(|_, trace| trace.strong_count() > 0);
            self.prune_at = FIRST_PRUNING.max(2 * self.by_call_id.len());
        }
        let trace = Arc::new(Trace::default());
        if self.by_call_id.len() < MAX_TRACES {
            self.by_call_id.insert(call_id.to_vec(), Arc::downgrade(&trace));
        }
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, flow};
    use super::*;

    fn message(start: &str, call_id: &str) -> Vec<u8> {
        format!("{start}\r\nCall-ID: {call_id}\r\n\r\n").into_bytes()
    }

    fn receive(traces: &mut Traces, at: SystemTime, message: &[u8]) {
        let found = traces.find(message);
        traces.received(at, flow(), message, found);
    }

    fn starts(trace: &Trace) -> Vec<String> {
        trace.messages().iter().map(|message| message.summary().title).collect()
    }

    #[test]
    fn a_trace_has_the_messages_of_its_call_and_no_others() {
        let mut traces = Traces::default();
        let trace = traces.of_call("one");
        traces.sent(at(0), flow(), &message("INVITE sip:a SIP/2.0", "one"));
        traces.sent(at(1), flow(), &message("REGISTER sip:a SIP/2.0", "another"));
        receive(&mut traces, at(2), &message("BYE sip:a SIP/2.0", "one"));
        receive(&mut traces, at(3), b"\r\n\r\n");
        assert_eq!(starts(&trace), ["INVITE sip:a", "BYE sip:a"]);
    }

    #[test]
    fn the_invite_of_their_call_and_our_first_answer_are_in_its_trace() {
        let mut traces = Traces::default();
        receive(&mut traces, at(0), &message("INVITE sip:us SIP/2.0", "one"));
        traces.sent(at(1), flow(), &message("SIP/2.0 100 Trying\r\nCSeq: 1 INVITE", "one"));
        let trace = traces.of_call("one");
        traces.settle();
        receive(&mut traces, at(2), &message("ACK sip:us SIP/2.0", "one"));
        assert_eq!(starts(&trace), ["INVITE sip:us", "100 Trying (INVITE)", "ACK sip:us"]);
        assert!(traces.find(&message("BYE sip:us SIP/2.0", "one")).is_some_and(|found| Arc::ptr_eq(&found, &trace)));
        assert!(traces.find(&message("BYE sip:us SIP/2.0", "another")).is_none() && traces.find(b"rubbish").is_none());
    }

    #[test]
    fn nothing_is_kept_of_what_becomes_no_call() {
        let mut traces = Traces::default();
        receive(&mut traces, at(0), &message("INVITE sip:us SIP/2.0", "refused"));
        traces.settle();
        receive(&mut traces, at(1), &message("OPTIONS sip:us SIP/2.0", "asked"));
        assert!(starts(&traces.of_call("refused")).is_empty());
        assert!(starts(&traces.of_call("asked")).is_empty());
    }

    #[test]
    fn what_comes_late_is_noted_as_long_as_somebody_looks() {
        let mut traces = Traces::default();
        let trace = traces.of_call("one");
        let handle = Arc::clone(&trace);
        drop(trace);
        receive(&mut traces, at(0), &message("SIP/2.0 200 OK\r\nCSeq: 2 BYE", "one"));
        assert_eq!(starts(&handle), ["200 OK (BYE)"]);
        drop(handle);
        assert!(starts(&traces.of_call("one")).is_empty());
    }

    #[test]
    fn traces_of_calls_that_are_gone_take_no_room() {
        let mut traces = Traces::default();
        let lasting = traces.of_call("lasting");
        for number in 0..10_000 {
            receive(&mut traces, at(number), &message("INVITE sip:us SIP/2.0", &number.to_string()));
            traces.settle();
        }
        assert!(traces.by_call_id.len() <= FIRST_PRUNING, "{}", traces.by_call_id.len());
        assert!(Arc::ptr_eq(&lasting, &traces.of_call("lasting")));
    }

    #[test]
    fn calls_beyond_the_limit_have_a_trace_that_stays_empty() {
        let mut traces = Traces::default();
        let calls: Vec<_> = (0..=MAX_TRACES).map(|number| traces.of_call(&number.to_string())).collect();
        assert_eq!(traces.by_call_id.len(), MAX_TRACES);
        traces.sent(at(0), flow(), &message("BYE sip:a SIP/2.0", &MAX_TRACES.to_string()));
        assert_eq!(calls.last().map(|trace| starts(trace)), Some(Vec::new()));
    }
}
