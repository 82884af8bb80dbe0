//! Cadences of low tones: how long on, how long off.

use std::time::Duration;

use super::Recognised;
use crate::FRAME_DURATION;
use crate::analysis::{Analysis, PARTS};
use crate::ear::Tone;

/// Quieter is silence.
const MIN_LEVEL: f32 = -45.0;
/// What stands less than this above the noise is silence.
const OVER_FLOOR: f32 = 9.0;
/// How fast the noise floor may rise, in dB a part.
const FLOOR_RISE: f32 = 0.02;
/// A part of a frame this far below the burst is not of it.
const DROP: f32 = 10.0;
/// Parts of 5 ms below the burst that end it: beats of 40 Hz have shorter holes.
const PARTS_TO_END: u32 = 4;
/// Share of a burst's frames that must be the tone.
const MIN_PURE: f32 = 0.7;
/// Bursts and pauses remembered: the longest cadence has three of each.
const REMEMBERED: usize = 4;
/// A tone sounding this long without a pause is a dial tone; ringing lasts 2 s at most.
const DIAL_MS: u32 = 2400;
/// Pause after which a ringing burst is no busy tone.
const AFTER_RING_MS: u32 = 700;
/// The same after the longest ring of all.
const AFTER_LONG_RING_MS: u32 = 100;
/// Pause after which a cadence is over.
const EPISODE_END_MS: u32 = 7000;
/// Lengths this far off still match: relative, and in milliseconds.
const TOLERANCE: f32 = 0.12;
const TOLERANCE_MS: f32 = 20.0;
/// Milliseconds of a part.
const PART_MS: u32 = 20 / PARTS as u32;

/// What kind of tone fills a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// 350 to 500 Hz, one or two beating: ringing, busy, dial.
    Low,
    /// 480 and 620 Hz: busy only.
    BusyPair,
}

#[derive(Debug, Clone, Copy, Default)]
struct Burst {
    on: u32,
    off: u32,
    low: bool,
}

/// Cuts the sound into bursts and names their cadence.
#[derive(Debug)]
pub(super) struct Bursts {
    floor: f32,
    /// Level of the burst that is on, if one is.
    level: f32,
    on: bool,
    /// Milliseconds in the present state.
    elapsed: u32,
    below: u32,
    frames: u32,
    low_frames: u32,
    pair_frames: u32,
    /// Complete bursts, newest last; the last one's pause is still growing.
    bursts: [Burst; REMEMBERED],
    count: usize,
    end: Duration,
    reported: Option<Tone>,
    sounding: bool,
}

impl Bursts {
    pub fn new() -> Self {
        Self {
            floor: MIN_LEVEL - OVER_FLOOR,
            level: MIN_LEVEL,
            on: false,
            elapsed: 0,
            below: 0,
            frames: 0,
            low_frames: 0,
            pair_frames: 0,
            bursts: [Burst::default(); REMEMBERED],
            count: 0,
            end: Duration::ZERO,
            reported: None,
            sounding: false,
        }
    }

    /// Does a tone of the network sound?
    pub fn is_sounding(&self) -> bool {
        self.sounding
    }

    /// Is there a cadence going on, so that a single burst is no beep?
    pub fn is_repeating(&self) -> bool {
        self.reported.is_some() || self.count >= 2
    }

    pub fn hear(&mut self, at: Duration, analysis: &Analysis) -> Option<Recognised> {
        let kind = kind(analysis);
        self.sounding = kind.is_some() && analysis.level > MIN_LEVEL;
        if self.on {
            self.frames += 1;
            self.low_frames += u32::from(kind == Some(Kind::Low));
            self.pair_frames += u32::from(kind == Some(Kind::BusyPair));
        }
        let mut recognised = None;
        for (part, level) in analysis.parts.iter().enumerate() {
            let time = at + FRAME_DURATION * part as u32 / PARTS as u32;
            recognised = self.part(time, *level).or(recognised);
        }
        recognised
    }

    fn part(&mut self, time: Duration, level: f32) -> Option<Recognised> {
        self.elapsed += PART_MS;
        self.floor = level.min(self.floor + FLOOR_RISE);
        let least = MIN_LEVEL.max(self.floor + OVER_FLOOR);
        if self.on {
            self.level = level.max(self.level - 0.05);
            self.below = if level < least.max(self.level - DROP) { self.below + 1 } else { 0 };
            if self.below >= PARTS_TO_END {
                let silent = PARTS_TO_END * PART_MS;
                self.end = time.saturating_sub(Duration::from_millis(u64::from(silent - PART_MS)));
                self.finish_burst(self.elapsed.saturating_sub(silent), silent);
                return None;
            }
            return self.judge_sounding(time);
        }
        if level > least {
            let recognised = self.judge_pause(true);
            self.on = true;
            self.level = level;
            self.elapsed = PART_MS;
            (self.below, self.frames, self.low_frames, self.pair_frames) = (0, 0, 0, 0);
            return recognised;
        }
        if let Some(last) = self.newest() {
            last.off += PART_MS;
        }
        if self.elapsed > EPISODE_END_MS {
            self.forget();
        }
        self.judge_pause(false)
    }

