//! Two that negotiate, and one against texts.

use super::*;
use crate::sdp::{AudioCodec, Direction};

const SEED: [u8; 32] = [7; 32];
/// 30 bytes of theirs, and 30 others.
const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const OTHER: &str = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

fn ours() -> Capabilities {
    Capabilities {
        address: "192.0.2.1:4000".parse().unwrap(),
        codecs: vec![AudioCodec::Pcmu],
        telephone_event: None,
        session_id: 7,
        version: 2,
        direction: Direction::SendRecv,
    }
}

fn sdes(policy: SrtpPolicy) -> Sdes {
    Sdes::new(policy, SEED)
}

/// Streams of theirs; `KEY` and `OTHER` stand for whole keys.
fn theirs(media: &str) -> SessionDescription {
    let media = media.replace("OTHER", OTHER).replace("KEY", KEY).replace('\n', "\r\n");
    SessionDescription::parse(format!("v=0\r\nc=IN IP4 198.51.100.1\r\n{media}\r\n").as_bytes()).unwrap()
}

/// The m= and a=crypto lines, each key as `…`.
fn lines(description: &SessionDescription) -> String {
    let text = String::from_utf8(description.to_bytes()).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("m=") || line.starts_with("a=crypto"));
    let lines = lines.map(|line| line.split_once("inline:").map_or(line.to_owned(), |(line, _)| format!("{line}…")));
    lines.collect::<Vec<_>>().join("\n")
}

fn check_answer(policy: SrtpPolicy, offer: &str, expected: Result<&str, Error>) {
    let mut sdes = sdes(policy);
    let answered = sdes.answer(&theirs(offer), &ours()).map(|(answer, negotiated)| {
        let written = lines(&answer);
        assert_eq!(negotiated.srtp.is_some(), written.contains("a=crypto"), "{offer}");
        written
    });
    assert_eq!(answered, expected.map(str::to_owned), "{policy:?} {offer}");
}

fn check_accept(policy: SrtpPolicy, answer: &str, expected: Result<Option<Suite>, Error>) {
    let mut sdes = sdes(policy);
    sdes.offer(&ours());
    let accepted = sdes.accept(&ours(), &theirs(answer));
    let suite = accepted.map(|negotiated| negotiated.srtp.map(|keys| keys.receive.suite()));
    assert_eq!(suite, expected, "{policy:?} {answer}");
}

const ALL_KEYS: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 …\na=crypto:2 AEAD_AES_256_GCM …\n\
                        a=crypto:3 AEAD_AES_128_GCM …\na=crypto:4 AES_CM_128_HMAC_SHA1_32 …";

#[test]
fn the_policy_makes_the_profile_of_the_offer() {
    for (policy, expected) in [
        (SrtpPolicy::Off, "m=audio 4000 RTP/AVP 0".to_owned()),
        (SrtpPolicy::Preferred, format!("m=audio 4000 RTP/AVP 0\n{ALL_KEYS}")),
        (SrtpPolicy::Required, format!("m=audio 4000 RTP/SAVP 0\n{ALL_KEYS}")),
    ] {
        assert_eq!(lines(&sdes(policy).offer(&ours())), expected);
    }
}

#[test]
fn the_answer_has_the_accepted_line_and_its_tag() {
    use SrtpPolicy::{Off, Preferred, Required};
    const NO_KEY: Error = Error::Srtp("no usable key in the offer");
    let secure = "m=audio 5004 RTP/SAVP 0\na=crypto:1 F8_128_HMAC_SHA1_80 inline:KEY\na=crypto:5 AES_CM_128_HMAC_SHA1_32 inline:KEY|2^31\na=crypto:9 AES_CM_128_HMAC_SHA1_80 inline:OTHER";
    let answered = "m=audio 4000 RTP/SAVP 0\na=crypto:5 AES_CM_128_HMAC_SHA1_32 …";
    check_answer(Required, secure, Ok(answered));
    check_answer(Preferred, secure, Ok(answered));
    check_answer(Off, secure, Err(Error::NoCommonCodec));

    let best_effort = "m=audio 5004 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY";
    let answered = "m=audio 4000 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 …";
    check_answer(Required, best_effort, Ok(answered));
    check_answer(Preferred, best_effort, Ok(answered));
    check_answer(Off, best_effort, Ok("m=audio 4000 RTP/AVP 0"));

    let plain = "m=audio 5004 RTP/AVP 0";
    check_answer(Required, plain, Err(NO_KEY));
    check_answer(Preferred, plain, Ok("m=audio 4000 RTP/AVP 0"));

    let both = "m=audio 5004 RTP/AVP 0\nm=audio 5006 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY";
    let answered = "m=audio 0 RTP/AVP 0\nm=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 …";
    check_answer(Required, both, Ok(answered));
    check_answer(Preferred, both, Ok(answered));
    check_answer(Off, both, Ok("m=audio 4000 RTP/AVP 0\nm=audio 0 RTP/SAVP 0"));

    for weak in ["", "UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP", "KDR=3"] {
        let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY";
        let crypto = if weak.is_empty() { "a=ptime:20".to_owned() } else { format!("{key} {weak}") };
        check_answer(Required, &format!("m=audio 5004 RTP/SAVP 0\n{crypto}"), Err(NO_KEY));
        check_answer(Preferred, &format!("m=audio 5004 RTP/SAVP 0\n{crypto}"), Err(NO_KEY));
        check_answer(Preferred, &format!("m=audio 5004 RTP/AVP 0\n{crypto}"), Ok("m=audio 4000 RTP/AVP 0"));
    }
    check_answer(Required, "m=audio 5004 RTP/SAVP 18", Err(Error::NoCommonCodec));
    check_answer(Required, "m=audio 5004 UDP/TLS/RTP/SAVP 0", Err(Error::NoCommonCodec));
}

