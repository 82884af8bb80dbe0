//! Pure: no I/O, no clock.
//!
//! What offer and answer agreed on, as the media engine wants it.

use media::{Codec, StreamConfig, srtp};
use sip::sdp::{self, AudioCodec, Direction, Negotiated};

/// A negotiated stream as media configuration.
pub(crate) fn configure(negotiated: &Negotiated) -> StreamConfig {
    StreamConfig {
        remote: negotiated.remote,
        rtcp: Some(negotiated.remote_rtcp),
        send: spoken(negotiated.send),
        receive: negotiated.receive.iter().copied().map(spoken).collect(),
        telephone_event_send: negotiated.telephone_event_send,
        telephone_event_receive: negotiated.telephone_event_receive,
        comfort_noise: negotiated.comfort_noise,
        sending: matches!(negotiated.direction, Direction::SendRecv | Direction::SendOnly),
        receiving: matches!(negotiated.direction, Direction::SendRecv | Direction::RecvOnly),
        srtp: negotiated.srtp.as_ref().map(|keys| srtp::Keys { send: key(&keys.send), receive: key(&keys.receive) }),
    }
}

/// A negotiated stream in words.
pub(crate) fn describe(negotiated: &Negotiated) -> String {
    let keys = match negotiated.telephone_event_send {
        Some(payload_type) => format!("telephone-event {payload_type}"),
        None => "keys in-band".to_owned(),
    };
    let suite = negotiated.srtp.as_ref().map_or(String::new(), |keys| format!("{}, ", keys.send.suite().name()));
    format!("{:?} to {}, {keys}, {suite}{:?}", negotiated.send.0, negotiated.remote, negotiated.direction)
}

/// Whether the media engine of this build speaks it.
pub(crate) fn speaks(name: AudioCodec) -> bool {
    codec(name).is_some()
}

fn spoken((name, payload_type): (AudioCodec, u8)) -> (Codec, u8) {
    (codec(name).expect("only what this build speaks is offered and taken"), payload_type)
}

fn codec(name: AudioCodec) -> Option<Codec> {
    match name {
        AudioCodec::Pcmu => Some(Codec::Pcmu),
        AudioCodec::Pcma => Some(Codec::Pcma),
        AudioCodec::G722 => Some(Codec::G722),
        #[cfg(feature = "opus")]
        AudioCodec::Opus => Some(Codec::Opus),
        #[cfg(not(feature = "opus"))]
        AudioCodec::Opus => None,
    }
}

fn key(key: &sdp::MasterKey) -> srtp::MasterKey {
    let suite = match key.suite() {
        sdp::Suite::AesCm128HmacSha1_80 => srtp::Suite::AesCm128HmacSha1_80,
        sdp::Suite::AesCm128HmacSha1_32 => srtp::Suite::AesCm128HmacSha1_32,
        sdp::Suite::AeadAes128Gcm => srtp::Suite::AeadAes128Gcm,
        sdp::Suite::AeadAes256Gcm => srtp::Suite::AeadAes256Gcm,
    };
    // Never a stream without SRTP where keys were agreed on.
    srtp::MasterKey::new(suite, key.key_and_salt()).expect("a suite has one length of key and salt")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::sdp::{Capabilities, Sdes, SrtpPolicy};

    fn capabilities(codecs: &[AudioCodec]) -> Capabilities {
        Capabilities {
            address: "192.0.2.1:4000".parse().unwrap(),
            codecs: codecs.to_vec(),
            telephone_event: None,
            session_id: 1,
            version: 1,
            direction: Direction::SendRecv,
        }
    }

    #[test]
    fn each_codec_reaches_the_media_engine_with_its_payload_type() {
        let all: Vec<_> = AudioCodec::ALL.into_iter().filter(|name| speaks(*name)).collect();
        assert_eq!(all.contains(&AudioCodec::Opus), cfg!(feature = "opus"));
        let calling = capabilities(&all);
        let codecs = [
            (AudioCodec::Pcmu, (Codec::Pcmu, 0)),
            (AudioCodec::Pcma, (Codec::Pcma, 8)),
            (AudioCodec::G722, (Codec::G722, 9)),
            #[cfg(feature = "opus")]
            (AudioCodec::Opus, (Codec::Opus, 111)),
        ];
        for (name, codec) in codecs {
            let (answer, at_callee) = sdp::answer(&sdp::offer(&calling), &capabilities(&[name])).unwrap();
            let at_caller = sdp::accept(&calling, &answer).unwrap();
            assert_eq!([configure(&at_caller).send, configure(&at_callee).send], [codec; 2]);
            assert!(configure(&at_caller).receive.contains(&codec));
        }
    }

    #[test]
    fn the_keys_of_each_suite_reach_the_media_engine() {
        let capabilities = capabilities(&[AudioCodec::Pcmu]);
        for (n, suite) in sdp::Suite::ALL.into_iter().enumerate() {
            let mut calling = Sdes::new(SrtpPolicy::Required, [1; 32]);
            let mut called = Sdes::new(SrtpPolicy::Required, [2; 32]);
            let mut offer = calling.offer(&capabilities);
            offer.media[0].cryptos = vec![offer.media[0].cryptos[n].clone()];
            let (answer, at_callee) = called.answer(&offer, &capabilities).unwrap();
            let at_caller = calling.accept(&capabilities, &answer).unwrap();
            let keys = [&at_caller, &at_callee].map(|negotiated| configure(negotiated).srtp.unwrap());
            assert_eq!(keys[0].send.suite().name(), suite.name());
            assert_eq!((&keys[0].send, &keys[0].receive), (&keys[1].receive, &keys[1].send));
            assert!(describe(&at_caller).contains(suite.name()));
        }
    }
}
