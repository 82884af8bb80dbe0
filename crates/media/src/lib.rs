//! RTP audio as a value: packets, SRTP, jitter, codecs, DTMF, tones, voice activity, recording.
//!
//! Nothing here opens a socket, reads a clock or draws ambient randomness. The path of a frame:
//! datagram → SRTP → RTP receive → decode → jitter buffer; from there, as soon as it is there, → [`ear`] and
//! [`Event::Audio`], and every 20 ms, made up where lost, → [`Recorded`];
//! [`Order::Play`] → encode → RTP send → SRTP → datagram.
//!
//! A session is driven from outside: give it datagrams, orders and the time; then take packets and events until there are
//! none, and come back at [`MediaSession::poll_timeout`].
//!
//! ```
//! use std::time::Instant;
//! use media::{Codec, Config, MediaSession, Order, StreamConfig, Transmit, ear};
//!
//! let now = Instant::now();
//! let ear = ear::Config { dtmf: true, progress: true, voice: true };
//! let mut session = MediaSession::new(now, Config { ear, audio: true, record: false }, [1; 32]);
//! session.order(now, Order::Configure(StreamConfig {
//!     remote: "192.0.2.1:4000".parse().unwrap(),
//!     rtcp: Some("192.0.2.1:4001".parse().unwrap()),
//!     send: (Codec::Pcmu, 0),
//!     receive: vec![(Codec::Pcmu, 0)],
//!     telephone_event_send: Some(101),
//!     telephone_event_receive: Some(101),
//!     comfort_noise: None,
//!     sending: true,
//!     receiving: true,
//!     srtp: None,
//! }));
//! let mut transmit = Transmit::default();
//! while session.poll_transmit(&mut transmit) {
//!     assert_eq!(transmit.bytes().len(), 172); // the first packet leaves at once: 20 ms of silence
//! }
//! let due = session.poll_timeout().unwrap();
//! session.handle_timeout(due);
//! while let Some(event) = session.poll_event() {
//!     println!("{event:?}");
//! }
//! ```

// The bans of clippy.toml; tests may start a clock.
#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

mod analysis;
pub mod capture;
pub mod codec;
pub mod comfort_noise;
pub mod conceal;
pub mod dtmf;
pub mod ear;
mod frame;
pub mod jitter;
pub mod level_control;
pub mod listen;
pub mod mixer;
pub mod music;
#[cfg(feature = "opus")]
mod ogg;
pub mod one_way;
pub mod progress;
pub mod quality;
pub mod recorder;
pub mod resample;
pub mod rtcp;
pub mod rtp;
mod session;
pub mod srtp;
#[cfg(test)]
mod testing;
pub mod tones;
pub mod vad;
pub mod wav;

pub use codec::Codec;
pub use frame::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};
pub use session::*;
