//! `a=crypto`: a key of SRTP in a session description (RFC 4568).

use std::fmt;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;

use super::base64;
use crate::message::number;

/// A suite of SRTP that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80` (RFC 4568 §6.2.1): what every carrier speaks.
    AesCm128HmacSha1_80,
    /// `AEAD_AES_256_GCM` (RFC 7714 §14.2).
    AeadAes256Gcm,
    /// `AEAD_AES_128_GCM` (RFC 7714 §14.2).
    AeadAes128Gcm,
    /// `AES_CM_128_HMAC_SHA1_32` (RFC 4568 §6.2.2): four bytes tell the real from the forged, so it comes last.
    AesCm128HmacSha1_32,
}

impl Suite {
    /// All of them, as we offer them.
    pub const ALL: [Self; 4] =
        [Self::AesCm128HmacSha1_80, Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_32];

    /// Its name in `a=crypto`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Bytes of its master key and salt together.
    pub fn key_and_salt_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 16 + 14,
            Self::AeadAes128Gcm => 16 + 12,
            Self::AeadAes256Gcm => 32 + 12,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }
}

/// The longest key and salt of a suite.
const MAX_KEY_AND_SALT: usize = 32 + 12;

/// Master key and salt of one direction; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    /// Key, then salt, then zeros.
    bytes: [u8; MAX_KEY_AND_SALT],
}

impl MasterKey {
    /// For which suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key, followed by the salt.
    pub fn key_and_salt(&self) -> &[u8] {
        &self.bytes[..self.suite.key_and_salt_len()]
    }

    pub(super) fn draw(suite: Suite, rng: &mut ChaCha12Rng) -> Self {
        let mut bytes = [0; MAX_KEY_AND_SALT];
        rng.fill_bytes(&mut bytes[..suite.key_and_salt_len()]);
        Self { suite, bytes }
    }

    fn parse(suite: Suite, text: &str) -> Option<Self> {
        let mut bytes = [0; MAX_KEY_AND_SALT];
        base64::decode(text, &mut bytes[..suite.key_and_salt_len()])?;
        Some(Self { suite, bytes })
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({} [redacted])", self.suite.name())
    }
}

/// One `a=crypto` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CryptoLine {
    /// A key that we can work with.
    Usable(Crypto),
    /// Another suite, a master key identifier, a session parameter that weakens the stream, or nonsense.
    Unusable,
}

/// A key that a description offers or accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crypto {
    /// Which line of an offer; the answer repeats it (RFC 4568 §5.1.2).
    pub tag: u32,
    /// The key of the describer's packets.
    pub key: MasterKey,
}

/// Packets that a key must be good for, since we never change it ourselves: a call of almost six hours.
const MIN_LIFETIME: u64 = 1 << 20;
/// Digits of a tag (RFC 4568 §9.1).
const MAX_TAG_DIGITS: usize = 9;

impl CryptoLine {
    /// Reads what stands behind `a=crypto:`.
    pub(super) fn parse(value: &str) -> Self {
        Crypto::parse(value).map_or(Self::Unusable, Self::Usable)
    }

    /// The key, if we can work with it.
    pub fn usable(&self) -> Option<&Crypto> {
        match self {
            Self::Usable(crypto) => Some(crypto),
            Self::Unusable => None,
        }
    }
}

impl Crypto {
    /// `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20 WSH=64`
    fn parse(value: &str) -> Option<Self> {
        let (tag, rest) = value.trim_start().split_once([' ', '\t'])?;
        let (suite, rest) = rest.trim_start().split_once([' ', '\t'])?;
        let tag = number(tag.as_bytes()).filter(|_| tag.len() <= MAX_TAG_DIGITS)?;
        let (method, rest) = rest.trim_start().split_once(':')?;
        if !method.trim_end().eq_ignore_ascii_case("inline") {
            return None;
        }
        let (key, rest) = field(rest);
        let key = MasterKey::parse(Suite::named(suite)?, key)?;
        let session = after_key(rest)?;
        session.split_ascii_whitespace().all(leaves_the_stream_as_it_is).then_some(Self { tag, key })
    }
}

impl fmt::Display for Crypto {
    /// As it stands in a description, with the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} inline:{}", self.tag, self.key.suite.name(), base64::encode(self.key.key_and_salt()))
    }
}

/// Splits off one field of the key parameters.
fn field(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_at(text.find(['|', ';', ' ', '\t']).unwrap_or(text.len()))
}

/// Goes through lifetime and master key identifier (RFC 4568 §6.1); gives the session parameters behind them.
fn after_key(mut text: &str) -> Option<&str> {
    while let Some(behind) = text.trim_start().strip_prefix('|') {
        let (value, rest) = field(behind);
        let harmless = match value.split_once(':') {
            // It would stand in every packet, unless it has no length.
            Some((_, length)) => number::<u32>(length.as_bytes()) == Some(0),
            None => lifetime(value).is_some_and(|packets| packets >= MIN_LIFETIME),
        };
        if !harmless {
            return None;
        }
        text = rest;
    }
    match text.trim_start().strip_prefix(';') {
        // Only identifiers could tell several keys apart.
        Some(behind) => behind.trim().is_empty().then_some(""),
        None => Some(text),
    }
}

/// `2^31`, or a plain number of packets.
fn lifetime(text: &str) -> Option<u64> {
    match text.split_once('^') {
        Some(("2", exponent)) => 1u64.checked_shl(number(exponent.as_bytes())?),
        Some(_) => None,
        None => number(text.as_bytes()),
    }
}

