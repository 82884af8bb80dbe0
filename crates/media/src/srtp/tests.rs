//! Two ends of a protected stream, and what may happen between them.

use super::*;
use crate::rtp::{HEADER_LEN, write_header};
use crate::testing::{Dice, hex, unhex};

const SSRC: u32 = 0xCAFE_BABE;

/// A key of bytes that count up from `first`, and salt from A0.
pub(super) fn key(suite: Suite, first: u8) -> MasterKey {
    let key = (0..suite.key_len()).map(|n| first + n as u8);
    let salt = (0..suite.salt_len()).map(|n| 0xA0 + n as u8);
    MasterKey::new(suite, &key.chain(salt).collect::<Vec<_>>()).unwrap()
}

fn plain(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0; HEADER_LEN];
    write_header(packet.first_chunk_mut().unwrap(), false, 0, sequence, 160, ssrc);
    packet.extend(0..20);
    packet
}

fn protected(by: &mut Protector, ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = plain(ssrc, sequence);
    let len = packet.len();
    packet.resize(len + MAX_TAG, 0);
    let len = by.protect(&mut packet, len).unwrap();
    packet.truncate(len);
    packet
}

fn unprotected(by: &mut Unprotector, packet: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut packet = packet.to_vec();
    let len = by.unprotect(&mut packet)?;
    packet.truncate(len);
    Ok(packet)
}

/// The two ends of a stream under one key.
fn pair(suite: Suite) -> (Protector, Unprotector) {
    (Protector::new(key(suite, 0x10)), Unprotector::new(key(suite, 0x10)))
}

#[test]
fn packets_are_those_of_another_implementation() {
    // Made with the crate rtc-srtp 0.21 from the same keys and packets.
    for (suite, first, over_the_wrap) in [
        (
            Suite::AesCm128HmacSha1_80,
            "8000fffe000000a0cafebabe169a90fe80aec291021444276275fa59e69e8580bd0e49ecad1583b41d18",
            "80000001000000a0cafebabe65f47c43bc694355bd41045c0cdf30ff0f092d5ec0ba8b37c09146194c7c",
        ),
        (
            Suite::AesCm128HmacSha1_32,
            "8000fffe000000a0cafebabe169a90fe80aec291021444276275fa59e69e8580bd0e49ec",
            "80000001000000a0cafebabe65f47c43bc694355bd41045c0cdf30ff0f092d5ec0ba8b37",
        ),
        (
            Suite::AeadAes128Gcm,
            "8000fffe000000a0cafebabe7878293e6ea7b070020142e8d11aa20f9ca1a0e7f1a753b9ba2f4d7a8cef1627394a8e74",
            "80000001000000a0cafebabeb72c9f16d2b1ad53570096a0bdbbce3a909500dd88730ce66f5b44f4a6cb22c2a05399da",
        ),
        (
            Suite::AeadAes256Gcm,
            "8000fffe000000a0cafebabe340e6fbc0565058edf22db002be736c7e93653d5feb1de79a2946bcc41f591dfb97b469e",
            "80000001000000a0cafebabef2c604772a4b05910ecc0ad967809a466c801f60f89b413118d2325bfd71a3a18a3efc12",
        ),
    ] {
        let (mut protector, mut unprotector) = pair(suite);
        let packets: Vec<_> =
            [0xFFFE, 0xFFFF, 0, 1].iter().map(|sequence| protected(&mut protector, SSRC, *sequence)).collect();
        assert_eq!((hex(&packets[0]).as_str(), hex(&packets[3]).as_str()), (first, over_the_wrap), "{suite:?}");
        for (packet, sequence) in packets.iter().zip([0xFFFE, 0xFFFF, 0, 1]) {
            assert_eq!(unprotected(&mut unprotector, packet), Ok(plain(SSRC, sequence)), "{suite:?}");
        }
    }
}

