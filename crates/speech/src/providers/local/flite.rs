//! Text to speech by flite.

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::flite_ffi::flite;
use super::level::levelled_and_trimmed;
use super::sentences::sentences;
use crate::resample::to_telephone;
use crate::{Error, Speech, TextToSpeech, words};

/// The voices, the agent's own first.
pub const VOICES: [&str; 5] = ["slt", "awb", "rms", "kal16", "kal"];
/// Samples in a piece: 100 ms.
const PIECE: usize = 800;
/// Pieces that may wait for the listener: 3 s.
const MAX_WAITING: usize = 30;
/// Longest text spoken at once, in bytes; the rest is left unsaid.
const MAX_TEXT: usize = 8192;

/// flite as a [`TextToSpeech`].
#[derive(Debug)]
pub(super) struct Flite(());

impl Flite {
    /// Loads the library now, so that a missing one is known before a call begins.
    pub(super) fn load() -> Result<Self, Error> {
        flite().map(|_| Self(()))
    }
}

impl TextToSpeech for Flite {
    fn name(&self) -> &'static str {
        "local"
    }

    fn speak(&self, text: &str, voice: Option<&str>) -> Result<Speech, Error> {
        let voice = named(voice)?;
        let runtime =
            Handle::try_current().map_err(|error| Error::Provider { provider: "flite", message: error.to_string() })?;
        let text = &text[..text.floor_char_boundary(MAX_TEXT)];
        let (sender, audio) = mpsc::channel(MAX_WAITING);
        runtime.spawn(speak(sentences(text), voice, sender));
        Ok(Speech { audio })
    }
}

fn named(voice: Option<&str>) -> Result<&'static str, Error> {
    let Some(wanted) = voice else {
        return Ok(VOICES[0]);
    };
    VOICES.into_iter().find(|known| *known == wanted).ok_or_else(|| Error::Provider {
        provider: "flite",
        message: format!("there is no voice {wanted:?}; there are {}", VOICES.join(", ")),
    })
}

async fn speak(sentences: Vec<String>, voice: &'static str, sender: mpsc::Sender<Result<Vec<i16>, Error>>) {
    for sentence in sentences {
        if sender.is_closed() {
            return;
        }
        // Not a thread of our own: tokio holds a paused clock while a blocking task runs.
        let made = tokio::task::spawn_blocking(move || synthesise(&sentence, voice)).await;
        let pcm = match made {
            Ok(Ok(pcm)) => pcm,
            Ok(Err(error)) => {
                let _ = sender.send(Err(error)).await;
                return;
            }
            Err(_) => return,
        };
        for piece in pcm.chunks(PIECE) {
            if sender.send(Ok(piece.to_vec())).await.is_err() {
                return;
            }
        }
    }
}

fn synthesise(sentence: &str, voice: &'static str) -> Result<Vec<i16>, Error> {
    let raw = flite()?.synthesise(&words::for_voice(sentence), voice)?;
    Ok(levelled_and_trimmed(&to_telephone(&raw.samples, raw.rate)))
}