#[test]
fn no_answer_talks_us_out_of_srtp() {
    use SrtpPolicy::{Off, Preferred, Required};
    const STRANGE: Error = Error::Srtp("the answer takes a key that was not offered");
    const UNUSABLE: Error = Error::Srtp("no usable key in the answer");
    let good = Ok(Some(Suite::AesCm128HmacSha1_80));
    let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY";
    let required =
        |behind: &str, expected| check_accept(Required, &format!("m=audio 5004 RTP/SAVP 0\n{behind}"), expected);
    required(key, good.clone());
    required("a=ptime:20", Err(Error::Srtp("no key in the answer")));
    required(&key.replace(":1 ", ":2 "), Err(STRANGE));
    required(&key.replace(":1 ", ":7 "), Err(STRANGE));
    required(&key.replace(":1 ", ":0 "), Err(STRANGE));
    required(&format!("{key}\n{}", key.replace(":1 ", ":2 ")), Err(Error::Srtp("several keys in the answer")));
    required("a=crypto:1 NULL_HMAC_SHA1_80 inline:KEY", Err(UNUSABLE));
    for weak in ["UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP", "KDR=3"] {
        required(&format!("{key} {weak}"), Err(UNUSABLE));
        check_accept(Preferred, &format!("m=audio 5004 RTP/AVP 0\n{key} {weak}"), Err(UNUSABLE));
    }
    let downgraded = format!("m=audio 5004 RTP/AVP 0\n{key}");
    check_accept(Required, &downgraded, Err(Error::Srtp("RTP/AVP answers RTP/SAVP")));
    check_accept(Required, "m=audio 5004 RTP/AVP 0", Err(Error::Srtp("RTP/AVP answers RTP/SAVP")));
    check_accept(Required, "m=audio 0 RTP/SAVP 0", Err(Error::NoCommonCodec));

    check_accept(Preferred, &downgraded, good.clone());
    check_accept(Preferred, &format!("m=audio 5004 RTP/SAVP 0\n{key}"), good);
    check_accept(Preferred, "m=audio 5004 RTP/AVP 0", Ok(None));
    check_accept(Preferred, "m=audio 5004 RTP/SAVP 0", Err(Error::Srtp("no key in the answer")));
    check_accept(Off, &downgraded, Ok(None));
}

#[test]
fn both_sides_end_with_the_same_keys_the_other_way_round() {
    use SrtpPolicy::{Off, Preferred, Required};
    for (caller, callee, protected) in [
        (Required, Required, Some(true)),
        (Required, Preferred, Some(true)),
        (Preferred, Required, Some(true)),
        (Preferred, Preferred, Some(true)),
        (Preferred, Off, Some(false)),
        (Off, Preferred, Some(false)),
        (Off, Off, Some(false)),
        (Required, Off, None),
        (Off, Required, None),
    ] {
        let mut calling = Sdes::new(caller, [1; 32]);
        let mut called = Sdes::new(callee, [2; 32]);
        let offer = SessionDescription::parse(&calling.offer(&ours()).to_bytes()).unwrap();
        let Ok((answer, at_callee)) = called.answer(&offer, &ours()) else {
            assert_eq!(protected, None, "{caller:?} {callee:?}");
            continue;
        };
        let answer = SessionDescription::parse(&answer.to_bytes()).unwrap();
        let at_caller = calling.accept(&ours(), &answer).unwrap();
        assert_eq!(Some(at_callee.srtp.is_some()), protected, "{caller:?} {callee:?}");
        let turned = at_callee.srtp.map(|keys| SrtpKeys { send: keys.receive, receive: keys.send });
        assert_eq!(at_caller.srtp, turned, "{caller:?} {callee:?}");
    }
}

/// Our key in the answer to an offer of theirs.
fn our_key(sdes: &mut Sdes, offer: &str) -> Option<MasterKey> {
    sdes.answer(&theirs(offer), &ours()).unwrap().1.srtp.map(|keys| keys.send)
}

