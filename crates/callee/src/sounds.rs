//! Pure: no I/O, no clock.
//!
//! What a line sounds like when nobody speaks: tones, beeps, music on hold.

use std::time::Duration;

use media::SAMPLE_RATE;
use media::ear::Tone;
use media::tones::{CadencePlayer, Country, HoldMusic};

use crate::scenario::ToneKind;

/// Level of each frequency of a tone.
const TONE_DBM0: f32 = -16.0;
/// Level of a beep.
const BEEP_DBM0: f32 = -12.0;

/// How many samples a stretch of sound has.
pub(crate) fn samples(length: Duration) -> usize {
    (length.as_secs_f64() * f64::from(SAMPLE_RATE)) as usize
}

/// One frequency.
pub(crate) fn beep(hertz: u16, length: Duration) -> impl Iterator<Item = i16> {
    let ms = u16::try_from(length.as_millis()).unwrap_or(u16::MAX);
    take(length, CadencePlayer::beep(hertz, ms, BEEP_DBM0))
}

/// A tone of the North American network, with its cadence.
pub(crate) fn tone(kind: ToneKind, length: Duration) -> impl Iterator<Item = i16> {
    let tone = match kind {
        ToneKind::Busy => Tone::Busy,
        ToneKind::Congestion => Tone::Congestion,
        ToneKind::Ringback => Tone::Ringback,
        ToneKind::Dial => Tone::Dial,
        ToneKind::Sit => Tone::Sit,
    };
    CadencePlayer::new(Country::Us, tone, TONE_DBM0).into_iter().flat_map(move |player| take(length, player))
}

fn take(length: Duration, mut player: CadencePlayer) -> impl Iterator<Item = i16> {
    (0..samples(length)).map(move |_| {
        let mut sample = [0];
        player.fill(&mut sample);
        sample[0]
    })
}

/// Music on hold.
pub(crate) fn music(length: Duration) -> impl Iterator<Item = i16> {
    let mut music = HoldMusic::new();
    (0..samples(length)).map(move |_| {
        let mut sample = [0];
        music.fill(&mut sample);
        sample[0]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_on_and_off_for_half_a_second_each() {
        let tone: Vec<i16> = tone(ToneKind::Busy, Duration::from_secs(1)).collect();
        assert_eq!(tone.len(), 8000);
        assert!(tone[..4000].iter().any(|sample| *sample > 5000));
        assert!(tone[4000..].iter().all(|sample| *sample == 0));
    }
}
