//! [`Pending`]: packets that are heard only if it turns out that their source is the peer's.

use std::net::SocketAddr;
use std::time::Instant;

/// Packets that wait: twice those that a source may need to prove itself.
const MAX_PACKETS: usize = 8;
/// Their bytes: 100 ms of G.711 in packets of 20 ms, two packets of 60 ms.
const ROOM: usize = 1024;

/// Whose packets wait: from where they come, and their SSRC.
pub(super) type Owner = (SocketAddr, u32);

/// What waits of one source, in the order in which it came. What does not fit is not kept.
#[derive(Debug)]
pub(super) struct Pending {
    owner: Option<Owner>,
    bytes: [u8; ROOM],
    /// When each came, and where it ends.
    packets: [Option<(Instant, usize)>; MAX_PACKETS],
    len: usize,
}

impl Pending {
    pub fn new() -> Self {
        Self { owner: None, bytes: [0; ROOM], packets: [None; MAX_PACKETS], len: 0 }
    }

    /// Keeps another one, and forgets those of another source. Gives how many are not heard for want of room or for that.
    pub fn keep(&mut self, now: Instant, owner: Owner, datagram: &[u8]) -> usize {
        let forgotten = if self.owner.replace(owner) == Some(owner) { 0 } else { self.clear() };
        self.owner = Some(owner);
        forgotten + usize::from(!self.append(now, datagram))
    }

    /// Forgets them; gives how many there were.
    pub fn clear(&mut self) -> usize {
        self.owner = None;
        std::mem::take(&mut self.len)
    }

    /// Each of this source with the time at which it came.
    pub fn packets_of(&self, owner: Owner) -> impl Iterator<Item = (Instant, &[u8])> {
        let len = if self.owner == Some(owner) { self.len } else { 0 };
        let mut start = 0;
        self.packets[..len].iter().flatten().map(move |(at, end)| {
            let packet = &self.bytes[start..*end];
            start = *end;
            (*at, packet)
        })
    }

    fn append(&mut self, now: Instant, datagram: &[u8]) -> bool {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_source_comes_back_in_order_and_counts_where_it_does_not() {
        let now = crate::testing::any_instant();
        let owners = [1, 2].map(|ssrc| (SocketAddr::from(([192, 0, 2, 1], 4000)), ssrc));
        let mut pending = Pending::new();
        assert_eq!((pending.packets_of(owners[0]).count(), pending.clear()), (0, 0));
        for (round, owner) in (0u8..).zip(owners) {
            for n in 0..=MAX_PACKETS {
                let unheard = if n == MAX_PACKETS { 1 } else { 0 } + if n == 0 && round == 1 { MAX_PACKETS } else { 0 };
                assert_eq!(pending.keep(now, owner, &[round + n as u8; 100]), unheard, "{round} {n}");
            }
            let kept: Vec<_> = pending.packets_of(owner).map(|(_, packet)| (packet.len(), packet[99])).collect();
            assert_eq!(kept, (0..MAX_PACKETS as u8).map(|n| (100, round + n)).collect::<Vec<_>>());
            assert_eq!(pending.packets_of(owners[1 - usize::from(round)]).count(), 0);
        }
        assert_eq!(pending.clear(), MAX_PACKETS);
        let unheard = [500, 500, 100].map(|len| pending.keep(now, owners[0], &vec![7; len]));
        assert_eq!((unheard, pending.clear()), ([0, 0, 1], 2));
    }
}
