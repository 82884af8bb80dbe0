//! [`Listener`]: feeds a recogniser, but only with what is near speech.

use std::collections::VecDeque;

use media::AudioFrame;
use speech::{Recognition, RecognitionEvent, RecognitionInput, SpeechToText, Vocabulary};
use tokio::sync::mpsc::error::TrySendError;

/// Audio kept from before speech is noticed: 300 ms.
const PRE_ROLL: usize = 15;
/// Audio at a cut that both sides get, 120 ms: a soft consonant at the start of a word is as quiet as a pause.
const OVERLAP: usize = 6;
/// Inputs a slow recogniser may be behind: 10 s.
const MAX_BACKLOG: usize = 500;

/// Frames of a pause where a long phrase may be cut: 120 ms. The silence before a "p" is shorter.
const SHORT_PAUSE: u32 = 6;
/// Quiet is at least 26 dB below the loudest lately, and at most 40 dB below it.
const QUIET: std::ops::RangeInclusive<f32> = 0.01..=0.05;
/// Between these, quiet is up to 6 dB above the quietest lately: the "f" in "fifteen" is softer than any vowel, and no
/// pause.
const ABOVE_FLOOR: f32 = 2.0;
/// The loudest fades by half in 1.4 s.
const PEAK_FADES: f32 = 0.99;
/// The quietest is forgotten as slowly.
const FLOOR_RISES: f32 = 1.01;

/// One call's recogniser.
#[derive(Debug)]
pub(crate) struct Listener {
    recognition: Option<Recognition>,
    /// The last frames, fed or not.
    recent: VecDeque<AudioFrame>,
    /// How many of them have not been fed.
    unfed: usize,
    backlog: VecDeque<RecognitionInput>,
    feeding: bool,
    speaking: bool,
    dip: Dip,
    dropped: u64,
}

/// Finds short pauses by loudness.
#[derive(Debug, Default)]
struct Dip {
    /// The loudest lately; fades.
    peak: f32,
    /// The quietest lately; rises.
    floor: Option<f32>,
    quiet: u32,
}

impl Dip {
    fn hear(&mut self, frame: &AudioFrame) -> bool {
        let energy: f32 = frame.samples.iter().map(|sample| f32::from(*sample).powi(2)).sum();
        let level = (energy / frame.samples.len().max(1) as f32).sqrt();
        self.peak = level.max(self.peak * PEAK_FADES);
        let floor = level.min(self.floor.unwrap_or(level) * FLOOR_RISES).max(1.0);
        self.floor = Some(floor);
        let quiet = (floor * ABOVE_FLOOR).clamp(self.peak * QUIET.start(), self.peak * QUIET.end());
        self.quiet = if level < quiet { self.quiet + 1 } else { 0 };
        self.quiet == SHORT_PAUSE
    }
}

impl Listener {
    /// Opens the recogniser; without one the call goes on, deaf.
    pub(crate) fn open(stt: &dyn SpeechToText, vocabulary: Vocabulary) -> (Self, Option<speech::Error>) {
        let (recognition, error) = match stt.open(vocabulary) {
            Ok(recognition) => (Some(recognition), None),
            Err(error) => (None, Some(error)),
        };
        (
            Self {
                recognition,
                recent: VecDeque::with_capacity(PRE_ROLL),
                unfed: 0,
                backlog: VecDeque::new(),
                feeding: false,
                speaking: false,
                dip: Dip::default(),
                dropped: 0,
            },
            error,
        )
    }

    /// Feeds 20 ms. True at the moment a pause within speech has become long enough to cut there.
    pub(crate) fn audio(&mut self, frame: AudioFrame) -> bool {
        if self.recent.is_empty() {
            self.push(RecognitionInput::Prepare);
        }
        let paused = self.dip.hear(&frame) && self.speaking;
        if self.recent.len() == PRE_ROLL {
            self.recent.pop_front();
        }
        self.recent.push_back(frame);
        if self.feeding {
            self.push(RecognitionInput::Audio(frame));
        } else {
            self.unfed += 1;
        }
        self.feed();
        paused
    }

    /// From [`PRE_ROLL`] frames before the onset on, everything is fed.
    pub(crate) fn speech_started(&mut self) {
        self.speaking = true;
        if !self.feeding {
            self.begin();
        }
        self.feed();
    }

