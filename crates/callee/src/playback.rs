//! Plays sounds into a line, 20 ms at a time.

use gateway::{LineClosed, Player};
use media::{FRAME_SAMPLES, UtteranceId};
use speech::TextToSpeech;

use crate::callee::Sound;
use crate::sounds;

/// Plays all sounds as one utterance; what cannot be spoken is left out and returned as an error
/// once the rest was played.
pub(crate) async fn play(
    sounds: Vec<Sound>,
    utterance: UtteranceId,
    player: Player,
    tts: &dyn TextToSpeech,
    voice: &str,
) -> Result<(), speech::Error> {
    let mut feed = Feed { player, utterance, samples: Vec::new() };
    let mut result = Ok(());
    for sound in sounds {
        let played = match sound {
            Sound::Say(text) => match say(&mut feed, &text, tts, voice).await {
                Ok(played) => played,
                Err(error) => {
                    result = Err(error);
                    Ok(())
                }
            },
            Sound::Silence(length) => feed.push(std::iter::repeat_n(0, sounds::samples(length))).await,
            Sound::Music(length) => feed.push(sounds::music(length)).await,
            Sound::Tone { kind, length } => feed.push(sounds::tone(kind, length)).await,
            Sound::Beep { hertz, length } => feed.push(sounds::beep(hertz, length)).await,
        };
        if played.is_err() {
            // The call is over; its end is reported elsewhere.
            return result;
        }
    }
    let _ = feed.finish().await;
    result
}

async fn say(
    feed: &mut Feed,
    text: &str,
    tts: &dyn TextToSpeech,
    voice: &str,
) -> Result<Result<(), LineClosed>, speech::Error> {
    let mut speech = tts.speak(text, Some(voice))?;
    while let Some(piece) = speech.audio.recv().await {
        if let Err(closed) = feed.push(piece?).await {
            return Ok(Err(closed));
        }
    }
    Ok(Ok(()))
}

/// Cuts samples into frames, holding the last one back: only it carries the end mark.
struct Feed {
    player: Player,
    utterance: UtteranceId,
    samples: Vec<i16>,
}

impl Feed {
    async fn push(&mut self, samples: impl IntoIterator<Item = i16>) -> Result<(), LineClosed> {
        for sample in samples {
            if self.samples.len() == FRAME_SAMPLES {
                self.send(false).await?;
            }
            self.samples.push(sample);
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), LineClosed> {
        self.send(true).await
    }

    async fn send(&mut self, last: bool) -> Result<(), LineClosed> {
        let mut frame = [0; FRAME_SAMPLES];
        frame[..self.samples.len()].copy_from_slice(&self.samples);
        self.samples.clear();
        self.player.play(self.utterance, frame, last).await
    }
}
