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
/// Bytes of an RTCP packet that stay readable: the first header, with its SSRC (RFC 3711 §3.4).
pub(super) const CONTROL_HEADER_LEN: usize = 8;
/// Bytes of the word that ends a protected RTCP packet: this one is encrypted, and its index.
pub(super) const CONTROL_WORD_LEN: usize = 4;

/// Bytes of a session key of HMAC-SHA1 (RFC 3711 §8.2).
const AUTHENTICATION_KEY: usize = 20;
/// Bytes of a block of SHA-1.
const SHA1_BLOCK: usize = 64;
/// The shortest tag of RTCP.
const MIN_CONTROL_TAG: usize = 10;
/// Bytes of RTCP that GCM authenticates beside the payload.
const CONTROL_ASSOCIATED: usize = CONTROL_HEADER_LEN + CONTROL_WORD_LEN;

/// Session keys, ready for use.
pub(super) struct Transform {
    protocol: Protocol,
    cipher: Cipher,
}

/// What the keys protect: of one master key each has session keys of its own (RFC 3711 §4.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Rtp,
    Rtcp,
}

enum Cipher {
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
    /// Rollover counter, then sequence number: 48 bits. Of RTCP: 31 bits.
    pub index: u64,
}

impl PacketId {
    /// The word that ends a protected RTCP packet (RFC 3711 §3.4).
    pub fn control_word(self) -> [u8; CONTROL_WORD_LEN] {
        const ENCRYPTED: u32 = 1 << 31;
        (ENCRYPTED | self.index as u32).to_be_bytes()
    }
}

impl Transform {
    /// The session keys of RTP.
    pub fn rtp(master: &MasterKey) -> Self {
        let labels = [Label::Encryption, Label::Authentication, Label::Salt];
        Self { protocol: Protocol::Rtp, cipher: Cipher::new(master, labels, master.suite().tag_len()) }
    }

    /// The session keys of RTCP.
    pub fn rtcp(master: &MasterKey) -> Self {
        // RFC 4568 §6.2.2: the short tag is for RTP only.
        let tag_len = master.suite().tag_len().max(MIN_CONTROL_TAG);
        let labels = [Label::ControlEncryption, Label::ControlAuthentication, Label::ControlSalt];
        Self { protocol: Protocol::Rtcp, cipher: Cipher::new(master, labels, tag_len) }
    }

    pub fn tag_len(&self) -> usize {
        match self.cipher {
            Cipher::CounterMode { tag_len, .. } => tag_len,
            Cipher::Gcm128(..) | Cipher::Gcm256(..) => MAX_TAG,
        }
    }

    /// Whether the tag belongs to the ciphertext, so that the word of RTCP comes after it (RFC 7714 §9.1).
    pub fn is_aead(&self) -> bool {
        matches!(self.cipher, Cipher::Gcm128(..) | Cipher::Gcm256(..))
    }

    /// Encrypts a payload in place and writes the tag of header and payload.
    pub fn seal(&self, id: PacketId, header: &[u8], payload: &mut [u8], tag: &mut [u8]) {
        let mut space = [0; CONTROL_ASSOCIATED];
        match &self.cipher {
            Cipher::CounterMode { aes, salt, mac, tag_len } => {
                apply_counter_mode(aes, counter_iv(salt, id), payload);
                let whole = self.authenticate(mac, id, header, payload).finalize().into_bytes();
                tag.copy_from_slice(&whole[..*tag_len]);
            }
            Cipher::Gcm128(aes, salt) => {
                seal_gcm(aes, salt, id, self.associated(id, header, &mut space), payload, tag);
            }
            Cipher::Gcm256(aes, salt) => {
                seal_gcm(aes, salt, id, self.associated(id, header, &mut space), payload, tag);
            }
        }
    }

    /// Decrypts a payload in place if the tag is that of header and payload; else leaves it as it was.
    #[must_use]
    pub fn open(&self, id: PacketId, header: &[u8], payload: &mut [u8], tag: &[u8]) -> bool {
        let mut space = [0; CONTROL_ASSOCIATED];
        match &self.cipher {
            Cipher::CounterMode { aes, salt, mac, .. } => {
                let authentic = self.authenticate(mac, id, header, payload).verify_truncated_left(tag).is_ok();
                if authentic {
                    apply_counter_mode(aes, counter_iv(salt, id), payload);
                }
                authentic
            }
            Cipher::Gcm128(aes, salt) => open_gcm(aes, salt, id, self.associated(id, header, &mut space), payload, tag),
            Cipher::Gcm256(aes, salt) => open_gcm(aes, salt, id, self.associated(id, header, &mut space), payload, tag),
        }
    }

