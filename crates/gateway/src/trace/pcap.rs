//! Pure: no I/O, no clock.
//!
//! A call's messages as a capture file for Wireshark, sngrep and their like.
//!
//! The classic format (`draft-ietf-opsawg-pcap`), one packet a message with the IP and UDP headers it had, or
//! for streams TCP segments with sequence numbers that follow on. TLS is shown as what it carried.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::UNIX_EPOCH;

use super::TracedMessage;

/// The media type of [`pcap`].
pub const PCAP_MEDIA_TYPE: &str = "application/vnd.tcpdump.pcap";
/// Packets begin with their IP header.
const LINKTYPE_RAW: u32 = 101;
const SNAP_LENGTH: u32 = 65_535;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;

/// The capture file: little-endian, microseconds.
pub fn pcap(messages: &[TracedMessage]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(4_u16.to_le_bytes());
    file.extend([0; 8]);
    file.extend(SNAP_LENGTH.to_le_bytes());
    file.extend(LINKTYPE_RAW.to_le_bytes());
    let mut sent_bytes = BTreeMap::new();
    for message in messages {
        let (from, to) = if message.sent { (message.local, message.remote) } else { (message.remote, message.local) };
        let packet = if message.transport == "UDP" {
            ip(from.ip(), to.ip(), PROTOCOL_UDP, &udp(from, to, &message.bytes))
        } else {
            let acknowledged = sent_bytes.get(&(to, from)).copied().unwrap_or(1_u32);
            let sequence = sent_bytes.entry((from, to)).or_insert(1);
            let segment = tcp(from, to, *sequence, acknowledged, &message.bytes);
            *sequence = sequence.wrapping_add(u32::try_from(message.bytes.len()).unwrap_or(u32::MAX));
            ip(from.ip(), to.ip(), PROTOCOL_TCP, &segment)
        };
        let time = message.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let len = u32::try_from(packet.len()).unwrap_or(u32::MAX).to_le_bytes();
        file.extend(u32::try_from(time.as_secs()).unwrap_or(u32::MAX).to_le_bytes());
        file.extend(time.subsec_micros().to_le_bytes());
        file.extend(len);
        file.extend(len);
        file.extend(packet);
    }
    file
}

/// A UDP datagram (RFC 768); over IPv4 its checksum may be zero, over IPv6 readers only remark on it.
fn udp(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(8 + payload.len());
    datagram.extend(from.port().to_be_bytes());
    datagram.extend(to.port().to_be_bytes());
    datagram.extend(u16::try_from(8 + payload.len()).unwrap_or(u16::MAX).to_be_bytes());
    datagram.extend([0; 2]);
    datagram.extend(payload);
    datagram
}

/// A TCP segment (RFC 9293) with PSH and ACK set.
fn tcp(from: SocketAddr, to: SocketAddr, sequence: u32, acknowledged: u32, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend(from.port().to_be_bytes());
    segment.extend(to.port().to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend(acknowledged.to_be_bytes());
    segment.extend([0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    segment
}

fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(40 + payload.len());
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.extend([0x45, 0]);
            packet.extend(u16::try_from(20 + payload.len()).unwrap_or(u16::MAX).to_be_bytes());
            packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            let sum = header_checksum(&packet);
            if let Some(field) = packet.get_mut(10..12) {
                field.copy_from_slice(&sum.to_be_bytes());
            }
        }
        (from, to) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes());
            packet.extend([protocol, 64]);
            for address in [from, to] {
                let address = match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                };
                packet.extend(address.octets());
            }
        }
    }
    packet.extend(payload);
    packet
}

/// RFC 1071 over an IPv4 header whose checksum field is still zero.
fn header_checksum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2).map(|pair| pair.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::tests::traced;
    use super::*;

    fn message(sent: bool, remote: &str, bytes: &[u8]) -> TracedMessage {
        let message = traced(250, sent, bytes);
        let remote: SocketAddr = remote.parse().expect("address");
        let local = if remote.is_ipv4() { message.local } else { "[2001:db8::1]:5060".parse().expect("address") };
        TracedMessage { local, remote, ..message }
    }

    #[test]
    fn a_datagram_is_the_bytes_tcpdump_would_have_written() {
        let file = pcap(&[message(true, "198.51.100.7:5070", b"hello")]);
        let (header, record) = file.split_at(24);
        assert_eq!(header, b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x65\0\0\0");
        let (times, packet) = record.split_at(16);
        assert_eq!(times[..4], 1_800_000_000_u32.to_le_bytes());
        assert_eq!(times[4..8], 250_000_u32.to_le_bytes());
        assert_eq!(times[8..12], 33_u32.to_le_bytes());
        assert_eq!(packet[..20], *b"\x45\0\0\x21\0\0\x40\0\x40\x11\x4e\x90\xc0\0\x02\x01\xc6\x33\x64\x07");
        assert_eq!(packet[20..], *b"\x13\xc4\x13\xce\0\x0d\0\0hello");
    }

    #[test]
    fn version_six_has_its_own_header() {
        let file = pcap(&[message(false, "[2001:db8::2]:5070", b"hi")]);
        let packet = &file[40..];
        assert_eq!(packet[..8], *b"\x60\0\0\0\0\x0a\x11\x40");
        assert_eq!(packet[8 + 15], 2, "received: the peer is the source");
        assert_eq!(packet.len(), 40 + 8 + 2);
    }
    #[test]
    fn segments_of_a_stream_follow_on_in_both_directions() {
        let over_tcp =
            |sent, bytes| TracedMessage { transport: "TLS".into(), ..message(sent, "198.51.100.7:5061", bytes) };
        let file = pcap(&[over_tcp(true, b"abc"), over_tcp(false, b"de"), over_tcp(true, b"f")]);
        let mut rest = file.get(24..).expect("a header");
        let mut numbers = Vec::new();
        while let Some((times, packet)) = rest.split_at_checked(16) {
            let len = usize::try_from(u32::from_le_bytes(times[8..12].try_into().expect("4"))).expect("a length");
            let number = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().expect("4"));
            assert_eq!(packet[9], PROTOCOL_TCP);
            numbers.push((number(24), number(28), packet[40..len].to_vec()));
            rest = &packet[len..];
        }
        assert_eq!(numbers, [(1, 1, b"abc".to_vec()), (1, 4, b"de".to_vec()), (4, 3, b"f".to_vec())]);
    }
}
