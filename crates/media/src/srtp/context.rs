//! [`Protector`] and [`Unprotector`]: the two ends of a protected stream (RFC 3711 §3.2, §3.3).

use std::fmt;

use super::MasterKey;
use super::rollover::index;
use super::sources::{MAX_SOURCES, Sources};
use super::transform::{PacketId, Transform};
use crate::rtp;

/// Why a packet was dropped. Nobody is told but a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not an SRTP packet at all.
    Malformed,
    /// Forged, damaged, or protected with another key.
    Unauthentic,
    /// Seen before, or too old to tell.
    Replayed,
}

/// Protects the packets of one source, in the order of their sequence numbers.
pub struct Protector {
    key: MasterKey,
    transform: Transform,
    latest: Option<u64>,
}

impl Protector {
    /// Begins with rollover counter 0.
    pub fn new(key: MasterKey) -> Self {
        Self { transform: Transform::rtp(&key), key, latest: None }
    }

    /// With which key.
    pub fn key(&self) -> &MasterKey {
        &self.key
    }

    /// Protects the RTP packet in the first `len` bytes; gives its new length. `None` if that is none, or if the tag
    /// has no room: then it must not be sent.
    pub fn protect(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        let layout = Layout::of(buffer.get(..len)?)?;
        let rollovers = match self.latest {
            None => 0,
            Some(latest) => (latest >> 16) as u32 + u32::from(layout.sequence < latest as u16),
        };
        let (packet, rest) = buffer.split_at_mut(len);
        let tag = rest.get_mut(..self.transform.tag_len())?;
        let (header, payload) = packet.split_at_mut(layout.header_len);
        let index = index(rollovers, layout.sequence);
        self.latest = Some(index);
        self.transform.seal(PacketId { ssrc: layout.ssrc, index }, header, payload, tag);
        Some(len + tag.len())
    }
}

/// Takes off the protection, and refuses what is forged or repeated.
pub struct Unprotector {
    key: MasterKey,
    transform: Transform,
    sources: Sources,
    /// The sources of the key before, for a peer that goes on counting (RFC 3711 §3.3.1).
    before: Option<Sources>,
}

impl Unprotector {
    /// Begins without any source.
    pub fn new(key: MasterKey) -> Self {
        Self { transform: Transform::rtp(&key), key, sources: Sources::new(MAX_SOURCES), before: None }
    }

    /// Takes over from the key before.
    pub fn succeeding(key: MasterKey, before: &Self) -> Self {
        Self { before: Some(before.sources.clone()), ..Self::new(key) }
    }

    /// With which key.
    pub fn key(&self) -> &MasterKey {
        &self.key
    }

    /// Takes off the protection in place; gives the length of the RTP packet that remains in front. A refused packet
    /// is left as it came, and changes nothing.
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        let layout = Layout::of(packet).ok_or(Refusal::Malformed)?;
        let len = packet.len().checked_sub(self.transform.tag_len()).ok_or(Refusal::Malformed)?;
        if len < layout.header_len {
            return Err(Refusal::Malformed);
        }
        let (protected, tag) = packet.split_at_mut(len);
        let (header, payload) = protected.split_at_mut(layout.header_len);
        let transform = &self.transform;
        let mut open = |index| transform.open(PacketId { ssrc: layout.ssrc, index }, header, payload, tag);
        let Layout { ssrc, sequence, .. } = layout;
        let index = match self.sources.indices(ssrc) {
            Some(indices) => {
                let index = indices.guess(sequence).ok_or(Refusal::Replayed)?;
                if indices.is_replayed(index) {
                    return Err(Refusal::Replayed);
                }
                open(index).then_some(index)
            }
            None => {
                let continued = self.before.as_ref().and_then(|before| before.indices(ssrc)?.guess(sequence));
                // The first packets may have been lost or have come before the keys, and the wrap with them.
                let candidates = [Some(index(0, sequence)), Some(index(1, sequence)), continued];
                candidates.into_iter().flatten().find(|index| open(*index))
            }
        };
        self.sources.mark(ssrc, index.ok_or(Refusal::Unauthentic)?);
        Ok(len)
    }
}

/// What SRTP wants to know of a packet.
struct Layout {
    header_len: usize,
    sequence: u16,
    ssrc: u32,
}

impl Layout {
    fn of(packet: &[u8]) -> Option<Self> {
        let header_len = rtp::header_len(packet)?;
        let sequence = u16::from_be_bytes(*packet.get(2..)?.first_chunk()?);
        let ssrc = u32::from_be_bytes(*packet.get(8..)?.first_chunk()?);
        Some(Self { header_len, sequence, ssrc })
    }
}

impl fmt::Debug for Protector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protector").field("key", &self.key).field("latest", &self.latest).finish_non_exhaustive()
    }
}

impl fmt::Debug for Unprotector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unprotector").field("key", &self.key).field("sources", &self.sources).finish_non_exhaustive()
    }
}
