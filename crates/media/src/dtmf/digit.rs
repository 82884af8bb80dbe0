//! [`Digit`]: one of sixteen.

/// One of the sixteen DTMF digits (RFC 4733 events 0 to 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digit(u8);

/// The digits in the order of their events.
const CHARS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];
/// Frequencies of the rows, in hertz.
pub(crate) const LOW_HERTZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// Frequencies of the columns, in hertz.
pub(crate) const HIGH_HERTZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// The keypad: events by row and column.
const KEYPAD: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];

impl Digit {
    /// From `0`–`9`, `*`, `#`, `A`–`D` in either case.
    pub fn from_char(c: char) -> Option<Self> {
        let event = CHARS.iter().position(|known| *known == c.to_ascii_uppercase())?;
        Some(Self(event as u8))
    }

    /// From an RFC 4733 event; `None` above 15.
    pub fn from_event(event: u8) -> Option<Self> {
        (event < 16).then_some(Self(event))
    }

    /// The RFC 4733 event.
    pub fn event(self) -> u8 {
        self.0
    }

    /// As written on the key.
    pub fn as_char(self) -> char {
        CHARS[usize::from(self.0 & 15)]
    }

    /// Frequencies of its row and column.
    pub fn hertz(self) -> (f32, f32) {
        for (row, &low) in KEYPAD.iter().zip(&LOW_HERTZ) {
            for (event, &high) in row.iter().zip(&HIGH_HERTZ) {
                if *event == self.0 {
                    return (low, high);
                }
            }
        }
        unreachable!("the keypad holds all sixteen events")
    }

    pub(crate) fn at(row: usize, column: usize) -> Self {
        Self(KEYPAD[row & 3][column & 3])
    }
}

/// How a digit reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitSource {
    /// By ear.
    Inband,
    /// RFC 4733 telephone-event.
    Rfc4733,
    /// SIP INFO.
    Info,
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4733.
    #[test]
    fn digits_have_their_rfc_4733_events_and_keypad_tones() {
        for (c, event, hertz) in [
            ('0', 0, (941.0, 1336.0)),
            ('5', 5, (770.0, 1336.0)),
            ('*', 10, (941.0, 1209.0)),
            ('#', 11, (941.0, 1477.0)),
            ('d', 15, (941.0, 1633.0)),
        ] {
            let digit = Digit::from_char(c).unwrap();
            assert_eq!((digit.event(), digit.hertz()), (event, hertz));
            assert_eq!(digit.as_char(), c.to_ascii_uppercase());
        }
        assert_eq!(Digit::from_event(16), None, "16 is a flash of the hook");
        assert_eq!(Digit::from_char('E'), None);
    }
}
