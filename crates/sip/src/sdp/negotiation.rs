//! Offer and answer for one audio stream (RFC 3264).

use std::net::{IpAddr, SocketAddr};

use super::description::address_type;
use super::{AudioCodec, Connection, Crypto, CryptoLine, Direction, Error, MediaDescription, Rtcp, RtpMap};
use super::{SessionDescription, SrtpKeys};

/// What we can do on one audio stream; the same `session_id` and a growing `version` for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Where we receive RTP, and RTCP too: our descriptions say so.
    pub address: SocketAddr,
    /// Best first.
    pub codecs: Vec<AudioCodec>,
    /// Payload type for telephone-event/8000, or none offered.
    pub telephone_event: Option<u8>,
    /// `o=` session id.
    pub session_id: u64,
    /// `o=` version.
    pub version: u64,
    /// What we want now.
    pub direction: Direction,
}

/// What one audio stream became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Where they receive RTP.
    pub remote: SocketAddr,
    /// Where they receive RTCP.
    pub remote_rtcp: SocketAddr,
    /// What we send: codec and the payload type they gave it.
    pub send: (AudioCodec, u8),
    /// What we may receive: every codec and the payload type we gave it.
    pub receive: Vec<(AudioCodec, u8)>,
    /// telephone-event payload type to send (theirs).
    pub telephone_event_send: Option<u8>,
    /// telephone-event payload type to receive (ours).
    pub telephone_event_receive: Option<u8>,
    /// Payload type of comfort noise both ways (RFC 3389), when they named one beside the telephone codec that we send.
    pub comfort_noise: Option<u8>,
    /// What we may do (hold included: `c=0.0.0.0` is `Inactive` towards them).
    pub direction: Direction,
    /// Keys of both directions, when the stream is SRTP.
    pub srtp: Option<SrtpKeys>,
}

/// The packet time of RFC 3551, ours always: `a=ptime` of theirs is a wish (RFC 8866 §6.4), and who speaks G.711 takes packets
/// of up to 200 ms (RFC 3551 §4.2).
const PTIME_MS: u32 = 20;
/// Comfort noise without an rtpmap (RFC 3551 §6).
const COMFORT_NOISE: u8 = 13;

/// Our offer, without SRTP; with it, see [`Sdes`](super::Sdes).
pub fn offer(capabilities: &Capabilities) -> SessionDescription {
    offer_with(capabilities, "RTP/AVP", Vec::new())
}

/// Our answer to an offer, without SRTP, and what the stream became.
///
/// The first usable audio stream is taken, every other refused with port 0 in its place (RFC 3264 §6).
pub fn answer(
    offer: &SessionDescription,
    capabilities: &Capabilities,
) -> Result<(SessionDescription, Negotiated), Error> {
    let theirs = usable(offer, capabilities).into_iter().find(|theirs| !theirs.is_secure);
    Ok(answer_with(offer, capabilities, &theirs.ok_or(Error::NoCommonCodec)?, None))
}

/// What the stream became by their answer to our offer without SRTP.
pub fn accept(capabilities: &Capabilities, answer: &SessionDescription) -> Result<Negotiated, Error> {
    let theirs = usable(answer, capabilities).into_iter().find(|theirs| !theirs.is_secure);
    Ok(accept_with(capabilities, &theirs.ok_or(Error::NoCommonCodec)?, None))
}

pub(super) fn offer_with(capabilities: &Capabilities, protocol: &str, cryptos: Vec<CryptoLine>) -> SessionDescription {
    let codecs: Vec<_> = capabilities.codecs.iter().map(|codec| (*codec, codec.offered_payload_type())).collect();
    // Comfort noise is not offered: who takes it where it was not wanted often plays it badly, and silence as sound serves all.
    let audio = our_audio(capabilities, protocol, &codecs, capabilities.telephone_event, None, capabilities.direction);
    our_description(capabilities, vec![MediaDescription { cryptos, ..audio }])
}

