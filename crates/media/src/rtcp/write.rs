//! [`write()`]: a report as a compound packet (RFC 3550 §6.1).

use super::{CNAME, GOODBYE, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo};

/// Bytes of the name we give ourselves.
pub const CNAME_LEN: usize = 16;
/// Bytes of the longest compound packet we send: SR with a block, SDES, BYE.
pub const MAX_COMPOUND: usize = 28 + 24 + DESCRIPTION_LEN + 8;
/// Bytes of our source description: header, SSRC, the name and its head, zeros to a multiple of four.
const DESCRIPTION_LEN: usize = (4 + 4 + 2 + CNAME_LEN + 1).next_multiple_of(4);

/// What we say.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Who we are.
    pub ssrc: u32,
    /// What we sent, if we did.
    pub sender: Option<SenderInfo>,
    /// How they arrive here, if they do.
    pub block: Option<ReportBlock>,
    /// Our canonical name.
    pub cname: &'a [u8; CNAME_LEN],
    /// Nothing more will come from us.
    pub goodbye: bool,
}

/// Writes a report; gives its length.
pub fn write(report: &Report<'_>, into: &mut [u8; MAX_COMPOUND]) -> usize {
    let mut writer = Writer { into, len: 0 };
    let blocks = u8::from(report.block.is_some());
    match report.sender {
        Some(info) => {
            writer.header(blocks, SENDER_REPORT, 24 + 24 * usize::from(blocks));
            writer.words(&[report.ssrc, (info.ntp >> 32) as u32, info.ntp as u32]);
            writer.words(&[info.timestamp, info.packets, info.octets]);
        }
        None => {
            writer.header(blocks, RECEIVER_REPORT, 4 + 24 * usize::from(blocks));
            writer.words(&[report.ssrc]);
        }
    }
    if let Some(block) = report.block {
        let loss = u32::from(block.fraction_lost) << 24 | block.lost as u32 & 0x00FF_FFFF;
        writer.words(&[block.ssrc, loss, block.highest, block.jitter, block.last_sr, block.since_last_sr]);
    }
    writer.header(1, SOURCE_DESCRIPTION, DESCRIPTION_LEN - 4);
    writer.words(&[report.ssrc]);
    writer.put(&[CNAME, CNAME_LEN as u8]);
    writer.put(report.cname);
    writer.put(&[0; DESCRIPTION_LEN - (4 + 4 + 2 + CNAME_LEN)]);
    if report.goodbye {
        writer.header(1, GOODBYE, 4);
        writer.words(&[report.ssrc]);
    }
    writer.len
}

struct Writer<'a> {
    into: &'a mut [u8; MAX_COMPOUND],
    len: usize,
}

impl Writer<'_> {
    /// `body_len` is the number of bytes after the header, a multiple of four.
    fn header(&mut self, count: u8, packet_type: u8, body_len: usize) {
        let [high, low] = ((body_len / 4) as u16).to_be_bytes();
        self.put(&[0x80 | count, packet_type, high, low]);
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            self.put(&word.to_be_bytes());
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        if let Some(place) = self.into.get_mut(self.len..self.len + bytes.len()) {
            place.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Chunk, Compound, Packet};

    const CNAME: &[u8; CNAME_LEN] = b"0123456789abcdef";

    /// The parts of a report in words, and its length.
    fn check(report: Report<'_>, parts: &str, len: usize) {
        let mut bytes = [0; MAX_COMPOUND];
        assert_eq!(write(&report, &mut bytes), len);
        let words = Compound::parse(&bytes[..len]).unwrap().map(|part| match part {
            Packet::SenderReport { ssrc, info, blocks } => {
                assert_eq!((ssrc, Some(info), blocks.last()), (1, report.sender, report.block));
                format!("SR{}", blocks.count())
            }
            Packet::ReceiverReport { ssrc, blocks } => {
                assert_eq!((ssrc, blocks.last()), (1, report.block));
                format!("RR{}", blocks.count())
            }
            Packet::Description(chunks) => {
                assert_eq!(chunks.collect::<Vec<_>>(), [Chunk { ssrc: 1, cname: Some(CNAME) }]);
                "SDES".into()
            }
            Packet::Goodbye(sources) => {
                assert_eq!(sources.collect::<Vec<_>>(), [1]);
                "BYE".into()
            }
            Packet::Other(other) => other.to_string(),
        });
        assert_eq!(words.collect::<Vec<_>>().join(" "), parts);
    }

    // RFC 3550 §6.1, §6.4.1, §6.4.2, §6.5.1, §6.6.
    #[test]
    fn what_is_written_is_read_back() {
        let sender = Some(SenderInfo { ntp: u64::MAX - 1, timestamp: 3, packets: 4, octets: 5 });
        let block = ReportBlock {
            ssrc: 9,
            fraction_lost: 255,
            lost: -3,
            highest: 0x2_0001,
            jitter: 8,
            last_sr: u32::MAX,
            since_last_sr: 7,
        };
        let plain = Report { ssrc: 1, sender: None, block: None, cname: CNAME, goodbye: false };
        check(plain, "RR0 SDES", 36);
        check(Report { block: Some(block), ..plain }, "RR1 SDES", 60);
        check(Report { sender, ..plain }, "SR0 SDES", 56);
        check(Report { sender, block: Some(block), goodbye: true, ..plain }, "SR1 SDES BYE", MAX_COMPOUND);
    }
}
