//! The task that speaks: text to audio, sentence by sentence, into the line.

use std::sync::Arc;
use std::time::Duration;

use gateway::Player;
use media::{FRAME_SAMPLES, SAMPLE_RATE, UtteranceId};
use speech::TextToSpeech;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Utterances waiting to be spoken.
const QUEUE: usize = 32;
/// A synthesiser that gives nothing for so long has failed.
const SYNTHESIS_WAIT: Duration = Duration::from_secs(10);

/// What became of an utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpeakerEvent {
    /// Its first audio exists.
    FirstAudio(UtteranceId),
    /// All of it exists; so long is it.
    Synthesised { utterance: UtteranceId, length: Duration },
    /// There is no audio of it.
    Failed(UtteranceId),
}

#[derive(Debug)]
struct Order {
    utterance: UtteranceId,
    text: String,
    cancel: CancellationToken,
}

/// A handle to the speaking task. Dropping it silences it.
#[derive(Debug)]
pub(crate) struct Speaker {
    orders: mpsc::Sender<Order>,
    pub(crate) events: mpsc::Receiver<SpeakerEvent>,
    tokens: Vec<(UtteranceId, CancellationToken)>,
    task: tokio::task::JoinHandle<()>,
}

impl Speaker {
    pub(crate) fn start(tts: Arc<dyn TextToSpeech>, voice: Option<String>, player: Player) -> Self {
        let (orders, waiting) = mpsc::channel(QUEUE);
        let (told, events) = mpsc::channel(QUEUE * 3);
        let task = tokio::spawn(speak_all(tts, voice, player, waiting, told));
        Self { orders, events, tokens: Vec::new(), task }
    }

    /// Speaks after what was ordered before. False when too much is waiting.
    pub(crate) fn say(&mut self, utterance: UtteranceId, text: String) -> bool {
        let cancel = CancellationToken::new();
        self.tokens.retain(|(_, token)| !token.is_cancelled());
        if self.tokens.len() > QUEUE {
            self.tokens.remove(0);
        }
        self.tokens.push((utterance, cancel.clone()));
        self.orders.try_send(Order { utterance, text, cancel }).is_ok()
    }

    /// Makes no more audio of any utterance up to this one.
    pub(crate) fn cancel(&mut self, up_to: UtteranceId) {
        self.tokens.retain(|(utterance, token)| {
            let canceled = *utterance <= up_to;
            if canceled {
                token.cancel();
            }
            !canceled
        });
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn speak_all(
    tts: Arc<dyn TextToSpeech>,
    voice: Option<String>,
    mut player: Player,
    mut orders: mpsc::Receiver<Order>,
    told: mpsc::Sender<SpeakerEvent>,
) {
    while let Some(order) = orders.recv().await {
        tokio::select! { biased;
            () = order.cancel.cancelled() => {}
            spoken = speak(tts.as_ref(), voice.as_deref(), &mut player, &order, &told) => {
                if spoken.is_err() {
                    return;
                }
            }
        }
    }
}

/// The line is over.
struct Over;

async fn speak(
    tts: &dyn TextToSpeech,
    voice: Option<&str>,
    player: &mut Player,
    order: &Order,
    told: &mpsc::Sender<SpeakerEvent>,
) -> Result<(), Over> {
    let mut frame = [0i16; FRAME_SAMPLES];
    let mut filled = 0;
    let mut samples = 0u64;
    // A frame is held back until it is known whether it is the last.
    let mut held: Option<[i16; FRAME_SAMPLES]> = None;
    for sentence in sentences(&order.text) {
        let mut speech = match tts.speak(sentence, voice) {
            Ok(speech) => speech,
            Err(error) => {
                tracing::warn!(%error, "synthesis failed");
                break;
            }
        };
        loop {
            let piece = match tokio::time::timeout(SYNTHESIS_WAIT, speech.audio.recv()).await {
                Ok(Some(Ok(piece))) => piece,
                Ok(None) => break,
                Ok(Some(Err(error))) => {
                    tracing::warn!(%error, "synthesis failed");
                    break;
                }
                Err(_) => {
                    tracing::warn!("synthesis gave nothing in time");
                    break;
                }
            };
            if samples == 0 && !piece.is_empty() {
                let _ = told.send(SpeakerEvent::FirstAudio(order.utterance)).await;
            }
            samples += piece.len() as u64;
            for sample in piece {
                frame[filled] = sample;
                filled += 1;
                if filled == FRAME_SAMPLES {
                    filled = 0;
                    if let Some(ready) = held.replace(frame) {
                        player.play(order.utterance, ready, false).await.map_err(|_| Over)?;
                    }
                }
            }
        }
    }
    if samples == 0 {
        let _ = told.send(SpeakerEvent::Failed(order.utterance)).await;
        return Ok(());
    }
    let length = Duration::from_micros(samples * 1_000_000 / u64::from(SAMPLE_RATE));
    let _ = told.send(SpeakerEvent::Synthesised { utterance: order.utterance, length }).await;
    if filled > 0 {
        frame[filled..].fill(0);
        if let Some(ready) = held.replace(frame) {
            player.play(order.utterance, ready, false).await.map_err(|_| Over)?;
        }
    }
    if let Some(last) = held {
        player.play(order.utterance, last, true).await.map_err(|_| Over)?;
    }
    Ok(())
}

/// A text in sentences, each with its mark, so that the first sounds before the last is made.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let bytes = text.as_bytes();
    for (i, byte) in bytes.iter().enumerate() {
        let ends = matches!(byte, b'.' | b'!' | b'?') && bytes.get(i + 1).is_some_and(u8::is_ascii_whitespace);
        // "Dr. Alvarez" is no end of a sentence.
        if ends && !is_abbreviation(&text[start..i]) {
            sentences.push(text[start..=i].trim());
            start = i + 1;
        }
    }
    sentences.push(text[start..].trim());
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

fn is_abbreviation(before: &str) -> bool {
    let last = before.rsplit(char::is_whitespace).next().unwrap_or("");
    matches!(last, "Dr" | "Mr" | "Mrs" | "Ms" | "St" | "No")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_spoken_one_by_one() {
        assert_eq!(
            sentences("Hello. I'd like to see Dr. Alvarez, please. Is 1.5 fine?"),
            ["Hello.", "I'd like to see Dr. Alvarez, please.", "Is 1.5 fine?"]
        );
        assert_eq!(sentences("Goodbye"), ["Goodbye"]);
        assert!(sentences("  ").is_empty());
    }
}
