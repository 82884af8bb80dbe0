//! Speech to text by PocketSphinx.

use std::time::Duration;

use media::{AudioFrame, FRAME_DURATION};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::missing;
use super::sphinx_ffi::{Decoder, sphinx};
use super::vocabulary::{Files, acoustic_model};
use crate::resample::Upsampler;
use crate::{Error, Recognition, RecognitionEvent, RecognitionInput, SpeechToText, Transcript, Vocabulary};

/// Samples decoded at a time: 100 ms at 8 kHz.
const CHUNK: usize = 800;
/// Frames and orders that may wait while a chunk is decoded: 10 s.
const MAX_INPUT: usize = 512;
/// Events that may wait for the listener.
const MAX_EVENTS: usize = 64;
/// Longest stretch decoded at once, at 8 kHz: 20 s. Longer speech is decoded in several.
const MAX_STRETCH: usize = 160_000;
/// Words kept of speech that was longer than that, in bytes; older ones are dropped.
const MAX_EARLIER: usize = 4096;
/// Silence put around a turn for its second pass, at 16 kHz: 150 ms. A word at the very edge is hard to tell.
const MARGIN: usize = 2400;
/// The cepstral mean of speech on a telephone line, where the recogniser starts before it has heard any; printed by
/// `scripts/adapt.sh`.
const TELEPHONE_MEAN: &str = "57.14,4.86,3.24,16.36,9.15,-17.27,13.22,-18.10,-11.87,6.33,-14.11,12.31,-6.32";

/// PocketSphinx as a [`SpeechToText`].
#[derive(Debug)]
pub(super) struct PocketSphinx(());

impl PocketSphinx {
    /// Loads the library now, so that a missing one is known before a call begins.
    pub(super) fn load() -> Result<Self, Error> {
        sphinx()?;
        let model = acoustic_model().join("mdef");
        match model.exists() {
            true => Ok(Self(())),
            false => Err(missing(&model.display().to_string(), "pocketsphinx-en-us")),
        }
    }
}

impl SpeechToText for PocketSphinx {
    fn name(&self) -> &'static str {
        "local"
    }

    fn open(&self, vocabulary: Vocabulary) -> Result<Recognition, Error> {
        let runtime = Handle::try_current()
            .map_err(|error| Error::Provider { provider: "pocketsphinx", message: error.to_string() })?;
        let (input, orders) = mpsc::channel(MAX_INPUT);
        let (sender, events) = mpsc::channel(MAX_EVENTS);
        runtime.spawn(async move {
            if let Some(listener) = listen(vocabulary, orders, sender).await {
                let _ = tokio::task::spawn_blocking(|| drop(listener)).await;
            }
        });
        Ok(Recognition { input, events })
    }
}

/// The task of one call: moves its [`Listener`] into blocking tasks and out again. Gives it back when nobody listens any
/// longer, unless it failed.
async fn listen(
    vocabulary: Vocabulary,
    mut orders: mpsc::Receiver<RecognitionInput>,
    events: mpsc::Sender<RecognitionEvent>,
) -> Option<Listener> {
    // Not before: it costs 0.4 s of a core, and 25 MB.
    let mut next = Some(orders.recv().await?);
    if events.is_closed() {
        return None;
    }
    let mut listener = blocking(move || Listener::open(&vocabulary), &events).await?;
    let mut stretch = Stretch::default();
    while let Some(order) = next {
        match order {
            RecognitionInput::Prepare => {}
            RecognitionInput::Audio(frame) => {
                stretch.push(&frame);
                if stretch.waiting.len() >= CHUNK {
                    let chunk = std::mem::take(&mut stretch.waiting);
                    let (back, text) = blocking(move || Ok(listener.hear(chunk)), &events).await?;
                    listener = back;
                    // An interim that does not fit is followed by a better one.
                    if let Some(text) = text {
                        let _ = events.try_send(RecognitionEvent::Interim { text });
                    }
                }
            }
            RecognitionInput::Finish => {
                let chunk = std::mem::take(&mut stretch.waiting);
                let (start, end) = (stretch.start.take(), stretch.end);
                let (back, text, confidence) = blocking(move || Ok(listener.finish(chunk)), &events).await?;
                listener = back;
                let transcript = Transcript { text, start: start.unwrap_or(end), end, confidence };
                if events.send(RecognitionEvent::Final(transcript)).await.is_err() {
                    break;
                }
            }
            RecognitionInput::Vocabulary(vocabulary) => {
                listener = blocking(move || listener.relearn(&vocabulary), &events).await?;
            }
        }
        if events.is_closed() {
            break;
        }
        next = orders.recv().await;
    }
    Some(listener)
}

