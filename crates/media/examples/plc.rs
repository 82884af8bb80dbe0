//! Clips through a network that loses packets: `make bench BENCH=plc` judges what comes out.
//!
//! `bench-plc FOLDER SEED CLIP...` sends each clip (8 kHz, mono) through a call for each kind of loss. It writes what was
//! heard to `FOLDER/CLIP-KIND.wav`, and which packets were lost to `FOLDER/CLIP-KIND.lost`, a 0 or 1 each; and what would have
//! been heard without loss to `FOLDER/CLIP-none.wav`.

#[path = "bench/peer.rs"]
mod peer;

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use media::rtp::HEADER_LEN;
use media::{Codec, Config, FRAME_DURATION, FRAME_SAMPLES, MediaSession, Order, SAMPLE_RATE, StreamConfig, ear, wav};
use peer::{PEER, number};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Name, share of packets lost, mean length of a burst.
const KINDS: [(&str, f64, f64); 12] = [
    ("1", 0.01, 1.0),
    ("3", 0.03, 1.0),
    ("5", 0.05, 1.0),
    ("10", 0.10, 1.0),
    ("1-burst-2", 0.01, 2.0),
    ("3-burst-2", 0.03, 2.0),
    ("5-burst-2", 0.05, 2.0),
    ("10-burst-2", 0.10, 2.0),
    ("1-burst-3", 0.01, 3.0),
    ("3-burst-3", 0.03, 3.0),
    ("5-burst-3", 0.05, 3.0),
    ("10-burst-3", 0.10, 3.0),
];
/// Frames of a call that go before what is judged, the same clip again and again: its jitter buffer has found its delay.
const LEAD: usize = 500;
/// Frames of silence around what is judged.
const PAUSE: usize = 5;
/// When in its 20 ms a packet arrives.
const PHASE: Duration = Duration::from_millis(10);

#[expect(clippy::disallowed_methods, reason = "the machine wants some time to start from")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which folder?")?;
    let seed: u64 = arguments.next().ok_or("which seed?")?.parse()?;
    let now = Instant::now();
    for (which, clip) in (0u64..).zip(arguments) {
        let (rate, channels, samples) = wav::read(&std::fs::read(&clip)?)?;
        if rate != SAMPLE_RATE {
            return Err(format!("{clip}: {rate} Hz").into());
        }
        let samples = wav::to_mono(channels, &samples);
        let name = Path::new(&clip).file_stem().and_then(|name| name.to_str()).ok_or("a clip without name")?;
        let mut line = vec![0; samples.len()];
        Codec::Pcmu.encode(&samples, &mut line);
        let mut clean = vec![0; line.len()];
        Codec::Pcmu.decode(&line, &mut clean);
        std::fs::write(format!("{folder}/{name}-none.wav"), wav::write_mono(SAMPLE_RATE, &clean))?;
        for (number, (kind, share, burst)) in (0u64..).zip(KINDS) {
            let mut bytes = [0; 32];
            for (place, value) in bytes.chunks_exact_mut(8).zip([seed, which, number, 0]) {
                place.copy_from_slice(&value.to_le_bytes());
            }
            let frames = samples.len() / FRAME_SAMPLES;
            let sent = [&samples[..frames * FRAME_SAMPLES], &[0; PAUSE * FRAME_SAMPLES]].concat();
            let lost = losses(&mut ChaCha12Rng::from_seed(bytes), LEAD + PAUSE + frames + PAUSE, share, burst);
            let before = LEAD + PAUSE;
            let lead = sent.iter().copied().cycle().take(LEAD * FRAME_SAMPLES);
            let all: Vec<i16> = lead.chain([0; PAUSE * FRAME_SAMPLES]).chain(sent.iter().copied()).collect();
            let heard = call(now, &all, &lost);
            // What was heard is later than what was sent by no more than the pauses.
            let (heard, lost) = (&heard[LEAD * FRAME_SAMPLES..], &lost[before..before + frames]);
            std::fs::write(format!("{folder}/{name}-{kind}.wav"), wav::write_mono(SAMPLE_RATE, heard))?;
            let text: String = lost.iter().map(|lost| if *lost { '1' } else { '0' }).collect();
            std::fs::write(format!("{folder}/{name}-{kind}.lost"), text)?;
        }
    }
    Ok(())
}

/// Two states: in one all packets arrive, in the other none.
fn losses(rng: &mut ChaCha12Rng, frames: usize, share: f64, burst: f64) -> Vec<bool> {
    let mut chance = |probability: f64| f64::from(rng.next_u32()) < probability * f64::from(u32::MAX);
    let mut lost = false;
    let begins = if burst > 1.0 { share / (burst * (1.0 - share)) } else { share };
    let goes_on = if burst > 1.0 { 1.0 - 1.0 / burst } else { share };
    (0..frames)
        .map(|_| {
            lost = chance(if lost { goes_on } else { begins });
            lost
        })
        .collect()
}

/// What is heard of a clip.
fn call(start: Instant, clip: &[i16], lost: &[bool]) -> Vec<i16> {
    let ear = ear::Config { dtmf: false, progress: false, voice: false };
    let mut session = MediaSession::new(start, Config { ear, audio: false, record: true }, [1; 32]);
    let remote = PEER.into();
    session.order(start, Order::Configure(StreamConfig { sending: false, ..StreamConfig::pcmu(remote) }));
    let mut heard = Vec::new();
    let mut packet = [0; HEADER_LEN + FRAME_SAMPLES];
    let frames = clip.chunks_exact(FRAME_SAMPLES).zip((0u16..).zip(lost));
    for (samples, (n, lost)) in frames {
        let due = start + FRAME_DURATION * u32::from(n);
        session.handle_timeout(due);
        if !*lost {
            number(&mut packet, 0, n.into(), FRAME_SAMPLES as u32);
            Codec::Pcmu.encode(samples, &mut packet[HEADER_LEN..]);
            session.receive(due + PHASE, remote, &packet);
        }
        while let Some(recorded) = session.poll_recorded() {
            heard.extend_from_slice(&recorded.they.samples);
        }
    }
    heard
}
