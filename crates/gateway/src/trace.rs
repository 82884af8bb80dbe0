//! The SIP messages of one call, kept while it lives: a ladder to read, a capture for other tools.
//!
//! What is secret is masked when a message is taken in, so nothing that leaves here can give it away.

mod fields;
mod ladder;
mod pcap;
mod redact;
mod traces;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sip::Flow;

use crate::CallHandle;
pub use ladder::ladder;
pub use pcap::{PCAP_MEDIA_TYPE, pcap};
pub(crate) use traces::Traces;

/// Messages kept for one call; then the oldest after the first few give way.
const MAX_MESSAGES: usize = 256;
/// Bytes kept for one call.
const MAX_BYTES: usize = 256 * 1024;
/// Longest piece kept of one message.
const MAX_MESSAGE: usize = 16 * 1024;
/// The beginning of a call is never dropped: it says how everything came about.
const KEPT_FIRST: usize = 16;
/// Bytes that the beginning may take, so that room is left for the newest.
const MAX_FIRST_BYTES: usize = MAX_BYTES / 2;

/// One SIP message as it was on the wire, secrets masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedMessage {
    /// Its place among all messages of the call, from 1. Where numbers are missing, messages were not kept.
    pub number: u32,
    /// When it was sent or received.
    pub at: SystemTime,
    /// Whether we sent it.
    pub sent: bool,
    /// What carried it, as in a Via: `UDP`, `TCP`, `TLS`.
    pub transport: Cow<'static, str>,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// Its bytes, at most 16 KiB of them; credentials, media keys and digits are asterisks of the same length.
    pub bytes: Vec<u8>,
}

/// What has been kept of one call's signalling; shared between the endpoint, which writes, and who looks.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    kept: Mutex<Kept>,
    /// Nobody can ever ask: nothing is kept.
    unwanted: AtomicBool,
}

#[derive(Debug, Default)]
struct Kept {
    first: Vec<TracedMessage>,
    rest: VecDeque<TracedMessage>,
    noted: u32,
    bytes: usize,
}

impl Trace {
    /// Forgets all, and keeps nothing from now on: nobody will ask.
    pub(crate) fn waive(&self) {
        self.unwanted.store(true, Ordering::Relaxed);
        *self.kept() = Kept::default();
    }

    pub(crate) fn note(&self, at: SystemTime, sent: bool, flow: Flow, payload: &[u8]) {
        if self.unwanted.load(Ordering::Relaxed) {
            return;
        }
        let mut bytes = payload.get(..MAX_MESSAGE).unwrap_or(payload).to_vec();
        redact::mask(&mut bytes);
        let transport = flow.transport.token().into();
        let mut kept = self.kept();
        kept.noted = kept.noted.saturating_add(1);
        let number = kept.noted;
        kept.push(TracedMessage { number, at, sent, transport, local: flow.local, remote: flow.remote, bytes });
    }

    /// All that is kept, oldest first.
    pub(crate) fn messages(&self) -> Vec<TracedMessage> {
        let kept = self.kept();
        kept.first.iter().chain(&kept.rest).cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, message: TracedMessage) {
        self.bytes += message.bytes.len();
        let is_beginning = self.rest.is_empty() && self.first.len() < KEPT_FIRST && self.bytes <= MAX_FIRST_BYTES;
        if is_beginning {
            self.first.push(message);
        } else {
            self.rest.push_back(message);
        }
        while self.bytes > MAX_BYTES || self.first.len() + self.rest.len() > MAX_MESSAGES {
            let Some(dropped) = self.rest.pop_front() else { return };
            self.bytes -= dropped.bytes.len();
        }
    }
}

impl CallHandle {
    /// The call's SIP messages so far, oldest first: at most 256 of them, and 256 KiB.
    ///
    /// What belongs to the call and comes after its end is here too, as long as there is a handle.
    pub fn sip_messages(&self) -> Vec<TracedMessage> {
        self.shared.trace.messages()
    }
}

/// What the ladder says of one message.
struct Summary {
    /// `INVITE sip:+15550100@trunk.test`, `180 Ringing (INVITE)`.
    title: String,
    call_id: String,
    has_sdp: bool,
}