    /// Feeds from now on, and first what was just heard.
    fn begin(&mut self) {
        self.feeding = true;
        let known = std::mem::take(&mut self.unfed) + OVERLAP;
        for frame in self.recent.range(self.recent.len().saturating_sub(known)..).copied().collect::<Vec<_>>() {
            self.push(RecognitionInput::Audio(frame));
        }
    }

    pub(crate) fn speech_ended(&mut self) {
        self.speaking = false;
    }

    /// The turn is over.
    pub(crate) fn finish(&mut self) {
        self.push(RecognitionInput::Finish);
        self.feeding = false;
        if self.speaking {
            self.begin();
        }
        self.feed();
    }

    /// What it understood; never returns when there is no recogniser.
    pub(crate) async fn next(&mut self) -> RecognitionEvent {
        let event = match &mut self.recognition {
            Some(recognition) => recognition.events.recv().await,
            None => std::future::pending().await,
        };
        match event {
            Some(event) => event,
            None => {
                self.recognition = None;
                RecognitionEvent::Failed { message: "the recogniser stopped".to_owned() }
            }
        }
    }

    /// Frames lost because the recogniser was too slow.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn push(&mut self, input: RecognitionInput) {
        if self.backlog.len() >= MAX_BACKLOG
            && let Some(oldest) = self.backlog.iter().position(|input| matches!(input, RecognitionInput::Audio(_)))
        {
            self.backlog.remove(oldest);
            self.dropped += 1;
        }
        self.backlog.push_back(input);
    }

    fn feed(&mut self) {
        let Some(recognition) = &self.recognition else {
            self.backlog.clear();
            return;
        };
        while let Some(input) = self.backlog.pop_front() {
            match recognition.input.try_send(input) {
                Ok(()) => {}
                Err(TrySendError::Full(input)) => {
                    self.backlog.push_front(input);
                    break;
                }
                Err(TrySendError::Closed(_)) => {
                    self.backlog.clear();
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of a level each, and after which of them a phrase may be cut.
    fn check(levels: &[(i16, usize)], expected: &[usize]) {
        let mut dip = Dip::default();
        let frames = levels.iter().flat_map(|(level, frames)| std::iter::repeat_n(*level, *frames));
        let cuts: Vec<usize> = frames
            .enumerate()
            .filter(|(_, level)| {
                dip.hear(&AudioFrame { at: std::time::Duration::ZERO, samples: [*level; media::FRAME_SAMPLES] })
            })
            .map(|(number, _)| number)
            .collect();
        assert_eq!(cuts, expected, "{levels:?}");
    }

    #[test]
    fn a_phrase_is_cut_at_a_pause_and_not_at_a_soft_consonant() {
        const VOWEL: i16 = 8000;
        const F: i16 = 260;
        check(&[(0, 10), (VOWEL, 20), (0, 10)], &[35]);
        // "fifteen": the consonant and the stop after it.
        check(&[(0, 10), (VOWEL, 20), (F, 5), (0, 3), (VOWEL, 20)], &[]);
        // A line with noise of its own has pauses too.
        check(&[(200, 10), (VOWEL, 20), (200, 10)], &[35]);
    }

    /// A recogniser of which the orders are seen.
    #[derive(Debug)]
    struct Seen(std::sync::Mutex<Option<Recognition>>);

    impl SpeechToText for Seen {
        fn name(&self) -> &'static str {
            "seen"
        }

        fn open(&self, _: Vocabulary) -> Result<Recognition, speech::Error> {
            Ok(self.0.lock().expect("nobody panics").take().expect("opened once"))
        }
    }

    #[test]
    fn the_recogniser_is_prepared_when_something_is_heard_and_not_before() {
        let (input, mut orders) = tokio::sync::mpsc::channel(9);
        let (_events, events) = tokio::sync::mpsc::channel(9);
        let seen = Seen(std::sync::Mutex::new(Some(Recognition { input, events })));
        let (mut listener, _) = Listener::open(&seen, Vocabulary::default());
        assert!(orders.try_recv().is_err());
        let frame = AudioFrame { at: std::time::Duration::ZERO, samples: [0; media::FRAME_SAMPLES] };
        assert!(!listener.audio(frame) && !listener.audio(frame));
        assert!(matches!(orders.try_recv(), Ok(RecognitionInput::Prepare)));
        assert!(orders.try_recv().is_err(), "frames wait until somebody speaks");
    }
}