    fn newest(&mut self) -> Option<&mut Burst> {
        self.bursts[..self.count].last_mut()
    }

    fn forget(&mut self) {
        self.count = 0;
        self.reported = None;
    }

    fn finish_burst(&mut self, on: u32, off: u32) {
        self.on = false;
        self.elapsed = off;
        let pure = |frames: u32| frames as f32 >= MIN_PURE * self.frames as f32 && frames > 0;
        let low = pure(self.low_frames);
        if !low && !pure(self.pair_frames) {
            // Speech, music, another tone: whatever cadence there was is over.
            self.forget();
            return;
        }
        if self.count == REMEMBERED {
            self.bursts.copy_within(1.., 0);
            self.count -= 1;
        }
        self.bursts[self.count] = Burst { on, off, low };
        self.count += 1;
    }

    fn judge_sounding(&mut self, time: Duration) -> Option<Recognised> {
        let steady = self.low_frames as f32 >= 0.9 * self.frames as f32;
        if self.elapsed >= DIAL_MS && steady {
            return self.report(Tone::Dial, time);
        }
        None
    }

    /// Compares what was heard with the cadences; `closed`: the pause has just ended.
    fn judge_pause(&mut self, closed: bool) -> Option<Recognised> {
        let tone = match_cadence(&self.bursts[..self.count], closed)?;
        self.report(tone, self.end)
    }

    fn report(&mut self, tone: Tone, end: Duration) -> Option<Recognised> {
        if self.reported == Some(tone) {
            return None;
        }
        self.reported = Some(tone);
        Some(Recognised { tone, end })
    }
}

fn match_cadence(bursts: &[Burst], closed: bool) -> Option<Tone> {
    let last = *bursts.last()?;
    let tail = |n: usize| bursts.len().checked_sub(n).map(|from| &bursts[from..]);
    // Ringing of one burst: 2 s (US), 1.5 s (FR, ES), 1 s (DE, IT).
    let rings = [1000, 1500, 2000].iter().any(|on| near(last.on, *on));
    // Nothing else sounds for two seconds.
    let pause = if near(last.on, 2000) { AFTER_LONG_RING_MS } else { AFTER_RING_MS };
    if last.low && rings && last.off >= pause {
        return Some(Tone::Ringback);
    }
    // UK: 400 on, 200 off, 400 on, 2000 off.
    if let Some([first, second]) = tail(2)
        && second.low
        && near(first.on, 400)
        && near(first.off, 200)
        && near(second.on, 400)
        && second.off >= AFTER_RING_MS
    {
        return Some(Tone::Ringback);
    }
    // Congestion of uneven bursts, in any phase: UK 400/350 225/525, ES 200/200 200/200 200/600.
    if closed && let Some([a, b, c]) = tail(3) {
        let uk = |a: &Burst, b: &Burst| near(a.on, 400) && near(a.off, 350) && near(b.on, 225) && near(b.off, 525);
        let es = |burst: &Burst| near(burst.on, 200) && near(burst.off, 600);
        let short = |burst: &Burst| near(burst.on, 200) && near(burst.off, 200);
        if uk(a, b) || uk(b, c) || short(a) && short(b) && es(c) {
            return Some(Tone::Congestion);
        }
        // IT dial tone: 200 on, 200 off, 600 on, 1000 off.
        let it = |a: &Burst, b: &Burst| short(a) && near(b.on, 600) && near(b.off, 1000);
        if it(a, b) || it(b, c) {
            return Some(Tone::Dial);
        }
    }
    if closed { even_cadence(bursts) } else { None }
}

/// Busy and congestion: bursts as long as their pauses, told apart by the period.
fn even_cadence(bursts: &[Burst]) -> Option<Tone> {
    let last = bursts.last()?;
    // Short ones need a third, or Spain's congestion would be taken for Spain's busy.
    let needed = if last.on >= 350 { 2 } else { 4 };
    let even = bursts.get(bursts.len().checked_sub(needed)?..)?;
    let alike = even.iter().all(|burst| near(burst.on, last.on) && near(burst.off, last.on));
    let period = even.iter().map(|burst| burst.on + burst.off).sum::<u32>() / needed as u32;
    match period {
        _ if !alike => None,
        600..=1100 => Some(Tone::Busy),
        // ES busy and IT congestion are both 200/200: either way, nobody will answer.
        360..=440 => Some(Tone::Busy),
        441..=599 => Some(Tone::Congestion),
        _ => None,
    }
}

fn near(ms: u32, expected: u32) -> bool {
    (ms as f32 - expected as f32).abs() <= (expected as f32 * TOLERANCE).max(TOLERANCE_MS)
}

fn kind(analysis: &Analysis) -> Option<Kind> {
    let [first, second, ..] = analysis.peaks;
    if analysis.concentration > 0.9 && (320.0..520.0).contains(&first.hertz) {
        return Some(Kind::Low);
    }
    let (low, high) = if first.hertz < second.hertz { (first, second) } else { (second, first) };
    let pair = (465.0..495.0).contains(&low.hertz) && (605.0..635.0).contains(&high.hertz);
    (pair && first.share + second.share > 0.85).then_some(Kind::BusyPair)
}
