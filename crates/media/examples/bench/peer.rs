//! The peer of a measurement, who sends 20 ms after 20 ms.

use media::rtp::{HEADER_LEN, write_header};

/// Where it sends from, and receives.
pub const PEER: ([u8; 4], u16) = ([192, 0, 2, 1], 4000);

/// Writes the header of its `nth` packet, of so many ticks each, into the packet's beginning.
pub fn number(packet: &mut [u8], payload_type: u8, nth: u32, ticks: u32) {
    if let Some(header) = packet.first_chunk_mut::<HEADER_LEN>() {
        write_header(header, false, payload_type, nth as u16, nth.wrapping_mul(ticks), 7);
    }
}
