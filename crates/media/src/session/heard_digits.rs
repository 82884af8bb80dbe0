//! [`HeardDigits`]: keys of theirs that come by ear, as telephone-events, or both ways: each is one.

use std::time::Duration;

use crate::dtmf::Digit;
use crate::dtmf::telephone_event::{self, TelephoneEvent};
use crate::rtp::Packet;

/// A digit heard by ear and as telephone-event within this time is one digit.
const SAME_DIGIT: Duration = Duration::from_millis(500);
/// Digits by ear so soon after a telephone-event are its echo; later ones are keys of their own, for a peer that
/// changed its method.
const ECHO: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct HeardDigits {
    receiver: telephone_event::Receiver,
    /// When the latest telephone-event packet came: digits in the audio about then are its echo.
    last_event: Option<Duration>,
    /// The latest digit heard by ear.
    last_inband: Option<(Digit, Duration)>,
}

impl HeardDigits {
    /// Nobody agreed on telephone-events any more.
    pub fn only_by_ear(&mut self) {
        self.last_event = None;
    }

    /// A packet of a telephone-event: the digit that began with it, if one did that is new.
    pub fn by_event(&mut self, at: Duration, packet: &Packet<'_>) -> Option<Digit> {
        let payload = TelephoneEvent::parse(packet.payload)?;
        let before = self.last_event.replace(at);
        let first_event = before.is_none_or(|before| at.saturating_sub(before) >= ECHO);
        let digit = self.receiver.receive(packet.ssrc, packet.timestamp, packet.sequence, packet.marker, payload)?;
        let echo_came_first = first_event
            && self.last_inband.is_some_and(|(heard, when)| heard == digit && at.saturating_sub(when) < SAME_DIGIT);
        (!echo_came_first).then_some(digit)
    }

    /// A digit in the audio: whether it is new.
    pub fn by_ear(&mut self, at: Duration, digit: Digit) -> bool {
        if self.last_event.is_some_and(|event| at.saturating_sub(event) < ECHO) {
            return false;
        }
        self.last_inband = Some((digit, at));
        true
    }
}
