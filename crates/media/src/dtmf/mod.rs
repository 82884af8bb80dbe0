//! DTMF digits: as telephone-events (RFC 4733) and as tones in the audio.

mod digit;
pub mod inband;
pub mod telephone_event;

pub use digit::{Digit, DigitSource};