impl TracedMessage {
    fn summary(&self) -> Summary {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut fields = fields::Fields::of(&self.bytes);
        let start_line = fields.next().and_then(|range| self.bytes.get(range)).unwrap_or_default();
        let start = text(start_line.trim_ascii());
        let title = match start.strip_prefix("SIP/2.0 ") {
            Some(status) => {
                let cseq = text(fields::value_of(&self.bytes, b"cseq", b"cseq").unwrap_or_default());
                format!("{status} ({})", cseq.split_whitespace().nth(1).unwrap_or("?"))
            }
            None => start.strip_suffix(" SIP/2.0").unwrap_or(&start).to_owned(),
        };
        fields.by_ref().for_each(drop);
        let has_sdp = self.bytes.get(fields.position()..).is_some_and(|body| body.starts_with(b"v="));
        Summary { title, call_id: text(fields::call_id(&self.bytes).unwrap_or_default()), has_sdp }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    pub(crate) fn flow() -> Flow {
        Flow {
            transport: sip::Transport::Udp,
            local: SocketAddr::from(([192, 0, 2, 1], 5060)),
            remote: SocketAddr::from(([198, 51, 100, 7], 5060)),
        }
    }

    pub(crate) fn at(ms: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000) + Duration::from_millis(ms)
    }

    pub(crate) fn traced(ms: u64, sent: bool, bytes: &[u8]) -> TracedMessage {
        let Flow { transport, local, remote } = flow();
        let transport = transport.token().into();
        TracedMessage { number: 1, at: at(ms), sent, transport, local, remote, bytes: bytes.to_vec() }
    }

    fn info(number: usize, len: usize) -> Vec<u8> {
        let mut bytes = format!("INFO sip:a SIP/2.0\r\nCSeq: {number} INFO\r\n\r\n").into_bytes();
        bytes.resize(len, b'x');
        bytes
    }

    #[test]
    fn the_beginning_and_the_newest_messages_stay_within_bounds() {
        let check = |len: usize, beginning: u32| {
            let trace = Trace::default();
            for number in 0..1000 {
                trace.note(at(number as u64), true, flow(), &info(number, len));
            }
            let kept = trace.messages();
            assert!(kept.iter().map(|message| message.bytes.len()).sum::<usize>() <= MAX_BYTES, "{len}");
            assert!(kept.len() <= MAX_MESSAGES, "{len}");
            let numbers: Vec<_> = kept.iter().map(|message| message.number).collect();
            let first: Vec<_> = (1..=beginning).collect();
            assert!(numbers.starts_with(&first) && !numbers.contains(&(beginning + 1)), "{len}: {numbers:?}");
            assert!(numbers.len() > first.len() && numbers.ends_with(&[1000]), "{len}: {numbers:?}");
        };
        check(100, 16);
        check(2000, 16);
        check(16 * 1024, 8);
        check(60_000, 8);
    }

    #[test]
    fn what_nobody_will_ask_for_is_not_kept() {
        let trace = Trace::default();
        trace.note(at(0), false, flow(), &info(1, 100));
        trace.waive();
        trace.note(at(1), false, flow(), &info(2, 100));
        assert!(trace.messages().is_empty());
    }

    #[test]
    fn an_endless_message_is_cut() {
        let trace = Trace::default();
        trace.note(at(0), false, flow(), &info(1, 200_000));
        assert_eq!(trace.messages()[0].bytes.len(), MAX_MESSAGE);
    }

    #[test]
    fn a_secret_is_masked_before_it_is_kept() {
        let trace = Trace::default();
        trace.note(at(0), true, flow(), b"BYE sip:a SIP/2.0\r\nAuthorization: Digest response=\"abcd\"\r\n\r\n");
        assert!(!String::from_utf8_lossy(&trace.messages()[0].bytes).contains("abcd"));
    }

    #[test]
    fn requests_are_called_by_their_line_and_responses_by_status_and_method() {
        let check = |text: &str, title: &str, call_id: &str, has_sdp: bool| {
            let summary = traced(0, true, text.as_bytes()).summary();
            assert_eq!((summary.title.as_str(), summary.call_id.as_str(), summary.has_sdp), (title, call_id, has_sdp));
        };
        check("BYE sip:a@b SIP/2.0\r\ni: 7\r\n\r\n", "BYE sip:a@b", "7", false);
        check("SIP/2.0 180 Ringing\r\nCall-ID: c@x\r\nCSeq: 4 INVITE\r\n\r\n", "180 Ringing (INVITE)", "c@x", false);
        check("INVITE sip:a SIP/2.0\nCall-ID:\n 7\n\nv=0\n", "INVITE sip:a", "7", true);
        check("", "", "", false);
    }
}
