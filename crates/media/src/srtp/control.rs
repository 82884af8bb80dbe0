//! [`ControlProtector`] and [`ControlUnprotector`]: SRTCP (RFC 3711 §3.4, RFC 7714 §9).
//!
//! The index of a packet travels with it, in the word that ends it:
//!
//! ```text
//! AES-CM:  header │ encrypted │ 1, index │ tag        GCM:  header │ encrypted │ tag │ 1, index
//! ```

use std::fmt;

use super::MasterKey;
use super::context::Refusal;
use super::sources::Sources;
use super::transform::{CONTROL_HEADER_LEN, CONTROL_WORD_LEN, MAX_TAG, PacketId, Transform};

/// By how much SRTCP lengthens a packet at most.
pub const MAX_CONTROL_OVERHEAD: usize = CONTROL_WORD_LEN + MAX_TAG;
/// How long an index may grow.
const MAX_INDEX: u32 = (1 << 31) - 1;

/// Protects the RTCP packets of one source.
pub struct ControlProtector {
    key: MasterKey,
    transform: Transform,
    next: u32,
}

impl ControlProtector {
    /// Begins with index 0.
    pub fn new(key: MasterKey) -> Self {
        Self { transform: Transform::rtcp(&key), key, next: 0 }
    }

    /// With which key.
    pub fn key(&self) -> &MasterKey {
        &self.key
    }

    /// Protects the RTCP packet in the first `len` bytes; gives its new length. `None` if that is none, if the rest has
    /// no room, or if the key has served for as long as it may (RFC 3711 §9.2): then it must not be sent.
    pub fn protect(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        let index = Some(self.next).filter(|index| *index <= MAX_INDEX)?;
        let (packet, rest) = buffer.split_at_mut_checked(len)?;
        let (header, payload) = packet.split_at_mut_checked(CONTROL_HEADER_LEN)?;
        let id = PacketId { ssrc: ssrc(header)?, index: index.into() };
        let added = rest.get_mut(..self.transform.tag_len() + CONTROL_WORD_LEN)?;
        let added_len = added.len();
        let (tag, word) = tag_and_word(&self.transform, added);
        self.transform.seal(id, header, payload, tag);
        word.copy_from_slice(&id.control_word());
        self.next = index + 1;
        Some(len + added_len)
    }
}

/// Takes off the protection of RTCP, and refuses what is forged or repeated.
pub struct ControlUnprotector {
    key: MasterKey,
    transform: Transform,
    sources: Sources,
}

impl ControlUnprotector {
    /// Begins without any source.
    pub fn new(key: MasterKey) -> Self {
        Self { transform: Transform::rtcp(&key), key, sources: Sources::new(0) }
    }

    /// With which key.
    pub fn key(&self) -> &MasterKey {
        &self.key
    }

    /// Takes off the protection in place; gives the length of the RTCP packet that remains in front. A refused packet
    /// is left as it came, and changes nothing.
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        let added = self.transform.tag_len() + CONTROL_WORD_LEN;
        let len = packet.len().checked_sub(added).ok_or(Refusal::Malformed)?;
        let (protected, added) = packet.split_at_mut(len);
        let (header, payload) = protected.split_at_mut_checked(CONTROL_HEADER_LEN).ok_or(Refusal::Malformed)?;
        let (tag, word) = tag_and_word(&self.transform, added);
        let ssrc = ssrc(header).ok_or(Refusal::Malformed)?;
        let id = PacketId { ssrc, index: u64::from(index(word).ok_or(Refusal::Malformed)?) };
        if self.sources.indices(ssrc).is_some_and(|indices| indices.is_replayed(id.index)) {
            return Err(Refusal::Replayed);
        }
        if !self.transform.open(id, header, payload, tag) {
            return Err(Refusal::Unauthentic);
        }
        self.sources.mark(ssrc, id.index);
        Ok(len)
    }
}

fn ssrc(header: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*header.get(4..)?.first_chunk()?))
}

/// The index in a word; `None` if it says that the packet is not encrypted, which nobody agreed on.
fn index(word: &[u8]) -> Option<u32> {
    let word = u32::from_be_bytes(*word.first_chunk()?);
    (word > MAX_INDEX).then_some(word & MAX_INDEX)
}

fn tag_and_word<'a>(transform: &Transform, added: &'a mut [u8]) -> (&'a mut [u8], &'a mut [u8]) {
    if transform.is_aead() {
        return added.split_at_mut(transform.tag_len());
    }
    let (word, tag) = added.split_at_mut(CONTROL_WORD_LEN);
    (tag, word)
}

impl fmt::Debug for ControlProtector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlProtector").field("key", &self.key).field("next", &self.next).finish_non_exhaustive()
    }
}

