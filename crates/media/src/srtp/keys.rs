//! What a master key is, and for which suite.

use std::fmt;

use zeroize::Zeroize;

/// A suite of SRTP, by its name in `a=crypto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80` (RFC 4568 §6.2.1).
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32` (RFC 4568 §6.2.2).
    AesCm128HmacSha1_32,
    /// `AEAD_AES_128_GCM` (RFC 7714 §14.2).
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM` (RFC 7714 §14.2).
    AeadAes256Gcm,
}

impl Suite {
    /// All that we speak.
    pub const ALL: [Self; 4] =
        [Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32, Self::AeadAes128Gcm, Self::AeadAes256Gcm];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Bytes of its master key.
    pub fn key_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of its master salt.
    pub fn salt_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// By how many bytes it lengthens a packet.
    pub fn tag_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }
}

/// The longest key and salt of a suite.
const MAX_KEY_AND_SALT: usize = 32 + 12;

/// Master key and master salt of one direction. Never printed, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    /// Key, then salt, then zeros.
    bytes: [u8; MAX_KEY_AND_SALT],
}

/// Key and salt are not as long as their suite wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} wants {} bytes of key and salt", suite.name(), suite.key_len() + suite.salt_len())]
pub struct WrongLength {
    suite: Suite,
}

impl MasterKey {
    /// The key of a suite, followed by its salt, as `inline:` carries them (RFC 4568 §6.1).
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Result<Self, WrongLength> {
        let mut bytes = [0; MAX_KEY_AND_SALT];
        let filled =
            bytes.get_mut(..suite.key_len() + suite.salt_len()).filter(|into| into.len() == key_and_salt.len());
        filled.ok_or(WrongLength { suite })?.copy_from_slice(key_and_salt);
        Ok(Self { suite, bytes })
    }

    /// For which suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.bytes[..self.suite.key_len()]
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.bytes[self.suite.key_len()..][..self.suite.salt_len()]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({} [redacted])", self.suite.name())
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// The keys of both directions; never the same one (RFC 3711 §9.1).
///
/// A key that is not in use yet begins at rollover counter 0 (RFC 4568 §7.1.4), so one that was taken out of use must
/// not be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// What protects our packets: the key in our description.
    pub send: MasterKey,
    /// What theirs are protected with: the key in their description.
    pub receive: MasterKey,
}