/// Takes one stream of an offer. Our line of `a=crypto` comes with the keys that it makes.
pub(super) fn answer_with(
    offer: &SessionDescription,
    capabilities: &Capabilities,
    theirs: &Theirs<'_>,
    srtp: Option<(Crypto, SrtpKeys)>,
) -> (SessionDescription, Negotiated) {
    let direction = theirs.direction_for_us(capabilities.direction);
    // RFC 3264 §6.1: a payload type keeps its meaning both ways, so the answer uses those of the offer.
    let telephone_event = theirs.telephone_event.filter(|_| capabilities.telephone_event.is_some());
    let (crypto, srtp) = srtp.unzip();
    let audio = MediaDescription {
        cryptos: crypto.map(CryptoLine::Usable).into_iter().collect(),
        ..our_audio(
            capabilities,
            &theirs.media.protocol,
            &theirs.codecs,
            telephone_event,
            theirs.comfort_noise,
            direction,
        )
    };
    let media = offer.media.iter();
    let media =
        media.map(|media| if std::ptr::eq(media, theirs.media) { audio.clone() } else { refused(media) }).collect();
    let negotiated = Negotiated {
        remote: theirs.remote,
        remote_rtcp: theirs.remote_rtcp,
        send: theirs.codecs[0],
        receive: theirs.codecs.clone(),
        telephone_event_send: telephone_event,
        telephone_event_receive: telephone_event,
        comfort_noise: theirs.comfort_noise,
        direction,
        srtp,
    };
    (our_description(capabilities, media), negotiated)
}

/// Takes the stream of an answer.
pub(super) fn accept_with(capabilities: &Capabilities, theirs: &Theirs<'_>, srtp: Option<SrtpKeys>) -> Negotiated {
    Negotiated {
        remote: theirs.remote,
        remote_rtcp: theirs.remote_rtcp,
        send: theirs.codecs[0],
        receive: capabilities.codecs.iter().map(|codec| (*codec, codec.offered_payload_type())).collect(),
        telephone_event_send: theirs.telephone_event.filter(|_| capabilities.telephone_event.is_some()),
        telephone_event_receive: capabilities.telephone_event,
        comfort_noise: theirs.comfort_noise,
        direction: theirs.direction_for_us(capabilities.direction),
        srtp,
    }
}

/// The streams of theirs that we can use, in order. Our offers have one stream; an answer that puts something before it
/// is tolerated.
pub(super) fn usable<'a>(description: &'a SessionDescription, capabilities: &Capabilities) -> Vec<Theirs<'a>> {
    description.media.iter().filter_map(|media| Theirs::of(description, media, &capabilities.codecs)).collect()
}

/// A stream of theirs that we can use.
pub(super) struct Theirs<'a> {
    pub media: &'a MediaDescription,
    /// RTP/SAVP: nothing but SRTP will do (RFC 4568 §3).
    pub is_secure: bool,
    remote: SocketAddr,
    remote_rtcp: SocketAddr,
    /// Never empty; in their order, with their payload types.
    codecs: Vec<(AudioCodec, u8)>,
    telephone_event: Option<u8>,
    comfort_noise: Option<u8>,
    direction: Direction,
}

impl<'a> Theirs<'a> {
    fn of(description: &SessionDescription, media: &'a MediaDescription, ours: &[AudioCodec]) -> Option<Self> {
        let is_secure = match media.protocol.as_str() {
            "RTP/AVP" | "RTP/AVPF" => false,
            "RTP/SAVP" | "RTP/SAVPF" => true,
            _ => return None,
        };
        if media.port == 0 || !media.media.eq_ignore_ascii_case("audio") {
            return None;
        }
        let Some(Connection::Address(address)) = media.connection.or(description.connection) else {
            return None;
        };
        let mut codecs: Vec<(AudioCodec, u8)> = Vec::new();
        let (mut telephone_event, mut comfort_noise) = (None, None);
        for payload_type in media.formats.iter().filter_map(|format| format.parse::<u8>().ok()) {
            match Format::of(media, payload_type) {
                Some(Format::Audio(codec))
                    if ours.contains(&codec) && codecs.iter().all(|(known, _)| *known != codec) =>
                {
                    codecs.push((codec, payload_type));
                }
                Some(Format::TelephoneEvent) => telephone_event = telephone_event.or(Some(payload_type)),
                Some(Format::ComfortNoise) => comfort_noise = comfort_noise.or(Some(payload_type)),
                _ => {}
            }
        }
        let (codec, _) = codecs.first()?;
        // RFC 3389 §4: for codecs that have no noise of their own, at their rate.
        let comfort_noise = comfort_noise.filter(|_| matches!(codec, AudioCodec::Pcmu | AudioCodec::Pcma));
        let remote = SocketAddr::new(address, media.port);
        let remote_rtcp = match media.rtcp {
            Some(rtcp) => SocketAddr::new(rtcp.address.unwrap_or(address), rtcp.port),
            None => SocketAddr::new(address, media.port.saturating_add(1)),
        };
        let stated = media.direction.or(description.direction).unwrap_or(Direction::SendRecv);
        Some(Self {
            media,
            is_secure,
            remote,
            remote_rtcp,
            codecs,
            telephone_event,
            comfort_noise,
            // RFC 3264 §8.4: the hold of RFC 2543.
            direction: if address.is_unspecified() { Direction::Inactive } else { stated },
        })
    }

