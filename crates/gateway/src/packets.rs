//! [`Packets`]: the RTP of all calls since the start, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use media::Statistics;

/// The RTP of all calls since the start, those under way included, at most a second old.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PacketTotals {
    /// Packets that we sent.
    pub sent: u64,
    /// Packets of peers that were taken.
    pub received: u64,
    /// Packets of theirs that never came.
    pub lost: u64,
    /// Packets of theirs that came after their time to be played.
    pub late: u64,
    /// From strangers, malformed, forged, repeated, or of an unknown payload type.
    pub ignored: u64,
}

/// The same, shared by the calls.
#[derive(Debug, Default)]
pub(crate) struct Packets([AtomicU64; 5]);

/// What one call adds.
#[derive(Debug)]
pub(crate) struct Share {
    all: Arc<Packets>,
    /// Its counters, as far as they were added.
    added: Statistics,
}

impl Share {
    /// Of a call that begins.
    pub(crate) fn new(all: Arc<Packets>) -> Self {
        Self { all, added: Statistics::default() }
    }

    /// The call's counters have grown.
    pub(crate) fn grow(&mut self, now: Statistics) {
        for ((total, before), now) in self.all.0.iter().zip(figures(&self.added)).zip(figures(&now)) {
            total.fetch_add(now.saturating_sub(before), Ordering::Relaxed);
        }
        self.added = now;
    }
}

impl Packets {
    pub(crate) fn totals(&self) -> PacketTotals {
        let [sent, received, lost, late, ignored] = [0, 1, 2, 3, 4].map(|n| self.0[n].load(Ordering::Relaxed));
        PacketTotals { sent, received, lost, late, ignored }
    }
}

fn figures(counted: &Statistics) -> [u64; 5] {
    let ignored = counted.packets_ignored + counted.packets_unauthentic + counted.packets_replayed;
    [counted.packets_sent, counted.packets_received, counted.packets_lost, counted.packets_late, ignored]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_call_counts_anew_is_added_up() {
        let all = Arc::<Packets>::default();
        let counted = |sent, lost| Statistics { packets_sent: sent, packets_lost: lost, ..Statistics::default() };
        let (mut one, mut other) = (Share::new(all.clone()), Share::new(all.clone()));
        one.grow(counted(50, 2));
        one.grow(counted(100, 1));
        other.grow(Statistics { packets_replayed: 3, packets_ignored: 4, ..counted(7, 0) });
        assert_eq!(all.totals(), PacketTotals { sent: 107, lost: 2, ignored: 7, ..PacketTotals::default() });
    }
}
