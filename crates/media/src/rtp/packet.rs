//! The RTP header, read and written in place (RFC 3550 §5.1).

/// Length of a header without CSRC list and extension: all we ever send.
pub const HEADER_LEN: usize = 12;

/// A received RTP packet, borrowed from its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The marker bit.
    pub marker: bool,
    /// Payload type.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// The payload, without CSRC list, extension and padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet; `None` for anything that is not RTP version 2, and for RTCP.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, mut payload) = datagram.split_at_checked(header_len(datagram)?)?;
        let payload_type = header[1] & 0x7F;
        if header[0] & 0x20 != 0 {
            let padding = usize::from(*payload.last()?);
            if padding == 0 {
                return None;
            }
            payload = payload.get(..payload.len().checked_sub(padding)?)?;
        }
        Some(Self {
            marker: header[1] & 0x80 != 0,
            payload_type,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            timestamp: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            ssrc: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
            payload,
        })
    }
}

/// Length of a header with its CSRC list and extension; `None` for anything that is not RTP version 2, and for RTCP.
pub fn header_len(datagram: &[u8]) -> Option<usize> {
    let header = datagram.first_chunk::<HEADER_LEN>()?;
    // RFC 5761 §4: RTCP packet types 192 to 223 look like payload types 64 to 95.
    if header[0] >> 6 != 2 || (64..=95).contains(&(header[1] & 0x7F)) {
        return None;
    }
    let mut len = HEADER_LEN + usize::from(header[0] & 0x0F) * 4;
    if header[0] & 0x10 != 0 {
        let extension = datagram.get(len..)?;
        len += 4 + usize::from(u16::from_be_bytes([*extension.get(2)?, *extension.get(3)?])) * 4;
    }
    (len <= datagram.len()).then_some(len)
}

/// Writes a header without CSRC list, extension and padding.
pub fn write_header(
    into: &mut [u8; HEADER_LEN],
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
) {
    into[0] = 0x80;
    into[1] = u8::from(marker) << 7 | (payload_type & 0x7F);
    into[2..4].copy_from_slice(&sequence.to_be_bytes());
    into[4..8].copy_from_slice(&timestamp.to_be_bytes());
    into[8..12].copy_from_slice(&ssrc.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of sequence 2, timestamp 3, SSRC 4 with the given first bytes, then `rest`.
    fn datagram(first: u8, second: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, second, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4];
        bytes.extend_from_slice(rest);
        bytes
    }

    fn payload(datagram: &[u8]) -> Option<Vec<u8>> {
        Packet::parse(datagram).map(|packet| packet.payload.to_vec())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut bytes = [0; HEADER_LEN];
        write_header(&mut bytes, true, 101, 65535, 0xFFFF_FF60, 0xDEAD_BEEF);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!((packet.marker, packet.payload_type), (true, 101));
        assert_eq!((packet.sequence, packet.timestamp, packet.ssrc), (65535, 0xFFFF_FF60, 0xDEAD_BEEF));
    }

    // RFC 3550 §5.1.
    #[test]
    fn csrc_list_extension_and_padding_are_stepped_over() {
        assert_eq!(payload(&datagram(0x80, 0, &[9, 9])), Some(vec![9, 9]));
        assert_eq!(payload(&datagram(0x81, 0, &[1, 1, 1, 1, 9])), Some(vec![9]));
        assert_eq!(payload(&datagram(0x90, 0, &[0xBE, 0xDE, 0, 1, 5, 5, 5, 5, 9])), Some(vec![9]));
        assert_eq!(payload(&datagram(0xA0, 0, &[9, 9, 0, 2])), Some(vec![9, 9]));
    }

    #[test]
    fn lies_about_lengths_are_refused() {
        assert_eq!(payload(&[0x80; 11]), None);
        assert_eq!(payload(&datagram(0x8F, 0, &[9])), None, "CSRC list past the end");
        assert_eq!(payload(&datagram(0x90, 0, &[0, 0, 0xFF, 0xFF, 9])), None, "extension past the end");
        assert_eq!(payload(&datagram(0xA0, 0, &[9, 200])), None, "padding past the start");
        assert_eq!(payload(&datagram(0xA0, 0, &[9, 0])), None, "padding of nothing");
        assert_eq!(payload(&datagram(0x40, 0, &[9])), None, "version 1");
    }

    // RFC 5761 §4.
    #[test]
    fn rtcp_on_the_rtp_port_is_not_rtp() {
        assert_eq!(payload(&datagram(0x80, 200, &[0; 16])), None);
        assert_eq!(payload(&datagram(0x81, 201, &[0; 20])), None);
    }
}
