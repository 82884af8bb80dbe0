//! Pure: no I/O, no clock.
//!
//! Keys that we press: as events or tones in their turn behind what is being said, or by INFO.

use std::time::{Duration, Instant};

use media::ear::Digit;
use media::{DigitMethod, Order};
use sip::sdp::Negotiated;

use super::{CallMachine, Output};
use crate::call::info_digits;
use crate::{DigitPolicy, LineEvent};

/// How long each key sounds.
const DIGIT_DURATION: Duration = Duration::from_millis(100);
/// `w` and `,`.
const DIGIT_PAUSE: Duration = Duration::from_millis(500);
/// Shortest pause of the media; its end says that what was queued before it has left.
pub(super) const SPEECH_MARK: Duration = Duration::from_millis(20);

impl CallMachine {
    pub(super) fn press(&mut self, now: Instant, digits: &str, differently: bool) {
        let policy = if differently { other_policy(self.digits, self.negotiated.as_ref()) } else { self.digits };
        let method = match policy {
            DigitPolicy::Auto => DigitMethod::Auto,
            DigitPolicy::Rfc4733 => DigitMethod::Rfc4733,
            DigitPolicy::Inband => DigitMethod::Inband,
            DigitPolicy::Info => return self.press_by_info(now, digits),
        };
        for key in digits.chars() {
            if is_pause(key) {
                self.outputs.push_back(Output::Queue(Order::SendPause(DIGIT_PAUSE)));
            } else if let Some(digit) = Digit::from_char(key) {
                self.outputs.push_back(Output::Queue(Order::SendDigit { digit, method, duration: DIGIT_DURATION }));
            }
        }
    }

    fn press_by_info(&mut self, now: Instant, digits: &str) {
        self.outputs.push_back(Output::Queue(Order::SendPause(SPEECH_MARK)));
        self.info_keys.open(now);
        for key in digits.chars() {
            if is_pause(key) {
                self.info_keys.push_pause(DIGIT_PAUSE);
            } else if let Some(digit) = Digit::from_char(key) {
                self.info_keys.push_key(digit, DIGIT_DURATION);
            }
        }
    }

    pub(super) fn send_info_keys(&mut self, now: Instant) {
        while self.is_established()
            && let Some(next) = self.info_keys.poll(now)
        {
            self.outputs.push_back(match next {
                info_digits::Next::Send(signal) => Output::Signal(signal),
                info_digits::Next::AllSent => Output::Line(LineEvent::DigitsSent),
            });
        }
    }
}

fn is_pause(key: char) -> bool {
    matches!(key, 'w' | 'W' | ',')
}

/// The other way to send keys, where the trunk leaves the choice to us: in-band beside telephone-event, INFO beside
/// in-band.
fn other_policy(policy: DigitPolicy, negotiated: Option<&Negotiated>) -> DigitPolicy {
    let has_event = negotiated.is_some_and(|stream| stream.telephone_event_send.is_some());
    match policy {
        DigitPolicy::Auto if has_event => DigitPolicy::Inband,
        DigitPolicy::Auto => DigitPolicy::Info,
        configured => configured,
    }
}
