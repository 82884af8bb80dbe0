//! Understands what a [`super::ScriptedTts`] said, once it has come through.

use std::time::Duration;

use media::FRAME_DURATION;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::script::Script;
use super::tts::loudness;
use crate::{Error, Recognition, RecognitionEvent, RecognitionInput, SpeechToText, Transcript, Vocabulary};

/// Quieter frames are silence: the hiss of µ-law, a faint echo.
const SILENCE: f32 = 300.0;
/// Frames of one turn: 60 s; later ones are not heard.
const MAX_FRAMES: usize = 3000;
/// Frames between interims: 200 ms.
const INTERIM_EVERY: usize = 10;

/// Recognises by ear the sounds noted in a [`Script`]; anything else is no word to it.
#[derive(Debug, Clone)]
pub struct ScriptedStt {
    script: Script,
}

impl ScriptedStt {
    /// Listens for what the owner of `script` says.
    pub fn new(script: Script) -> Self {
        Self { script }
    }
}

impl SpeechToText for ScriptedStt {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn open(&self, _vocabulary: Vocabulary) -> Result<Recognition, Error> {
        let runtime = Handle::try_current()
            .map_err(|error| Error::Provider { provider: "scripted", message: error.to_string() })?;
        let (input, orders) = mpsc::channel(512);
        let (sender, events) = mpsc::channel(64);
        runtime.spawn(listen(self.script.clone(), orders, sender));
        Ok(Recognition { input, events })
    }
}

async fn listen(script: Script, mut orders: mpsc::Receiver<RecognitionInput>, events: mpsc::Sender<RecognitionEvent>) {
    let mut course: Vec<f32> = Vec::new();
    let (mut start, mut end) = (None, Duration::ZERO);
    let mut interim = String::new();
    while let Some(order) = orders.recv().await {
        match order {
            RecognitionInput::Audio(frame) => {
                start.get_or_insert(frame.at);
                end = frame.at + FRAME_DURATION;
                if course.len() < MAX_FRAMES {
                    course.push(loudness(&frame.samples));
                }
                if !course.len().is_multiple_of(INTERIM_EVERY) {
                    continue;
                }
                let text = script.words_in(&course, SILENCE).join(" ");
                if !text.is_empty() && text != interim {
                    interim.clone_from(&text);
                    let _ = events.try_send(RecognitionEvent::Interim { text });
                }
            }
            RecognitionInput::Finish => {
                let text = script.words_in(&course, SILENCE).join(" ");
                course.clear();
                interim.clear();
                let confidence = (!text.is_empty()).then_some(1.0);
                let transcript = Transcript { text, start: start.take().unwrap_or(end), end, confidence };
                if events.send(RecognitionEvent::Final(transcript)).await.is_err() {
                    return;
                }
            }
            RecognitionInput::Prepare | RecognitionInput::Vocabulary(_) => {}
        }
        if events.is_closed() {
            return;
        }
    }
}
