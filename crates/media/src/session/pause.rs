//! [`Pause`]: a silence that the peer announced, and what it sounds like (RFC 3389 §4).

use crate::comfort_noise::ComfortNoise;
use crate::rtp::Packet;

#[derive(Debug)]
pub(super) struct Pause {
    noise: ComfortNoise,
    /// Sequence number of the latest description, while the pause lasts.
    since: Option<u16>,
    /// Timestamp of the sound that ends it.
    until: Option<u32>,
}

impl Pause {
    pub fn new() -> Self {
        Self { noise: ComfortNoise::new(), since: None, until: None }
    }

    /// A packet of comfort noise: the pause begins, or sounds different from now on. False if it describes nothing.
    pub fn describe(&mut self, packet: &Packet<'_>) -> bool {
        let described = self.noise.describe(packet.payload);
        if described {
            self.since = Some(packet.sequence);
            self.until = None;
        }
        described
    }

    /// A packet of sound: the pause ends where it begins, unless it was only overtaken. Carriers stamp noise by the wrong
    /// clock, so the sequence number tells.
    pub fn end(&mut self, packet: &Packet<'_>) {
        let follows = self.since.is_some_and(|since| packet.sequence.wrapping_sub(since) as i16 > 0);
        if follows && self.until.is_none() {
            self.until = Some(packet.timestamp);
        }
    }

    /// Another source begins.
    pub fn forget(&mut self) {
        self.since = None;
    }

    /// What a silence sounds like now.
    pub fn next_sample(&mut self) -> i16 {
        if self.since.is_some() { self.noise.next_sample() } else { 0 }
    }

    /// Fills the missing samples of a frame that begins at this timestamp. False if there is no pause: they were lost.
    pub fn fill(&mut self, timestamp: Option<u32>, samples: &mut [i16], present: &[bool]) -> bool {
        let is_over = match (self.until, timestamp) {
            (Some(until), Some(timestamp)) => timestamp.wrapping_sub(until) as i32 >= 0,
            _ => false,
        };
        if is_over {
            self.since = None;
        }
        if self.since.is_some() {
            for (sample, _) in samples.iter_mut().zip(present).filter(|(_, present)| !**present) {
                *sample = self.noise.next_sample();
            }
        }
        self.since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16, timestamp: u32, payload: &[u8]) -> Packet<'_> {
        Packet { marker: false, payload_type: 13, sequence, timestamp, ssrc: 1, payload }
    }

    /// Whether a missing frame at each timestamp is noise.
    fn check(pause: &mut Pause, timestamps: [u32; 3]) -> [bool; 3] {
        timestamps.map(|timestamp| {
            let mut samples = [0; 160];
            let filled = pause.fill(Some(timestamp), &mut samples, &[false; 160]);
            assert_eq!(filled, samples.iter().any(|sample| *sample != 0));
            filled
        })
    }

    // RFC 3389 §4.
    #[test]
    fn a_pause_lasts_until_the_sound_that_follows_it() {
        let mut pause = Pause::new();
        assert_eq!(check(&mut pause, [0, 160, 320]), [false; 3], "nothing was announced");
        assert!(!pause.describe(&packet(9, 0, &[])), "nothing was described");
        assert!(pause.describe(&packet(65_535, 0, &[40])));
        pause.end(&packet(65_534, 320, &[]));
        assert_eq!(check(&mut pause, [160, 320, 480]), [true; 3], "an overtaken packet ends nothing");
        pause.end(&packet(0, 800, &[]));
        pause.end(&packet(1, 960, &[]));
        assert_eq!(check(&mut pause, [640, 800, 960]), [true, false, false]);
    }

    #[test]
    fn what_is_present_stays() {
        let mut pause = Pause::new();
        pause.describe(&packet(1, 0, &[30]));
        let (mut samples, mut present) = ([7; 160], [true; 160]);
        present[100..].fill(false);
        assert!(pause.fill(Some(0), &mut samples, &present));
        assert_eq!(samples[..100], [7; 100]);
        assert_ne!(samples[100..], [7; 60]);
    }
}
