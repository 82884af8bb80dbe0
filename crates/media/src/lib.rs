//! RTP audio as a value: packets, jitter, codecs, DTMF, tones, voice activity, recording.
//!
//! Nothing here opens a socket, reads a clock or draws ambient randomness. The path of a frame:
//! datagram → RTP receive → jitter buffer → decode or conceal → [`ear`] → [`Event::Audio`];
//! [`Order::Play`] → encode → RTP send → datagram.

pub mod ear;
mod frame;
mod session;

pub use frame::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};
pub use session::*;
