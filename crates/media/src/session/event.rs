//! What media tells the call.

use std::time::{Duration, Instant};

use super::UtteranceId;
use crate::codec::Codec;
use crate::ear::Heard;
use crate::frame::AudioFrame;
use crate::one_way;
use crate::rtcp::Remote;

/// What media tells the call.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// 20 ms of what they say, in order and gapless (concealed where lost), as soon as they are there: without the delay that
    /// steady play-out needs.
    Audio(AudioFrame),
    /// Something in it.
    Heard(Heard),
    /// The first packet of an utterance left (`at` is our clock).
    Started {
        /// Which.
        utterance: UtteranceId,
        /// When.
        at: Instant,
    },
    /// An utterance ended or was flushed, after so much of it was sent.
    Played {
        /// Which.
        utterance: UtteranceId,
        /// How much left for the wire.
        duration: Duration,
        /// All of it, to the `last` frame.
        finished: bool,
    },
    /// All digits ordered so far are sent.
    DigitsSent,
}

/// 20 ms of both sides as they were on the line, theirs as it would be played, for the recorder.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Left: they.
    pub they: AudioFrame,
    /// Right: we.
    pub we: AudioFrame,
}

/// Counters of one stream, which only grow, and how it is now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Statistics {
    /// Packets we sent.
    pub packets_sent: u64,
    /// Packets of the peer that were taken, late ones included.
    pub packets_received: u64,
    /// Packets that never came: known once 64 newer ones have.
    pub packets_lost: u64,
    /// Packets that came after their time to be played.
    pub packets_late: u64,
    /// From strangers, malformed, or of an unknown payload type.
    pub packets_ignored: u64,
    /// SRTP: forged, damaged, or protected with another key.
    pub packets_unauthentic: u64,
    /// SRTP: came twice, or too late to tell.
    pub packets_replayed: u64,
    /// Of their latest sound.
    pub codec: Option<Codec>,
    /// Interarrival jitter (RFC 3550 §6.4.1), now.
    pub jitter: Duration,
    /// Frames of which a part at least was made up.
    pub concealed_frames: u64,
    /// Mean level of their speech in dBm0; −96 before they have spoken.
    pub level_dbm0: f32,
    /// How long what they say waits to be played, now.
    pub delay: Duration,
    /// How we arrive at the other end, once they have told.
    pub remote: Option<Remote>,
    /// Why they are not heard, now, if they should be.
    pub one_way: Option<one_way::Cause>,
}