/// RFC 4568 §6.3: a window size is a hint, and what begins with `-` may be ignored. All else changes how packets are
/// encrypted, authenticated or keyed.
fn leaves_the_stream_as_it_is(parameter: &str) -> bool {
    parameter.starts_with('-') || parameter.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("WSH="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::SessionDescription;

    /// 30 bytes, and with less behind it 28.
    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    fn tag_of(value: &str) -> Option<u32> {
        CryptoLine::parse(value).usable().map(|crypto| crypto.tag)
    }

    // RFC 4568 §6.1, §9.1.
    #[test]
    fn keys_are_read_in_every_spelling() {
        for value in [
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "  1\t AES_CM_128_HMAC_SHA1_80   inline:KEY  ",
            "1 aes_cm_128_hmac_sha1_32 INLINE:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline : KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY | 2^31",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|281474976710656",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^48|1:0",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY;",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY WSH=1024 -EXTRA=1",
        ] {
            assert_eq!(tag_of(&value.replace("KEY", KEY)), Some(1), "{value}");
        }
        let crypto = Crypto::parse(&format!("000000007 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20")).unwrap();
        assert_eq!(crypto.key.key_and_salt(), b"YS___semctl () {\t220;}\n}\nunles");
        assert_eq!(crypto.to_string(), format!("7 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"));
    }

    // RFC 4568 §6.2.1, §6.2.2 and RFC 7714 §14.2.
    #[test]
    fn a_key_has_the_length_of_its_suite() {
        for suite in Suite::ALL {
            for len in 0..60 {
                let value = format!("1 {} inline:{}", suite.name(), base64::encode(&vec![7; len]));
                assert_eq!(tag_of(&value).is_some(), len == suite.key_and_salt_len(), "{value}");
            }
        }
    }

    // RFC 4568 §5.1.2, §6.3.
    #[test]
    fn what_we_cannot_work_with_spoils_its_line_and_nothing_else() {
        for value in [
            "",
            "1",
            "1 AES_CM_128_HMAC_SHA1_80",
            "1 AES_CM_128_HMAC_SHA1_80 inline:",
            "1 AES_CM_128_HMAC_SHA1_80 uri:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KE!",
            "x AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "-1 AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "1000000000 AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "1 NULL_HMAC_SHA1_80 inline:KEY",
            "1 AES_CM_128_NULL_AUTH inline:KEY",
            "1 F8_128_HMAC_SHA1_80 inline:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:4",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^10",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^64",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|3^20",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|soon",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:1;inline:KEY|2:1",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY;inline:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY KDR=1",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTP",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTCP",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY WSH=64 UNAUTHENTICATED_SRTP",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY FEC_ORDER=FEC_SRTP",
        ] {
            let value = value.replace("KEY", KEY);
            let body = format!(
                "v=0\nm=audio 4000 RTP/SAVP 0\na=crypto:{value}\na=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\na=ptime:30"
            );
            let description = SessionDescription::parse(body.as_bytes()).unwrap();
            let audio = &description.media[0];
            assert_eq!(audio.cryptos[0], CryptoLine::Unusable, "{value}");
            assert_eq!(
                (audio.cryptos[1].usable().map(|crypto| crypto.tag), audio.ptime),
                (Some(2), Some(30)),
                "{value}"
            );
        }
    }

    #[test]
    fn keys_are_never_printed() {
        let line = CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"));
        assert_eq!(
            format!("{line:?}"),
            "Usable(Crypto { tag: 1, key: MasterKey(AES_CM_128_HMAC_SHA1_80 [redacted]) })"
        );
    }

    #[test]
    fn twenty_thousand_mutations_are_survived_and_what_is_usable_reads_back() {
        let seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = seed;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) as usize % below
        };
        let lines: Vec<_> = Suite::ALL
            .iter()
            .zip(["", "|2^20", "|2^31|1:4", " WSH=64 -X=1"])
            .map(|(suite, behind)| {
                let key = base64::encode(&vec![0xA7; suite.key_and_salt_len()]);
                format!("crypto:{} {} inline:{key}{behind}", behind.len(), suite.name())
            })
            .collect();
        let mut usable = 0;
        for round in 0..20_000 {
            let mut bytes = lines[next(lines.len())].clone().into_bytes();
            for _ in 0..=next(3) {
                let at = next(bytes.len());
                match next(4) {
                    0 => bytes[at] = next(256) as u8,
                    1 => bytes.insert(at, b" \t|:;^=-0129\0\xff"[next(14)]),
                    2 => {
                        bytes.remove(at);
                    }
                    _ => {
                        let length = next(20).min(bytes.len() - at);
                        let piece = bytes[at..at + length].to_vec();
                        let to = next(bytes.len());
                        bytes.splice(to..to, piece);
                    }
                }
            }
            let body = [b"v=0\r\nm=audio 4000 RTP/SAVP 0\r\na=", &bytes[..], b"\r\n"].concat();
            let named = || format!("seed {seed:#x}, round {round}: {}", String::from_utf8_lossy(&bytes));
            let Ok(description) = SessionDescription::parse(&body) else { panic!("{}", named()) };
            for crypto in description.media.iter().flat_map(|media| &media.cryptos).filter_map(CryptoLine::usable) {
                usable += 1;
                assert_eq!(Crypto::parse(&crypto.to_string()).as_ref(), Some(crypto), "{}", named());
            }
        }
        assert!((100..19_000).contains(&usable), "{usable} usable");
    }
}