/// Runs a step where it may take its time; reports its failure.
async fn blocking<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, Error> + Send + 'static,
    events: &mpsc::Sender<RecognitionEvent>,
) -> Option<T> {
    let message = match tokio::task::spawn_blocking(step).await {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    let _ = events.send(RecognitionEvent::Failed { message }).await;
    None
}

/// Frames not yet decoded, and the media time of the turn.
#[derive(Default)]
struct Stretch {
    waiting: Vec<i16>,
    start: Option<Duration>,
    end: Duration,
}

impl Stretch {
    fn push(&mut self, frame: &AudioFrame) {
        self.start.get_or_insert(frame.at);
        self.end = frame.at + FRAME_DURATION;
        self.waiting.extend_from_slice(&frame.samples);
    }
}

/// A decoder with what it has heard of the present turn.
struct Listener {
    decoder: Decoder,
    upsampler: Upsampler,
    /// The turn so far at 16 kHz, for the second and better pass.
    heard: Vec<i16>,
    /// Words of the turn before `heard` began.
    earlier: String,
    interim: String,
}

impl Listener {
    fn open(vocabulary: &Vocabulary) -> Result<Self, Error> {
        // The decoder reads all of them here, and then they vanish: they are made of a call's own facts.
        let files = Files::write(vocabulary)?;
        let decoder = sphinx()?.decoder(&arguments(&files))?;
        Ok(Self {
            decoder,
            upsampler: Upsampler::new(),
            heard: Vec::new(),
            earlier: String::new(),
            interim: String::new(),
        })
    }

    /// The same turn with other words to expect.
    fn relearn(self, vocabulary: &Vocabulary) -> Result<Self, Error> {
        let mut fresh = Self::open(vocabulary)?;
        fresh.decoder.listen(&self.heard);
        Ok(Self { upsampler: self.upsampler, heard: self.heard, earlier: self.earlier, interim: self.interim, ..fresh })
    }

    /// Decodes a chunk; the words so far when they changed.
    fn hear(mut self, chunk: Vec<i16>) -> (Self, Option<String>) {
        let samples = self.upsampler.push(&chunk);
        self.decoder.listen(&samples);
        self.heard.extend_from_slice(&samples);
        if self.heard.len() >= 2 * MAX_STRETCH {
            let (text, _) = self.settle();
            self.keep_earlier(&text);
        }
        let present = self.decoder.hypothesis().unwrap_or_default();
        let text = joined(&self.earlier, &present);
        let changed = text != self.interim && !text.is_empty();
        self.interim.clone_from(&text);
        (self, changed.then_some(text))
    }

    /// Decodes the turn as a whole and begins the next.
    fn finish(mut self, chunk: Vec<i16>) -> (Self, String, Option<f32>) {
        let mut samples = self.upsampler.push(&chunk);
        samples.extend(self.upsampler.push(&[0; Upsampler::LAG]));
        self.decoder.listen(&samples);
        self.heard.extend_from_slice(&samples);
        let (text, confidence) = self.settle();
        let text = joined(&std::mem::take(&mut self.earlier), &text);
        self.interim.clear();
        self.upsampler = Upsampler::new();
        (self, text, confidence)
    }

    /// Ends the utterance and decodes it again as a whole, now that its cepstral mean is known.
    fn settle(&mut self) -> (String, Option<f32>) {
        let heard = std::mem::take(&mut self.heard);
        self.decoder.end();
        if heard.is_empty() {
            return (String::new(), None);
        }
        let silence = [0; MARGIN];
        self.decoder.listen_to_all(&[&silence[..], &heard, &silence].concat());
        match self.decoder.hypothesis() {
            Some(text) if !text.is_empty() => {
                // The posterior is of all words together; a long turn is not a worse one.
                let words = text.split_whitespace().count() as f32;
                let confidence = self.decoder.posterior().clamp(0.0, 1.0).powf(1.0 / words);
                (text, Some(confidence))
            }
            _ => (String::new(), None),
        }
    }

    fn keep_earlier(&mut self, text: &str) {
        self.earlier = joined(&self.earlier, text);
        if self.earlier.len() > MAX_EARLIER {
            let cut = self.earlier.ceil_char_boundary(self.earlier.len() - MAX_EARLIER);
            self.earlier.drain(..cut);
        }
    }
}

fn joined(earlier: &str, present: &str) -> String {
    match (earlier.is_empty(), present.is_empty()) {
        (true, _) => present.to_owned(),
        (_, true) => earlier.to_owned(),
        _ => format!("{earlier} {present}"),
    }
}

fn arguments(files: &Files) -> Vec<(&'static str, String)> {
    let path = |path: std::path::PathBuf| path.display().to_string();
    vec![
        ("-hmm", path(acoustic_model())),
        ("-dict", path(files.dictionary())),
        ("-lm", path(files.language_model())),
        ("-mllr", path(files.adaptation())),
        // Made before the searches that are used, and not used itself.
        ("-fwdflat", "no".to_owned()),
        ("-bestpath", "no".to_owned()),
        // Made for hiss; over the telephone it costs a third of the accuracy.
        ("-remove_noise", "no".to_owned()),
        ("-cmninit", TELEPHONE_MEAN.to_owned()),
        // The beams for the last phone of a word. By default (1e-40 and 7e-29) they are narrower than those for the
        // others, and over the telephone that loses words which the language model would have kept.
        ("-lpbeam", "1e-50".to_owned()),
        ("-lponlybeam", "1e-40".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use std::ffi::c_void;

    use libloading::Library;

    use super::*;

    #[test]
    #[allow(clippy::print_stdout, reason = "a test that was skipped says so")]
    fn decoders_made_side_by_side_have_no_log_to_close_for_each_other() {
        let Ok(_) = PocketSphinx::load() else {
            println!("skipped: libpocketsphinx3 or pocketsphinx-en-us is not installed");
            return;
        };
        let _listener = Listener::open(&Vocabulary::default()).unwrap();
        // SAFETY: the library is loaded already; the function has no preconditions.
        let log = unsafe {
            let base = Library::new("libsphinxbase.so.3").unwrap();
            let log: unsafe extern "C" fn() -> *mut c_void = *base.get(b"err_get_logfp\0").unwrap();
            log()
        };
        assert!(log.is_null(), "the decoder has opened a log, which is one a process and has no lock");
    }
}