    /// RFC 3264 §6.1: we send only where they receive, and the reverse.
    fn direction_for_us(&self, wanted: Direction) -> Direction {
        Direction::of(wanted.sends() && self.direction.receives(), wanted.receives() && self.direction.sends())
    }
}

/// What a payload type stands for, of what we know.
pub(super) enum Format {
    Audio(AudioCodec),
    TelephoneEvent,
    ComfortNoise,
}

impl Format {
    pub fn of(media: &MediaDescription, payload_type: u8) -> Option<Self> {
        match media.rtpmaps.iter().find(|map| map.payload_type == payload_type) {
            Some(RtpMap { clock_rate: 8000, encoding, .. }) if encoding.eq_ignore_ascii_case("telephone-event") => {
                Some(Self::TelephoneEvent)
            }
            Some(RtpMap { clock_rate: 8000, encoding, .. }) if encoding.eq_ignore_ascii_case("CN") => {
                Some(Self::ComfortNoise)
            }
            Some(map) => {
                let codec = AudioCodec::named(&map.encoding).filter(|codec| codec.clock_rate() == map.clock_rate);
                codec.map(Self::Audio)
            }
            // RFC 3551: static payload types need no rtpmap.
            None if payload_type == COMFORT_NOISE => Some(Self::ComfortNoise),
            None => {
                let is_static = |codec: &AudioCodec| codec.static_payload_type() == Some(payload_type);
                let codec = AudioCodec::ALL.into_iter().find(is_static);
                codec.map(Self::Audio)
            }
        }
    }
}

fn our_description(capabilities: &Capabilities, media: Vec<MediaDescription>) -> SessionDescription {
    let address: IpAddr = capabilities.address.ip();
    let Capabilities { session_id, version, .. } = capabilities;
    SessionDescription {
        origin: format!("- {session_id} {version} IN {} {address}", address_type(address)),
        connection: Some(Connection::Address(address)),
        direction: None,
        media,
    }
}

fn our_audio(
    capabilities: &Capabilities,
    protocol: &str,
    codecs: &[(AudioCodec, u8)],
    telephone_event: Option<u8>,
    comfort_noise: Option<u8>,
    direction: Direction,
) -> MediaDescription {
    let audio = codecs.iter().map(|(codec, payload_type)| RtpMap {
        payload_type: *payload_type,
        encoding: codec.name().to_owned(),
        clock_rate: codec.clock_rate(),
        channels: codec.channels(),
    });
    let events = telephone_event.map(|payload_type| RtpMap {
        payload_type,
        encoding: "telephone-event".to_owned(),
        clock_rate: 8000,
        channels: 1,
    });
    let noise = comfort_noise.map(|payload_type| RtpMap {
        payload_type,
        encoding: "CN".to_owned(),
        clock_rate: 8000,
        channels: 1,
    });
    let rtpmaps: Vec<_> = audio.chain(noise).chain(events).collect();
    let parameters = codecs.iter().filter_map(|(codec, payload_type)| Some((*payload_type, codec.parameters()?)));
    let parameters = parameters.chain(telephone_event.map(|payload_type| (payload_type, "0-15")));
    MediaDescription {
        media: "audio".to_owned(),
        port: capabilities.address.port(),
        protocol: protocol.to_owned(),
        formats: rtpmaps.iter().map(|map| map.payload_type.to_string()).collect(),
        connection: None,
        direction: Some(direction),
        rtpmaps,
        fmtps: parameters.map(|(payload_type, text)| (payload_type.to_string(), text.to_owned())).collect(),
        ptime: Some(PTIME_MS),
        // RFC 3605: said, or they would send it to the port above, where nobody listens.
        rtcp: Some(Rtcp { port: capabilities.address.port(), address: None }),
        cryptos: Vec::new(),
    }
}

