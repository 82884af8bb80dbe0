//! [`Pending`]: packets that are heard only if it turns out that their source is the peer's.

use std::time::Instant;

/// Packets that wait: twice those that a source may need to prove itself.
const MAX_PACKETS: usize = 8;
/// Their bytes: 100 ms of G.711 in packets of 20 ms, two packets of 60 ms.
const ROOM: usize = 1024;

/// What waits, in the order in which it came. What does not fit is not kept.
#[derive(Debug)]
pub(super) struct Pending {
    bytes: [u8; ROOM],
    /// When each came, and where it ends.
    packets: [Option<(Instant, usize)>; MAX_PACKETS],
    len: usize,
}

impl Pending {
    pub fn new() -> Self {
        Self { bytes: [0; ROOM], packets: [None; MAX_PACKETS], len: 0 }
    }

    /// Another one of the same stream. False if there is no room for it.
    pub fn keep(&mut self, now: Instant, datagram: &[u8]) -> bool {
        let start = self.len.checked_sub(1).and_then(|last| self.packets[last]).map_or(0, |(_, end)| end);
        let end = start + datagram.len();
        let (Some(room), Some(packet)) = (self.bytes.get_mut(start..end), self.packets.get_mut(self.len)) else {
            return false;
        };
        room.copy_from_slice(datagram);
        *packet = Some((now, end));
        self.len += 1;
        true
    }

    /// Forgets them; gives how many there were.
    pub fn clear(&mut self) -> usize {
        std::mem::take(&mut self.len)
    }

    /// Each with the time at which it came.
    pub fn packets(&self) -> impl Iterator<Item = (Instant, &[u8])> {
        let mut start = 0;
        self.packets[..self.len].iter().flatten().map(move |(at, end)| {
            let packet = &self.bytes[start..*end];
            start = *end;
            (*at, packet)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_in_order_and_what_does_not_fit_is_refused() {
        let now = crate::testing::any_instant();
        let mut pending = Pending::new();
        assert_eq!((pending.packets().count(), pending.clear()), (0, 0));
        for round in 0..2u8 {
            for n in 0..MAX_PACKETS as u8 + 1 {
                assert_eq!(pending.keep(now, &[round + n; 100]), usize::from(n) < MAX_PACKETS);
            }
            let kept: Vec<_> = pending.packets().map(|(_, packet)| (packet.len(), packet[99])).collect();
            assert_eq!(kept, (0..MAX_PACKETS as u8).map(|n| (100, round + n)).collect::<Vec<_>>());
            assert_eq!(pending.clear(), MAX_PACKETS);
        }
        let kept = [500, 500, 100].map(|len| pending.keep(now, &vec![7; len]));
        assert_eq!((kept, pending.clear()), ([true, true, false], 2));
    }
}
