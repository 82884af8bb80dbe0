//! Session keys from a master key (RFC 3711 §4.3).

use aes::cipher::{BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipherCore};
use aes::{Aes128, Aes256};
use ctr::{CtrCore, flavors};
use zeroize::Zeroize;

use super::MasterKey;

/// What a session key is for (RFC 3711 §4.3.2).
#[derive(Debug, Clone, Copy)]
pub(super) enum Label {
    Encryption = 0,
    Authentication = 1,
    Salt = 2,
    ControlEncryption = 3,
    ControlAuthentication = 4,
    ControlSalt = 5,
}

/// A session key that is wiped when dropped.
pub(super) struct Derived<const N: usize>(pub [u8; N]);

impl<const N: usize> Drop for Derived<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The session key of `N` bytes for one purpose; the rate of derivation is 0: there is only the first.
pub(super) fn derive<const N: usize>(master: &MasterKey, label: Label) -> Derived<N> {
    // RFC 3711 §4.3.1: the label stands 48 bits before the end of a 112 bit salt. RFC 7714 §11: one of 96 bits is
    // followed by zeros.
    let mut iv = [0; 16];
    iv[..master.salt().len()].copy_from_slice(master.salt());
    iv[7] ^= label as u8;
    let mut derived = Derived([0; N]);
    // RFC 6188 §2: the pseudo-random function has the key length of the cipher.
    if let Ok(aes) = Aes128::new_from_slice(master.key()) {
        apply_counter_mode(&aes, iv, &mut derived.0);
    } else if let Ok(aes) = Aes256::new_from_slice(master.key()) {
        apply_counter_mode(&aes, iv, &mut derived.0);
    }
    derived
}

/// AES in counter mode (RFC 3711 §4.1.1), both ways.
pub(super) fn apply_counter_mode<Aes>(aes: &Aes, iv: [u8; 16], data: &mut [u8])
where
    Aes: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>,
{
    CtrCore::<&Aes, flavors::Ctr128BE>::inner_iv_init(aes, &iv.into()).apply_keystream_partial(data.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::Suite;
    use crate::testing::unhex;

    fn check<const N: usize>(suite: Suite, key_and_salt: &str, label: Label, expected: &str) {
        let master = MasterKey::new(suite, &unhex(key_and_salt)).unwrap();
        assert_eq!(derive::<N>(&master, label).0[..], unhex(expected), "{label:?}");
    }

    // RFC 3711 §4.3, §4.3.1.
    #[test]
    fn keys_are_those_of_rfc_3711_appendix_b_3() {
        let master = "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6";
        let suite = Suite::AesCm128HmacSha1_80;
        check::<16>(suite, master, Label::Encryption, "c61e7a93744f39ee10734afe3ff7a087");
        check::<14>(suite, master, Label::Salt, "30cbbc08863d8c85d49db34a9ae1");
        check::<20>(suite, master, Label::Authentication, "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
    }

    // RFC 6188 §2.
    #[test]
    fn the_keystream_of_a_key_of_256_bits_is_that_of_rfc_6188_section_7() {
        let aes =
            Aes256::new_from_slice(&unhex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6")).unwrap();
        let mut stream = [0; 32];
        apply_counter_mode(&aes, unhex("3b04803de51ee7c96423ab5b78d20000").try_into().unwrap(), &mut stream);
        assert_eq!(stream[..], unhex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"));
    }

    // RFC 3711 §4.1.1.
    #[test]
    fn the_keystream_is_that_of_rfc_3711_appendix_b_2() {
        let aes = Aes128::new_from_slice(&unhex("2b7e151628aed2a6abf7158809cf4f3c")).unwrap();
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfd"));
        let mut stream = vec![0; 0xFF01 * 16];
        apply_counter_mode(&aes, iv, &mut stream);
        assert_eq!(stream[..16], unhex("e03ead0935c95e80e166b16dd92b4eb4"));
        assert_eq!(stream[0xFEFF * 16..][..16], unhex("ec8cdf7398607cb0f2d21675ea9ea1e4"));
        assert_eq!(stream[0xFF00 * 16..][..16], unhex("362b7c3c6773516318a077d7fc5073ae"));
    }
}
