//! Digits as telephone-events (RFC 4733): payload, receiver, sender.

use std::time::Duration;

use super::Digit;
use crate::{FRAME_DURATION, FRAME_SAMPLES, SAMPLE_RATE};

/// Length of the payload.
pub const PAYLOAD_LEN: usize = 4;
/// The level we announce: −10 dBm0.
const VOLUME: u8 = 10;
/// RFC 4733 §2.5.1.4: the last packet of an event is sent three times.
const END_PACKETS: u32 = 3;
/// Digits remembered so that their late packets are not taken for new ones.
const REMEMBERED: usize = 8;
/// RFC 4733 §2.5.1.3: a longer event goes on in a new segment.
const MAX_SEGMENT: u16 = 0xFFFF;

/// The payload of one packet (RFC 4733 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// What happened; 0 to 15 are digits.
    pub event: u8,
    /// It has ended.
    pub end: bool,
    /// Level in −dBm0.
    pub volume: u8,
    /// Length so far, including this packet, in timestamp units.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads a payload; `None` if it is too short. RFC 2198-like repetitions after the first block are ignored.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [event, flags, high, low, ..] = *payload else { return None };
        Some(Self { event, end: flags & 0x80 != 0, volume: flags & 0x3F, duration: u16::from_be_bytes([high, low]) })
    }

    /// The payload's bytes.
    pub fn to_bytes(self) -> [u8; PAYLOAD_LEN] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & 0x3F, high, low]
    }
}

/// Turns packets into digits: each once, whatever is lost, repeated, reordered or unmarked.
#[derive(Debug, Default)]
pub struct Receiver {
    current: Option<Seen>,
    /// Identities (SSRC, timestamp, event) of the latest digits, as a ring.
    known: [Option<(u32, u32, u8)>; REMEMBERED],
    next_known: usize,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    ssrc: u32,
    timestamp: u32,
    sequence: u16,
    payload: TelephoneEvent,
}

impl Receiver {
    /// A packet of the telephone-event payload type; `Some` when it is the first of a new digit.
    pub fn receive(
        &mut self,
        ssrc: u32,
        timestamp: u32,
        sequence: u16,
        marker: bool,
        payload: TelephoneEvent,
    ) -> Option<Digit> {
        let digit = Digit::from_event(payload.event)?;
        let identity = (ssrc, timestamp, payload.event);
        let packet = Seen { ssrc, timestamp, sequence, payload };
        if self.known.contains(&Some(identity)) {
            if let Some(current) = &mut self.current
                && current.timestamp == timestamp
                && current.ssrc == ssrc
            {
                let ended = current.payload.end;
                *current = packet;
                current.payload.end |= ended;
            }
            return None;
        }
        let same = self.current.is_some_and(|current| current.continues_as(&packet, marker));
        self.known[self.next_known] = Some(identity);
        self.next_known = (self.next_known + 1) % REMEMBERED;
        self.current = Some(packet);
        (!same).then_some(digit)
    }
}

impl Seen {
    /// Is a packet with another timestamp still the same digit?
    fn continues_as(&self, next: &Seen, marker: bool) -> bool {
        if self.ssrc != next.ssrc || self.payload.event != next.payload.event || marker {
            return false;
        }
        let advanced = next.timestamp.wrapping_sub(self.timestamp);
        let next_segment = !self.payload.end && advanced == u32::from(MAX_SEGMENT);
        // Some gateways give every packet of an event a new timestamp. Such packets follow each other without a gap in
        // the sequence, and their duration does not begin anew.
        let follows = next.sequence == self.sequence.wrapping_add(1) && advanced < SAMPLE_RATE;
        let restamped = if self.payload.end {
            next.payload.end && next.payload.duration >= self.payload.duration
        } else {
            next.payload.duration > self.payload.duration
        };
        next_segment || follows && restamped
    }
}

/// The packets of one digit, one a slot of 20 ms: updates with growing duration, then three with the end bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    digit: Digit,
    first_slot: u64,
    slots: u64,
}

impl Sending {
    /// A digit that begins in `first_slot` and lasts `duration`, rounded up to slots.
    pub fn new(digit: Digit, first_slot: u64, duration: Duration) -> Self {
        let slots = duration.as_millis().div_ceil(FRAME_DURATION.as_millis()) as u64;
        // The 16 bits of the duration hold 409 slots; no key is held down that long.
        Self { digit, first_slot, slots: slots.clamp(1, u64::from(MAX_SEGMENT) / FRAME_SAMPLES as u64) }
    }

    /// The slot whose timestamp all packets of the event carry.
    pub fn first_slot(&self) -> u64 {
        self.first_slot
    }

