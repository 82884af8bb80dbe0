//! RTP (RFC 3550): the header in place, sequence numbers, the sending and the receiving side.

mod latch;
mod packet;
mod reception;
mod sender;
mod sequence;
mod source_choice;

pub use latch::{Admission, Evidence, Latch};
pub use packet::{HEADER_LEN, Packet, header_len, write_header};
pub use reception::{Arrival, Arrived, Reception};
pub use sender::Sender;
pub use sequence::ExtendedSequence;
pub use source_choice::SourceChoice;
