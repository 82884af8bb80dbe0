//! [`Compound`]: compound packets, read in place (RFC 3550 §6.1, §A.2).

use super::{CNAME, GOODBYE, RECEIVER_REPORT, SENDER_REPORT, SOURCE_DESCRIPTION};

/// Bytes of a header without SSRC.
const HEADER_LEN: usize = 4;
/// Bytes of a report block.
const BLOCK_LEN: usize = 24;

/// A compound packet all of whose parts are what they say.
#[derive(Debug, Clone, Copy)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

/// A part of a compound packet.
#[derive(Debug, Clone)]
pub enum Packet<'a> {
    /// SR: what somebody sent, and how others arrive there.
    SenderReport {
        /// Who reports.
        ssrc: u32,
        /// What they sent.
        info: SenderInfo,
        /// How others arrive there.
        blocks: Blocks<'a>,
    },
    /// RR: how others arrive there.
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// How others arrive there.
        blocks: Blocks<'a>,
    },
    /// SDES: who they are.
    Description(Chunks<'a>),
    /// BYE: these sources are gone.
    Goodbye(Sources<'a>),
    /// Something else, by its packet type.
    Other(u8),
}

/// What a sender says of its stream (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// When, in seconds and 2³²nds of them.
    pub ntp: u64,
    /// The RTP timestamp of that moment.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Bytes of payload sent.
    pub octets: u32,
}

/// How one source arrives (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// Which source.
    pub ssrc: u32,
    /// Share lost since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost; negative when more arrived than were sent, 24 bits.
    pub lost: i32,
    /// Highest sequence number with its wraps.
    pub highest: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Middle of the time in the latest SR of that source; 0 if there was none.
    pub last_sr: u32,
    /// Since that SR, in 1/65536 s.
    pub since_last_sr: u32,
}

/// The report blocks of a report.
#[derive(Debug, Clone, Copy)]
pub struct Blocks<'a>(&'a [u8]);

/// The sources of a goodbye.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a>(&'a [u8]);

/// The chunks of a source description; broken ones end it.
#[derive(Debug, Clone, Copy)]
pub struct Chunks<'a> {
    left: u8,
    rest: &'a [u8],
}

/// What a source says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Which source.
    pub ssrc: u32,
    /// Its canonical name, if it gives one.
    pub cname: Option<&'a [u8]>,
}

impl<'a> Compound<'a> {
    /// Reads a datagram; `None` for anything that is not a compound packet through and through.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let mut rest = datagram;
        let mut is_first = true;
        while is_first || !rest.is_empty() {
            let raw = Raw::split_off(&mut rest)?;
            let is_report = matches!(raw.packet_type, SENDER_REPORT | RECEIVER_REPORT);
            // RFC 3550 §A.2: a report comes first, and only the last may be padded.
            if is_first && (!is_report || raw.is_padded) || raw.is_padded && !rest.is_empty() {
                return None;
            }
            raw.read()?;
            is_first = false;
        }
        Some(Self { rest: datagram })
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        Raw::split_off(&mut self.rest)?.read()
    }
}

/// A part cut out by its header.
struct Raw<'a> {
    count: u8,
    packet_type: u8,
    is_padded: bool,
    body: &'a [u8],
}

impl<'a> Raw<'a> {
    fn split_off(bytes: &mut &'a [u8]) -> Option<Self> {
        let (header, after) = bytes.split_first_chunk::<HEADER_LEN>()?;
        if header[0] >> 6 != 2 {
            return None;
        }
        let len = usize::from(u16::from_be_bytes([header[2], header[3]])) * 4;
        let (mut body, rest) = after.split_at_checked(len)?;
        let is_padded = header[0] & 0x20 != 0;
        if is_padded {
            let padding = usize::from(*body.last()?);
            if padding == 0 {
                return None;
            }
            body = body.get(..body.len().checked_sub(padding)?)?;
        }
        *bytes = rest;
        Some(Self { count: header[0] & 0x1F, packet_type: header[1], is_padded, body })
    }

    fn read(self) -> Option<Packet<'a>> {
        let mut body = self.body;
        let count = usize::from(self.count);
        Some(match self.packet_type {
            SENDER_REPORT => {
                let ssrc = word(&mut body)?;
                let ntp = u64::from(word(&mut body)?) << 32 | u64::from(word(&mut body)?);
                let (timestamp, packets, octets) = (word(&mut body)?, word(&mut body)?, word(&mut body)?);
                let blocks = Blocks(body.get(..count * BLOCK_LEN)?);
                Packet::SenderReport { ssrc, info: SenderInfo { ntp, timestamp, packets, octets }, blocks }
            }
            RECEIVER_REPORT => {
                let ssrc = word(&mut body)?;
                Packet::ReceiverReport { ssrc, blocks: Blocks(body.get(..count * BLOCK_LEN)?) }
            }
            SOURCE_DESCRIPTION => Packet::Description(Chunks { left: self.count, rest: body }),
            GOODBYE => Packet::Goodbye(Sources(body.get(..count * 4)?)),
            other => Packet::Other(other),
        })
    }
}

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let body = &mut self.0;
        let (ssrc, loss) = (word(body)?, word(body)?);
        Some(ReportBlock {
            ssrc,
            fraction_lost: (loss >> 24) as u8,
            // The sign of 24 bits.
            lost: (loss << 8) as i32 >> 8,
            highest: word(body)?,
            jitter: word(body)?,
            last_sr: word(body)?,
            since_last_sr: word(body)?,
        })
    }
}

