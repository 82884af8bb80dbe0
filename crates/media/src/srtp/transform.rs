//! How a suite encrypts and authenticates one packet, given its index.

use aes::cipher::KeyInit;
use aes::{Aes128, Aes256};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{AesGcm, Nonce, Tag};
use ctr::cipher::consts::U12;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::derivation::{Derived, Label, apply_counter_mode, derive};
use super::{MasterKey, Suite};

/// The longest authentication tag of a suite.
pub const MAX_TAG: usize = 16;

/// Bytes of a session key of HMAC-SHA1 (RFC 3711 §8.2).
const AUTHENTICATION_KEY: usize = 20;
/// Bytes of a block of SHA-1.
const SHA1_BLOCK: usize = 64;

/// Session keys, ready for use.
pub(super) enum Transform {
    /// AES in counter mode, then HMAC-SHA1 (RFC 3711 §4).
    CounterMode { aes: Aes128, salt: Derived<14>, mac: Hmac<Sha1>, tag_len: usize },
    /// AES-128 in Galois/counter mode (RFC 7714).
    Gcm128(AesGcm<Aes128, U12>, Derived<12>),
    /// AES-256 in Galois/counter mode (RFC 7714).
    Gcm256(AesGcm<Aes256, U12>, Derived<12>),
}

/// Which packet of which source.
#[derive(Debug, Clone, Copy)]
pub(super) struct PacketId {
    pub ssrc: u32,
    /// Rollover counter, then sequence number: 48 bits.
    pub index: u64,
}

impl Transform {
    pub fn new(master: &MasterKey) -> Self {
        let salt = || derive::<12>(master, Label::Salt);
        match master.suite() {
            suite @ (Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32) => Self::CounterMode {
                aes: Aes128::new(&derive(master, Label::Encryption).0.into()),
                salt: derive(master, Label::Salt),
                mac: hmac_sha1(&derive(master, Label::Authentication)),
                tag_len: suite.tag_len(),
            },
            Suite::AeadAes128Gcm => Self::Gcm128(AesGcm::new(&derive(master, Label::Encryption).0.into()), salt()),
            Suite::AeadAes256Gcm => Self::Gcm256(AesGcm::new(&derive(master, Label::Encryption).0.into()), salt()),
        }
    }

    pub fn tag_len(&self) -> usize {
        match self {
            Self::CounterMode { tag_len, .. } => *tag_len,
            Self::Gcm128(..) | Self::Gcm256(..) => MAX_TAG,
        }
    }

    /// Encrypts a payload in place and writes the tag of header and payload.
    pub fn seal(&self, id: PacketId, header: &[u8], payload: &mut [u8], tag: &mut [u8]) {
        match self {
            Self::CounterMode { aes, salt, mac, tag_len } => {
                apply_counter_mode(aes, counter_iv(salt, id), payload);
                let whole = authenticate(mac, id, header, payload).finalize().into_bytes();
                tag.copy_from_slice(&whole[..*tag_len]);
            }
            Self::Gcm128(aes, salt) => seal_gcm(aes, salt, id, header, payload, tag),
            Self::Gcm256(aes, salt) => seal_gcm(aes, salt, id, header, payload, tag),
        }
    }

    /// Decrypts a payload in place if the tag is that of header and payload; else leaves it as it was.
    #[must_use]
    pub fn open(&self, id: PacketId, header: &[u8], payload: &mut [u8], tag: &[u8]) -> bool {
        match self {
            Self::CounterMode { aes, salt, mac, .. } => {
                let authentic = authenticate(mac, id, header, payload).verify_truncated_left(tag).is_ok();
                if authentic {
                    apply_counter_mode(aes, counter_iv(salt, id), payload);
                }
                authentic
            }
            Self::Gcm128(aes, salt) => open_gcm(aes, salt, id, header, payload, tag),
            Self::Gcm256(aes, salt) => open_gcm(aes, salt, id, header, payload, tag),
        }
    }
}

/// A key shorter than a block is followed by zeros (RFC 2104 §2).
fn hmac_sha1(key: &Derived<AUTHENTICATION_KEY>) -> Hmac<Sha1> {
    let mut block = Derived([0; SHA1_BLOCK]);
    block.0[..AUTHENTICATION_KEY].copy_from_slice(&key.0);
    Hmac::new(&block.0.into())
}

