//! Writes a digit, a ringback and some hold music to a file, then tells what the ear makes of it.
//!
//! `cargo run -p media --example tone_to_wav -- tones.wav`

use std::time::{Duration, Instant};

use media::dtmf::Digit;
use media::ear::Tone;
use media::listen::Listener;
use media::tones::{CadencePlayer, Country, DtmfTone, HoldMusic};
use media::wav;

#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "an example has a clock and talks to its user")]
fn main() -> std::io::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "tones.wav".into());
    let second = 8000;
    let mut samples = vec![0; 14 * second];
    if let Some(digit) = Digit::from_char('5') {
        DtmfTone::new(digit, Duration::from_millis(100)).fill(&mut samples[second..2 * second]);
    }
    if let Some(mut ringback) = CadencePlayer::new(Country::Us, Tone::Ringback, -15.0) {
        ringback.fill(&mut samples[2 * second..6 * second]);
    }
    HoldMusic::new().fill(&mut samples[8 * second..13 * second]);
    std::fs::write(&path, wav::write_mono(8000, &samples))?;
    for (at, heard) in Listener::new(Instant::now()).hear_pcm(&samples).heard {
        println!("{:8.3} s  {heard:?}", at.as_secs_f64());
    }
    Ok(())
}