    /// Marker bit and payload of a slot's packet; `None` when all are sent.
    pub fn packet(&self, slot: u64) -> Option<(bool, TelephoneEvent)> {
        let elapsed = slot.saturating_sub(self.first_slot) + 1;
        if elapsed >= self.slots + u64::from(END_PACKETS) {
            return None;
        }
        let duration = elapsed.min(self.slots) * FRAME_SAMPLES as u64;
        let payload = TelephoneEvent {
            event: self.digit.event(),
            end: elapsed >= self.slots,
            volume: VOLUME,
            duration: duration as u16,
        };
        Some((slot == self.first_slot, payload))
    }

    /// The first slot after the digit itself; repeats of its end fall into the gap.
    pub fn end_slot(&self) -> u64 {
        self.first_slot + self.slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets like `M5@100/160E+3`: marker, event, timestamp, duration, end, steps of the sequence number (1).
    fn check(packets: &str, digits: &str) {
        let mut receiver = Receiver::default();
        let mut sequence = 65_533u16;
        let mut heard = String::new();
        for packet in packets.split_whitespace() {
            let (packet, step) = packet.split_once('+').unwrap_or((packet, "1"));
            let (packet, end) = packet.strip_suffix('E').map_or((packet, false), |p| (p, true));
            let (packet, marker) = packet.strip_prefix('M').map_or((packet, false), |p| (p, true));
            let (event, rest) = packet.split_once('@').unwrap();
            let (timestamp, duration) = rest.split_once('/').unwrap();
            sequence = sequence.wrapping_add(step.parse::<i16>().unwrap() as u16);
            let payload =
                TelephoneEvent { event: event.parse().unwrap(), end, volume: 10, duration: duration.parse().unwrap() };
            let digit = receiver.receive(1, timestamp.parse().unwrap(), sequence, marker, payload);
            heard.extend(digit.map(Digit::as_char));
        }
        assert_eq!(heard, digits, "{packets}");
    }

    #[test]
    fn three_end_packets_are_one_digit() {
        check("M5@100/400 5@100/800 5@100/1200 5@100/1200E 5@100/1200E 5@100/1200E", "5");
    }

    #[test]
    fn a_digit_needs_neither_marker_nor_end_nor_order() {
        check("5@100/400 5@100/800", "5");
        check("5@100/1200E", "5");
        check("5@100/800+2 5@100/400+-1 5@100/1200E+2", "5");
    }

    #[test]
    fn the_same_key_twice_is_two_digits_even_if_all_ends_are_lost() {
        check("M5@100/160 5@100/320 M5@1700/160 5@1700/320E", "55");
        check("5@100/160 5@100/320 5@1700/160+4 5@1700/320E", "55");
        check("5@100/160 5@100/800E 5@1700/800E+9", "55");
    }

    #[test]
    fn late_packets_of_a_finished_digit_are_ignored() {
        check("M5@100/160 5@100/320E M6@900/160 5@100/320E 6@900/320E 5@100/320E", "56");
    }

    #[test]
    fn restamped_packets_are_one_digit() {
        check("M5@100/160 5@260/320 5@420/480 5@580/640E 5@740/640E 5@900/640E", "5");
    }

    // RFC 4733 §2.5.1.3.
    #[test]
    fn a_long_event_in_segments_is_one_digit() {
        check("M5@100/65000 5@100/65535 5@65635/160 5@65635/320E", "5");
    }

    #[test]
    fn hook_flash_is_no_digit() {
        check("M16@100/160 16@100/320E", "");
    }

    // RFC 4733 §2.5.1.4.
    #[test]
    fn a_digit_is_sent_with_growing_durations_and_three_ends() {
        let sending = Sending::new(Digit::from_char('5').unwrap(), 10, Duration::from_millis(100));
        let ladder: Vec<String> = (10..)
            .map_while(|slot| sending.packet(slot))
            .map(|(marker, p)| {
                format!("{}{}/{}{}", if marker { "M" } else { "" }, p.event, p.duration, if p.end { "E" } else { "" })
            })
            .collect();
        assert_eq!(ladder.join(" "), "M5/160 5/320 5/480 5/640 5/800E 5/800E 5/800E");
        assert_eq!(sending.end_slot(), 15);
    }

    // RFC 4733 §2.3.
    #[test]
    fn payload_bytes_are_those_of_the_rfc() {
        let payload = TelephoneEvent { event: 11, end: true, volume: 10, duration: 800 };
        assert_eq!(payload.to_bytes(), [11, 0x8A, 0x03, 0x20]);
        // The reserved bit is ignored.
        assert_eq!(TelephoneEvent::parse(&[11, 0xCA, 0x03, 0x20]), Some(payload));
        assert_eq!(TelephoneEvent::parse(&[11, 0x8A, 0x03]), None);
    }
}
