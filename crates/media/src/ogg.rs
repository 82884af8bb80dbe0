//! Ogg pages (RFC 3533) of one stream whose packets each fit into a page: what a recording needs.

use std::io::{self, Write};

/// Most lacing values of a page (RFC 3533 §6).
const MAX_SEGMENTS: usize = 255;
/// Length of a page's header without its lacing values.
const HEADER_LEN: usize = 27;
/// The first page of the stream, and the last.
const BEGINS: u8 = 2;
const ENDS: u8 = 4;
/// Tells the stream from others in the file, of which there are none.
const SERIAL: u32 = u32::from_le_bytes(*b"offh");

/// Writes pages, one after the other.
#[derive(Debug)]
pub(crate) struct Pages<W: Write> {
    file: W,
    written: u32,
    lacing: Vec<u8>,
    body: Vec<u8>,
}

impl<W: Write> Pages<W> {
    pub fn new(file: W) -> Self {
        Self { file, written: 0, lacing: Vec::with_capacity(MAX_SEGMENTS), body: Vec::new() }
    }

    /// Adds a packet to the page. False if it does not fit.
    pub fn push(&mut self, packet: &[u8]) -> bool {
        let fits = self.lacing.len() + packet.len() / 255 < MAX_SEGMENTS;
        if fits {
            self.lacing.extend(std::iter::repeat_n(255, packet.len() / 255));
            self.lacing.push((packet.len() % 255) as u8);
            self.body.extend_from_slice(packet);
        }
        fits
    }

    /// Writes the page, and all of it to where it is kept. `granule` is the position at the end of its packets.
    pub fn flush(&mut self, granule: u64, is_last: bool) -> io::Result<()> {
        let begins = if self.written == 0 { BEGINS } else { 0 };
        let ends = if is_last { ENDS } else { 0 };
        let mut header = [0; HEADER_LEN];
        header[..4].copy_from_slice(b"OggS");
        header[5] = begins | ends;
        header[6..14].copy_from_slice(&granule.to_le_bytes());
        header[14..18].copy_from_slice(&SERIAL.to_le_bytes());
        header[18..22].copy_from_slice(&self.written.to_le_bytes());
        header[26] = self.lacing.len() as u8;
        let checksum = checksum(checksum(checksum(0, &header), &self.lacing), &self.body);
        header[22..26].copy_from_slice(&checksum.to_le_bytes());
        for part in [&header[..], &self.lacing, &self.body] {
            self.file.write_all(part)?;
        }
        self.lacing.clear();
        self.body.clear();
        self.written = self.written.wrapping_add(1);
        self.file.flush()
    }

    pub fn into_inner(self) -> W {
        self.file
    }
}

/// The checksum of what was summed up before and these bytes (RFC 3533 §6, field 7).
fn checksum(before: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(before, |sum, byte| sum << 8 ^ TABLE[usize::from((sum >> 24) as u8 ^ byte)])
}

/// What each byte at the top adds to the sum.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 0x8000_0000 == 0 { sum << 1 } else { sum << 1 ^ 0x04C1_1DB7 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

#[cfg(test)]
pub(crate) mod reading {
    use super::*;

    /// A page as it is read back.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Page {
        pub begins: bool,
        pub ends: bool,
        pub granule: u64,
        pub number: u32,
        pub packets: Vec<Vec<u8>>,
    }

    /// The whole pages of a file; panics at one that is damaged.
    pub(crate) fn read(mut file: &[u8]) -> Vec<Page> {
        let mut pages = Vec::new();
        while let Some((header, rest)) = file.split_at_checked(HEADER_LEN) {
            assert_eq!((&header[..5], &header[14..18]), (&b"OggS\0"[..], &SERIAL.to_le_bytes()[..]));
            let Some((lacing, rest)) = rest.split_at_checked(usize::from(header[26])) else { break };
            let len = lacing.iter().map(|len| usize::from(*len)).sum();
            let Some((mut body, rest)) = rest.split_at_checked(len) else { break };
            let mut plain = header.to_vec();
            plain[22..26].fill(0);
            plain.extend(lacing);
            plain.extend(body);
            // Bit by bit, as the RFC has it.
            let sum = plain.iter().fold(0u32, |sum, byte| {
                (0..8).fold(sum ^ (u32::from(*byte) << 24), |sum, _| (sum << 1) ^ ((sum >> 31) * 0x04C1_1DB7))
            });
            assert_eq!(header[22..26], sum.to_le_bytes());
            let mut packets = vec![Vec::new()];
            for (n, len) in lacing.iter().enumerate() {
                let (piece, others) = body.split_at(usize::from(*len));
                body = others;
                packets.last_mut().unwrap().extend(piece);
                if *len < 255 && n + 1 < lacing.len() {
                    packets.push(Vec::new());
                }
            }
            pages.push(Page {
                begins: header[5] & BEGINS != 0,
                ends: header[5] & ENDS != 0,
                granule: u64::from_le_bytes(header[6..14].try_into().unwrap()),
                number: u32::from_le_bytes(header[18..22].try_into().unwrap()),
                packets,
            });
            file = rest;
        }
        pages
    }
}

#[cfg(test)]
mod tests {
    use super::reading::read;
    use super::*;

    // RFC 3533 §6.
    #[test]
    fn packets_of_every_length_come_back_page_by_page() {
        let mut pages = Pages::new(Vec::new());
        let packets: Vec<Vec<u8>> = [0, 1, 254, 255, 256, 510, 600].iter().map(|len| vec![*len as u8; *len]).collect();
        assert!(pages.push(b"head"));
        pages.flush(0, false).unwrap();
        assert!(packets.iter().all(|packet| pages.push(packet)));
        pages.flush(960, false).unwrap();
        assert!(pages.push(&[7; 255 * 254]) && !pages.push(&[7]), "a page has 255 segments");
        pages.flush(1920, true).unwrap();
        let file = pages.into_inner();
        let read_back = read(&file);
        let marks: Vec<_> = read_back.iter().map(|page| (page.number, page.begins, page.ends, page.granule)).collect();
        assert_eq!(marks, [(0, true, false, 0), (1, false, false, 960), (2, false, true, 1920)]);
        assert_eq!(read_back[1].packets, packets);
        assert_eq!(read(&file[..file.len() - 1]), read_back[..2], "a page that is not whole is left out");
    }

    #[test]
    fn the_checksum_is_that_of_another_implementation() {
        // Python: the table of RFC 3533 over b"123456789", from zero.
        assert_eq!(checksum(0, b"123456789"), 0x89A1_897F);
    }
}
