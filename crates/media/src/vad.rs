//! [`VoiceActivity`]: does somebody speak?
//!
//! Voices are periodic, which noise is not, and never hold their pitch, which tones and instruments do. A frame that is
//! loud enough and periodic counts for speech when its spectrum moves and against it when it stands still. Speech begins
//! when enough of the last half second speaks for it, and ends 200 ms after the last voiced frame and its consonants.

use std::time::Duration;

use crate::FRAME_DURATION;
use crate::analysis::Analysis;

/// Frames of silence after which speech has ended: 200 ms.
const HANGOVER: u32 = 10;
/// Unvoiced frames that may follow a voiced one and still be speech: the s of "yes", 160 ms.
const CONSONANT: u32 = 8;
/// Frames whose evidence is weighed: half a second.
const MEMORY: u32 = 25;
const MEMORY_MASK: u32 = (1 << MEMORY) - 1;
/// Frames in which the votes for speech must fall that begin it.
const RECENT: u32 = 6;
/// Votes that begin speech.
const VOTES: u32 = 3;
/// Frames weighed while music plays, and the votes that begin speech among them, if no tone does.
const OVER_MUSIC: u32 = 12;
const VOTES_OVER_MUSIC: u32 = 8;
/// Frames held by a tone that a flat voice may have among them; with more, speech must outnumber them by far.
const FLAT_VOICE: u32 = 5;
/// How far.
const OUTNUMBER: u32 = 2;
/// Below this nothing is speech.
const MIN_LEVEL: f32 = -48.0;
/// How far speech stands above the noise, in dB.
const OVER_FLOOR: f32 = 7.0;
/// How fast the noise floor may rise, in dB a frame, when what is heard is not periodic: 25 dB a second.
const NOISE_RISE: f32 = 0.5;
/// The same while somebody speaks: consonants are not the floor.
const CONSONANT_RISE: f32 = 0.1;
/// The same when it is periodic: neither voices nor tones are noise.
const PERIODIC_RISE: f32 = 0.02;
/// The floor is never thought lower.
const MIN_FLOOR: f32 = -65.0;
/// Voicing from which a frame is periodic.
const PERIODIC: f32 = 0.5;
/// The same while speech goes on.
const STILL_PERIODIC: f32 = 0.4;
/// Share of steady power from which a frame is a tone.
const STEADY: f32 = 0.75;
/// Frames at the beginning of a sound in which a tone does not stand still yet.
const ATTACK: u32 = 2;
/// Share of power around one peak from which a frame may be a beating pair of tones: no vote either way.
const CONCENTRATED: f32 = 0.97;
/// Steady frames in a row that are a tone even while speech goes on.
const TONE_RUN: u32 = 6;

/// What a frame speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// Somebody speaks.
    Speech,
    /// A tone or a note sounds.
    Tone,
    /// Nothing, noise, or not to be told yet.
    Neither,
}

/// A change of activity; times are media times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Speech began at.
    Started(Duration),
    /// Speech ended at.
    Ended(Duration),
}

/// Hears frames; tells when speech begins and ends.
#[derive(Debug)]
pub struct VoiceActivity {
    floor: f32,
    speech_votes: u32,
    tone_votes: u32,
    steady_run: u32,
    loud_run: u32,
    /// Start of the first frame of the sound that is going on, and of the silence before it.
    onset: Option<Duration>,
    quiet: u32,
    speaking: Option<Speaking>,
    probability: f32,
    vote: Vote,
}

#[derive(Debug, Clone, Copy)]
struct Speaking {
    /// End of its last frame so far.
    end: Duration,
    /// Frames since.
    silent: u32,
    /// Frames since the last voiced one.
    since_voiced: u32,
}

impl VoiceActivity {
    /// Has heard nothing yet.
    pub fn new() -> Self {
        Self {
            floor: MIN_FLOOR,
            speech_votes: 0,
            tone_votes: 0,
            steady_run: 0,
            loud_run: 0,
            onset: None,
            quiet: 0,
            speaking: None,
            probability: 0.0,
            vote: Vote::Neither,
        }
    }

    /// The probability of speech in the last frame, raw.
    pub fn probability(&self) -> f32 {
        self.probability
    }

    /// What the last frame spoke for.
    pub fn vote(&self) -> Vote {
        self.vote
    }

    /// Is somebody speaking, hangover included?
    pub fn is_speaking(&self) -> bool {
        self.speaking.is_some()
    }

