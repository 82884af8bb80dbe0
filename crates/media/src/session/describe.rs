//! The pipeline of a session, in words.

use std::fmt::Write;

use super::playout::Playout;
use super::{MediaSession, PLAY_QUEUE_FRAMES};

impl MediaSession {
    /// The pipeline in words: `RTP 0 PCMU ← jitter 40 ms ← …`.
    pub fn describe(&self) -> String {
        let Some(stream) = &self.stream else { return "no stream yet".into() };
        let ear = self.config.ear;
        let mut words = String::from("heard by");
        for (on, name) in [(ear.dtmf, "digits"), (ear.progress, "tones"), (ear.voice, "voice")] {
            if on {
                words.push(' ');
                words.push_str(name);
            }
        }
        for (codec, payload_type) in &stream.receive {
            // Writing to a string cannot fail.
            let _ = write!(words, " ← RTP {payload_type} {}", codec.name());
        }
        if let Some(payload_type) = stream.telephone_event_receive {
            let _ = write!(words, " ← RTP {payload_type} telephone-event");
        }
        if let Some(jitter) = self.inbound.playout().map(Playout::jitter) {
            let _ = write!(words, " ← jitter {} ms ({} ms waiting)", jitter.delay_ms(), jitter.depth_ms());
        }
        let suite = stream.srtp.as_ref().map(|keys| keys.send.suite().name());
        if let Some(suite) = suite {
            let _ = write!(words, " ← SRTP {suite}");
        }
        match self.inbound.source() {
            Some(source) => _ = write!(words, " ← {source}"),
            None => _ = write!(words, " ← {} (nothing yet)", stream.remote),
        }
        if !stream.receiving {
            words.push_str(" (not receiving)");
        }
        let queued = PLAY_QUEUE_FRAMES - self.room();
        let (codec, payload_type) = stream.send;
        let _ = write!(words, "; {queued} frames queued → RTP {payload_type} {}", codec.name());
        if let Some(payload_type) = stream.telephone_event_send {
            let _ = write!(words, ", {payload_type} telephone-event");
        }
        if let Some(payload_type) = stream.comfort_noise {
            let _ = write!(words, ", {payload_type} CN");
        }
        if let Some(suite) = suite {
            let _ = write!(words, " → SRTP {suite}");
        }
        if let Some(destination) = self.inbound.destination() {
            let _ = write!(words, " → {destination}");
        }
        if !stream.sending {
            words.push_str(" (not sending)");
        }
        if let Some(remote) = self.control.remote() {
            let _ = write!(words, "; they lose {:.1} % of it", remote.loss * 100.0);
            if let Some(round_trip) = remote.round_trip {
                let _ = write!(words, ", {} ms there and back", round_trip.as_millis());
            }
        }
        let (skipped, refused) = (self.outbound.frames_skipped(), self.outbound.queue.refused());
        if skipped + refused > 0 {
            let _ = write!(words, "; {skipped} frames skipped, {refused} refused");
        }
        words
    }
}
