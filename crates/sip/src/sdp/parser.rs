//! Reads a session description line by line and skips what it cannot use.

use super::{Connection, CryptoLine, Direction, Error, MediaDescription, Rtcp, RtpMap, SessionDescription};
use crate::message::{number, readable, trim};

/// Longest description taken.
pub(super) const MAX_SIZE: usize = 16 * 1024;
/// Most streams taken.
const MAX_MEDIA: usize = 64;
/// Most attributes looked at in one description.
const MAX_ATTRIBUTES: usize = 256;
/// Most keys kept of one stream.
const MAX_CRYPTOS: usize = 16;
/// Most formats kept of one stream.
const MAX_FORMATS: usize = 64;

pub(super) fn parse(bytes: &[u8]) -> Result<SessionDescription, Error> {
    if bytes.len() > MAX_SIZE {
        return Err(Error::Malformed("too long"));
    }
    let mut lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).map(trim).filter(|line| !line.is_empty());
    if !lines.next().is_some_and(|line| line.starts_with(b"v=")) {
        return Err(Error::Malformed("does not begin with v="));
    }
    let mut description =
        SessionDescription { origin: String::new(), connection: None, direction: None, media: Vec::new() };
    let mut attributes = 0;
    for line in lines {
        let (Some(kind), Some(value)) = (line.first(), line.strip_prefix(&[line[0], b'='])) else {
            continue;
        };
        match kind {
            b'o' => description.origin = readable(value),
            b'c' => *connection_of(&mut description) = Some(connection(value)),
            b'm' if description.media.len() == MAX_MEDIA => {
                return Err(Error::Malformed("too many streams"));
            }
            b'm' => description.media.push(media(value)?),
            b'a' if attributes < MAX_ATTRIBUTES => {
                attributes += 1;
                attribute(&mut description, value);
            }
            _ => {}
        }
    }
    Ok(description)
}

fn connection_of(description: &mut SessionDescription) -> &mut Option<Connection> {
    match description.media.last_mut() {
        Some(media) => &mut media.connection,
        None => &mut description.connection,
    }
}

/// `IN IP4 192.0.2.1`, with a multicast TTL behind a slash at most.
fn connection(value: &[u8]) -> Connection {
    let mut words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let address = words.nth(2).and_then(|word| std::str::from_utf8(word).ok());
    let address = address.map(|word| word.split('/').next().unwrap_or(word));
    address.and_then(|word| word.parse().ok()).map_or(Connection::Unusable, Connection::Address)
}

/// `audio 49170/2 RTP/AVP 0 8 101`; an m= line that cannot be read would put all later ones out of place.
fn media(value: &[u8]) -> Result<MediaDescription, Error> {
    let text = readable(value);
    let mut words = text.split_ascii_whitespace();
    let (Some(media), Some(port), Some(protocol)) = (words.next(), words.next(), words.next()) else {
        return Err(Error::Malformed("m= line"));
    };
    let port = port.split('/').next().unwrap_or(port);
    Ok(MediaDescription {
        media: media.to_owned(),
        port: number(port.as_bytes()).ok_or(Error::Malformed("port in m= line"))?,
        protocol: protocol.to_owned(),
        formats: words.take(MAX_FORMATS).map(str::to_owned).collect(),
        connection: None,
        direction: None,
        rtpmaps: Vec::new(),
        fmtps: Vec::new(),
        ptime: None,
        rtcp: None,
        cryptos: Vec::new(),
    })
}

fn attribute(description: &mut SessionDescription, value: &[u8]) {
    let text = readable(value);
    let (name, value) = text.split_once(':').map_or((text.trim(), ""), |(name, value)| (name.trim(), value.trim()));
    let direction = match name {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    };
    let Some(media) = description.media.last_mut() else {
        description.direction = direction.or(description.direction);
        return;
    };
    match name {
        "rtpmap" => media.rtpmaps.extend(rtpmap(value)),
        "fmtp" => {
            if let Some((format, parameters)) = value.split_once(' ') {
                media.fmtps.push((format.to_owned(), parameters.trim().to_owned()));
            }
        }
        // `20.0` exists.
        "ptime" => media.ptime = number(value.split('.').next().unwrap_or(value).as_bytes()).or(media.ptime),
        "crypto" if media.cryptos.len() < MAX_CRYPTOS => media.cryptos.push(CryptoLine::parse(value)),
        "rtcp" => media.rtcp = rtcp(value).or(media.rtcp),
        _ => media.direction = direction.or(media.direction),
    }
}

