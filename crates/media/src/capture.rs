//! Packet captures: the UDP datagrams of a classic `.pcap` file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The largest packet a capture may hold.
const MAX_PACKET: usize = 256 * 1024;
/// VLAN tags and IPv6 extension headers stepped over.
const MAX_HEADERS: usize = 8;

/// Why a capture could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a classic capture file.
    #[error("not a pcap file")]
    NotPcap,
    /// A pcapng file.
    #[error("this is pcapng; convert it with `editcap -F pcap`")]
    Pcapng,
    /// Frames of a network we cannot read.
    #[error("unknown link type {0} in the capture")]
    LinkType(u32),
}

/// A UDP datagram of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// When, since the first packet of the file.
    pub at: Duration,
    /// From where.
    pub from: SocketAddr,
    /// Whither.
    pub to: SocketAddr,
    /// Its payload.
    pub payload: &'a [u8],
}

/// How frames begin (LINKTYPE_ values of the tcpdump group).
#[derive(Debug, Clone, Copy)]
enum Link {
    Null,
    Ethernet,
    Raw,
    LinuxCooked,
    LinuxCooked2,
}

/// Reads all UDP datagrams in the order of the file. Other packets, fragments and broken ones are left out.
pub fn read(file: &[u8]) -> Result<Vec<Datagram<'_>>, Error> {
    let header = file.get(..24).ok_or(Error::NotPcap)?;
    let magic = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    let (big_endian, nanoseconds) = match magic {
        0xA1B2_C3D4 => (true, false),
        0xA1B2_3C4D => (true, true),
        0xD4C3_B2A1 => (false, false),
        0x4D3C_B2A1 => (false, true),
        0x0A0D_0D0A => return Err(Error::Pcapng),
        _ => return Err(Error::NotPcap),
    };
    let word = |bytes: &[u8], at: usize| {
        let bytes = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    // The upper bits hold the length of the checksum.
    let link = Link::of(word(header, 20) & 0xFFFF)?;
    let mut datagrams = Vec::new();
    let mut start = None;
    let mut rest = &file[24..];
    while let Some((record, body)) = rest.split_at_checked(16) {
        let length = word(record, 8) as usize;
        if length > MAX_PACKET || length > body.len() {
            break;
        }
        let fraction = u64::from(word(record, 4)) * if nanoseconds { 1 } else { 1000 };
        let time = Duration::from_secs(u64::from(word(record, 0))) + Duration::from_nanos(fraction);
        let at = time.saturating_sub(*start.get_or_insert(time));
        if let Some((from, to, payload)) = link.network(&body[..length]).and_then(udp) {
            datagrams.push(Datagram { at, from, to, payload });
        }
        rest = &body[length..];
    }
    Ok(datagrams)
}

impl Link {
    fn of(number: u32) -> Result<Self, Error> {
        match number {
            0 | 108 => Ok(Link::Null),
            1 => Ok(Link::Ethernet),
            12 | 14 | 101 | 228 | 229 => Ok(Link::Raw),
            113 => Ok(Link::LinuxCooked),
            276 => Ok(Link::LinuxCooked2),
            other => Err(Error::LinkType(other)),
        }
    }

    /// The IP packet within a frame.
    fn network(self, frame: &[u8]) -> Option<&[u8]> {
        match self {
            Link::Null => frame.get(4..),
            Link::Raw => Some(frame),
            Link::LinuxCooked => frame.get(16..),
            Link::LinuxCooked2 => frame.get(20..),
            Link::Ethernet => {
                let mut at = 12;
                for _ in 0..MAX_HEADERS {
                    match [*frame.get(at)?, *frame.get(at + 1)?] {
                        // IEEE 802.1Q and 802.1ad tags.
                        [0x81, 0x00] | [0x88, 0xA8] => at += 4,
                        [0x08, 0x00] | [0x86, 0xDD] => return frame.get(at + 2..),
                        _ => return None,
                    }
                }
                None
            }
        }
    }
}

fn udp(packet: &[u8]) -> Option<(SocketAddr, SocketAddr, &[u8])> {
    let (source, destination, transport) = match packet.first()? >> 4 {
        4 => ipv4(packet)?,
        6 => ipv6(packet)?,
        _ => return None,
    };
    let (header, body) = transport.split_at_checked(8)?;
    let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let length = usize::from(port(4)).checked_sub(8)?;
    let payload = body.get(..length)?;
    Some((SocketAddr::new(source, port(0)), SocketAddr::new(destination, port(2)), payload))
}