fn refused(media: &MediaDescription) -> MediaDescription {
    MediaDescription {
        media: media.media.clone(),
        port: 0,
        protocol: media.protocol.clone(),
        formats: media.formats.clone(),
        connection: None,
        direction: None,
        rtpmaps: Vec::new(),
        fmtps: Vec::new(),
        ptime: None,
        rtcp: None,
        cryptos: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Capabilities {
        Capabilities {
            address: "192.0.2.1:4000".parse().unwrap(),
            codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
            telephone_event: Some(101),
            session_id: 7,
            version: 2,
            direction: Direction::SendRecv,
        }
    }

    fn theirs(media: &str) -> SessionDescription {
        SessionDescription::parse(format!("v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 198.51.100.1\r\n{media}").as_bytes())
            .unwrap()
    }

    fn answered(media: &str) -> (String, Negotiated) {
        let (description, negotiated) = answer(&theirs(media), &ours()).unwrap();
        (String::from_utf8(description.to_bytes()).unwrap(), negotiated)
    }

    // RFC 3264 §5.1, RFC 3605.
    #[test]
    fn our_offer_names_codecs_events_and_address() {
        assert_eq!(
            String::from_utf8(offer(&ours()).to_bytes()).unwrap(),
            "v=0\r\no=- 7 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=rtcp:4000\r\na=sendrecv\r\n"
        );
    }

    // RFC 3264 §6.
    #[test]
    fn the_answer_keeps_the_order_of_streams_and_refuses_the_others() {
        let (text, negotiated) = answered(
            "m=image 5000 udptl t38\r\nm=audio 5002 RTP/SAVP 0\r\nm=audio 5004 RTP/AVP 9 8 96 0\r\na=rtpmap:96 telephone-event/8000\r\nm=video 5006 RTP/AVP 99\r\n",
        );
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(
            lines,
            ["m=image 0 udptl t38", "m=audio 0 RTP/SAVP 0", "m=audio 4000 RTP/AVP 8 0 96", "m=video 0 RTP/AVP 99"]
        );
        assert_eq!(negotiated.remote, "198.51.100.1:5004".parse().unwrap());
        assert_eq!(negotiated.remote_rtcp, "198.51.100.1:5005".parse().unwrap());
        assert_eq!(negotiated.send, (AudioCodec::Pcma, 8));
        assert_eq!((negotiated.telephone_event_send, negotiated.telephone_event_receive), (Some(96), Some(96)));
    }

    #[test]
    fn telephone_events_may_have_a_number_each_way() {
        let answer = theirs("m=audio 5004 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n");
        let negotiated = accept(&ours(), &answer).unwrap();
        assert_eq!((negotiated.telephone_event_send, negotiated.telephone_event_receive), (Some(96), Some(101)));
        assert_eq!(negotiated.receive, [(AudioCodec::Pcmu, 0), (AudioCodec::Pcma, 8)]);
        let wideband = theirs("m=audio 5004 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/48000\r\n");
        assert_eq!(accept(&ours(), &wideband).unwrap().telephone_event_send, None);
    }

    // RFC 3551 §4.5.2.
    #[test]
    fn g722_is_offered_and_taken_where_it_is_ours_at_a_clock_of_8000() {
        let wide =
            || Capabilities { codecs: vec![AudioCodec::G722, AudioCodec::Pcmu], telephone_event: None, ..ours() };
        let text = String::from_utf8(offer(&wide()).to_bytes()).unwrap();
        assert!(
            text.contains("m=audio 4000 RTP/AVP 9 0\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n"),
            "{text}"
        );
        for (media, expected) in [
            ("m=audio 5004 RTP/AVP 9 0\r\n", Some((AudioCodec::G722, 9))),
            ("m=audio 5004 RTP/AVP 0 9\r\n", Some((AudioCodec::Pcmu, 0))),
            ("m=audio 5004 RTP/AVP 98 0\r\na=rtpmap:98 g722/8000/1\r\n", Some((AudioCodec::G722, 98))),
            ("m=audio 5004 RTP/AVP 9\r\na=rtpmap:9 G722/16000\r\n", None),
        ] {
            let negotiated = answer(&theirs(media), &wide()).map(|(_, negotiated)| negotiated);
            assert_eq!(negotiated.ok().map(|negotiated| negotiated.send), expected, "{media}");
            assert!(answer(&theirs(media), &ours()).ok().is_none_or(|(_, it)| it.send == (AudioCodec::Pcmu, 0)));
        }
    }

    // RFC 7587 §7.
    #[test]
    fn opus_is_offered_with_its_clock_and_taken_by_any_dynamic_number() {
        let modern = || Capabilities { codecs: vec![AudioCodec::Opus, AudioCodec::Pcma], ..ours() };
        let text = String::from_utf8(offer(&modern()).to_bytes()).unwrap();
        let (_, media) = text.split_once("t=0 0\r\n").unwrap();
        assert_eq!(
            media,
            "m=audio 4000 RTP/AVP 111 8 101\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:8 PCMA/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\n\
             a=fmtp:111 maxplaybackrate=8000;sprop-maxcapturerate=8000;maxaveragebitrate=20000\r\n\
             a=fmtp:101 0-15\r\na=ptime:20\r\na=rtcp:4000\r\na=sendrecv\r\n"
        );
        assert_eq!(SessionDescription::parse(text.as_bytes()), Ok(offer(&modern())));
        for (media, expected) in [
            ("m=audio 5004 RTP/AVP 96 8\r\na=rtpmap:96 OPUS/48000/2\r\n", (AudioCodec::Opus, 96)),
            ("m=audio 5004 RTP/AVP 111 8\r\n", (AudioCodec::Pcma, 8)),
            ("m=audio 5004 RTP/AVP 96 8\r\na=rtpmap:96 opus/8000\r\n", (AudioCodec::Pcma, 8)),
        ] {
            let (answer, negotiated) = answer(&theirs(media), &modern()).unwrap();
            assert_eq!(negotiated.send, expected, "{media}");
            let text = String::from_utf8(answer.to_bytes()).unwrap();
            assert_eq!(text.contains("a=rtpmap:96 opus/48000/2\r\n"), expected.1 == 96, "{text}");
            assert!(super::answer(&theirs(media), &ours()).unwrap().1.send == (AudioCodec::Pcma, 8));
        }
    }

    // RFC 3264 §6.1, §8.4.
    #[test]
    fn hold_in_every_spelling_is_mirrored() {
        for (media, line, direction) in [
            ("m=audio 5004 RTP/AVP 0\r\na=sendonly\r\n", "a=recvonly", Direction::RecvOnly),
            ("m=audio 5004 RTP/AVP 0\r\na=recvonly\r\n", "a=sendonly", Direction::SendOnly),
            ("a=inactive\r\nm=audio 5004 RTP/AVP 0\r\n", "a=inactive", Direction::Inactive),
            ("m=audio 5004 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n", "a=inactive", Direction::Inactive),
            ("a=inactive\r\nm=audio 5004 RTP/AVP 0\r\na=sendrecv\r\n", "a=sendrecv", Direction::SendRecv),
        ] {
            let (text, negotiated) = answered(media);
            assert!(text.contains(line), "{media}");
            assert_eq!(negotiated.direction, direction, "{media}");
        }
    }

    #[test]
    fn payload_types_of_the_offer_are_kept_in_the_answer() {
        let (text, negotiated) = answered(
            "m=audio 5004 RTP/AVP 97\r\na=rtpmap:97 pcma/8000\r\na=ptime:40\r\na=rtcp:6001 IN IP4 198.51.100.2\r\n",
        );
        assert!(text.contains("m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMA/8000"));
        assert_eq!(negotiated.send, (AudioCodec::Pcma, 97));
        assert!(text.contains("\r\na=ptime:20\r\n"), "ours, whatever they wish: {text}");
        assert_eq!(negotiated.remote_rtcp, "198.51.100.2:6001".parse().unwrap());
    }

    // RFC 3389 §4, RFC 3551 §6.
    #[test]
    fn comfort_noise_is_answered_beside_g711_and_never_offered() {
        for (media, expected) in [
            ("m=audio 5004 RTP/AVP 0 13 101\r\n", Some(13)),
            ("m=audio 5004 RTP/AVP 13 8\r\na=rtpmap:13 CN/8000\r\n", Some(13)),
            ("m=audio 5004 RTP/AVP 0 97 13\r\na=rtpmap:97 cn/8000\r\n", Some(97)),
            ("m=audio 5004 RTP/AVP 0 97\r\na=rtpmap:97 CN/16000\r\n", None),
            ("m=audio 5004 RTP/AVP 0 13\r\na=rtpmap:13 L16/8000\r\n", None),
            ("m=audio 5004 RTP/AVP 0 101\r\n", None),
        ] {
            let (text, negotiated) = answered(media);
            assert_eq!(negotiated.comfort_noise, expected, "{media}");
            let line = expected.map(|number| format!("a=rtpmap:{number} CN/8000\r\n"));
            assert_eq!(text.matches(" CN/").count(), usize::from(expected.is_some()), "{text}");
            assert!(line.is_none_or(|line| text.contains(&line)), "{text}");
        }
        let wide = Capabilities { codecs: vec![AudioCodec::G722, AudioCodec::Pcmu], ..ours() };
        let (_, negotiated) = answer(&theirs("m=audio 5004 RTP/AVP 9 0 13\r\n"), &wide).unwrap();
        assert_eq!(negotiated.comfort_noise, None, "G.722 has a band that this noise has not");
        assert!(!String::from_utf8(offer(&ours()).to_bytes()).unwrap().contains("CN"));
    }

    // RFC 3605.
    #[test]
    fn rtcp_is_wanted_where_rtp_is_and_the_peer_sends_it_there() {
        let (text, _) = answered("m=audio 5004 RTP/AVP 0\r\n");
        assert!(text.contains("\r\na=rtcp:4000\r\n"), "{text}");
        for description in [offer(&ours()).to_bytes(), text.into_bytes()] {
            let at_peer = accept(&ours(), &SessionDescription::parse(&description).unwrap()).unwrap();
            assert_eq!(at_peer.remote, "192.0.2.1:4000".parse().unwrap());
            assert_eq!(at_peer.remote_rtcp, at_peer.remote);
        }
    }

    #[test]
    fn what_we_cannot_use_is_no_common_codec() {
        for media in [
            "",
            "m=audio 0 RTP/AVP 0\r\n",
            "m=audio 5004 RTP/SAVP 0\r\n",
            "m=audio 5004 RTP/AVP 18\r\n",
            "m=audio 5004 RTP/AVP 0\r\na=rtpmap:0 OTHER/8000\r\n",
            "m=audio 5004 RTP/AVP 0\r\nc=IN IP4 media.example.com\r\n",
            "m=video 5004 RTP/AVP 0\r\n",
        ] {
            assert_eq!(answer(&theirs(media), &ours()), Err(Error::NoCommonCodec), "{media}");
            assert_eq!(accept(&ours(), &theirs(media)), Err(Error::NoCommonCodec), "{media}");
        }
    }

    #[test]
    fn ipv6_is_answered_with_ipv6() {
        let capabilities = Capabilities { address: "[2001:db8::1]:4000".parse().unwrap(), ..ours() };
        let text = String::from_utf8(offer(&capabilities).to_bytes()).unwrap();
        assert!(text.contains("c=IN IP6 2001:db8::1\r\n"));
        let back = SessionDescription::parse(text.as_bytes()).unwrap();
        assert_eq!(accept(&ours(), &back).unwrap().remote, "[2001:db8::1]:4000".parse().unwrap());
    }

    #[test]
    fn a_written_description_reads_back_the_same() {
        let offer = offer(&ours());
        assert_eq!(SessionDescription::parse(&offer.to_bytes()), Ok(offer));
    }
}
