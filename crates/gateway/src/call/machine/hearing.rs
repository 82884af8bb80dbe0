//! Pure: no I/O, no clock.
//!
//! What the media stream says to a call, as its line hears it.

use std::time::Instant;

use media::Event;
use media::ear::Heard;

use super::{CallMachine, Output, State};
use crate::LineEvent;

impl CallMachine {
    pub(super) fn handle_media(&mut self, now: Instant, event: Event) {
        let line = match event {
            Event::Audio(frame) => LineEvent::Audio(frame),
            Event::Heard(heard) => match heard {
                Heard::Digit { at, digit, source } => LineEvent::Digit { at, digit, source },
                Heard::Tone { at, end, tone } => LineEvent::Tone { at, end, tone },
                Heard::SpeechStarted { at } => LineEvent::SpeechStarted { at },
                Heard::SpeechEnded { at } => LineEvent::SpeechEnded { at },
                Heard::MusicStarted { at } => LineEvent::Music { at, playing: true },
                Heard::MusicEnded { at } => LineEvent::Music { at, playing: false },
            },
            Event::Started { utterance, at } => LineEvent::Started { utterance, at: at.into() },
            Event::Played { utterance, duration, finished } => LineEvent::Played { utterance, duration, finished },
            // Keys by INFO follow, and are told of when they are sent.
            Event::DigitsSent if self.info_keys.speech_is_over() => return self.send_info_keys(now),
            Event::DigitsSent => LineEvent::DigitsSent,
        };
        self.outputs.push_back(Output::Line(line));
    }

    /// RTP has been received since the last report.
    pub(crate) fn media_alive(&mut self, now: Instant) {
        if let State::Established { media_limit: Some(limit) } = &mut self.state {
            *limit = now + self.limits.media_timeout;
        }
    }
}
