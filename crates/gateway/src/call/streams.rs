//! Pure: no I/O, no clock.
//!
//! What offer and answer agreed on, as the media engine wants it.

use media::{Codec, StreamConfig};
use sip::sdp::{AudioCodec, Direction, Negotiated};

/// A negotiated stream as media configuration.
pub(crate) fn configure(negotiated: &Negotiated) -> StreamConfig {
    StreamConfig {
        remote: negotiated.remote,
        send: (codec(negotiated.send.0), negotiated.send.1),
        receive: negotiated.receive.iter().map(|(name, payload_type)| (codec(*name), *payload_type)).collect(),
        telephone_event_send: negotiated.telephone_event_send,
        telephone_event_receive: negotiated.telephone_event_receive,
        sending: matches!(negotiated.direction, Direction::SendRecv | Direction::SendOnly),
        receiving: matches!(negotiated.direction, Direction::SendRecv | Direction::RecvOnly),
        srtp: None,
    }
}

/// A negotiated stream in words.
pub(crate) fn describe(negotiated: &Negotiated) -> String {
    let keys = match negotiated.telephone_event_send {
        Some(payload_type) => format!("telephone-event {payload_type}"),
        None => "keys in-band".to_owned(),
    };
    format!("{:?} to {}, {keys}, {:?}", negotiated.send.0, negotiated.remote, negotiated.direction)
}

fn codec(name: AudioCodec) -> Codec {
    match name {
        AudioCodec::Pcmu => Codec::Pcmu,
        AudioCodec::Pcma => Codec::Pcma,
    }
}
