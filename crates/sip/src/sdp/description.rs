//! A session description and how it is written.

use std::fmt::Write;
use std::net::IpAddr;

use super::{CryptoLine, Direction, Error, parser};
use crate::message::{push_ip, push_number};

/// Room for a common description without growing.
const USUAL_SIZE: usize = 384;

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
    /// Channels; 1 where it says none.
    pub channels: u8,
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
        let mut text = String::with_capacity(USUAL_SIZE);
        push_all(&mut text, &["v=0\r\no=", &self.origin, "\r\ns=-\r\n"]);
        write_connection(&mut text, self.connection);
        text.push_str("t=0 0\r\n");
        if let Some(direction) = self.direction {
            push_all(&mut text, &["a=", direction.as_str(), "\r\n"]);
        }
        for media in &self.media {
            media.write(&mut text);
        }
        text.into_bytes()
    }
}

impl MediaDescription {
    fn write(&self, text: &mut String) {
        push_all(text, &["m=", &self.media, " "]);
        push_number(text, self.port);
        push_all(text, &[" ", &self.protocol]);
        for format in &self.formats {
            push_all(text, &[" ", format]);
        }
        text.push_str("\r\n");
        write_connection(text, self.connection);
        for map in &self.rtpmaps {
            text.push_str("a=rtpmap:");
            push_number(text, map.payload_type);
            push_all(text, &[" ", &map.encoding, "/"]);
            push_number(text, map.clock_rate);
            if map.channels != 1 {
                text.push('/');
                push_number(text, map.channels);
            }
            text.push_str("\r\n");
        }
        for (format, parameters) in &self.fmtps {
            push_all(text, &["a=fmtp:", format, " ", parameters, "\r\n"]);
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
            // Writing to a String cannot fail.
            let _ = write!(text, "a=crypto:{crypto}\r\n");
        }
        if let Some(direction) = self.direction {
            push_all(text, &["a=", direction.as_str(), "\r\n"]);
        }
    }
}

fn write_connection(text: &mut String, connection: Option<Connection>) {
    if let Some(Connection::Address(address)) = connection {
        push_all(text, &["c=IN ", address_type(address), " "]);
        push_ip(text, address);
        text.push_str("\r\n");
    }
}

fn push_all(text: &mut String, parts: &[&str]) {
    for part in parts {
        text.push_str(part);
    }
}

pub(super) fn address_type(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IP4" } else { "IP6" }
}
