//! [`Reports`]: what an observer is told, in order, however slowly it reads.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::AgentEvent;

/// Events that wait for a slow reader. Past it only what the record of the call needs is kept.
const MAX_WAITING: usize = 1024;
/// Events of the record that wait: more than is said in a day.
const MAX_RECORDS: usize = 65_536;
/// How long the end of a call waits for its reader.
const LAST_WAIT: Duration = Duration::from_secs(60);

/// Events on their way to the observer. The conversation never waits for it.
#[derive(Debug)]
pub(crate) struct Reports {
    reader: mpsc::Sender<AgentEvent>,
    waiting: VecDeque<AgentEvent>,
    dropped: u64,
}

impl Reports {
    pub(crate) fn new(reader: mpsc::Sender<AgentEvent>) -> Self {
        Self { reader, waiting: VecDeque::new(), dropped: 0 }
    }

    /// Tells now, or as soon as there is room.
    pub(crate) fn tell(&mut self, event: AgentEvent) {
        let most = if is_record(&event) { MAX_RECORDS } else { MAX_WAITING };
        if self.waiting.len() < most {
            self.waiting.push_back(event);
            self.hand_over();
        } else {
            self.dropped += 1;
        }
    }

    /// Waits for room and uses it; never ends while nothing waits. Cancel-safe.
    pub(crate) async fn room(&mut self) {
        if self.waiting.is_empty() {
            return std::future::pending().await;
        }
        match self.reader.reserve().await {
            Ok(permit) => {
                if let Some(event) = self.waiting.pop_front() {
                    permit.send(event);
                }
            }
            // Nobody reads any longer.
            Err(_) => self.waiting.clear(),
        }
        self.hand_over();
    }

    /// Hands over all that waits, if it is read; how much was not told in the end.
    pub(crate) async fn finish(mut self) -> u64 {
        let all = async {
            while !self.waiting.is_empty() {
                self.room().await;
            }
        };
        // Whoever does not read for so long has failed.
        let _ = tokio::time::timeout(LAST_WAIT, all).await;
        self.dropped + self.waiting.len() as u64
    }

    fn hand_over(&mut self) {
        while !self.waiting.is_empty()
            && let Ok(permit) = self.reader.try_reserve()
            && let Some(event) = self.waiting.pop_front()
        {
            permit.send(event);
        }
    }
}

/// Whether the record of the call changes by it; the others are for whoever watches.
fn is_record(event: &AgentEvent) -> bool {
    matches!(event, AgentEvent::Transcript { .. } | AgentEvent::AnsweredBy { .. } | AgentEvent::DtmfSent { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Speaker;

    #[tokio::test]
    async fn a_slow_reader_gets_everything_that_was_said_in_order() {
        let (sender, mut reader) = mpsc::channel(4);
        let mut reports = Reports::new(sender);
        for n in 0..5000 {
            reports.tell(said(n));
        }
        let ((), not_told) = tokio::join!(
            async {
                for n in 0..5000 {
                    assert_eq!(reader.recv().await, Some(said(n)));
                }
            },
            reports.finish()
        );
        assert_eq!(not_told, 0);
    }

    #[tokio::test]
    async fn what_is_only_watched_gives_way_to_what_is_recorded() {
        let (sender, mut reader) = mpsc::channel(4);
        let mut reports = Reports::new(sender);
        let nudged = |n: u64| AgentEvent::Nudged { at_ms: n, count: 1 };
        for n in 0..2000 {
            reports.tell(nudged(n));
        }
        reports.tell(said(9));
        let (got, not_told) = tokio::join!(
            async {
                let mut got = Vec::new();
                while let Some(event) = reader.recv().await {
                    got.push(event);
                }
                got
            },
            reports.finish()
        );
        assert_eq!((got.len(), not_told), (4 + MAX_WAITING + 1, 2000 - 4 - MAX_WAITING as u64));
        assert_eq!((&got[0], got.last()), (&nudged(0), Some(&said(9))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_never_reads_does_not_keep_the_call() {
        let (sender, _reader) = mpsc::channel(1);
        let mut reports = Reports::new(sender);
        reports.tell(said(0));
        reports.tell(said(1));
        assert_eq!(reports.finish().await, 1);
    }

    #[tokio::test]
    async fn nobody_who_reads_is_no_reason_to_wait() {
        let (sender, reader) = mpsc::channel(1);
        let mut reports = Reports::new(sender);
        reports.tell(said(0));
        reports.tell(said(1));
        drop(reader);
        assert_eq!(reports.finish().await, 0);
    }

    fn said(at_ms: u64) -> AgentEvent {
        AgentEvent::Transcript { at_ms, end_ms: at_ms, speaker: Speaker::Callee, text: "hello".to_owned() }
    }
}