#[test]
fn csrc_list_and_extension_stay_readable_and_authentic() {
    for suite in Suite::ALL {
        for (first_byte, header) in [(0x81, "01010101"), (0x90, "bede000105050505"), (0xA0, "")] {
            let mut packet = plain(SSRC, 7);
            packet[0] = first_byte;
            packet.splice(HEADER_LEN..HEADER_LEN, unhex(header));
            let (mut protector, mut unprotector) = pair(suite);
            let mut bytes = packet.clone();
            bytes.resize(packet.len() + MAX_TAG, 0);
            let len = protector.protect(&mut bytes, packet.len()).unwrap();
            bytes.truncate(len);
            let header_len = HEADER_LEN + header.len() / 2;
            assert_eq!(bytes[..header_len], packet[..header_len]);
            assert_ne!(bytes[header_len..packet.len()], packet[header_len..]);
            assert_eq!(unprotected(&mut unprotector, &bytes), Ok(packet), "{suite:?} {header}");
        }
    }
}

// RFC 3711 §3.3, §4.2.
#[test]
fn every_bit_counts_and_a_refused_packet_changes_nothing() {
    for suite in Suite::ALL {
        let (mut protector, mut unprotector) = pair(suite);
        let first = protected(&mut protector, SSRC, 100);
        let second = protected(&mut protector, SSRC, 101);
        unprotected(&mut unprotector, &first).unwrap();
        for bit in 0..second.len() * 8 {
            let mut tampered = second.clone();
            tampered[bit / 8] ^= 1 << (bit % 8);
            let before = tampered.clone();
            assert!(unprotector.unprotect(&mut tampered).is_err(), "{suite:?} bit {bit}");
            assert_eq!(tampered, before);
        }
        for len in 0..second.len() {
            assert!(unprotected(&mut unprotector, &second[..len]).is_err(), "{suite:?} cut to {len}");
        }
        assert_eq!(unprotected(&mut unprotector, &second), Ok(plain(SSRC, 101)), "{suite:?}");
    }
}

// RFC 3711 §3.3.2.
#[test]
fn replayed_packets_and_those_of_another_key_are_refused() {
    for suite in Suite::ALL {
        let (mut protector, mut unprotector) = pair(suite);
        let packets: Vec<_> = (0..200).map(|sequence| protected(&mut protector, SSRC, sequence)).collect();
        let stranger = protected(&mut Protector::new(key(suite, 0x11)), SSRC, 200);
        for packet in packets.iter().skip(1) {
            unprotected(&mut unprotector, packet).unwrap();
        }
        assert_eq!(unprotected(&mut unprotector, &packets[199]), Err(Refusal::Replayed));
        assert_eq!(unprotected(&mut unprotector, &packets[100]), Err(Refusal::Replayed));
        assert_eq!(unprotected(&mut unprotector, &packets[0]), Err(Refusal::Replayed), "too old to tell");
        assert_eq!(unprotected(&mut unprotector, &stranger), Err(Refusal::Unauthentic));
        assert_eq!(unprotected(&mut unprotector, &plain(SSRC, 200)), Err(Refusal::Unauthentic), "not protected");
        let other_source = protected(&mut protector, SSRC + 1, 199);
        assert!(unprotected(&mut unprotector, &other_source).is_ok(), "the key admits any source");
    }
}

#[test]
fn loss_and_reordering_across_two_wraps_cost_only_the_lost() {
    for (seed, suite) in (1..).zip(Suite::ALL) {
        let named = format!("{suite:?}, seed {seed}");
        let mut dice = Dice::new(seed);
        let (mut protector, mut unprotector) = pair(suite);
        let mut on_the_way: Vec<(u32, Vec<u8>)> = Vec::new();
        for n in 0..140_000u32 {
            // Far from the wraps a packet in a hundred will do.
            let sequence = n.wrapping_add(0xFF00) as u16;
            if (0x400..0xFC00).contains(&sequence) && n % 100 != 0 {
                continue;
            }
            let packet = protected(&mut protector, SSRC, sequence);
            if dice.uniform() >= 0.03 {
                on_the_way.push((n + dice.range(0.0, 50.0) as u32, packet));
            }
        }
        on_the_way.sort_by_key(|(arrival, _)| *arrival);
        for (arrival, packet) in on_the_way {
            assert!(unprotected(&mut unprotector, &packet).is_ok(), "{named} at {arrival}");
            assert_eq!(unprotected(&mut unprotector, &packet), Err(Refusal::Replayed), "{named} at {arrival}");
        }
    }
}

