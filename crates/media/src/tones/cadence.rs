//! Tones of national networks, and their cadences.

use super::Sine;
use crate::SAMPLE_RATE;
use crate::ear::Tone;

/// A network whose tones we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Country {
    /// North America.
    Us,
    /// Great Britain.
    Uk,
    /// Germany.
    De,
    /// France.
    Fr,
    /// Spain.
    Es,
    /// Italy.
    It,
}

/// Every country we know.
pub const COUNTRIES: [Country; 6] = [Country::Us, Country::Uk, Country::De, Country::Fr, Country::Es, Country::It];

/// A piece of a cadence: these frequencies (none is silence) for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Frequencies sounding together.
    pub hertz: &'static [u16],
    /// How long.
    pub ms: u16,
}

const fn on(hertz: &'static [u16], ms: u16) -> Part {
    Part { hertz, ms }
}

const fn off(ms: u16) -> Part {
    Part { hertz: &[], ms }
}

const SIT: &[Part] = &[on(&[950], 330), on(&[1400], 330), on(&[1800], 330), off(1000)];

/// The cadence of a tone in a country; it repeats. `None` for tones that countries do not define.
pub fn cadence(country: Country, tone: Tone) -> Option<&'static [Part]> {
    use Country::{De, Es, Fr, It, Uk, Us};
    Some(match (tone, country) {
        (Tone::Ringback, Us) => const { &[on(&[440, 480], 2000), off(4000)] },
        (Tone::Ringback, Uk) => const { &[on(&[400, 450], 400), off(200), on(&[400, 450], 400), off(2000)] },
        (Tone::Ringback, De | It) => const { &[on(&[425], 1000), off(4000)] },
        (Tone::Ringback, Fr) => const { &[on(&[440], 1500), off(3500)] },
        (Tone::Ringback, Es) => const { &[on(&[425], 1500), off(3000)] },
        (Tone::Busy, Us) => const { &[on(&[480, 620], 500), off(500)] },
        (Tone::Busy, Uk) => const { &[on(&[400], 375), off(375)] },
        (Tone::Busy, De) => const { &[on(&[425], 480), off(480)] },
        (Tone::Busy, Fr) => const { &[on(&[440], 500), off(500)] },
        (Tone::Busy, Es) => const { &[on(&[425], 200), off(200)] },
        (Tone::Busy, It) => const { &[on(&[425], 500), off(500)] },
        (Tone::Congestion, Us) => const { &[on(&[480, 620], 250), off(250)] },
        (Tone::Congestion, Uk) => const { &[on(&[400], 400), off(350), on(&[400], 225), off(525)] },
        (Tone::Congestion, De) => const { &[on(&[425], 240), off(240)] },
        (Tone::Congestion, Fr) => const { &[on(&[440], 250), off(250)] },
        (Tone::Congestion, Es) => {
            const { &[on(&[425], 200), off(200), on(&[425], 200), off(200), on(&[425], 200), off(600)] }
        }
        (Tone::Congestion, It) => const { &[on(&[425], 200), off(200)] },
        (Tone::Dial, Us | Uk) => const { &[on(&[350, 440], 1000)] },
        (Tone::Dial, De | Es) => const { &[on(&[425], 1000)] },
        (Tone::Dial, Fr) => const { &[on(&[440], 1000)] },
        (Tone::Dial, It) => const { &[on(&[425], 200), off(200), on(&[425], 600), off(1000)] },
        (Tone::Sit, Us | De | Fr | Es | It) => SIT,
        (Tone::Sit, Uk) | (Tone::Fax | Tone::Beep, _) => return None,
    })
}

/// Plays a cadence over and over, or once.
#[derive(Debug, Clone)]
pub struct CadencePlayer {
    parts: Vec<Part>,
    sines: Vec<Sine>,
    dbm0: f32,
    part: usize,
    left: usize,
    repeats: bool,
}

impl CadencePlayer {
    /// A tone of a country at a level a frequency, over and over.
    pub fn new(country: Country, tone: Tone, dbm0: f32) -> Option<Self> {
        Some(Self::of_parts(cadence(country, tone)?, dbm0, true))
    }

    /// One beep, as voicemails give it.
    pub fn beep(hertz: u16, ms: u16, dbm0: f32) -> Self {
        let mut player = Self::of_parts(&[], dbm0, false);
        player.sines = vec![Sine::new(f32::from(hertz), dbm0)];
        player.left = samples(ms);
        player
    }

    /// The next samples; false once nothing more will sound.
    pub fn fill(&mut self, into: &mut [i16]) -> bool {
        for sample in into.iter_mut() {
            if self.left == 0 {
                self.next_part();
            }
            self.left = self.left.saturating_sub(1);
            *sample = self.sines.iter_mut().map(Sine::next_sample).sum::<f32>() as i16;
        }
        self.repeats || self.left > 0
    }

    fn of_parts(parts: &[Part], dbm0: f32, repeats: bool) -> Self {
        Self { parts: parts.to_vec(), sines: Vec::new(), dbm0, part: 0, left: 0, repeats }
    }

    fn next_part(&mut self) {
        self.sines.clear();
        if let Some(part) = self.parts.get(self.part) {
            self.sines.extend(part.hertz.iter().map(|hertz| Sine::new(f32::from(*hertz), self.dbm0)));
            self.left = samples(part.ms);
            self.part = (self.part + 1) % self.parts.len();
        }
    }
}

fn samples(ms: u16) -> usize {
    usize::from(ms) * SAMPLE_RATE as usize / 1000
}