/// RFC 3711 §4.2: header, payload and rollover counter.
fn authenticate(mac: &Hmac<Sha1>, id: PacketId, header: &[u8], payload: &[u8]) -> Hmac<Sha1> {
    let rollovers = (id.index >> 16) as u32;
    mac.clone().chain_update(header).chain_update(payload).chain_update(rollovers.to_be_bytes())
}

/// RFC 3711 §4.1.1: salt, SSRC and index, then the counter of blocks.
fn counter_iv(salt: &Derived<14>, id: PacketId) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[4..8].copy_from_slice(&id.ssrc.to_be_bytes());
    iv[8..14].copy_from_slice(&id.index.to_be_bytes()[2..]);
    iv.iter_mut().zip(salt.0).for_each(|(byte, salt)| *byte ^= salt);
    iv
}

/// RFC 7714 §8.1: salt, SSRC and index.
fn gcm_iv(salt: &Derived<12>, id: PacketId) -> Nonce<U12> {
    let mut iv = [0; 12];
    iv[2..6].copy_from_slice(&id.ssrc.to_be_bytes());
    iv[6..].copy_from_slice(&id.index.to_be_bytes()[2..]);
    iv.iter_mut().zip(salt.0).for_each(|(byte, salt)| *byte ^= salt);
    iv.into()
}

fn seal_gcm(
    aes: &impl AeadInOut<NonceSize = U12, TagSize = ctr::cipher::consts::U16>,
    salt: &Derived<12>,
    id: PacketId,
    header: &[u8],
    payload: &mut [u8],
    tag: &mut [u8],
) {
    // It fails beyond 64 GB. Then the tag stays what it is, and nobody takes the packet.
    if let Ok(whole) = aes.encrypt_inout_detached(&gcm_iv(salt, id), header, payload.into()) {
        tag.copy_from_slice(&whole);
    }
}

fn open_gcm(
    aes: &impl AeadInOut<NonceSize = U12, TagSize = ctr::cipher::consts::U16>,
    salt: &Derived<12>,
    id: PacketId,
    header: &[u8],
    payload: &mut [u8],
    tag: &[u8],
) -> bool {
    let Ok(tag) = Tag::try_from(tag) else { return false };
    aes.decrypt_inout_detached(&gcm_iv(salt, id), header, payload.into(), &tag).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::{hex, unhex};

    const HEADER: &str = "8040f17b8041f8d35501a0b2";
    const PAYLOAD: &str = "47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573";
    const ID: PacketId = PacketId { ssrc: 0x5501_a0b2, index: 0xf17b };

    fn check(transform: &Transform, id: PacketId, header: &str, payload: &str, expected: &str) {
        let header = unhex(header);
        let mut bytes = unhex(payload);
        let mut tag = vec![0; transform.tag_len()];
        transform.seal(id, &header, &mut bytes, &mut tag);
        assert_eq!(format!("{}{}", hex(&bytes), hex(&tag)), expected);
        assert!(transform.open(id, &header, &mut bytes, &tag));
        assert_eq!(hex(&bytes), payload);
    }

    fn salt() -> Derived<12> {
        Derived(*b"Quid pro quo")
    }

    // RFC 7714 §8.1.
    #[test]
    fn aes_128_gcm_is_that_of_rfc_7714_section_16_1() {
        let key: [u8; 16] = std::array::from_fn(|n| n as u8);
        let expected = "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
                        899d7f27beb16a9152cf765ee4390cce";
        check(&Transform::Gcm128(AesGcm::new(&key.into()), salt()), ID, HEADER, PAYLOAD, expected);
    }

    // RFC 7714 §8.1.
    #[test]
    fn aes_256_gcm_is_that_of_rfc_7714_section_16_2() {
        let key: [u8; 32] = std::array::from_fn(|n| n as u8);
        let expected = "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
                        7aa3db36dfffd6b0f9bb7878d7a76c13";
        check(&Transform::Gcm256(AesGcm::new(&key.into()), salt()), ID, HEADER, PAYLOAD, expected);
    }

    #[test]
    fn counter_mode_is_that_of_the_reference_packet_of_libsrtp() {
        let master = unhex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &master).unwrap();
        let id = PacketId { ssrc: 0xcafe_babe, index: 0x1234 };
        let expected = "4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb";
        check(&Transform::new(&master), id, "800f1234decafbadcafebabe", &"ab".repeat(16), expected);
    }
}
