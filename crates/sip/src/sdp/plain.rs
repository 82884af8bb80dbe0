//! The plainest form of an offer, for a peer that refuses the whole of it for a part that it does not know.

use super::negotiation::Format;
use super::{AudioCodec, MediaDescription, SessionDescription};

impl SessionDescription {
    /// The audio streams alone, with G.711 and telephone-events alone, protected as they were. `None` when that changes
    /// nothing or leaves nothing.
    pub(crate) fn plain(&self) -> Option<Self> {
        let media: Vec<_> = self.media.iter().filter_map(MediaDescription::plain).collect();
        (!media.is_empty() && media != self.media).then(|| Self { media, ..self.clone() })
    }
}

impl MediaDescription {
    fn plain(&self) -> Option<Self> {
        let format = |format: &str| Format::of(self, format.parse().ok()?);
        let is_g711 = |it: &str| matches!(format(it), Some(Format::Audio(AudioCodec::Pcmu | AudioCodec::Pcma)));
        let is_plain = |it: &str| is_g711(it) || matches!(format(it), Some(Format::TelephoneEvent));
        let is_usable = self.port != 0 && self.media.eq_ignore_ascii_case("audio");
        if !is_usable || !self.formats.iter().any(|format| is_g711(format)) {
            return None;
        }
        Some(Self {
            formats: self.formats.iter().filter(|format| is_plain(format)).cloned().collect(),
            rtpmaps: self.rtpmaps.iter().filter(|map| is_plain(&map.payload_type.to_string())).cloned().collect(),
            fmtps: self.fmtps.iter().filter(|(format, _)| is_plain(format)).cloned().collect(),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(media: &str) -> SessionDescription {
        let text = format!("v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 192.0.2.1\r\n{media}");
        SessionDescription::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_more_than_g711_is_left_out() {
        let rich = described(
            "m=audio 4000 RTP/SAVP 9 0 96 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:96 opus/48000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:96 useinbandfec=1\r\na=fmtp:101 0-15\r\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm\r\n\
             m=video 4002 RTP/AVP 99\r\n",
        );
        let text = String::from_utf8(rich.plain().unwrap().to_bytes()).unwrap();
        let (_, media) = text.split_once("t=0 0\r\n").unwrap();
        assert_eq!(
            media,
            "m=audio 4000 RTP/SAVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm\r\n"
        );
    }

    #[test]
    fn what_is_plain_already_or_has_no_plain_form_has_none() {
        for media in [
            "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n",
            "m=audio 4000 RTP/AVP 9\r\na=rtpmap:9 G722/8000\r\n",
            "m=audio 0 RTP/AVP 0 9\r\n",
        ] {
            assert_eq!(described(media).plain(), None, "{media}");
        }
    }
}
