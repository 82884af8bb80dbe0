//! RTP (RFC 3550): the header in place, sequence numbers, the sending and the receiving side.

mod packet;
mod receiver;
mod sender;
mod sequence;

pub use packet::{HEADER_LEN, Packet, header_len, write_header};
pub use receiver::{Arrival, Arrived, Latch, Reception};
pub use sender::Sender;
pub use sequence::ExtendedSequence;