#[test]
fn our_key_stays_until_theirs_changes() {
    let offer = "m=audio 5004 RTP/SAVP 0\na=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:KEY";
    let held = format!("{offer}\na=sendonly");
    let mut sdes = sdes(SrtpPolicy::Required);
    let first = our_key(&mut sdes, offer);
    assert_eq!(our_key(&mut sdes, &held), first);
    let reoffer = sdes.offer(&ours());
    assert_eq!(reoffer.media[0].cryptos[0].usable().map(|crypto| &crypto.key), first.as_ref());
    let answer = theirs(&offer.replace(":3 ", ":1 "));
    assert_eq!(sdes.accept(&ours(), &answer).unwrap().srtp.map(|keys| keys.send), first);
    let changed = our_key(&mut sdes, &offer.replace("KEY", "OTHER"));
    assert!(changed.is_some() && changed != first);
    assert_eq!(our_key(&mut sdes, &offer.replace("KEY", "OTHER")), changed);
    let back = our_key(&mut sdes, offer);
    assert!(back != first && back != changed, "a key that was in use does not come back");
}

#[test]
fn a_refused_description_leaves_the_keys_as_they_were() {
    let offer = "m=audio 5004 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY";
    let mut sdes = sdes(SrtpPolicy::Required);
    let first = our_key(&mut sdes, offer);
    assert!(sdes.answer(&theirs("m=audio 5004 RTP/AVP 0"), &ours()).is_err());
    sdes.offer(&ours());
    assert!(sdes.accept(&ours(), &theirs("m=audio 5004 RTP/SAVP 0")).is_err());
    assert_eq!(our_key(&mut sdes, offer), first);
}

#[test]
fn a_key_that_was_out_of_use_is_not_used_again() {
    let offer = "m=audio 5004 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY";
    let mut sdes = sdes(SrtpPolicy::Preferred);
    let first = our_key(&mut sdes, offer);
    assert_eq!(our_key(&mut sdes, "m=audio 5004 RTP/AVP 0"), None);
    let second = our_key(&mut sdes, offer);
    assert!(second.is_some() && second != first);
    assert_eq!(sdes.accept(&ours(), &theirs("m=audio 5004 RTP/AVP 0")).unwrap().srtp, None);
    let third = sdes.offer(&ours());
    assert!(third.media[0].cryptos[0].usable().is_some_and(|crypto| Some(&crypto.key) != second.as_ref()));
}

#[test]
fn the_suite_and_profile_in_use_come_first_when_we_offer_again() {
    let mut sdes = sdes(SrtpPolicy::Preferred);
    our_key(&mut sdes, "m=audio 5004 RTP/SAVP 0\na=crypto:9 AES_CM_128_HMAC_SHA1_32 inline:KEY");
    let lines = lines(&sdes.offer(&ours()));
    assert!(lines.starts_with("m=audio 4000 RTP/SAVP 0\na=crypto:4 AES_CM_128_HMAC_SHA1_32 …\na=crypto:1 "), "{lines}");
}

#[test]
fn a_refresh_that_offers_our_answer_again_may_be_answered() {
    let offer = "m=audio 5004 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:KEY";
    let mut sdes = sdes(SrtpPolicy::Required);
    let key = our_key(&mut sdes, offer);
    assert_eq!(sdes.accept(&ours(), &theirs(offer)).unwrap().srtp.map(|keys| keys.send), key);
    assert!(sdes.accept(&ours(), &theirs(&offer.replace(":1 ", ":2 "))).is_err());
}

#[test]
fn our_own_key_is_not_taken_as_theirs() {
    let mut sdes = sdes(SrtpPolicy::Required);
    let echoed = sdes.offer(&ours());
    assert_eq!(sdes.answer(&echoed, &ours()), Err(ECHOED));
    let mut answer = echoed;
    answer.media[0].cryptos.truncate(1);
    assert_eq!(sdes.accept(&ours(), &answer), Err(ECHOED));
}

#[test]
fn keys_differ_by_seed_and_suite_and_are_never_printed() {
    let mut one = Sdes::new(SrtpPolicy::Required, [1; 32]);
    let mut two = Sdes::new(SrtpPolicy::Required, [2; 32]);
    let mut offers = vec![one.offer(&ours()), two.offer(&ours())];
    let printed = format!("{one:?} {offers:?}");
    let mut keys: Vec<_> = offers.iter_mut().flat_map(|offer| offer.media[0].cryptos.drain(..)).collect();
    assert_eq!(keys.len(), 8);
    while let Some(CryptoLine::Usable(crypto)) = keys.pop() {
        let bytes = crypto.key.key_and_salt();
        assert!(keys.iter().filter_map(CryptoLine::usable).all(|other| other.key.key_and_salt()[..16] != bytes[..16]));
        assert!(!printed.contains(&format!("{}, {}, {}", bytes[0], bytes[1], bytes[2])), "{printed}");
    }
    assert!(printed.contains("[redacted]"));
}