/// `101 telephone-event/8000/1`
fn rtpmap(value: &str) -> Option<RtpMap> {
    let (payload_type, encoding) = value.split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    let encoding = parts.next()?.to_owned();
    // Without a clock rate it can only be the usual one.
    let clock_rate = parts.next().map_or(Some(8000), |rate| number(rate.trim().as_bytes()))?;
    let channels = parts.next().and_then(|channels| number(channels.trim().as_bytes())).unwrap_or(1);
    Some(RtpMap { payload_type: number(payload_type.as_bytes())?, encoding, clock_rate, channels })
}

/// `53020 IN IP4 126.16.64.4`
fn rtcp(value: &str) -> Option<Rtcp> {
    let mut words = value.split_ascii_whitespace();
    let port = number(words.next()?.as_bytes())?;
    Some(Rtcp { port, address: words.nth(2).and_then(|word| word.parse().ok()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> SessionDescription {
        parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_plain_offer_is_understood() {
        let sdp = parsed(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=rtcp:4005 IN IP4 192.0.2.9\r\na=sendonly\r\n",
        );
        let audio = &sdp.media[0];
        assert_eq!((audio.media.as_str(), audio.port, audio.formats.len()), ("audio", 4000, 2));
        assert_eq!(
            audio.rtpmaps[1],
            RtpMap { payload_type: 101, encoding: "telephone-event".into(), clock_rate: 8000, channels: 1 }
        );
        assert_eq!(audio.fmtps, [("101".to_owned(), "0-16".to_owned())]);
        assert_eq!((audio.ptime, audio.direction), (Some(20), Some(Direction::SendOnly)));
        assert_eq!(audio.rtcp, Some(Rtcp { port: 4005, address: Some("192.0.2.9".parse().unwrap()) }));
        assert_eq!(sdp.connection, Some(Connection::Address("192.0.2.1".parse().unwrap())));
    }

    #[test]
    fn oddities_of_carriers_do_not_spoil_the_rest() {
        let odd = [
            "o=my user 99999999999999999999999999 1 IN IP4 host.example",
            "s=caf\u{e9}",
            "q=unknown letter",
            "k=clear:x",
            "nonsense",
            "=",
            "a=rtpmap:x y z",
            "a=rtpmap:0",
            "a=",
            "m=image 0 udptl t38",
        ];
        for line in odd {
            let sdp = parsed(&format!("v=0\n{line}\nm=audio 4000 RTP/AVP 0\na=ptime:20.0\nc=IN IP4 192.0.2.1"));
            let audio = sdp.media.last().unwrap();
            assert_eq!((audio.port, audio.ptime), (4000, Some(20)), "{line}");
        }
        assert_eq!(parse(b"v=0\r\ns=caf\xe9\r\nm=audio 1 RTP/AVP 0\r\n").unwrap().media.len(), 1);
    }

    #[test]
    fn a_host_name_is_no_address() {
        assert_eq!(parsed("v=0\nc=IN IP4 media.example.com").connection, Some(Connection::Unusable));
        assert_eq!(
            parsed("v=0\nc=IN IP6 2001:db8::1").connection,
            Some(Connection::Address("2001:db8::1".parse().unwrap()))
        );
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for text in
            ["", "hello", "o=-\nv=0", "v=0\nm=audio", "v=0\nm=audio x RTP/AVP 0", "v=0\nm=audio 65536 RTP/AVP 0"]
        {
            assert!(matches!(parse(text.as_bytes()), Err(Error::Malformed(_))), "{text}");
        }
        assert!(parse("v=0\n".repeat(MAX_SIZE).as_bytes()).is_err());
        assert!(parse(format!("v=0\n{}", "m=a 1 b c\n".repeat(MAX_MEDIA + 1)).as_bytes()).is_err());
    }
}