#[test]
fn a_wrap_before_the_first_packet_that_arrives_is_found() {
    for suite in Suite::ALL {
        let (mut protector, mut unprotector) = pair(suite);
        let packets = [0xFFFE, 0xFFFF, 0, 1].map(|sequence| protected(&mut protector, SSRC, sequence));
        for late_first in [3, 1, 2, 0] {
            assert!(unprotected(&mut unprotector, &packets[late_first]).is_ok(), "{suite:?} {late_first}");
        }
    }
}

#[test]
fn after_a_new_key_the_rollover_counter_may_begin_anew_or_go_on() {
    for suite in Suite::ALL {
        // Eight steps, of which the last is in the third cycle.
        let steps = || (0..8u32).map(|n| (n * 0x7000) as u16);
        let (mut protector, mut before) = pair(suite);
        for sequence in steps() {
            assert!(unprotected(&mut before, &protected(&mut protector, SSRC, sequence)).is_ok());
        }
        for goes_on in [false, true] {
            let mut sender = Protector::new(key(suite, 0x20));
            for sequence in steps().filter(|_| goes_on) {
                protected(&mut sender, SSRC, sequence);
            }
            let mut unprotector = Unprotector::succeeding(key(suite, 0x20), &before);
            let packet = protected(&mut sender, SSRC, 0x1001);
            assert!(unprotected(&mut unprotector, &packet).is_ok(), "{suite:?} {goes_on}");
            assert_eq!(unprotected(&mut unprotector, &packet), Err(Refusal::Replayed));
        }
    }
}

// RFC 3711 §3.3.2.
#[test]
fn a_new_source_for_each_of_500_prompts_is_heard_and_none_of_them_twice() {
    let (_, mut unprotector) = pair(Suite::AesCm128HmacSha1_80);
    let mut all = Vec::new();
    for ssrc in 0..500 {
        let mut protector = Protector::new(key(Suite::AesCm128HmacSha1_80, 0x10));
        for sequence in 0..3 {
            let packet = protected(&mut protector, ssrc, 40_000 + sequence);
            assert!(unprotected(&mut unprotector, &packet).is_ok(), "{ssrc} {sequence}");
            all.push(packet);
        }
    }
    for packet in &all {
        assert_eq!(unprotected(&mut unprotector, packet), Err(Refusal::Replayed));
    }
}

#[test]
fn a_packet_without_room_for_its_tag_is_not_protected() {
    for suite in Suite::ALL {
        let mut packet = plain(SSRC, 1);
        let len = packet.len();
        packet.resize(len + suite.tag_len() - 1, 0);
        assert_eq!(Protector::new(key(suite, 1)).protect(&mut packet, len), None);
        assert_eq!(Protector::new(key(suite, 1)).protect(&mut packet, 5), None);
        assert_eq!(Protector::new(key(suite, 1)).protect(&mut packet, len + 1000), None);
    }
}

// RFC 4568 §6.2.1, §6.2.2 and RFC 7714 §14.2.
#[test]
fn keys_have_their_length_and_are_never_printed() {
    for suite in Suite::ALL {
        assert!(MasterKey::new(suite, &[0x4B; 29]).is_err(), "{suite:?}");
        let (protector, unprotector) = pair(suite);
        let printed = format!("{:?} {protector:?} {unprotector:?}", key(suite, 0x10));
        assert!(printed.contains("[redacted]") && !printed.contains("16, 17"), "{printed}");
    }
    assert_eq!(
        MasterKey::new(Suite::AeadAes256Gcm, &[]).unwrap_err().to_string(),
        "AEAD_AES_256_GCM wants 44 bytes of key and salt"
    );
}
