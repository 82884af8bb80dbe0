//! RTP audio as a value: packets, jitter, codecs, DTMF, tones, voice activity, recording.
//!
//! Nothing here opens a socket, reads a clock or draws ambient randomness. The path of a frame:
//! datagram → RTP receive → jitter buffer → decode or conceal → [`ear`] → [`Event::Audio`];
//! [`Order::Play`] → encode → RTP send → datagram.

// The bans of clippy.toml; tests may start a clock.
#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

mod analysis;
pub mod capture;
pub mod codec;
pub mod conceal;
pub mod dtmf;
pub mod ear;
mod frame;
pub mod jitter;
pub mod listen;
pub mod music;
pub mod progress;
pub mod recorder;
pub mod resample;
pub mod rtp;
mod session;
#[cfg(test)]
mod testing;
pub mod tones;
pub mod vad;
pub mod wav;

pub use codec::Codec;
pub use frame::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};
pub use session::*;