impl Iterator for Sources<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        word(&mut self.0)
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        self.left = self.left.checked_sub(1)?;
        let whole = self.rest;
        let ssrc = word(&mut self.rest)?;
        let mut cname = None;
        loop {
            let (kind, after) = self.rest.split_first()?;
            if *kind == 0 {
                // The end, and zeros up to a multiple of four.
                let used = (whole.len() - after.len()).next_multiple_of(4);
                self.rest = whole.get(used..).unwrap_or_default();
                return Some(Chunk { ssrc, cname });
            }
            let (len, after) = after.split_first()?;
            let (item, after) = after.split_at_checked(usize::from(*len))?;
            if *kind == CNAME {
                cname = Some(item);
            }
            self.rest = after;
        }
    }
}

fn word(bytes: &mut &[u8]) -> Option<u32> {
    let (word, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Dice, unhex};

    /// A sender report with a block, a description and a goodbye.
    const WHOLE: &str = "81c8000c 11111111 0000000580000000 00000640 00000064 00003e80\
                         22222222 40fffffe 00010007 00000010 00012345 00008000\
                         81ca0003 11111111 0103616263000000 81cb0001 11111111";

    fn bytes(text: &str) -> Vec<u8> {
        unhex(&text.replace(' ', ""))
    }

    fn is_taken(text: &str) -> bool {
        Compound::parse(&bytes(text)).is_some()
    }

    // RFC 3550 §6.4.1, §6.5, §6.6.
    #[test]
    fn the_parts_of_a_compound_packet_are_read() {
        let whole = bytes(WHOLE);
        let parts: Vec<_> = Compound::parse(&whole).unwrap().collect();
        let [Packet::SenderReport { ssrc, info, blocks }, Packet::Description(chunks), Packet::Goodbye(gone)] =
            &parts[..]
        else {
            panic!("{parts:?}");
        };
        assert_eq!(*ssrc, 0x1111_1111);
        assert_eq!(*info, SenderInfo { ntp: 0x5_8000_0000, timestamp: 1600, packets: 100, octets: 16_000 });
        let block = ReportBlock {
            ssrc: 0x2222_2222,
            fraction_lost: 0x40,
            lost: -2,
            highest: 0x1_0007,
            jitter: 16,
            last_sr: 0x1_2345,
            since_last_sr: 0x8000,
        };
        assert_eq!(blocks.collect::<Vec<_>>(), [block]);
        assert_eq!(chunks.collect::<Vec<_>>(), [Chunk { ssrc: 0x1111_1111, cname: Some(b"abc") }]);
        assert_eq!(gone.collect::<Vec<_>>(), [0x1111_1111]);
    }

    // RFC 3550 §A.2.
    #[test]
    fn a_compound_packet_is_whole_or_nothing() {
        assert!(is_taken("80c90001 11111111"));
        assert!(is_taken("80c90001 11111111 a0ce0003 11111111 22222222 00000004"), "padding at the end");
        assert!(is_taken("80c90001 11111111 82ca0005 11111111 00000000 22222222 0101610000000000"), "two chunks");
        for (text, why) in [
            ("", "nothing"),
            ("81ca0003 11111111 0103616263000000", "no report first"),
            ("40c90001 11111111", "version 1"),
            ("80c90002 11111111", "longer than the datagram"),
            ("80c90001 11111111 00", "a byte too many"),
            ("81c90001 11111111", "a block that is not there"),
            ("80c80001 11111111", "a sender report without sender"),
            ("80c90001 11111111 82cb0001 11111111", "a source that is not there"),
            ("a0c90002 11111111 00000004", "padding in the first"),
            ("80c90001 11111111 a0ce0002 11111111 00000004 80ce0000", "padding before the last"),
            ("80c90001 11111111 a0ce0001 000000ff", "padding past the start"),
            ("80c90001 11111111 a0ce0001 00000000", "padding of nothing"),
        ] {
            assert!(!is_taken(text), "{why}");
        }
    }

    // RFC 5761 §4.
    #[test]
    fn rtcp_is_told_from_rtp_by_its_second_byte() {
        assert!(super::super::is_rtcp(&bytes("80c90001")));
        assert!(!super::super::is_rtcp(&bytes("80000001")));
        assert!(!super::super::is_rtcp(&bytes("80e00001")), "payload type 96 with marker");
        assert!(!super::super::is_rtcp(&bytes("00c90001")));
        assert!(!super::super::is_rtcp(&[0x80]));
    }

    #[test]
    fn whatever_comes_is_read_to_its_end() {
        let mut dice = Dice::new(5);
        let whole = bytes(WHOLE);
        for _ in 0..20_000 {
            let mut packet = whole.clone();
            packet.truncate(dice.range(0.0, 100.0) as usize);
            for _ in 0..3 {
                let at = dice.range(0.0, packet.len() as f32) as usize;
                if let Some(byte) = packet.get_mut(at) {
                    *byte = dice.range(0.0, 256.0) as u8;
                }
            }
            for part in Compound::parse(&packet).into_iter().flatten() {
                match part {
                    Packet::SenderReport { blocks, .. } | Packet::ReceiverReport { blocks, .. } => {
                        assert!(blocks.count() <= 31);
                    }
                    Packet::Description(chunks) => assert!(chunks.count() <= 31),
                    Packet::Goodbye(sources) => assert!(sources.count() <= 31),
                    Packet::Other(_) => {}
                }
            }
        }
    }
}
