//! An hour of 500 calls whose clocks are not ours: what is heard, what is sent, and what is held.

use std::time::{Duration, Instant};

use media::rtp::{HEADER_LEN, Packet};
use media::{Config, FRAME_SAMPLES, MediaSession, Order, SAMPLE_RATE, StreamConfig, Transmit, ear};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::measure::{Table, live_bytes};
use crate::peer::{PEER, number};

const CALLS: u64 = 500;
const HOUR: Duration = Duration::from_secs(3600);
/// What is remembered is remembered by then.
const MINUTE: Duration = Duration::from_secs(60);
/// Parts in a million by which their clock is fast, in every other call slow.
const DRIFT_PPM: i64 = 100;
/// The network delays each packet by up to so much.
const NETWORK_MS: u32 = 10;
/// A speaker's breath: in every four seconds one of silence.
const PHRASE: u64 = 200;
const BREATH: u64 = 50;

pub fn drift(table: &mut Table, start: Instant) {
    println!("drift: an hour of {CALLS} calls, their clocks {DRIFT_PPM} ppm fast or slow, {NETWORK_MS} ms of jitter");
    let config = || Config { ear: ear::Config::DEAF, audio: true, record: false };
    let before = live_bytes();
    let mut calls: Vec<_> = (0..CALLS).map(|n| Call::new(start, n, config())).collect();
    calls.iter_mut().for_each(|call| call.run_until(start + MINUTE));
    let minute = live_bytes() - before;
    calls.iter_mut().for_each(|call| call.run_until(start + HOUR));
    let hour = live_bytes() - before;
    let heard = calls.iter().map(|call| call.session.statistics());
    let (mut received, mut underruns, mut late, mut longest) = (0, 0, 0, Duration::ZERO);
    for statistics in heard {
        received += statistics.packets_received;
        underruns += statistics.concealed_frames;
        late += statistics.packets_late;
        longest = longest.max(statistics.delay);
    }
    let astray = calls.iter().map(|call| call.astray.abs()).max().unwrap_or_default();
    table.beside("packets heard", received as f64, "", "");
    table.at_most(
        "  frames in which something was missing, in a million",
        1e6 * underruns as f64 / received as f64,
        "",
        100.0,
    );
    table.at_most("  packets late, in a million", 1e6 * late as f64 / received as f64, "", 100.0);
    table.at_most("  the longest delay at the end", longest.as_secs_f64() * 1e3, "ms", 60.0);
    table.at_most(
        "our timestamps astray from our clock, at most",
        f64::from(astray as i32),
        "samples",
        FRAME_SAMPLES as f64,
    );
    table.at_most("memory of all calls after an hour, beside a minute", hour as f64 / minute as f64, "times", 1.0);
    table.highlight(format!("an hour of drift: {underruns} of {received} frames hurt"));
}

struct Call {
    now: Instant,
    session: MediaSession,
    rng: ChaCha12Rng,
    /// Their packets so far, and when the next arrives.
    packets: u64,
    arrives: Instant,
    /// When their first would have arrived without delay, and how long 20 ms of theirs are.
    began: Instant,
    frame: Duration,
    /// Our first packet, and how far the timestamp of the latest is from what the clock says.
    first: Option<(Instant, u32)>,
    astray: i64,
    transmit: Transmit,
}

impl Call {
    fn new(start: Instant, number: u64, config: Config) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut session = MediaSession::new(start, config, seed);
        session.order(start, Order::Configure(StreamConfig::pcmu(PEER.into())));
        let ppm = if number.is_multiple_of(2) { DRIFT_PPM } else { -DRIFT_PPM };
        let frame = Duration::from_nanos((20_000_000 - 20 * ppm) as u64);
        let began = start + Duration::from_micros(u64::from(rng.next_u32() % 20_000));
        Self {
            now: start,
            session,
            rng,
            packets: 0,
            arrives: began,
            began,
            frame,
            first: None,
            astray: 0,
            transmit: Transmit::default(),
        }
    }

    fn run_until(&mut self, until: Instant) {
        loop {
            let due = self.session.poll_timeout().unwrap_or(until);
            self.now = due.min(self.arrives);
            if self.now >= until {
                break;
            }
            if self.arrives <= due {
                self.speak();
            } else {
                self.session.handle_timeout(self.now);
            }
            self.drain();
        }
    }

    fn speak(&mut self) {
        let mut packet = [0xFF; HEADER_LEN + FRAME_SAMPLES];
        number(&mut packet, 0, self.packets as u32, FRAME_SAMPLES as u32);
        if self.packets % PHRASE >= BREATH {
            // 125 Hz and its third.
            for (n, byte) in packet[HEADER_LEN..].iter_mut().enumerate() {
                *byte = if n % 64 < 20 { 0x20 } else { 0xA8 };
            }
        }
        self.session.receive(self.now, PEER.into(), &packet);
        self.packets += 1;
        let delay = Duration::from_micros((u64::from(self.rng.next_u32()) * u64::from(NETWORK_MS) * 1000) >> 32);
        let due = self.began + Duration::from_nanos(self.frame.as_nanos() as u64 * self.packets) + delay;
        self.arrives = due.max(self.now);
    }

    fn drain(&mut self) {
        while self.session.poll_transmit(&mut self.transmit) {
            let Some(packet) = Packet::parse(self.transmit.bytes()) else { continue };
            let (since, timestamp) = *self.first.get_or_insert((self.now, packet.timestamp));
            let clock = (self.now - since).as_micros() * u128::from(SAMPLE_RATE) / 1_000_000;
            self.astray = i64::from(packet.timestamp.wrapping_sub(timestamp).wrapping_sub(clock as u32) as i32);
        }
        while self.session.poll_event().is_some() {}
    }
}
