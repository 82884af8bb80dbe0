//! Single tones: beeps, special information tones, fax.

use std::time::Duration;

use super::Recognised;
use crate::FRAME_DURATION;
use crate::analysis::Analysis;
use crate::ear::Tone;

/// Quieter is no tone.
const MIN_LEVEL: f32 = -42.0;
/// Share of the power that a single tone holds.
const PURE: f32 = 0.9;
/// The frequency may wander so far within a tone.
const SAME: f32 = 0.015;
/// Frequencies of beeps.
const BEEP_HERTZ: std::ops::Range<f32> = 350.0..2300.0;
/// Below this a single tone may as well be the network.
const NETWORK_HERTZ: f32 = 500.0;
/// Frames of the shortest and of the longest beep.
const BEEP_FRAMES: std::ops::RangeInclusive<u32> = 5..=150;
/// Low beeps as long as a ringing burst are rings, unless somebody has spoken.
const LOW_BEEP_FRAMES: u32 = 42;
/// Frames of silence after a beep before it is one: no melody, no special information tone.
const SILENCE_AFTER: u32 = 4;
/// The same where it might be busy tone: longer than any pause between bursts.
const SILENCE_AFTER_NETWORK: u32 = 32;
/// A tone that ended so recently makes the next one part of a melody.
const MELODY: Duration = Duration::from_millis(600);
/// What is so far below a tone is silence after it, in dB.
const SILENT_BELOW: f32 = 15.0;
/// Frequencies of the special information tones.
const SIT: [std::ops::Range<f32>; 3] = [900.0..1000.0, 1350.0..1450.0, 1750.0..1830.0];
/// Frames of each of them: 274 or 380 ms, or 330.
const SIT_FRAMES: std::ops::RangeInclusive<u32> = 11..=22;
/// Longest pause between them.
const SIT_GAP: Duration = Duration::from_millis(80);
/// Calling tone of fax machines (T.30): 1100 Hz ± 38, 500 ms ± 15 %.
const CNG_HERTZ: std::ops::Range<f32> = 1062.0..1138.0;
const CNG_FRAMES: std::ops::RangeInclusive<u32> = 20..=30;
/// Answering tone of fax machines and modems: 2100 Hz ± 15, over 2.6 s; a second of it is enough.
const CED_HERTZ: std::ops::Range<f32> = 2080.0..2120.0;
const CED_FRAMES: u32 = 50;

/// A tone without change of frequency.
#[derive(Debug, Clone, Copy)]
struct Run {
    hertz: f32,
    frames: u32,
    start: Duration,
    end: Duration,
    level: f32,
    /// It was named while it sounded.
    named: bool,
}

/// Follows single tones.
#[derive(Debug)]
pub(super) struct Runs {
    current: Option<Run>,
    /// Ended tones of 60 ms or more, newest last.
    ended: [Option<Run>; 3],
    /// Frames of silence since the newest ended; `None` once it was judged, or other sound came.
    silence: Option<u32>,
}

impl Runs {
    pub fn new() -> Self {
        Self { current: None, ended: [None; 3], silence: None }
    }

    pub fn hear(
        &mut self,
        at: Duration,
        analysis: &Analysis,
        speech_before: bool,
        repeating: bool,
    ) -> Option<Recognised> {
        let peak = analysis.peaks[0];
        let tone = analysis.level > MIN_LEVEL && analysis.concentration > PURE;
        if let Some(run) = self.current.as_mut().filter(|run| tone && (run.hertz - peak.hertz).abs() < run.hertz * SAME)
        {
            run.frames += 1;
            run.end = at + FRAME_DURATION;
            run.level = run.level.max(analysis.level);
            return judge_sounding(run);
        }
        let sit = self.end_run();
        if tone {
            self.silence = None;
            self.current = Some(Run {
                hertz: peak.hertz,
                frames: 1,
                start: at,
                end: at + FRAME_DURATION,
                level: analysis.level,
                named: false,
            });
            return sit;
        }
        sit.or_else(|| self.judge_silence(analysis, speech_before, repeating))
    }

    fn end_run(&mut self) -> Option<Recognised> {
        let run = self.current.take()?;
        if run.frames < 3 {
            return None;
        }
        self.ended = [self.ended[1], self.ended[2], Some(run)];
        self.silence = (!run.named).then_some(0);
        let [Some(a), Some(b), Some(c)] = self.ended else { return None };
        let matches =
            |run: &Run, hertz: &std::ops::Range<f32>| hertz.contains(&run.hertz) && SIT_FRAMES.contains(&run.frames);
        let follows = |first: &Run, next: &Run| next.start.saturating_sub(first.end) <= SIT_GAP;
        let sit = matches(&a, &SIT[0]) && matches(&b, &SIT[1]) && matches(&c, &SIT[2]);
        if !(sit && follows(&a, &b) && follows(&b, &c)) {
            return None;
        }
        self.silence = None;
        Some(Recognised { tone: Tone::Sit, end: c.end })
    }

    fn judge_silence(&mut self, analysis: &Analysis, speech_before: bool, repeating: bool) -> Option<Recognised> {
        let silence = self.silence.as_mut()?;
        let [_, before, Some(run)] = self.ended else { return None };
        if analysis.level > MIN_LEVEL.max(run.level - SILENT_BELOW) {
            // The first frame after a tone may still hold its last millisecond.
            if *silence > 0 {
                self.silence = None;
            } else {
                *silence += 1;
            }
            return None;
        }
        *silence += 1;
        let network = run.hertz < NETWORK_HERTZ && !speech_before;
        if *silence < if network { SILENCE_AFTER_NETWORK } else { SILENCE_AFTER } {
            return None;
        }
        self.silence = None;
        if CNG_HERTZ.contains(&run.hertz) && CNG_FRAMES.contains(&run.frames) {
            return Some(Recognised { tone: Tone::Fax, end: run.end });
        }
        let melody = before.is_some_and(|before| run.start.saturating_sub(before.end) < MELODY);
        let beep = BEEP_HERTZ.contains(&run.hertz)
            && BEEP_FRAMES.contains(&run.frames)
            && !(network && run.frames > LOW_BEEP_FRAMES)
            && !(repeating && run.hertz < NETWORK_HERTZ && !speech_before)
            && !melody;
        beep.then_some(Recognised { tone: Tone::Beep, end: run.end })
    }
}

fn judge_sounding(run: &mut Run) -> Option<Recognised> {
    run.named |= run.frames >= CED_FRAMES && CED_HERTZ.contains(&run.hertz);
    (run.named && run.frames == CED_FRAMES).then_some(Recognised { tone: Tone::Fax, end: run.end })
}