    /// Weighs a frame that began `at`. `tone` is a veto: another detector knows that this is a tone. Over `music` a voice
    /// must be clearer.
    pub(crate) fn hear(&mut self, at: Duration, analysis: &Analysis, tone: bool, music: bool) -> Option<Change> {
        let loud = self.is_loud(analysis);
        self.note_onset(at, loud);
        self.loud_run = if loud { self.loud_run + 1 } else { 0 };
        self.vote = if tone { Vote::Tone } else { self.judge(analysis, loud) };
        self.speech_votes = self.speech_votes << 1 | u32::from(self.vote == Vote::Speech);
        self.tone_votes = self.tone_votes << 1 | u32::from(self.vote == Vote::Tone);
        self.probability = self.estimate(analysis, loud);
        match &mut self.speaking {
            None => self.begin(at, music),
            Some(speaking) => {
                let sounds = loud && self.steady_run < TONE_RUN && self.vote != Vote::Tone;
                let voiced = sounds && analysis.voicing >= STILL_PERIODIC;
                speaking.since_voiced = if voiced { 0 } else { speaking.since_voiced + 1 };
                if voiced || sounds && speaking.since_voiced <= CONSONANT {
                    *speaking = Speaking { end: at + FRAME_DURATION, silent: 0, ..*speaking };
                    return None;
                }
                speaking.silent += 1;
                let ended = (speaking.silent >= HANGOVER).then_some(Change::Ended(speaking.end));
                if ended.is_some() {
                    self.speaking = None;
                    self.speech_votes = 0;
                }
                ended
            }
        }
    }

    fn begin(&mut self, at: Duration, music: bool) -> Option<Change> {
        let recent = (self.speech_votes & ((1 << RECENT) - 1)).count_ones();
        let (speech, tone) =
            ((self.speech_votes & MEMORY_MASK).count_ones(), (self.tone_votes & MEMORY_MASK).count_ones());
        if self.vote != Vote::Speech || recent < VOTES || tone > FLAT_VOICE && speech < OUTNUMBER * tone {
            return None;
        }
        let lately = (1 << OVER_MUSIC) - 1;
        let clear = (self.speech_votes & lately).count_ones() >= VOTES_OVER_MUSIC && self.tone_votes & lately == 0;
        if music && !clear {
            return None;
        }
        self.speaking = Some(Speaking { end: at + FRAME_DURATION, silent: 0, since_voiced: 0 });
        // Sound that was there long before the voice is not part of it.
        let earliest = at.saturating_sub(FRAME_DURATION * RECENT);
        Some(Change::Started(self.onset.unwrap_or(at).max(earliest)))
    }

    fn judge(&mut self, analysis: &Analysis, loud: bool) -> Vote {
        let steady = loud && analysis.steady_for_20_ms >= STEADY;
        self.steady_run = if steady { self.steady_run + 1 } else { 0 };
        if steady && analysis.steady_for_40_ms >= STEADY {
            return Vote::Tone;
        }
        let voice = loud && !steady && analysis.voicing >= PERIODIC && analysis.concentration < CONCENTRATED;
        if voice { Vote::Speech } else { Vote::Neither }
    }

    fn estimate(&self, analysis: &Analysis, loud: bool) -> f32 {
        let tones = (self.tone_votes & MEMORY_MASK).count_ones().saturating_sub(FLAT_VOICE) as f32;
        match self.vote {
            // The more tones there were of late, the likelier this is the attack of a note.
            Vote::Speech if self.loud_run <= ATTACK => 0.4,
            Vote::Speech => (0.6 + 0.4 * analysis.voicing.min(1.0) - 0.08 * tones).max(0.1),
            Vote::Tone if self.steady_run >= TONE_RUN || self.speaking.is_none() => 0.0,
            // A vowel may stand still for a moment.
            Vote::Tone => 0.5,
            Vote::Neither if !loud => 0.0,
            Vote::Neither => 0.4 * analysis.voicing.clamp(0.0, 1.0),
        }
    }

    fn is_loud(&mut self, analysis: &Analysis) -> bool {
        let periodic = analysis.voicing >= STILL_PERIODIC;
        let rise = match (&self.speaking, periodic) {
            (None, false) => NOISE_RISE,
            (Some(_), false) => CONSONANT_RISE,
            (_, true) => PERIODIC_RISE,
        };
        self.floor = analysis.level.min(self.floor + rise).max(MIN_FLOOR);
        analysis.level >= MIN_LEVEL.max(self.floor + OVER_FLOOR)
    }

    fn note_onset(&mut self, at: Duration, loud: bool) {
        if loud {
            self.onset.get_or_insert(at);
            self.quiet = 0;
        } else {
            self.quiet += 1;
            if self.quiet >= 2 {
                self.onset = None;
            }
        }
    }
}

impl Default for VoiceActivity {
    fn default() -> Self {
        Self::new()
    }
}