fn ipv4(packet: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let header_len = usize::from(packet[0] & 0x0F) * 4;
    let header = packet.get(..header_len.max(20))?;
    let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3FFF;
    if header[9] != 17 || fragment != 0 {
        return None;
    }
    let address = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]).into();
    Some((address(12), address(16), packet.get(header_len..)?))
}

fn ipv6(packet: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let header = packet.get(..40)?;
    let address = |at: usize| {
        let bytes: [u8; 16] = header[at..at + 16].try_into().ok()?;
        Some(IpAddr::from(Ipv6Addr::from(bytes)))
    };
    let mut next = header[6];
    let mut rest = &packet[40..];
    for _ in 0..MAX_HEADERS {
        match next {
            17 => return Some((address(8)?, address(24)?, rest)),
            // Hop-by-hop, routing and destination options.
            0 | 43 | 60 => {
                next = *rest.first()?;
                rest = rest.get((usize::from(*rest.get(1)?) + 1) * 8..)?;
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A little-endian capture with raw IPv4 packets (time in ms, from port, to port, payload).
    pub(crate) fn pcap(packets: &[(u64, u16, u16, Vec<u8>)]) -> Vec<u8> {
        let mut file = 0xA1B2_C3D4u32.to_le_bytes().to_vec();
        file.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 101, 0, 0, 0]);
        for (ms, from, to, payload) in packets {
            let packet = ipv4_packet(*from, *to, payload);
            for word in [1000 + ms / 1000, ms % 1000 * 1000, packet.len() as u64, packet.len() as u64] {
                file.extend_from_slice(&(word as u32).to_le_bytes());
            }
            file.extend_from_slice(&packet);
        }
        file
    }

    fn ipv4_packet(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
        let length = 28 + payload.len() as u16;
        let mut packet = vec![0x45, 0];
        packet.extend_from_slice(&length.to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        packet.extend_from_slice(&from.to_be_bytes());
        packet.extend_from_slice(&to.to_be_bytes());
        packet.extend_from_slice(&(length - 20).to_be_bytes());
        packet.extend_from_slice(&[0, 0]);
        packet.extend_from_slice(payload);
        packet
    }

    #[test]
    fn datagrams_are_read_with_their_time() {
        let file = pcap(&[(0, 4000, 5000, vec![1, 2]), (20, 5000, 4000, vec![3])]);
        let datagrams = read(&file).unwrap();
        assert_eq!(datagrams.len(), 2);
        assert_eq!(datagrams[0].payload, [1, 2]);
        assert_eq!(datagrams[1].at, Duration::from_millis(20));
        assert_eq!(datagrams[1].from, "192.0.2.1:5000".parse().unwrap());
        assert_eq!(datagrams[1].to, "192.0.2.2:4000".parse().unwrap());
    }

    #[test]
    fn every_link_type_leads_to_the_packet() {
        let packet = ipv4_packet(1, 2, &[9]);
        let mut tagged = vec![0; 12];
        tagged.extend_from_slice(&[0x81, 0, 0, 5, 0x08, 0]);
        let prefixes = [
            (Link::Raw, vec![]),
            (Link::Null, vec![2, 0, 0, 0]),
            (Link::Ethernet, tagged),
            (Link::LinuxCooked, vec![0; 16]),
            (Link::LinuxCooked2, vec![0; 20]),
        ];
        for (link, mut frame) in prefixes {
            frame.extend_from_slice(&packet);
            assert_eq!(link.network(&frame).and_then(udp).map(|(_, _, payload)| payload), Some(&[9][..]), "{link:?}");
        }
    }

    #[test]
    fn broken_files_say_what_they_are_or_end_early() {
        assert_eq!(read(b"RIFF"), Err(Error::NotPcap));
        assert_eq!(read(&[&[0x0A, 0x0D, 0x0D, 0x0A][..], &[0; 30]].concat()), Err(Error::Pcapng));
        let file = pcap(&[(0, 1, 2, vec![1]), (20, 1, 2, vec![2])]);
        assert_eq!(read(&file[..file.len() - 1]).unwrap().len(), 1);
        for cut in 24..file.len() {
            assert!(read(&file[..cut]).unwrap().len() <= 1);
        }
    }
}
