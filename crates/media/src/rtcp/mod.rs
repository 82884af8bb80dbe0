//! RTCP (RFC 3550 §6): reports of how the audio arrives, and goodbye.
//!
//! [`Compound`] reads what a peer sent; [`Reporter`] decides when we report and what; [`write()`] makes the packet.

mod compound;
mod reporter;
mod schedule;
mod write;

pub use compound::{Blocks, Chunk, Chunks, Compound, Packet, ReportBlock, SenderInfo, Sources};
pub use reporter::{Remote, Reporter, Sent};
pub use write::{CNAME_LEN, MAX_COMPOUND, Report, write};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// The item of a source description that names the source.
const CNAME: u8 = 1;

/// Whether a datagram on a port that may carry both is RTCP (RFC 5761 §4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == 2)
}

/// Whole seconds and their 2³²nds (RFC 3550 §4), from when the stream began: we know no time of day (§6.4.1).
fn ntp(elapsed: std::time::Duration) -> u64 {
    let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
    elapsed.as_secs() << 32 | fraction
}

/// The middle 32 bits: units of 1/65536 s.
fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}