    /// RFC 3711 §4.2: header, payload, then the rollover counter of RTP or the word of RTCP.
    fn authenticate(&self, mac: &Hmac<Sha1>, id: PacketId, header: &[u8], payload: &[u8]) -> Hmac<Sha1> {
        let last = match self.protocol {
            Protocol::Rtp => ((id.index >> 16) as u32).to_be_bytes(),
            Protocol::Rtcp => id.control_word(),
        };
        mac.clone().chain_update(header).chain_update(payload).chain_update(last)
    }

    /// What GCM authenticates beside the payload: the header, and of RTCP the word too (RFC 7714 §9.2).
    fn associated<'a>(&self, id: PacketId, header: &'a [u8], space: &'a mut [u8; CONTROL_ASSOCIATED]) -> &'a [u8] {
        match (self.protocol, header.first_chunk::<CONTROL_HEADER_LEN>()) {
            (Protocol::Rtcp, Some(header)) => {
                space[..CONTROL_HEADER_LEN].copy_from_slice(header);
                space[CONTROL_HEADER_LEN..].copy_from_slice(&id.control_word());
                space
            }
            _ => header,
        }
    }
}

impl Cipher {
    fn new(master: &MasterKey, [encryption, authentication, salt]: [Label; 3], tag_len: usize) -> Self {
        match master.suite() {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => Self::CounterMode {
                aes: Aes128::new(&derive(master, encryption).0.into()),
                salt: derive(master, salt),
                mac: hmac_sha1(&derive(master, authentication)),
                tag_len,
            },
            Suite::AeadAes128Gcm => {
                Self::Gcm128(AesGcm::new(&derive(master, encryption).0.into()), derive(master, salt))
            }
            Suite::AeadAes256Gcm => {
                Self::Gcm256(AesGcm::new(&derive(master, encryption).0.into()), derive(master, salt))
            }
        }
    }
}

/// A key shorter than a block is followed by zeros (RFC 2104 §2).
fn hmac_sha1(key: &Derived<AUTHENTICATION_KEY>) -> Hmac<Sha1> {
    let mut block = Derived([0; SHA1_BLOCK]);
    block.0[..AUTHENTICATION_KEY].copy_from_slice(&key.0);
    Hmac::new(&block.0.into())
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
    use crate::testing::{hex, unhex};

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

    fn of(protocol: Protocol, cipher: Cipher) -> Transform {
        Transform { protocol, cipher }
    }

    // RFC 7714 §8.1.
    #[test]
    fn aes_128_gcm_is_that_of_rfc_7714_section_16_1() {
        let key: [u8; 16] = std::array::from_fn(|n| n as u8);
        let expected = "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
                        899d7f27beb16a9152cf765ee4390cce";
        check(&of(Protocol::Rtp, Cipher::Gcm128(AesGcm::new(&key.into()), salt())), ID, HEADER, PAYLOAD, expected);
    }

    // RFC 7714 §8.1.
    #[test]
    fn aes_256_gcm_is_that_of_rfc_7714_section_16_2() {
        let key: [u8; 32] = std::array::from_fn(|n| n as u8);
        let expected = "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
                        7aa3db36dfffd6b0f9bb7878d7a76c13";
        check(&of(Protocol::Rtp, Cipher::Gcm256(AesGcm::new(&key.into()), salt())), ID, HEADER, PAYLOAD, expected);
    }

    #[test]
    fn counter_mode_is_that_of_the_reference_packet_of_libsrtp() {
        let master = unhex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &master).unwrap();
        let id = PacketId { ssrc: 0xcafe_babe, index: 0x1234 };
        let expected = "4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb";
        check(&Transform::rtp(&master), id, "800f1234decafbadcafebabe", &"ab".repeat(16), expected);
    }

    const CONTROL_HEADER: &str = "81c8000d4d617273";
    const CONTROL: &str = "4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
    const CONTROL_ID: PacketId = PacketId { ssrc: 0x4d61_7273, index: 0x5d4 };

    // RFC 7714 §9.1, §9.2.
    #[test]
    fn aes_128_gcm_of_rtcp_is_that_of_rfc_7714_section_17_1() {
        let key: [u8; 16] = std::array::from_fn(|n| n as u8);
        let expected = "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda\
                        4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade";
        let transform = of(Protocol::Rtcp, Cipher::Gcm128(AesGcm::new(&key.into()), salt()));
        check(&transform, CONTROL_ID, CONTROL_HEADER, CONTROL, expected);
    }

    // RFC 7714 §9.1, §9.2.
    #[test]
    fn aes_256_gcm_of_rtcp_is_that_of_rfc_7714_section_17_2() {
        let key: [u8; 32] = std::array::from_fn(|n| n as u8);
        let expected = "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be\
                        8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be";
        let transform = of(Protocol::Rtcp, Cipher::Gcm256(AesGcm::new(&key.into()), salt()));
        check(&transform, CONTROL_ID, CONTROL_HEADER, CONTROL, expected);
    }
}
