//! A session description and how it is written.

use std::fmt::Write;
use std::net::IpAddr;

use super::{CryptoLine, Direction, Error, parser};

/// A session description: tolerant to read, strict to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDescription {
    /// `o=`, opaque: odd ones are common and decide nothing.
    pub origin: String,
    /// `c=` of the session.
    pub connection: Option<Connection>,
    /// Direction of the session, for streams that have none of their own.
    pub direction: Option<Direction>,
    /// The streams, in order; an answer has as many in the same order (RFC 3264 §6).
    pub media: Vec<MediaDescription>,
}

/// One `m=` line and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaDescription {
    /// `audio`, `video`, `image`, …
    pub media: String,
    /// 0 for a refused stream.
    pub port: u16,
    /// `RTP/AVP`, `udptl`, …
    pub protocol: String,
    /// Payload types, or whatever the protocol has.
    pub formats: Vec<String>,
    /// `c=` of the stream.
    pub connection: Option<Connection>,
    /// Direction of the stream.
    pub direction: Option<Direction>,
    /// `a=rtpmap`.
    pub rtpmaps: Vec<RtpMap>,
    /// `a=fmtp`: format and parameters.
    pub fmtps: Vec<(String, String)>,
    /// `a=ptime` in whole ms.
    pub ptime: Option<u32>,
    /// `a=rtcp` (RFC 3605).
    pub rtcp: Option<Rtcp>,
    /// `a=crypto`, in order, the unusable ones too: a key that was offered is more than none.
    pub cryptos: Vec<CryptoLine>,
}

/// `c=`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// An address.
    Address(IpAddr),
    /// A host name or something unreadable: not to be sent to.
    Unusable,
}

/// `a=rtpmap:0 PCMU/8000`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpMap {
    /// Payload type.
    pub payload_type: u8,
    /// Encoding name.
    pub encoding: String,
    /// Clock rate in Hz.
    pub clock_rate: u32,
}

/// `a=rtcp:5001 IN IP4 192.0.2.1`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtcp {
    /// Where RTCP is received.
    pub port: u16,
    /// Its address when it is not that of RTP.
    pub address: Option<IpAddr>,
}

impl SessionDescription {
    /// Reads a body.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        parser::parse(bytes)
    }

    /// Writes a body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("v=0\r\no={}\r\ns=-\r\n", self.origin);
        write_connection(&mut text, self.connection);
        text.push_str("t=0 0\r\n");
        if let Some(direction) = self.direction {
            let _ = write!(text, "a={}\r\n", direction.as_str());
        }
        for media in &self.media {
            media.write(&mut text);
        }
        text.into_bytes()
    }
}

impl MediaDescription {
    fn write(&self, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(text, "m={} {} {} {}\r\n", self.media, self.port, self.protocol, self.formats.join(" "));
        write_connection(text, self.connection);
        for map in &self.rtpmaps {
            let _ = write!(text, "a=rtpmap:{} {}/{}\r\n", map.payload_type, map.encoding, map.clock_rate);
        }
        for (format, parameters) in &self.fmtps {
            let _ = write!(text, "a=fmtp:{format} {parameters}\r\n");
        }
        if let Some(ptime) = self.ptime {
            let _ = write!(text, "a=ptime:{ptime}\r\n");
        }
        if let Some(rtcp) = &self.rtcp {
            let _ = write!(text, "a=rtcp:{}", rtcp.port);
            if let Some(address) = rtcp.address {
                let _ = write!(text, " IN {} {address}", address_type(address));
            }
            text.push_str("\r\n");
        }
        for crypto in self.cryptos.iter().filter_map(CryptoLine::usable) {
            let _ = write!(text, "a=crypto:{crypto}\r\n");
        }
        if let Some(direction) = self.direction {
            let _ = write!(text, "a={}\r\n", direction.as_str());
        }
    }
}

fn write_connection(text: &mut String, connection: Option<Connection>) {
    if let Some(Connection::Address(address)) = connection {
        let _ = write!(text, "c=IN {} {address}\r\n", address_type(address));
    }
}

pub(super) fn address_type(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IP4" } else { "IP6" }
}