impl fmt::Debug for ControlUnprotector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("ControlUnprotector");
        f.field("key", &self.key).field("sources", &self.sources).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::Suite;
    use crate::srtp::tests::key;
    use crate::testing::{hex, unhex};

    const REPORT: &str = "80c9000111111111";

    fn protected(by: &mut ControlProtector, packet: &str) -> Vec<u8> {
        let mut bytes = unhex(packet);
        let len = bytes.len();
        bytes.resize(len + MAX_CONTROL_OVERHEAD, 0);
        let len = by.protect(&mut bytes, len).unwrap();
        bytes.truncate(len);
        bytes
    }

    fn unprotected(by: &mut ControlUnprotector, packet: &[u8]) -> Result<String, Refusal> {
        let mut packet = packet.to_vec();
        let len = by.unprotect(&mut packet)?;
        Ok(hex(&packet[..len]))
    }

    fn pair(suite: Suite) -> (ControlProtector, ControlUnprotector) {
        (ControlProtector::new(key(suite, 0x10)), ControlUnprotector::new(key(suite, 0x10)))
    }

    // RFC 3711 §3.4.
    #[test]
    fn packets_are_those_of_another_implementation() {
        // A sender report as a browser sent it, from the tests of the crate rtc-srtp 0.21.
        let master = "fda62595d7f6926f7d9c024cc9209f34a9651985540b47be2f27a8b88123";
        let plain = "80c8000666ef91ffdf4880dd61a62ed3d8bcdebe000000090000160481ca000666ef91ff0110526e543543\
                     6d4a687a7965744178772b0000";
        let expected = "80c8000666ef91ffcd34c578b28be16bc509d577e4ce5f208021bd667465e95f49e5f5c0684ee56a7807\
                        7546ed90f6dc9def3bdff279a9d88000000160c0aeb56f40880e28ba";
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &unhex(master)).unwrap();
        let mut protector = ControlProtector { next: 1, ..ControlProtector::new(master.clone()) };
        let packet = protected(&mut protector, plain);
        assert_eq!(hex(&packet), expected);
        assert_eq!(unprotected(&mut ControlUnprotector::new(master), &packet).as_deref(), Ok(plain));
    }

    // RFC 3711 §3.4, RFC 4568 §6.2.2.
    #[test]
    fn even_the_suite_of_short_tags_has_long_ones_here() {
        for (suite, added) in Suite::ALL.into_iter().zip([14, 14, 20, 20]) {
            let (mut protector, mut unprotector) = pair(suite);
            let packet = protected(&mut protector, REPORT);
            assert_eq!(packet.len(), REPORT.len() / 2 + added, "{suite:?}");
            assert_eq!(unprotected(&mut unprotector, &packet).as_deref(), Ok(REPORT), "{suite:?}");
        }
    }

    // RFC 3711 §3.4.
    #[test]
    fn every_bit_counts_and_a_refused_packet_changes_nothing() {
        for suite in Suite::ALL {
            let (mut protector, mut unprotector) = pair(suite);
            let packet = protected(&mut protector, &REPORT.repeat(3));
            for bit in 0..packet.len() * 8 {
                let mut tampered = packet.clone();
                tampered[bit / 8] ^= 1 << (bit % 8);
                let before = tampered.clone();
                assert!(unprotector.unprotect(&mut tampered).is_err(), "{suite:?} bit {bit}");
                assert_eq!(tampered, before);
            }
            for len in 0..packet.len() {
                assert!(unprotected(&mut unprotector, &packet[..len]).is_err(), "{suite:?} cut to {len}");
            }
            assert_eq!(unprotected(&mut unprotector, &packet), Ok(REPORT.repeat(3)), "{suite:?}");
        }
    }

    // RFC 3711 §3.3.2, §9.2.
    #[test]
    fn each_index_is_taken_once_and_the_last_one_ends_the_key() {
        for suite in Suite::ALL {
            let (mut protector, mut unprotector) = pair(suite);
            let packets: Vec<_> = (0..100).map(|_| protected(&mut protector, REPORT)).collect();
            for at in [0, 2, 1, 99] {
                assert!(unprotected(&mut unprotector, &packets[at]).is_ok(), "{suite:?} {at}");
                assert_eq!(unprotected(&mut unprotector, &packets[at]), Err(Refusal::Replayed), "{suite:?} {at}");
            }
            assert_eq!(unprotected(&mut unprotector, &packets[3]), Err(Refusal::Replayed), "too old to tell");
            protector.next = MAX_INDEX;
            assert!(unprotected(&mut unprotector, &protected(&mut protector, REPORT)).is_ok());
            assert_eq!(protector.protect(&mut [0; 64], 8), None);
        }
    }

    #[test]
    fn another_source_is_always_taken_and_packets_without_room_are_refused() {
        let (mut protector, mut unprotector) = pair(Suite::AeadAes128Gcm);
        let of = |ssrc| format!("80c90001{ssrc:08x}");
        let packets: Vec<_> = (0..100).map(|ssrc| protected(&mut protector, &of(ssrc))).collect();
        for packet in &packets {
            assert!(unprotected(&mut unprotector, packet).is_ok());
        }
        for packet in &packets {
            assert_eq!(unprotected(&mut unprotector, packet), Err(Refusal::Replayed));
        }
        assert_eq!(protector.protect(&mut [0; 27], 8), None);
        assert_eq!(protector.protect(&mut [0; 64], 7), None);
        assert_eq!(protector.protect(&mut [0; 64], 65), None);
    }
}
