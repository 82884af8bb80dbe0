//! What a [`super::ScriptedTts`] has said, and how it sounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Utterances remembered; older ones can no longer be understood.
const MAX_UTTERANCES: usize = 256;
/// Frames compared at least: 160 ms.
const MIN_FRAMES: usize = 8;
/// Likeness of two courses of loudness that counts as the same sound.
const MIN_LIKENESS: f32 = 0.75;
/// Frames by which the receiver's framing may differ from ours.
const MAX_SHIFT: usize = 2;

/// Shared by a speaker and its listener. Clones are the same script.
#[derive(Debug, Clone, Default)]
pub struct Script {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    utterances: VecDeque<Utterance>,
    said: Vec<String>,
}

/// One utterance as it left the speaker.
#[derive(Debug, Clone)]
pub(super) struct Utterance {
    /// Each word with the frame it ends in.
    pub words: Vec<(String, usize)>,
    /// Loudness of each 20 ms.
    pub course: Vec<f32>,
}

impl Script {
    /// With nothing said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every text given to the speaker so far, in order.
    pub fn said(&self) -> Vec<String> {
        self.lock().said.clone()
    }

    pub(super) fn add(&self, text: &str, utterance: Utterance) -> usize {
        let mut inner = self.lock();
        if inner.utterances.len() >= MAX_UTTERANCES {
            inner.utterances.pop_front();
            inner.said.remove(0);
        }
        inner.utterances.push_back(utterance);
        inner.said.push(text.to_owned());
        inner.said.len()
    }

    /// The words in a course of loudness: every utterance that is recognised in it, as far as it was heard.
    pub(super) fn words_in(&self, course: &[f32], silence: f32) -> Vec<String> {
        let inner = self.lock();
        let mut words = Vec::new();
        let mut at = 0;
        while at < course.len() {
            if course[at] <= silence {
                at += 1;
                continue;
            }
            let best = inner
                .utterances
                .iter()
                .filter_map(|utterance| heard(utterance, &course[at..], silence))
                .max_by(|a, b| a.likeness.total_cmp(&b.likeness));
            match best {
                Some(heard) => {
                    words.extend(heard.words);
                    at += heard.frames;
                }
                None => at += 1,
            }
        }
        words
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Heard {
    words: Vec<String>,
    frames: usize,
    likeness: f32,
}

/// How much of an utterance begins here, if it does.
fn heard(utterance: &Utterance, course: &[f32], silence: f32) -> Option<Heard> {
    // Cut off, it is followed by a silence that it does not have itself.
    let longest = utterance.course.len().min(course.len());
    let last = (0..longest).rev().find(|&frame| course[frame] > silence)? + 1;
    let mut end = last;
    let mut quiet = 0;
    for (frame, loudness) in course.iter().enumerate().take(last) {
        quiet = if *loudness <= silence { quiet + 1 } else { 0 };
        let shape = utterance.course[frame.saturating_sub(MAX_SHIFT)..=frame].iter().copied().fold(0.0, f32::max);
        if quiet > MAX_SHIFT + 8 && shape > silence {
            end = frame + 1 - quiet;
            break;
        }
    }
    if end < MIN_FRAMES.min(utterance.course.len()) {
        return None;
    }
    let likeness = (0..=MAX_SHIFT)
        .map(|shift| likeness(&utterance.course[shift.min(end)..end], &course[..end - shift.min(end)]))
        .fold(0.0, f32::max);
    let words = utterance.words.iter().filter(|(_, last)| *last <= end + MAX_SHIFT).map(|(word, _)| word.clone());
    (likeness >= MIN_LIKENESS).then(|| Heard { words: words.collect(), frames: end.max(1), likeness })
}

/// Pearson's correlation.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    if length == 0 {
        return 0.0;
    }
    let mean = |values: &[f32]| values[..length].iter().sum::<f32>() / length as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut only_a, mut only_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        both += (a - mean_a) * (b - mean_b);
        only_a += (a - mean_a).powi(2);
        only_b += (b - mean_b).powi(2);
    }
    both / (only_a * only_b).sqrt().max(f32::MIN_POSITIVE)
}
